"""A small firmware (hal_probe.c) that exercises the HAL of a simulated board, and a client for it."""

from __future__ import annotations

import socket
import struct
import time
from pathlib import Path

from tinyengine.boards import load
from tinyengine.paths import project_root
from tinyengine.project.firmware import link_for


def build_probe(board_name: str, folder: Path) -> Path:
    """Compile and link the probe for ``board_name`` with the flags and sources of its firmware."""
    firmware = project_root() / "firmware" / "src"
    sources = [Path(__file__).with_name("hal_probe.c"), firmware / "storage.c", firmware / "crc32.c"]
    product = folder / f"{board_name}.elf"
    link_for(load(board_name), sources, product)
    return product


class Probe:
    """Talks to the probe at a ``socket://`` URL."""

    def __init__(self, url: str, timeout: float = 60) -> None:
        host, port = url.removeprefix("socket://").split(":")
        self._socket = socket.create_connection((host, int(port)), timeout)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        time.sleep(0.2)  # mostly enough
        self._wake()

    def _wake(self, seconds: float = 30) -> None:
        """Ask until it answers: what arrives before the firmware has switched its UART on is lost, which takes about a
        second in Renode."""
        patience, deadline = self._socket.gettimeout(), time.monotonic() + seconds
        self._socket.settimeout(2)
        while True:
            try:
                self.ask(b"m")
                break
            except TimeoutError:
                if time.monotonic() > deadline:
                    raise
        self._socket.settimeout(patience)

    def close(self) -> None:
        self._socket.close()

    def send(self, letter: bytes, *numbers: int, data: bytes = b"") -> None:
        self._socket.sendall(letter + struct.pack(f"<{len(numbers)}I", *numbers) + data)

    def take(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            part = self._socket.recv(count - len(data))
            if not part:
                raise EOFError("the simulator closed the connection")
            data += part
        return data

    def rest(self) -> bytes:
        """What comes until the simulator closes the connection."""
        data = b""
        while part := self._socket.recv(1 << 16):
            data += part
        return data

    def number(self) -> int:
        return struct.unpack("<I", self.take(4))[0]

    def text(self) -> str:
        return self.take(self.number()).decode("ascii")

    def ask(self, letter: bytes, *numbers: int) -> int:
        """One command whose answer is one number."""
        self.send(letter, *numbers)
        return self.number()
