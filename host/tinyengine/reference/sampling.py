"""The next token by chance: the oracle of te_lm_sample."""

from __future__ import annotations

import numpy as np

from tinyengine.ir.language import softmax_table

WORD = (1 << 32) - 1


def seeded(seed: int) -> int:
    """A state of random numbers, never 0."""
    return (seed * 0x9E3779B9 + 0x7F4A7C15) & WORD or 1


def next_random(state: int) -> int:
    """Xorshift (Marsaglia 2003)."""
    state ^= state << 13 & WORD
    state ^= state >> 17
    return state ^ (state << 5 & WORD)


def sample(logits: np.ndarray, sharpness: int, share: int, random: int) -> tuple[int, int]:
    """A token, and the next state. ``logits`` int32 with 12 fraction bits; the others as in ``writing.Settings``.

    Tokens are left out from the least likely on as long as the others have the share; those of one weight together.
    """
    values = logits.ravel().astype(np.int64)
    if not sharpness:
        return int(values.argmax()), random
    distance = [int(d) * sharpness >> 16 for d in values.max() - values]
    weights = np.array([int(softmax_table()[d & 255]) >> min(d >> 8, 16) for d in distance])
    kept = weights > 0
    if share < 1 << 16:
        wanted = max(1, int(weights.sum()) * share >> 16)
        least = max(w for w in set(weights.tolist()) if w and weights[weights >= w].sum() >= wanted)
        kept = weights >= least
    chances = np.where(kept, weights, 0)
    random = next_random(random)
    drawn = random * int(chances.sum()) >> 32
    return int((chances.cumsum() <= drawn).sum()), random
