"""Chains of row operators: when each row is computed, and how many rows each picture has to keep.

A chain computes pictures 0 .. n by n row operators; operator i makes rows of picture i + 1 from rows of picture i (and,
for a residual, one row of an earlier picture, its *skip*). When a row arrives at a picture, the operator that reads it
runs for every output row that has become possible, and each row it makes arrives at the next picture at once, depth
first. ``te_chain.c`` does the same; nothing else decides the order, so that the host knows it exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tinyengine.kernels.base import Access


@dataclass(frozen=True)
class RowWindow:
    """How rows of an operator depend on rows of its input: row r reads r * stride - pad_top and ``reach`` rows from
    there, as far as they are inside the picture; ``skip`` is the picture of which row r is added, or None."""

    in_rows: int
    out_rows: int
    reach: int = 1
    stride: int = 1
    pad_top: int = 0
    skip: int | None = None

    def first(self, row: int) -> int:
        """First input row that output row ``row`` reads."""
        return min(max(row * self.stride - self.pad_top, 0), self.in_rows)

    def need(self, row: int) -> int:
        """Input rows that must have arrived before output row ``row`` can be computed."""
        return max(min(row * self.stride - self.pad_top + self.reach, self.in_rows), 0)


@dataclass(frozen=True)
class RowEvent:
    """Operator ``index`` computes output row ``row`` while ``arrived[p]`` rows of each picture p are there."""

    index: int
    row: int
    arrived: tuple[int, ...]


def simulate(windows: Sequence[RowWindow]) -> list[RowEvent]:
    """The order in which the rows of a chain are computed when the rows of picture 0 arrive one by one."""
    arrived = [0] * (len(windows) + 1)
    events: list[RowEvent] = []

    def arrive(picture: int) -> None:
        arrived[picture] += 1
        if picture == len(windows):
            return
        window = windows[picture]
        while arrived[picture + 1] < window.out_rows and window.need(arrived[picture + 1]) <= arrived[picture]:
            events.append(RowEvent(picture, arrived[picture + 1], tuple(arrived)))
            arrive(picture + 1)

    for _ in range(windows[0].in_rows):
        arrive(0)
    if arrived[1:] != [window.out_rows for window in windows]:
        raise ValueError(f"the chain stops early: {arrived} rows of {[w.out_rows for w in windows]}")
    return events


def capacities(windows: Sequence[RowWindow], events: Sequence[RowEvent]) -> list[int]:
    """Rows that each picture but the last must keep: from the oldest row still read to the newest that arrived."""
    keep = [1] * len(windows)
    for event in events:
        window = windows[event.index]
        keep[event.index] = max(keep[event.index], event.arrived[event.index] - window.first(event.row))
        if window.skip is not None:
            keep[window.skip] = max(keep[window.skip], event.arrived[window.skip] - event.row)
    return keep


def resident_access(
    windows: Sequence[RowWindow], events: Sequence[RowEvent], in_row_bytes: int, out_row_bytes: int
) -> Access:
    """What the chain reads of a resident picture 0 and writes of the last picture, event by event."""
    last = len(windows) - 1
    reads: list[tuple[int, int]] = []
    writes: list[tuple[int, int]] = []
    for event in events:
        window = windows[event.index]
        read = (0, 0)
        if event.index == 0:
            read = (window.first(event.row), window.need(event.row))
        if window.skip == 0:
            row = (event.row, event.row + 1)
            read = row if read[0] == read[1] else (min(read[0], row[0]), max(read[1], row[1]))
        write = (event.row, event.row + 1) if event.index == last else (0, 0)
        if read[0] != read[1] or write[0] != write[1]:
            reads.append(read)
            writes.append(write)
    r = np.array(reads, np.int64).reshape(-1, 2) * in_row_bytes
    w = np.array(writes, np.int64).reshape(-1, 2) * out_row_bytes
    return Access(((r[:, 0], r[:, 1]),), (w[:, 0], w[:, 1]))
