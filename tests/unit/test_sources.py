"""Where streams come from: lines of numbers, ports, cameras with an address."""

from __future__ import annotations

import io
import socket
import sys
import threading
import time
from collections.abc import Iterator
from itertools import islice
from types import SimpleNamespace

import numpy as np
import pytest
from tinyengine.data.numbers import NamedInputs, Windows
from tinyengine.device import TensorInfo
from tinyengine.device.mjpeg import jpegs, without_password
from tinyengine.device.sources import newest, open_source, samples_of_lines
from tinyengine.errors import DataError, TinyEngineError

from tests.helpers.web_camera import camera, gray, jpeg

SERIES = TensorInfo("series", (3, 2), 1.0, 0, 6)
LEFT, RIGHT = TensorInfo("left", (2,), 1.0, 0, 2), TensorInfo("right", (1,), 1.0, 0, 1)


def read(text: str, *ports: TensorInfo, hop: int | None = None, patient: bool = False) -> list[list]:
    found = samples_of_lines(text.splitlines(keepends=True), ports, Windows(hop), "here", patient)
    return [[array.tolist() for array in sample.arrays] for sample in found]


def test_a_line_is_a_sample_of_all_inputs() -> None:
    expected = [[[1, 2], [3]], [[4, 5], [6]]]
    for text in ("1,2,3\n4,5,6\n", "a,b,c\n1 2\t3\n\n4 , 5 , 6", " 1.0 2e0  3\r\n4,5 6\r\n"):
        assert read(text, LEFT, RIGHT) == expected


def test_lines_make_windows() -> None:
    text = "".join(f"{k} {-k}\n" for k in range(9))
    assert [[row[0] for row in sample[0]] for sample in read(text, SERIES)] == [[0, 1, 2], [3, 4, 5], [6, 7, 8]]
    assert [sample[0][0][0] for sample in read(text, SERIES, hop=1)] == [0, 1, 2, 3, 4, 5, 6]
    assert [sample[0][0][0] for sample in read(text, SERIES, hop=5)] == [0, 5]
    assert len(read(text, LEFT, hop=5)) == 9


def test_a_file_is_read_to_the_letter() -> None:
    for text, word in (
        ("1,2\nx,3\n", "line 2 of here is not numbers"),
        ("1,2\nnan,3\n", "line 2 of here is not numbers"),
        ("1,2\n1,2,3\n", "line 2 of here has 3 numbers, and those before had 2"),
        ("x,y\n1,2,3\n", "line 2 of here has 3 columns, but the network takes 2 values"),
    ):
        with pytest.raises(DataError, match=word):
            read(text, LEFT)


def test_a_port_is_read_with_patience() -> None:
    text = "boot v1.2\n1 2 3 4\n" + "".join(f"{k},0\n" for k in range(5)) + "6,\n" + "7,0\n8,0\n9,0\n"
    assert [[row[0] for row in sample[0]] for sample in read(text, SERIES, patient=True)] == [[0, 1, 2], [7, 8, 9]]
    with pytest.raises(DataError, match="line 101"):
        read("?\n" * 200, SERIES, patient=True)


def test_a_window_of_another_length_is_said() -> None:
    with pytest.raises(DataError, match="--window 5: the network takes 3 lines"):
        list(samples_of_lines(["1,2"], [SERIES], Windows(lines=5), "here"))


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"1,2,3\r\n\xff\xfe\n"), "utf-8"))
    samples = open_source("stdin")([LEFT, RIGHT], Windows())
    sample = next(samples)
    assert isinstance(sample, NamedInputs) and sample.name == "standard input #0"
    with pytest.raises(DataError, match="line 2 of standard input is not numbers"):
        next(samples)


def test_a_serial_port() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def board() -> None:
            line, _ = server.accept()
            with line:
                time.sleep(0.3)  # pyserial forgets what has come before it is ready
                line.sendall(b"3\r\nhello\r\n1,2,3\r\n4,5,")
                time.sleep(0.1)
                line.sendall(b"6\r\n7,8,9\r\n")
                time.sleep(0.5)

        threading.Thread(target=board, daemon=True).start()
        items = open_source(f"serial:socket://127.0.0.1:{server.getsockname()[1]}")([LEFT, RIGHT], Windows())
        found = [
            [array.tolist() for array in item.arrays] for item in islice(items, 3) if isinstance(item, NamedInputs)
        ]
        assert found == [[[1, 2], [3]], [[4, 5], [6]], [[7, 8], [9]]]
        items.close()  # type: ignore[attr-defined]
    with pytest.raises(TinyEngineError, match="no port /dev/ttyNOWHERE"):
        open_source("serial:/dev/ttyNOWHERE@9600")
    with pytest.raises(DataError, match="serial:PORT@BAUD"):
        open_source("serial:/dev/ttyNOWHERE@fast")


