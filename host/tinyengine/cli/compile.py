"""``tinyengine compile``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from tinyengine.boards import load
from tinyengine.cli.options import compile_options, json_option, setting, to_compile_options
from tinyengine.compiler import compile_model
from tinyengine.cores import CORES
from tinyengine.ir import Graph
from tinyengine.ir.printer import format_graph
from tinyengine.project.budget import judge, measure_code
from tinyengine.report.compile import compile_table
from tinyengine.report.figures import compile_figures


@click.command("compile")
@click.argument("model", type=click.Path(path_type=Path))
@click.option("--board", help="Board the code is for: a name of boards/, or your own file.")
@click.option("--cpu", type=click.Choice(list(CORES)), help="Core the code is for, instead of a board.")
@setting("--prefix", str, "network", "What all names and files of the network begin with.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="Write the C sources here.")
@click.option("--explain", is_flag=True, help="Print the graph after the import and after each pass.")
@compile_options
@json_option
def command(
    model: Path,
    board: str | None,
    cpu: str | None,
    prefix: str,
    out: Path | None,
    explain: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Compile the network MODEL (.tflite, .lm) to C for a board, or for a core.

    Without --out nothing is written: the figures tell whether and how it fits. For firmware of your own, export writes
    the kernels as well.

    \b
    Example:
      tinyengine compile models/person_tiny.tflite --board sim_stm32f405 --out build/person
      tinyengine compile models/person_tiny.tflite --cpu cortex-m4 --prefix person --out build/person
    """
    if (board is None) == (cpu is None):
        raise click.UsageError("say what the code is for: either --board BOARD (see boards/) or --cpu CORE")
    console = Console(highlight=False)
    target = load(board) if board is not None else None
    settings = to_compile_options(target or str(cpu), prefix=prefix, **options)

    def show(name: str, graph: Graph) -> None:
        console.print(f"-- after {name}", style="bold")
        console.print(format_graph(graph), markup=False, soft_wrap=True)

    compiled = compile_model(model, settings, show if explain and not as_json else None)
    verdict = judge(compiled, target, measure_code(compiled))
    if out is not None:
        compiled.write(out)
    if as_json:
        click.echo(json.dumps(compile_figures(compiled, verdict, target), indent=2))
    else:
        console.print(compile_table(compiled, verdict, target))
        if out is not None:
            console.print(f"wrote {', '.join(compiled.sources)} to {out}")
