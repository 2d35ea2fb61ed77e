"""Which bytes the generic kernels touch, in which order.

An :class:`Access` block promises that its reads precede its writes. A kernel that reads and writes alternately within
a block (one row of a convolution) is described by two blocks: first everything but the last byte is written, then
everything is read and the last byte written. Hazards are write-before-read, so moving writes forward and reads
backward can only make the rule stricter.
"""

from __future__ import annotations

import numpy as np

from tinyengine.ir import Tensor
from tinyengine.ir.ops import Window
from tinyengine.kernels.base import Access, Overlap

MAX_BLOCKS = 64  # of an elementwise kernel; more would not change its rule
MAX_PIXELS = 4096  # described one by one; a larger output costs its rule up to a row, and saves compile time


def blocks(reads: list[tuple[np.ndarray, np.ndarray]], *writes: tuple[np.ndarray, np.ndarray]) -> Access:
    """Access from (lo, hi) pairs, as int64; ``writes``: one per output."""

    def pair(lo: np.ndarray, hi: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return np.asarray(lo, np.int64), np.asarray(hi, np.int64)

    return Access(tuple(pair(*item) for item in reads), tuple(pair(*item) for item in writes))


def whole(in_bytes: int, out_bytes: int) -> Access:
    """One block: everything is touched."""
    return blocks([(np.array([0]), np.array([in_bytes]))], (np.array([0]), np.array([out_bytes])))


def interleaved(reads: list[tuple[np.ndarray, np.ndarray]], write: tuple[np.ndarray, np.ndarray]) -> Access:
    """Access of blocks that read and write alternately (module docstring)."""
    write_lo, write_hi = (np.asarray(x, np.int64) for x in write)
    last = np.maximum(write_hi - 1, write_lo)

    def doubled(even: np.ndarray, odd: np.ndarray) -> np.ndarray:
        return np.stack([even, odd], axis=1).ravel()

    twice = []
    for lo, hi in reads:
        lo, hi = np.asarray(lo, np.int64), np.asarray(hi, np.int64)
        twice.append((doubled(lo, lo), doubled(lo, hi)))
    return Access(tuple(twice), ((doubled(write_lo, last), doubled(last, write_hi)),))


def in_step(reads: list[tuple[np.ndarray, np.ndarray]], write: tuple[np.ndarray, np.ndarray]) -> Access:
    """Access of blocks that alternate as well, but whose n-th write needs no byte before the n-th read.

    If the output starts where the block's reads start or before, that is as good as reading the whole block first;
    the empty block in front makes this hold for the first block too.
    """

    def led(values: np.ndarray) -> np.ndarray:
        return np.concatenate([[0], values])

    return blocks([(led(lo), led(hi)) for lo, hi in reads], (led(write[0]), led(write[1])))


def under_window(
    kernel: int, stride: int, dilation: int, pad: int, size: int, outputs: int
) -> tuple[np.ndarray, np.ndarray]:
    """First and one past the last input row (or column) under the window of each output row (or column).

    Both ascend: dilated windows at the edges may see rows before those of their predecessors, so the first row is that
    of this and all later windows, the last that of this and all earlier ones. That widens no overlap rule.
    """
    origin = np.arange(outputs, dtype=np.int64) * stride - pad
    first = np.maximum(0, -(origin // dilation))  # ceil(-origin / dilation)
    end = np.minimum(kernel, -((origin - size) // dilation))
    seen = end > first
    lo = np.where(seen, origin + first * dilation, size)
    hi = np.where(seen, origin + (end - 1) * dilation + 1, 0)
    lo = np.minimum.accumulate(lo[::-1])[::-1]
    return lo, np.maximum(np.maximum.accumulate(hi), lo)


def window_access(x: Tensor, y: Tensor, window: Window, channelwise: bool = False) -> Access:
    """A sliding window that completes one output pixel after the other: pixel by pixel, or row by row if many.

    ``channelwise``: output channel c of a pixel reads input channel c only (pools).
    """
    height, width, channels = x.shape[1:]
    rows, columns, outputs = y.shape[1:]
    channels, outputs = channels * x.nbytes // x.elements, outputs * y.nbytes // y.elements  # in bytes
    sides = [
        under_window(window.kernel[i], window.stride[i], window.dilation[i], window.pad[2 * i], size, count)
        for i, size, count in ((0, height, rows), (1, width, columns))
    ]
    (top, bottom), (left, right) = sides
    if rows * columns > MAX_PIXELS:
        edges = np.arange(rows + 1) * columns * outputs
        return interleaved([(top * width * channels, bottom * width * channels)], (edges[:-1], edges[1:]))
    seen = (bottom > top)[:, None] & (right > left)
    lo = np.where(seen, top[:, None] * width + left, 0)
    hi = np.where(seen, (bottom - 1)[:, None] * width + right, 0)
    edges = np.arange(rows * columns + 1) * outputs
    make = in_step if channelwise else interleaved
    return make([(lo.ravel() * channels, hi.ravel() * channels)], (edges[:-1], edges[1:]))


def pairs_of_pixels(pixels: int, inputs: int, outputs: int) -> Access:
    """A convolution of one pixel that completes two of ``pixels`` at a time: their values are read as long as any of
    theirs are written. ``inputs`` and ``outputs`` in bytes per pixel."""
    step = 2 * -(-pixels // (2 * MAX_PIXELS))
    edges = np.append(np.arange(0, pixels, step), pixels)
    return interleaved([(edges[:-1] * inputs, edges[1:] * inputs)], (edges[:-1] * outputs, edges[1:] * outputs))


def elementwise(count: int, same_shape: list[int | None]) -> Access:
    """Access of a kernel that walks ``count`` elements in order.

    ``same_shape`` has an entry per input: None if it is walked alongside the output, else its size in bytes (it is
    broadcast, hence read again and again).
    """
    steps = min(count, MAX_BLOCKS)
    edges = np.linspace(0, count, steps + 1).astype(np.int64)
    walk = (edges[:-1], edges[1:])
    reads = [walk if size is None else (np.zeros(steps), np.full(steps, size)) for size in same_shape]
    return in_step(reads, walk)


def overlap(access: Access, index: int, output_bytes: int) -> Overlap | None:
    """The rule that follows from ``access``; None where it would allow no more than lying in front."""
    distance = access.distance(index)
    return None if distance >= output_bytes else Overlap(distance)
