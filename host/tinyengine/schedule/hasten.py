"""Time under a given arena: a schedule that fits is made faster part by part, as long as it still fits.

The arena's size is decided by one stage or two. Everywhere else memory is free, and buys time: layers in place of
chains, kernels with more scratch memory, more rows at a time in chains.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from tinyengine.schedule.space import Option, Space

TRIALS = 40
"""Changes that are placed at most in each part of the search."""

WORTH = 5000
"""Changes that save less than this part of the fastest layers' time are not tried."""

Path = list[Option]
Fits = Callable[[Path], bool]
"""Whether the arena of a schedule is small enough."""


def hastened(space: Space, path: Path, others: Iterable[Path], limit: int, fits: Fits) -> Path:
    """``path``, which fits, made faster: by parts of ``others``, by single stages that need at most ``limit`` bytes,
    and by other batches of rows within chains. No stage becomes slower."""
    least = 1 + space.total_cycles // WORTH
    for other in others:
        path = _crossed(path, other, least, fits)
    path = _swapped(space, path, limit, least, fits)
    return _tuned(space, path, limit, least, fits)


def _crossed(path: Path, other: Path, least: int, fits: Fits) -> Path:
    """Parts of ``other`` that begin and end where stages of ``path`` do."""
    gains: list[tuple[int, int, int, Path]] = []
    ends = {option.stop for option in other}
    part: Path = []
    index = 0
    for option in path:
        part.append(option)
        if option.stop not in ends:
            continue
        instead: Path = []
        while not instead or instead[-1].stop < option.stop:
            instead.append(other[index])
            index += 1
        gains.append((_cost(part) - _cost(instead), part[0].start, option.stop, instead))
        part = []
    for _, start, stop, instead in sorted((g for g in gains if g[0] >= least), key=lambda g: -g[0])[:TRIALS]:
        changed = [
            *(option for option in path if option.stop <= start),
            *instead,
            *(option for option in path if option.start >= stop),
        ]
        if fits(changed):
            path = changed
    return path


def _swapped(space: Space, path: Path, limit: int, least: int, fits: Fits) -> Path:
    """Stages replaced by others over the same operators."""
    swaps = [
        (stage.cost - option.cost, index, option)
        for index, stage in enumerate(path)
        for option in space.options(stage.start, limit)
        if option.stop == stage.stop
    ]
    swaps = [swap for swap in swaps if swap[0] >= least]
    for _, index, option in sorted(swaps, key=lambda swap: (-swap[0], swap[1]))[:TRIALS]:
        if option.cost < path[index].cost:
            path = _tried(path, index, option, fits)
    return path


def _tuned(space: Space, path: Path, limit: int, least: int, fits: Fits) -> Path:
    """Chains whose operators make other batches of rows, each its own."""
    for index, stage in enumerate(path):
        for share in (1, 2, 4):
            option = tuned(space, stage, stage.need + (limit - stage.need) // share)
            if stage.cost - option.cost < least:
                break
            changed = _tried(path, index, option, fits)
            if changed is not path:
                path = changed
                break
    return path


def tuned(space: Space, option: Option, limit: int) -> Option:
    """The chain ``option`` with batches of rows and scratch memory operator by operator as they are fastest, where it
    needs at most ``limit`` bytes: one change after the other, always the one that saves most."""
    while True:
        changes = (change for change in space.changes(option) if change.need <= limit)
        best = min(changes, key=lambda change: (change.cost, change.need), default=option)
        if best.cost >= option.cost:
            return option
        option = best


def _tried(path: Path, index: int, option: Option, fits: Fits) -> Path:
    """``path`` with another stage, if that fits."""
    changed = [*path[:index], option, *path[index + 1 :]]
    return changed if fits(changed) else path


def _cost(stages: Sequence[Option]) -> int:
    return sum(stage.cost for stage in stages)
