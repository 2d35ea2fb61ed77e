"""Resizing with whole numbers, as a device does it line by line (te_image.h): the host's half of that definition.

Bilinear: the weights of a triangle over source pixels, as wide as two outputs, or as two source pixels where there are
fewer of them, so that it averages where a picture shrinks (Pillow's filter by that name, but for its precision). An
output's weights are whole numbers: of its lines 8 bits, of its columns 14. Each is the difference between two rounded
shares of the total, so that they always have the same sum, and what one lacks its neighbour has.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

LINE_BITS, COLUMN_BITS = 8, 14
SUM_BITS = LINE_BITS + COLUMN_BITS
"""A sum of weighted pixels is one pixel times 2 to the power of this."""
_BLOCK = 16
"""Rows of the output that are computed at once, of a band of lines."""


@lru_cache(256)
def weights(size: int, to: int, bits: int) -> np.ndarray:
    """int64 (to, size): of each source pixel on each output, with the sum 2^``bits`` per output.

    A total of unscaled weights loses its lowest bits where 32 bits would not hold the products.
    """
    reach = 2 * max(size, to)
    apart = np.abs((2 * np.arange(size) + 1) * to - (2 * np.arange(to)[:, None] + 1) * size)
    until = np.maximum(reach - apart, 0).cumsum(axis=1)
    surplus = np.maximum(np.frexp(until[:, -1:].astype(np.float64))[1] - (30 - bits), 0)
    until >>= surplus
    total = until[:, -1:]
    return np.diff(((until << (bits + 1)) + total) // (2 * total), axis=1, prepend=0)


def bilinear_sums(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    """uint8 (rows, columns, channels) -> int64 (height, width, channels), in units of 2^-SUM_BITS: first the columns,
    then each row. Floating point holds every number exactly: below 2^16 before, 2^30 behind."""
    rows, columns, channels = pixels.shape
    down, across = weights(rows, height, LINE_BITS), weights(columns, width, COLUMN_BITS)
    lines = pixels.reshape(rows, -1)
    sums = np.empty((height, columns * channels), np.float32)
    for top in range(0, height, _BLOCK):
        band = down[top : top + _BLOCK]
        [counted] = np.nonzero(band.any(axis=0))
        part = slice(counted[0], counted[-1] + 1)
        np.matmul(band[:, part].astype(np.float32), lines[part].astype(np.float32), out=sums[top : top + _BLOCK])
    columnwise = sums.reshape(height, columns, channels).transpose(1, 0, 2).reshape(columns, -1).astype(np.float64)
    found = across.astype(np.float64) @ columnwise
    return found.reshape(width, height, channels).transpose(1, 0, 2).astype(np.int64)


def nearest(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    """uint8 (rows, columns, channels) -> (height, width, channels): of the pixels in whose areas the middles of the new
    ones lie."""
    rows, columns = ((2 * np.arange(n) + 1) * m // (2 * n) for n, m in zip((height, width), pixels.shape, strict=False))
    return pixels[rows][:, columns]
