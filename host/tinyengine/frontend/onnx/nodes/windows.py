"""Windows of convolutions and pools, over pictures and over lines; pools and reductions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tinyengine.errors import ModelError
from tinyengine.frontend.onnx.builder import LAST, Builder, Node, Value
from tinyengine.frontend.onnx.registry import translator
from tinyengine.ir.operators.base import MAX_SIZE
from tinyengine.ir.ops import GatherAttrs, MeanAttrs, OpKind, PadAttrs, PoolAttrs, Window, same_padding


def window_of(b: Builder, node: Node, kernel: tuple[int, int], size: tuple[int, int], line: bool) -> Window:
    def pair(key: str) -> tuple[int, int]:
        values = [1, *node.attributes.get(key, [1])] if line else node.attributes.get(key, [1, 1])
        return int(values[0]), int(values[1])

    stride, dilation = pair("strides"), pair("dilations")
    auto = node.attributes.get("auto_pad", "NOTSET")
    if auto.startswith("SAME"):
        top, bottom, left, right = same_padding(kernel, stride, dilation, *size)
        pad = (bottom, top, right, left) if auto == "SAME_LOWER" else (top, bottom, left, right)
        return Window(kernel, stride, dilation, pad)
    given = [int(n) for n in node.attributes.get("pads", [0] * (2 if line else 4))]
    given = [0, given[0], 0, given[1]] if line else given
    if min(given) < 0:
        b.unsupported(node, "has negative paddings", "slice its input instead")
    if max(given) > MAX_SIZE:
        raise ModelError(f"{node} has paddings of {max(given)}: convert the model again")
    return Window(kernel, stride, dilation, (given[0], given[2], given[1], given[3]))


def as_line(b: Builder, output: str, line: bool) -> None:
    """A picture of one row back to what it was: (N, W, C)."""
    if line:
        value = b.values[output]
        shape = b.tensor(value).shape
        b.values[output] = Value(tensor=b.viewed(value, (shape[0], *shape[2:])), order=(0, 2, 1))


@translator("MaxPool", "AveragePool")
def pool(b: Builder, node: Node) -> None:
    if len(node.outputs) > 1 or node.attributes.get("storage_order", 0):
        b.unsupported(node, "gives the indices of its maxima", "use the maxima alone")
    kernel = [int(n) for n in node.attributes["kernel_shape"]]
    if len(kernel) not in (1, 2) or max(node.attributes.get("dilations", [1])) > 1:
        b.unsupported(node, "slides over three axes or is dilated", "pool over one or two axes without dilation")
    line = len(kernel) == 1
    x = b.ordered(b.required(node, 0), (0, 2, 1) if line else LAST)
    tensor = b.tensor(x)
    shape = (tensor.shape[0], 1, *tensor.shape[1:]) if line else tensor.shape
    name = b.viewed(x, shape)
    sizes = (1, kernel[0]) if line else (kernel[0], kernel[1])
    window = window_of(b, node, sizes, (shape[1], shape[2]), line)
    if node.attributes.get("ceil_mode", 0):
        spare = [
            (n + before + after - k) % s
            for n, before, after, k, s in zip(
                shape[1:3], window.pad[::2], window.pad[1::2], window.kernel, window.stride, strict=True
            )
        ]
        if any(spare):
            b.unsupported(node, "has a last window beyond the picture (ceil_mode)", "pad its input, or use ceil_mode=0")
    same = same_padding(window.kernel, window.stride, (1, 1), shape[1], shape[2])
    if any(window.pad) and window.pad != same:
        top, bottom, left, right = window.pad
        if node.kind == "MaxPool":  # the edges again, which their windows have in any case: no maximum changes
            rows = np.pad(np.arange(shape[1]), (top, bottom), "edge").tolist()
            columns = np.pad(np.arange(shape[2]), (left, right), "edge").tolist()
            attrs = GatherAttrs((None, tuple(rows), tuple(columns), None))
            padded = (shape[0], len(rows), len(columns), shape[3])
            name = b.append(OpKind.GATHER, [name], attrs, padded, tensor.quant)
            window = replace(window, pad=(0, 0, 0, 0))
    if node.kind == "AveragePool" and any(window.pad):
        if node.attributes.get("count_include_pad", 0):
            top, bottom, left, right = window.pad
            padded = (shape[0], shape[1] + top + bottom, shape[2] + left + right, shape[3])
            pads = PadAttrs(((0, 0), (top, bottom), (left, right), (0, 0)))
            name = b.append(OpKind.PAD, [name], pads, padded, tensor.quant)
            window = replace(window, pad=(0, 0, 0, 0))
        elif window.pad != same:
            b.unsupported(node, "has paddings that TFLite's average lacks", "use count_include_pad=1, or no paddings")
    kind = OpKind.MAX_POOL_2D if node.kind == "MaxPool" else OpKind.AVERAGE_POOL_2D
    b.emit(node, kind, [name], PoolAttrs(window), tensor.quant, LAST)
    as_line(b, node.outputs[0], line)


_REDUCTIONS = {
    "ReduceMean": OpKind.MEAN, "ReduceSum": OpKind.SUM, "ReduceMax": OpKind.REDUCE_MAX, "ReduceMin": OpKind.REDUCE_MIN,
    "GlobalAveragePool": OpKind.MEAN, "GlobalMaxPool": OpKind.REDUCE_MAX,
}  # fmt: skip


@translator(*_REDUCTIONS)
def reduce(b: Builder, node: Node) -> None:
    x, kind = b.required(node, 0), _REDUCTIONS[node.kind]
    rank, keep = len(b.shape(x)), bool(node.attributes.get("keepdims", 1))
    if node.kind.startswith("Global"):
        axes: list[int] = [*range(2, rank)]
    else:
        axes = b.integers(node, "axes", 1) or []
        if not axes and node.attributes.get("noop_with_empty_axes", 0):
            b.unsupported(node, "reduces no axis", "remove it from the network")
        axes = axes or [*range(rank)]
    axes = sorted(axis % rank for axis in axes)
    quant, tensor = b.target(node.outputs[0]), b.tensor(x)
    if b.is_int8(x) and (kind in (OpKind.REDUCE_MAX, OpKind.REDUCE_MIN) or (quant is None and kind is OpKind.MEAN)):
        quant = tensor.quant
    x = x if quant is not None and b.is_int8(x) else b.real(x)
    within = tuple(sorted(x.order.index(axis) for axis in axes))
    order = x.order if keep else tuple(axis for axis in x.order if axis not in axes)
    left = sorted(order)
    attrs = MeanAttrs(within, keep)
    b.emit(node, kind, [x.tensor], attrs, quant if b.is_int8(x) else None, [left.index(a) for a in order])
