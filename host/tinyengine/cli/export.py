"""``tinyengine export``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from tinyengine.cli.options import compile_options, json_option, to_compile_options
from tinyengine.cores import CORES
from tinyengine.export import TARGETS, compile_library, export
from tinyengine.export.folder import check_free
from tinyengine.report.export import export_figures, export_table

_KINDS = "; ".join(f"{name}: {target.what}" for name, target in TARGETS.items())


@click.command("export")
@click.argument("models", metavar="MODEL...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--cpu", type=click.Choice(list(CORES)), required=True, help="Core the code is for.")
@click.option("--for", "target", type=click.Choice(list(TARGETS)), required=True, help=f"{_KINDS}.")
@click.option("-o", "--out", type=click.Path(path_type=Path), required=True, help="Folder to write, new or empty.")
@click.option(
    "--prefix",
    "prefixes",
    multiple=True,
    metavar="NAME",
    help="What a network's names begin with, once for each MODEL (default: its file's name).",
)
@click.option("--share-arena", is_flag=True, help="One arena for all networks: only one runs at a time.")
@compile_options
@json_option
def command(
    models: tuple[Path, ...],
    cpu: str,
    target: str,
    out: Path,
    prefixes: tuple[str, ...],
    share_arena: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Write the .tflite networks MODEL... as a library for firmware of your own.

    The folder has the networks in C, the kernels that they use, an example, and a README with their sizes; it needs
    nothing else. The folder is written whole or not at all.

    \b
    Example:
      tinyengine export models/person_tiny.tflite --cpu cortex-m4 --for cmake -o person
      tinyengine export person.tflite words.tflite --cpu cortex-m7 --for c --share-arena -o networks
    """
    settings = to_compile_options(cpu, **options)
    check_free(out)
    with Console(stderr=True).status("starting") as status:
        library = compile_library(models, settings, prefixes, share_arena, status.update)
        files = export(library, target, out)
    if as_json:
        click.echo(json.dumps(export_figures(library, target, out, files), indent=2))
    else:
        console = Console(highlight=False)
        console.print(export_table(library))
        console.print(f"wrote {len(files)} files to {out}: see {out / 'README.md'}", soft_wrap=True)
