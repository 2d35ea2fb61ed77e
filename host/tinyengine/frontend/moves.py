"""Operators of TFLite that become others which only move bytes."""

from __future__ import annotations

from math import prod

import numpy as np

from tinyengine.frontend.arguments import axis_of, one, paddings
from tinyengine.frontend.context import Context
from tinyengine.frontend.raw import RawOperator
from tinyengine.frontend.registry import translator
from tinyengine.ir.graph import Tensor
from tinyengine.ir.operators.base import MAX_SIZE, Shape
from tinyengine.ir.operators.movement import DTYPES as MOVED
from tinyengine.ir.ops import (
    ConcatAttrs,
    ElementwiseAttrs,
    GatherAttrs,
    LookupAttrs,
    MeanAttrs,
    OpKind,
    PadAttrs,
    StridedSliceAttrs,
    TransposeAttrs,
)


@translator("EXPAND_DIMS")
def expand_dims(context: Context, op: RawOperator) -> None:
    x = context.activation(op, 0)
    axis = one(context, op, context.integers(op, 1, "axis"), "axis")
    context.add(op, [x], declared=_inserted(context, op, x.shape, axis))


def _inserted(context: Context, op: RawOperator, shape: Shape, axis: int) -> Shape:
    """``shape`` with a new axis of size 1."""
    if not -len(shape) - 1 <= axis <= len(shape):
        context.damaged(op, f"inserts axis {axis} into {list(shape)}")
    axis %= len(shape) + 1
    return (*shape[:axis], 1, *shape[axis:])


@translator("PACK")
def pack(context: Context, op: RawOperator) -> None:
    parts = [context.activation(op, i) for i in range(len(op.inputs))]
    if not parts:
        context.damaged(op, "joins nothing")
    shape = _inserted(context, op, parts[0].shape, int(op.options["Axis"]))
    if len(parts) == 1:
        context.add(op, parts, declared=shape, kind=OpKind.RESHAPE)
        return
    parts = [context.step(op, OpKind.RESHAPE, x, declared=shape) for x in parts]
    context.add(op, parts, ConcatAttrs(int(op.options["Axis"]) % len(shape)))


@translator("UNPACK")
def unpack(context: Context, op: RawOperator) -> None:
    x = context.activation(op, 0)
    axis = axis_of(context, op, int(op.options["Axis"]), x)
    if x.shape[axis] != len(op.outputs):
        context.damaged(op, f"unpacks {x.shape[axis]} parts into {len(op.outputs)}")
    _split(context, op, x, axis, [1] * len(op.outputs), (*x.shape[:axis], *x.shape[axis + 1 :]))


