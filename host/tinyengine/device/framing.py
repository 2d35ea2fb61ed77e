"""Frames on the wire: COBS, CRC-32, header. The byte-level description is docs/protocol.md."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from cobs import cobs

from tinyengine.device.errors import ForeignFirmwareError

HEADER = struct.Struct("<BBHHH")  # op, status, session, sequence, payload length
CRC = struct.Struct("<I")
ANSWER = 0x80


class Op(IntEnum):
    """Requests; an answer has bit 7 set as well."""

    HELLO = 0x01
    IDENTIFY = 0x02
    TENSOR = 0x03
    LAYERS = 0x04
    ECHO = 0x05
    BAUD = 0x06
    RESET = 0x07
    OPEN = 0x10
    DATA = 0x11
    READ = 0x12
    RUN = 0x20
    REWIND = 0x21
    TRACE = 0x22
    LOOK = 0x23
    STATISTICS = 0x30
    PROFILE = 0x31
    TRAIN_INFO = 0x40
    TRAIN_STEP = 0x41
    EVALUATE = 0x42
    RESET_STATE = 0x43
    ACCEPT_STATE = 0x44
    CLASS_NAMES = 0x45
    NAME_CLASSES = 0x46
    SAVE = 0x48
    RESTORE = 0x49
    FORGET = 0x4A
    TRAIN_TEXT = 0x4B
    EVALUATE_TEXT = 0x4C
    PROMPT = 0x60
    WRITE = 0x61


class Status(IntEnum):
    """How a request went."""

    OK = 0
    BUSY = 1
    UNKNOWN = 2
    MALFORMED = 3
    NO_SESSION = 4
    STALE = 5
    VERSION = 6
    UNSUPPORTED = 7
    NO_TRANSFER = 8
    INCOMPLETE = 9
    BAD_CHUNK = 10
    NOT_THERE = 11
    BAD_RATE = 12
    NO_STATE = 13
    FOREIGN = 14


@dataclass(frozen=True)
class Frame:
    """One frame. ``op`` and ``status`` are plain numbers, because a frame may carry ones that are not known here."""

    op: int
    session: int
    sequence: int
    payload: bytes = b""
    status: int = 0

    def encode(self) -> bytes:
        """The bytes for the wire, with a separating zero on either side."""
        body = HEADER.pack(self.op, self.status, self.session, self.sequence, len(self.payload)) + self.payload
        return b"\0" + cobs.encode(body + CRC.pack(zlib.crc32(body))) + b"\0"


def decode_body(encoded: bytes) -> Frame | None:
    """The frame between two separators, or None if it is damaged."""
    try:
        body = cobs.decode(encoded)
    except cobs.DecodeError:
        return None
    if len(body) < HEADER.size + CRC.size:
        return None
    content, (crc,) = body[: -CRC.size], CRC.unpack(body[-CRC.size :])
    op, status, session, sequence, length = HEADER.unpack_from(content)
    payload = content[HEADER.size :]
    if zlib.crc32(content) != crc or length != len(payload):
        return None
    return Frame(op, session, sequence, payload, status)


def fields(layout: str, payload: bytes, offset: int = 0) -> tuple[Any, ...]:
    """Numbers of an answer, as ``struct`` unpacks them. Raises ForeignFirmwareError when the answer is too short."""
    try:
        return struct.unpack_from(layout, payload, offset)
    except struct.error as error:
        raise answer_not_understood() from error


def answer_not_understood() -> ForeignFirmwareError:
    """For answers that are whole, but not what the protocol says."""
    return ForeignFirmwareError("the firmware's answers do not follow the protocol: build and flash it anew")


FAULT = b"firmware fault: "
"""How the line begins that a firmware sends, between two separators, before it restarts."""


class FrameDecoder:
    """Finds frames in a byte stream and counts what was not one. ``fault``: the line of a firmware that has stopped."""

    def __init__(self, longest: int = 1 << 16) -> None:
        self.frames = 0
        self.damaged = 0
        self.fault = ""
        self._longest = longest
        self._rest = bytearray()
        self._skipping = False

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Frames completed by ``data``, in order."""
        self._rest += data
        *pieces, rest = self._rest.split(b"\0")
        self._rest = bytearray(rest)
        for piece in pieces:
            if self._skipping:  # the end of something too long
                self._skipping = False
            elif piece:
                frame = decode_body(bytes(piece))
                if piece.startswith(FAULT):
                    self.fault = piece.decode("ascii", "replace").strip()
                elif frame is None:
                    self.damaged += 1
                else:
                    self.frames += 1
                    yield frame
        if len(self._rest) > self._longest:  # noise without a separator must not fill the memory
            self._rest.clear()
            if not self._skipping:
                self.damaged += 1
            self._skipping = True
