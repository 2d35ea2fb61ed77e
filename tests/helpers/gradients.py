"""Networks whose gradients have an oracle, and what the tests of gradients ask of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from tinyengine.ir import Graph, OpKind, Quantization
from tinyengine.ir.ops import (
    Activation,
    Window,
)
from tinyengine.reference.backward import real
from tinyengine.reference.backward.loss import classifier_logits, loss_gradient, softmax
from tinyengine.training.autodiff import BackwardPlan, plan_scheme
from tinyengine.training.layers import trainable_layers
from tinyengine.training.scheme import UpdateScheme
from tinyengine.zoo.table import Network, parse_blocks

from tests.helpers.graphs import GraphBuilder
from tests.helpers.tiny_networks import picture, tiny_graph

LABEL = 2


def inverted_residuals() -> Graph:
    """Depthwise 3x3 and 7x7, both strides, residuals, a global average."""
    return tiny_graph(Network("tiny", 24, 8, parse_blocks("e1c8k3 e4c12k5s2 e3c12k3*2 e3c16k7s2"), classes=5), 5)


def assorted(seed: int = 1) -> Graph:
    """What the other network lacks: 3x3 over channels, ReLU clamps inside the range, average pools that overlap and
    are padded, a multiplier, MEAN, RESHAPE, and a tensor with three readers."""
    build = GraphBuilder(seed)
    x = build.input(1, 11, 9, 3)
    a = build.conv(x, 6, Window((3, 3), (1, 1), pad=(1, 1, 1, 1)), Activation.RELU)
    b = build.depthwise(a, Window((3, 3), (2, 2), pad=(1, 1, 0, 1)), multiplier=2, activation=Activation.RELU6)
    c = build.conv(b, 12, Window((3, 3), (1, 1), pad=(1, 1, 1, 1)), Activation.RELU6)
    d = build.binary(OpKind.ADD, b, c, Activation.RELU)
    e = build.binary(OpKind.ADD, d, b)
    f = build.pool(OpKind.AVERAGE_POOL_2D, e, Window((3, 2), (2, 1), pad=(1, 0, 0, 1)))
    g = build.conv(f, 7, Window((2, 2), (1, 1), dilation=(1, 2)))
    h = build.reshape(build.mean(g, (1, 2), keep=True), 1, 7)
    logits = build.dense(h, 5)
    build.output(build.softmax(logits))
    tame(build.graph)
    return build.graph


def tame(graph: Graph) -> None:
    """Give activations a scale of 0.04 without changing the integers that flow (so that ReLU6 clamps well inside the
    range, as it starts at -100), and logits one that leaves no class certain."""
    before = {name: tensor.quant for name, tensor in graph.tensors.items()}
    for op in graph.operators[:-1]:
        y = graph.tensor(op.outputs[0])
        rectified = getattr(op.attrs, "activation", Activation.NONE) is not Activation.NONE
        y.quant = Quantization((0.04,), (-100 if rectified else -7,))
        if op.kind in real.WEIGHTED:
            constants = [graph.tensor(name) for name in op.inputs[1:]]
            old, x = before[y.name], graph.tensor(op.inputs[0])
            assert old is not None and before[x.name] is not None
            change = 0.04 / old.scale[0] / (x.scale / before[x.name].scale[0])
            for tensor, factor in zip(constants, (change, change * x.scale / before[x.name].scale[0]), strict=True):
                assert tensor.quant is not None
                tensor.quant = replace(tensor.quant, scale=tuple(scale * factor for scale in tensor.quant.scale))


NETWORKS: dict[str, Callable[[], Graph]] = {"inverted residuals": inverted_residuals, "assorted": assorted}


def everything(graph: Graph) -> BackwardPlan:
    return plan_scheme(graph, last_weights(graph, len(trainable_layers(graph).convolutions)))


def last_weights(graph: Graph, count: int) -> UpdateScheme:
    total = len(trainable_layers(graph).convolutions)
    return UpdateScheme("all", count, {index: 1.0 for index in range(total - count, total)})


def sample(graph: Graph, seed: int = 0) -> np.ndarray:
    if "input" in graph.tensors:
        return picture(graph, seed)
    shape = graph.tensor(graph.input_tensors()[0]).shape
    return np.random.default_rng(seed).integers(-128, 128, shape).astype(np.int8)


def seeded(graph: Graph, values: dict[str, np.ndarray]) -> np.ndarray:
    """Gradient of the cross-entropy by the logits tensor."""
    layer = trainable_layers(graph).classifier
    logits = classifier_logits(graph, layer, values[layer.x.name])
    return loss_gradient(softmax(logits), LABEL, layer.y.scale)
