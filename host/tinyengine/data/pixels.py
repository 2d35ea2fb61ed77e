"""Pixels as cameras deliver them: what device and host make of each format (lib/tinyengine's te_image.h).

The numbers of a format are resized as they are; only then do they become RGB: those of 5 and 6 bits are scaled to 8,
YUV is converted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from tinyengine.data.resize import SUM_BITS, bilinear_sums, nearest
from tinyengine.errors import DataError

_EIGHT_BITS = 1 << 10


@dataclass(frozen=True)
class PixelFormat:
    """``size``: bytes of a pixel. A line has a multiple of ``group`` pixels, the last of which may be cut off."""

    size: int
    group: int
    decode: Callable[[np.ndarray], np.ndarray]
    """(rows, bytes of a line) -> uint8 (rows, pixels, channels): 3, or 1 of gray"""
    scale: tuple[int, ...] = (_EIGHT_BITS,)
    """Of each channel, or of all: 255 divided by its largest number, times 2^10"""
    to_rgb: Callable[[np.ndarray], np.ndarray] | None = None
    """Numbers of 8 bits -> RGB; None where they are RGB"""

    def line_bytes(self, width: int) -> int:
        """Bytes of a line of ``width`` pixels."""
        return -(-width // self.group) * self.group * self.size

    def frame(self, data: bytes, width: int, height: int) -> Frame:
        """A whole frame. DataError where it has another size."""
        if len(data) != height * self.line_bytes(width):
            expected = f"{width}x{height} pixels take {height * self.line_bytes(width)}"
            raise DataError(f"the frame has {len(data)} bytes, but {expected}")
        lines = np.frombuffer(data, np.uint8).reshape(height, -1)
        return Frame(self, self.decode(lines)[:, :width])

    def finish(self, sums: np.ndarray) -> np.ndarray:
        """Sums (rows, columns, channels) in units of 2^-SUM_BITS -> uint8 (rows, columns, 3), RGB, or 1, gray."""
        values = (sums * np.array(self.scale) + (1 << 31) >> 32).astype(np.uint8)
        return self.to_rgb(values) if self.to_rgb else values


@dataclass(frozen=True, eq=False)
class Frame:
    """``numbers``: uint8 (rows, columns, channels), as the camera has them."""

    format: PixelFormat
    numbers: np.ndarray

    @property
    def size(self) -> tuple[int, int]:
        """Width, height."""
        return self.numbers.shape[1], self.numbers.shape[0]

    def crop(self, box: tuple[int, int, int, int]) -> Frame:
        """``box``: left, top, right, bottom."""
        left, top, right, bottom = box
        return replace(self, numbers=self.numbers[top:bottom, left:right])

    def resized(self, height: int, width: int, way: str = "bilinear") -> np.ndarray:
        """uint8 (height, width, 3), RGB. ``way``: of data.metadata.RESIZES"""
        if way == "nearest":
            sums = nearest(self.numbers, height, width).astype(np.int64) << SUM_BITS
        else:
            sums = bilinear_sums(self.numbers, height, width)
        return np.broadcast_to(self.format.finish(sums), (height, width, 3))


def frame_of(image: Image.Image) -> Frame:
    """An RGB picture."""
    return Frame(FORMATS["rgb888"], np.asarray(image, np.uint8))


def _rgb565(first: int) -> PixelFormat:
    """``first``: which byte of a pixel is more significant."""

    def decode(lines: np.ndarray) -> np.ndarray:
        high, low = lines[:, first::2], lines[:, 1 - first :: 2]
        return np.stack([high >> 3, (high & 7) << 3 | low >> 5, low & 31], axis=2)

    five, six = (round(255 * _EIGHT_BITS / largest) for largest in (31, 63))
    return PixelFormat(2, 1, decode, (five, six, five))


def _yuv422(y: int) -> PixelFormat:
    """``y``: where the first byte of luma lies among the four of two pixels."""

    def decode(lines: np.ndarray) -> np.ndarray:
        u, v = (np.repeat(lines[:, k::4], 2, axis=1) for k in (1 - y, 3 - y))
        return np.stack([lines[:, y::2], u, v], axis=2)

    return PixelFormat(2, 2, decode, to_rgb=_yuv_to_rgb)


def _yuv_to_rgb(values: np.ndarray) -> np.ndarray:
    """JPEG's conversion and range, with factors of 16 bits."""
    y, u, v = (values[..., c].astype(int) - (128 if c else 0) for c in range(3))
    red, green, blue = 91881 * v, -22554 * u - 46802 * v, 116130 * u
    rgb = np.stack([y + (part + 32768 >> 16) for part in (red, green, blue)], axis=-1)
    return np.clip(rgb, 0, 255).astype(np.uint8)


def _gray(size: int, group: int, offset: int) -> PixelFormat:
    return PixelFormat(size, group, lambda lines: lines[:, offset::size, None])


FORMATS = {
    "rgb565le": _rgb565(1),
    "rgb565be": _rgb565(0),
    "rgb888": PixelFormat(3, 1, lambda lines: lines.reshape(len(lines), -1, 3)),
    "yuyv": _yuv422(0),
    "uyvy": _yuv422(1),
    "gray8": _gray(1, 1, 0),
    "yuyv_gray": _gray(2, 2, 0),
    "uyvy_gray": _gray(2, 2, 1),
}
"""By name: ``te_<name>`` in te_image.h."""
