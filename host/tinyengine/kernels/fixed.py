"""Requantization constants of the fast kernels (lib/tinyengine/src/support/te_requant_fixed.h).

``exact`` reproduces TFLite's double rounding in at most five instructions, with one multiplier M, one constant C and
one shift e per channel; it needs real multipliers below 0.5 and sums below 2**30. ``wide`` takes any multiplier.
``once`` (fully connected layers) rounds the 64-bit product once, as cheaply, for real multipliers below 0.25.
``fast`` is one multiplication of the doubled sum by M, with C the output's zero point (``tinyengine.ir.sums``).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinyengine.ir.requant import Requant
from tinyengine.ir.sums import SUM_LIMIT, SumRange, constant_channels

MAX_SHIFT = 22
"""Larger right shifts leave no room for (zero point << shift) in 32 bits."""


@dataclass(frozen=True, eq=False)
class FixedRounding:
    """Per channel: 31-bit multiplier M, constant C, right shift e; for ``wide`` also left shift l and sign mask s.

    ``constant`` marks channels whose result does not depend on the input: M = 0, and their sums (hence biases, which
    converters saturate in dead channels) no longer matter. ``fast``: e = 0, l = 1, s = 0.
    """

    m: np.ndarray
    c: np.ndarray
    e: np.ndarray
    l: np.ndarray  # noqa: E741 - named as in te_requant_fixed.h
    s: np.ndarray
    constant: np.ndarray
    wide: bool
    fast: bool = False

    @property
    def kind(self) -> str:
        """fast, exact, wide: which inner loops round that way."""
        return "fast" if self.fast else "wide" if self.wide else "exact"

    @property
    def wide_channels(self) -> np.ndarray:
        """Which channels the formula ``exact`` does not reach, bool (channels,)."""
        return (self.e == 0) | (self.l != 1) | (self.s != -1)

    def bias(self, bias: np.ndarray) -> np.ndarray:
        """``bias`` with zeros in the constant channels."""
        return np.where(self.constant, 0, bias)


def fixed_rounding(requant: Requant, sums: SumRange) -> FixedRounding | None:
    """Constants for ``requant`` given the range of the sums; None where the formulas do not reach."""
    channels = len(sums.low)
    m = np.broadcast_to(requant.multiplier.astype(np.int64), channels).copy()
    shift = np.broadcast_to(requant.shift.astype(np.int64), channels).copy()
    if (m < 0).any():
        return None
    result, constant = constant_channels(requant, sums)
    if requant.fast is not None:
        return _fast_rounding(requant, result, constant)
    m[constant], shift[constant] = 0, -2
    if requant.once:  # 64-bit product, shifted right by 32 + right
        left = np.maximum(shift + 2, 0)
        right = left - shift - 1
        rounded = np.ones(channels, bool)
        wide = bool(left.any())
    else:
        left, right = np.maximum(shift, 0), np.maximum(-shift, 0)
        rounded = right > 0
        wide = not rounded.all()
        left = left + 1  # the doubling of "doubling high multiply"
    beyond = (sums.magnitude << left >= 2 * SUM_LIMIT) | (right > MAX_SHIFT)
    if (beyond & ~constant).any():
        return None
    zero = np.where(constant, result, requant.zero)
    c = np.where(rounded, (1 << np.maximum(right - 1, 0)) + (zero << right), zero)
    return FixedRounding(m, c, right, left, np.where(rounded, -1, 0), constant, wide)


def _fast_rounding(requant: Requant, result: np.ndarray, constant: np.ndarray) -> FixedRounding:
    m, c = np.where(constant, 0, requant.fast_multiplier), np.where(constant, result, requant.zero)
    none = np.zeros_like(m)
    return FixedRounding(m, c, none, none + 1, none, constant, wide=False, fast=True)


def words(*columns: np.ndarray) -> np.ndarray:
    """int64 columns (each (n,)) as uint32 rows (n, len(columns)), two's complement."""
    return (np.stack([np.asarray(c, np.int64) for c in columns], axis=-1) & 0xFFFFFFFF).astype(np.uint32)
