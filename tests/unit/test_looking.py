"""A board that looks through its own camera: the real firmware around a compiled network and a camera that says what it
is told to."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from tinyengine import native
from tinyengine.boards import load
from tinyengine.compiler import CompiledModel, CompileOptions, compile_graph
from tinyengine.compiler.identity import identify
from tinyengine.data.images import InputForm
from tinyengine.data.pixels import FORMATS
from tinyengine.device import Device, Timing
from tinyengine.device.camera import Pieces
from tinyengine.device.errors import BlindError, RefusedError
from tinyengine.device.framing import ANSWER, FrameDecoder, Op, Status
from tinyengine.device.recognition import Recognizer
from tinyengine.device.transport import SocketTransport
from tinyengine.errors import DataError
from tinyengine.frontend.tflite import load_tflite
from tinyengine.frontend.tflite_writer import write_tflite
from tinyengine.ir.ops import Window
from tinyengine.paths import project_root

from tests.helpers.command_line import run
from tests.helpers.graphs import GraphBuilder
from tests.helpers.native_device import build_compiled, native_device

WIDTH, HEIGHT = 64, 48  # of camera_native.c
ROWS, COLUMNS = 20, 24
STATUSES = re.findall(r"HAL_CAMERA_(\w+),", (project_root() / "firmware" / "hal" / "camera.h").read_text("utf-8"))


def frame() -> bytes:
    return bytes(k & 255 for k in range(2 * WIDTH * HEIGHT))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> CompiledModel:
    b = GraphBuilder(21, "looking")
    b.output(
        b.softmax(b.dense(b.reshape(b.conv(b.input(1, ROWS, COLUMNS, 3), 4, Window((3, 3), (4, 4))), (1, 120)), 5))
    )
    path = tmp_path_factory.mktemp("looking") / "looking.tflite"
    write_tflite(b.graph, path)
    path.with_suffix(".json").write_text(json.dumps({"classes": list("abcde"), "input": {"crop": "center"}}))
    options = CompileOptions(cpu=load("sim_stm32f405").cpu, input="rows")
    return compile_graph(load_tflite(path), options, None, *identify(path))


@pytest.fixture(scope="module")
def executable(model: CompiledModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("device")
    return build_compiled(model, folder, camera=WIDTH)


def form_of(device: Device) -> InputForm:
    port = device.identity.inputs[0]
    return InputForm(port.shape, port.scale, port.zero_point, device.identity.metadata)


def expected(model: CompiledModel, device: Device) -> tuple[np.ndarray, np.ndarray]:
    """What the network sees, and what it says."""
    seen = form_of(device).values(FORMATS["rgb565be"].frame(frame(), WIDTH, HEIGHT))
    return seen, native.build(model).run([seen[None]])[0].ravel()


class LosesPieces(SocketTransport):
    """Takes one frame of a picture off the line."""

    def __init__(self, url: str, lost: int) -> None:
        super().__init__(url)
        self._decoder = FrameDecoder()
        self._left = lost

    def read(self, timeout: float) -> bytes:
        passed = b""
        for one in self._decoder.feed(super().read(timeout)):
            piece = one.op == Op.READ | ANSWER and len(one.payload) == 4 + 3 * COLUMNS
            self._left -= piece
            passed += b"" if piece and self._left == 0 else one.encode()
        return passed


def test_the_board_sees_what_the_host_would(model: CompiledModel, executable: Path) -> None:
    with native_device(executable=executable) as running:
        device = Device.connect(SocketTransport(running.url))
        assert device.identity.can_look
        seen, said = expected(model, device)
        for number, wanted in enumerate((False, True, True), 1):
            sight = device.look(picture=wanted)
            np.testing.assert_array_equal(sight.inference.outputs[0].ravel(), said)
            assert (sight.inference.run, sight.inference.input_bytes) == (number, 0)
            if not wanted:
                assert sight.picture is None
                continue
            np.testing.assert_array_equal(sight.picture, seen)
        assert device.statistics().runs == 3
        uploaded = device.infer(seen)  # an upload and a look know nothing of each other
        np.testing.assert_array_equal(uploaded.outputs[0].ravel(), said)
        np.testing.assert_array_equal(device.look().inference.outputs[0].ravel(), said)
        first, second = Recognizer(device).watch(2, pictures=True)
        assert [first.name, second.name] == ["board #1", "board #2"] and second.frames_per_second > 0
        assert first.answer is not None and first.answer.index == int(said.argmax())
        assert first.picture is not None and first.picture.size == (COLUMNS, ROWS)
        np.testing.assert_array_equal(form_of(device).values(first.picture), seen)
        other = Recognizer(device, device.identity.metadata.override(mapping="pixel/255"))  # of which it knows nothing
        [same] = other.watch(1, pictures=True)
        np.testing.assert_array_equal(form_of(device).values(same.picture), seen)


def test_flags_that_the_firmware_does_not_know_are_refused(executable: Path) -> None:
    with native_device(executable=executable) as running:
        device = Device.connect(SocketTransport(running.url))
        for op, flags in ((Op.RUN, 1), (Op.RUN, 2), (Op.RUN, 128), (Op.LOOK, 1), (Op.LOOK, 4)):  # it finds no boxes
            with pytest.raises(RefusedError) as refusal:
                device.connection.request(op, bytes([flags]))
            assert refusal.value.status == Status.UNSUPPORTED
        assert device.look().inference.run == 1


def test_a_lost_piece_costs_the_picture_only(model: CompiledModel, executable: Path) -> None:
    with native_device(executable=executable) as running:
        device = Device.connect(LosesPieces(running.url, lost=7), Timing(first=2, shortest=1))
        seen, said = expected(model, device)
        sight = device.look(picture=True)
        assert sight.picture is None
        np.testing.assert_array_equal(sight.inference.outputs[0].ravel(), said)
        np.testing.assert_array_equal(device.look(picture=True).picture, seen)


def test_every_failure_of_a_camera_is_a_sentence(
    model: CompiledModel, executable: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the start, then at a capture; behind each the next picture is whole."""
    failures = [n for n, name in enumerate(STATUSES) if name not in ("OK", "OVERRUN")]
    assert len(STATUSES) == 11 and len(failures) == 9
    script = []
    for failure in failures:
        # a start that fails; a start and a capture that do; then, unless lines were torn, another start
        script += [failure, 0, failure] + ([] if STATUSES[failure] == "TORN" else [0]) + [0]
        script += [] if failure == failures[-1] else [STATUSES.index("STOPPED")]  # the next one begins with a start
    monkeypatch.setenv("NATIVE_CAMERA", " ".join(map(str, script)))
    with native_device(executable=executable) as running:
        device = Device.connect(SocketTransport(running.url))
        _, said = expected(model, device)
        sentences = set()
        for failure in failures:
            for _ in range(2):
                with pytest.raises(BlindError) as caught:
                    device.look(picture=True)
                sentences.add(str(caught.value))
            np.testing.assert_array_equal(device.look().inference.outputs[0].ravel(), said)
            if failure != failures[-1]:
                with pytest.raises(BlindError, match="not been started"):
                    device.look()
        assert len(sentences) == len(failures)
        for sentence in sentences:
            assert re.fullmatch(r"[^:]+: [^:]+", sentence) and "\n" not in sentence


