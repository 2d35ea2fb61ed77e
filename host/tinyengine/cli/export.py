"""``tinyengine export``."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from tinyengine.cli.options import compile_options, json_option, to_compile_options
from tinyengine.cores import CORES
from tinyengine.errors import ToolError
from tinyengine.export import TARGETS, compile_library, export
from tinyengine.export.folder import check_free
from tinyengine.export.mpy import ARCHS
from tinyengine.report.export import export_figures, export_table

_KINDS = "; ".join(f"{name}: {target.what}" for name, target in TARGETS.items())


@click.command("export")
@click.argument("models", metavar="MODEL...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--cpu", type=click.Choice(list(CORES)), help="Core the code is for.")
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
@click.option("--arch", type=click.Choice(list(ARCHS)), help="With --for mpy, instead of --cpu: what it is loaded on.")
@click.option("--weights-file", is_flag=True, help="With --for mpy: weights as a file, which a ROMFS keeps out of RAM.")
@compile_options
@json_option
def command(
    models: tuple[Path, ...],
    cpu: str | None,
    target: str,
    out: Path,
    prefixes: tuple[str, ...],
    share_arena: bool,
    arch: str | None,
    weights_file: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Write the networks MODEL... (.tflite, .lm) as a library for firmware of your own.

    The folder has the networks in C, the kernels that they use, an example, and a README with their sizes; it needs
    nothing else. The folder is written whole or not at all.

    \b
    Example:
      tinyengine export models/person_tiny.tflite --cpu cortex-m4 --for cmake -o person
      tinyengine export person.tflite words.tflite --cpu cortex-m7 --for c --share-arena -o networks
      tinyengine export models/person_tiny.tflite --for mpy --arch armv7emsp --weights-file -o person
    """
    core = _core(cpu, target, arch, weights_file)
    settings = replace(to_compile_options(core, **options), bound=weights_file)
    check_free(out)
    with Console(stderr=True).status("starting") as status:
        library = compile_library(models, settings, prefixes, share_arena, status.update)
        library = replace(library, arch=arch or "")
        files = export(library, target, out)
    if as_json:
        click.echo(json.dumps(export_figures(library, target, out, files), indent=2))
    else:
        console = Console(highlight=False)
        console.print(export_table(library))
        console.print(f"wrote {len(files)} files to {out}: see {out / 'README.md'}", soft_wrap=True)


def _core(cpu: str | None, target: str, arch: str | None, weights_file: bool) -> str:
    """The core to compile for. ToolError where the options say nothing of it, or contradict each other."""
    if target != "mpy":
        if arch or weights_file:
            raise ToolError("--arch and --weights-file are for native modules: use them with --for mpy")
        if cpu is None:
            raise ToolError(f"give --cpu, the core that the code is for: one of {', '.join(CORES)}")
        return cpu
    if arch is None or cpu is not None:
        raise ToolError(
            f"native modules are for an architecture: instead of --cpu give --arch, one of {', '.join(ARCHS)}"
        )
    return ARCHS[arch].cpu
