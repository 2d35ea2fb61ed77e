"""Depthwise convolutions of parts of the channels, joined again (MixConv): one convolution of all channels."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from tinyengine.ir.graph import Graph, Operator, Quantization, Tensor
from tinyengine.ir.ops import ConcatAttrs, DepthwiseConv2DAttrs, OpKind, StridedSliceAttrs
from tinyengine.passes.rewrite import add_tensor, graph_pass, only_reader, same_quantization


@dataclass(frozen=True)
class _Part:
    """Channels and rows of a picture, all of its columns, and the convolution that reads them."""

    op: Operator
    attrs: DepthwiseConv2DAttrs
    picture: str
    first_row: int
    channels: tuple[int, int]


@graph_pass
def merge_split_depthwise(graph: Graph) -> None:
    """Windows of different heights become the highest one, with weights of zero in the rows that they do not reach.

    The sums are the same; the slices disappear, which cost more than the products with zero.
    """
    for joined in graph.operators:
        if joined.kind is OpKind.CONCATENATION and joined.attrs == ConcatAttrs(3) and len(joined.inputs) > 1:
            parts = [_part(graph, joined, name) for name in joined.inputs]
            known = [part for part in parts if part is not None]
            if len(known) == len(parts) and _is_whole(graph, known):
                _merge(graph, joined, known)


def _part(graph: Graph, joined: Operator, name: str) -> _Part | None:
    op = graph.producer(name)
    if op is None or op.kind is not OpKind.DEPTHWISE_CONV_2D or only_reader(graph, name) is not joined:
        return None
    attrs = op.attrs
    assert isinstance(attrs, DepthwiseConv2DAttrs)
    if attrs.multiplier != 1 or any(attrs.window.pad) or attrs.window.dilation != (1, 1):
        return None
    if not same_quantization(graph, name, joined.outputs[0]):
        return None
    picture, shape = op.inputs[0], graph.tensor(op.inputs[0]).shape
    begin: tuple[int, ...] = (0, 0, 0, 0)
    while (source := graph.producer(picture)) is not None and source.kind is OpKind.STRIDED_SLICE:
        assert isinstance(source.attrs, StridedSliceAttrs)
        same_axes = graph.tensor(picture).shape == source.attrs.count and len(source.attrs.count) == 4
        steps = [s for s, n in zip(source.attrs.stride, source.attrs.count, strict=True) if n > 1]
        if not same_axes or any(step != 1 for step in steps):
            break
        begin = tuple(a + b for a, b in zip(begin, source.attrs.begin, strict=True))
        picture = source.inputs[0]
    whole = graph.tensor(picture).shape
    if begin[0] or begin[2] or whole[2] != shape[2] or not same_quantization(graph, picture, op.inputs[0]):
        return None
    return _Part(op, attrs, picture, begin[1], (begin[3], begin[3] + shape[3]))


def _is_whole(graph: Graph, parts: list[_Part]) -> bool:
    """Whether the parts are all channels of one picture in order, and differ in the heights of their windows only."""
    first, edges = parts[0], [0, *(part.channels[1] for part in parts)]
    alike = {(p.picture, p.attrs.activation, p.attrs.window.stride, p.attrs.window.kernel[1]) for p in parts}
    outputs = {graph.tensor(part.op.outputs[0]).shape[1] for part in parts}
    return (
        len(alike) == len(outputs) == 1
        and edges[:-1] == [part.channels[0] for part in parts]
        and edges[-1] == graph.tensor(first.picture).shape[3]
    )


def _merge(graph: Graph, joined: Operator, parts: list[_Part]) -> None:
    """Let ``joined`` be the convolution of all channels."""
    first = parts[0]
    height = max(part.first_row + part.attrs.window.kernel[0] for part in parts)
    top = min(part.first_row for part in parts)
    rows = graph.tensor(joined.outputs[0]).shape[1]
    if top or (rows - 1) * first.attrs.window.stride[0] + height != graph.tensor(first.picture).shape[1]:
        return  # the highest window sees a part of the picture only
    weights = [graph.tensor(part.op.inputs[1]) for part in parts]
    padded = [
        np.pad(_data(w), ((0, 0), (p.first_row, height - p.first_row - w.shape[1]), (0, 0), (0, 0)))
        for w, p in zip(weights, parts, strict=True)
    ]
    data = np.concatenate(padded, axis=3)
    names = [add_tensor(graph, Tensor(f"{joined.name}_weights", data.shape, "int8", _joined(weights, 3), data))]
    if len(first.op.inputs) > 2:
        biases = [graph.tensor(part.op.inputs[2]) for part in parts]
        bias = np.concatenate([_data(tensor).ravel() for tensor in biases])
        names.append(add_tensor(graph, Tensor(f"{joined.name}_bias", bias.shape, "int32", _joined(biases, 0), bias)))
    window = replace(first.attrs.window, kernel=(height, first.attrs.window.kernel[1]))
    joined.kind, joined.inputs, joined.attrs = (
        first.op.kind,
        [first.picture, *names],
        replace(first.attrs, window=window),
    )


def _data(tensor: Tensor) -> np.ndarray:
    assert tensor.data is not None
    return tensor.data


def _joined(tensors: list[Tensor], axis: int) -> Quantization | None:
    """Per channel, each tensor's own."""
    scales: list[float] = []
    for tensor in tensors:
        if tensor.quant is None:
            return None
        channels = tensor.shape[-1]
        scales += tensor.quant.scale if tensor.quant.per_channel else tensor.quant.scale * channels
    return Quantization(tuple(scales), (0,) * len(scales), axis)
