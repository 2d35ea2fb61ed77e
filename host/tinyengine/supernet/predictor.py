"""A formula that predicts how well any sub-network does, fitted to some that were judged.

A sum of whole numbers times whole numbers, so that it is the same on every machine, and no two machines choose
differently because of it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tinyengine.supernet.space import Space
from tinyengine.zoo.table import Network, macs, parameters

UNIT = 1e-8
"""Nats of one step of a prediction."""
SHOWN = 1e-4
"""Nats to which predictions are rounded: what is closer is equal."""

_RIDGE = 1.0
"""Penalty on squared coefficients, whose features have unit variance: half the weight of one evaluation."""
FOLDS = 10


@dataclass(frozen=True)
class Predictor:
    """``weights`` are steps of UNIT per unit of each feature; ``accuracy`` of a network whose cross entropy is c is
    ``line[0] + line[1] * c`` per cent. ``error``: of the cross entropy in nats, root mean square, ``rank``: Spearman's
    correlation, both over ``networks`` that were left out of the fit in turn."""

    weights: tuple[int, ...]
    line: tuple[float, float]
    error: float
    rank: float
    networks: int

    def cross_entropy(self, space: Space, network: Network) -> float:
        """In nats, a multiple of SHOWN."""
        steps = sum(w * f for w, f in zip(self.weights, features(space, network), strict=True))
        each = round(SHOWN / UNIT)
        return round((steps + each // 2) // each * SHOWN, 4)

    def accuracy(self, cross_entropy: float) -> float:
        """In per cent, what networks of this cross entropy have; rounded to 0.1."""
        return round(self.line[0] + self.line[1] * cross_entropy, 1)


def features(space: Space, network: Network) -> list[int]:
    """What a sub-network is, in whole numbers; the first one is 1.

    Sizes in thousandths of a doubling of the largest network's; which resolution; of each stage its width and its
    blocks; of each block its expansion and its kernel, 0 where it is missing.
    """
    largest = space.largest()
    found = [1, *(round(1000 * math.log2(of(network) / of(largest))) for of in (macs, parameters))]
    found += [int(network.resolution == each) for each in space.resolutions[1:]]
    for stage, (indices, blocks) in enumerate(zip(space.stages, space.parts(network), strict=True)):
        if len(space.widths(stage)) > 1:
            found.append(blocks[0].channels)
        found += [int(len(blocks) > number) for number in range(1, len(indices))]
        for number, index in enumerate(indices):
            block = blocks[number] if number < len(blocks) else None
            if len(space.expansions(index)) > 1:
                found.append(block.expansion if block else 0)
            if len(space.kernels(index)) > 1:
                found.append(block.kernel if block else 0)
    return found


def fit_predictor(
    space: Space, networks: Sequence[Network], cross_entropies: Sequence[float], accuracies: Sequence[float]
) -> Predictor:
    """Ridge regression of the cross entropy, its coefficients rounded to whole numbers."""
    x = np.array([features(space, network) for network in networks], np.float64)
    y = np.array(cross_entropies)
    left_out = np.empty(len(y))
    for fold in range(FOLDS):
        test = np.arange(len(y)) % FOLDS == fold
        left_out[test] = x[test] @ _ridge(x[~test], y[~test])
    slope, offset = np.polyfit(y, np.array(accuracies), 1)
    return Predictor(
        tuple(round(float(weight) / UNIT) for weight in _ridge(x, y)),
        (round(float(offset), 3), round(float(slope), 3)),
        round(float(np.sqrt(np.square(left_out - y).mean())), 5),
        round(spearman(left_out, y), 3),
        len(y),
    )


def _ridge(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Coefficients; the first feature is the constant 1, which is not penalized."""
    mean, spread = x.mean(0), x.std(0)
    kept = spread > 0
    z = (x[:, kept] - mean[kept]) / spread[kept]
    solution = np.linalg.solve(z.T @ z + _RIDGE * np.eye(z.shape[1]), z.T @ (y - y.mean()))
    result = np.zeros(x.shape[1])
    result[kept] = solution / spread[kept]
    result[0] = y.mean() - mean @ result
    return result


def spearman(a: Sequence[float] | np.ndarray, b: Sequence[float] | np.ndarray) -> float:
    """Rank correlation; equal values share their mean rank."""
    first, second = (
        np.array([np.mean(np.flatnonzero(np.sort(v) == x)) for x in v]) for v in (np.array(a), np.array(b))
    )
    return float(np.corrcoef(first, second)[0, 1])
