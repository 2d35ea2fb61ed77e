"""Shape rules: what an operator's inputs and attributes say about its output."""

from __future__ import annotations

from math import prod

from tinyengine.errors import ModelError
from tinyengine.ir.graph import Graph, Operator
from tinyengine.ir.ops import (
    ConcatAttrs,
    Conv2DAttrs,
    DepthwiseConv2DAttrs,
    MeanAttrs,
    OpKind,
    PadAttrs,
    PoolAttrs,
    StridedSliceAttrs,
    TransposeAttrs,
    Window,
)

Shape = tuple[int, ...]


def infer_shape(op: Operator, graph: Graph) -> Shape | None:
    """Shape of the output of ``op``; None for RESHAPE and RESIZE_NEAREST_NEIGHBOR, whose output tensor decides it.

    STRIDED_SLICE is inferred with every axis kept, FULLY_CONNECTED as (1, O). ModelError if the inputs or
    attributes contradict each other; constants are expected to have the ranks that ``verify`` checks first.
    """
    shapes = [graph.tensor(name).shape for name in op.inputs]
    x = shapes[0]
    match op.attrs:
        case Conv2DAttrs(window=window):
            return (1, *_slide(op, window, x), shapes[1][0])
        case DepthwiseConv2DAttrs(window=window):
            return (1, *_slide(op, window, x), shapes[1][3])
        case PoolAttrs(window=window):
            return (1, *_slide(op, window, x), x[3])
        case MeanAttrs(axes=axes, keep_dims=keep):
            if keep:
                return tuple(1 if i in axes else n for i, n in enumerate(x))
            return tuple(n for i, n in enumerate(x) if i not in axes)
        case PadAttrs(pads=pads):
            return tuple(n + before + after for n, (before, after) in zip(x, pads, strict=True))
        case TransposeAttrs(perm=perm):
            return tuple(x[axis] for axis in perm)
        case ConcatAttrs(axis=axis):
            return _concatenated(op, shapes, axis)
        case StridedSliceAttrs(count=count):
            return count
    match op.kind:
        case OpKind.RESHAPE | OpKind.RESIZE_NEAREST_NEIGHBOR:
            return None
        case OpKind.FULLY_CONNECTED:
            return (1, shapes[1][0])
        case OpKind.ADD | OpKind.SUB | OpKind.MUL:
            return broadcast(op, shapes[0], shapes[1])
        case _:
            return x


def broadcast(op: Operator, a: Shape, b: Shape) -> Shape:
    """NumPy's broadcasting of two shapes; ModelError if they do not fit."""
    shape = broadcast_shapes(a, b)
    if shape is None:
        raise ModelError(f"{op.kind} '{op.name}' combines shapes {a} and {b}, which cannot be broadcast together")
    return shape


def broadcast_shapes(a: Shape, b: Shape) -> Shape | None:
    """NumPy's broadcasting of two shapes; None if they do not fit."""
    rank = max(len(a), len(b))
    padded = [(1,) * (rank - len(s)) + s for s in (a, b)]
    if any(m != n and 1 not in (m, n) for m, n in zip(*padded, strict=True)):
        return None
    return tuple(max(m, n) for m, n in zip(*padded, strict=True))


def same_padding(window_kernel: int, stride: int, dilation: int, size: int) -> tuple[int, int]:
    """TFLite's SAME padding of one axis as (before, after): the odd pixel comes last."""
    reach = (window_kernel - 1) * dilation + 1
    out = -(-size // stride)
    total = max((out - 1) * stride + reach - size, 0)
    return total // 2, total - total // 2


def _slide(op: Operator, window: Window, x: Shape) -> tuple[int, int]:
    rows, columns = window.output_size(x[1], x[2])
    if rows < 1 or columns < 1:
        raise ModelError(
            f"{op.kind} '{op.name}' slides a window of {window.kernel[0]}x{window.kernel[1]} over a smaller picture "
            f"of {x[1]}x{x[2]}"
        )
    return rows, columns


def _concatenated(op: Operator, shapes: list[Shape], axis: int) -> Shape:
    first = shapes[0]
    for other in shapes[1:]:
        if len(other) != len(first) or any(
            m != n for i, (m, n) in enumerate(zip(first, other, strict=True)) if i != axis
        ):
            raise ModelError(f"{op.kind} '{op.name}' joins shapes {first} and {other} along axis {axis}")
    return (*first[:axis], sum(s[axis] for s in shapes), *first[axis + 1 :])


def squeezed(shape: Shape) -> Shape:
    """The shape without axes of size 1."""
    return tuple(n for n in shape if n != 1)


def same_elements(a: Shape, b: Shape) -> bool:
    return prod(a) == prod(b)
