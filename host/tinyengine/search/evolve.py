"""Step 2: evolution of kernels, expansions and depths at one resolution and width.

Every candidate passes the estimate first, then the planner, and only then is scored. Generations draw from generators
of their own, so a search that continues from its checkpoint takes the same steps as one that was not interrupted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import count, islice

import numpy as np

from tinyengine.errors import BudgetError
from tinyengine.progress import Progress, silent
from tinyengine.search.cost import Budget, Costs, estimate
from tinyengine.search.pairs import Pair
from tinyengine.search.space import Architecture, cross, mutate, sample
from tinyengine.zoo.table import Network

TRIES = 400
"""Candidates that are drawn at most for one place in a generation; drawing costs a millisecond."""

PARENTS = 0.25
CROSSED = 0.5


@dataclass(frozen=True, slots=True)
class Scored:
    """A candidate that keeps the budget. ``measured``: its instructions were counted on the simulated core."""

    architecture: Architecture
    costs: Costs
    score: float
    generation: int
    measured: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """How long the evolution takes."""

    population: int = 16
    generations: int = 6
    seed: int = 0


Judge = Callable[[Network], Costs]
Score = Callable[[Network], float]


def evolve(
    pair: Pair,
    budget: Budget,
    classes: int,
    plan: Plan,
    judge: Judge,
    score: Score,
    known: dict[Architecture, Scored],
    keep: Callable[[Scored], None],
    progress: Progress = silent,
) -> list[Scored]:
    """All candidates that were scored, the best first; ``keep`` gets each at once. ``known`` are those of the
    checkpoint, which cost nothing."""
    scored: dict[Architecture, Scored] = {}
    total = plan.population * (plan.generations + 1)
    for generation in range(plan.generations + 1):
        rng = np.random.default_rng([plan.seed, generation])
        parents = sorted(scored.values(), key=lambda each: each.score, reverse=True)
        parents = parents[: max(2, int(plan.population * PARENTS))]
        for candidate in islice(_offspring(rng, pair, parents, budget, classes, scored), plan.population):
            if candidate in known:
                found = known[candidate]
            else:
                network = candidate.network(classes)
                costs = judge(network)
                if not budget.holds(costs):  # the estimate was too kind
                    continue
                found = Scored(candidate, costs, score(network), generation)
            scored[candidate] = replace(found, generation=generation)
            keep(scored[candidate])
            progress(len(scored), total)
    if not scored:
        raise BudgetError("no architecture at this resolution and width keeps the budget: allow more of it")
    return sorted(scored.values(), key=lambda each: each.score, reverse=True)


def _offspring(
    rng: np.random.Generator,
    pair: Pair,
    parents: list[Scored],
    budget: Budget,
    classes: int,
    seen: dict[Architecture, Scored],
) -> Iterator[Architecture]:
    """New candidates that keep the budget by the estimate: random ones without parents, else children."""
    drawn: set[Architecture] = set()
    barren = 0
    for _ in count():
        if not parents:
            candidate = sample(rng, pair.resolution, pair.width)
        elif rng.random() < CROSSED:
            first, second = (parents[int(rng.integers(len(parents)))].architecture for _ in range(2))
            candidate = mutate(rng, cross(rng, first, second), 0.05)
        else:
            candidate = mutate(rng, parents[int(rng.integers(len(parents)))].architecture)
        if candidate in seen or candidate in drawn or not budget.holds(estimate(candidate.network(classes))):
            barren += 1
            if barren > TRIES:
                return
            continue
        barren = 0
        drawn.add(candidate)
        yield candidate


def front(scored: list[Scored]) -> list[Scored]:
    """Candidates that no other one beats or equals in score, instructions, SRAM and flash at once; best score first."""

    def values(each: Scored) -> tuple[float, ...]:
        return each.score, -each.costs.instructions, -each.costs.sram, -each.costs.flash

    def beaten(each: Scored, other: Scored) -> bool:
        mine, theirs = values(each), values(other)
        return mine != theirs and all(a <= b for a, b in zip(mine, theirs, strict=True))

    return [each for each in scored if not any(beaten(each, other) for other in scored)]
