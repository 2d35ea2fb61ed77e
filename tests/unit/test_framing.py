"""Frames: the host's encoder and decoder, and that they agree with the firmware's."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tinyengine.device import Device, Timing
from tinyengine.device.connection import Connection
from tinyengine.device.errors import FaultError
from tinyengine.device.framing import Frame, FrameDecoder, decode_body
from tinyengine.device.transport import SocketTransport

from tests.helpers.native_device import native_device

frames = st.builds(
    Frame,
    op=st.integers(0, 255),
    session=st.integers(0, 0xFFFF),
    sequence=st.integers(0, 0xFFFF),
    payload=st.binary(max_size=1100),
    status=st.integers(0, 255),
)


@given(st.lists(frames, max_size=5), st.integers(1, 50))
def test_frames_survive_any_cutting(sent: list[Frame], size: int) -> None:
    stream = b"".join(frame.encode() for frame in sent)
    decoder = FrameDecoder()
    received = [f for i in range(0, len(stream), size) for f in decoder.feed(stream[i : i + size])]
    assert received == sent
    assert decoder.damaged == 0


@given(frames)
def test_only_separators_are_zero(frame: Frame) -> None:
    wire = frame.encode()
    assert wire[0] == wire[-1] == 0
    assert 0 not in wire[1:-1]


@given(frames, st.binary(max_size=200), st.data())
def test_a_frame_after_garbage_is_found(frame: Frame, garbage: bytes, data: st.DataObject) -> None:
    """Noise, and a frame that was cut, in front of a good one."""
    cut = frame.encode()[: data.draw(st.integers(0, 20))]
    decoder = FrameDecoder()
    received = list(decoder.feed(garbage + b"\0" + cut + frame.encode()))
    assert received[-1] == frame


@given(frames, st.data())
def test_a_flipped_bit_is_noticed(frame: Frame, data: st.DataObject) -> None:
    wire = bytearray(frame.encode())
    position = data.draw(st.integers(1, len(wire) - 2))
    wire[position] ^= 1 << data.draw(st.integers(0, 7))
    assert all(f == frame for f in FrameDecoder().feed(bytes(wire)))


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_a_fault_is_told_apart_from_noise(size: int) -> None:
    line = "firmware fault: exception 0x00000003, pc 0x08000123"
    stream = b"half a fra\0" + line.encode() + b"\n\0" + Frame(1, 2, 3).encode()
    decoder = FrameDecoder()
    assert [f for i in range(0, len(stream), size) for f in decoder.feed(stream[i : i + size])] == [Frame(1, 2, 3)]
    assert (decoder.fault, decoder.damaged) == (line, 1)


class Line:
    """A port at which a firmware stops."""

    url, baud = "/dev/ttyX", 115200

    def set_baud(self, rate: int) -> None: ...

    def write(self, data: bytes) -> None: ...

    def read(self, seconds: float) -> bytes:
        return b"\0firmware fault: exception 0x00000006, stack overflow\n\0"


def test_a_fault_is_the_users_sentence() -> None:
    connection = Connection(Line())  # type: ignore[arg-type]
    for _ in range(2):
        with pytest.raises(FaultError, match=r"at /dev/ttyX has stopped and restarted \(firmware fault: exception 0x0"):
            connection.handshake()


def test_endless_noise_takes_no_memory() -> None:
    decoder = FrameDecoder(longest=1000)
    good = Frame(1, 2, 3, b"x")
    for _ in range(100):
        assert list(decoder.feed(b"U" * 500)) == []
    assert list(decoder.feed(good.encode())) == [good]
    assert decoder.damaged == 1


def test_short_and_inconsistent_bodies_are_damaged() -> None:
    assert decode_body(b"") is None
    assert decode_body(b"\x01") is None
    assert decode_body(b"\x05abc") is None


@pytest.fixture(scope="module")
def device() -> Iterator[Device]:
    with native_device() as native:
        line = SocketTransport(native.url)
        yield Device.connect(line, Timing(first=1.0))
        line.close()


# Runs around 254 bytes and zeros at the ends are where COBS implementations go wrong.
tricky = st.lists(
    st.one_of(st.just(b"\0"), st.integers(250, 260).map(lambda n: b"\x11" * n), st.binary(max_size=20)), max_size=6
).map(lambda parts: b"".join(parts)[:1028])


@settings(deadline=None, max_examples=200)
@given(payload=tricky)
def test_host_and_firmware_agree_on_every_payload(device: Device, payload: bytes) -> None:
    assert device.echo(payload) == payload


@pytest.mark.parametrize("length", [0, 1, 240, 241, 242, 243, 244, 494, 495, 496, 497, 1027, 1028])
@pytest.mark.parametrize("value", [0, 1, 0xFF])
def test_lengths_around_the_block_boundaries(device: Device, length: int, value: int) -> None:
    payload = bytes([value]) * length
    assert device.echo(payload) == payload
