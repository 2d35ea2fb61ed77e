"""``tinyengine stream``."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import click
from rich.console import Console
from rich.live import Live

from tinyengine.cli.device_options import device_options, meaning_options, recognizer
from tinyengine.device.recognition import frames
from tinyengine.report.recognition import StreamView


@click.command("stream")
@click.option("--source", required=True, help="camera (camera:1: the second), a video file, or a folder of pictures.")
@click.option("--frames", "limit", type=click.IntRange(min=1), help="Stop after so many frames.")
@device_options
@meaning_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per frame.")
def command(source: str, limit: int | None, as_json: bool, **device: Any) -> None:
    """Classify a stream of pictures on a device, live; Ctrl-C ends it.

    A network with states begins anew with the first picture and goes on from one to the next.

    \b
    Example:
      tinyengine stream --port /dev/ttyACM0 --source camera
      tinyengine stream --port sim:sim_stm32f405 --source holiday/ --frames 20 --json
    """
    pictures = frames(source)
    with recognizer(**device) as board, suppress(KeyboardInterrupt):
        results = board.stream(pictures, limit)
        if as_json:
            for result in results:
                click.echo(result.json_line())
            return
        view = StreamView(board.device.identity, board.device.baud)
        with Live(view.table(), console=Console(highlight=False), refresh_per_second=10) as live:
            for result in results:
                live.update(view.add(result))
