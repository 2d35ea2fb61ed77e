"""The real firmware sources with a hand-written network, built for the host and reached through a socket."""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import struct
import subprocess
import threading
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import IO

import numpy as np
from tinyengine.compiler import CompiledModel
from tinyengine.device.framing import Frame, FrameDecoder, Op, Status
from tinyengine.device.transport import SocketTransport
from tinyengine.native.build import SANITIZE, host_compiler
from tinyengine.native.library import FLAGS, WARNINGS, library_archive
from tinyengine.paths import cache_dir, project_root

SHAPE = (40, 48, 3)
MODEL_HASH = "0123456789abcdef"
FASTEST_BAUD = 1_000_000  # as in hal_native.c


def expected_outputs(picture: np.ndarray, side: int = 50) -> tuple[np.ndarray, np.ndarray]:
    """Outputs "sums" and "mirror" of the hand-written network (see native/network.h)."""
    flat = picture.ravel()
    sums = np.array([flat[k::10].astype(np.int64).sum() for k in range(10)]).astype(np.int8)
    return sums, (flat[: side * side][::-1] ^ 0x5A).reshape(side, side)


def random_picture(seed: int, channels: int = 3, size: tuple[int, int] = SHAPE[:2]) -> np.ndarray:
    return np.random.default_rng(seed).integers(-128, 128, (*size, channels)).astype(np.int8)


@cache
def build(*defines: str) -> Path:
    """The executable of a variant, with address and undefined-behaviour sanitizers."""
    root = project_root()
    here = root / "tests" / "helpers" / "native"
    directory = cache_dir() / "native_device"
    directory.mkdir(exist_ok=True)
    name = "_".join(["device", *defines]).lower()
    # Built beside and moved: test processes running at the same time may build the same file.
    with contextlib.ExitStack() as stack:
        scratch = directory / f"{name}.{random.SystemRandom().randrange(1 << 32):x}"
        stack.callback(scratch.unlink, missing_ok=True)
        sources = [*sorted((root / "firmware" / "src").glob("*.c")), *sorted(here.glob("*.c"))]
        sources.remove(here / "camera_native.c")  # it needs the library's pixels
        includes = [root / "firmware" / "src", root / "firmware" / "hal", root / "lib" / "tinyengine" / "include", here]
        command = [
            *("gcc", "-std=c11", "-O1", "-g", "-Wall", "-Wextra", "-Werror", "-Wmissing-prototypes", "-pedantic"),
            *("-Wconversion", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"),
            *(f"-D{define}" for define in defines),
            *(f"-I{include}" for include in includes),
            *map(str, sources),
            *("-o", str(scratch)),
        ]
        subprocess.run(command, check=True)
        scratch.rename(directory / name)
    return directory / name


def build_compiled(model: CompiledModel, folder: Path, board: str = "native", camera: int = 0) -> Path:
    """The executable around a compiled network, with address and undefined-behaviour sanitizers. ``board``: what it
    calls itself. ``camera``: pixels of the lines that it has room for, where camera_native.c is its camera."""
    root = project_root()
    here = root / "tests" / "helpers" / "native"
    model.write(folder / "network")
    flags = [*FLAGS, *SANITIZE]
    sources = [*sorted((root / "firmware" / "src").glob("*.c")), here / "hal_native.c", here / "flash_native.c"]
    includes = [root / "firmware" / "src", root / "firmware" / "hal", root / "lib" / "tinyengine" / "include"]
    command = [
        *(host_compiler(), *WARNINGS, *flags, "-DTE_PORTABLE", f'-DBOARD_NAME="{board}"'),
        *((f"-DBOARD_CAMERA_WIDTH={camera}u", str(here / "camera_native.c")) if camera else ()),
        *(f"-I{include}" for include in [*includes, folder / "network"]),
        *map(str, [*sources, *sorted((folder / "network").glob("*.c"))]),
        *(str(library_archive(host_compiler(), flags)), "-o", str(folder / "device")),
    ]
    subprocess.run(command, check=True)
    return folder / "device"


class NativeDevice:
    """A running device: ``url`` for clients, ``baud`` as the device has set it."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        self.process = process
        word, port = process.stdout.readline().split()
        assert word == "PORT"
        self.url = f"socket://127.0.0.1:{port}"
        self.baud = 115200
        self.history = [115200]
        self._reader = threading.Thread(target=self._follow, args=(process.stdout,), daemon=True)
        self._reader.start()

    def _follow(self, lines: IO[str]) -> None:
        for line in lines:
            word, *rest = line.split()
            if word == "BAUD":
                self.baud = int(rest[0])
                self.history.append(self.baud)


@contextlib.contextmanager
def native_device(*defines: str, flash: Path | None = None, executable: Path | None = None) -> Iterator[NativeDevice]:
    """Run a variant, or an ``executable`` of build_compiled, for a ``with`` block; the sanitizers must have nothing to
    say at its end. ``flash``: the file that keeps its trained state (see native/flash_native.c)."""
    environment = {**os.environ, "NATIVE_FLASH": str(flash)} if flash else None
    process = subprocess.Popen(
        [executable or build(*defines)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    )
    assert process.stdin is not None
    try:
        yield NativeDevice(process)
        process.stdin.close()  # its sign to exit
        assert process.wait(timeout=10) == 0, "the device did not end cleanly"
    finally:
        process.kill()
        process.wait()


class BaudTransport(SocketTransport):
    """A line on which bytes arrive as noise while the two ends have different rates, or above ``limit``."""

    def __init__(self, device: NativeDevice, limit: int = 1 << 30) -> None:
        super().__init__(device.url)
        self._device = device
        self._limit = limit
        self._random = random.Random(7)

    def _line(self, data: bytes) -> bytes:
        if self.baud == self._device.baud and self.baud <= self._limit:
            return data
        return self._random.randbytes(len(data))

    def read(self, timeout: float) -> bytes:
        return self._line(super().read(timeout))

    def write(self, data: bytes) -> None:
        super().write(self._line(data))


PICTURE_BYTES = 5760


class Raw:
    """Frames by hand: what a client of somebody else's might send."""

    def __init__(self, native: NativeDevice, session: int = 0x1234) -> None:
        self.line = SocketTransport(native.url)
        self.session = session
        self._decoder = FrameDecoder()
        self._sequence = itertools.count(100)

    def frames(self, seconds: float = 0.25) -> list[Frame]:
        """Everything that arrives until the line is quiet."""
        found: list[Frame] = []
        while data := self.line.read(seconds):
            found += self._decoder.feed(data)
        return found

    def ask(self, op: int, payload: bytes = b"", sequence: int | None = None, session: int | None = None) -> Frame:
        """Send a request and return the one frame that answers it."""
        number = next(self._sequence) if sequence is None else sequence
        self.line.write(Frame(op, self.session if session is None else session, number, payload).encode())
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            for frame in self._decoder.feed(self.line.read(0.5)):
                assert frame.op == op | 0x80
                assert frame.sequence == number
                return frame
        raise AssertionError("no answer")

    def hello(self) -> Frame:
        return self.ask(Op.HELLO, b"TINY\x01\x01")

    def open_rows(self) -> int:
        """Opens a transfer by rows; its number."""
        number = next(self._sequence)
        answer = self.ask(Op.OPEN, struct.pack("<BBBxI", 1, 0, 0, PICTURE_BYTES), sequence=number)
        assert answer.status == Status.OK
        return number
