"""Chains of row operators: when each row is computed, and how many rows each picture has to keep.

A chain computes pictures 1 .. n by n row operators: operator i makes rows of picture i + 1 from rows of picture i (and,
for a residual, from one row of an earlier picture, its *skip*). An operator works in batches of rows, and each batch
runs as soon as the rows under its window are there; before its input grows any further, the operators behind it run as
far as they can (te_rows.h). Nothing else decides the order, so that the host knows it exactly:

- :func:`simulate` follows the rule literally, batch by batch. Slow and obvious.
- :class:`Flow` says the same in closed form. It grows operator by operator, which the search needs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from tinyengine.kernels.base import Access
from tinyengine.kernels.streaming.rows import Order


class EarlyAddition(ValueError):
    """A batch would read rows of its *skip* that do not exist yet.

    The controller waits for the rows under a window alone, and what is added nearly always exists by then. But padding
    can make many rows of few: a 1x1 convolution with stride 2 never looks at the last row of its input, and if windows
    that reach far into their padding bring the picture back to its old height, that row would be added before it comes.
    """


@dataclass(frozen=True)
class RowWindow:
    """How rows of an operator depend on rows of its input; the fields are those of te_row_op.

    Output row r reads the input rows r * stride - pad_top and ``reach`` - 1 more as far as they are inside the picture,
    and row r of picture ``skip``. ``out_rows`` counts requests: an operator that ``accumulates`` is asked once per
    input row and has its only row with the last. ``consumes``: see kernels.rows.RowOp.
    """

    in_rows: int
    out_rows: int
    reach: int = 1
    stride: int = 1
    pad_top: int = 0
    skip: int | None = None
    rows: int = 1
    first: int = 1
    accumulates: bool = False
    consumes: bool = False
    order: Order = Order.READS_FIRST

    @cached_property
    def ends(self) -> np.ndarray:
        """Output rows done after each batch."""
        return np.append(np.arange(min(self.first, self.out_rows), self.out_rows, self.rows), self.out_rows)

    @cached_property
    def starts(self) -> np.ndarray:
        """First output row of each batch."""
        return np.append(0, self.ends[:-1])

    @cached_property
    def arrivals(self) -> np.ndarray:
        """Rows of the output picture that exist after each batch."""
        return np.append(np.zeros(len(self.ends) - 1, np.int64), 1) if self.accumulates else self.ends

    @cached_property
    def lowest(self) -> np.ndarray:
        """Of each batch, the first input row under its windows."""
        return np.clip(self.starts * self.stride - self.pad_top, 0, self.in_rows)

    @cached_property
    def need(self) -> np.ndarray:
        """Of each batch, how many input rows must exist."""
        return np.clip((self.ends - 1) * self.stride - self.pad_top + self.reach, 1, self.in_rows)

    @cached_property
    def oldest(self) -> np.ndarray:
        """Of each batch, the input row from which on rows must not lie under younger ones; may be negative."""
        return self.starts * self.stride - self.pad_top if self.consumes else self.lowest


@lru_cache(maxsize=1 << 14)
def interned(**fields: Any) -> RowWindow:
    """The RowWindow with these fields: equal ones are one, so that what follows from them is computed once."""
    return RowWindow(**fields)


@lru_cache
def _one_by_one(rows: int) -> np.ndarray:
    """How many rows exist after each has arrived."""
    return np.arange(1, rows + 1)


@dataclass(frozen=True)
class RowEvent:
    """Operator ``index`` runs its batch ``batch`` while ``arrived[p]`` rows of each picture p exist."""

    index: int
    batch: int
    arrived: tuple[int, ...]


def simulate(windows: Sequence[RowWindow]) -> list[RowEvent]:
    """The order in which the batches of a chain run when the rows of picture 0 arrive one by one.

    ValueError if it never ends, EarlyAddition if it adds what does not exist.
    """
    arrived = [0] * (len(windows) + 1)
    done = [0] * len(windows)
    events: list[RowEvent] = []

    def advance(index: int) -> None:
        if index == len(windows):
            return
        window = windows[index]
        while done[index] < len(window.ends) and window.need[done[index]] <= arrived[index]:
            if window.skip is not None and arrived[window.skip] < window.ends[done[index]]:
                raise EarlyAddition(f"operator {index} adds rows of picture {window.skip} too early")
            events.append(RowEvent(index, done[index], tuple(arrived)))
            arrived[index + 1] = int(window.arrivals[done[index]])
            done[index] += 1
            advance(index + 1)

    for _ in range(windows[0].in_rows):
        arrived[0] += 1
        advance(0)
    if done != [len(window.ends) for window in windows]:
        raise ValueError(f"the chain stops early: {arrived} rows of {[int(w.arrivals[-1]) for w in windows]}")
    return events


def capacities(windows: Sequence[RowWindow], events: Sequence[RowEvent]) -> list[int]:
    """Rows that each picture but the last must keep: from the oldest row still read to the newest that exists."""
    keep = [1] * len(windows)
    for event in events:
        window = windows[event.index]
        keep[event.index] = max(keep[event.index], event.arrived[event.index] - int(window.oldest[event.batch]))
        if window.skip is not None:
            keep[window.skip] = max(keep[window.skip], event.arrived[window.skip] - int(window.starts[event.batch]))
    return keep


def resident_access(
    windows: Sequence[RowWindow], events: Sequence[RowEvent], in_row_bytes: int, out_row_bytes: int
) -> Access:
    """What the chain reads of a resident picture 0 and writes of the last picture, batch by batch.

    A batch in which reads and writes alternate becomes two blocks (kernels.access.interleaved); the empty block in
    front makes one that works in step right from the first block on (kernels.access.in_step).
    """
    last = len(windows) - 1
    reads: list[tuple[int, int]] = [(0, 0)]
    writes: list[tuple[int, int]] = [(0, 0)]
    for event in events:
        window = windows[event.index]
        rows = int(window.starts[event.batch]), int(window.ends[event.batch])
        spans = []
        if event.index == 0:
            spans.append((int(window.lowest[event.batch]), int(window.need[event.batch])))
        if window.skip == 0:
            spans.append(rows)
        spans = [span for span in spans if span[0] < span[1]]
        read = (min(low for low, _ in spans), max(high for _, high in spans)) if spans else (0, 0)
        low, high = read[0] * in_row_bytes, read[1] * in_row_bytes
        write = (0, 0)
        if event.index == last:
            if not window.accumulates:
                write = rows[0] * out_row_bytes, rows[1] * out_row_bytes
            elif event.batch == len(window.ends) - 1:
                write = 0, out_row_bytes
        if spans and write[0] < write[1] and window.order is Order.INTERLEAVED:
            reads += [(low, low), (low, high)]
            writes += [(write[0], write[1] - 1), (write[1] - 1, write[1])]
        elif spans or write[0] < write[1]:
            reads.append((low, high))
            writes.append(write)
    r, w = (np.array(pairs, np.int64) for pairs in (reads, writes))
    return Access(((r[:, 0], r[:, 1]),), ((w[:, 0], w[:, 1]),))


@dataclass(frozen=True, eq=False)
class Flow:
    """A chain of ``windows`` in closed form.

    ``done[p]``: of each batch of the last operator, the index of the last batch that has made rows of picture p by
    then (of picture 0, whose rows come one by one: the index of the row). ``keep``: what :func:`capacities` gives.
    """

    windows: tuple[RowWindow, ...]
    done: tuple[np.ndarray, ...]
    keep: tuple[int, ...]

    @staticmethod
    def of(windows: Sequence[RowWindow]) -> Flow:
        """The flow of a whole chain; ValueError as :func:`simulate`."""
        flow = _EMPTY
        for window in windows:
            flow = flow.then(window)
        return flow

    def then(self, window: RowWindow) -> Flow:
        """The chain with one more operator at its end."""
        picture = len(self.windows)
        arrivals = self._arrivals(picture, window.in_rows)
        at = np.searchsorted(arrivals, window.need)
        if at[-1] == len(arrivals):
            raise ValueError(f"the chain stops early: picture {picture} has {arrivals[-1]} of {window.in_rows} rows")
        done = (*(batches[at] for batches in self.done), at)
        keep = [*self.keep, max(1, int((arrivals[at] - window.oldest).max()))]
        if (skip := window.skip) is not None:
            exist = self._arrivals(skip, window.in_rows)[done[skip]]
            if (exist < window.ends).any():
                raise EarlyAddition(f"operator {picture} adds rows of picture {skip} too early")
            keep[skip] = max(keep[skip], int((exist - window.starts).max()))
        return Flow((*self.windows, window), done, tuple(keep))

    def _arrivals(self, picture: int, rows: int) -> np.ndarray:
        if picture:
            return self.windows[picture - 1].arrivals
        return _one_by_one(self.windows[0].in_rows if self.windows else rows)

    def distance(self, in_row_bytes: int, out_row_bytes: int) -> int:
        """How far a resident input must lie behind a resident output: D of kernels.base.Overlap, at least 0."""
        last = self.windows[-1]
        written = last.arrivals * out_row_bytes
        still_read = np.full(len(written), np.iinfo(np.int64).max // 2)
        for index, window in enumerate(self.windows):
            if index and window.skip != 0:
                continue
            lowest = window.lowest if index == 0 else window.starts
            if window.skip == 0:
                lowest = np.minimum(lowest, window.starts)
            after = np.append(lowest * in_row_bytes, np.iinfo(np.int64).max // 2)
            if index + 1 == len(self.windows):
                if window.order is Order.INTERLEAVED:
                    still_read = np.minimum(still_read, after[:-1] + 1)
                still_read = np.minimum(still_read, after[1:])
            else:
                still_read = np.minimum(still_read, after[self.done[index + 1] + 1])
        return max(0, int((written - still_read).max()))


_EMPTY = Flow((), (), ())
