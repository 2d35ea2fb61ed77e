"""STRIDED_SLICE: begin, end, strides and masks to plain first index, step and count per axis."""

from __future__ import annotations

from tinyengine.frontend.context import Context
from tinyengine.frontend.raw import RawOperator
from tinyengine.ir.operators.base import Shape
from tinyengine.ir.ops import StridedSliceAttrs


def resolve_slice(context: Context, op: RawOperator, shape: Shape) -> tuple[StridedSliceAttrs, Shape]:
    """Resolve masks and negative indices as TFLite's StridedSlice does; the shape lacks axes that the file drops, and
    has those that it adds."""
    begins = context.integers(op, 1, "begin")
    ends = context.integers(op, 2, "end")
    strides = context.integers(op, 3, "strides")
    places = _places(op, len(begins), len(shape))
    if not len(begins) == len(ends) == len(strides) or sum(place is not None for place in places) != len(shape):
        context.damaged(op, "has ranges that do not fit its input")
    resolved: list[tuple[int, int, int]] = []
    kept = []
    for axis in places:
        if axis is None:
            kept.append(1)
            continue
        size = shape[len(resolved)]
        if axis < 0:
            resolved.append((0, 1, size))
            kept.append(size)
            continue
        if strides[axis] == 0:
            context.damaged(op, "has a stride of zero")
        bit = 1 << axis
        begin, stride, count = _resolve_axis(
            size,
            None if op.options["BeginMask"] & bit else begins[axis],
            None if op.options["EndMask"] & bit else ends[axis],
            strides[axis],
            bool(op.options["ShrinkAxisMask"] & bit),
            bool(op.options["Offset"]),
        )
        if count < 1:
            context.unsupported(op, f"takes nothing of axis {axis}", "remove the empty slice from the network")
        resolved.append((begin, stride, count))
        if not op.options["ShrinkAxisMask"] & bit:
            kept.append(count)
    begin_of, stride_of, count_of = zip(*resolved, strict=True) if resolved else ((), (), ())
    return StridedSliceAttrs(begin_of, stride_of, count_of), tuple(kept)


WHOLE = -1


def _places(op: RawOperator, ranges: int, rank: int) -> list[int | None]:
    """Per axis of the input the number of its range, or WHOLE without one; None for an axis that is new."""
    new, ellipsis = (
        [i for i in range(ranges) if op.options[mask] & 1 << i] for mask in ("NewAxisMask", "EllipsisMask")
    )
    new = [i for i in new if i not in ellipsis[:1]]
    left = rank - (ranges - len(new) - len(ellipsis[:1]))
    places: list[int | None] = []
    for i in range(ranges):
        places += [WHOLE] * left if i in ellipsis[:1] else [None] if i in new else [i]
    return places if ellipsis else [*places, *[WHOLE] * left]


def _resolve_axis(
    size: int, begin: int | None, end: int | None, stride: int, shrink: bool, offset: bool
) -> tuple[int, int, int]:
    """(first index, step, count) of one axis; None stands for a masked bound."""
    lowest, highest = (0, size) if stride > 0 else (-1, size - 1)

    def clamp(index: int) -> int:
        return min(max(index + size if index < 0 else index, lowest), highest)

    first = (lowest if stride > 0 else highest) if begin is None else clamp(begin)
    if shrink:
        return first, 1, int(0 <= first < size)
    unbounded = highest if stride > 0 else lowest
    last = unbounded if end is None else clamp(first + end if offset else end)
    return first, stride, max(0, -((first - last) // stride))
