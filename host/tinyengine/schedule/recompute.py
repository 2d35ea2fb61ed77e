"""Schedules that may execute multiply-accumulates again: the smallest peak under a cap on them, and the least time.

The stages are those of the space and chains with patches (patched.py). A stage's need does not depend on the others,
and what is executed again adds up. So for one peak the least work is a shortest path, the least peak under a cap on
work is found by bisection over the stages' needs, and the least time under both caps is a shortest path with a second
resource: per position only those beginnings are kept that no other one equals or undercuts in work and in time. All of
this is exact; what it leaves open is placement, as in search.py.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator

from tinyengine.ir.operators import total_macs
from tinyengine.schedule.patched import Patched
from tinyengine.schedule.space import NEVER, Option, Space

SHARES = (0.25, 0.35, 0.5, 0.7, 1.0)
"""Limits that are tried one after the other, as shares of the largest one."""

Options = list[list[Option]]
"""Per position, the stages that begin there."""


def allowance(space: Space, max_recompute: float) -> int:
    """Multiply-accumulates that may be executed again if all together are at most ``max_recompute`` times the nominal
    ones."""
    return int((max_recompute - 1) * total_macs(space.graph) + 1e-6)


def options_below(patched: Patched, limit: int, spare: int) -> Options:
    """All stages on paths from the beginning that need at most ``limit`` bytes and together execute at most ``spare``
    multiply-accumulates again."""
    space = patched.space
    options: Options = []
    work = [0] + [NEVER * NEVER] * space.size  # the least on the way to each position
    for position in range(space.size):
        here: list[Option] = []
        left = spare - work[position]
        if left >= 0:  # else nothing leads there
            here += space.options(position, limit)
        if left > 0:
            here += patched.options(position, limit, left)
        for option in here:
            work[option.stop] = min(work[option.stop], work[position] + option.recomputed)
        options.append(here)
    return options


def least_peak(patched: Patched, limit: int, spare: int) -> tuple[int | None, Options]:
    """The smallest peak up to ``limit`` of all paths that execute at most ``spare`` multiply-accumulates again, and
    stages among which such a path is; None without a path.

    Low limits first: the fewer bytes are allowed, the fewer chains there are.
    """
    for share in SHARES:
        options = options_below(patched, int(limit * share), spare)
        peaks = sorted({option.need for here in options for option in here})
        found = bisect_left(peaks, True, key=lambda peak: least_work(options, peak) <= spare)
        if found < len(peaks):
            return peaks[found], options
    return None, []


def least_work(options: Options, peak: int) -> int:
    """The fewest multiply-accumulates that a path below ``peak`` executes again; NEVER or more without a path."""
    best = [0] + [NEVER * NEVER] * len(options)
    for position, here in enumerate(options):
        for option in here:
            if option.need <= peak:
                best[option.stop] = min(best[option.stop], best[position] + option.recomputed)
    return best[-1]


def cheapest_within(options: Options, peak: int, spare: int) -> list[Option]:
    """The path with the least cost whose stages need at most ``peak`` bytes each and together execute at most
    ``spare`` multiply-accumulates again; empty if there is none. Of equally cheap ones that with fewer stages."""
    beginnings: list[list[tuple[int, int, int, list[Option]]]] = [[] for _ in range(len(options) + 1)]
    beginnings[0] = [(0, 0, 0, [])]
    for position, here in enumerate(options):
        usable = [option for option in here if option.need <= peak]
        for cost, stages, work, path in _undominated(beginnings[position]) if usable else ():
            for option in usable:
                if work + option.recomputed <= spare:
                    grown = cost + option.cost, stages + 1, work + option.recomputed, [*path, option]
                    beginnings[option.stop].append(grown)
        beginnings[position] = []
    return min(beginnings[-1], key=lambda end: end[:3], default=(0, 0, 0, []))[3]


def _undominated(
    beginnings: list[tuple[int, int, int, list[Option]]],
) -> Iterator[tuple[int, int, int, list[Option]]]:
    """From the cheapest on, those with less work than all cheaper ones."""
    least = None
    for beginning in sorted(beginnings, key=lambda each: each[:3]):
        if least is None or beginning[2] < least:
            least = beginning[2]
            yield beginning
