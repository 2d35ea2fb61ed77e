"""A line that loses, doubles, flips, delays and cuts bytes in both directions.

Where a fault comes depends on the bytes that pass and on the seed, never on how the operating system happens to cut
the stream into pieces: a slow machine, which reads byte by byte, must not meet more faults than a fast one.
"""

from __future__ import annotations

import random
import time
from collections import Counter, deque

from tinyengine.device.transport import Transport

KINDS = ("drop", "duplicate", "corrupt", "truncate", "delay")
FRAME_END = 0
UNIT = 400  # bytes that ``probability`` speaks of: about a frame


class _Direction:
    """Applies faults to a stream and keeps back what is delayed; order is never changed, as on a wire."""

    def __init__(self, seed: str, probability: float, longest_delay: float) -> None:
        self._random = random.Random(seed)
        self._longest_delay = longest_delay
        self._held: deque[tuple[float, bytes]] = deque()
        self._recent: deque[int] = deque(maxlen=200)  # what a duplicate repeats
        self._kind = ""  # of the fault that is going on
        self._left = 0  # bytes that it still takes
        self._wait = 0.0
        self.faults: Counter[str] = Counter()
        self.set_probability(probability)

    def set_probability(self, probability: float) -> None:
        """Of a fault per UNIT bytes."""
        self._gap = UNIT / probability
        self._next = self._draw()

    def _draw(self) -> int:
        return 1 + int(self._random.expovariate(1 / self._gap))

    def pass_on(self, data: bytes) -> None:
        """Take a piece of the stream."""
        out = bytearray()
        for byte in data:
            self._next -= 1
            if self._next == 0:
                self._begin(out)
                self._next = self._draw()
            self._recent.append(byte)
            self._take(byte, out)
        self._hold(bytes(out))

    def _begin(self, out: bytearray) -> None:
        r = self._random
        self._kind = r.choice(KINDS)
        self.faults[self._kind] += 1
        self._left = r.choice((1, 1, 2, 5, 40))
        if self._kind == "duplicate":
            recent = list(self._recent)
            count = len(recent) if r.random() < 0.3 else self._left  # that many hold a whole short frame
            out += bytes(recent[-count:])
            self._left = 0
        elif self._kind == "delay":
            self._hold(bytes(out))
            out.clear()
            self._wait, self._left = r.uniform(0.0, self._longest_delay), 0

    def _take(self, byte: int, out: bytearray) -> None:
        if self._left == 0:
            out.append(byte)
        elif self._kind == "truncate":  # the rest of the frame
            if byte == FRAME_END:
                self._left = 0
                out.append(byte)
        else:
            self._left -= 1
            if self._kind == "corrupt":
                out.append(byte ^ 1 << self._random.randrange(8))

    def _hold(self, data: bytes) -> None:
        if data:
            ready = time.monotonic() + self._wait
            self._wait = 0.0
            if self._held:
                ready = max(ready, self._held[-1][0])
            self._held.append((ready, data))

    def due(self) -> bytes:
        """What has arrived by now."""
        out, now = bytearray(), time.monotonic()
        while self._held and self._held[0][0] <= now:
            out += self._held.popleft()[1]
        return bytes(out)

    @property
    def empty(self) -> bool:
        return not self._held


class FaultyTransport:
    """Wraps a transport. ``probability`` of a fault per UNIT bytes, in each direction."""

    def __init__(self, inner: Transport, seed: int, probability: float = 0.05, longest_delay: float = 0.05) -> None:
        self._inner = inner
        self._out = _Direction(f"{seed} out", probability, longest_delay)
        self._in = _Direction(f"{seed} in", probability, longest_delay)

    def set_probability(self, probability: float) -> None:
        self._out.set_probability(probability)
        self._in.set_probability(probability)

    @property
    def faults(self) -> Counter[str]:
        return self._out.faults + self._in.faults

    @property
    def url(self) -> str:
        return self._inner.url

    @property
    def baud(self) -> int:
        return self._inner.baud

    def read(self, timeout: float) -> bytes:
        deadline = time.monotonic() + timeout
        while True:
            self._flush()
            left = deadline - time.monotonic()
            idle = self._in.empty and self._out.empty
            self._in.pass_on(self._inner.read(max(0.0, left if idle else min(left, 0.002))))
            data = self._in.due()
            if data or left <= 0:
                return data

    def write(self, data: bytes) -> None:
        self._out.pass_on(data)
        self._flush()

    def _flush(self) -> None:
        data = self._out.due()
        if data:
            self._inner.write(data)

    def set_baud(self, rate: int) -> None:
        self._inner.set_baud(rate)

    def close(self) -> None:
        self._inner.close()
