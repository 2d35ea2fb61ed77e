"""Where a stream comes from: cameras, videos, pictures, files of numbers, and lines of numbers as sensors send them."""

from __future__ import annotations

import contextlib
import re
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import serial
from PIL import Image

from tinyengine.data.images import Picture
from tinyengine.data.number_sets import holds_numbers, read_number_set
from tinyengine.data.numbers import Ear, NamedInputs, Port, Windows, lines_of_sample, of_lines
from tinyengine.data.reader import read_all
from tinyengine.device.microphone import pieces
from tinyengine.device.mjpeg import jpegs, without_password
from tinyengine.device.transport import DEFAULT_BAUD, connection_lost, port_error
from tinyengine.errors import DataError
from tinyengine.optional import opencv

NamedPicture = tuple[str, Image.Image]
"""What a picture of a stream is called, and the picture, RGB."""
Item = NamedPicture | NamedInputs
Source = Callable[[Sequence[Port], Windows], Iterator[Item]]
"""For a network with these inputs, what it is to look at, one after the other."""

T = TypeVar("T")

VIDEO_SUFFIXES = frozenset({".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg"})
MICROPHONE = "mic"
BOARD = "board"
"""The source that is the board's own camera (Recognizer.watch)."""
WRONG_LINES = 100
"""Wrong lines one after the other, from a port, behind which nobody waits for right ones."""


def open_source(source: str) -> Source:
    """``camera``, ``camera:1`` (the second one), the address of a camera (``http://``, ``rtsp://``), a video file,
    pictures (a file, a folder, an archive), a file of numbers or of sound, ``mic``, ``mic:NAME`` (another microphone),
    ``stdin`` or ``serial:PORT`` for lines of numbers.

    What can be opened without the network is opened here and now, so that what is wrong shows before the rest starts.
    """
    if source == "stdin":
        lines = (line.decode("utf-8", "replace") for line in sys.stdin.buffer)
        return lambda ports, windows: samples_of_lines(lines, ports, windows, "standard input")
    if source == MICROPHONE or source.startswith(f"{MICROPHONE}:"):
        name = source.partition(":")[2] or None
        return lambda ports, windows: _heard(windows.listening(source), ports, windows.hop, name)
    if source.startswith("serial:"):
        name, port = source, _open_serial(source.removeprefix("serial:"))
        return lambda ports, windows: samples_of_lines(_lines(port), ports, windows, name, patient=True)
    path = Path(source)
    if "://" not in source and path.exists() and holds_numbers(path):
        return lambda ports, windows: iter(read_number_set(path, ports, windows, labelled=False).samples)
    pictures = frames(source)
    return lambda ports, windows: pictures


def frames(source: str) -> Iterator[NamedPicture]:
    """The pictures of a source that has some, see :func:`open_source`."""
    path = Path(source)
    if source.startswith(("http://", "https://")):
        files, name = jpegs(source, newest), without_password(source)
        return (
            (f"{name} #{number}", Picture(f"{name} #{number}", np.frombuffer(file, np.uint8)).rgb())
            for number, file in enumerate(files, 1)
        )
    if source.startswith(("rtsp://", "rtsps://")):
        return newest(_captured(source, without_password(source), "is the camera on, and in this network?"))
    if source == "camera" or source.startswith("camera:"):
        number = source.partition(":")[2] or "0"
        if not number.isdecimal():
            raise DataError(f"'{source}' names no camera: write camera, or camera:1 for the second one")
        return _captured(int(number), f"camera {number}", "is it connected, and may this program use it?")
    if path.suffix.lower() in VIDEO_SUFFIXES and path.is_file():
        return _captured(str(path), path.name, "is it a video?")
    return ((picture.name, picture.rgb()) for picture in read_all([path]))


def newest(items: Iterator[T]) -> Iterator[T]:
    """Of what arrives while nobody asks only the last one: a slow device shall see now, not some seconds ago.

    A thread reads ``items``, an iterator that ends, or raises, by itself where nothing comes any more.
    """
    changed = threading.Condition()
    waiting: list[T] = []
    ended: list[BaseException | None] = []
    left = threading.Event()

    def read() -> None:
        problem: BaseException | None = None
        try:
            for item in items:
                with changed:
                    waiting[:] = [item]
                    changed.notify()
                if left.is_set():
                    break
        except BaseException as error:
            problem = error
        with changed:
            ended.append(problem)
            changed.notify()

    threading.Thread(target=read, daemon=True).start()
    try:
        while True:
            with changed:
                changed.wait_for(lambda: waiting or ended)
                if not waiting:
                    break
                item = waiting.pop()
            yield item
    finally:
        left.set()
    if ended[0] is not None:
        raise ended[0]


