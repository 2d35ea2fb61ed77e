"""``tinyengine stream``."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import click
from rich.console import Console
from rich.live import Live

from tinyengine.cli.device_options import device_options, meaning_options, recognizer, window_options, windows_of
from tinyengine.device.sources import open_source
from tinyengine.report.recognition import StreamView


@click.command("stream")
@click.option(
    "--source",
    required=True,
    help="camera (camera:1: the second), a camera's http:// or rtsp:// address, a video, pictures, a file of numbers, "
    "a .wav, mic (mic:NAME: another microphone), stdin or serial:PORT[@BAUD] for lines of numbers.",
)
@click.option("--frames", "limit", type=click.IntRange(min=1), help="Stop after so many frames.")
@window_options
@device_options
@meaning_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per frame.")
def command(source: str, limit: int | None, hop: int | None, window: int | None, as_json: bool, **device: Any) -> None:
    """Show what the network on a device makes of a stream of pictures or numbers, live; Ctrl-C ends it.

    Lines of numbers have commas or blanks between them and are real values: all of a sample, or, of a network that
    looks at T lines at once, one of T. A camera with an address serves a stream of JPEGs (or one per request); where
    the device is slower, it gets the newest picture. A network with states begins anew with the first frame and goes
    on from one to the next. Networks that listen take a .wav or a microphone.

    \b
    Example:
      tinyengine stream --port /dev/ttyACM0 --source camera
      tinyengine stream --port /dev/ttyACM0 --source http://192.168.1.7:81/stream
      tinyengine stream --port /dev/ttyACM0 --source serial:/dev/ttyUSB1 --hop 16
      tinyengine stream --port /dev/ttyACM0 --source mic
      tinyengine stream --port sim:sim_stm32f405 --source holiday/ --frames 20 --json
    """
    opened = open_source(source)
    with recognizer(**device) as board, suppress(KeyboardInterrupt):
        items = opened(board.device.identity.inputs, windows_of(board.metadata, hop, window))
        results = board.stream(items, limit)
        if as_json:
            for result in results:
                click.echo(result.json_line())
            return
        view = StreamView(board.device.identity, board.device.baud)
        with Live(view.table(), console=Console(highlight=False), refresh_per_second=10) as live:
            for result in results:
                live.update(view.add(result))
