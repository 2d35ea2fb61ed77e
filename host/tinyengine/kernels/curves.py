"""The table of te_lstm.h: 2 / (1 + exp(-v)) as gemmlowp computes it, in 16 KB instead of 64."""

from __future__ import annotations

from functools import cache

import numpy as np

from tinyengine.ir.curves import GATE_BITS, exp_of_negative, two_over_one_plus

CURVES, EACH, BITS = 1025, 32, 3
"""Pieces, values of a piece, bits that a value may be above its line."""
SLOPES = 121
"""How many are tried for a piece: around the slope from its first value to its last."""


@cache
def curves() -> np.ndarray:
    """uint32 (CURVES * 4,)."""
    v = np.minimum(np.arange(CURVES * EACH), 1 << 15)
    values = np.where(v, two_over_one_plus(exp_of_negative(-v, GATE_BITS)), 1 << 13).reshape(CURVES, EACH, 1)
    i = np.arange(EACH)[:, None]
    between = (values[:, -1] - values[:, 0]) / (EACH - 1) + np.linspace(-BITS, BITS, SLOPES) / EACH
    slopes = np.clip(np.round(between * 65536), 0, 65535).astype(np.int64)  # (CURVES, SLOPES)
    rest = values - (slopes[:, None] * (i + 1) >> 16)  # as the kernel has it: the slope is below the line's base
    best = np.argmin(rest.max(axis=1) - rest.min(axis=1), axis=1)
    pieces = np.arange(CURVES)
    rest, base = rest[pieces, :, best], rest.min(axis=1)[pieces, best]
    rest = rest - base[:, None]
    assert rest.max() < 1 << BITS and base.min() >= 0
    bits = np.packbits(rest[:, :, None] >> np.arange(BITS) & 1, axis=None, bitorder="little").view("<u4")
    lines = (base << 16 | slopes[pieces, best]).astype(np.uint32)
    return np.concatenate([bits.reshape(CURVES, BITS), lines[:, None]], axis=1).astype(np.uint32).ravel()
