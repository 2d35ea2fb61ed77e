"""Shapes and strides of dense tensors, reduced to the fewest axes a loop needs."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod


def dense_strides(shape: Sequence[int]) -> list[int]:
    """Elements from one index to the next, per axis, of a dense row-major tensor."""
    strides: list[int] = []
    step = 1
    for size in reversed(shape):
        strides.append(step)
        step *= size
    return strides[::-1]


def merge_axes(sizes: Sequence[int], strides: Sequence[int]) -> tuple[list[int], list[int]]:
    """The same walk over fewer axes: axes of size 1 vanish, and an axis that continues its inner neighbour joins it."""
    merged: list[tuple[int, int]] = []  # innermost last
    for size, stride in zip(sizes, strides, strict=True):
        if size == 1:
            continue
        if merged and merged[-1][1] == stride * size:
            merged[-1] = (merged[-1][0] * size, stride)
        else:
            merged.append((size, stride))
    return [size for size, _ in merged], [stride for _, stride in merged]


def repeats_after(shape: Sequence[int], result: Sequence[int]) -> int:
    """After how many elements of ``result`` a tensor of ``shape`` that spreads over it begins anew; 0 if it spreads
    otherwise than by whole repetitions."""
    kept = list(shape)
    while kept and kept[0] == 1:
        kept.pop(0)
    return prod(kept) if list(result[len(result) - len(kept) :]) == kept else 0
