"""``tinyengine boards``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from tinyengine.cli.options import compile_options, json_option, to_compile_options
from tinyengine.cli.progress import step_progress


@click.command("boards")
@click.argument("model", type=click.Path(path_type=Path), required=False)
@click.option(
    "--board", "chosen", multiple=True, metavar="BOARD", help="Only this board, or your own file; repeatable."
)
@compile_options
@json_option
def command(model: Path | None, chosen: tuple[str, ...], as_json: bool, **options: Any) -> None:
    """List the boards; with the network MODEL (.tflite, .lm), what the firmware around it takes on each of them.

    Exit code 1 tells that the network fits none of them.

    \b
    Example:
      tinyengine boards models/person_tiny.tflite
    """
    from tinyengine.boards import load, names
    from tinyengine.project.sizes import firmware_sizes
    from tinyengine.report.boards import boards_figures, boards_table, sizes_figures, sizes_table

    boards = [load(name) for name in chosen or names()]
    console = Console(highlight=False)
    if model is None:
        click.echo(json.dumps(boards_figures(boards), indent=2)) if as_json else console.print(boards_table(boards))
        return
    found = []
    with step_progress() as progress:
        for count, board in enumerate(boards):
            progress(f"building for {board.name}", count, len(boards))
            found.append(
                firmware_sizes(
                    model,
                    board,
                    to_compile_options(board, **options),
                )
            )
    click.echo(json.dumps(sizes_figures(found), indent=2)) if as_json else console.print(sizes_table(found))
    if not any(entry.fits for entry in found):
        raise SystemExit(1)
