"""``tinyengine flash``."""

from __future__ import annotations

import click
from rich.console import Console

from tinyengine.boards import load
from tinyengine.project.flash import PROTOCOLS, flash


@click.command("flash")
@click.option(
    "--board", "board_name", required=True, help="Board that is connected: a name of boards/, or your own file."
)
@click.option("--protocol", type=click.Choice(PROTOCOLS), help="Program that writes; default: the board's own choice.")
def command(board_name: str, protocol: str | None) -> None:
    """Write the firmware that was built last for a board to it, through its debug probe.

    \b
    Example:
      tinyengine build models/person_tiny.tflite --board nucleo_h743zi
      tinyengine flash --board nucleo_h743zi
    """
    board = load(board_name)
    with Console(stderr=True).status(f"writing the firmware to {board.title}"):
        flash(board, protocol)
    click.echo(f"{board.name} runs the new firmware; 'tinyengine devices' shows its port")
