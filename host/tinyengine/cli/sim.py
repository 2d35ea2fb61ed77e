"""``tinyengine sim``."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import click

from tinyengine import sim
from tinyengine.cli.device_options import PICTURES
from tinyengine.cli.options import json_option
from tinyengine.device.simulated_camera import seen


@click.command("sim")
@click.argument("board")
@click.option("--elf", type=click.Path(path_type=Path), help="Firmware to run; default: the one built last.")
@click.option(
    "--simulator",
    type=click.Choice(["qemu", "renode"]),
    help="Program that simulates the board (default: the first one that its description names).",
)
@click.option(
    "--flash-file",
    "flash",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File that keeps what the board saves (created if there is none).",
)
@PICTURES
@json_option
def command(
    board: str,
    elf: Path | None,
    simulator: str | None,
    flash: Path | None,
    pictures: Path | None,
    as_json: bool,
) -> None:
    """Run a simulated BOARD until Ctrl-C and print the URL of its serial port.

    Commands that need the board only once can start it themselves: --port sim:BOARD.

    \b
    Example:
      tinyengine sim sim_stm32f405
      tinyengine info --port socket://127.0.0.1:PORT
    """
    with (
        seen(pictures) as camera,
        sim.start(board, elf=elf, simulator=simulator, flash=flash, camera=camera) as simulation,
    ):
        if as_json:
            click.echo(json.dumps({"board": board, "simulator": simulation.simulator, "url": simulation.url}))
        else:
            starts = "it starts when somebody connects; " if simulation.simulator == "qemu" else ""
            click.echo(f"{board} is at {simulation.url} ({starts}Ctrl-C ends it)")
        with contextlib.suppress(KeyboardInterrupt):
            simulation.wait()
            simulation.check()