@translator("SPLIT")
def split(context: Context, op: RawOperator) -> None:
    x = context.activation(op, 1)
    axis = axis_of(context, op, one(context, op, context.integers(op, 0, "axis"), "axis"), x)
    parts = len(op.outputs)
    if not parts or x.shape[axis] % parts:
        context.damaged(op, f"splits {x.shape[axis]} indices into {parts} parts")
    _split(context, op, x, axis, [x.shape[axis] // parts] * parts)


@translator("SPLIT_V")
def split_v(context: Context, op: RawOperator) -> None:
    x, sizes = context.activation(op, 0), context.integers(op, 1, "sizes")
    axis = axis_of(context, op, one(context, op, context.integers(op, 2, "axis"), "axis"), x)
    if sizes.count(-1) == 1:
        sizes[sizes.index(-1)] = x.shape[axis] - sum(sizes) - 1
    if len(sizes) != len(op.outputs) or min(sizes, default=0) < 1 or sum(sizes) != x.shape[axis]:
        context.damaged(op, f"splits {x.shape[axis]} indices into parts of {sizes}")
    _split(context, op, x, axis, sizes)


def _split(
    context: Context, op: RawOperator, x: Tensor, axis: int, sizes: list[int], declared: Shape | None = None
) -> None:
    """One slice per output."""
    for i, size in enumerate(sizes):
        count = (*x.shape[:axis], size, *x.shape[axis + 1 :])
        shape = count if declared is None else declared
        if size == x.shape[axis]:
            context.add(op, [x], declared=shape, kind=OpKind.RESHAPE, result=i)
            continue
        begin = tuple(sum(sizes[:i]) if a == axis else 0 for a in range(len(x.shape)))
        context.add(op, [x], StridedSliceAttrs(begin, (1,) * len(begin), count), shape, result=i)


@translator("SLICE")
def slice_(context: Context, op: RawOperator) -> None:
    x = context.activation(op, 0)
    begin, sizes = context.integers(op, 1, "begin"), context.integers(op, 2, "size")
    if len(begin) != len(x.shape) or len(sizes) != len(x.shape):
        context.damaged(op, f"has begin {begin} and size {sizes} for {len(x.shape)} axes")
    count = [n - b if s == -1 else s for n, b, s in zip(x.shape, begin, sizes, strict=True)]
    context.add(op, [x], StridedSliceAttrs(tuple(begin), (1,) * len(begin), tuple(count)), tuple(count))


@translator("REVERSE_V2")
def reverse(context: Context, op: RawOperator) -> None:
    x = context.activation(op, 0)
    axes = {axis_of(context, op, axis, x) for axis in context.integers(op, 1, "axes")}
    begin = tuple(n - 1 if i in axes else 0 for i, n in enumerate(x.shape))
    stride = tuple(-1 if i in axes else 1 for i in range(len(x.shape)))
    context.add(op, [x], StridedSliceAttrs(begin, stride, x.shape), x.shape)


@translator("GATHER")
def gather(context: Context, op: RawOperator) -> None:
    x = context.activation(op, 0)
    axis = axis_of(context, op, int(op.options["Axis"]), x)
    if op.options["BatchDims"]:
        context.unsupported(op, "gathers batch by batch", "gather along one axis, without batch_dims")
    if context.is_computed(op, 1):
        kind = OpKind.EMBEDDING_LOOKUP
        context.add(op, [context.activation(op, 1, ("int32",)), x], LookupAttrs(axis), kind=kind)
        return
    indices = context.integers(op, 1, "indices", MAX_SIZE)
    shape = context.required(op, 1).shape
    declared = (*x.shape[:axis], *shape, *x.shape[axis + 1 :])
    chosen = GatherAttrs(tuple(tuple(indices) if i == axis else None for i in range(len(x.shape))))
    if len(shape) < 2:
        context.add(op, [x], chosen, declared)
        return
    flat = (*x.shape[:axis], len(indices), *x.shape[axis + 1 :])
    context.add(op, [context.step(op, OpKind.GATHER, x, chosen, flat)], declared=declared, kind=OpKind.RESHAPE)


def _gather_axes(context: Context, op: RawOperator, x: Tensor, indices: list[list[int]]) -> None:
    """``indices`` per axis of the output, which has as many as ``x``."""
    attrs = GatherAttrs(
        tuple(None if index == [*range(n)] else tuple(index) for n, index in zip(x.shape, indices, strict=True))
    )
    context.add(op, [x], attrs, tuple(map(len, indices)))


@translator("TILE")
def tile(context: Context, op: RawOperator) -> None:
    x, multiples = context.activation(op, 0), context.integers(op, 1, "multiples")
    if len(multiples) != len(x.shape) or min(multiples, default=1) < 1:
        context.damaged(op, f"repeats {len(x.shape)} axes {multiples} times")
    _require_size(context, op, [n * m for n, m in zip(x.shape, multiples, strict=True)])
    _gather_axes(context, op, x, [[*range(n)] * m for n, m in zip(x.shape, multiples, strict=True)])


@translator("BROADCAST_TO")
def broadcast_to(context: Context, op: RawOperator) -> None:
    x, shape = context.activation(op, 0), context.integers(op, 1, "shape")
    _require_size(context, op, shape)
    padded = (1,) * (len(shape) - len(x.shape)) + x.shape
    if len(padded) != len(shape) or any(n not in (1, m) for n, m in zip(padded, shape, strict=True)):
        context.damaged(op, f"broadcasts {list(x.shape)} to {shape}")
    if padded != x.shape:
        x = context.step(op, OpKind.RESHAPE, x, declared=padded)
    _gather_axes(context, op, x, [[0] * m if n == 1 else [*range(m)] for n, m in zip(padded, shape, strict=True)])


def _require_size(context: Context, op: RawOperator, shape: list[int]) -> None:
    if any(not 1 <= n <= MAX_SIZE for n in shape):
        context.damaged(op, f"has an output of shape {shape}")


@translator("MIRROR_PAD")
def mirror_pad(context: Context, op: RawOperator) -> None:
    x = context.activation(op, 0)
    symmetric = op.options["Mode"] == 1
    indices = []
    for size, (before, after) in zip(x.shape, paddings(context, op, x, 1), strict=True):
        if max(before, after) > (size if symmetric else size - 1):
            context.damaged(op, f"mirrors {max(before, after)} of {size} indices")
        walk = np.arange(size)
        indices.append(np.pad(walk, (before, after), "symmetric" if symmetric else "reflect").tolist())
    _gather_axes(context, op, x, indices)


@translator("SPACE_TO_DEPTH", "DEPTH_TO_SPACE")
def space_and_depth(context: Context, op: RawOperator) -> None:
    """Blocks of pixels become channels, or the other way round: one transposition of six axes."""
    x, block = context.activation(op, 0), int(op.options["BlockSize"])
    if len(x.shape) != 4 or not 1 <= block <= MAX_SIZE:
        context.damaged(op, f"has a block of {block} for an input of shape {list(x.shape)}")
    n, rows, columns, channels = x.shape
    if op.kind == "SPACE_TO_DEPTH":
        if rows % block or columns % block:
            context.damaged(op, f"has a block of {block} for an input of shape {list(x.shape)}")
        rows, columns = rows // block, columns // block
        apart, perm = (n, rows, block, columns, block, channels), (0, 1, 3, 2, 4, 5)
        shape = (n, rows, columns, channels * block * block)
    else:
        channels //= block * block
        if channels * block * block != x.shape[3]:
            context.damaged(op, f"has a block of {block} for an input of shape {list(x.shape)}")
        apart, perm = (n, rows, columns, block, block, channels), (0, 1, 3, 2, 4, 5)
        shape = (n, rows * block, columns * block, channels)
    x = context.step(op, OpKind.RESHAPE, x, declared=apart)
    x = context.step(op, OpKind.TRANSPOSE, x, TransposeAttrs(perm))
    context.add(op, [x], declared=shape, kind=OpKind.RESHAPE)


@translator("SPACE_TO_BATCH_ND", "BATCH_TO_SPACE_ND")
def space_and_batch(context: Context, op: RawOperator) -> None:
    """Those that stand around no convolution (``dilation``): blocks of pixels become pictures of a batch, behind a PAD,
    or the other way round, before a crop."""
    x, blocks = context.activation(op, 0), context.integers(op, 1, "block")
    margins = context.integers(op, 2, "paddings")
    axes, rest = len(blocks), x.shape[1 + len(blocks) :]
    wrong = not axes or len(x.shape) <= axes or len(margins) != 2 * axes or min(margins) < 0
    if wrong or any(not 1 <= n <= MAX_SIZE for n in blocks):
        context.damaged(op, f"has blocks of {blocks} and margins of {margins} for an input of shape {list(x.shape)}")
    sides = tuple(zip(margins[::2], margins[1::2], strict=True))
    if op.kind == "SPACE_TO_BATCH_ND":
        if any(margins):
            x = context.step(op, OpKind.PAD, x, PadAttrs(((0, 0), *sides, *((0, 0) for _ in rest))))
        sizes = x.shape[1 : 1 + axes]
        if any(n % block for n, block in zip(sizes, blocks, strict=True)):
            context.damaged(op, f"has blocks of {blocks} for {list(sizes)} pixels")
        each = [n // block for n, block in zip(sizes, blocks, strict=True)]
        apart = [n for pair in zip(each, blocks, strict=True) for n in pair]
        x = context.step(op, OpKind.RESHAPE, x, declared=(x.shape[0], *apart, *rest))
        inside = [2 + 2 * i for i in range(axes)]
        perm = (*inside, 0, *(n - 1 for n in inside), *range(1 + 2 * axes, len(x.shape)))
        batch = x.shape[0] * prod(blocks)
        x = context.step(op, OpKind.TRANSPOSE, x, TransposeAttrs(perm))
        context.add(op, [x], declared=(batch, *each, *rest), kind=OpKind.RESHAPE)
        return
    if x.shape[0] % prod(blocks):
        context.damaged(op, f"has blocks of {blocks} for a batch of {x.shape[0]}")
    batch, each = x.shape[0] // prod(blocks), list(x.shape[1 : 1 + axes])
    x = context.step(op, OpKind.RESHAPE, x, declared=(*blocks, batch, *each, *rest))
    pairs = [n for i in range(axes) for n in (axes + 1 + i, i)]
    x = context.step(op, OpKind.TRANSPOSE, x, TransposeAttrs((axes, *pairs, *range(1 + 2 * axes, len(x.shape)))))
    whole = (batch, *(n * block for n, block in zip(each, blocks, strict=True)), *rest)
    if not any(margins):
        context.add(op, [x], declared=whole, kind=OpKind.RESHAPE)
        return
    x = context.step(op, OpKind.RESHAPE, x, declared=whole)
    begin = (0, *(before for before, _ in sides), *(0 for _ in rest))
    count = tuple(
        n - (before + after)
        for n, (before, after) in zip(whole, ((0, 0), *sides, *((0, 0) for _ in rest)), strict=True)
    )
    context.add(op, [x], StridedSliceAttrs(begin, (1,) * len(begin), count), count, OpKind.STRIDED_SLICE)


@translator("FILL")
def fill(context: Context, op: RawOperator) -> None:
    """With a value that the network computes; of a constant it is one itself (``constants``)."""
    x, shape = context.activation(op, 1, MOVED), context.integers(op, 0, "shape")
    _require_size(context, op, shape)
    if x.elements != 1:
        context.damaged(op, f"fills with {x.elements} values")
    x = context.step(op, OpKind.RESHAPE, x, declared=(1,) * len(shape))
    _gather_axes(context, op, x, [[0] * n for n in shape])


@translator("GATHER_ND")
def gather_nd(context: Context, op: RawOperator) -> None:
    """A GATHER along the axes that an index names, as one."""
    x, raw = context.activation(op, 0), context.required(op, 1)
    shape = raw.shape if raw.data.size else context.activation(op, 1, ("int32",)).shape
    named = shape[-1] if shape else 0
    if not 1 <= named <= len(x.shape):
        context.damaged(op, f"has indices of shape {list(shape)} for {list(x.shape)}")
    sizes, rest = x.shape[:named], x.shape[named:]
    steps = np.array([prod(sizes[i + 1 :]) for i in range(named)], np.int32)
    declared = (*shape[:-1], *rest)
    flat = context.step(op, OpKind.RESHAPE, x, declared=(prod(sizes), *rest))
    if raw.data.size:
        numbers = context.values(op, raw).reshape(-1, named)
        if (numbers < 0).any() or (numbers >= sizes).any():
            context.damaged(op, f"has indices beyond {list(sizes)}")
        chosen = GatherAttrs((tuple((numbers @ steps).tolist()), *(None for _ in rest)))
        flat = context.step(op, OpKind.GATHER, flat, chosen, (len(numbers), *rest))
        context.add(op, [flat], declared=declared, kind=OpKind.RESHAPE)
        return
    index = context.activation(op, 1, ("int32",))
    if named > 1:
        factors = context.invent(Tensor(f"{index.name}_steps", steps.shape, "int32", None, steps))
        index = context.part(op, OpKind.MUL, [index, factors], ElementwiseAttrs(), dtype="int32")
        index = context.part(op, OpKind.SUM, [index], MeanAttrs((len(shape) - 1,)), dtype="int32")
    else:
        index = context.step(op, OpKind.RESHAPE, index, declared=shape[:-1])
    context.add(op, [index, flat], LookupAttrs(0), kind=OpKind.EMBEDDING_LOOKUP)


@translator("DYNAMIC_UPDATE_SLICE")
def dynamic_update_slice(context: Context, op: RawOperator) -> None:
    x, part = context.activation(op, 0), context.activation(op, 1)
    if context.is_computed(op, 2):
        start = context.activation(op, 2)
    else:
        first = np.array(context.integers(op, 2, "start"), np.int32)
        start = context.invent(Tensor(f"{part.name}_start_{op.index}", first.shape, "int32", None, first))
    context.add(op, [x, part, start])


@translator("EMBEDDING_LOOKUP")
def embedding_lookup(context: Context, op: RawOperator) -> None:
    context.add(op, [context.activation(op, 0), context.activation(op, 1)], LookupAttrs(0))
