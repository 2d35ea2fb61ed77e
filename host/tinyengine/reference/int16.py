"""Operators of int16 activations that compute otherwise than those of int8."""

from __future__ import annotations

import numpy as np

from tinyengine.ir import Graph, Operator, OpKind
from tinyengine.ir.int16 import (
    INT16_MAX,
    INT16_MIN,
    interpolated,
    rescale,
    sigmoid_input,
    sigmoid_table,
    softmax_tables,
)
from tinyengine.ir.operators import DEFINITIONS
from tinyengine.ir.operators.unary import Relu
from tinyengine.ir.quantize import multiply_by_quantized_multiplier
from tinyengine.reference import convolution
from tinyengine.reference.registry import Oracle, oracle

SUMS: dict[OpKind, Oracle] = {
    OpKind.CONV_2D: convolution.conv_2d,
    OpKind.DEPTHWISE_CONV_2D: convolution.depthwise_conv_2d,
    OpKind.TRANSPOSE_CONV: convolution.transpose_conv,
    OpKind.FULLY_CONNECTED: convolution.fully_connected,
}


@oracle(*SUMS, dtype="int16")
def layer(op: Operator, graph: Graph, inputs: list[np.ndarray]) -> np.ndarray:
    """Sums of the biases' type, made int16."""
    sums = SUMS[op.kind](op, graph, inputs)
    return rescale(graph, op).apply(sums.astype(inputs[2].dtype).astype(np.int64))


@oracle(OpKind.RELU, dtype="int16")
def relu(op: Operator, graph: Graph, inputs: list[np.ndarray]) -> np.ndarray:
    definition = DEFINITIONS[op.kind]
    assert isinstance(definition, Relu)
    requant = definition.requant(op, graph.tensor(op.inputs[0]), graph.tensor(op.outputs[0]))
    return requant.apply(inputs[0].astype(np.int64))


def _scaled(op: Operator, graph: Graph, x: np.ndarray) -> np.ndarray:
    """In 1/3 of 2**-12, int64."""
    scale = sigmoid_input(op.kind, graph.tensor(op.inputs[0]).scale)
    half = 1 << (scale.shift - 1) if scale.shift else 0
    return (x.astype(np.int64) * scale.multiplier + half) >> scale.shift


def _sigmoid(size: np.ndarray, bits: int) -> np.ndarray:
    """sigmoid(size / 2**bits / 24) in 2**(-16 - bits), between the entries of the table; without an end beyond it."""
    table = sigmoid_table().astype(np.int64)
    index = np.minimum(size >> bits, 254)
    return (table[index] << bits) + (size & ((1 << bits) - 1)) * (table[index + 1] - table[index])


@oracle(OpKind.LOGISTIC, dtype="int16")
def logistic(op: Operator, graph: Graph, inputs: list[np.ndarray]) -> np.ndarray:
    """A table of the positive side, 1 less that of the negative one."""
    x = _scaled(op, graph, inputs[0])
    size = np.abs(x)
    result = np.where(size >> 9 >= 255, 0x7FFF << 10, _sigmoid(size, 9))
    return np.where(x >= 0, result + (1 << 9), (1 << 25) - result + (1 << 9) - 1) >> 10


@oracle(OpKind.TANH, dtype="int16")
def tanh(op: Operator, graph: Graph, inputs: list[np.ndarray]) -> np.ndarray:
    """2 * sigmoid(2x) - 1, of the same table."""
    x = _scaled(op, graph, inputs[0])
    size = np.abs(x)
    result = np.where(size >> 8 >= 255, 0xFFFF << 8, _sigmoid(size, 8)) - (1 << 23)
    return np.where(x >= 0, result + (1 << 7), -result + (1 << 7) - 1) >> 8


@oracle(OpKind.SOFTMAX, dtype="int16")
def softmax(op: Operator, graph: Graph, inputs: list[np.ndarray]) -> np.ndarray:
    """exp(x - max) / sum over the last axis in 1/32768, by two tables."""
    p = softmax_tables(graph, op)
    x = inputs[0].astype(np.int64)
    scaled = multiply_by_quantized_multiplier(x - x.max(axis=-1, keepdims=True), p.multiplier, p.shift)
    exps = interpolated(np.clip(scaled + INT16_MAX, INT16_MIN, INT16_MAX), p.exp)
    total = exps.sum(axis=-1, keepdims=True)
    bits = np.array([int(t).bit_length() for t in total.flat]).reshape(total.shape)
    normalized = ((total << (31 - bits)) + (1 << 13)) >> 14
    inverse = interpolated(np.clip(normalized - (1 << 15) - (1 << 16), INT16_MIN, INT16_MAX), p.inverse)
    down = bits - 1
    return np.clip((exps * inverse + (np.int64(1) << (down - 1))) >> down, 0, INT16_MAX).astype(np.int16)
