"""``tinyengine compile``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from tinyengine.boards import load
from tinyengine.cli.options import compile_options, json_option, to_compile_options
from tinyengine.compiler import compile_model
from tinyengine.ir import Graph
from tinyengine.ir.printer import format_graph
from tinyengine.project.budget import judge, measure_code
from tinyengine.report.compile import compile_table
from tinyengine.report.figures import compile_figures


@click.command("compile")
@click.argument("model", type=click.Path(path_type=Path))
@click.option("--board", required=True, help="Board the code is for (see boards/).")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="Write the C sources here.")
@click.option("--explain", is_flag=True, help="Print the graph after the import and after each pass.")
@compile_options
@json_option
def command(model: Path, board: str, out: Path | None, explain: bool, as_json: bool, **options: Any) -> None:
    """Compile the .tflite network MODEL to C for a board.

    Without --out nothing is written: the figures tell whether and how it fits.

    \b
    Example:
      tinyengine compile models/person_tiny.tflite --board sim_stm32f405 --out build/person
    """
    console = Console(highlight=False)
    target = load(board)

    def show(name: str, graph: Graph) -> None:
        console.print(f"-- after {name}", style="bold")
        console.print(format_graph(graph), markup=False, soft_wrap=True)

    compiled = compile_model(
        model,
        to_compile_options(target.cpu, sram_available=target.network_sram_bytes, **options),
        show if explain and not as_json else None,
    )
    verdict = judge(compiled, target, measure_code(compiled))
    if out is not None:
        compiled.write(out)
    if as_json:
        click.echo(json.dumps(compile_figures(compiled, verdict, target), indent=2))
    else:
        console.print(compile_table(compiled, verdict, target))
        if out is not None:
            console.print(f"wrote {', '.join(compiled.sources)} to {out}")
