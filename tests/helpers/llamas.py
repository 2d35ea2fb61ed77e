"""Small language models of random weights."""

from __future__ import annotations

import numpy as np
from tinyengine.language.llama import Llama, LlamaLayer


def random_llama(
    seed: int,
    layers: int = 2,
    width: int = 16,
    heads: int = 4,
    kv_heads: int = 2,
    hidden: int = 24,
    vocabulary: int = 40,
) -> Llama:
    """Weights of the size that training leaves; the classifier is the embedding."""
    rng = np.random.default_rng(seed)

    def normal(rows: int, columns: int, gain: float = 1.0) -> np.ndarray:
        return (rng.normal(size=(rows, columns)) * gain / np.sqrt(columns)).astype(np.float32)

    def gains() -> np.ndarray:
        return rng.uniform(0.5, 1.5, width).astype(np.float32)

    keys = width // heads * kv_heads
    made = tuple(
        LlamaLayer(
            gains(),
            normal(width, width, 2),
            normal(keys, width, 2),
            normal(keys, width),
            normal(width, width),
            gains(),
            normal(hidden, width),
            normal(hidden, width),
            normal(width, hidden),
        )
        for _ in range(layers)
    )
    embedding = (0.3 * rng.normal(size=(vocabulary, width))).astype(np.float32)
    return Llama(heads, kv_heads, 64, 10000.0, 1e-5, embedding, made, gains(), embedding)
