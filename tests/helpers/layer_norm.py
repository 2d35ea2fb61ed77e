"""Layer normalization as converters write it."""

from __future__ import annotations

import numpy as np
from tinyengine.ir import Graph, OpKind, Quantization
from tinyengine.ir.ops import ElementwiseAttrs, MeanAttrs, NoAttrs

from tests.helpers.graphs import GraphBuilder


def quantized(scale: float, zero: int) -> Quantization:
    return Quantization((float(np.float32(scale)),), (zero,))


def layer_norm(seed: int, shape: tuple[int, ...] = (1, 5, 12), negate: str = "island") -> Graph:
    """What TensorFlow's converter makes of LayerNormalization. ``negate``: how the mean changes its sign."""
    b = GraphBuilder(seed, "normalized")
    rng = b.rng
    scale = rng.uniform(0.02, 0.05)
    x = b.input(*shape, quant=quantized(scale, int(rng.integers(-20, 20))))
    last = len(shape) - 1
    ones = (*shape[:-1], 1)
    mean = b.op(OpKind.MEAN, [x], MeanAttrs((last,), True), ones, quantized(scale * rng.uniform(0.1, 0.9), 3))
    less = quantized(b.graph.tensor(mean).scale, -4)
    if negate == "island":
        real = b.op(OpKind.DEQUANTIZE, [mean], NoAttrs(), dtype="float32")
        negative = b.op(OpKind.NEG, [real], NoAttrs(), dtype="float32")
        negative = b.op(OpKind.QUANTIZE, [negative], NoAttrs(), quant=less)
    else:
        negative = b.op(OpKind.NEG, [mean], NoAttrs(), quant=less)
    squares = b.op(OpKind.SQUARED_DIFFERENCE, [x, mean], NoAttrs(), quant=quantized(scale * scale * 60, -128))
    variance = b.op(OpKind.MEAN, [squares], MeanAttrs((last,), True), ones, quantized(scale * scale * 25, -128))
    epsilon = b.constant(np.array(127, np.int8), quantized(4e-8, -128))
    added = b.op(OpKind.ADD, [variance, epsilon], ElementwiseAttrs(), quant=b.graph.tensor(variance).quant)
    root = b.op(OpKind.RSQRT, [added], NoAttrs(), quant=quantized(0.12 / scale / 255, -128))
    gain = b.constant(rng.integers(-20, 128, (1,) * last + shape[-1:]).astype(np.int8), quantized(0.008, -128))
    factor = b.op(OpKind.MUL, [root, gain], ElementwiseAttrs(), shape, quantized(0.2 / scale / 255, -128))
    moved = b.op(OpKind.MUL, [negative, factor], ElementwiseAttrs(), shape, quantized(0.008, 5))
    offsets = rng.integers(-128, 128, (1,) * last + shape[-1:]).astype(np.int8)
    shifts = b.constant(offsets, quantized(0.004, 9))
    offset = b.op(OpKind.ADD, [moved, shifts], ElementwiseAttrs(), shape, quantized(0.009, -8))
    scaled = b.op(OpKind.MUL, [x, factor], ElementwiseAttrs(), shape, quantized(0.03, -7))
    b.output(b.op(OpKind.ADD, [scaled, offset], ElementwiseAttrs(), shape, quantized(0.031, -6)))
    return b.graph


def rows_of(graph: Graph, seed: int) -> list[np.ndarray]:
    """Rows of different means and deviations, and constant ones."""
    rng = np.random.default_rng(seed)
    shape = graph.tensor(graph.input_tensors()[0]).shape
    rows = (*shape[:-1], 1)
    x = rng.normal(0, 1, shape) * rng.choice([0, 5, 40, 90], rows) + rng.normal(0, 40, rows)
    return [np.clip(np.round(x), -128, 127).astype(np.int8)]
