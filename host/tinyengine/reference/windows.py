"""Sliding windows over HWC pictures, one kernel tap at a time."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tinyengine.ir.ops import Window


def pad_picture(x: np.ndarray, window: Window, value: int) -> np.ndarray:
    """``x`` (H, W, C) with the window's padding around it, filled with ``value``."""
    top, bottom, left, right = window.pad
    return np.pad(x, ((top, bottom), (left, right), (0, 0)), constant_values=value)


def taps(padded: np.ndarray, window: Window, rows: int, columns: int) -> Iterator[tuple[int, int, np.ndarray]]:
    """For every kernel tap (ky, kx) the (rows, columns, C) pixels of ``padded`` that it meets, output by output."""
    (sh, sw), (dh, dw) = window.stride, window.dilation
    for ky in range(window.kernel[0]):
        for kx in range(window.kernel[1]):
            y, x = ky * dh, kx * dw
            yield ky, kx, padded[y : y + (rows - 1) * sh + 1 : sh, x : x + (columns - 1) * sw + 1 : sw]
