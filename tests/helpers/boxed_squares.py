"""Pictures with a bright square each, as an archive of boxes."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image


def boxed_squares(path: Path, count: int, seed: int) -> Path:
    """``count`` pictures of 48 x 48; the path."""
    r = np.random.default_rng(seed)
    files, boxes = [], []
    for _ in range(count):
        pixels = r.integers(0, 90, (48, 48, 3), dtype=np.uint8)
        side, (x, y) = int(r.integers(12, 28)), r.integers(0, 20, 2)
        pixels[y : y + side, x : x + side] = r.integers(170, 256, (side, side, 3))
        content = io.BytesIO()
        Image.fromarray(pixels).save(content, "PNG")
        files.append(content.getvalue())
        boxes.append([x / 48, y / 48, (x + side) / 48, (y + side) / 48])
    np.savez(
        path,
        jpeg=np.frombuffer(b"".join(files), np.uint8),
        offset=np.cumsum([0, *map(len, files)]),
        boxes=np.array(boxes, np.float32),
        box_class=np.zeros(count, np.uint8),
        box_image=np.arange(count, dtype=np.int32),
        class_names=np.array(["square"]),
    )
    return path
