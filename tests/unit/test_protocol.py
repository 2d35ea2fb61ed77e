"""The protocol, byte by byte where it matters, against the real firmware sources with a hand-written network."""

from __future__ import annotations

import re
import struct
import time
from collections.abc import Iterator

import numpy as np
import pytest
from tinyengine.device import Device, Timing
from tinyengine.device.errors import RefusedError
from tinyengine.device.framing import Frame, Op, Status
from tinyengine.device.transport import SocketTransport
from tinyengine.errors import DataError
from tinyengine.paths import project_root

from tests.helpers.native_device import (
    FASTEST_BAUD,
    MODEL_HASH,
    PICTURE_BYTES,
    SHAPE,
    BaudTransport,
    NativeDevice,
    Raw,
    expected_outputs,
    native_device,
    random_picture,
)

ROW = 144


@pytest.fixture
def native() -> Iterator[NativeDevice]:
    with native_device() as running:
        yield running


@pytest.fixture
def device(native: NativeDevice) -> Iterator[Device]:
    line = SocketTransport(native.url)
    yield Device.connect(line)
    line.close()


@pytest.fixture
def raw(native: NativeDevice) -> Iterator[Raw]:
    client = Raw(native)
    yield client
    client.line.close()


# ---- The document ----


def documented_frames() -> list[tuple[bytes, bytes]]:
    """(sent, received) of the examples in docs/protocol.md, in order."""
    text = (project_root() / "docs" / "protocol.md").read_text(encoding="utf-8")
    pairs: list[tuple[bytes, bytes]] = []
    for block in re.findall(r"```frames\n(.*?)```", text, re.DOTALL):
        for line in block.splitlines():
            direction, data = line[0], bytes.fromhex(line[1:])
            if direction == ">":
                pairs.append((data, b""))
            else:
                pairs[-1] = (pairs[-1][0], pairs[-1][1] + data)
    return pairs


def test_the_examples_in_the_document_are_true(native: NativeDevice) -> None:
    pairs = documented_frames()
    assert len(pairs) >= 14
    line = SocketTransport(native.url)
    for sent, expected in pairs:
        line.write(sent)
        received = b""
        while len(received) < len(expected) and (data := line.read(5.0)):
            received += data
        received += line.read(0.1)
        assert received.hex(" ") == expected.hex(" "), f"after {sent.hex(' ')}"
    line.close()


def test_the_document_names_every_op_and_status() -> None:
    text = (project_root() / "docs" / "protocol.md").read_text(encoding="utf-8")
    for op in Op:
        assert re.search(rf"0x{op.value:02X} {op.name}\b", text), op
    for status in Status:
        assert re.search(rf"^\| {status.value} \| {status.name} \|", text, re.MULTILINE), status


# ---- Identity, inference, measurements ----


def test_identity(device: Device) -> None:
    identity = device.identity
    assert (identity.board, identity.model, identity.model_hash) == ("native", "by_hand", MODEL_HASH)
    assert (identity.layers, identity.macs) == (300, 12345)
    assert identity.by_frame and identity.by_rows and identity.has_profile
    assert identity.counter_unit == "nanoseconds"
    (port,) = identity.inputs
    assert (port.name, port.shape, port.scale, port.zero_point, port.nbytes) == ("picture", SHAPE, 0.0078125, -1, 5760)
    assert [output.shape for output in identity.outputs] == [(10,), (50, 50), (4,)]
    assert identity.metadata.classes == ("zero", "one", "two")


@pytest.mark.parametrize("by_rows", [False, True])
def test_inference(device: Device, by_rows: bool) -> None:
    for seed in range(3):
        picture = random_picture(seed)
        result = device.infer(picture, by_rows=by_rows)
        sums, mirror = expected_outputs(picture)
        np.testing.assert_array_equal(result.outputs[0], sums)
        np.testing.assert_array_equal(result.outputs[1], mirror)  # longer than one frame: read in pieces
        assert result.run == seed + 1
        assert result.input_bytes == PICTURE_BYTES
        assert 0 < result.wire_share < 1
        assert result.count > 0


@pytest.mark.parametrize("by_rows", [False, True])
def test_gray_stands_for_all_channels(device: Device, by_rows: bool) -> None:
    gray = random_picture(5, channels=1)
    sums, mirror = expected_outputs(np.repeat(gray, 3, axis=2))
    for picture in (gray, gray[:, :, 0]):
        result = device.infer(picture, by_rows=by_rows)
        np.testing.assert_array_equal(result.outputs[0], sums)
        np.testing.assert_array_equal(result.outputs[1], mirror)
        assert result.input_bytes == PICTURE_BYTES // 3


