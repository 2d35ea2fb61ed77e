"""How loops walk over tensors: the fewest axes for all of them, and the bytes that follow."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from tinyengine.kernels import access
from tinyengine.kernels.axes import dense_strides
from tinyengine.kernels.base import Access, Overlap

Axis = tuple[int, tuple[int, ...]]
"""Size, and one stride per operand."""

BYTES = ("int8", "uint8")


def merge(sizes: Sequence[int], strides: Sequence[Sequence[int]]) -> list[Axis]:
    """The same walk over fewer axes: ``strides`` has one sequence per operand, with one entry per axis of ``sizes``."""
    merged: list[Axis] = []
    for size, *steps in zip(sizes, *strides, strict=True):
        if size == 1:
            continue
        if merged and all(outer == step * size for outer, step in zip(merged[-1][1], steps, strict=True)):
            merged[-1] = (merged[-1][0] * size, tuple(steps))
        else:
            merged.append((size, tuple(steps)))
    return merged


def broadcast_strides(shape: Sequence[int], result: Sequence[int]) -> list[int]:
    """Elements from one index of ``result`` to the next in a tensor of ``shape``; 0 where it repeats."""
    padded = (1,) * (len(result) - len(shape)) + tuple(shape)
    return [0 if size == 1 else step for size, step in zip(padded, dense_strides(padded), strict=True)]


def increments(axes: Sequence[Axis], operand: int) -> list[int]:
    """What an offset grows by at the end of each axis' loop body, if the loops inside have run to their end."""
    steps = [strides[operand] for _, strides in axes]
    spans = [size * strides[operand] for size, strides in axes[1:]] + [0]
    return [step - span for step, span in zip(steps, spans, strict=True)]


def offsets(axes: Sequence[tuple[int, int]], first: int = 0) -> np.ndarray:
    """Offsets of all elements of a walk over axes of (size, stride), in its order; int64."""
    found = np.array([first], np.int64)
    for size, stride in axes:
        found = (found[:, None] + np.arange(size, dtype=np.int64) * stride).ravel()
    return found


def elements(count: int, in_sizes: Sequence[int | None], in_bytes: Sequence[int], out_size: int) -> Access:
    """A walk over ``count`` outputs of ``out_size`` bytes. ``in_sizes``: bytes of an element of an input that is walked
    alongside; None for one of ``in_bytes`` that is read again and again."""
    same = all(size in (None, out_size) for size in in_sizes)
    steps = min(count, access.MAX_BLOCKS if same else access.MAX_PIXELS)
    edges = np.linspace(0, count, steps + 1).astype(np.int64)
    reads = [
        (np.zeros(steps), np.full(steps, total)) if size is None else (edges[:-1] * size, edges[1:] * size)
        for size, total in zip(in_sizes, in_bytes, strict=True)
    ]
    make = access.in_step if same else access.blocks if steps == count else access.interleaved
    return make(reads, (edges[:-1] * out_size, edges[1:] * out_size))


def lines(low: np.ndarray, high: np.ndarray, out_bytes: int, in_step: bool = False) -> Access:
    """Equal pieces of an output of ``out_bytes``, one after the other, each made of input bytes low .. high - 1.

    ``in_step``: as :func:`access.in_step`; otherwise a piece is written when its bytes have been read."""
    edges = np.linspace(0, out_bytes, len(low) + 1).astype(np.int64)
    if len(low) <= access.MAX_PIXELS:
        return (access.in_step if in_step else access.blocks)([(low, high)], (edges[:-1], edges[1:]))
    starts = np.arange(0, len(low), -(-len(low) // max(access.MAX_PIXELS, 1)))
    grouped = np.minimum.reduceat(low, starts), np.maximum.reduceat(high, starts)
    return access.interleaved([grouped], (edges[starts], np.append(edges[starts[1:]], out_bytes)))


def rule(touched: Access, index: int, x_dtype: str, y_dtype: str, out_bytes: int) -> Overlap | None:
    """The overlap rule; none between types of which a C compiler assumes that they share no memory."""
    if x_dtype != y_dtype and x_dtype not in BYTES and y_dtype not in BYTES:
        return None
    return access.overlap(touched, index, out_bytes)


def count(axes: Sequence[Axis]) -> int:
    return prod(size for size, _ in axes)
