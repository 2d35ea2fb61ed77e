"""Operators along one axis."""

from __future__ import annotations

import numpy as np

from tinyengine.ir import Graph, Operator, OpKind
from tinyengine.ir.operators.elementwise import ADD_N_LEFT_SHIFT, sums_multiplier
from tinyengine.ir.operators.lines import log_softmax_params
from tinyengine.ir.ops import ArgAttrs, CumsumAttrs
from tinyengine.ir.quantize import (
    INT8_MAX,
    INT8_MIN,
    inverse_sqrt,
    multiply_by_quantized_multiplier,
    rounding_divide_by_pot,
    rounding_high_mul,
)
from tinyengine.reference.registry import oracle
from tinyengine.reference.softmax import reciprocal_of_one_plus


@oracle(OpKind.LOG_SOFTMAX)
def log_softmax(op: Operator, graph: Graph, inputs: list[np.ndarray]) -> np.ndarray:
    """x - max - log(sum of exponentials) over the last axis; the output's scale is 1/16, its zero point 127."""
    p = log_softmax_params(graph, op)
    x = inputs[0].astype(np.int64)
    difference = x - x.max(axis=-1, keepdims=True)
    total = p.exp.astype(np.int64)[-difference].sum(axis=-1, keepdims=True)
    log = np.array([log_q19(int(t)) for t in total.flat], np.int64).reshape(total.shape)
    least = multiply_by_quantized_multiplier(log - (1 << 31), p.reverse, p.reverse_shift)
    least = np.maximum(least, p.softmax.diff_min - 1)
    scaled = multiply_by_quantized_multiplier(
        np.maximum(difference, p.softmax.diff_min), p.softmax.multiplier, p.softmax.left_shift
    )
    result = np.clip(rounding_divide_by_pot(scaled - log, 22) + INT8_MAX, INT8_MIN, INT8_MAX)
    return np.where(difference > least, result, INT8_MIN).astype(np.int8)


def log_q19(x: int) -> int:
    """log(x) in Q5.26 of x >= 1 in Q12.19, as TFLite's log_x_for_x_greater_than_or_equal_to_1.

    x = 2^k * r; log r by a quotient of polynomials in r - 2^(-1/4).
    """
    sqrt_half, fourth_root_half = 1518500250, 1805811301

    def times(a: int, b: int) -> int:
        return int(rounding_high_mul(np.array(a), b))

    def shifted(a: int, by: int) -> int:
        return max(min(a << by, (1 << 31) - 1), -(1 << 31))

    zeros = 32 - x.bit_length()
    zeros_below = 31 - times(x, sqrt_half).bit_length()
    r = min(shifted(times(shifted(x, zeros - 1), sqrt_half), 1), shifted(x, zeros_below))
    k = max(((12 - zeros) << 25) + (1 << 23), ((12 - zeros_below) << 25) - (1 << 23))
    p = (r + fourth_root_half + 1) // 2
    q = 2 * (r - fourth_root_half)
    square = times(q, q)
    above = times(q, r) + times(times(q, square), 117049297)
    under = times(p, 1057819769 + q + times(square, 127690142)) + times(q, 638450708)
    reciprocal = int(reciprocal_of_one_plus(np.array(under)))
    quotient = times(int(rounding_divide_by_pot(np.array(above), 6)), reciprocal)
    return shifted(times(k, 1488522236) + quotient, 1)


@oracle(OpKind.L2_NORMALIZATION)
def l2_normalization(op: Operator, graph: Graph, inputs: list[np.ndarray]) -> np.ndarray:
    """x / |x| over the last axis; the output's scale is 1/128, its zero point 0."""
    x = inputs[0].astype(np.int64) - graph.tensor(op.inputs[0]).zero_point
    squares = (x * x).sum(axis=-1, keepdims=True)
    factors = np.array([inverse_sqrt(int(s)) for s in squares.flat], np.int64).reshape(*squares.shape, 2)
    scaled = multiply_by_quantized_multiplier(x, factors[..., 0], factors[..., 1] + 7)
    return np.clip(scaled, INT8_MIN, INT8_MAX).astype(np.int8)


@oracle(OpKind.ARG_MAX)
def arg_max(op: Operator, graph: Graph, inputs: list[np.ndarray]) -> np.ndarray:
    """The first index of the largest value."""
    assert isinstance(op.attrs, ArgAttrs)
    return np.asarray(inputs[0].argmax(axis=op.attrs.axis)).astype(np.int32)


@oracle(OpKind.ARG_MIN)
def arg_min(op: Operator, graph: Graph, inputs: list[np.ndarray]) -> np.ndarray:
    """The first index of the smallest value."""
    assert isinstance(op.attrs, ArgAttrs)
    return np.asarray(inputs[0].argmin(axis=op.attrs.axis)).astype(np.int32)


def scan(x: np.ndarray, attrs: CumsumAttrs, start: int = 0) -> np.ndarray:
    """Sums of ``start`` and all values up to each, one addition after the other in the type of ``x``."""
    moved = np.moveaxis(x, attrs.axis, 0)
    moved = moved[::-1] if attrs.reverse else moved
    result, total = np.empty_like(moved), np.full(moved.shape[1:], start, x.dtype)
    for index, value in enumerate(moved):
        after = total + value
        result[index] = total if attrs.exclusive else after
        total = after
    return np.moveaxis(result[::-1] if attrs.reverse else result, 0, attrs.axis)


@oracle(OpKind.CUMSUM)
def cumsum(op: Operator, graph: Graph, inputs: list[np.ndarray]) -> np.ndarray:
    """Of int8 with headroom, then rescaled to the output; TFLite Micro begins with the byte 0, not with a real zero."""
    assert isinstance(op.attrs, CumsumAttrs)
    if inputs[0].dtype != np.int8:
        return scan(inputs[0], op.attrs)
    x, y = graph.tensor(op.inputs[0]), graph.tensor(op.outputs[0])
    factor = sums_multiplier(x, y)
    values = (inputs[0].astype(np.int32) - x.zero_point) << (ADD_N_LEFT_SHIFT - 1)
    total = scan(values, op.attrs, -x.zero_point << (ADD_N_LEFT_SHIFT - 1))
    scaled = multiply_by_quantized_multiplier(total.astype(np.int64), factor.multiplier, factor.shift)
    return np.clip(scaled + y.zero_point, INT8_MIN, INT8_MAX).astype(np.int8)