def test_wrong_inputs_are_refused_before_anything_is_sent(device: Device) -> None:
    before = device.counters.requests
    for bad in (random_picture(1)[:, :-1], random_picture(1).astype(np.uint8), [random_picture(1)] * 2):
        with pytest.raises(DataError):
            device.infer(bad)
    assert device.counters.requests == before


def test_two_inputs() -> None:
    with native_device("SECOND_INPUT") as native:
        line = SocketTransport(native.url)
        device = Device.connect(line)
        assert not device.identity.by_rows
        picture, seasoning = random_picture(8), np.array([1, -2, 100, -100], np.int8)
        sums, _ = expected_outputs(picture)
        sums[:4] += seasoning
        np.testing.assert_array_equal(device.infer([picture, seasoning]).outputs[0], sums)
        with pytest.raises(RefusedError, match="--input rows"):
            device.infer([picture, seasoning], by_rows=True)
        line.close()


@pytest.mark.parametrize(("variant", "by_rows"), [("ROWS_ONLY", True), ("FRAME_ONLY", False)])
def test_a_network_that_takes_only_one_way(variant: str, by_rows: bool) -> None:
    with native_device(variant) as native:
        line = SocketTransport(native.url)
        device = Device.connect(line)
        assert (device.identity.by_rows, device.identity.by_frame) == (by_rows, not by_rows)
        picture = random_picture(9)
        np.testing.assert_array_equal(device.infer(picture).outputs[0], expected_outputs(picture)[0])
        with pytest.raises(RefusedError, match=r"--input (frame|rows)"):
            device.infer(picture, by_rows=not by_rows)
        raw = Raw(native)  # it waits in the queue until the first one has gone
        line.close()
        raw.hello()
        assert raw.ask(Op.OPEN, struct.pack("<BBBxI", not by_rows, 0, 0, PICTURE_BYTES)).status == Status.UNSUPPORTED
        raw.line.close()


def test_statistics_and_the_arena_mark(device: Device) -> None:
    assert device.statistics().arena_high_water == 0
    device.infer(random_picture(1), by_rows=True)
    rows = device.statistics()
    assert rows.runs == 1
    assert rows.arena_bytes == 5760 + 16 + 2500 + 16 + 16 + 512
    assert rows.arena_high_water == 5760 + 16 + 2500 + 4
    assert (rows.stack_used, rows.stack_size) == (1234, 8192)
    assert rows.frames_received > 10
    assert rows.frames_damaged == rows.bytes_lost == rows.requests_repeated == 0
    device.statistics(clear=True)
    cleared = device.statistics()
    assert cleared.arena_high_water == 0
    assert cleared.frames_received <= 2


def test_profile_in_pages(device: Device) -> None:
    profile = device.profile()
    assert len(profile) == 300
    assert (profile[0].name, profile[0].op, profile[0].macs) == ("first", "conv_2d", 1000)
    assert profile[1].name == "second"
    assert profile[299].name == "one of many"
    assert profile[0].count > profile[200].count


def test_reset(device: Device) -> None:
    device.infer(random_picture(1))
    device.reset()
    assert device.statistics().runs == 0
    np.testing.assert_array_equal(device.infer(random_picture(2)).outputs[0], expected_outputs(random_picture(2))[0])


def test_a_restart_under_an_operation_is_survived(native: NativeDevice) -> None:
    """Another session in the middle stands for any loss of the device's state."""
    line = SocketTransport(native.url)
    device = Device.connect(line)
    line.write(Frame(Op.HELLO, 0x777, 1, b"TINY\x01\x01").encode())
    picture = random_picture(3)
    np.testing.assert_array_equal(device.infer(picture).outputs[0], expected_outputs(picture)[0])
    line.close()


# ---- Requests are executed once ----


def test_a_repeated_request_is_answered_from_memory(raw: Raw) -> None:
    raw.hello()
    transfer = raw.open_rows()
    for start in range(0, PICTURE_BYTES, 7 * ROW):
        piece = bytes(min(7 * ROW, PICTURE_BYTES - start))
        assert raw.ask(Op.DATA, start.to_bytes(4, "little") + piece, sequence=transfer).status == Status.OK
    raw.line.write(Frame(Op.RUN, raw.session, 900).encode())
    first, answer = raw.frames()  # the first run ever is announced, because nobody knows how long it takes
    assert (first.status, answer.status) == (Status.BUSY, Status.OK)
    for _ in range(3):
        raw.line.write(Frame(Op.RUN, raw.session, 900).encode())
        assert raw.frames() == [answer]
    statistics = struct.unpack("<12I", raw.ask(Op.STATISTICS, b"\0", sequence=901).payload)
    assert statistics[1] == 1, "runs"
    assert statistics[11] == 3, "repeats"


