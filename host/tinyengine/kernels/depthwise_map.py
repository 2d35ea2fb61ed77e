"""The depthwise kernels for maps of few columns (te_depthwise_map.h): which there are, and their range checks."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

import numpy as np

from tinyengine.ir.ops import Window
from tinyengine.paths import project_root
from tinyengine.sizes import ceil_div

FIELD_HALF = 1 << 20
"""A field of 21 bits holds -FIELD_HALF .. FIELD_HALF - 1 around its offset."""


@dataclass(frozen=True, eq=False)
class BiasLimits:
    """Least and largest bias of each channel, int64 (channels,), with which no field overflows; least > largest where
    the taps alone are too many."""

    low: np.ndarray
    high: np.ndarray

    def hold(self, bias: np.ndarray) -> np.ndarray:
        """Which channels' ``bias`` (channels,) lies between them."""
        return (bias >= self.low) & (bias <= self.high)


def bias_limits(
    weights: np.ndarray, pixels: tuple[int, int], scale: int, top: list[int], bottom: list[int]
) -> BiasLimits:
    """For ``weights`` (channels, rows, columns) on pixels between the two ``pixels``, all sums times ``scale``.

    The middle field gets the bias and all columns, the top field the bias and columns ``top``, the bottom field columns
    ``bottom`` alone.
    """

    def reach(columns: list[int] | slice) -> tuple[np.ndarray, np.ndarray]:
        taps = scale * weights[:, :, columns].reshape(len(weights), -1)
        ends = taps * pixels[1], taps * pixels[0]
        return np.minimum(*ends).sum(axis=1), np.maximum(*ends).sum(axis=1)

    (low, high), (low_top, high_top), (low_bottom, high_bottom) = (reach(c) for c in (slice(None), top, bottom))
    least = -((FIELD_HALF + np.minimum(low, low_top)) // scale)
    largest = (FIELD_HALF - 1 - np.maximum(high, high_top)) // scale
    never = (low_bottom < -FIELD_HALF) | (high_bottom >= FIELD_HALF)
    return BiasLimits(np.where(never, 1, least), np.where(never, 0, largest))


@dataclass(frozen=True)
class Plane:
    """The pixels that a set of columns of the kernel meets: all (stride 1), or every second one.

    ``columns`` come in pairs (top field, bottom field); None is a zero tap. ``shifted``: words of pixels begin with
    one pixel of padding.
    """

    columns: tuple[int | None, ...]
    shifted: bool
    pixels: int

    @property
    def words(self) -> int:
        """Of a row of pixels."""
        return (self.pixels + self.shifted + 1) // 2


@dataclass(frozen=True)
class MapKernel:
    """One instance: kernel, stride, width of the picture and columns of padding in front."""

    kernel: int
    stride: int
    width: int
    pad: int

    @property
    def planes(self) -> list[Plane]:
        """As in PLANE of te_depthwise_map_dsp.S."""
        if self.stride == 1:
            return [_plane(list(range(self.kernel)), self.pad, self.width)]
        first = [(self.pad + odd) % 2 for odd in (0, 1)]
        return [
            _plane(list(range(t, self.kernel, 2)), (self.pad + odd - t) // 2, (self.width + 1 - odd) // 2)
            for odd, t in enumerate(first)
        ]

    @property
    def row_words(self) -> int:
        """Of a staged row."""
        return sum(plane.words for plane in self.planes)

    def name(self, fast: bool) -> str:
        """The C function."""
        by_2 = f"_by_2_{self.pad}" if self.stride == 2 else ""
        return f"te_depthwise_map_{self.kernel}_{self.width}{by_2}{'_fast' * fast}"

    def scratch_bytes(self, staged_rows: int, rows: int) -> int:
        """For batches of ``rows`` output rows, for which ``staged_rows`` are staged: padding is if kernel = 3."""
        staged = 4 * self.row_words * staged_rows
        if self.kernel == 3:
            return staged
        return staged + 4 * self.kernel * (self.kernel // 2 + 1) + 12 * rows

    def fits(self, weights: np.ndarray, bias: np.ndarray, zero: int, doubled: bool) -> np.ndarray:
        """Which channels' sums stay inside their fields for every int8 input less ``zero``.

        ``weights`` (channels, rows, columns); ``bias`` (channels,) of the layer; ``doubled``: to round exactly.
        """
        return self.limits(weights, zero, doubled).hold(bias)

    def limits(self, weights: np.ndarray, zero: int, doubled: bool) -> BiasLimits:
        """The biases with which that is so."""
        top = [c for plane in self.planes for c in plane.columns[::2] if c is not None]
        bottom = [c for plane in self.planes for c in plane.columns[1::2] if c is not None]
        return bias_limits(weights, (-128 - zero, 127 - zero), 1 + doubled, top, bottom)


@cache
def map_kernels() -> tuple[MapKernel, ...]:
    """All instances, from the list that the C library is built of."""
    text = (project_root() / "lib/tinyengine/include/tinyengine/te_depthwise_map_list.h").read_text()
    by_1 = re.findall(r"\bONE\((\d+), (\d+)\)", text)
    by_2 = re.findall(r"\bBY_2\((\d+), (\d+), (\d+)\)", text)
    return (
        *(MapKernel(int(k), 1, int(width), int(k) // 2) for k, width in by_1),
        *(MapKernel(int(k), 2, int(width), int(pad)) for k, width, pad in by_2),
    )


def _plane(columns: list[int], padded: int, pixels: int) -> Plane:
    """``padded``: pixels of padding under the first column's first position."""
    odd = len(columns) % 2
    shifted = padded % 2 == 1 and not odd
    lead = padded % 2 == 1 and odd
    padding: list[int | None] = [None]
    return Plane(tuple(padding * lead + [*columns] + padding * (odd and not lead)), shifted, pixels)


def map_kernel(window: Window, size: tuple[int, int], outputs: tuple[int, int]) -> MapKernel | None:
    """The instance for pictures of ``size`` (rows, columns) with ``outputs`` results; None if there is none."""
    rows, columns = window.kernel
    kernel = MapKernel(columns, window.stride[1], size[1], window.pad[2])
    same = (
        rows == columns and window.stride[0] == window.stride[1] and outputs[1] == ceil_div(size[1], window.stride[1])
    )
    tops = np.arange(outputs[0]) * window.stride[0] - window.pad[0]
    existing = np.minimum(tops + rows, size[0]) - np.maximum(tops, 0)
    return kernel if same and existing.min() > 0 and kernel in map_kernels() else None
