"""``tinyengine plan``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from tinyengine.boards import load
from tinyengine.cli.options import compile_options, json_option, to_compile_options
from tinyengine.compiler import compile_model
from tinyengine.drawing.png import image
from tinyengine.errors import ToolError
from tinyengine.report.plan import plan_figures, plan_page, plan_scenes, plan_table
from tinyengine.schedule.sweep import sweep

RECOMPUTE = (1.05, 1.1, 1.2, 1.4, 2.0)
"""Caps on executed over nominal MACs that the front tries."""


@click.command("plan")
@click.argument("model", type=click.Path(path_type=Path))
@click.option(
    "--board", "board_name", required=True, help="Board the network is for: a name of boards/, or your own file."
)
@click.option("--html", type=click.Path(dir_okay=False, path_type=Path), help="Write tables and pictures to this file.")
@click.option("--png", type=click.Path(dir_okay=False, path_type=Path), help="Write the pictures to this file.")
@click.option("--front", "with_front", is_flag=True, help="Also: what less SRAM would cost in work (takes longer).")
@compile_options
@json_option
def command(
    model: Path,
    board_name: str,
    html: Path | None,
    png: Path | None,
    with_front: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Show how the network MODEL (.tflite, .lm) would use a board's SRAM: stages, bytes, work, and the bottleneck.

    The picture has a column per operator and the arena's addresses from bottom to top; in the HTML file the pointer
    shows the name, shape, bytes and life of each buffer.

    \b
    Example:
      tinyengine plan models/person_tiny.tflite --board sim_stm32f405 --optimize sram --input rows --html plan.html
    """
    board = load(board_name)
    compile_for = to_compile_options(board, **options)
    compiled = compile_model(model, compile_for)
    rows = compile_for.input == "rows"
    front = sweep(compiled.graph, compile_for.target, rows=rows, recompute=RECOMPUTE) if with_front else None
    try:
        if html:
            html.write_text(plan_page(compiled, board, front), encoding="utf-8")
        if png:
            image(plan_scenes(compiled, front)).save(png, "PNG", optimize=True)
    except OSError as error:
        raise ToolError(f"cannot write the picture to {error.filename}: {error.strerror or error}") from error
    if as_json:
        click.echo(json.dumps(plan_figures(compiled, board, front), indent=2))
    else:
        Console(highlight=False).print(plan_table(compiled, board, front))
