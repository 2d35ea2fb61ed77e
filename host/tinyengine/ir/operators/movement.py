"""Operators that only move bytes."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from tinyengine.ir.graph import Graph, Operator, Tensor
from tinyengine.ir.operators.base import MAX_SIZE, A, Contradiction, Definition, Shape, up_to_ones
from tinyengine.ir.ops import (
    ConcatAttrs,
    GatherAttrs,
    LookupAttrs,
    NoAttrs,
    OpKind,
    PadAttrs,
    ResizeAttrs,
    StridedSliceAttrs,
    TransposeAttrs,
)
from tinyengine.ir.quantize import round_half_away

DTYPES = ("int8", "int16", "int32", "float32")


class Movement(Definition[A]):
    same_quantization = True
    scaleless = True
    signatures = tuple(f"{dtype} -> {dtype}" for dtype in DTYPES)


class Reshape(Movement[NoAttrs], kind=OpKind.RESHAPE):
    """To any shape of as many elements."""

    def shape(self, attrs: NoAttrs, inputs: Sequence[Tensor], declared: Shape) -> Shape:
        return declared if prod(declared) == inputs[0].elements else inputs[0].shape


class Transpose(Movement[TransposeAttrs], kind=OpKind.TRANSPOSE):
    def fits(self, attrs: TransposeAttrs, x: Tensor) -> bool:
        return sorted(attrs.perm) == list(range(len(x.shape)))

    def shape(self, attrs: TransposeAttrs, inputs: Sequence[Tensor], declared: Shape) -> Shape:
        return tuple(inputs[0].shape[axis] for axis in attrs.perm)


class Pad(Movement[PadAttrs], kind=OpKind.PAD):
    def fits(self, attrs: PadAttrs, x: Tensor) -> bool:
        return len(attrs.pads) == len(x.shape) and all(0 <= n <= MAX_SIZE for pair in attrs.pads for n in pair)

    def shape(self, attrs: PadAttrs, inputs: Sequence[Tensor], declared: Shape) -> Shape:
        return tuple(n + before + after for n, (before, after) in zip(inputs[0].shape, attrs.pads, strict=True))


class Concatenation(Movement[ConcatAttrs], kind=OpKind.CONCATENATION):
    signatures = tuple(f"{dtype}... -> {dtype}" for dtype in DTYPES)

    def fits(self, attrs: ConcatAttrs, x: Tensor) -> bool:
        return 0 <= attrs.axis < len(x.shape)

    def shape(self, attrs: ConcatAttrs, inputs: Sequence[Tensor], declared: Shape) -> Shape:
        axis, first = attrs.axis, inputs[0].shape
        for other in (tensor.shape for tensor in inputs):
            if len(other) != len(first) or (*other[:axis], *other[axis + 1 :]) != (*first[:axis], *first[axis + 1 :]):
                raise Contradiction(f"joins shapes {list(first)} and {list(other)} along axis {axis}")
        return (*first[:axis], sum(tensor.shape[axis] for tensor in inputs), *first[axis + 1 :])


class Shift(Movement[NoAttrs], kind=OpKind.SHIFT):
    """Inputs: a window and what comes behind its last index, along the only axis on which their shapes differ. The
    window loses as many of its first indices."""

    signatures = ("int8 x int8 -> int8",)

    def shape(self, attrs: NoAttrs, inputs: Sequence[Tensor], declared: Shape) -> Shape:
        shift_axis(*inputs)
        return inputs[0].shape


def shift_axis(window: Tensor, news: Tensor) -> int:
    """Along which ``news`` is shorter; Contradiction if there is no such axis, or more than one."""
    differ = [axis for axis, (n, m) in enumerate(zip(window.shape, news.shape, strict=False)) if n != m]
    if len(window.shape) != len(news.shape) or len(differ) != 1 or news.shape[differ[0]] > window.shape[differ[0]]:
        raise Contradiction(f"appends shape {list(news.shape)} to a window of {list(window.shape)}")
    return differ[0]


class Resize(Movement[ResizeAttrs]):
    """To any number of rows and columns."""

    picture = True

    def shape(self, attrs: ResizeAttrs, inputs: Sequence[Tensor], declared: Shape) -> Shape:
        x = inputs[0].shape
        return (1, *declared[1:3], x[3]) if len(declared) == 4 else x


class ResizeNearestNeighbor(Resize, kind=OpKind.RESIZE_NEAREST_NEIGHBOR):
    pass


class ResizeBilinear(Resize, kind=OpKind.RESIZE_BILINEAR):
    """Between bytes as they are."""

    signatures = ("int8 -> int8", "float32 -> float32")

    def fits(self, attrs: ResizeAttrs, x: Tensor) -> bool:
        return not (attrs.align_corners and attrs.half_pixel_centers)


class StridedSlice(Movement[StridedSliceAttrs], kind=OpKind.STRIDED_SLICE):
    """Axes of which one element is left may be dropped."""

    def fits(self, attrs: StridedSliceAttrs, x: Tensor) -> bool:
        return len(attrs.begin) == len(attrs.stride) == len(attrs.count) == len(x.shape) and all(
            c >= 1 and 0 <= b < n and 0 <= b + (c - 1) * s < n
            for n, b, s, c in zip(x.shape, attrs.begin, attrs.stride, attrs.count, strict=True)
        )

    def shape(self, attrs: StridedSliceAttrs, inputs: Sequence[Tensor], declared: Shape) -> Shape:
        return up_to_ones(attrs.count, declared)


class Gather(Movement[GatherAttrs], kind=OpKind.GATHER):
    """Any indices of each axis, in any order, also more than once."""

    def fits(self, attrs: GatherAttrs, x: Tensor) -> bool:
        return len(attrs.indices) == len(x.shape) and all(
            index is None or (index and min(index) >= 0 and max(index) < n)
            for n, index in zip(x.shape, attrs.indices, strict=True)
        )

    def shape(self, attrs: GatherAttrs, inputs: Sequence[Tensor], declared: Shape) -> Shape:
        shape = inputs[0].shape
        sizes = tuple(n if index is None else len(index) for n, index in zip(shape, attrs.indices, strict=True))
        return up_to_ones(sizes, declared)


class DynamicUpdateSlice(Movement[NoAttrs], kind=OpKind.DYNAMIC_UPDATE_SLICE):
    """Input 0 with input 1 in it, from the indices of input 2 on, which are moved so that it fits."""

    signatures = tuple(f"{dtype} x {dtype} x int32 -> {dtype}" for dtype in DTYPES)

    def shape(self, attrs: NoAttrs, inputs: Sequence[Tensor], declared: Shape) -> Shape:
        x, part, start = (tensor.shape for tensor in inputs)
        if len(part) != len(x) or start != (len(x),) or any(n > m for n, m in zip(part, x, strict=True)):
            raise Contradiction(f"puts {list(part)} into {list(x)} at {list(start)} indices")
        return x


class EmbeddingLookup(Definition[LookupAttrs], kind=OpKind.EMBEDDING_LOOKUP):
    """Indices beyond the table count as its ends: a device must not read elsewhere, where TFLite gives up."""

    signatures = tuple(f"int32 x {dtype} -> {dtype}" for dtype in DTYPES)
    scaleless = True

    def shape(self, attrs: LookupAttrs, inputs: Sequence[Tensor], declared: Shape) -> Shape:
        index, table = (tensor.shape for tensor in inputs)
        if not 0 <= attrs.axis < len(table):
            raise Contradiction(f"looks up along axis {attrs.axis} of {list(table)}")
        return (*table[: attrs.axis], *index, *table[attrs.axis + 1 :])

    def check(self, op: Operator, graph: Graph) -> None:
        table, y = graph.tensor(op.inputs[1]), graph.tensor(op.outputs[0])
        if table.quant != y.quant:
            raise Contradiction(f"needs the same quantization on '{table.name}' and '{y.name}'")


def gather_indices(attrs: GatherAttrs, shape: Shape) -> list[np.ndarray]:
    """Per axis of an input of ``shape``, the indices that are taken; int64."""
    return [np.arange(n) if i is None else np.array(i, np.int64) for n, i in zip(shape, attrs.indices, strict=True)]


def nearest_sources(attrs: ResizeAttrs, size: int, out_size: int) -> np.ndarray:
    """Index of the input row (or column), of ``size``, that each of ``out_size`` output rows copies; int64.

    In float32 throughout, as TFLite's GetNearestNeighbor.
    """
    one = np.float32(1)
    if attrs.align_corners and out_size > 1:
        scale = np.float32(size - 1) / np.float32(out_size - 1)
    else:
        scale = np.float32(size) / np.float32(out_size)
    offset = one / 2 if attrs.half_pixel_centers else one * 0
    position = (np.arange(out_size, dtype=np.float32) + offset) * scale
    index = round_half_away(position) if attrs.align_corners else np.floor(position)
    return np.clip(index, 0, size - 1).astype(np.int64)


def bilinear_reals(attrs: ResizeAttrs, size: int, out_size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """As ``bilinear_sources`` for float32: the weights of the second index, float32 (ComputeInterpolationValues)."""
    one = np.float32(1)
    scale = np.float32(size) / np.float32(out_size)
    if attrs.align_corners and out_size > 1:
        scale = np.float32(size - 1) / np.float32(out_size - 1)
    position = np.arange(out_size, dtype=np.float32)
    position = (position + one / 2) * scale - one / 2 if attrs.half_pixel_centers else position * scale
    low = np.clip(np.floor(position), 0, size - 1).astype(np.int64)
    high = np.clip(np.ceil(position), 0, size - 1).astype(np.int64)
    return low, high, (position - low.astype(np.float32)).astype(np.float32)


def bilinear_sources(attrs: ResizeAttrs, size: int, out_size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Per output row (or column) of ``out_size``: the indices before and behind it of ``size``, and how far it is from
    the first to the second in 1/1024, which beyond the edges may be negative or more than 1024; int64.

    As TFLite's ResizeBilinear for int8. Where that would read behind the picture, the last index stands.
    """
    scale = ((size << 10) + out_size // 2) // out_size
    if attrs.align_corners and out_size > 1:
        scale = (((size - 1) << 10) + (out_size - 1) // 2) // (out_size - 1)
    position = np.arange(out_size, dtype=np.int64) * scale
    if attrs.half_pixel_centers:
        position += scale // 2 - (1 << 9)
    low = np.clip(position // (1 << 10), 0, size - 1)
    return low, np.clip((position + 1023) // (1 << 10), 0, size - 1), position - (low << 10)
