"""Which stages: the shortest path through the space of stages, in bytes or in cycles.

The bytes that a stage needs do not depend on the others (space.py), so the smallest possible peak is a bottleneck path,
and the cheapest schedule below a cap a shortest path; both are exact. What they leave open is placement: the arena of a
schedule is at least its peak, and often equal to it. So the search proposes and the memory planner decides. Where the
arena of the cheapest schedule comes out larger than its peak, schedules with shorter batches of rows, whose tensors
follow each other more closely, are planned too; the smallest arena wins, and the fastest schedule is looked for that
takes no more (hasten.py). Where the fast kernels do not fit a cap, those with less scratch memory are tried, and
after them, as far as that is allowed, schedules that compute rows twice (recompute.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from tinyengine.errors import ModelError
from tinyengine.ir import Graph
from tinyengine.kernels.base import KernelCall, Target
from tinyengine.kernels.streaming.chain import chain_call
from tinyengine.memory.lifetime import lifetimes
from tinyengine.memory.placement import place
from tinyengine.memory.plan import MemoryPlan, plan
from tinyengine.memory.states import states_bytes
from tinyengine.schedule.hasten import hastened
from tinyengine.schedule.patched import Patched
from tinyengine.schedule.recompute import allowance, cheapest_within, least_peak, options_below
from tinyengine.schedule.space import BATCHES, NEVER, Option, Space

PROPOSALS = 16
"""Schedules that are planned at most in each part of the search."""

THOROUGH = 8
"""Schedules that compute rows twice of which the arena is found at most."""

CROSSED = 3
"""Schedules whose parts are tried in another one."""

GRAIN = 64
"""Bytes by which their peak is raised at least from one proposal to the next."""


@dataclass(frozen=True, eq=False)
class Schedule:
    """Calls in order and their addresses. ``pushed``: input 0 arrives by rows and has no place in the arena.
    ``cost``: estimated cycles beyond those of the fastest layers."""

    calls: list[KernelCall]
    plan: MemoryPlan
    pushed: bool = False
    cost: int = 0


def schedule(
    graph: Graph, target: Target, *, rows: bool = False, sram: int | None = None, max_recompute: float = 1.0
) -> Schedule:
    """Choose stages for ``graph`` by ``target.optimize``.

    ``rows``: the input arrives by rows (where the network allows; else it is kept as a whole). ``sram``: what arena and
    states may take; where even the smallest one takes more, that is the result. ``max_recompute``: cap on executed over
    nominal multiply-accumulates; more than the nominal ones are executed only where that makes the arena smaller (with
    ``optimize`` sram), or makes it fit.
    """
    if sram is not None:
        sram -= states_bytes(graph)
    return _search(space_of(graph, target, rows), sram, max_recompute)


def space_of(graph: Graph, target: Target, rows: bool = False) -> Space:
    """All stages of ``graph``, with its input by rows where ``rows`` wants it and the network allows it.

    ModelError for a network with states: rows that are computed while they arrive may be repeated or dropped.
    """
    if rows and graph.states:
        raise ModelError(f"{graph.name} keeps states, which only whole runs change: compile it with --input frame")
    if rows and len(graph.inputs) == 1 and graph.input_tensors()[0] not in graph.results():
        space = Space(graph, target, pushed=True)
        if any(space.options(0, NEVER)):
            return space
    return Space(graph, target)


def _search(space: Space, sram: int | None, max_recompute: float) -> Schedule:
    if space.target.optimize == "sram":
        return next(smallest_of_each(space, [max_recompute]))
    found = planned(space, fastest(space))
    if sram is None or found.plan.arena_bytes <= sram:
        return found
    small = Space(space.graph, replace(space.target, optimize="sram"), space.pushed)
    within = below(space, small, sram)
    if within is not None:
        return within
    plain = smallest(small)
    spare = allowance(small, max_recompute)
    if plain.plan.arena_bytes <= sram or not spare:
        return plain
    for proposal in _recomputing_below(small, sram, spare):
        if proposal.plan.arena_bytes <= sram:
            return proposal
    return _smallest_within(Patched(small, spare), plain.plan.arena_bytes, spare) or plain


def below(fast: Space, small: Space, cap: int) -> Schedule | None:
    """The cheapest schedule found whose arena is at most ``cap``: of the stages of ``fast`` and, where none of its
    schedules is that small, of ``small``, whose kernels have less scratch memory."""
    for space in (fast, small):
        path = _path_below(space, cap)
        if path:
            return planned(space, _hastened_below(space, path, cap))
    return None


def fastest(space: Space) -> list[Option]:
    """Layers, behind the cheapest chain over a pushed input: nothing costs less than a layer."""
    first = [min(space.options(0, NEVER), key=lambda option: option.cost)] if space.pushed else []
    return [*first, *(space.layer(position) for position in range(first[0].stop if first else 0, space.size))]


def _path_below(space: Space, cap: int) -> list[Option]:
    """The first of the cheapest schedules under peaks from ``cap`` down whose arena is at most that; empty if there is
    none."""
    peak = cap
    for _ in range(PROPOSALS):
        path = cheapest(space, peak)
        if not path:
            return []
        arena = _plan(space, path).arena_bytes
        if arena <= cap:
            return path
        peak = min(peak, max(option.need for option in path)) - max(1, arena - cap)
    return []


def _hastened_below(space: Space, path: list[Option], cap: int, most_values: int = NEVER) -> list[Option]:
    """``path``, whose arena is at most ``cap`` and has at most ``most_values`` bytes of activations, made faster."""

    def fits(changed: list[Option]) -> bool:
        memory = _plan(space, changed)
        return memory.arena_bytes <= cap and memory.activation_peak_bytes <= most_values

    peaks = sorted({cap, *(option.need for option in path)}, reverse=True)
    others = (cheapest(space, peak) for peak in peaks[:CROSSED])
    return hastened(space, path, others, cap, fits)


def smallest(space: Space) -> Schedule:
    """The schedule with the smallest arena that was found, and of those with this arena, and no higher peak of
    activations, the cheapest."""
    peak = lowest_peak(space)
    best: tuple[int, list[Option]] | None = None
    for path in (*(cheapest(space, peak, batch) for batch in reversed(BATCHES)), tightest(space, peak)):
        if not path:
            continue
        arena = _plan(space, path).arena_bytes
        if best is None or arena < best[0]:
            best = arena, path
    assert best is not None
    while best[0] > peak and (path := _path_below(space, best[0] - 1)):
        best = _plan(space, path).arena_bytes, path
    arena, path = best
    values = _plan(space, path).activation_peak_bytes
    found = [_hastened_below(space, path, arena, values)]
    other = _path_below(space, arena)
    if other and _plan(space, other).activation_peak_bytes <= values:
        found.append(_hastened_below(space, other, arena, values))
    return planned(space, min(found, key=lambda path: sum(option.cost for option in path)))


def smallest_of_each(space: Space, caps: Sequence[float]) -> Iterator[Schedule]:
    """For each cap on executed over nominal multiply-accumulates, in ascending order, the schedule with the smallest
    arena found."""
    best = smallest(space)
    patched = Patched(space, allowance(space, max(caps)))
    for cap in sorted(caps):
        if spare := allowance(space, cap):
            best = _smallest_within(patched, best.plan.arena_bytes, spare) or best
        yield best


def _smallest_within(patched: Patched, arena: int, spare: int) -> Schedule | None:
    """The schedule with the smallest arena below ``arena`` that executes up to ``spare`` multiply-accumulates again."""
    chosen: list[Option] = []
    while found := _smaller_path(patched, arena, spare):  # below a lower limit the search sees more
        arena, chosen = found
    return _hastened(patched, planned(patched.space, chosen), chosen) if chosen else None


def _smaller_path(patched: Patched, arena: int, spare: int) -> tuple[int, list[Option]] | None:
    """A path that takes less than ``arena`` bytes, and how many: of those with low peaks the one that takes least."""
    peak, options = least_peak(patched, arena - 1, spare)
    if peak is None:
        return None
    placed: dict[tuple[Option, ...], int] = {}
    while peak < min([arena, *placed.values()]) and len(placed) < THOROUGH:
        path = tuple(cheapest_within(options, peak, spare))
        if path not in placed:
            placed[path] = _placed(patched.space, path)
        peak += max(GRAIN, (placed[path] - peak) // 4)
    best = min(placed, key=lambda path: placed[path])
    return (placed[best], list(best)) if placed[best] < arena else None


def _hastened(patched: Patched, found: Schedule, path: list[Option]) -> Schedule:
    """``found``, which is ``path``, with patches that make more columns at a time, stage by stage where memory is left
    for that: neither the arena nor what holds values grows."""
    arena, peak = found.plan.arena_bytes, found.plan.activation_peak_bytes
    fast = list(path)
    for index, option in enumerate(path):
        for bounds in ((arena, peak), (0, 0)):
            [wide] = _widened(patched, [option], *bounds)
            if wide.cost >= option.cost:
                continue
            changed = [*fast[:index], wide, *fast[index + 1 :]]
            memory = _plan(patched.space, changed)
            if memory.arena_bytes <= arena and memory.activation_peak_bytes <= peak:
                fast = changed
                break
    return planned(patched.space, fast) if fast != path else found


def _widened(patched: Patched, path: list[Option], arena: int, peak: int) -> list[Option]:
    """``path`` with more columns at a time where stages need less than ``arena``, and ``peak`` for values."""
    return [patched.widened(option, max(0, arena - option.need), max(0, peak - option.activations)) for option in path]


def _placed(space: Space, path: Sequence[Option], budget: int | None = None) -> int:
    """Bytes that ``path`` takes; with ``budget`` 0 if its buffers are placed without much thought."""
    calls = [_call(space, option) for option in path]
    alive = lifetimes(calls, _planned_graph(space))
    return place(alive.buffers, alive.rules, budget).total


def _recomputing_below(space: Space, cap: int, spare: int) -> Iterator[Schedule]:
    """Cheapest schedules that execute up to ``spare`` multiply-accumulates again, under peaks from ``cap`` down; only
    those that first fit places within ``cap``."""
    patched = Patched(space, spare)
    options = options_below(patched, cap, spare)
    peak = cap
    for _ in range(PROPOSALS):
        path = cheapest_within(options, peak, spare)
        if not path:
            return
        arena = _placed(space, path, budget=0)
        if arena <= cap:
            yield planned(space, _widened(patched, path, 0, 0))
        peak = min(peak, max(option.need for option in path)) - max(1, arena - cap)


def lowest_peak(space: Space) -> int:
    """The smallest ``peak`` for which a schedule exists whose stages all need at most that."""
    best = [NEVER] * (space.size + 1)
    best[0] = 0
    for start in range(space.size):
        if best[start] == NEVER:
            continue
        for option in space.options(start, NEVER if best[-1] == NEVER else best[-1]):
            best[option.stop] = min(best[option.stop], max(best[start], option.need))
    return best[-1]


def cheapest(space: Space, peak: int, batch: int = NEVER) -> list[Option]:
    """The cheapest schedule whose stages need at most ``peak`` bytes each; empty if there is none.

    Its chains make at most ``batch`` rows at a time. Of equally cheap ones that with fewer stages.
    """
    return _least(space, peak, batch, lambda option: option.cost)


def tightest(space: Space, peak: int) -> list[Option]:
    """As ``cheapest``, but the stages of the schedule need as little as they can, all together."""
    return _least(space, peak, NEVER, lambda option: option.need)


def _least(space: Space, peak: int, batch: int, weight: Callable[[Option], int]) -> list[Option]:
    """The path with the least sum of ``weight``, and of these one with the fewest stages."""
    best: list[tuple[int, int, list[Option]] | None] = [None] * (space.size + 1)
    best[0] = (0, 0, [])
    for start in range(space.size):
        here = best[start]
        if here is None:
            continue
        for option in space.options(start, peak):
            if option.batch > batch:
                continue
            cost = here[0] + weight(option), here[1] + 1
            there = best[option.stop]
            if there is None or cost < there[:2]:
                best[option.stop] = (*cost, [*here[2], option])
    end = best[-1]
    return [] if end is None else end[2]


def planned(space: Space, path: list[Option]) -> Schedule:
    """``path`` with addresses, replayed byte by byte."""
    calls = [_call(space, option) for option in path]
    cost = sum(option.cost for option in path)
    return Schedule(calls, plan(_planned_graph(space), calls), space.pushed, cost)


def _plan(space: Space, path: list[Option]) -> MemoryPlan:
    """The addresses that :func:`planned` finds, not replayed."""
    return plan(_planned_graph(space), [_call(space, option) for option in path], check=False)


def _planned_graph(space: Space) -> Graph:
    """The graph as the memory planner is to see it: without an input that never lies in the arena."""
    graph = space.graph
    return replace(graph, inputs=[]) if space.pushed else graph


def _call(space: Space, option: Option) -> KernelCall:
    if option.call is not None:
        return option.call
    return chain_call(option.ops, space.graph, firsts=option.firsts, pushed=space.pushed and option.start == 0)
