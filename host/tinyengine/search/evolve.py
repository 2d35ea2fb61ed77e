"""Evolution of sub-networks within a budget, by estimates alone: some thousand candidates take seconds.

Scores and costs are whole numbers or rounded, and equal ones are ordered by the architecture's text, so that a seed
gives the same networks on every machine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from tinyengine.errors import BudgetError
from tinyengine.progress import Progress, silent
from tinyengine.search.cost import Budget, Costs
from tinyengine.supernet.judged import Inherited
from tinyengine.supernet.space import Space
from tinyengine.zoo.arch_file import blocks_text
from tinyengine.zoo.table import Network

TRIES = 300
"""Candidates that are drawn at most for one place in a generation."""

PARENTS = 0.25
CROSSED = 0.5
SHARE = 0.1
"""Of a child's choices that are drawn anew."""
SHARE_CROSSED = 0.03


@dataclass(frozen=True, slots=True)
class Scored:
    """A candidate that keeps the budget. ``cross_entropy`` (nats) and ``accuracy`` (per cent) are predicted, or, where
    ``inherited`` is given, measured on held-out pictures; ``measured``: its work was counted on the simulated core."""

    network: Network
    costs: Costs
    cross_entropy: float
    accuracy: float
    measured: bool = False
    inherited: Inherited | None = None

    @property
    def order(self) -> tuple[object, ...]:
        """The best first: smaller is better."""
        return self.cross_entropy, self.costs.work, self.network.resolution, blocks_text(self.network)


@dataclass(frozen=True, slots=True)
class Plan:
    """How long the evolution takes."""

    population: int = 64
    generations: int = 20
    seed: int = 0


Score = Callable[[Network, Costs], Scored]


def evolve(
    space: Space,
    budget: Budget,
    plan: Plan,
    estimate: Callable[[Network], Costs],
    score: Score,
    progress: Progress = silent,
) -> list[Scored]:
    """All candidates that were scored, the best first. BudgetError where no part keeps the budget.

    Parents are the best ones, and the front of score and work, so that cheap networks evolve beside good ones.
    """
    scored: dict[Network, Scored] = {}
    first = [cut(resolution) for resolution in space.resolutions for cut in (space.smallest, space.largest)]
    for generation in range(plan.generations + 1):
        progress(generation, plan.generations + 1)
        rng = np.random.default_rng([plan.seed, generation])
        parents = sorted(scored.values(), key=lambda each: each.order)
        parents = [*parents[: max(2, int(plan.population * PARENTS))], *front(parents, (_work,))]
        found, barren = 0, 0
        for network in _offspring(rng, space, parents, [] if generation else first):
            costs = None if network in scored else estimate(network)
            if costs is not None and budget.holds(costs):
                scored[network] = score(network, costs)
                found, barren = found + 1, 0
            else:
                barren += 1
            if found == plan.population or barren > TRIES:
                break
    if not scored:
        least = estimate(space.smallest())
        raise BudgetError(
            f"the smallest part of the super-network takes {least.sram:,} bytes of SRAM, {least.flash:,} of flash and "
            f"{least.macs:,} multiply-accumulates, so none keeps the budget: allow more of it"
        )
    return sorted(scored.values(), key=lambda each: each.order)


def _offspring(
    rng: np.random.Generator, space: Space, parents: list[Scored], first: list[Network]
) -> Iterator[Network]:
    """Candidates without end: ``first``, then random ones where there are no parents, else children."""
    yield from first
    while True:
        if not parents:
            yield space.random(rng)
        elif rng.random() < CROSSED:
            one, other = (parents[int(rng.integers(len(parents)))].network for _ in range(2))
            yield space.mutant(rng, space.cross(rng, one, other), SHARE_CROSSED)
        else:
            yield space.mutant(rng, parents[int(rng.integers(len(parents)))].network, SHARE)


def _work(costs: Costs) -> int:
    return costs.work


ALL: tuple[Callable[[Costs], int], ...] = (_work, lambda costs: costs.sram, lambda costs: costs.flash)
"""What a front counts beside the score."""


def front(scored: list[Scored], by: tuple[Callable[[Costs], int], ...] = ALL) -> list[Scored]:
    """Candidates that no other one beats or equals in score and costs at once; the best score first."""
    members: list[tuple[list[int], Scored]] = []
    # in this order nothing beats what came before it
    for costs, each in sorted(
        (([of(each.costs) for of in by], each) for each in scored),
        key=lambda pair: (pair[1].cross_entropy, pair[0], pair[1].order),
    ):
        if not any(all(a <= b for a, b in zip(cheaper, costs, strict=True)) for cheaper, _ in members):
            members.append((costs, each))
    return sorted((each for _, each in members), key=lambda each: each.order)
