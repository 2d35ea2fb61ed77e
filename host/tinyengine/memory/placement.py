"""Addresses for buffers that live in (time x address), under overlap rules.

1. The *lower bound*: what the buffers of the worst single step need among themselves.
2. *Greedy*: first fit in several orders. For most networks one of them meets the bound, and that is the proof.
3. What is left is made small: buffers that fit whatever the others do are set aside, the rest falls apart into groups
   that constrain each other. Each is improved by *local search* over orders, then by *branch and bound* (exact.py),
   which ends with the optimum or at its node limit.

Everything is deterministic: the same buffers give the same addresses on every machine.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations

from tinyengine.memory.exact import minimize
from tinyengine.memory.lifetime import Buffer, OverlapRule
from tinyengine.memory.problem import Gap, Problem, first_fit, lowest_fit, make_problem, moved_fit
from tinyengine.sizes import ceil_div

SEARCH_NODES = 4000  # of branch and bound at most,
SEARCH_WORK = 400_000  # and so many nodes times pairs: about a second each
SMALL_GROUP = 8  # buffers of one step whose own optimum is computed for the lower bound
GROUP_NODES = 400
LOCAL_SEARCH_WORK = 150_000  # rounds times pairs of local search: half a second


@dataclass(frozen=True)
class Placement:
    """Where every buffer lies. Sizes in bytes; ``total`` is rounded up to the buffers' common alignment.

    ``lower_bound``: no placement is smaller. ``optimal``: total == lower_bound. ``method``: what found it.
    """

    addresses: Mapping[str, int]
    total: int
    lower_bound: int
    optimal: bool
    method: str


def place(buffers: Sequence[Buffer], rules: Sequence[OverlapRule] = (), budget: int | None = None) -> Placement:
    """Place ``buffers`` in as few bytes as possible; ``budget`` limits the nodes of branch and bound, and 0 means first
    fit alone, for a quick look.

    Raises ValueError if the buffers or rules contradict themselves (duplicate names, two rules for one pair).
    """
    return _place(tuple(buffers), tuple(rules), budget)


@lru_cache(maxsize=256)  # a search for schedules often asks the same: what changes is the scratch memory of one call
def _place(buffers: tuple[Buffer, ...], rules: tuple[OverlapRule, ...], budget: int | None) -> Placement:
    problem, grain = make_problem(buffers, rules)
    bound = group_bound(problem)
    addresses, method = _best_greedy(problem, bound), "greedy"
    if problem.total(addresses) > bound and budget != 0:
        addresses, bound, method = _search(problem, addresses, bound, budget)
    total = problem.total(addresses)
    named = {buffer.name: x * grain for buffer, x in zip(buffers, addresses, strict=True)}
    return Placement(named, total * grain, bound * grain, total == bound, method)


def place_around(
    buffers: Sequence[Buffer], rules: Sequence[OverlapRule], fixed: Mapping[str, int]
) -> tuple[dict[str, int], int]:
    """Place the buffers that ``fixed`` leaves out, largest first, each as low as possible: (addresses, total)."""
    problem, grain = make_problem(buffers, rules)
    addresses = [fixed[b.name] // grain if b.name in fixed else None for b in buffers]
    for i in _by_size(problem):
        if addresses[i] is None:
            addresses[i] = lowest_fit(problem, i, addresses)
    placed = [x for x in addresses if x is not None]
    return {b.name: x * grain for b, x in zip(buffers, placed, strict=True)}, problem.total(placed) * grain


def lower_bound(buffers: Sequence[Buffer], rules: Sequence[OverlapRule] = ()) -> int:
    """Bytes that no placement can do without, from the worst step; cheap enough for a scheduler's inner loop."""
    problem, grain = make_problem(buffers, rules)
    return group_bound(problem) * grain


def group_bound(problem: Problem) -> int:
    """The largest span that the buffers of one step need among themselves, overlap rules taken into account."""
    bound = 0
    weigh = {group: sum(problem.sizes[i] for i in group) for group in problem.groups}
    for group in sorted(problem.groups, key=lambda g: (-weigh[g], sorted(g))):
        if weigh[group] > bound:
            bound = max(bound, _span_bound(problem.subset(sorted(group))))
    return bound


def _span_bound(group: Problem) -> int:
    """Lower bound of the span of buffers that are all alive at once.

    Buffers that may overlap each other form a part; parts are disjoint from each other, so their sizes add up: take
    the bytes of the other parts out of a placement, close the holes, and what is left is a placement of the part
    (alignment apart, which is therefore ignored within a part).
    """
    parts = _overlapping_parts(group)
    bound = sum(_part_bound(group.subset(part, aligned=False)) for part in parts)
    addresses = _best_greedy(group, bound)
    if group.total(addresses) > bound and len(group) <= SMALL_GROUP:
        bound = _exact_or(group, addresses, bound)
    return bound


def _overlapping_parts(group: Problem) -> list[list[int]]:
    """Members of ``group`` connected by overlap rules; all its members meet each other in time."""
    part_of = list(range(len(group)))
    for i, j in combinations(range(len(group)), 2):
        if not _disjoint(group, i, j) and part_of[i] != part_of[j]:
            old, new = part_of[j], part_of[i]
            part_of = [new if part == old else part for part in part_of]
    return [[i for i in range(len(group)) if part_of[i] == part] for part in sorted(set(part_of))]


def _disjoint(problem: Problem, i: int, j: int) -> bool:
    """Whether i and j can never share a byte."""
    return problem.gaps[i].get(j) == Gap(problem.sizes[j], problem.sizes[i], False)


