"""The range of a layer's sums, and what follows from it: channels that never change, layers that may round ``fast``.

What the ``fast`` formula gives differs from the exact one by at most 1: the multiplier is rounded to 31 fractional
bits, which moves a result by at most 2**30 / 2**32, and both formulas are off by less than 0.75 from there.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from tinyengine.ir.requant import Requant

SUM_LIMIT = 1 << 30
"""Sums of products with bias must stay below this: they are doubled before the multiplication."""


@dataclass(frozen=True, eq=False)
class SumRange:
    """Smallest and largest sum (products and bias) of each output channel: int64 (channels,)."""

    low: np.ndarray
    high: np.ndarray

    @property
    def magnitude(self) -> np.ndarray:
        return np.maximum(np.abs(self.low), np.abs(self.high))


def sum_range(weights: np.ndarray, bias: np.ndarray, zero: int) -> SumRange:
    """Range of ``bias + sum((x - zero) * w)`` over all int8 x; ``weights`` (channels, taps), ``bias`` (channels,).

    Any subset of the taps may be missing (padding), so every tap contributes at least the range [0, 0].
    """
    weights, bias = weights.astype(np.int64), bias.astype(np.int64)
    low_x, high_x = -128 - zero, 127 - zero
    products = np.stack([weights * low_x, weights * high_x])
    return SumRange(
        bias + np.minimum(products.min(axis=0), 0).sum(axis=1),
        bias + np.maximum(products.max(axis=0), 0).sum(axis=1),
    )


def constant_channels(requant: Requant, sums: SumRange) -> tuple[np.ndarray, np.ndarray]:
    """Result of each channel for its lowest sum, rounded exactly and not clamped; whether every sum gives the same."""
    left = np.maximum(requant.shift.astype(np.int64), 0)
    fits = (sums.low << left >= -(1 << 31)) & (sums.high << left < 1 << 31)
    unclamped = replace(requant, low=-128, high=127, fast=None)
    low, high = (unclamped.apply(np.where(fits, end, 0)).astype(np.int64) for end in (sums.low, sums.high))
    return low, fits & (low == high)


def fast_requant(requant: Requant, sums: SumRange) -> Requant:
    """``requant`` with ``fast`` set, if all real multipliers are below 0.5 and all sums below ``SUM_LIMIT``; else as it
    is. Channels whose result never changes do not count, and round exactly."""
    _, constant = constant_channels(requant, sums)
    able = (requant.multiplier >= 0) & (requant.shift < 0) & (sums.magnitude < SUM_LIMIT)
    return replace(requant, fast=~constant) if (able | constant).all() else requant
