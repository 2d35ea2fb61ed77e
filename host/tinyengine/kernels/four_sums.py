"""Four rows of weights at a time, as te_four_sums.h multiplies them."""

from __future__ import annotations

import numpy as np

INPUT_MAX = 128
"""Largest magnitude of an int8 value: zero points are part of the biases."""


PAIR_LIMIT = 1 << 23
"""Sums of the second row of a pair are below this."""


def fits_halfwords(rows: np.ndarray) -> bool:
    """Whether all pairs of quads of rows, int64 (quads, 4, inputs), are halfwords: not -128 above a negative one."""
    pairs = rows[:, 1::2] * 256 + rows[:, ::2]
    return bool(pairs.min(initial=0) >= -(1 << 15))


def fits_four_sums(rows: np.ndarray) -> bool:
    """Whether quads of rows, int64 (quads, 4, inputs), can be packed as te_four_sums.h says: pairs are halfwords, and
    the sum of a second row keeps 24 bits."""
    sums = np.abs(rows[:, 1::2]).sum(axis=2, initial=0)
    return fits_halfwords(rows) and bool(sums.max() * INPUT_MAX < PAIR_LIMIT)


def pack_quads(rows: np.ndarray, pairs: bool) -> np.ndarray:
    """uint32 (quads, words) of rows (quads, 4, inputs), as te_four_sums.h wants them."""
    padded = np.pad(rows, ((0, 0), (0, 0), (0, -rows.shape[2] % 4)))
    groups = padded.reshape(len(rows), 4, -1, 4)
    if not pairs:
        return np.ascontiguousarray(groups.transpose(0, 2, 1, 3).astype(np.int8)).view("<u4").reshape(len(rows), -1)
    halves = (groups[:, 1::2] * 256 + groups[:, ::2]).astype("<i2")  # (quads, pair of rows, group, input)
    halves = halves[..., [0, 2, 1, 3]].reshape(*halves.shape[:3], 2, 2)
    return np.ascontiguousarray(halves.transpose(0, 2, 3, 1, 4)).view("<u4").reshape(len(rows), -1)


def pair_biases(biases: np.ndarray) -> np.ndarray:
    """``biases`` (quads, 4) as te_dense_fast.h wants them: those of second rows as their weights are."""
    result = biases.copy()
    result[:, 1::2] = biases[:, 1::2] * 256 + biases[:, ::2]
    return result


def quads(weights: np.ndarray) -> np.ndarray:
    """Rows (count, inputs) as (quads, 4, inputs), the last quad filled up with zeros."""
    return np.pad(weights, ((0, -len(weights) % 4), (0, 0))).reshape(-1, 4, weights.shape[1])
