"""Operators on two tensors, with broadcasting."""

from __future__ import annotations

import numpy as np

from tinyengine.ir import Graph, Operator, OpKind
from tinyengine.ir.graph import DTYPES
from tinyengine.ir.operators import DEFINITIONS
from tinyengine.ir.operators.elementwise import (
    ADD_N_LEFT_SHIFT,
    DIFFERENCE_LEFT_SHIFT,
    Comparison,
    Div,
    Multiplier,
    Prelu,
    SquaredDifference,
    matmul_requant,
    sums_multiplier,
)
from tinyengine.ir.ops import ElementwiseAttrs, MatmulAttrs
from tinyengine.ir.quantize import (
    INT8_MAX,
    INT8_MIN,
    activation_range,
    multiply_by_quantized_multiplier,
    rounding_divide_by_pot,
    rounding_high_mul,
)
from tinyengine.ir.requant import add_params, mul_params
from tinyengine.reference.registry import oracle
from tinyengine.reference.softmax import reciprocal_of_one_plus


@oracle(OpKind.ADD, OpKind.SUB)
def add(op: Operator, graph: Graph, inputs: list[np.ndarray]) -> np.ndarray:
    """Both inputs are rescaled to a common, finer scale, summed, and rescaled to the output's."""
    if inputs[0].dtype == np.int32:
        return inputs[0] + inputs[1] if op.kind is OpKind.ADD else inputs[0] - inputs[1]
    p = add_params(graph, op)
    a = (inputs[0].astype(np.int64) - p.zero1) << p.left_shift
    b = (inputs[1].astype(np.int64) - p.zero2) << p.left_shift
    total = multiply_by_quantized_multiplier(a, p.multiplier1, p.shift1) + multiply_by_quantized_multiplier(
        b, p.multiplier2, p.shift2
    )
    scaled = multiply_by_quantized_multiplier(total, p.multiplier, p.shift) + p.zero
    return np.clip(scaled, p.low, p.high).astype(inputs[0].dtype)


@oracle(OpKind.MUL)
def mul(op: Operator, graph: Graph, inputs: list[np.ndarray]) -> np.ndarray:
    """Product of the centred inputs, requantized."""
    p = mul_params(graph, op)
    return p.requant.apply((inputs[0].astype(np.int64) - p.zero1) * (inputs[1].astype(np.int64) - p.zero2))


@oracle(OpKind.MUL, dtype="int32")
def mul_int32(op: Operator, graph: Graph, inputs: list[np.ndarray]) -> np.ndarray:
    """Wraps."""
    return inputs[0] * inputs[1]


