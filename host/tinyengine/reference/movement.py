"""Operators that only move bytes."""

from __future__ import annotations

import numpy as np

from tinyengine.ir import Graph, Operator, OpKind
from tinyengine.ir.operators.movement import bilinear_sources, gather_indices, nearest_sources, shift_axis
from tinyengine.ir.ops import (
    ConcatAttrs,
    GatherAttrs,
    LookupAttrs,
    PadAttrs,
    ResizeAttrs,
    StridedSliceAttrs,
    TransposeAttrs,
)
from tinyengine.reference.registry import oracle


@oracle(OpKind.RESHAPE)
def reshape(op: Operator, graph: Graph, inputs: list[np.ndarray]) -> np.ndarray:
    """The same bytes under another shape."""
    return inputs[0].reshape(graph.tensor(op.outputs[0]).shape)


@oracle(OpKind.PAD)
def pad(op: Operator, graph: Graph, inputs: list[np.ndarray]) -> np.ndarray:
    """A value around the input, mostly a real zero: the output's zero point, 0 if it is not quantized."""
    assert isinstance(op.attrs, PadAttrs)
    output, value = graph.tensor(op.outputs[0]), op.attrs.value
    zero = output.zero_point if output.quant else 0
    return np.pad(inputs[0], op.attrs.pads, constant_values=zero if value is None else value)


@oracle(OpKind.TRANSPOSE)
def transpose(op: Operator, graph: Graph, inputs: list[np.ndarray]) -> np.ndarray:
    """Axes in another order."""
    assert isinstance(op.attrs, TransposeAttrs)
    return np.ascontiguousarray(inputs[0].transpose(op.attrs.perm))


@oracle(OpKind.CONCATENATION)
def concatenation(op: Operator, graph: Graph, inputs: list[np.ndarray]) -> np.ndarray:
    """Inputs one behind the other along an axis."""
    assert isinstance(op.attrs, ConcatAttrs)
    return np.concatenate(inputs, axis=op.attrs.axis)


@oracle(OpKind.SHIFT)
def shift(op: Operator, graph: Graph, inputs: list[np.ndarray]) -> np.ndarray:
    """The last indices of the window and what is new."""
    axis = shift_axis(*(graph.tensor(name) for name in op.inputs))
    both = np.concatenate(inputs, axis)
    return both.take(np.arange(inputs[1].shape[axis], both.shape[axis]), axis)


@oracle(OpKind.RESIZE_NEAREST_NEIGHBOR)
def resize_nearest_neighbor(op: Operator, graph: Graph, inputs: list[np.ndarray]) -> np.ndarray:
    """Every output pixel copies the input pixel it lies in (or is nearest to)."""
    assert isinstance(op.attrs, ResizeAttrs)
    x, output = inputs[0], graph.tensor(op.outputs[0])
    rows = nearest_sources(op.attrs, x.shape[1], output.shape[1])
    columns = nearest_sources(op.attrs, x.shape[2], output.shape[2])
    return x[:, rows][:, :, columns]


@oracle(OpKind.STRIDED_SLICE)
def strided_slice(op: Operator, graph: Graph, inputs: list[np.ndarray]) -> np.ndarray:
    """Every stride-th index of every axis."""
    assert isinstance(op.attrs, StridedSliceAttrs)
    a = op.attrs
    indices = [b + s * np.arange(c) for b, s, c in zip(a.begin, a.stride, a.count, strict=True)]
    return inputs[0][np.ix_(*indices)]


@oracle(OpKind.GATHER)
def gather(op: Operator, graph: Graph, inputs: list[np.ndarray]) -> np.ndarray:
    """The chosen indices of every axis."""
    assert isinstance(op.attrs, GatherAttrs)
    return inputs[0][np.ix_(*gather_indices(op.attrs, inputs[0].shape))]


@oracle(OpKind.RESIZE_BILINEAR)
def resize_bilinear(op: Operator, graph: Graph, inputs: list[np.ndarray]) -> np.ndarray:
    """The four pixels around each output pixel, weighted by 1/1024 along each axis; halves away from zero."""
    assert isinstance(op.attrs, ResizeAttrs)
    x, output = inputs[0].astype(np.int64), graph.tensor(op.outputs[0])
    total = x
    for axis in (1, 2):
        low, high, far = bilinear_sources(op.attrs, x.shape[axis], output.shape[axis])
        far = far.reshape([-1 if i == axis else 1 for i in range(4)])
        total = total.take(low, axis) * (1024 - far) + total.take(high, axis) * far
    magnitude = (np.abs(total) + (1 << 19)) >> 20
    return np.where(total > 0, magnitude, -magnitude).astype(np.int8)


@oracle(OpKind.EMBEDDING_LOOKUP)
def embedding_lookup(op: Operator, graph: Graph, inputs: list[np.ndarray]) -> np.ndarray:
    """Entries of a table by computed indices."""
    assert isinstance(op.attrs, LookupAttrs)
    return inputs[1].take(inputs[0], op.attrs.axis, mode="clip")


@oracle(OpKind.DYNAMIC_UPDATE_SLICE)
def dynamic_update_slice(op: Operator, graph: Graph, inputs: list[np.ndarray]) -> np.ndarray:
    """A part replaced."""
    x, part, start = inputs
    first = np.clip(start, 0, np.subtract(x.shape, part.shape))
    result = x.copy()
    result[tuple(slice(f, f + n) for f, n in zip(first, part.shape, strict=True))] = part
    return result
