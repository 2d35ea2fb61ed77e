"""Which input pixel a nearest-neighbour resize copies."""

from __future__ import annotations

import numpy as np

from tinyengine.ir.ops import ResizeNearestAttrs
from tinyengine.ir.quantize import round_half_away


def nearest_sources(attrs: ResizeNearestAttrs, size: int, out_size: int) -> np.ndarray:
    """Source index of each of ``out_size`` rows (or columns) of an input with ``size`` of them; int64.

    In float32 throughout, as TFLite's GetNearestNeighbor.
    """
    one = np.float32(1)
    if attrs.align_corners and out_size > 1:
        scale = np.float32(size - 1) / np.float32(out_size - 1)
    else:
        scale = np.float32(size) / np.float32(out_size)
    offset = one / 2 if attrs.half_pixel_centers else one * 0
    position = (np.arange(out_size, dtype=np.float32) + offset) * scale
    index = round_half_away(position) if attrs.align_corners else np.floor(position)
    return np.clip(index, 0, size - 1).astype(np.int64)