def test_a_camera_that_is_too_fast_is_asked_again(
    model: CompiledModel, executable: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    overrun, stopped = STATUSES.index("OVERRUN"), STATUSES.index("STOPPED")
    monkeypatch.setenv("NATIVE_CAMERA", " ".join(map(str, [0, overrun, overrun, 0, *[overrun] * 8, 0, stopped])))
    with native_device(executable=executable) as running:
        device = Device.connect(SocketTransport(running.url))
        seen, said = expected(model, device)
        sight = device.look(picture=True)  # its pieces begin three times
        np.testing.assert_array_equal(sight.picture, seen)
        np.testing.assert_array_equal(sight.inference.outputs[0].ravel(), said)
        with pytest.raises(BlindError, match="half its pace"):
            device.look()
        # without a new start, which would put the pace back
        np.testing.assert_array_equal(device.look().inference.outputs[0].ravel(), said)


def test_a_firmware_without_a_camera_refuses() -> None:
    with native_device() as running:
        device = Device.connect(SocketTransport(running.url))
        assert not device.identity.can_look
        with pytest.raises(RefusedError, match=r"has no camera, or its network takes no pictures: .*--pictures"):
            device.look()
        with pytest.raises(RefusedError) as caught:
            device.connection.request(Op.LOOK, b"\0")
        assert caught.value.status == Status.UNSUPPORTED


def test_the_firmware_maps_what_its_own_camera_sees() -> None:
    with native_device() as running:
        command = ("stream", "--source", "board", "--port", running.url)
        for option in (("--mapping", "pixel/255"), ("--color", "luma"), ("--frame",), ("--hop", "2")):
            with pytest.raises(DataError, match="leave --mapping, --color, --rows, --frame, --hop and --window out"):
                run(*command, *option)
        with pytest.raises(RefusedError, match="has no camera"):  # which is the next question
            run(*command)


def test_pictures_wider_than_the_lines(tmp_path: Path) -> None:
    """Of a network that keeps a frame."""
    b = GraphBuilder(22, "narrow")
    b.output(b.dense(b.reshape(b.input(1, 4, 4, 3), (1, 48)), 3))
    path = tmp_path / "narrow.tflite"
    write_tflite(b.graph, path)
    path.with_suffix(".json").write_text(json.dumps({"classes": list("abc")}))
    model = compile_graph(load_tflite(path), CompileOptions(cpu=load("sim_stm32f405").cpu), None, *identify(path))
    with native_device(executable=build_compiled(model, tmp_path, camera=WIDTH // 4)) as running:
        device = Device.connect(SocketTransport(running.url))
        for _ in range(2):
            with pytest.raises(BlindError, match="wider than the firmware has room for"):
                device.look()


def test_pieces_in_the_wrong_order_are_no_picture() -> None:
    def piece(offset: int, data: bytes) -> bytes:
        return offset.to_bytes(4, "little") + data

    pieces = Pieces(4)
    for offset, data in ((0, b"ab"), (1, b"xy"), (2, b"cd")):
        pieces.take(piece(offset, data))
    assert pieces.whole("int8", (2, 2)).tobytes() == b"abcd"
    pieces.take(piece(0, b"ef"))
    assert pieces.whole("int8", (2, 2)) is None
    pieces.take(piece(2, b"too long"))
    assert pieces.whole("int8", (2, 2)) is None
