"""ADD, SUB and MUL with broadcasting."""

from __future__ import annotations

import numpy as np

from tinyengine.ir import Graph, Operator, OpKind
from tinyengine.ir.quantize import multiply_by_quantized_multiplier
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
