"""``tinyengine live``."""

from __future__ import annotations

import json
import socket
import webbrowser
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import click

from tinyengine.cli.device_options import BY_ROWS, COLOR, MAPPING, device_options
from tinyengine.cli.options import FiniteRange, json_option, setting
from tinyengine.device import Device, open_device
from tinyengine.live.board import Options
from tinyengine.live.collection import Collection
from tinyengine.live.server import listen, new_token, server
from tinyengine.live.session import Session
from tinyengine.live.sources import HostSource
from tinyengine.optional import starlette, uvicorn


@click.command("live")
@device_options
@click.option(
    "--source",
    help="camera of this computer (camera:1: the second), a camera's http:// or rtsp:// address, a video, pictures, or "
    "board: the camera on the board itself.",
)
@click.option(
    "--rate",
    type=FiniteRange(0, min_open=True),
    help="Pictures per second of --source, at most (default: 2 of pictures in files, 30 of a camera).",
)
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    default=Path("samples"),
    show_default=True,
    help="Folder that collected samples go to, a subfolder per class.",
)
@click.option(
    "--model",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="The .tflite file on the device: for the picture of its arena, and to pull it trained.",
)
@click.option("--train", "scheme", metavar="SCHEME", help="The scheme it was built with, if that was a file.")
@MAPPING
@COLOR
@BY_ROWS
@setting("--host", str, "127.0.0.1", "Address to serve the page at; others than this computer's own let others in.")
@setting("--http-port", click.IntRange(0, 65535), 8765, "Port to serve the page at; 0: any that is free.")
@click.option("--open", "open_it", is_flag=True, help="Open the page in the browser.")
@json_option
def command(
    source: str | None,
    rate: float | None,
    data: Path,
    model: Path | None,
    scheme: str | None,
    mapping: str | None,
    color: str | None,
    by_rows: bool | None,
    host: str,
    http_port: int,
    open_it: bool,
    as_json: bool,
    **connection: Any,
) -> None:
    """Serve a page that shows what a board sees, collects samples and teaches it; Ctrl-C ends it.

    The address that is printed has a random token in it: whoever knows it may use the page. Pictures come from the
    browser's camera, or from --source. The board is connected to again whenever it is lost.

    \b
    Example:
      tinyengine live --port /dev/ttyACM0 --open
      tinyengine live --port sim:sim_stm32f405 --flash-file flash.bin --source holiday/
      tinyengine live --port sim:sim_stm32f405 --source board --pictures holiday/
    """
    starlette("serve a page")  # before the work, not after it
    uvicorn("serve a page")
    collection = Collection(data)
    found = HostSource(source, rate) if source is not None else None
    token = new_token()

    def connect() -> AbstractContextManager[Device]:
        url = connection["port"]
        return open_device(url, **{name: value for name, value in connection.items() if name != "port"})

    def session(publish: Any) -> Session:
        return Session(connect, collection, publish, found, Options(mapping, color, by_rows, model, scheme))

    listening = listen(host, http_port)
    name = f"[{host}]" if ":" in host else host
    url = f"http://{name}:{listening.getsockname()[1]}/{token}/"
    if as_json:
        click.echo(json.dumps({"url": url, "data": str(data)}))
    else:
        click.echo(f"the page is at {url} (Ctrl-C ends it)")
    if open_it:
        webbrowser.open(url)
    server(session, token, frozenset({socket.gethostname().lower(), host.lower()})).run(sockets=[listening])
