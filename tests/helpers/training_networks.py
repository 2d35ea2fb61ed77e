"""Random networks for generated training steps: what fast kernels take, and what they do not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from tinyengine.compiler import CompiledModel, CompileOptions, compile_graph
from tinyengine.ir import Graph, Operator, OpKind, Quantization
from tinyengine.ir.ops import Activation, Window
from tinyengine.reference.backward.real import WEIGHTED, clamp_mask
from tinyengine.reference.backward.step import Trainer
from tinyengine.reference.executor import execute
from tinyengine.step import Sample, Update
from tinyengine.training.layers import trainable_layers
from tinyengine.training.scheme import UpdateScheme

from tests.helpers.graphs import GraphBuilder

RELU6 = Activation.RELU6

Given = tuple[np.ndarray, Sample, Update]
"""What a training step is given: int8 input, sample, update."""


def same(kernel: int, stride: int = 1) -> Window:
    before = (kernel - 1) // 2
    return Window((kernel, kernel), (stride, stride), (1, 1), (before, kernel - 1 - before) * 2)


def inverted_residuals(b: GraphBuilder) -> None:
    """What the fast kernels are for: pointwise and depthwise at both strides, a residual, an average pool."""
    x = b.conv(b.input(1, 9, 7, 3), 16, same(3, 2), RELU6)
    y = b.conv(b.depthwise(b.conv(x, 32, Window((1, 1)), RELU6), same(5)), 16, Window((1, 1)))
    x = b.binary(OpKind.ADD, x, y)
    y = b.depthwise(b.conv(x, 48, Window((1, 1)), RELU6), same(3, 2), 1, RELU6)
    x = b.pool(OpKind.AVERAGE_POOL_2D, b.conv(y, 24, Window((1, 1))), Window((3, 2)))
    b.output(b.dense(x, 5))


def odd_shapes(b: GraphBuilder) -> None:
    """What they do not take: odd channels, dilation, uneven padding, a multiplier, a single channel, overlaps."""
    x = b.conv(b.input(1, 10, 9, 2), 5, Window((3, 2), (1, 2), (2, 1), (2, 1, 1, 0)), RELU6)
    x = b.depthwise(x, Window((2, 3), (2, 1), (1, 2), (0, 1, 2, 2)), 2)
    x = b.conv(x, 1, Window((1, 1)), RELU6)
    x = b.conv(x, 7, Window((2, 2)))
    x = b.pool(OpKind.AVERAGE_POOL_2D, x, Window((2, 2), (1, 1), (1, 1), (1, 0, 0, 1)))
    b.output(b.softmax(b.dense(b.reshape(b.mean(x, (1, 2)), 1, 7), 3)))


def shared(b: GraphBuilder) -> None:
    """Gradients that meet: a tensor read three times, a sum of a tensor with itself; a convolution as classifier."""
    x = b.conv(b.input(1, 6, 6, 4), 8, same(3), RELU6)
    y = b.depthwise(x, same(3), 1, RELU6)
    z = b.conv(x, 8, Window((1, 1)), Activation.RELU)
    x = b.binary(OpKind.ADD, b.binary(OpKind.ADD, y, z, RELU6), x)
    x = b.mean(b.binary(OpKind.ADD, x, x), (1, 2), keep=True)
    b.output(b.conv(x, 8, Window((1, 1))))


def many_pixels(b: GraphBuilder) -> None:
    """From 258 pixels on weights' gradients take 64 bits; a dense layer over a whole picture."""
    x = b.conv(b.input(1, 17, 17, 4), 8, Window((1, 1)), RELU6)
    x = b.conv(x, 8, Window((1, 1)))
    b.output(b.dense(b.depthwise(x, Window((3, 3), (4, 4)), 1, RELU6), 4))


NETWORKS: list[Callable[[GraphBuilder], None]] = [inverted_residuals, odd_shapes, shared, many_pixels]


def network(build: Callable[[GraphBuilder], None], seed: int) -> Graph:
    b = GraphBuilder(seed, build.__name__)
    build(b)
    calibrate(b.graph, seed)
    return b.graph


def calibrate(graph: Graph, seed: int) -> None:
    """Scales with which outputs use their range and few are clamped on random pictures: gradients reach every layer."""
    [name] = graph.input_tensors()
    values = {t.name: t.data for t in graph.constants() if t.data is not None}
    values[name] = np.random.default_rng(seed).integers(-128, 128, graph.tensor(name).shape, np.int8)
    for op in graph.operators:
        x, y = graph.tensor(op.inputs[0]), graph.tensor(op.outputs[0])
        if op.kind in (OpKind.AVERAGE_POOL_2D, OpKind.RESHAPE):
            y.quant = x.quant
        elif op.kind is not OpKind.SOFTMAX:
            rectified = getattr(op.attrs, "activation", Activation.NONE) is not Activation.NONE
            y.quant = Quantization((float(np.float32(0.04)),), (-100 if rectified else -7,))
        if op.kind in WEIGHTED:
            scale_weights(op, graph, 1.0)
        inputs = [values[name] for name in op.inputs]
        for _ in range(30):
            [values[y.name]] = execute(op, graph, inputs)
            passing, spread = clamp_mask(op, graph, values[y.name]).mean(), values[y.name].std()
            if op.kind not in WEIGHTED or (passing > 0.5 and spread > 10):
                break
            scale_weights(op, graph, 0.8 if spread > 25 or passing < 0.1 else 1.3)


def scale_weights(op: Operator, graph: Graph, factor: float) -> None:
    x, weights, bias = (graph.tensor(name) for name in op.inputs)
    assert weights.quant is not None and bias.quant is not None
    scales = (np.array(weights.quant.scale) * factor).astype(np.float32)
    weights.quant = replace(weights.quant, scale=tuple(scales.tolist()))
    bias.quant = replace(bias.quant, scale=tuple((scales * np.float32(x.scale)).tolist()))


def compile_all(build: Callable[[GraphBuilder], None], ratio: float, **options: Any) -> CompiledModel:
    """A network of which every bias, and of every weight the share ``ratio``, is trained."""
    graph = network(build, 1 + int(10 * ratio))
    count = len(trainable_layers(graph).convolutions)
    trained = range(count) if build is not odd_shapes or ratio == 1 else (0, 1)
    scheme = UpdateScheme("all", count, {index: ratio for index in trained})
    return compile_graph(graph, CompileOptions(train=scheme, **options))


def samples_for(oracle: Trainer, count: int, momentum: float = 0.0, batch: int = 1) -> list[Given]:
    """Labels are wrong at first: a network that is sure changes nothing."""
    rng = np.random.default_rng(2)
    classes = trainable_layers(oracle.graph).classifier.out_channels
    shape = oracle.graph.tensor(oracle.graph.input_tensors()[0]).shape
    pictures = [rng.integers(-128, 128, shape, np.int8) for _ in range(count)]
    return [
        (
            x,
            Sample(1 - oracle.evaluate(x, Sample(0, 2)).predicted, classes - index % 2),
            Update(0.02, 9, index, momentum, batch, index % batch),
        )
        for index, x in enumerate(pictures)
    ]
