"""Block floating point: int16 mantissas that share a power of two.

A gradient tensor is cut into *pixels*: all channels at one position share one exponent, value = mantissa * 2**exponent.
A pixel's gradient can therefore be written as soon as its sums are complete, without an int32 copy of the tensor and
without a pass that looks for the largest value first.

Every rounding adds half and shifts right arithmetically (halves towards plus infinity), which is one instruction on the
device. Exponents are int8; a pixel of zeros has the exponent ZERO_EXPONENT.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinyengine.training.factors import MANTISSA_BITS, MANTISSA_MAX, Multiplier

ZERO_EXPONENT = -128
MAX_EXPONENT = 127
MAX_SHIFT = 31


@dataclass(frozen=True, eq=False)
class BlockFloat:
    """``mantissa`` int64 (..., C) holding int16 values, ``exponent`` int64 (...) holding int8 values."""

    mantissa: np.ndarray
    exponent: np.ndarray

    def real(self) -> np.ndarray:
        """The values, float64 (..., C)."""
        return np.ldexp(self.mantissa.astype(np.float64), self.exponent[..., None].astype(np.int32))

    def reshape(self, shape: tuple[int, ...]) -> BlockFloat:
        """The same pixels under another shape with as many channels."""
        return BlockFloat(self.mantissa.reshape(shape), self.exponent.reshape(shape[:-1]))


def shift_right(x: np.ndarray, shift: np.ndarray | int) -> np.ndarray:
    """(x + half) >> shift for int64 values; shift 0 leaves x, larger ones than MAX_SHIFT count as that."""
    shift = np.minimum(np.asarray(shift, np.int64), MAX_SHIFT)
    half = np.where(shift > 0, np.int64(1) << np.maximum(shift - 1, 0), 0)
    return (x + half) >> shift


def normalize(total: np.ndarray, exponent: np.ndarray | int) -> BlockFloat:
    """Sums (int64 (..., C)) times 2**exponent as pixels: each shifted so that its largest magnitude takes 15 bits.

    Shifted right with rounding (a magnitude that rounds up to 2**15 becomes 32767) or left, exactly.
    """
    largest = np.abs(total).max(axis=-1)
    bits = np.frexp(largest.astype(np.float64))[1]  # exact: sums stay below 2**53
    shift = np.where(largest > 0, bits - MANTISSA_BITS, 0).astype(np.int64)
    right, left = np.maximum(shift, 0)[..., None], np.maximum(-shift, 0)[..., None]
    half = np.where(right > 0, np.int64(1) << np.maximum(right - 1, 0), 0)
    mantissa = np.clip(((total + half) >> right) << left, -MANTISSA_MAX - 1, MANTISSA_MAX)
    return _limited(mantissa, np.asarray(exponent, np.int64) + shift)


def from_float(values: np.ndarray) -> BlockFloat:
    """float32 (..., C), finite, as pixels: mantissa = floor(value * 2**-exponent + 1/2)."""
    values = values.astype(np.float64)
    _, bits = np.frexp(np.abs(values).max(axis=-1))
    exponent = bits.astype(np.int64) - MANTISSA_BITS
    mantissa = np.floor(np.ldexp(values, (-exponent[..., None]).astype(np.int32)) + 0.5)
    return _limited(np.clip(mantissa, -MANTISSA_MAX - 1, MANTISSA_MAX).astype(np.int64), exponent)


def scale(g: BlockFloat, factor: Multiplier) -> BlockFloat:
    """Each channel times its factor: mantissa = (m * value + 2**14) >> 15. Pixels keep exponents of their own."""
    return _limited(shift_right(g.mantissa * factor.value, MANTISSA_BITS), g.exponent + factor.exponent)


def scale_aligned(g: BlockFloat, factor: Multiplier, headroom: int) -> tuple[np.ndarray, int]:
    """Each channel times its factor, all pixels brought to one exponent: (int16 values (..., C), exponent).

    One rounding: (m * value) shifted right by 15 + headroom + (largest exponent of the tensor - the pixel's).
    """
    largest = int(g.exponent.max())
    shift = MANTISSA_BITS + headroom + (largest - g.exponent)
    return shift_right(g.mantissa * factor.value, shift[..., None]), largest + factor.exponent + headroom


def align(g: BlockFloat) -> tuple[np.ndarray, int]:
    """All pixels brought to the tensor's largest exponent."""
    largest = int(g.exponent.max())
    return shift_right(g.mantissa, (largest - g.exponent)[..., None]), largest


def add(a: BlockFloat, b: BlockFloat) -> BlockFloat:
    """Sum of two gradients of one tensor, pixel by pixel, normalized.

    Both are brought to 14 bits below the larger exponent, cutting off what lies under that (floor), and summed in
    int32.
    """
    guard = MANTISSA_BITS - 1
    exponent = np.maximum(a.exponent, b.exponent)
    total = sum((g.mantissa << guard) >> np.minimum(exponent - g.exponent, MAX_SHIFT)[..., None] for g in (a, b))
    assert isinstance(total, np.ndarray)
    return normalize(total, exponent - guard)


def _limited(mantissa: np.ndarray, exponent: np.ndarray) -> BlockFloat:
    """Pixels of zeros, and those too small for an int8 exponent, become zero; too large ones saturate."""
    zero = ~mantissa.any(axis=-1) | (exponent <= ZERO_EXPONENT)
    large = exponent > MAX_EXPONENT
    saturated = np.where(large[..., None], np.sign(mantissa) * MANTISSA_MAX, mantissa)
    return BlockFloat(
        np.where(zero[..., None], 0, saturated), np.where(zero, ZERO_EXPONENT, np.minimum(exponent, MAX_EXPONENT))
    )
