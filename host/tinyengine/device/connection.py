"""One session with a device: requests that are answered exactly once, uploads, downloads, change of baud rate.

The rules on the wire are docs/protocol.md; this file is the host's half of them.
"""

from __future__ import annotations

import contextlib
import secrets
import struct
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from tinyengine.device.errors import (
    FaultError,
    ForeignFirmwareError,
    LinkLostError,
    NoAnswerError,
    ProtocolVersionError,
    RefusedError,
    RestartedError,
)
from tinyengine.device.framing import ANSWER, Frame, FrameDecoder, Op, Status, fields
from tinyengine.device.transport import DEFAULT_BAUD, Transport

MAGIC = b"TINY"
VERSIONS = (1, 1)  # lowest and highest protocol version that this host speaks
RATES = (2_000_000, 1_000_000, 921_600, 460_800, 230_400)  # tried from the fastest

_ACK_REPEATED, _ACK_GAP, _ACK_PROBE = 1, 2, 3
_READ_AT_ONCE = 16 * 1024  # bytes of one READ: what a lost frame may cost to repeat

_REFUSALS = {
    Status.UNKNOWN: "the firmware does not know this request: build and flash it anew",
    Status.MALFORMED: "the firmware calls the request malformed: host and firmware are of different versions",
    Status.UNSUPPORTED: "the firmware on this board cannot do this with its network",
    Status.INCOMPLETE: "the device has not got the whole input",
    Status.BAD_CHUNK: "the device refused a piece of an upload: host and firmware are of different versions",
    Status.NOT_THERE: "the device does not have what was asked for",
    Status.BAD_RATE: "the board's serial port cannot run at this rate",
    Status.NO_STATE: (
        "the device's trained weights are incomplete, because a push did not end: push again, or use 'tinyengine "
        "restore' or 'tinyengine reset'"
    ),
    Status.FOREIGN: "the device runs another network or update scheme than these trained weights are for",
}


@dataclass(frozen=True)
class Timing:
    """Seconds. The time allowed for an answer adapts to the round trips seen, between ``shortest`` and ``longest``."""

    first: float = 0.6
    shortest: float = 0.15
    longest: float = 2.0
    patience: float = 5.0  # for an answer, with repetitions, before the link counts as lost
    busy: float = 60.0  # for an announced long operation
    connect: float = 6.0  # longer than the silence after which a device returns to 115200 baud


@dataclass
class LinkCounters:
    """What the host saw of the line."""

    requests: int = 0
    repeats: int = 0  # requests, data frames and probes sent again
    ignored: int = 0  # good frames that answer nothing that is waited for
    bytes_sent: int = 0
    bytes_received: int = 0


@dataclass(frozen=True)
class Limits:
    """What the device said in its HELLO."""

    version: int
    credit: int  # data frames that may be under way
    max_payload: int
    silence: float  # seconds without a good frame after which it returns to 115200 baud
    trial: float  # seconds within which a new rate must carry a good frame


class _RoundTrip:
    """Smoothed round-trip time and its deviation: V. Jacobson, Congestion Avoidance and Control, 1988."""

    def __init__(self, timing: Timing) -> None:
        self._timing = timing
        self._mean: float | None = None
        self._deviation = 0.0

    def sample(self, seconds: float) -> None:
        if self._mean is None:
            self._mean, self._deviation = seconds, seconds / 2
        else:
            self._deviation += (abs(seconds - self._mean) - self._deviation) / 4
            self._mean += (seconds - self._mean) / 8

    def timeout(self, attempt: int) -> float:
        t = self._timing
        base = t.first if self._mean is None else self._mean + 4 * self._deviation
        return min(max(base, t.shortest) * 1.5**attempt, t.longest)


