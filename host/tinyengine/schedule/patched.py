"""Chains with patches: what recomputation adds to the space of stages.

A chain with patches is a path as well: from one *cut* (a position where a single tensor is alive) to the next by row
operators, or over up to LONGEST_PATCH operators at once by a patch. What the rest of the chain must know of it is
little: which rows the last operator makes at a time, because the ring behind it depends on that, and four sums. So
all chains from one start are found position by position, and of those that end in the same way only the ones are kept
that are not worse than another one in everything (labels).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from tinyengine.ir import OpKind
from tinyengine.kernels.streaming.chain import GRAIN, recomputed_macs, row_bytes, row_window
from tinyengine.kernels.streaming.flow import EarlyAddition, Flow, RowWindow, interned
from tinyengine.kernels.streaming.patch import Patches, steps_of, window_of
from tinyengine.kernels.streaming.rows import RowOp
from tinyengine.schedule.cost import cycles
from tinyengine.schedule.space import Option, Space
from tinyengine.sizes import round_up

LONGEST_PATCH = 10
"""Operators inside a patch at most."""

STEPS = 12
"""Rows that a patch makes at a time at most."""

COLUMNS = (1, 2, 4)
"""Columns that a patch makes at a time."""

WIDER = (2, 3, 4, 6, 8)
"""Columns that a patch may make at a time in the end, where memory is left."""

BATCHES = (1, 2, 4)
"""Rows that other operators of a chain with patches make at a time."""

MANY = 60
"""Chains that end alike from which on near ones count as equal."""

LEVELS = (48, 16, 48, 4)
"""How many different values of each sum are told apart then."""

BLOCK = 256
"""Rows that are compared with each other at once."""


@dataclass(frozen=True, eq=False)
class _Piece:
    """What leads from one cut to the next: operators, and what they add to the sums of a chain.

    ``kept``: bytes of the rings between them and of what they keep. ``shared``: scratch memory that others may use as
    well. ``windows``: picture 0 is the piece's input. ``entrance``: pieces with the same number take in rows alike.
    """

    ops: tuple[RowOp, ...]
    firsts: tuple[int, ...]
    windows: tuple[RowWindow, ...]
    stop: int
    kept: int
    shared: int
    macs: int
    cost: int
    entrance: int


@dataclass(frozen=True, eq=False)
class _Labels:
    """Chains up to a cut: ``sums`` (n, 4) with columns KEPT .. COST, and their last pieces and what is before those."""

    sums: np.ndarray
    pieces: list[_Piece]
    before: list[tuple[_Labels, int]]

    def chain(self, index: int) -> list[_Piece]:
        """All pieces of a chain, in order."""
        if not self.pieces:
            return []
        labels, before = self.before[index]
        return [*labels.chain(before), self.pieces[index]]


KEPT, SHARED, MACS, COST = range(4)
"""Bytes of rings and of what operators keep, bytes that operators share, multiply-accumulates executed again,
estimated extra cycles."""

_Grown = tuple[np.ndarray, _Piece, "_Labels", np.ndarray]
"""Sums of chains that a piece has made longer, and which chains those were."""


def _labels(grown: list[_Grown], totals: bool = False) -> _Labels:
    """The best of chains that end alike; with ``totals`` only the sum of kept and shared bytes counts."""
    sums = np.concatenate([each[0] for each in grown])
    counted = sums
    if totals:
        counted = sums.copy()
        counted[:, KEPT] += sums[:, SHARED]
        counted[:, SHARED] = 0
    kept = _best(counted)
    source = np.repeat(np.arange(len(grown)), [len(each[0]) for each in grown])[kept]
    inside = np.concatenate([each[3] for each in grown])[kept]
    return _Labels(
        sums[kept],
        [grown[index][1] for index in source],
        [(grown[index][2], int(row)) for index, row in zip(source, inside, strict=True)],
    )


@dataclass(frozen=True, eq=False)
class _Reached:
    """All chains up to a cut, whatever their ends: that of chain i is ``keys[key_of[i]]``."""

    labels: _Labels
    keys: list[_Key]
    key_of: np.ndarray


def _best_of(states: dict[_Key, list[_Grown]]) -> dict[_Key, _Labels]:
    return {key: _labels(grown) for key, grown in states.items()}


def _together(states: dict[_Key, _Labels]) -> _Reached:
    every = list(states.values())
    return _Reached(
        _Labels(
            np.concatenate([np.empty((0, 4), np.int64), *(labels.sums for labels in every)]),
            [piece for labels in every for piece in labels.pieces],
            [before for labels in every for before in labels.before],
        ),
        list(states),
        np.repeat(np.arange(len(every)), [len(labels.sums) for labels in every]),
    )


class Patched:
    """All chains with patches of ``space``; no patch executes more than ``most`` multiply-accumulates again."""

    def __init__(self, space: Space, most: int) -> None:
        self.space = space
        self.most = most
        self._made = Patches(space.graph, space.target)
        self._pieces: dict[tuple[int, bool], list[_Piece]] = {}
        self._rings: dict[tuple[_Key, int], int] = {}
        self._entrances: dict[tuple[int, int, RowWindow], int] = {}

    def options(self, start: int, limit: int, spare: int) -> list[Option]:
        """Those that begin at ``start``, need at most ``limit`` bytes and execute at most ``spare``
        multiply-accumulates again; none worse than another one in everything."""
        space = self.space
        x = space.alone(start)
        if x is None or not space.narrow(start):
            return []
        pushed = space.pushed and start == 0
        beside = space.beside(start, x)
        x_bytes = 0 if pushed else space.aligned_bytes(x)
        states: dict[int, dict[_Key, list[_Grown]]] = {}
        ends: dict[int, list[_Grown]] = {}
        for position in range(start, space.size):
            reached = _together({_START: _ORIGIN} if position == start else _best_of(states.pop(position, {})))
            if not len(reached.labels.sums):
                continue
            for piece in self._from(position, position > start or pushed):
                y_bytes = max(space.aligned_bytes(piece.ops[-1].y), x_bytes)
                sums = reached.labels.sums + np.array([piece.kept, 0, piece.macs, piece.cost])
                if position > start or pushed:
                    rings = np.array([self._ring(key, piece) for key in reached.keys])
                    sums[:, KEPT] += rings[reached.key_of]
                sums[:, SHARED] = np.maximum(sums[:, SHARED], piece.shared)
                total = sums[:, KEPT] + sums[:, SHARED] + beside
                rows = np.flatnonzero((sums[:, MACS] <= spare) & (total + x_bytes <= limit))
                if len(rows) and space.narrow(piece.stop):
                    longer = sums[rows], piece, reached.labels, rows
                    states.setdefault(piece.stop, {}).setdefault(_key(piece.windows[-1]), []).append(longer)
                rows = rows[total[rows] + y_bytes <= limit]
                if len(rows):
                    ends.setdefault(piece.stop, []).append((sums[rows], piece, reached.labels, rows))
        options = []
        for stop, grown in ends.items():
            best = _labels(grown, totals=True)
            for index in range(len(best.sums)):
                option = self._option(start, stop, best.chain(index), best.sums[index], limit)
                if option is not None:
                    options.append(option)
        return options

    def _option(self, start: int, stop: int, pieces: list[_Piece], sums: np.ndarray, limit: int) -> Option | None:
        """The finished chain; its need is exact (Space.chain_need)."""
        ops = [op for piece in pieces for op in piece.ops]
        windows: list[RowWindow] = []
        for piece in pieces:
            windows += _shifted(piece.windows, len(windows))
        need, activations = self.space.chain_need(start, ops, Flow.of(windows))
        if need > limit:
            return None
        return Option(
            start,
            stop,
            need,
            int(sums[COST]),
            tuple(ops),
            tuple(first for piece in pieces for first in piece.firsts),
            max(op.rows for op in ops),
            recomputed=int(sums[MACS]),
            activations=activations,
        )

    def widened(self, option: Option, spare: int, spare_values: int) -> Option:
        """``option`` with patches that make as many columns at a time as pays, where operators may share ``spare``
        bytes more than they do, ``spare_values`` of them for values."""
        shared = [op for op in option.ops if not op.keeps_scratch]
        if not any(op.columns for op in shared):
            return option
        scratch = max(round_up(op.scratch_bytes, GRAIN) for op in shared) + spare
        values = max(op.activation_bytes for op in shared) + spare_values
        ops, cost = [], option.cost
        for op in option.ops:
            best: tuple[int, RowOp] | None = None
            for columns in (op.columns, *WIDER) if op.columns else ():
                wide = self._made.patch(op.ops, op.x, op.rows, columns)
                assert wide is not None
                if columns == op.columns or (wide.scratch_bytes <= scratch and wide.activation_bytes <= values):
                    taken = cycles(wide.work, self.space.target)
                    if best is None:
                        cost -= taken
                    if best is None or taken < best[0]:
                        best = taken, wide
            ops.append(best[1] if best else op)
            cost += best[0] if best else 0
        return replace(option, ops=tuple(ops), cost=cost)

    def _ring(self, key: _Key, piece: _Piece) -> int:
        """Bytes of the ring between operators that end with ``key`` and a piece."""
        place = key, piece.entrance
        if place not in self._rings:
            windows = piece.windows
            if key == _START:  # a pushed input
                keep = Flow.of(windows).keep[0]
            else:
                rows, first, out_rows = key
                front = interned(in_rows=out_rows, out_rows=out_rows, rows=rows, first=first)
                keep = Flow.of([front, *_shifted(windows, 1)]).keep[1]
            self._rings[place] = round_up(keep * row_bytes(piece.ops[0].in_shape), GRAIN)
        return self._rings[place]

    def _entrance(self, position: int, stop: int, window: RowWindow) -> int:
        """A number for all pieces between two cuts that read rows alike; ``window`` is that of the last operator."""
        return self._entrances.setdefault((position, stop, window), len(self._entrances))

    # --- pieces ---

    def _from(self, position: int, ring: bool) -> list[_Piece]:
        """All pieces that begin at a cut."""
        if (position, ring) not in self._pieces:
            pieces = [*self._plain(position, ring), *self._patches(position)]
            self._pieces[position, ring] = pieces
        return self._pieces[position, ring]

    def _plain(self, position: int, ring: bool) -> Iterator[_Piece]:
        """Row operators up to the next cut, the longest groups first; in front of it every group that ends in one."""
        space = self.space
        for batch in BATCHES:
            for links in space.runs(position, ring, batch):
                ops = tuple(link.op for link in links)
                firsts = tuple(link.first for link in links)
                pictures = [ops[0].x, *(op.y for op in ops)]
                skips = [None if op.skip is None else pictures.index(op.skip) for op in ops]
                windows = tuple(row_window(op, skip, first) for op, skip, first in zip(ops, skips, firsts, strict=True))
                try:
                    keep = Flow.of(windows).keep
                except EarlyAddition:
                    continue
                yield _Piece(
                    ops,
                    firsts,
                    windows,
                    links[-1].stop,
                    sum(round_up(n * row_bytes(op.in_shape), GRAIN) for op, n in zip(ops[1:], keep[1:], strict=True))
                    + sum(round_up(op.scratch_bytes, GRAIN) for op in ops if op.keeps_scratch),
                    max((round_up(op.scratch_bytes, GRAIN) for op in ops if not op.keeps_scratch), default=0),
                    0,
                    sum(link.cost for link in links),
                    self._entrance(position, links[-1].stop, windows[-1]),
                )

    def _patches(self, position: int) -> Iterator[_Piece]:
        space, x = self.space, self.space.alone(position)
        operators = space.graph.operators
        if x is None or operators[position].kind is not OpKind.CONV_2D:
            return
        for stop in range(position + 2, min(position + LONGEST_PATCH, space.size) + 1):
            ops = operators[position:stop]
            if space.alone(stop) is None or all(window_of(op).kernel[0] == 1 for op in ops[1:]):
                continue
            found: list[_Piece] = []
            for rows in steps_of(space.graph.tensor(ops[-1].outputs[0]).hwc()[0], STEPS):
                for columns in COLUMNS:
                    op = self._made.patch(ops, x, rows, columns)
                    if op is None:
                        return
                    macs = recomputed_macs(op, op.rows)
                    if macs <= self.most:
                        cost = space.extra_cycles(op, position)
                        window = row_window(op, None, op.rows)
                        shared, entrance = round_up(op.scratch_bytes, GRAIN), self._entrance(position, stop, window)
                        found.append(_Piece((op,), (op.rows,), (window,), stop, 0, shared, macs, cost, entrance))
            yield from found


_Key = tuple[int, int, int]
"""How rows come to the ring behind an operator: at a time, at first, and all together."""

_START: _Key = (0, 0, 0)
_ORIGIN = _Labels(np.zeros((1, 4), np.int64), [], [])


def _key(window: RowWindow) -> _Key:
    return window.rows, window.first, window.out_rows


def _shifted(windows: tuple[RowWindow, ...], pictures: int) -> list[RowWindow]:
    return [window if window.skip is None else replace(window, skip=window.skip + pictures) for window in windows]


def _best(sums: np.ndarray) -> np.ndarray:
    """Rows that no other one equals or undercuts in everything; where there are many, near ones count as equal."""
    order = np.lexsort(sums.T[::-1])
    if len(order) > MANY:
        low = sums.min(axis=0)
        spread = np.maximum(sums.max(axis=0) - low, 1)
        rounded = np.ceil(LEVELS * np.sqrt((sums - low) / spread)).astype(np.int64)  # small sums are told apart better
        order = np.lexsort((*sums.T[::-1], *rounded.T[::-1]))
        sums = rounded
    ordered = sums[order]
    new = np.append(True, (ordered[1:] != ordered[:-1]).any(axis=1))
    order, ordered = order[new], ordered[new]
    kept = np.empty(0, np.int64)
    for first in range(0, len(order), BLOCK):  # a row can only be undercut by one before it
        block = np.arange(first, min(first + BLOCK, len(order)))
        block = block[~_undercut(ordered[block], ordered[kept]).any(axis=1)]
        block = block[~np.tril(_undercut(ordered[block], ordered[block]), -1).any(axis=1)]
        kept = np.concatenate([kept, block])
    return order[kept]


def _undercut(rows: np.ndarray, others: np.ndarray) -> np.ndarray:
    """By which of ``others`` each of ``rows`` is undercut or equalled, bool (rows, others); in the first column by all,
    for they are sorted."""
    found = others[:, 1] <= rows[:, 1, None]
    for column in range(2, rows.shape[1]):
        found &= others[:, column] <= rows[:, column, None]
    return found
