"""Evolutionary search: the scheme with the largest sum of contributions whose SRAM fits.

The SRAM of a scheme grows with everything that is trained. So a scheme inside one that fits is known to fit, and one
that contains a scheme too large is known not to. What counts is what the memory planner makes of a scheme; but that
takes seconds, and a search looks at thousands. So it goes by an estimate, whose error the planner tells for the winner.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from tinyengine.errors import DataError
from tinyengine.finetune.schemes.contribution import Contributions
from tinyengine.progress import Progress, silent
from tinyengine.training.scheme import UpdateScheme

Cost = Callable[[UpdateScheme], int]
"""Bytes of SRAM that training by a scheme takes."""

TRIALS = 8
"""Searches until the winner fits, each with the error that the planner found in the estimate of the one before."""

POPULATION, PARENTS, GENERATIONS = 64, 16, 40
MUTATION = 0.1  # probability for each gene


@dataclass(frozen=True)
class Found:
    """The best scheme: its summed contributions (accuracy, 0 to 1), bytes of SRAM, and how many were costed."""

    scheme: UpdateScheme
    score: float
    sram_bytes: int
    planned: int


@dataclass(eq=False)
class _Affordable:
    """Which schemes fit, by as few runs of the planner as possible."""

    cost: Cost
    limit: int
    sizes: dict[tuple[float, ...], int] = field(default_factory=dict)

    def __call__(self, genes: tuple[float, ...], scheme: Callable[[], UpdateScheme]) -> bool:
        for known, size in self.sizes.items():
            if size <= self.limit and _inside(genes, known):
                return True
            if size > self.limit and _inside(known, genes):
                return False
        return self.size(genes, scheme) <= self.limit

    def size(self, genes: tuple[float, ...], scheme: Callable[[], UpdateScheme]) -> int:
        if genes not in self.sizes:
            self.sizes[genes] = self.cost(scheme())
        return self.sizes[genes]


def _inside(small: tuple[float, ...], large: tuple[float, ...]) -> bool:
    return all(a <= b for a, b in zip(small, large, strict=True))


class _Space:
    """Genes: the number of trailing biases, then a ratio (0: none) for every measured convolution."""

    def __init__(self, contributions: Contributions, convolutions: int) -> None:
        self._contributions = contributions
        self._count = convolutions
        self._layers = sorted(contributions.weights)
        self._depths: list[float] = [0, *sorted(contributions.biases)]
        self._ratios = [[0.0, *sorted(contributions.weights[index])] for index in self._layers]

    def random(self, rng: np.random.Generator) -> tuple[float, ...]:
        """Mostly few layers: most schemes with many do not fit."""
        density = rng.uniform(0.0, 0.6)
        ratios = [float(rng.choice(r)) if rng.random() < density else 0.0 for r in self._ratios]
        return self.repaired((float(rng.choice(self._depths)), *ratios))

    def mutated(self, genes: tuple[float, ...], rng: np.random.Generator) -> tuple[float, ...]:
        options = [self._depths, *self._ratios]
        new = [float(rng.choice(o)) if rng.random() < MUTATION else g for g, o in zip(genes, options, strict=True)]
        return self.repaired(tuple(new))

    def crossed(self, a: tuple[float, ...], b: tuple[float, ...], rng: np.random.Generator) -> tuple[float, ...]:
        return self.repaired(tuple(x if rng.random() < 0.5 else y for x, y in zip(a, b, strict=True)))

    def repaired(self, genes: tuple[float, ...]) -> tuple[float, ...]:
        """Biases are trained as deep as the deepest trained weights."""
        used = [index for index, ratio in zip(self._layers, genes[1:], strict=True) if ratio]
        needed = self._count - min(used) if used else 0
        return (max(genes[0], float(needed)), *genes[1:])

    def scheme(self, genes: tuple[float, ...]) -> UpdateScheme:
        weights: Mapping[int, float] = dict(zip(self._layers, genes[1:], strict=True))
        return UpdateScheme("found", int(genes[0]), {index: ratio for index, ratio in weights.items() if ratio})

    def score(self, genes: tuple[float, ...]) -> float:
        return self._contributions.score(self.scheme(genes))


def choose(
    contributions: Contributions,
    convolutions: int,
    cost: Cost,
    limit: int,
    progress: Progress = silent,
) -> Found:
    """The best scheme whose ``cost`` is at most ``limit`` bytes. DataError if not even the classifier can be trained.

    Of equal scores the scheme that trains less wins. The same contributions give the same scheme.
    """
    rng = np.random.default_rng(0)
    space, fits = _Space(contributions, convolutions), _Affordable(cost, limit)
    nothing = space.repaired((0.0,) * (1 + len(contributions.weights)))
    smallest = fits.size(nothing, lambda: space.scheme(nothing))
    if smallest > limit:
        raise DataError(
            f"training the classifier alone takes {smallest} bytes of SRAM and {limit} are allowed: allow more, or "
            "choose a smaller network"
        )
    population = {nothing}
    for generation in range(GENERATIONS):
        parents = sorted(population)
        children = [space.random(rng) for _ in range(POPULATION // (4 if generation else 1))]
        for _ in range(POPULATION // 2):
            a, b = rng.integers(len(parents), size=2)
            children.append(space.mutated(parents[a], rng))
            children.append(space.crossed(parents[a], parents[b], rng))
        # the best first: whoever does not get among the parents need not be planned
        ranked = sorted(population | set(children), key=lambda genes: (-space.score(genes), sum(genes)))
        population = set()
        for genes in ranked:
            if len(population) == PARENTS:
                break
            if fits(genes, lambda genes=genes: space.scheme(genes)):  # type: ignore[misc]
                population.add(genes)
        progress(generation + 1, GENERATIONS)
    best = min(population, key=lambda genes: (-space.score(genes), sum(genes)))
    size = fits.size(best, lambda: space.scheme(best))
    return Found(space.scheme(best), space.score(best), size, len(fits.sizes))


def choose_within(
    contributions: Contributions,
    convolutions: int,
    estimate: Cost,
    planned: Cost,
    limit: int,
    progress: Progress = silent,
) -> Found:
    """``choose`` by a cheap ``estimate`` plus a constant, until the winner's ``planned`` bytes are at most ``limit``.

    The first estimate is taken as it is; then the constant is what it fell short by. ``sram_bytes`` and the count of
    the result are the planner's. DataError as for ``choose``, and where no winner fits after TRIALS searches.
    """
    classifier = planned(UpdateScheme("classifier"))
    constant = 0

    def cost(scheme: UpdateScheme) -> int:
        return estimate(scheme) + constant if scheme.bias_last else classifier

    for trial in range(TRIALS):
        found = choose(contributions, convolutions, cost, limit, progress)
        taken = planned(found.scheme)
        if taken <= limit:
            return replace(found, sram_bytes=taken, planned=trial + 2)
        constant = taken - estimate(found.scheme)
    raise DataError(
        f"no update scheme within {limit} bytes of SRAM was found; the last one takes {taken}, so allow that"
    )
