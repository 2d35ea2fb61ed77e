"""Step 1: which resolution and width, from the distribution of what fits (TinyNAS's argument).

Among networks that all keep the budget, those that compute more are better on average. So the pair is taken whose
fitting networks compute most: the 80 % quantile of their MACs, where enough of the samples fit.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from tinyengine.errors import BudgetError
from tinyengine.progress import Progress, silent
from tinyengine.search.cost import Budget, estimate
from tinyengine.search.space import RESOLUTIONS, WIDTHS, sample

QUANTILE = 0.8
ENOUGH = 0.05
"""Share of the samples that must fit: a pair where next to nothing fits leaves evolution nothing to choose from."""


@dataclass(frozen=True, slots=True)
class Pair:
    """One resolution and width: the share of its samples that fit, and the MACs of the fitting ones (quantile)."""

    resolution: int
    width: float
    fitting: float
    macs: int


@dataclass(frozen=True, slots=True)
class Survey:
    """All pairs, the best first, and how fast the bound was."""

    pairs: list[Pair]
    samples: int
    per_minute: float


def survey(
    budget: Budget,
    classes: int,
    samples: int,
    seed: int,
    resolutions: tuple[int, ...] = RESOLUTIONS,
    widths: tuple[float, ...] = WIDTHS,
    progress: Progress = silent,
) -> Survey:
    """``samples`` random architectures of every pair against ``budget``; BudgetError where none fits at all."""
    pairs = []
    grid = [(resolution, width) for resolution in resolutions for width in widths]
    started = time.perf_counter()
    for number, (resolution, width) in enumerate(grid):
        rng = np.random.default_rng([seed, resolution, round(width * 10)])
        costs = [estimate(sample(rng, resolution, width).network(classes)) for _ in range(samples)]
        kept = [cost.macs for cost in costs if budget.holds(cost)]
        quantile = int(np.quantile(kept, QUANTILE)) if kept else 0
        pairs.append(Pair(resolution, width, len(kept) / samples, quantile))
        progress(number + 1, len(grid))
    seconds = time.perf_counter() - started
    if not any(pair.fitting for pair in pairs):
        raise BudgetError(
            "no architecture of the space keeps this budget: allow more SRAM, flash or instructions, or search for "
            "fewer classes"
        )
    pairs.sort(key=lambda pair: (pair.fitting >= ENOUGH, pair.macs), reverse=True)
    return Survey(pairs, samples * len(grid), 60 * samples * len(grid) / seconds)
