"""Pixels as cameras deliver them: what device and host make of each format (lib/tinyengine's te_image.h)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image

from tinyengine.errors import DataError


@dataclass(frozen=True)
class PixelFormat:
    """``size``: bytes of a pixel. A line has a multiple of ``group`` pixels, the last of which may be cut off."""

    size: int
    group: int
    decode: Callable[[np.ndarray], np.ndarray]
    """(rows, bytes of a line) -> uint8 (rows, pixels) gray or (rows, pixels, 3) RGB"""

    def line_bytes(self, width: int) -> int:
        """Bytes of a line of ``width`` pixels."""
        return -(-width // self.group) * self.group * self.size

    def picture(self, frame: bytes, width: int, height: int) -> Image.Image:
        """A whole frame as an RGB picture. DataError where it has another size."""
        if len(frame) != height * self.line_bytes(width):
            expected = f"{width}x{height} pixels take {height * self.line_bytes(width)}"
            raise DataError(f"the frame has {len(frame)} bytes, but {expected}")
        lines = np.frombuffer(frame, np.uint8).reshape(height, -1)
        return Image.fromarray(np.ascontiguousarray(self.decode(lines)[:, :width])).convert("RGB")


def _rgb565(first: int) -> Callable[[np.ndarray], np.ndarray]:
    """``first``: which byte of a pixel is more significant. The highest bits of a channel are its lowest, too."""

    def decode(lines: np.ndarray) -> np.ndarray:
        high, low = lines[:, first::2].astype(int), lines[:, 1 - first :: 2].astype(int)
        r, g, b = high >> 3, (high & 7) << 3 | low >> 5, low & 31
        return np.stack([r << 3 | r >> 2, g << 2 | g >> 4, b << 3 | b >> 2], axis=2).astype(np.uint8)

    return decode


def _yuv422(y: int) -> Callable[[np.ndarray], np.ndarray]:
    """``y``: where the first byte of luma lies among the four of two pixels. JPEG's conversion and range."""

    def decode(lines: np.ndarray) -> np.ndarray:
        luma = lines[:, y::2].astype(int)
        u, v = (np.repeat(lines[:, k::4].astype(int), 2, axis=1) - 128 for k in (1 - y, 3 - y))
        red, green, blue = 91881 * v, -22554 * u - 46802 * v, 116130 * u
        rgb = np.stack([luma + (part + 32768 >> 16) for part in (red, green, blue)], axis=2)
        return np.clip(rgb, 0, 255).astype(np.uint8)

    return decode


FORMATS = {
    "rgb565le": PixelFormat(2, 1, _rgb565(1)),
    "rgb565be": PixelFormat(2, 1, _rgb565(0)),
    "rgb888": PixelFormat(3, 1, lambda lines: lines.reshape(len(lines), -1, 3)),
    "yuyv": PixelFormat(2, 2, _yuv422(0)),
    "uyvy": PixelFormat(2, 2, _yuv422(1)),
    "gray8": PixelFormat(1, 1, lambda lines: lines),
    "yuyv_gray": PixelFormat(2, 2, lambda lines: lines[:, 0::2]),
    "uyvy_gray": PixelFormat(2, 2, lambda lines: lines[:, 1::2]),
}
"""By name: ``te_<name>`` in te_image.h."""
