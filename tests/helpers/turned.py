"""A run of operators over strips of its pictures as a graph of its own, in which rows and columns have changed places:
what kernels.streaming.patch does with sizes alone, done with everything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from tinyengine.ir import Graph, Operator, Tensor
from tinyengine.ir.ops import Conv2DAttrs, DepthwiseConv2DAttrs, Window
from tinyengine.kernels.base import CArray, CStruct, CValue


def turned_graph(ops: Sequence[Operator], graph: Graph, shapes: Mapping[str, tuple[int, int, int]]) -> Graph:
    """``ops`` over pictures of ``shapes`` (columns, rows, channels), added ones included; no padding above, below."""
    turned = Graph("turned")
    for name, shape in shapes.items():
        turned.tensors[name] = replace(graph.tensor(name), shape=(1, *shape), data=None)
    for op in ops:
        attrs = op.attrs
        if isinstance(attrs, Conv2DAttrs | DepthwiseConv2DAttrs):
            (down, right), (_, _, left, beyond) = attrs.window.kernel, attrs.window.pad
            stride, dilation = attrs.window.stride[::-1], attrs.window.dilation[::-1]
            attrs = replace(attrs, window=Window((right, down), stride, dilation, (left, beyond, 0, 0)))
            weights = graph.tensor(op.inputs[1])
            assert weights.data is not None
            data = np.ascontiguousarray(weights.data.transpose(0, 2, 1, 3))
            turned.tensors[weights.name] = Tensor(weights.name, data.shape, "int8", weights.quant, data)
            turned.tensors |= {name: graph.tensor(name) for name in op.inputs[2:]}
        turned.operators.append(replace(op, attrs=attrs))
    return turned


def plain(value: CValue) -> object:
    """``value`` in types that == compares."""
    match value:
        case CArray(suffix, data):
            return suffix, data.dtype.name, data.tolist()
        case CStruct(suffix, ctype, items):
            return suffix, ctype, [plain(item) for item in items]
        case Mapping():
            return {key: plain(item) for key, item in value.items()}
        case list():
            return [plain(item) for item in value]
        case _:
            return value
