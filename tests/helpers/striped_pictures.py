"""Pictures of two classes that a small network learns quickly."""

from __future__ import annotations

import numpy as np
from tinyengine.data.samples import Arrays, Samples


def stripes(count: int, size: int, seed: int) -> Arrays:
    """Noisy pictures with horizontal (class 0) or vertical (class 1) stripes."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, count)
    waves = 60 * np.sin(2 * np.pi * (np.arange(size)[None, :] / 8 + rng.random((count, 1))))
    lines = np.broadcast_to(waves[:, :, None], (count, size, size))
    lines = np.where(labels[:, None, None] == 1, lines.transpose(0, 2, 1), lines)
    pixels = (128 + lines[..., None] + rng.normal(0, 20, (count, size, size, 3))).clip(0, 255).astype(np.uint8)
    return Samples(pixels, labels.astype(np.int32), ("rows", "columns"), source_names=("stripes",))