def _part_bound(part: Problem) -> int:
    """Lower bound of the span of buffers connected by overlap rules: exact if they are few."""
    apart: list[int] = []  # buffers that cannot overlap each other: their sizes add up in any placement
    for i in _by_size(part):
        if all(_disjoint(part, i, j) for j in apart):
            apart.append(i)
    bound = sum(part.sizes[i] for i in apart)
    if 1 < len(part) <= SMALL_GROUP:
        bound = _exact_or(part, _best_greedy(part, bound), bound)
    return bound


def _exact_or(problem: Problem, addresses: list[int], bound: int) -> int:
    """The optimum if branch and bound can prove it quickly, else ``bound``."""
    total = problem.total(addresses)
    result = minimize(problem, total, bound, GROUP_NODES)
    if not result.proven:
        return bound
    return total if result.addresses is None else problem.total(result.addresses)


# ---- greedy ----


def _orders(problem: Problem) -> Iterator[list[int]]:
    """Orders worth trying; a buffer lies the lower the earlier it comes."""
    every = range(len(problem))
    first, last = problem.first, problem.last
    by_size = _by_size(problem)
    yield by_size
    worst_first = sorted(problem.groups, key=lambda g: (-sum(problem.sizes[i] for i in g), sorted(g)))
    yield list(dict.fromkeys(i for group in worst_first for i in by_size if i in group)) + [
        i for i in by_size if not problem.sizes[i]
    ]
    yield sorted(every, key=lambda i: (first[i] - last[i], -problem.sizes[i], i))  # long lives first
    yield sorted(every, key=lambda i: ((first[i] - last[i] - 1) * problem.sizes[i], i))  # large areas first
    yield sorted(every, key=lambda i: (-last[i], -first[i], i))  # outputs first: an overlapping output lies lower
    yield sorted(every, key=lambda i: (first[i], last[i], i))


def _by_size(problem: Problem) -> list[int]:
    return sorted(range(len(problem)), key=lambda i: (-problem.sizes[i], i))


def _best_greedy(problem: Problem, enough: int) -> list[int]:
    """The smallest first-fit placement over all orders, or the first whose total is ``enough``."""
    best: list[int] | None = None
    for order in _orders(problem):
        addresses = first_fit(problem, order)
        if best is None or problem.total(addresses) < problem.total(best):
            best = addresses
        if problem.total(best) <= enough:
            break
    assert best is not None
    return best


# ---- search ----


def _search(problem: Problem, start: list[int], bound: int, budget: int | None) -> tuple[list[int], int, str]:
    """Improve ``start``: (addresses, proven lower bound, method)."""
    easy = _easy(problem, bound)
    hard = [i for i in range(len(problem)) if i not in easy]
    addresses: list[int | None] = [None] * len(problem)
    nodes = min(SEARCH_NODES, SEARCH_WORK // max(1, problem.pairs)) if budget is None else budget
    method = "greedy"
    core = problem.subset(hard)
    for component in core.components():
        members = [hard[i] for i in component]
        part = problem.subset(members)
        placed = min([start[i] for i in members], _best_greedy(part, bound), key=part.total)
        if part.total(placed) > bound:
            placed, method = _local_search(part, placed, bound), "local search"
        if part.total(placed) > bound:
            result = minimize(part, part.total(placed), bound, nodes)
            nodes -= result.nodes
            if result.addresses is not None or result.proven:
                placed, method = result.addresses or placed, "branch and bound"
            if result.proven:
                bound = part.total(placed)
        for i, x in zip(members, placed, strict=True):
            addresses[i] = x
    for i in reversed(easy):
        addresses[i] = lowest_fit(problem, i, addresses)
    return [x for x in addresses if x is not None], bound, method


def _easy(problem: Problem, total: int) -> list[int]:
    """Buffers that fit below ``total`` wherever the remaining ones lie, in the order in which they were set aside.

    Each neighbour forbids at most above + below - 1 adjacent addresses. If all of them together forbid fewer than
    there are, one is left. Placed in reverse order, each finds only the neighbours that it was checked against.
    """
    easy: dict[int, None] = {}
    queue = _by_size(problem)[::-1]
    while queue:
        again: list[int] = []
        for i in queue:
            align, room = problem.aligns[i], total - problem.sizes[i]
            forbidden = sum(
                ceil_div(max(0, gap.above + gap.below - 1), align)
                for j, gap in problem.gaps[i].items()
                if j not in easy
            )
            if room >= 0 and forbidden <= room // align:
                easy[i] = None
            else:
                again.append(i)
        if len(again) == len(queue):
            break
        queue = again
    return list(easy)


def _local_search(problem: Problem, start: list[int], enough: int) -> list[int]:
    """Move one of the topmost buffers, or a random one, to an earlier place of the first-fit order; keep what helps."""
    rng = random.Random(len(problem))

    def below(count: int) -> int:  # randrange, which takes twice as long
        while (number := rng.getrandbits(count.bit_length())) >= count:
            pass
        return number

    order = sorted(range(len(problem)), key=lambda i: (start[i], i))
    best, best_total = start, problem.total(start)
    current = first_fit(problem, order)
    total = problem.total(current)
    top: list[int] = []
    for _ in range(max(20, LOCAL_SEARCH_WORK // max(1, problem.pairs))):
        if best_total <= enough:
            break
        if not top:
            top = [p for p, i in enumerate(order) if best[i] + problem.sizes[i] > enough] or [len(order) - 1]
        source = top[below(len(top))] if rng.random() < 0.5 else below(len(order))
        target = below(source + 1)
        if target == source:
            continue
        trial = order[:]
        trial.insert(target, trial.pop(source))
        addresses = moved_fit(problem, trial, target, current, total)
        if addresses is None:
            continue
        order, current, total, top = trial, addresses, problem.total(addresses), []
        if total < best_total:
            best, best_total = addresses, total
    return best