def test_old_and_foreign_requests_are_not_executed(raw: Raw) -> None:
    assert raw.ask(Op.ECHO, b"?").status == Status.NO_SESSION
    raw.hello()
    assert raw.ask(Op.ECHO, b"1", sequence=500).status == Status.OK
    assert raw.ask(Op.ECHO, b"2", sequence=500).status == Status.STALE  # same number, other request
    assert raw.ask(Op.ECHO, b"3", sequence=499).status == Status.STALE
    assert raw.ask(Op.ECHO, b"4", sequence=501, session=0x4444).status == Status.NO_SESSION
    assert raw.ask(Op.ECHO, b"5", sequence=510).status == Status.OK  # numbers may be skipped
    assert raw.ask(Op.ECHO, b"6", sequence=0x8000 + 509).status == Status.OK
    assert raw.ask(Op.ECHO, b"7", sequence=3).status == Status.OK  # round the corner


def test_refusals(raw: Raw) -> None:
    raw.hello()
    assert raw.ask(0x6F).status == Status.UNKNOWN
    assert raw.ask(Op.TENSOR, b"\0").status == Status.MALFORMED
    assert raw.ask(Op.TENSOR, b"\0\5").status == Status.MALFORMED
    assert raw.ask(Op.LAYERS, struct.pack("<H", 301)).status == Status.MALFORMED
    assert raw.ask(Op.PROFILE, struct.pack("<H", 300)).status == Status.MALFORMED
    assert raw.ask(Op.RUN).status == Status.INCOMPLETE
    assert raw.ask(Op.BAUD, (3_000_000).to_bytes(4, "little")).status == Status.BAD_RATE
    assert raw.ask(Op.READ, struct.pack("<BBxxII", 1, 0, 0, 10)).status == Status.NOT_THERE  # nothing was run
    assert raw.ask(Op.READ, struct.pack("<BBxxII", 9, 0, 0, 10)).status == Status.NOT_THERE
    assert raw.ask(Op.READ, struct.pack("<BBxxII", 0, 0, 10_000, 1)).status == Status.MALFORMED
    assert raw.ask(Op.OPEN, struct.pack("<BBBxI", 7, 0, 0, 10)).status == Status.UNSUPPORTED
    assert raw.ask(Op.OPEN, struct.pack("<BBBxI", 0, 1, 0, 10)).status == Status.MALFORMED
    assert raw.ask(Op.OPEN, struct.pack("<BBBxI", 0, 0, 0, 10)).status == Status.MALFORMED
    assert raw.ask(Op.DATA, bytes(4) + b"x").status == Status.NO_TRANSFER


def test_garbage_and_overlong_frames_are_dropped(raw: Raw) -> None:
    raw.hello()
    raw.line.write(b"\x55" * 3000 + b"\0" + Frame(Op.ECHO, raw.session, 600, bytes(1029)).encode())
    assert raw.frames() == []
    assert raw.ask(Op.ECHO, b"still there", sequence=601).payload == b"still there"
    raw.line.write(Frame(Op.ECHO, raw.session, 602, b"cut").encode()[:9])  # the next frame's leading zero ends it
    assert raw.ask(Op.ECHO, b"and now", sequence=603).payload == b"and now"
    statistics = struct.unpack("<12I", raw.ask(Op.STATISTICS, b"\0", sequence=604).payload)
    assert statistics[8] == 1, "damaged"
    assert statistics[9] == 2, "too long"


# ---- Transfers ----


def acknowledgement(frame: Frame) -> tuple[int, int, int, int]:
    next_offset, offset, reason, credit = struct.unpack("<IIBB", frame.payload)
    return frame.status, next_offset, offset, reason if credit else -1


def test_pieces_are_taken_in_order_and_once(raw: Raw) -> None:
    raw.hello()
    transfer = raw.open_rows()

    def data(offset: int, length: int) -> tuple[int, int, int, int]:
        return acknowledgement(raw.ask(Op.DATA, offset.to_bytes(4, "little") + bytes(length), sequence=transfer))

    taken, repeated, gap, probe = 0, 1, 2, 3
    assert data(0, ROW) == (Status.OK, ROW, 0, taken)
    assert data(0, ROW) == (Status.OK, ROW, 0, repeated)
    assert data(5 * ROW, ROW) == (Status.OK, ROW, 5 * ROW, gap)
    assert data(777, 0) == (Status.OK, ROW, 777, probe)
    assert data(ROW, 100) == (Status.BAD_CHUNK, ROW, ROW, taken)  # not whole rows
    assert data(ROW, 6 * ROW) == (Status.OK, 7 * ROW, ROW, taken)
    assert raw.ask(Op.RUN, sequence=800).status == Status.INCOMPLETE
    assert data(7 * ROW, ROW)[0] == Status.OK  # which did not end the transfer
    other = raw.ask(Op.OPEN, struct.pack("<BBBxI", 0, 0, 0, PICTURE_BYTES), sequence=801)
    assert other.status == Status.OK
    assert data(8 * ROW, ROW)[0] == Status.NO_TRANSFER


