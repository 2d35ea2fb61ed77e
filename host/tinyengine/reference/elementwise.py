"""Operators on two tensors, with broadcasting."""

from __future__ import annotations

import numpy as np

from tinyengine.ir import Graph, Operator, OpKind
from tinyengine.ir.operators import DEFINITIONS
from tinyengine.ir.operators.elementwise import DIFFERENCE_LEFT_SHIFT, Multiplier, Prelu, SquaredDifference
from tinyengine.ir.quantize import INT8_MAX, INT8_MIN, multiply_by_quantized_multiplier
from tinyengine.ir.requant import add_params, mul_params
from tinyengine.reference.registry import oracle


@oracle(OpKind.ADD, OpKind.SUB)
def add(op: Operator, graph: Graph, inputs: list[np.ndarray]) -> np.ndarray:
    """Both inputs are rescaled to a common, finer scale, summed, and rescaled to the output's."""
    p = add_params(graph, op)
    a = (inputs[0].astype(np.int64) - p.zero1) << p.left_shift
    b = (inputs[1].astype(np.int64) - p.zero2) << p.left_shift
    total = multiply_by_quantized_multiplier(a, p.multiplier1, p.shift1) + multiply_by_quantized_multiplier(
        b, p.multiplier2, p.shift2
    )
    scaled = multiply_by_quantized_multiplier(total, p.multiplier, p.shift) + p.zero
    return np.clip(scaled, p.low, p.high).astype(np.int8)


@oracle(OpKind.MUL)
def mul(op: Operator, graph: Graph, inputs: list[np.ndarray]) -> np.ndarray:
    """Product of the centred inputs, requantized."""
    p = mul_params(graph, op)
    return p.requant.apply((inputs[0].astype(np.int64) - p.zero1) * (inputs[1].astype(np.int64) - p.zero2))


@oracle(OpKind.MINIMUM)
def minimum(op: Operator, graph: Graph, inputs: list[np.ndarray]) -> np.ndarray:
    """The smaller byte."""
    return np.minimum(*inputs)


@oracle(OpKind.MAXIMUM)
def maximum(op: Operator, graph: Graph, inputs: list[np.ndarray]) -> np.ndarray:
    """The larger byte."""
    return np.maximum(*inputs)


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


def _scaled(x: np.ndarray, factor: Multiplier) -> np.ndarray:
    return multiply_by_quantized_multiplier(x, factor.multiplier, factor.shift)


def _to_int8(x: np.ndarray) -> np.ndarray:
    return np.clip(x, INT8_MIN, INT8_MAX).astype(np.int8)
