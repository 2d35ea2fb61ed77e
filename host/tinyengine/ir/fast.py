"""``fast`` requantization: which layers round that way. Packers and oracle ask the same function.

A layer rounds fast if a fast kernel computes it, all its real multipliers are below 0.5 and all its sums below
``SUM_LIMIT``. Otherwise, and on generic kernels, it rounds exactly. What the fast formula gives differs from the exact
one by at most 1: the multiplier is rounded to 31 fractional bits, which moves a result by at most 2**30 / 2**32, and
both formulas are off by less than 0.75 from there.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from tinyengine.ir.graph import Graph, Operator
from tinyengine.ir.ops import Conv2DAttrs, DepthwiseConv2DAttrs
from tinyengine.ir.requant import Requant, conv_requant

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


def layer_requant(graph: Graph, op: Operator, mode: str) -> Requant:
    """``conv_requant``, with ``fast`` set if ``mode`` is "fast" and the layer rounds fast."""
    requant = conv_requant(graph, op)
    weights = graph.tensor(op.inputs[1]).data
    bias = graph.tensor(op.inputs[2]).data if len(op.inputs) > 2 else np.zeros(1, np.int64)
    if mode != "fast" or weights is None or bias is None or not _has_fast_kernel(graph, op):
        return requant
    taps = np.moveaxis(weights, -1 if isinstance(op.attrs, DepthwiseConv2DAttrs) else 0, 0)
    taps = taps.reshape(len(taps), -1)
    sums = sum_range(taps, np.broadcast_to(bias.ravel(), len(taps)), graph.tensor(op.inputs[0]).zero_point)
    _, constant = constant_channels(requant, sums)
    able = (requant.multiplier >= 0) & (requant.shift < 0) & (sums.magnitude < SUM_LIMIT)
    return replace(requant, fast=~constant) if (able | constant).all() else requant


def _has_fast_kernel(graph: Graph, op: Operator) -> bool:
    """Whether a kernel with fast rounding takes any layer of this shape (all do that round fast)."""
    x, weights = graph.tensor(op.inputs[0]), graph.tensor(op.inputs[1])
    if isinstance(op.attrs, DepthwiseConv2DAttrs):
        return op.attrs.multiplier == 1 and op.attrs.window.dilation == (1, 1)
    if isinstance(op.attrs, Conv2DAttrs):
        return weights.shape[0] > 1 and weights.shape[3] == x.shape[3]
    return x.elements == weights.shape[1]
