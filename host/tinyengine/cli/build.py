"""``tinyengine build``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from tinyengine.boards import load
from tinyengine.cli.options import compile_options, json_option, to_compile_options
from tinyengine.errors import ToolError
from tinyengine.mlperf.benchmarks import BENCHMARKS
from tinyengine.project.build import build
from tinyengine.report.build import build_summary
from tinyengine.report.compile import compile_table
from tinyengine.report.figures import build_figures


@click.command("build")
@click.argument("model", type=click.Path(path_type=Path))
@click.option("--board", "board_name", required=True, help="Board to build for: a name of boards/, or your own file.")
@click.option(
    "--mlperf",
    type=click.Choice(list(BENCHMARKS)),
    help="The firmware speaks MLPerf Tiny's protocol, too: see 'tinyengine mlperf'.",
)
@compile_options
@json_option
def command(model: Path, board_name: str, mlperf: str | None, as_json: bool, **options: Any) -> None:
    """Compile the network MODEL (.tflite, .lm) and build the firmware of a board around it.

    \b
    Example:
      tinyengine build models/person_tiny.tflite --board sim_stm32f405
      tinyengine flash --board nucleo_h743zi
    """
    board = load(board_name)
    benchmark = BENCHMARKS[mlperf] if mlperf else None
    if benchmark and (mode := options["input_mode"]) != "frame":
        raise ToolError(f"MLPerf's inputs come as whole frames: leave --input {mode} out")
    with Console(stderr=True).status("starting") as status:
        firmware = build(
            model,
            board,
            to_compile_options(board, **options),
            status.update,
            *((benchmark.defines, benchmark.accept) if benchmark else ()),
        )
    if as_json:
        click.echo(json.dumps(build_figures(firmware), indent=2))
    else:
        console = Console(highlight=False)
        console.print(compile_table(firmware.compiled, firmware.verdict, firmware.board))
        console.print(build_summary(firmware), soft_wrap=True)
