"""Functions of single values: tables, QUANTIZE and DEQUANTIZE (the way into and out of int8)."""

from __future__ import annotations

import numpy as np

from tinyengine.ir import Graph, Operator, OpKind
from tinyengine.ir.operators import DEFINITIONS
from tinyengine.ir.operators.unary import FUNCTIONS, LeakyRelu, unary_lut
from tinyengine.ir.ports import dequantize_array, quantize_array, requantize_array
from tinyengine.reference.registry import oracle


@oracle(OpKind.QUANTIZE)
def quantize(op: Operator, graph: Graph, inputs: list[np.ndarray]) -> np.ndarray:
    """float32 to int8, or one quantization of integers to another."""
    x, output = graph.tensor(op.inputs[0]), graph.tensor(op.outputs[0])
    assert output.quant is not None
    if x.dtype == "float32":
        return quantize_array(inputs[0], output.quant, output.dtype)
    assert x.quant is not None
    return requantize_array(inputs[0], x.quant, output.quant, output.dtype)


@oracle(OpKind.DEQUANTIZE)
def dequantize(op: Operator, graph: Graph, inputs: list[np.ndarray]) -> np.ndarray:
    """8 bits to float32."""
    quant = graph.tensor(op.inputs[0]).quant
    assert quant is not None
    return dequantize_array(inputs[0], quant)


@oracle(OpKind.LEAKY_RELU, dtype="int16")
def leaky_relu(op: Operator, graph: Graph, inputs: list[np.ndarray]) -> np.ndarray:
    definition = DEFINITIONS[op.kind]
    assert isinstance(definition, LeakyRelu)
    x, output = graph.tensor(op.inputs[0]), graph.tensor(op.outputs[0])
    return definition.results(op, x, output, inputs[0].astype(np.int64)).astype(np.int16)


@oracle(*(kind for kind in FUNCTIONS if kind is not OpKind.QUANTIZE))
def unary(op: Operator, graph: Graph, inputs: list[np.ndarray]) -> np.ndarray:
    """Table lookup."""
    return unary_lut(graph, op)[inputs[0].astype(np.int64) + 128]
