"""SOFTMAX in fixed point."""

from __future__ import annotations

import numpy as np

from tinyengine.ir import Graph, Operator, OpKind
from tinyengine.ir.quantize import rounding_divide_by_pot, rounding_high_mul
from tinyengine.ir.requant import softmax_params
from tinyengine.reference.registry import oracle

ACCUMULATION_INTEGER_BITS = 12
"""The sum of exponentials is held in Q12.19."""


@oracle(OpKind.SOFTMAX)
def softmax(op: Operator, graph: Graph, inputs: list[np.ndarray]) -> np.ndarray:
    """exp(x - max) / sum over the last axis, from the least int8 or int16 value on, in 1/256 or 1/65536."""
    dtype = graph.tensor(op.outputs[0]).dtype
    limits = np.iinfo(dtype)
    params = softmax_params(graph, op)
    x = inputs[0].astype(np.int64)
    difference = x.max(axis=-1, keepdims=True) - x
    exps = params.exp_table[difference].astype(np.int64)
    total = rounding_divide_by_pot(exps, ACCUMULATION_INTEGER_BITS).sum(axis=-1, keepdims=True)
    # normalize the sum to [1, 2), take the reciprocal, scale back when the product is shifted down
    headroom = 32 - np.array([int(t).bit_length() for t in total.flat]).reshape(total.shape)
    scale = reciprocal_of_one_plus((total << headroom) - (1 << 31))
    exponent = ACCUMULATION_INTEGER_BITS - headroom + 31 - limits.bits
    result = rounding_divide_by_pot(rounding_high_mul(scale, exps), exponent) + limits.min
    counted = difference <= -params.diff_min
    return np.where(counted, np.clip(result, limits.min, limits.max), limits.min).astype(dtype)


def reciprocal_of_one_plus(x: np.ndarray) -> np.ndarray:
    """1 / (1 + x) in Q0.31 for x in [0, 1) in Q0.31: three Newton steps from 48/17 - 32/17 * d, d = (1 + x) / 2.

    As gemmlowp's one_over_one_plus_x_for_x_in_0_1; the estimate is held in Q2.29.
    """
    half_denominator = (x + ((1 << 31) - 1) + 1) >> 1
    estimate = 1515870810 + rounding_high_mul(half_denominator, -1010580540)
    for _ in range(3):
        error = (1 << 29) - rounding_high_mul(half_denominator, estimate)
        estimate = estimate + _saturate32(rounding_high_mul(estimate, error) << 2)
    return _saturate32(estimate << 1)


def _saturate32(x: np.ndarray) -> np.ndarray:
    return np.clip(x, -(1 << 31), (1 << 31) - 1)
