"""``tinyengine plan``."""

from __future__ import annotations

import json
from pathlib import Path

import click
from rich.console import Console

from tinyengine.boards import load
from tinyengine.cli.options import compile_options, json_option, to_compile_options
from tinyengine.compiler import compile_model
from tinyengine.report.plan import plan_figures, plan_table


@click.command("plan")
@click.argument("model", type=click.Path(path_type=Path))
@click.option("--board", "board_name", required=True, help="Board the network is for (see boards/).")
@compile_options
@json_option
def command(model: Path, board_name: str, as_json: bool, **options: object) -> None:
    """Show how the .tflite network MODEL would use a board's SRAM: stages, bytes, work, and the bottleneck.

    \b
    Example:
      tinyengine plan models/person_tiny.tflite --board sim_stm32f405 --optimize sram --input rows
    """
    board = load(board_name)
    compiled = compile_model(model, to_compile_options(board.cpu, sram_available=board.network_sram_bytes, **options))
    if as_json:
        click.echo(json.dumps(plan_figures(compiled, board), indent=2))
    else:
        Console(highlight=False).print(plan_table(compiled, board))