@oracle(OpKind.DIV, dtype="int32")
def div_int32(op: Operator, graph: Graph, inputs: list[np.ndarray]) -> np.ndarray:
    """Towards zero; 0 of a division by 0. Only -2^31 / -1 wraps."""
    a, b = (value.astype(np.int64) for value in inputs)
    return np.where(b == 0, 0, np.sign(a) * np.sign(b) * (np.abs(a) // np.maximum(np.abs(b), 1))).astype(np.int32)


@oracle(OpKind.DIV, dtype="int8")
def div(op: Operator, graph: Graph, inputs: list[np.ndarray]) -> np.ndarray:
    """The dividend times the divisor's reciprocal in fixed point."""
    assert isinstance(op.attrs, ElementwiseAttrs)
    a, b = (x.astype(np.int64) for x in inputs)
    definition, y = DEFINITIONS[op.kind], graph.tensor(op.outputs[0])
    assert isinstance(definition, Div) and y.quant is not None
    factor = definition.multiplier(op, graph)
    a, b = (x - graph.tensor(name).zero_point for x, name in zip((a, b), op.inputs, strict=True))
    a, b = np.broadcast_arrays(np.where(b < 0, -a, a), np.maximum(np.abs(b), 1))
    zeros = 32 - _bits(b)
    inverse = reciprocal_of_one_plus((b << zeros) - (1 << 31))
    room = 31 - _bits(np.where(a < 0, -a - 1, a))  # signs in front that may go
    quotient = rounding_high_mul(a << room, inverse)
    down = np.maximum(31 - zeros + room - factor.shift, 0)
    scaled = rounding_divide_by_pot(rounding_high_mul(quotient, factor.multiplier), np.minimum(down, 31))
    scaled = np.where(down > 31, 0, scaled) + y.zero_point  # which C leaves open
    return np.clip(scaled, *activation_range(op.attrs.activation, y.quant)).astype(np.int8)


def _bits(x: np.ndarray) -> np.ndarray:
    """Length of non-negative numbers."""
    return np.array([int(v).bit_length() for v in x.flat], np.int64).reshape(x.shape)


@oracle(OpKind.FLOOR_DIV)
def floor_div(op: Operator, graph: Graph, inputs: list[np.ndarray]) -> np.ndarray:
    """Rounded down; 0 for a divisor of 0."""
    a, b = (x.astype(np.int64) for x in inputs)
    return np.where(b == 0, 0, a // np.where(b == 0, 1, b)).astype(np.int32)


@oracle(OpKind.FLOOR_MOD)
def floor_mod(op: Operator, graph: Graph, inputs: list[np.ndarray]) -> np.ndarray:
    """The rest, with the divisor's sign; 0 for a divisor of 0."""
    a, b = (x.astype(np.int64) for x in inputs)
    return np.where(b == 0, 0, a % np.where(b == 0, 1, b)).astype(np.int32)


@oracle(OpKind.ADD_N)
def add_n(op: Operator, graph: Graph, inputs: list[np.ndarray]) -> np.ndarray:
    """Of int8 with headroom, then rescaled to the output; TFLite Micro begins with the byte 0, not with a real zero."""
    if inputs[0].dtype == np.int32:
        return np.asarray(np.sum(inputs, axis=0, dtype=np.int32))
    x, y = graph.tensor(op.inputs[0]), graph.tensor(op.outputs[0])
    total = np.asarray(np.sum(inputs, axis=0, dtype=np.int64)) - (len(inputs) + 1) * x.zero_point
    return _to_int8(_scaled(total << (ADD_N_LEFT_SHIFT - 1), sums_multiplier(x, y)) + y.zero_point)


@oracle(OpKind.LOGICAL_AND, OpKind.LOGICAL_OR)
def logical(op: Operator, graph: Graph, inputs: list[np.ndarray]) -> np.ndarray:
    """Both, or either."""
    return np.logical_and(*inputs) if op.kind is OpKind.LOGICAL_AND else np.logical_or(*inputs)


@oracle(OpKind.LOGICAL_NOT)
def logical_not(op: Operator, graph: Graph, inputs: list[np.ndarray]) -> np.ndarray:
    """The opposite."""
    return np.logical_not(inputs[0])


@oracle(OpKind.MINIMUM)
def minimum(op: Operator, graph: Graph, inputs: list[np.ndarray]) -> np.ndarray:
    """The smaller one; the second where neither is (equal, or no numbers)."""
    return np.where(inputs[0] < inputs[1], *inputs)


@oracle(OpKind.MAXIMUM)
def maximum(op: Operator, graph: Graph, inputs: list[np.ndarray]) -> np.ndarray:
    """The larger one; the second where neither is."""
    return np.where(inputs[0] > inputs[1], *inputs)


@oracle(OpKind.SQUARED_DIFFERENCE)
def squared_difference(op: Operator, graph: Graph, inputs: list[np.ndarray]) -> np.ndarray:
    """Both inputs are rescaled to a common, finer scale, subtracted, squared, and rescaled to the output's."""
    definition = DEFINITIONS[op.kind]
    assert isinstance(definition, SquaredDifference)
    *factors, of_square = definition.multipliers(op, graph)
    a, b = (
        _scaled((x.astype(np.int64) - graph.tensor(name).zero_point) << DIFFERENCE_LEFT_SHIFT, factor)
        for x, name, factor in zip(inputs, op.inputs, factors, strict=True)
    )
    return _to_int8(_scaled((a - b) ** 2, of_square) + graph.tensor(op.outputs[0]).zero_point)


@oracle(OpKind.PRELU)
def prelu(op: Operator, graph: Graph, inputs: list[np.ndarray]) -> np.ndarray:
    """x, or x times a slope where x is negative."""
    definition = DEFINITIONS[op.kind]
    assert isinstance(definition, Prelu)
    identity, product = definition.multipliers(op, graph)
    x, slope = (
        value.astype(np.int64) - graph.tensor(name).zero_point for value, name in zip(inputs, op.inputs, strict=True)
    )
    result = np.where(x >= 0, _scaled(x, identity), _scaled(x * slope, product))
    return _to_int8(result + graph.tensor(op.outputs[0]).zero_point)


_COMPARE = {
    OpKind.EQUAL: np.equal,
    OpKind.NOT_EQUAL: np.not_equal,
    OpKind.LESS: np.less,
    OpKind.LESS_EQUAL: np.less_equal,
    OpKind.GREATER: np.greater,
    OpKind.GREATER_EQUAL: np.greater_equal,
}


@oracle(*_COMPARE)
def compare(op: Operator, graph: Graph, inputs: list[np.ndarray]) -> np.ndarray:
    """Of numbers; of int8 as real values with 8 more bits."""
    definition = DEFINITIONS[op.kind]
    assert isinstance(definition, Comparison)
    if inputs[0].dtype == np.int8:
        inputs = [
            _scaled((x.astype(np.int64) - graph.tensor(name).zero_point) << 8, factor)
            for x, name, factor in zip(inputs, op.inputs, definition.multipliers(op, graph), strict=True)
        ]
    return np.asarray(_COMPARE[op.kind](*inputs))


@oracle(OpKind.SELECT_V2)
def select(op: Operator, graph: Graph, inputs: list[np.ndarray]) -> np.ndarray:
    """Input 1 or input 2."""
    return np.where(*inputs)


@oracle(OpKind.CAST)
def cast(op: Operator, graph: Graph, inputs: list[np.ndarray]) -> np.ndarray:
    """Towards zero; beyond int32 to its ends, as ARM does (C leaves it open)."""
    x, dtype = inputs[0], DTYPES[graph.tensor(op.outputs[0]).dtype]
    if x.dtype == np.float32 and dtype == np.int32:
        return np.clip(np.nan_to_num(np.trunc(x.astype(np.float64))), -(1 << 31), (1 << 31) - 1).astype(np.int32)
    return x.astype(dtype)


def _scaled(x: np.ndarray, factor: Multiplier) -> np.ndarray:
    return multiply_by_quantized_multiplier(x, factor.multiplier, factor.shift)


def _to_int8(x: np.ndarray) -> np.ndarray:
    return np.clip(x, INT8_MIN, INT8_MAX).astype(np.int8)


@oracle(OpKind.BATCH_MATMUL)
def batch_matmul(op: Operator, graph: Graph, inputs: list[np.ndarray]) -> np.ndarray:
    """Of the last two axes."""
    assert isinstance(op.attrs, MatmulAttrs)
    a, b = (x.astype(np.int64) - graph.tensor(n).zero_point for x, n in zip(inputs, op.inputs, strict=True))
    a = a.swapaxes(-1, -2) if op.attrs.adj_x else a
    b = b.swapaxes(-1, -2) if op.attrs.adj_y else b
    return matmul_requant(graph, op).apply(a @ b)
