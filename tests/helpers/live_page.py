"""The server of ``tinyengine live`` in a thread, and a client of its websocket that never waits for ever."""

from __future__ import annotations

import contextlib
import io
import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from PIL import Image
from tinyengine.live.server import MakeSession, listen, server
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

TOKEN = "a-token-for-tests"
SECONDS = 60.0


class Page:
    """A running server."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.origin = f"http://127.0.0.1:{port}"

    @contextlib.contextmanager
    def tab(self, name: str = "0123456789abcdef", token: str = TOKEN, origin: str | None = None) -> Iterator[Tab]:
        """A connected tab; ``origin``: in place of the page's own."""
        url = f"ws://127.0.0.1:{self.port}/{token}/socket?tab={name}"
        given: Any = self.origin if origin is None else origin or None
        with connect(url, origin=given, open_timeout=SECONDS, close_timeout=2) as socket:
            yield Tab(socket)


class Tab:
    """What a browser's tab does."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.pictures: list[bytes] = []

    def send(self, do: str, **more: Any) -> None:
        self.socket.send(json.dumps({"do": do, **more}))

    def event(self, seconds: float = SECONDS) -> dict[str, Any]:
        """The next event; pictures before it are kept apart."""
        while True:
            message = self.socket.recv(timeout=seconds)
            if isinstance(message, str):
                return json.loads(message)
            self.pictures.append(message)

    def until(self, kind: str, when: Callable[[dict[str, Any]], Any] = lambda event: True) -> dict[str, Any]:
        """The next event of this kind for which ``when`` holds."""
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            event = self.event()
            if event["is"] == kind and when(event):
                return event
        raise AssertionError(f"no {kind} came")

    def closed(self) -> int:
        """Wait for the server to close the socket; the code."""
        with contextlib.suppress(ConnectionClosed):
            while True:
                self.socket.recv(timeout=SECONDS)
        assert self.socket.close_code is not None
        return self.socket.close_code


@contextlib.contextmanager
def page(make_session: MakeSession) -> Iterator[Page]:
    """The server for a ``with`` block."""
    listening = listen("127.0.0.1", 0)
    running = server(make_session, TOKEN)
    thread = threading.Thread(target=running.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    deadline = time.monotonic() + SECONDS
    while not running.started and time.monotonic() < deadline:
        time.sleep(0.01)
    try:
        yield Page(listening.getsockname()[1])
    finally:
        running.should_exit = True
        thread.join(SECONDS)
        assert not thread.is_alive(), "the server does not end"


def encoded(pixels: np.ndarray, kind: str = "PNG") -> bytes:
    """uint8 (rows, columns, 3) as a browser sends it."""
    memory = io.BytesIO()
    Image.fromarray(pixels).save(memory, kind)
    return memory.getvalue()
