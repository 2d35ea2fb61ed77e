"""Factors and limits of a training step: what oracle and kernels multiply with, shift by and saturate at.

Both take them from here, so that the C code can be compared with the oracle bit by bit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinyengine.ir import Graph, Operator
from tinyengine.ir.ops import (
    Activation,
    Conv2DAttrs,
    DepthwiseConv2DAttrs,
    ElementwiseAttrs,
    FullyConnectedAttrs,
    PoolAttrs,
)
from tinyengine.ir.quantize import activation_range
from tinyengine.ir.requant import conv_requant
from tinyengine.sizes import ceil_div
from tinyengine.training.layers import TrainableLayer
from tinyengine.training.selection import DEAD_WEIGHT_SCALE, dead_channels, weight_scales

MANTISSA_BITS = 15
MANTISSA_MAX = (1 << MANTISSA_BITS) - 1
"""Of gradients in block floating point (``reference.backward.block_float``), and of the factors of their channels."""

PRODUCTS_IN_INT32 = 512
"""Products of an int8 and an int16 that always fit int32: 512 * 128 * 32767 < 2**31."""

BIAS_LIMIT = 1 << 29


@dataclass(frozen=True, eq=False)
class Multiplier:
    """A positive real factor per channel: ``value * 2**(exponent - 15)``; the largest value has its top bit set."""

    value: np.ndarray  # int64 (C) holding 0..32767
    exponent: int


def multiplier_of(real: np.ndarray) -> Multiplier:
    """``real`` float64 (C), not negative: mantissas relative to the largest, halves rounded up, at most 32767."""
    _, exponent = np.frexp(real.max())
    value = np.floor(np.ldexp(real, MANTISSA_BITS - int(exponent)) + 0.5)
    return Multiplier(np.minimum(value, MANTISSA_MAX).astype(np.int64), int(exponent))


def clamp_range(op: Operator, graph: Graph) -> tuple[int, int]:
    """The rails of an operator's output."""
    quant = graph.tensor(op.outputs[0]).quant
    assert quant is not None
    match op.attrs:
        case (
            Conv2DAttrs(activation=activation)
            | DepthwiseConv2DAttrs(activation=activation)
            | FullyConnectedAttrs(activation=activation)
            | ElementwiseAttrs(activation=activation)
            | PoolAttrs(activation=activation)
        ):
            return activation_range(activation, quant)
        case _:
            return activation_range(Activation.NONE, quant)


def effective_scales(op: Operator, graph: Graph) -> np.ndarray:
    """s_x s_w / s_y of every output channel, float64 (O)."""
    x, weights, y = graph.tensor(op.inputs[0]), graph.tensor(op.inputs[1]), graph.tensor(op.outputs[0])
    assert weights.quant is not None
    scales = x.scale * np.array(weights.quant.scale) / y.scale
    return np.broadcast_to(scales, (graph.tensor(op.inputs[2]).elements,))


def alive_scales(op: Operator, graph: Graph) -> np.ndarray:
    """Effective scales of a layer's output channels, float64 (O); 0 for dead channels."""
    quant = graph.tensor(op.inputs[1]).quant
    assert quant is not None
    return np.where(np.array(quant.scale) < DEAD_WEIGHT_SCALE, 0.0, effective_scales(op, graph))


def layer_multiplier(op: Operator, graph: Graph) -> Multiplier:
    """``alive_scales`` as 15-bit numbers."""
    return multiplier_of(alive_scales(op, graph))


def headroom(op: Operator, graph: Graph) -> int:
    """Bits that the scaled gradient of a layer stays below 15, so that its input gradient's sums fit int32."""
    weights = graph.tensor(op.inputs[1])
    match op.attrs:
        case Conv2DAttrs(window=window):
            products = weights.shape[0] * window.kernel[0] * window.kernel[1]
        case DepthwiseConv2DAttrs(window=window, multiplier=multiplier):
            products = multiplier * window.kernel[0] * window.kernel[1]
        case _:
            products = weights.shape[0]
    return max(0, (ceil_div(products, PRODUCTS_IN_INT32) - 1).bit_length())


def pool_counts(op: Operator, graph: Graph) -> np.ndarray:
    """Pixels of the picture under each window of an average pool: int64 (rows, columns)."""
    assert isinstance(op.attrs, PoolAttrs)
    window = op.attrs.window
    x, y = graph.tensor(op.inputs[0]).shape, graph.tensor(op.outputs[0]).shape

    def along(axis: int) -> np.ndarray:
        taps = np.arange(window.kernel[axis]) * window.dilation[axis] - window.pad[2 * axis]
        places = np.arange(y[axis + 1])[:, None] * window.stride[axis] + taps
        return ((places >= 0) & (places < x[axis + 1])).sum(axis=1)

    return np.outer(along(0), along(1))


def scaling(layer: TrainableLayer, bias: bool) -> np.ndarray:
    """Quantization-aware scaling of a layer's weights or biases per output channel, 0 where dead: float32 (O)."""
    steps = weight_scales(layer) * (layer.x.scale if bias else 1.0)
    return np.where(dead_channels(layer), 0.0, steps**-2.0).astype(np.float32)


def bias_limit(graph: Graph, layer: TrainableLayer) -> int:
    """Where trained biases of a layer saturate: half of what the fixed-point formulas of the forward pass take, so
    that with up to 2**29 / (128 * 255) products no sum leaves their range (``kernels.fixed``)."""
    shifts = conv_requant(graph, layer.op).shift.astype(np.int64)
    alive = shifts[~dead_channels(layer)] if len(shifts) > 1 else shifts
    return BIAS_LIMIT >> max(0, int(alive.max(initial=0)))
