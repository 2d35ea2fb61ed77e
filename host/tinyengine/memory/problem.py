"""The placement problem as plain integers, for the searches in greedy.py and exact.py.

All sizes and addresses are counted in *grains*, the greatest common divisor of the alignments: rounding a size up to
whole grains loses nothing, since the next buffer starts at a whole grain anyway.

Two buffers i, j that meet in time are kept apart by a *gap* of three alternatives:

    x[i] >= x[j] + above    i lies above j
    x[j] >= x[i] + below    j lies above i
    x[i] == x[j]            only where an exact overlap rule says so

Without a rule, above = size[j] and below = size[i]: disjoint. A rule of distance D with i the input and j the output
makes ``above`` the smaller min(size[j], D), maybe negative. Everything after this file knows gaps and no rules.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, reduce
from math import gcd
from operator import add
from typing import NamedTuple

from tinyengine.memory.lifetime import Buffer, OverlapRule
from tinyengine.sizes import ceil_div, round_up


class Gap(NamedTuple):
    """What keeps i away from j; see above."""

    above: int
    below: int
    same: bool


@dataclass(frozen=True)
class Problem:
    """Buffers 0 .. n-1 with sizes and alignments in grains; ``gaps[i][j]`` exists where i and j constrain each other.

    ``first`` and ``last`` are steps. ``groups`` are sets of buffers that are all alive in one step, only maximal ones.
    """

    sizes: list[int]
    aligns: list[int]
    first: list[int]
    last: list[int]
    gaps: list[dict[int, Gap]]
    groups: list[frozenset[int]]

    def __len__(self) -> int:
        return len(self.sizes)

    def subset(self, members: Sequence[int], *, aligned: bool = True) -> Problem:
        """The problem of ``members`` alone, renumbered in their order; ``aligned`` False forgets the alignments."""
        index = {member: i for i, member in enumerate(members)}
        groups = {frozenset(index[i] for i in group if i in index) for group in self.groups}
        return Problem(
            [self.sizes[i] for i in members],
            [self.aligns[i] if aligned else 1 for i in members],
            [self.first[i] for i in members],
            [self.last[i] for i in members],
            [{index[j]: gap for j, gap in self.gaps[i].items() if j in index} for i in members],
            _maximal(groups),
        )

    def components(self) -> list[list[int]]:
        """Sets of buffers that constrain each other, directly or through others; sorted."""
        seen: set[int] = set()
        parts = []
        for start in range(len(self)):
            if start in seen:
                continue
            part, stack = {start}, [start]
            while stack:
                new = self.gaps[stack.pop()].keys() - part
                part |= new
                stack.extend(new)
            seen |= part
            parts.append(sorted(part))
        return parts

    @property
    def pairs(self) -> int:
        """How many pairs of buffers constrain each other: the measure of work."""
        return sum(len(gaps) for gaps in self.gaps) // 2

    @cached_property
    def forbids(self) -> list[tuple[list[tuple[int, int, int]], list[int]]]:
        """Per buffer i: (j, above, below) of its gaps, and those j whose address it may have as well."""
        return [
            (
                [(j, gap.above, gap.below) for j, gap in gaps.items()],
                [j for j, gap in gaps.items() if gap.same],
            )
            for gaps in self.gaps
        ]

    def total(self, addresses: Sequence[int]) -> int:
        return max(map(add, addresses, self.sizes), default=0)


def make_problem(buffers: Sequence[Buffer], rules: Sequence[OverlapRule]) -> tuple[Problem, int]:
    """The problem and the bytes per grain. Raises ValueError for buffers or rules that make no sense."""
    index = {buffer.name: i for i, buffer in enumerate(buffers)}
    if len(index) < len(buffers):
        raise ValueError("two buffers have the same name")
    for buffer in buffers:
        if buffer.size < 0 or buffer.align < 1 or buffer.first > buffer.last:
            raise ValueError(f"buffer {buffer.name} has a negative size, no alignment, or ends before it begins")
    by_pair: dict[tuple[int, int], OverlapRule] = {}
    for rule in rules:
        i, j = index[rule.before], index[rule.after]
        if i == j or (i, j) in by_pair or (j, i) in by_pair:
            raise ValueError(f"more than one overlap rule between {rule.before} and {rule.after}")
        by_pair[i, j] = rule

    grain = reduce(gcd, (buffer.align for buffer in buffers), 0) or 1
    sizes = [ceil_div(buffer.size, grain) for buffer in buffers]
    groups = live_groups(buffers)
    gaps: list[dict[int, Gap]] = [{} for _ in buffers]
    for group in groups:
        for i in group:
            for j in group:
                if i < j and j not in gaps[i]:
                    gap = _gap(i, j, sizes, by_pair, grain)
                    if gap.above + gap.below > 1:  # else every pair of addresses satisfies it
                        gaps[i][j] = gap
                        gaps[j][i] = Gap(gap.below, gap.above, gap.same)
    aligns = [buffer.align // grain for buffer in buffers]
    return Problem(sizes, aligns, [b.first for b in buffers], [b.last for b in buffers], gaps, groups), grain


def _gap(i: int, j: int, sizes: list[int], rules: dict[tuple[int, int], OverlapRule], grain: int) -> Gap:
    above, below, same = sizes[j], sizes[i], False
    if rule := rules.get((i, j)):  # j is the output: x[j] <= x[i] - distance
        same = rule.exact
        above = above if rule.exact else min(above, ceil_div(rule.distance, grain))
    elif rule := rules.get((j, i)):
        same = rule.exact
        below = below if rule.exact else min(below, ceil_div(rule.distance, grain))
    return Gap(above, below, same)


def live_groups(buffers: Sequence[Buffer]) -> list[frozenset[int]]:
    """The sets of (not empty) buffers that are alive together in some step, only the maximal ones."""
    births = sorted({buffer.first for buffer in buffers})  # a set can only grow where a buffer is born
    return _maximal({frozenset(i for i, b in enumerate(buffers) if b.size and b.alive(step)) for step in births})


def _maximal(groups: set[frozenset[int]]) -> list[frozenset[int]]:
    ordered = sorted(groups, key=lambda group: (-len(group), sorted(group)))
    holders: dict[int, list[frozenset[int]]] = {}
    kept = []
    for group in ordered:
        if not group or any(group <= other for other in holders.get(min(group), ())):
            continue
        kept.append(group)
        for member in group:
            holders.setdefault(member, []).append(group)
    return kept


def round_down(value: int, align: int) -> int:
    return value // align * align


def allowed(problem: Problem, i: int, x: int, addresses: Sequence[int | None]) -> bool:
    """Whether buffer i may lie at x, given the buffers that have addresses."""
    for j, (above, below, same) in problem.gaps[i].items():
        y = addresses[j]
        if y is not None and x < y + above and y < x + below and not (same and x == y):
            return False
    return x >= 0 and x % problem.aligns[i] == 0


def lowest_fit(problem: Problem, i: int, addresses: Sequence[int | None]) -> int:
    """The lowest allowed address of i: 0, or just above a buffer that has an address, or the same as one."""
    align, (neighbours, same) = problem.aligns[i], problem.forbids[i]
    x = 0
    # forbidden: low < x < high
    for low, high in sorted(
        [(y - below, y + above) for j, above, below in neighbours if (y := addresses[j]) is not None]
    ):
        if x <= low:
            break
        if x < high:
            x = round_up(high, align)
    if same:
        shared = (y for j in same if (y := addresses[j]) is not None and y < x and allowed(problem, i, y, addresses))
        return min(shared, default=x)
    return x


def moved_fit(
    problem: Problem, order: Sequence[int], target: int, before: Sequence[int], most: int
) -> list[int] | None:
    """What ``first_fit`` gives for ``order``, in which one buffer has moved to an earlier place, ``target``, since it
    gave ``before``; None if the total exceeds ``most``, which ``before`` does not.

    A buffer lies where it lay unless a neighbour in front of it is the mover, or lies elsewhere itself: most do.
    """
    addresses: list[int | None] = [None] * len(problem)
    for i in order[:target]:
        addresses[i] = before[i]
    mover = order[target]
    disturbed = {mover, *problem.gaps[mover]}
    for i in order[target:]:
        if i not in disturbed:
            addresses[i] = before[i]
            continue
        addresses[i] = x = lowest_fit(problem, i, addresses)
        if x + problem.sizes[i] > most:
            return None
        if x != before[i]:
            disturbed.update(problem.gaps[i])
    return [x for x in addresses if x is not None]


def first_fit(problem: Problem, order: Sequence[int]) -> list[int]:
    """Place the buffers one after the other, each at the lowest allowed address."""
    addresses: list[int | None] = [None] * len(problem)
    for i in order:
        addresses[i] = lowest_fit(problem, i, addresses)
    return [x for x in addresses if x is not None]
