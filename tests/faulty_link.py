"""A line that loses, doubles, flips, delays and cuts bytes in both directions, the same way for the same seed."""

from __future__ import annotations

import random
import time
from collections import Counter, deque

from tinyengine.device.transport import Transport

KINDS = ("drop", "duplicate", "corrupt", "truncate", "delay")


class _Direction:
    """Applies faults to pieces of a stream and keeps back what is delayed; order is never changed, as on a wire."""

    def __init__(self, seed: str, probability: float, longest_delay: float) -> None:
        self._random = random.Random(seed)
        self.probability = probability
        self._longest_delay = longest_delay
        self._held: deque[tuple[float, bytes]] = deque()
        self.faults: Counter[str] = Counter()

    def pass_on(self, data: bytes) -> None:
        """Take a piece of the stream."""
        wait = 0.0
        if data and self._random.random() < self.probability:
            kind = self._random.choice(KINDS)
            self.faults[kind] += 1
            if kind == "delay":
                wait = self._random.uniform(0.0, self._longest_delay)
            else:
                data = self._damage(kind, data)
        ready = time.monotonic() + wait
        if self._held:
            ready = max(ready, self._held[-1][0])
        self._held.append((ready, data))

    def _damage(self, kind: str, data: bytes) -> bytes:
        r = self._random
        start = r.randrange(len(data))
        end = min(len(data), start + r.choice((1, 1, 2, 5, 40)))
        if kind == "drop":
            return data[:start] + data[end:]
        if kind == "duplicate":
            if r.random() < 0.3:
                return data + data  # a whole frame
            return data[:end] + data[start:end] + data[end:]
        if kind == "truncate":
            return data[:start]
        changed = bytearray(data)
        for i in range(start, end):
            changed[i] ^= 1 << r.randrange(8)
        return bytes(changed)

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
    """Wraps a transport. ``probability`` of a fault per written frame and per piece read."""

    def __init__(self, inner: Transport, seed: int, probability: float = 0.05, longest_delay: float = 0.05) -> None:
        self._inner = inner
        self._out = _Direction(f"{seed} out", probability, longest_delay)
        self._in = _Direction(f"{seed} in", probability, longest_delay)

    def set_probability(self, probability: float) -> None:
        self._out.probability = self._in.probability = probability

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