def test_a_long_run_is_announced(native: NativeDevice) -> None:
    """400 ms of computing, with a host that repeats after 50: it must wait, and the run happens once."""
    line = SocketTransport(native.url)
    device = Device.connect(line, Timing(first=0.05, shortest=0.02, longest=0.05))
    picture = random_picture(1)
    picture.ravel()[:4] = (127, -128, 127, -128)
    for run in (1, 2, 3):
        result = device.infer(picture, by_rows=False)
        assert result.run == run
        assert result.seconds >= 0.4  # by the device's own clock
        np.testing.assert_array_equal(result.outputs[0], expected_outputs(picture)[0])
    line.close()


def test_a_device_that_computes_between_rows_is_not_flooded(native: NativeDevice) -> None:
    """The first row takes 400 ms, while the receive ring holds 4 KB: nothing may be lost in it."""
    line = SocketTransport(native.url)
    device = Device.connect(line, Timing(first=0.05, shortest=0.02, longest=0.05))
    picture = random_picture(2)
    picture.ravel()[:4] = (127, -128, 127, -128)
    for _ in range(3):
        np.testing.assert_array_equal(device.infer(picture, by_rows=True).outputs[0], expected_outputs(picture)[0])
    assert device.statistics().bytes_lost == 0
    line.close()


# ---- Baud rate ----


def test_negotiation_finds_the_fastest_common_rate(native: NativeDevice) -> None:
    line = BaudTransport(native)
    device = Device.connect(line)
    assert device.negotiate_baud() == native.baud == FASTEST_BAUD
    picture = random_picture(1)
    np.testing.assert_array_equal(device.infer(picture).outputs[0], expected_outputs(picture)[0])
    device.close()
    assert device.baud == 115200
    deadline = time.monotonic() + 2
    while native.baud != 115200 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert native.baud == 115200
    line.close()


@pytest.mark.slow
def test_a_rate_that_the_line_cannot_carry_is_given_up(native: NativeDevice) -> None:
    """Both ends can do 1 M and more, but the cable between them only 500 k."""
    line = BaudTransport(native, limit=500_000)
    device = Device.connect(line)
    assert device.negotiate_baud() == native.baud == 460_800
    assert {1_000_000, 921_600, 460_800} <= set(native.history)
    assert device.echo(b"fine") == b"fine"
    line.close()


def test_a_limit_is_respected(native: NativeDevice) -> None:
    line = BaudTransport(native)
    device = Device.connect(line)
    assert device.negotiate_baud(highest=300_000) == 230_400
    assert device.negotiate_baud(highest=115_200) == 230_400
    line.close()


@pytest.mark.slow
def test_after_a_silence_both_meet_at_115200_and_go_up_again(native: NativeDevice) -> None:
    line = BaudTransport(native)
    device = Device.connect(line)
    device.negotiate_baud()
    time.sleep(3.3)
    assert native.baud == 115200
    assert device.echo(b"hello again") == b"hello again"
    assert device.baud == native.baud == FASTEST_BAUD
    line.close()


@pytest.mark.slow
def test_a_host_that_died_at_a_high_rate_leaves_no_trace(native: NativeDevice) -> None:
    line = BaudTransport(native)
    Device.connect(line).negotiate_baud()
    line.close()  # without a word
    line = BaudTransport(native)
    assert native.baud == FASTEST_BAUD
    assert Device.connect(line).identity.model == "by_hand"
    line.close()


@pytest.mark.slow
def test_a_lost_answer_to_the_change_of_rate(native: NativeDevice) -> None:
    """The device has changed, the host does not know it: after the trial they find each other."""
    line = BaudTransport(native)
    device = Device.connect(line)
    read, lost = line.read, []

    def lossy(timeout: float) -> bytes:
        data = read(timeout)
        if data and not lost:
            lost.append(data)
            return b""
        return data

    line.read = lossy  # type: ignore[method-assign]
    assert device.set_baud(460_800)
    assert lost
    assert device.baud == native.baud == 460_800
    line.close()