def samples_of_lines(
    lines: Iterable[str], ports: Sequence[Port], windows: Windows, name: str, patient: bool = False
) -> Iterator[NamedInputs]:
    """Samples of lines of real values with commas or blanks between them: the values of all inputs in each, or of one
    input of T x C, C values in each, T lines for the first sample and ``windows.hop`` for each further one.

    Headings and empty lines are left out. ``patient``: so are up to :data:`WRONG_LINES` that are no numbers, or not as
    many as before, after which a window begins anew (a port may lose bytes, and boards chat when they start). DataError
    for any other.
    """
    kept: list[list[float]] = []
    wide, needed, left_out, wrong, count = 0, 1, 0, 0, 0
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        row = _row(line)
        try:
            if not row:
                raise DataError(f"line {number} of {name} is not numbers with commas or blanks between them")
            if wide and len(row) != wide:
                raise DataError(f"line {number} of {name} has {len(row)} numbers, and those before had {wide}")
            needed, wide = lines_of_sample(len(row), ports, f"line {number} of {name}"), len(row)
        except DataError:
            wrong += 1
            if (not patient and (row or number > 1)) or wrong > WRONG_LINES:
                raise
            kept.clear()
            continue
        wrong = 0
        if left_out:
            left_out -= 1
            continue
        kept.append(row)
        if len(kept) == windows.checked(needed):
            values = np.array(kept).reshape(1, -1)
            yield NamedInputs(f"{name} #{count}", tuple(array[0] for array in of_lines(values, ports, name)))
            count += 1
            hop = windows.step(needed)
            kept, left_out = kept[hop:], max(hop - needed, 0)


def _heard(ear: Ear, ports: Sequence[Port], hop: int | None, name: str | None) -> Iterator[NamedInputs]:
    return ear.of_pieces(pieces(ear.rate, name), ports, hop, name or "microphone")


def _row(line: str) -> list[float]:
    """The numbers of a line; none where it holds anything else."""
    try:
        row = [float(cell) for cell in re.split(r"\s*,\s*|\s+", line.strip())]
    except ValueError:
        return []
    return row if np.isfinite(row).all() else []


def _open_serial(text: str) -> serial.SerialBase:
    """``PORT`` or ``PORT@BAUD``."""
    url, _, baud = text.partition("@")
    if baud and not baud.isdecimal():
        raise DataError(f"serial:{text} names no rate: write serial:PORT@BAUD, serial:{url}@{DEFAULT_BAUD} say")
    try:
        return serial.serial_for_url(url, baudrate=int(baud or DEFAULT_BAUD), timeout=1)
    except (serial.SerialException, OSError, ValueError) as error:
        raise port_error(url, error) from error


def _lines(port: serial.SerialBase) -> Iterator[str]:
    """The lines that arrive, without an end; the first one is left out, for who knows how it began."""
    rest, begun = b"", False
    with contextlib.closing(port):
        while True:
            try:
                rest += port.read(max(1, port.in_waiting))
            except (serial.SerialException, OSError) as error:
                raise connection_lost(port.name or "the port") from error
            *whole, rest = rest.split(b"\n")
            yield from (line.decode("utf-8", "replace") for line in (whole if begun else whole[1:]))
            begun = begun or bool(whole)
            if len(rest) > 1 << 16:
                raise DataError(f"{port.name} sends no lines: is its rate right (serial:PORT@BAUD)?")


def _captured(what: int | str, name: str, way: str) -> Iterator[NamedPicture]:
    """Pictures that OpenCV captures; it is opened here and now. ``way``: what the user may look after where it is
    not."""
    cv2 = opencv("use a camera or a video")
    capture = cv2.VideoCapture(what)
    if not capture.isOpened():
        capture.release()
        raise DataError(f"{name} cannot be opened: {way}")
    if isinstance(what, int):
        capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)  # a slow device shall see now, not some seconds ago
    return _captured_frames(capture, name)


def _captured_frames(capture: Any, name: str) -> Iterator[NamedPicture]:
    """``capture`` is a cv2.VideoCapture, released at the end."""
    try:
        number = 0
        while True:
            good, pixels = capture.read()
            if not good:
                if number == 0:
                    raise DataError(f"{name} gives no pictures: is another program using it?")
                return
            number += 1
            yield f"{name} #{number}", Image.fromarray(pixels[:, :, ::-1].copy())  # OpenCV's order is BGR
    finally:
        capture.release()