class Connection:
    """A session over ``transport``. Every method raises a DeviceError when the device cannot be reached or refuses."""

    def __init__(self, transport: Transport, timing: Timing | None = None) -> None:
        self.transport = transport
        self.timing = timing or Timing()
        self.counters = LinkCounters()
        self.limits = Limits(0, 1, 64, 3.0, 0.5)
        self._decoder = FrameDecoder()
        self._waiting: deque[Frame] = deque()
        self._session = 0
        self._sequence = 0
        self._round_trip = _RoundTrip(self.timing)
        self._data_round_trip = _RoundTrip(self.timing)
        self._last_heard = time.monotonic()
        self._wanted_baud = DEFAULT_BAUD

    @property
    def damaged_frames(self) -> int:
        """Frames from the device that arrived damaged."""
        return self._decoder.damaged

    # ---- Session ----

    def handshake(self) -> Limits:
        """Start a session; whatever the device was doing for a former one is forgotten."""
        transport, until = self.transport, time.monotonic() + self.timing.connect
        with contextlib.suppress(ValueError):
            transport.set_baud(DEFAULT_BAUD)
        received, damaged = self.counters.bytes_received, self._decoder.damaged
        answer, attempt, echoed = None, 0, False
        while answer is None and time.monotonic() < until:
            # 0 is no session; a new one each time, so that a late answer is not taken for this one's
            self._session = 1 + secrets.randbelow(0xFFFF)
            self._sequence = secrets.randbelow(1 << 16)
            self._waiting.clear()
            self._send(Frame(Op.HELLO, self._session, self._sequence, MAGIC + bytes(VERSIONS)))
            deadline = min(time.monotonic() + 0.25 * 1.5 ** min(attempt, 4), until)
            while (frame := self._receive(deadline)) is not None:
                echoed = echoed or frame.op == Op.HELLO
                if self._answers(frame, Op.HELLO, self._sequence):
                    answer = frame
                    break
            attempt += 1
        if answer is None:
            raise self._nobody(self.counters.bytes_received - received, self._decoder.damaged - damaged, echoed)
        return self._understand_hello(answer)

    def _nobody(self, received: int, damaged: int, echoed: bool) -> NoAnswerError | ForeignFirmwareError:
        url = self.transport.url
        if echoed:
            return ForeignFirmwareError(f"{url} only echoes what is sent: there is no board (are RX and TX joined?)")
        if received:
            return ForeignFirmwareError(
                f"what answers at {url} is not this project's firmware ({received} bytes, none of them understood): "
                f"flash the board with 'tinyengine flash', or choose another port"
            )
        return NoAnswerError(
            f"nothing answers at {url}: check that the board has power and runs this project's firmware "
            f"('tinyengine flash'), and that this is its port"
        )

    def _understand_hello(self, answer: Frame) -> Limits:
        p = answer.payload
        if len(p) < 14 or p[:4] != MAGIC or answer.status not in (Status.OK, Status.VERSION):
            raise ForeignFirmwareError(
                f"what answers at {self.transport.url} looks like this project's firmware, but is not it: "
                f"flash the board with 'tinyengine flash'"
            )
        version, lowest, highest, credit, max_payload, silence, trial = fields("<BBBBHHH", p, 4)
        if answer.status == Status.VERSION:
            newer = "newer: update this package" if lowest > VERSIONS[1] else "older: flash the board anew"
            raise ProtocolVersionError(
                f"the firmware speaks protocol version {_span(lowest, highest)} and this host {_span(*VERSIONS)}; "
                f"the firmware is {newer}"
            )
        self.limits = Limits(version, credit, max_payload, silence / 1000, trial / 1000)
        return self.limits

    # ---- Requests ----

    def request(
        self, op: Op, payload: bytes = b"", *, steady: bool = True, on_piece: Callable[[bytes], None] | None = None
    ) -> bytes:
        """Send a request, repeat it until it is answered, return the answer's payload.

        ``steady`` False: the time that the device takes for it says nothing about the line. ``on_piece`` takes the
        payloads of the frames that come before the answer, as READ sends them; those that get lost do not come again.
        """
        self._wake()
        self.counters.requests += 1
        self._sequence = (self._sequence + 1) & 0xFFFF
        return self._exchange(Frame(op, self._session, self._sequence, payload), steady, on_piece=on_piece)

    def _exchange(
        self, frame: Frame, steady: bool, trial: float = 0.0, on_piece: Callable[[bytes], None] | None = None
    ) -> bytes:
        """Until answered. ``trial``: seconds of patience on a rate that is only being tried."""
        start = time.monotonic()
        patience = trial or self.timing.patience
        give_up, attempt = start + patience, 0
        busy = False
        while True:
            sent = time.monotonic()
            self._send(frame, repeat=attempt > 0)
            deadline = sent + self._round_trip.timeout(attempt) + self._wire_time(len(frame.payload))
            while (answer := self._receive(deadline)) is not None:
                now = time.monotonic()
                if on_piece and answer.op == Op.READ | ANSWER and self._answers(answer, Op.READ, frame.sequence):
                    on_piece(answer.payload)
                    busy, give_up, deadline = True, now + self.timing.busy, now + self.timing.patience
                    continue
                if not self._answers(answer, frame.op, frame.sequence):
                    continue
                if answer.status == Status.BUSY:
                    expected = int.from_bytes(answer.payload[:4], "little") / 1000
                    busy, give_up = True, now + self.timing.busy + expected
                    deadline = now + (2 * expected + 0.5 if expected else 5.0)
                    continue
                if steady and attempt == 0 and not busy:
                    self._round_trip.sample(now - sent)
                return self._check(answer)
            attempt += 1
            if not trial:
                give_up = max(give_up, self._follow_fall_back(start))
            if time.monotonic() > give_up:
                raise self._link_lost()

    def _check(self, answer: Frame) -> bytes:
        if answer.status == Status.OK:
            return answer.payload
        if answer.status in (Status.NO_SESSION, Status.STALE, Status.NO_TRANSFER):
            raise RestartedError("the device restarted or another program took it over: try again")
        try:
            sentence = _REFUSALS[Status(answer.status)]
        except (KeyError, ValueError):
            sentence = f"the device refused with the unknown status {answer.status}: update this package"
        raise RefusedError(sentence, answer.status)

    # ---- Transfers ----

    def upload(self, target: int, index: int, data: bytes, flags: int = 0, slow: bool = False) -> None:
        """Send ``data`` in pieces, as many under way as the device allows, and repeat what gets lost.

        ``slow``: the device computes on each piece, so it may stay silent for long.
        """
        patience = self.timing.busy if slow else self.timing.patience
        shape = self.request(Op.OPEN, struct.pack("<BBBxI", target, index, flags, len(data)))
        transfer = self._sequence
        unit, chunk = fields("<HH", shape)
        chunk -= chunk % max(unit, 1)
        if chunk == 0:
            raise RefusedError("the device offers no room for a transfer: build and flash the firmware anew", 0)
        credit = self.limits.credit
        sent = taken = 0
        under_way: deque[tuple[int, float]] = deque()  # end of each piece, when it was sent
        rewound: int | None = None
        attempt, progress = 0, time.monotonic()
        give_up = progress + patience
        deadline = progress
        while taken < len(data):
            while sent < len(data) and len(under_way) < credit:
                piece = data[sent : sent + chunk]
                self._send(Frame(Op.DATA, self._session, transfer, sent.to_bytes(4, "little") + piece))
                sent += len(piece)
                now = time.monotonic()
                under_way.append((sent, now))
                deadline = now + self._data_round_trip.timeout(attempt) + self._wire_time(credit * chunk)
            frame = self._receive(deadline)
            now = time.monotonic()
            if frame is None:
                # Ask where the device is instead of sending again: it may only be slow.
                give_up = max(give_up, self._follow_fall_back(progress))
                if now > give_up:
                    raise self._link_lost()
                attempt += 1
                self._send(Frame(Op.DATA, self._session, transfer, sent.to_bytes(4, "little")), repeat=True)
                deadline = now + self._data_round_trip.timeout(attempt) + self._wire_time(64)
                continue
            if not self._answers(frame, Op.DATA, transfer):
                continue
            self._check(frame)
            next_offset, offset, reason, credit = fields("<IIBB", frame.payload)
            if taken < next_offset <= sent:
                taken, attempt, rewound = next_offset, 0, None
                progress, give_up = now, now + patience
                while under_way and under_way[0][0] <= taken:
                    _, when = under_way.popleft()
                    if reason == 0:
                        self._data_round_trip.sample(now - when)
                deadline = now + self._data_round_trip.timeout(0) + self._wire_time(credit * chunk)
            # A probe that everything sent went before, or the first sign of a gap: go on from where the device is.
            lost_all = reason == _ACK_PROBE and offset == sent
            if (lost_all or (reason == _ACK_GAP and rewound != next_offset)) and taken == next_offset < sent:
                self.counters.repeats += len(under_way)
                sent, rewound = next_offset, next_offset
                under_way.clear()
            elif lost_all:
                give_up = now + patience  # it is there, and computes or has no credit to give

    def download(self, kind: int, index: int, length: int, first: int = 0) -> bytes:
        """Bytes ``first`` to ``length`` of an object, in pieces; what gets lost is asked for again."""
        data = bytearray(first)
        self._wake()
        start = time.monotonic()
        give_up, attempt = start + self.timing.patience, 0
        while len(data) < length:
            end = min(len(data) + _READ_AT_ONCE, length)
            self.counters.requests += 1
            self._sequence = (self._sequence + 1) & 0xFFFF
            ask = struct.pack("<BBxxII", kind, index, len(data), end - len(data))
            self._send(Frame(Op.READ, self._session, self._sequence, ask), repeat=attempt > 0)
            before = len(data)
            while len(data) < end:
                wait = self._data_round_trip.timeout(attempt) + self._wire_time(self.limits.max_payload)
                frame = self._receive(time.monotonic() + wait)
                if frame is None:
                    break
                if not self._answers(frame, Op.READ, self._sequence):
                    continue
                payload = self._check(frame)
                if int.from_bytes(payload[:4], "little") == len(data):
                    data += payload[4:]
                elif int.from_bytes(payload[:4], "little") + len(payload) - 4 == end:
                    break  # the last piece came and one before it did not
            if len(data) > before:
                attempt, give_up = 0, time.monotonic() + self.timing.patience
            else:
                attempt += 1
                give_up = max(give_up, self._follow_fall_back(start))
                if time.monotonic() > give_up:
                    raise self._link_lost()
        return bytes(data[first:length])

    # ---- Baud rate ----

    def change_baud(self, rate: int) -> bool:
        """Move both sides to ``rate`` and prove it with echoes; False: both are back where they were, or at 115200."""
        old = self.transport.baud
        try:  # our own port first, there and back
            self.transport.set_baud(rate)
            self.transport.set_baud(old)
        except ValueError:
            return False
        try:
            self.request(Op.BAUD, rate.to_bytes(4, "little"))
        except RefusedError as error:
            if error.status in (Status.BAD_RATE, Status.UNKNOWN):
                return False
            raise
        self.transport.set_baud(rate)
        if self._echoes(self.limits.trial * 0.8):
            return True
        # The device goes back when the trial ends; if it had heard something, to 115200 when the silence ends.
        self.transport.set_baud(old)
        time.sleep(self.limits.trial + 0.1)
        if self._echoes(1.0):
            return False
        self.transport.set_baud(DEFAULT_BAUD)
        if self._echoes(self.limits.silence + 2.0):
            return False
        raise self._link_lost()

    def negotiate_baud(self, highest: int = RATES[0]) -> int:
        """The fastest rate, at most ``highest``, that both sides can do and the line carries."""
        for rate in RATES:
            if DEFAULT_BAUD < rate <= highest and self.change_baud(rate):
                self._wanted_baud = rate
                break
        return self.transport.baud

    def _echoes(self, patience: float) -> bool:
        """Whether four quick echoes of noisy bytes come back, the first within ``patience`` seconds."""
        for _ in range(4):
            self._sequence = (self._sequence + 1) & 0xFFFF
            payload = secrets.token_bytes(min(200, self.limits.max_payload))
            try:
                answer = self._exchange(Frame(Op.ECHO, self._session, self._sequence, payload), False, patience)
            except LinkLostError:
                return False
            if answer != payload:
                return False
        return True

    def _wake(self) -> None:
        """After a pause the device has returned to 115200 baud: meet it there, then go up again."""
        idle = time.monotonic() - self._last_heard
        if self.transport.baud == DEFAULT_BAUD or idle < 0.8 * self.limits.silence:
            return
        time.sleep(max(0.0, self.limits.silence + 0.2 - idle))
        self.transport.set_baud(DEFAULT_BAUD)
        self._last_heard = time.monotonic()
        if self._wanted_baud != DEFAULT_BAUD:
            self.change_baud(self._wanted_baud)

    def _follow_fall_back(self, since: float) -> float:
        """After a failed attempt: go to 115200 if the device must be there by now. Returns until when to be patient."""
        if self.transport.baud == DEFAULT_BAUD:
            return 0.0
        silent_since = max(since, self._last_heard)
        if time.monotonic() - silent_since > self.limits.silence + 0.2:
            self.transport.set_baud(DEFAULT_BAUD)
        # It may have heard us until now without our hearing it: then its silence begins only with our change.
        return silent_since + 2 * self.limits.silence + 2.0

    def leave(self) -> None:
        """Return both sides to 115200 baud, without insisting."""
        if self.transport.baud != DEFAULT_BAUD:
            self._sequence = (self._sequence + 1) & 0xFFFF
            rate = DEFAULT_BAUD.to_bytes(4, "little")
            with contextlib.suppress(LinkLostError, RestartedError, RefusedError):
                self._exchange(Frame(Op.BAUD, self._session, self._sequence, rate), False, 0.5)
            self.transport.set_baud(DEFAULT_BAUD)

    # ---- Frames ----

    def _send(self, frame: Frame, repeat: bool = False) -> None:
        data = frame.encode()
        self.counters.repeats += repeat
        self.counters.bytes_sent += len(data)
        self.transport.write(data)

    def _receive(self, deadline: float) -> Frame | None:
        """The next good frame, or None at the deadline."""
        while not self._waiting:
            left = deadline - time.monotonic()
            data = self.transport.read(max(left, 0.0))
            self.counters.bytes_received += len(data)
            self._waiting.extend(self._decoder.feed(data))
            if self._decoder.fault:
                raise self._faulted()
            if not self._waiting and left <= 0:
                return None
        return self._waiting.popleft()

    def _answers(self, frame: Frame, op: int, sequence: int) -> bool:
        right = frame.op == op | ANSWER and frame.session == self._session and frame.sequence == sequence
        if right:
            self._last_heard = time.monotonic()
        else:
            self.counters.ignored += 1
        return right

    def _wire_time(self, payload: int) -> float:
        """Seconds that a payload and its answer need at this rate, generously."""
        return 1.5 * 10 * (payload + 64) / self.transport.baud

    def _faulted(self) -> FaultError:
        fault, self._decoder.fault = self._decoder.fault, ""
        return FaultError(
            f"the firmware at {self.transport.url} has stopped and restarted ({fault}): build and flash it anew, and "
            "report this line if it comes again"
        )

    def _link_lost(self) -> LinkLostError:
        return LinkLostError(
            f"the device at {self.transport.url} stopped answering "
            f"({self.damaged_frames} damaged frames came from it): check the cable and reset the board"
        )


def _span(lowest: int, highest: int) -> str:
    return str(lowest) if lowest == highest else f"{lowest} to {highest}"
