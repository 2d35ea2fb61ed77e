"""Operators that remember. Sigmoid and tanh are gemmlowp's of 16 bits, as in TFLite's reference kernels."""

from __future__ import annotations

import numpy as np

from tinyengine.ir import Graph, Operator, OpKind
from tinyengine.ir.operators.recurrent import GATES, lstm_params, svdf_params
from tinyengine.ir.ops import SvdfAttrs
from tinyengine.ir.quantize import multiply_by_quantized_multiplier, rounding_divide_by_pot, rounding_high_mul
from tinyengine.reference.registry import oracle

INT16_MIN, INT16_MAX = -(1 << 15), (1 << 15) - 1
GATE_BITS = 3
"""Integer bits of what a gate's sigmoid or tanh is taken of."""
_STEPS = ((-2, 25520), (-1, 19875), (0, 12055), (1, 4435), (2, 600), (3, 11), (4, 0))
"""exp(-2^k) with 15 fraction bits, by k."""


def _mul(a: np.ndarray, b: np.ndarray | int) -> np.ndarray:
    return rounding_high_mul(a, b, bits=16)


def _saturate(x: np.ndarray) -> np.ndarray:
    return np.clip(x, INT16_MIN, INT16_MAX)


def _wrap(x: np.ndarray) -> np.ndarray:
    return (x - INT16_MIN) % (1 << 16) + INT16_MIN


def exp_of_negative(a: np.ndarray, integer_bits: int) -> np.ndarray:
    """exp(a) with 15 fraction bits, a <= 0 with ``integer_bits``: a polynomial on [-1/4, 0), times powers of e."""
    fraction_bits = 15 - integer_bits
    quarter = 1 << (fraction_bits - 2)
    rest = (a & (quarter - 1)) - quarter
    x = (rest << integer_bits) + (1 << 12)
    square = _mul(x, x)
    fourth = rounding_divide_by_pot(_mul(square, square), 2)
    series = rounding_divide_by_pot(_mul(fourth + _mul(square, x), 10923) + square, 1)
    result = _saturate(28918 + _mul(x + series, 28918))
    whole = rest - a
    for exponent, factor in _STEPS:
        if integer_bits > exponent:
            result = np.where(whole & (1 << (fraction_bits + exponent)), _mul(result, factor), result)
    if integer_bits > 5:
        result = np.where(a < -(1 << (20 - integer_bits)), 0, result)
    return np.where(a == 0, INT16_MAX, result)


def _two_over_one_plus(e: np.ndarray) -> np.ndarray:
    """2 / (1 + e) with 13 fraction bits, e in [0, 1] with 15: three steps of Newton's method."""
    half = (e + INT16_MAX + 1) >> 1
    guess = 23130 + _mul(half, -15420)
    for _ in range(3):
        error = (1 << 13) - _mul(half, guess)
        guess = _wrap(guess + _saturate(_mul(guess, error) << 2))
    return guess


def sigmoid(a: np.ndarray, integer_bits: int = GATE_BITS) -> np.ndarray:
    """With 15 fraction bits, of int16 values with ``integer_bits``; int64 in and out."""
    positive = _saturate(_two_over_one_plus(exp_of_negative(_wrap(-np.abs(a)), integer_bits)) << 1)
    return np.where(a == 0, 1 << 14, np.where(a > 0, positive, INT16_MAX - positive))


def tanh(a: np.ndarray, integer_bits: int = GATE_BITS) -> np.ndarray:
    """With 15 fraction bits, of int16 values with ``integer_bits``; int64 in and out."""
    quotient = _two_over_one_plus(exp_of_negative(_wrap(-np.abs(a)), integer_bits + 1))
    positive = _saturate((quotient - (1 << 13)) << 2)
    return np.where(a == 0, 0, np.where(a > 0, positive, -positive))


@oracle(OpKind.UNIDIRECTIONAL_SEQUENCE_LSTM)
def lstm(op: Operator, graph: Graph, inputs: list[np.ndarray]) -> list[np.ndarray]:
    """Gates saturate to int16 after the input's part and again after the hidden state's."""
    x, hidden, cell, *constants = (array.astype(np.int64) for array in inputs)
    weights, recurrent, biases = (constants[i : i + GATES] for i in (0, GATES, 2 * GATES))
    params = lstm_params(graph, op)
    zero, hidden_zero = (graph.tensor(name).zero_point for name in op.inputs[:2])
    hidden, cell, rows = hidden[0], cell[0], []
    for step in x.reshape(-1, x.shape[-1]):
        sums = []
        for gate in range(GATES):
            first = weights[gate] @ (step - zero) + biases[gate]
            second = recurrent[gate] @ (hidden - hidden_zero)
            value = _saturate(multiply_by_quantized_multiplier(first, *params.inputs[gate]))
            sums.append(_saturate(value + multiply_by_quantized_multiplier(second, *params.recurrent[gate])))
        new, kept, change, shown = sigmoid(sums[0]), sigmoid(sums[1]), tanh(sums[2]), sigmoid(sums[3])
        old = rounding_divide_by_pot(kept * cell, 15)
        cell = _saturate(old + rounding_divide_by_pot(new * change, 30 + params.exponent))
        if op.attrs.cell_clip:  # type: ignore[attr-defined]
            cell = np.clip(cell, -params.clip, params.clip)
        product = shown * tanh(cell, 15 + params.exponent)
        hidden = np.clip(multiply_by_quantized_multiplier(product, *params.hidden) + hidden_zero, -128, 127)
        rows.append(hidden)
    return [np.stack(rows), hidden, cell]


@oracle(OpKind.SVDF)
def svdf(op: Operator, graph: Graph, inputs: list[np.ndarray]) -> list[np.ndarray]:
    """The state's oldest row makes room for what the filters give now."""
    assert isinstance(op.attrs, SvdfAttrs)
    x, state, weights, over_time, bias = (array.astype(np.int64) for array in inputs)
    params, limits = svdf_params(graph, op), np.iinfo(inputs[1].dtype)
    zero, state_zero = (graph.tensor(name).zero_point for name in op.inputs[:2])
    new = multiply_by_quantized_multiplier(weights @ (x[0] - zero), *params.state) + state_zero
    state = np.concatenate([state[1:], np.clip(new, limits.min, limits.max)[None]])
    sums = ((state.T - state_zero) * over_time).sum(axis=1).reshape(-1, op.attrs.rank).sum(axis=1) + bias
    sums = sums.astype(np.int32).astype(np.int64)
    y = multiply_by_quantized_multiplier(sums, *params.output) + graph.tensor(op.outputs[0]).zero_point
    return [np.clip(y, -128, 127), state]
