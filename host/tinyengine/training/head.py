"""A new classifier for other classes on the features of a trained network."""

from __future__ import annotations

import copy

import numpy as np

from tinyengine.errors import ModelError
from tinyengine.ir import Graph, Quantization
from tinyengine.training.layers import trainable_layers

INITIAL_SPREAD = 0.01
"""Standard deviation of a new classifier's real weights."""


def replace_head(graph: Graph, classes: int, seed: int = 0) -> Graph:
    """A copy of ``graph`` whose classifier has ``classes`` outputs, random weights and no biases.

    Weights are quantized with the median scale of the old classifier's, which served the same features; the scale of
    the logits stays. ModelError for less than two classes or a network without a classifier.
    """
    if classes < 2:
        raise ModelError(f"{classes} classes are too few to tell anything apart: at least 2")
    graph = copy.deepcopy(graph)
    head = trainable_layers(graph).classifier
    behind = graph.operators[graph.operators.index(head.op) :]
    if any(graph.tensor(op.outputs[0]).shape[-1] != head.out_channels for op in behind):
        raise ModelError(f"{graph.name} reshapes its classifier's outputs, so the classifier cannot be replaced")
    assert head.weights.quant is not None
    scale = float(np.float32(np.median(head.weights.quant.scale)))
    shape = (classes, *head.weights.shape[1:])
    real = np.random.default_rng(seed).normal(0.0, INITIAL_SPREAD, shape)
    weights, bias = graph.tensor(head.weights.name), graph.tensor(head.bias.name)
    weights.shape, weights.data = shape, np.clip(np.round(real / scale), -127, 127).astype(np.int8)
    weights.quant = Quantization((scale,), (0,))
    bias.shape, bias.data = (classes,), np.zeros(classes, np.int32)
    bias.quant = Quantization((float(np.float32(scale) * np.float32(head.x.scale)),), (0,))
    for op in behind:
        y = graph.tensor(op.outputs[0])
        y.shape = (*y.shape[:-1], classes)
    return graph
