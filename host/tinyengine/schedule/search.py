"""Which stages: the shortest path through the space of stages, in bytes or in instructions.

The bytes that a stage needs do not depend on the others (space.py), so the smallest possible peak is a bottleneck path,
and the cheapest schedule below a cap a shortest path; both are exact. What they leave open is placement: a schedule's
arena is at least its peak, and mostly equal to it. So the search proposes and the memory planner decides: if the arena
comes out larger than the peak, schedules with other peaks are planned as well, and the best one wins.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tinyengine.ir import Graph
from tinyengine.kernels.base import Target
from tinyengine.kernels.chain import chain_call
from tinyengine.memory.plan import MemoryPlan, plan
from tinyengine.schedule.space import NEVER, Option, Space
from tinyengine.schedule.stages import Stage, StageKind, calls_of

PROPOSALS = 8
"""Schedules that are planned at most."""


@dataclass(frozen=True, eq=False)
class Schedule:
    """Stages in order and their addresses. ``pushed``: input 0 arrives by rows and has no place in the arena."""

    stages: list[Stage]
    plan: MemoryPlan
    pushed: bool = False


def schedule(graph: Graph, target: Target, *, rows: bool = False, sram: int | None = None) -> Schedule:
    """Choose stages for ``graph`` by ``target.optimize``.

    ``rows``: the input arrives by rows (where the network allows; else it is kept as a whole). ``sram``: what the arena
    may take; where even the smallest one takes more, that is the result.
    """
    pushed = rows and len(graph.inputs) == 1 and graph.input_tensors()[0] not in graph.output_tensors()
    if pushed:
        space = Space(graph, target, pushed=True)
        if any(space.options(0, NEVER)):
            return _search(space, sram)
    return _search(Space(graph, target), sram)


def _search(space: Space, sram: int | None) -> Schedule:
    if space.target.optimize != "sram":
        fastest = _planned(space, cheapest(space, NEVER))
        if sram is None or fastest.plan.arena_bytes <= sram:
            return fastest
        for proposal in _below(space, sram):
            if proposal.plan.arena_bytes <= sram:
                return proposal
    return smallest(space)


def _below(space: Space, cap: int) -> Iterator[Schedule]:
    """Cheapest schedules under peaks from ``cap`` down."""
    peak = cap
    for _ in range(PROPOSALS):
        path = cheapest(space, peak)
        if not path:
            return
        proposal = _planned(space, path)
        yield proposal
        peak = min(peak, max(option.need for option in path)) - max(1, proposal.plan.arena_bytes - cap)


def smallest(space: Space) -> Schedule:
    """The schedule with the smallest arena that was found; among the proposals of equal size the cheapest."""
    peak = lowest_peak(space)
    best: Schedule | None = None
    for _ in range(PROPOSALS):
        path = cheapest(space, peak)
        proposal = _planned(space, path)
        if best is None or proposal.plan.arena_bytes < best.plan.arena_bytes:
            best = proposal
        if best.plan.arena_bytes <= peak:
            break
        above = next_peak(space, peak, best.plan.arena_bytes)
        if above is None:
            break
        peak = above
    assert best is not None
    return best


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


def next_peak(space: Space, peak: int, limit: int) -> int | None:
    """The smallest need above ``peak`` and below ``limit`` of any stage."""
    needs = (option.need for start in range(space.size) for option in space.options(start, limit - 1))
    return min((need for need in needs if need > peak), default=None)


def cheapest(space: Space, peak: int) -> list[Option]:
    """The cheapest schedule whose stages need at most ``peak`` bytes each; empty if there is none.

    Of equally cheap ones that with fewer stages."""
    best: list[tuple[int, int, list[Option]] | None] = [None] * (space.size + 1)
    best[0] = (0, 0, [])
    for start in range(space.size):
        here = best[start]
        if here is None:
            continue
        for option in space.options(start, peak):
            cost = here[0] + option.cost, here[1] + 1
            there = best[option.stop]
            if there is None or cost < there[:2]:
                best[option.stop] = (*cost, [*here[2], option])
    end = best[-1]
    return [] if end is None else end[2]


def _planned(space: Space, path: list[Option]) -> Schedule:
    stages = [_stage(space, option) for option in path]
    graph = Graph(space.graph.name, space.graph.tensors, space.graph.operators, [], space.graph.outputs)
    if not space.pushed:
        graph.inputs = space.graph.inputs
    return Schedule(stages, plan(graph, calls_of(stages)), space.pushed)


def _stage(space: Space, option: Option) -> Stage:
    if not option.ops:
        return Stage(StageKind.LAYER, [space.calls[option.start]])
    call = chain_call(option.ops, space.graph, pushed=space.pushed and option.start == 0)
    return Stage(StageKind.STREAM, [call])
