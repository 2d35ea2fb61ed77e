"""The real weights of an int8 network: what a training can go on from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from tinyengine.convert.source import NETWORKS, suffix_of
from tinyengine.errors import ModelError
from tinyengine.ir import Graph, Operator, OpKind, Tensor
from tinyengine.ir.ops import Conv2DAttrs, DepthwiseConv2DAttrs

_KINDS = (OpKind.CONV_2D, OpKind.DEPTHWISE_CONV_2D, OpKind.FULLY_CONNECTED)


@dataclass(frozen=True, eq=False)
class RealLayer:
    """A convolution, or a fully connected layer as one of 1x1, normalization folded into it.

    ``kernel``: float32 (rows, columns, inputs, outputs) as in Keras; of a depthwise one (rows, columns, channels, 1).
    ``bias``: float32 (outputs,).
    """

    kernel: np.ndarray
    bias: np.ndarray
    stride: tuple[int, int] = (1, 1)


def real_layers(path: Path) -> list[RealLayer]:
    """The layers with weights of an int8 network (a key of ``source.NETWORKS``), in order.

    The first one is scaled so that it takes pictures as ``fit`` feeds them, (pixel - 128) / 128, whatever the network's
    input stands for. ModelError for a network that is not int8 or computes its weights.
    """
    suffix = suffix_of(path)
    if suffix not in NETWORKS:
        raise ModelError(f"{path} is a float model, not an int8 network")
    graph = NETWORKS[suffix](path)
    layers = [_real(graph, op, path.name) for op in graph.operators if op.kind in _KINDS]
    image = graph.tensor(graph.input_tensors()[0])
    if layers and image.quant is not None:
        layers[0] = _for_pixels(layers[0], *image.quant.scalar())
    return layers


def _real(graph: Graph, op: Operator, name: str) -> RealLayer:
    x, weights = graph.tensor(op.inputs[0]), graph.tensor(op.inputs[1])
    if weights.data is None or weights.dtype != "int8" or weights.quant is None or x.quant is None:
        raise ModelError(f"{name}, operator {op.name}, has no int8 weights to begin with: start from an int8 network")
    data = weights.data.astype(np.float64) - np.array(weights.quant.zero_point)[0]
    if op.kind is OpKind.FULLY_CONNECTED:
        data = data[:, None, None, :]  # (O, I) as (O, 1, 1, I)
    scale = np.array(weights.quant.scale)
    # depthwise (1, K, K, O) -> (K, K, O, 1), others (O, K, K, I) -> (K, K, I, O)
    kernel = (data * (scale if op.kind is OpKind.DEPTHWISE_CONV_2D else scale[:, None, None, None])).transpose(
        1, 2, 3, 0
    )
    outputs = kernel.shape[2 if op.kind is OpKind.DEPTHWISE_CONV_2D else 3]
    stride = op.attrs.window.stride if isinstance(op.attrs, Conv2DAttrs | DepthwiseConv2DAttrs) else (1, 1)
    return RealLayer(kernel.astype(np.float32), _bias(graph, op.inputs[2:], scale * x.scale, outputs), stride)


def _bias(graph: Graph, names: Sequence[str], scale: np.ndarray, outputs: int) -> np.ndarray:
    bias: Tensor | None = graph.tensor(names[0]) if names and names[0] else None
    if bias is None or bias.data is None:
        return np.zeros(outputs, np.float32)
    return (bias.data.ravel() * scale).astype(np.float32)


def _for_pixels(layer: RealLayer, scale: float, zero_point: int) -> RealLayer:
    """real = scale * (q - zero_point) with q = 128 x, expressed by weights for x. (At borders, where a zero stands for
    another value of q than before, the result is another one.)"""
    shift = -scale * zero_point * layer.kernel.sum(axis=(0, 1, 2), dtype=np.float64)
    return replace(
        layer,
        kernel=(layer.kernel * np.float32(128 * scale)),
        bias=(layer.bias + shift).astype(np.float32),
    )
