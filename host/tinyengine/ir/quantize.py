"""Fixed-point arithmetic of TFLite's int8 reference kernels, in exact integers.

Source of the formulas: the TFLite quantization specification and gemmlowp's fixed-point definition
(saturating rounding doubling high multiply, rounding divide by power of two).
"""

from __future__ import annotations

import math

import numpy as np

from tinyengine.ir.graph import DTYPES, Quantization
from tinyengine.ir.ops import Activation

INT8_MIN, INT8_MAX = -128, 127


def quantize_multiplier(real: float) -> tuple[int, int]:
    """``real`` = multiplier / 2**31 * 2**shift with 2**30 <= multiplier < 2**31; (0, 0) for zero.

    As TFLite's QuantizeMultiplier: the mantissa is rounded half away from zero in double precision.
    """
    if real == 0.0:
        return 0, 0
    mantissa, shift = math.frexp(real)
    multiplier = math.floor(abs(mantissa) * (1 << 31) + 0.5)
    multiplier = -multiplier if mantissa < 0 else multiplier
    if abs(multiplier) == 1 << 31:
        multiplier //= 2
        shift += 1
    if shift < -31:
        return 0, 0
    if shift > 30:
        return (1 << 31) - 1, 30
    return multiplier, shift


def multiply_by_quantized_multiplier(
    x: np.ndarray, multiplier: np.ndarray | int, shift: np.ndarray | int
) -> np.ndarray:
    """TFLite's MultiplyByQuantizedMultiplier (double rounding) on int64 arrays holding int32 values; returns int64.

    ``multiplier`` and ``shift`` broadcast against ``x`` (per channel: the last axis).
    """
    x = np.asarray(x, np.int64)
    multiplier = np.asarray(multiplier, np.int64)
    shift = np.asarray(shift, np.int64)
    left = np.maximum(shift, 0)
    right = np.maximum(-shift, 0)
    wrapped = ((x << left) + (1 << 31)) % (1 << 32) - (1 << 31)
    return rounding_divide_by_pot(rounding_high_mul(wrapped, multiplier), right)


def rounding_divide_by_pot(x: np.ndarray, exponent: int | np.ndarray) -> np.ndarray:
    """gemmlowp's RoundingDivideByPOT: halves away from zero; int64 in and out."""
    x = np.asarray(x, np.int64)
    exponent = np.asarray(exponent, np.int64)
    mask = (np.int64(1) << exponent) - 1
    threshold = (mask >> 1) + (x < 0)
    return (x >> exponent) + ((x & mask) > threshold)


def rounding_high_mul(a: np.ndarray, b: np.ndarray | int, bits: int = 32) -> np.ndarray:
    """gemmlowp's SaturatingRoundingDoublingHighMul for ``bits``-bit operands held in int64."""
    half = 1 << (bits - 2)
    product = np.asarray(a, np.int64) * np.asarray(b, np.int64)
    total = product + np.where(product >= 0, half, 1 - half)
    high = np.where(total >= 0, total >> (bits - 1), -((-total) >> (bits - 1)))
    return np.minimum(high, (1 << (bits - 1)) - 1)


def round_half_away(x: np.ndarray | np.floating | float) -> np.ndarray:
    """std::round: halves away from zero."""
    x = np.asarray(x)
    whole = np.trunc(x)
    # not floor(|x| + 0.5): the largest float below one half plus one half rounds to one
    return whole + np.copysign(np.abs(x - whole) >= 0.5, x).astype(x.dtype)


def inverse_sqrt(x: int) -> tuple[int, int]:
    """(multiplier, shift) of 1 / sqrt(x), x >= 0 an int32 (0 counts as 1): GetInvSqrtQuantizedMultiplierExp.

    Five Newton steps from 1 on x scaled to [0.25, 1), with 28 fractional bits, rounded as gemmlowp rounds.
    """
    if x <= 1:
        return (1 << 31) - 1, 0
    shift = 11
    while x >= 1 << 29:
        x >>= 2
        shift += 1
    pairs = (31 - x.bit_length()) // 2 - 1
    shift -= pairs
    scaled = (x << 2 * pairs) >> 1
    half = _rounding_halves(scaled)

    def times(a: int, b: int, bits: int) -> int:
        """Product of numbers with ``bits`` integer bits together, saturated to three."""
        product = int(rounding_high_mul(np.array(a), b)) << (bits - 3)
        return max(min(product, (1 << 31) - 1), -(1 << 31))

    guess = 1 << 28
    for _ in range(5):
        cube = times(int(rounding_high_mul(np.array(guess), guess)), guess, 9)
        difference = int(rounding_high_mul(np.array((1 << 28) + (1 << 27)), guess)) - int(
            rounding_high_mul(np.array(half), cube)
        )
        guess = max(min(difference << 3, (1 << 31) - 1), -(1 << 31))
    multiplier = int(rounding_high_mul(np.array(guess), 1518500250))  # sqrt(1/2)
    if shift < 0:
        return multiplier << -shift, 0
    return multiplier, -shift


def _rounding_halves(x: int) -> int:
    return int(rounding_divide_by_pot(np.array(x), 1))


def activation_range(activation: Activation, quant: Quantization, dtype: str = "int8") -> tuple[int, int]:
    """Clamp limits of an integer output for a fused activation, as TFLite's CalculateActivationRangeQuantized."""
    scale, zero = quant.scalar()
    limits = np.iinfo(DTYPES[dtype])

    def level(real: float) -> int:
        return zero + int(round_half_away(np.float32(real) / np.float32(scale)))

    low, high = int(limits.min), int(limits.max)
    if activation is Activation.RELU:
        low = max(low, level(0.0))
    elif activation is Activation.RELU6:
        low, high = max(low, level(0.0)), min(high, level(6.0))
    elif activation is Activation.RELU_N1_TO_1:
        low, high = max(low, level(-1.0)), min(high, level(1.0))
    return low, high