# ---- Cameras with an address ----


@pytest.mark.parametrize("length", [True, False])
def test_every_picture_of_a_stream(length: bool) -> None:
    frames = [jpeg(value) for value in (0, 60, 120, 240)]
    with camera(*frames, length=length) as url:
        assert list(jpegs(url)) == frames
        assert list(jpegs(url.replace("127", "me:a%20b@127"))) == frames


def test_a_picture_for_each_request() -> None:
    with camera(*map(jpeg, (10, 100, 200)), kind="image/jpeg") as url:
        pictures = jpegs(url, newest)
        assert gray(next(pictures)) == 10
        time.sleep(0.2)  # nobody asks, so the camera is not asked either
        assert gray(next(pictures)) == 100


def test_addresses_that_are_no_camera() -> None:
    with camera(b"<html>", b"<html>", kind="text/html") as url:
        with pytest.raises(DataError, match=r"text/html.*:81/stream"):
            jpegs(url)
        with pytest.raises(DataError, match="answers 404"):
            jpegs(url.replace("stream", "nowhere"))
        with pytest.raises(DataError, match="answers 401") as told:
            jpegs(url.replace("127", "me:secret@127"))
        assert "secret" not in str(told.value)
    with pytest.raises(DataError, match="does not answer"):
        jpegs(url)
    assert without_password("rtsp://me:secret@camera:554/live") == "rtsp://camera:554/live"
    for address in ("http://me:secret@[::1/", "rtsp://me:secret@[::1/", "http://me:secret@\u2100/"):
        with pytest.raises(DataError, match="is none") as told:
            open_source(address)
        assert "secret" not in str(told.value)


def test_a_password_is_for_nobody_else() -> None:
    """The first server knows it and sends us on to the second, which refuses whoever shows one."""
    with camera(jpeg(7)) as other, camera(moved_to=other) as url:
        assert list(jpegs(url.replace("127", "me:a%20b@127"))) == [jpeg(7)]
        assert list(jpegs(other.replace("stream", "open"))) == [jpeg(7)]
        with pytest.raises(DataError, match="answers 401"):
            jpegs(other.replace("stream", "open").replace("127", "me:a%20b@127"))


def test_a_stream_that_stops_within_a_picture() -> None:
    frames = [jpeg(0), jpeg(200)]
    with camera(frames[0]) as url:
        assert list(jpegs(url)) == frames[:1]


def test_only_the_newest_is_looked_at() -> None:
    asked = threading.Event()

    def numbers() -> Iterator[int]:
        yield 0
        assert asked.wait(5)
        yield from range(1, 10)

    slow = newest(numbers())
    assert next(slow) == 0
    asked.set()
    time.sleep(0.2)
    assert list(slow) == [9]

    def broken() -> Iterator[int]:
        yield 1
        raise DataError("it fell down")

    with pytest.raises(DataError, match="fell down"):
        list(newest(broken()))


def test_a_camera_as_a_source() -> None:
    with camera(jpeg(0), jpeg(90), jpeg(250), pause=0.2) as url:
        items = list(open_source(url)([LEFT], Windows()))
    name, image = items[-1]
    assert 1 <= len(items) <= 3 and name == f"{url} #{len(items)}"
    assert abs(np.asarray(image)[8, 8, 0].astype(int) - 250) < 3


@pytest.mark.parametrize("number", ["²", "x", "-1", "1.5"])
def test_a_camera_of_no_number(number: str) -> None:
    with pytest.raises(DataError, match="names no camera"):
        open_source(f"camera:{number}")


def test_rtsp_goes_through_opencv(monkeypatch: pytest.MonkeyPatch) -> None:
    opened = []

    class Capture:
        def __init__(self, what: str) -> None:
            opened.append(what)
            self.left = [np.full((4, 4, 3), 7, np.uint8)]

        def isOpened(self) -> bool:
            return "nowhere" not in opened[-1]

        def read(self) -> tuple[bool, np.ndarray | None]:
            return (True, self.left.pop()) if self.left else (False, None)

        def release(self) -> None:
            pass

    monkeypatch.setitem(sys.modules, "cv2", SimpleNamespace(VideoCapture=Capture))
    [(name, image)] = open_source("rtsp://me:secret@camera/live")([LEFT], Windows())
    assert opened == ["rtsp://me:secret@camera/live"]
    assert name == "rtsp://camera/live #1" and image.size == (4, 4)
    with pytest.raises(DataError, match="rtsp://nowhere/live cannot be opened"):
        open_source("rtsp://nowhere/live")
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(TinyEngineError, match="OpenCV is needed"):
        open_source("rtsp://camera/live")
