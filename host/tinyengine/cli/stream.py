"""``tinyengine stream``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.live import Live

from tinyengine.cli.device_options import (
    check_drawn,
    device_options,
    meaning_options,
    recognizer,
    window_options,
    windows_of,
)
from tinyengine.data.reader import read_all
from tinyengine.device.recognition import Recognition
from tinyengine.device.sources import BOARD, open_source
from tinyengine.errors import DataError
from tinyengine.report.boxes import draw_boxes, write_drawn
from tinyengine.report.recognition import StreamView


@click.command("stream")
@click.option(
    "--source",
    required=True,
    help="camera (camera:1: the second), a camera's http:// or rtsp:// address, a video, pictures, a file of numbers, "
    "a .wav, mic (mic:NAME: another microphone), stdin or serial:PORT[@BAUD] for lines of numbers, or board: the "
    "camera on the board itself.",
)
@click.option(
    "--draw",
    "drawn",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for the pictures with a detector's boxes on them; of --source board as the network sees them.",
)
@click.option("--frames", "limit", type=click.IntRange(min=1), help="Stop after so many frames.")
@window_options
@device_options
@meaning_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per frame.")
def command(
    source: str,
    drawn: Path | None,
    limit: int | None,
    hop: int | None,
    window: int | None,
    as_json: bool,
    **device: Any,
) -> None:
    """Show what the network on a device makes of a stream of pictures or numbers, live; Ctrl-C ends it.

    Lines of numbers have commas or blanks between them and are real values: all of a sample, or, of a network that
    looks at T lines at once, one of T. A camera with an address serves a stream of JPEGs (or one per request); where
    the device is slower, it gets the newest picture. A network with states begins anew with the first frame and goes
    on from one to the next. Networks that listen take a .wav or a microphone.

    With --source board the board looks through its own camera: only its answers come over the line, with --draw also
    what the network sees. The camera of a simulated board sees --pictures, each once, or as often as --frames asks for.

    \b
    Example:
      tinyengine stream --port /dev/ttyACM0 --source camera
      tinyengine stream --port /dev/ttyACM0 --source http://192.168.1.7:81/stream
      tinyengine stream --port /dev/ttyACM0 --source serial:/dev/ttyUSB1 --hop 16
      tinyengine stream --port /dev/ttyACM0 --source mic
      tinyengine stream --port /dev/ttyACM0 --source board --draw seen/
      tinyengine stream --port sim:sim_stm32f405 --source holiday/ --frames 20 --json
    """
    opened = None if source == BOARD else open_source(source)
    said = (device["mapping"], device["color"], device["by_rows"], hop, window)
    if opened is None and any(value is not None for value in said):
        raise DataError(
            "the firmware knows how to look through the board's own camera: leave --mapping, --color, --rows, --frame, "
            "--hop and --window out"
        )
    pictures = device["pictures"]
    if opened is None and limit is None and pictures is not None:
        limit = len(read_all([pictures]))
    with recognizer(**device) as board, suppress(KeyboardInterrupt):
        if opened is None:
            results = board.watch(limit, drawn is not None)
        else:
            check_drawn(board, drawn)
            items = opened(board.device.identity.inputs, windows_of(board.metadata, hop, window))
            results = board.stream(items, limit, drawn is not None)
        results = kept(results, drawn)
        if as_json:
            for result in results:
                click.echo(result.json_line())
            return
        view = StreamView(board.device.identity, board.device.baud)
        with Live(console=Console(highlight=False), refresh_per_second=10) as live:
            for result in results:
                live.update(view.add(result))


def kept(results: Iterator[Recognition], folder: Path | None) -> Iterator[Recognition]:
    """The same, once their pictures lie in the folder."""
    taken: set[str] = set()
    for result in results:
        if folder and result.picture:
            write_drawn(draw_boxes(result.picture, result.boxes or (), result.metadata), folder, result.name, taken)
        yield result
