"""Sigmoid and tanh of 16 bits: gemmlowp's, as TFLite's reference kernels have them."""

from __future__ import annotations

import numpy as np

from tinyengine.ir.quantize import rounding_divide_by_pot, rounding_high_mul

INT16_MIN, INT16_MAX = -(1 << 15), (1 << 15) - 1
GATE_BITS = 3
"""Integer bits of what a gate's sigmoid or tanh is taken of."""
_STEPS = ((-2, 25520), (-1, 19875), (0, 12055), (1, 4435), (2, 600), (3, 11), (4, 0))
"""exp(-2^k) with 15 fraction bits, by k."""


def mul16(a: np.ndarray, b: np.ndarray | int) -> np.ndarray:
    return rounding_high_mul(a, b, bits=16)


def saturate16(x: np.ndarray) -> np.ndarray:
    return np.clip(x, INT16_MIN, INT16_MAX)


def wrap16(x: np.ndarray) -> np.ndarray:
    return (x - INT16_MIN) % (1 << 16) + INT16_MIN


def exp_of_negative(a: np.ndarray, integer_bits: int) -> np.ndarray:
    """exp(a) with 15 fraction bits, a <= 0 with ``integer_bits``: a polynomial on [-1/4, 0), times powers of e."""
    fraction_bits = 15 - integer_bits
    quarter = 1 << (fraction_bits - 2)
    rest = (a & (quarter - 1)) - quarter
    x = (rest << integer_bits) + (1 << 12)
    square = mul16(x, x)
    fourth = rounding_divide_by_pot(mul16(square, square), 2)
    series = rounding_divide_by_pot(mul16(fourth + mul16(square, x), 10923) + square, 1)
    result = saturate16(28918 + mul16(x + series, 28918))
    whole = rest - a
    for exponent, factor in _STEPS:
        if integer_bits > exponent:
            result = np.where(whole & (1 << (fraction_bits + exponent)), mul16(result, factor), result)
    if integer_bits > 5:
        result = np.where(a < -(1 << (20 - integer_bits)), 0, result)
    return np.where(a == 0, INT16_MAX, result)


def two_over_one_plus(e: np.ndarray) -> np.ndarray:
    """2 / (1 + e) with 13 fraction bits, e in [0, 1] with 15: three steps of Newton's method."""
    half = (e + INT16_MAX + 1) >> 1
    guess = 23130 + mul16(half, -15420)
    for _ in range(3):
        error = (1 << 13) - mul16(half, guess)
        guess = wrap16(guess + saturate16(mul16(guess, error) << 2))
    return guess


def sigmoid(a: np.ndarray, integer_bits: int = GATE_BITS) -> np.ndarray:
    """With 15 fraction bits, of int16 values with ``integer_bits``; int64 in and out."""
    positive = saturate16(two_over_one_plus(exp_of_negative(wrap16(-np.abs(a)), integer_bits)) << 1)
    return np.where(a == 0, 1 << 14, np.where(a > 0, positive, INT16_MAX - positive))


def tanh(a: np.ndarray, integer_bits: int = GATE_BITS) -> np.ndarray:
    """With 15 fraction bits, of int16 values with ``integer_bits``; int64 in and out."""
    quotient = two_over_one_plus(exp_of_negative(wrap16(-np.abs(a)), integer_bits + 1))
    positive = saturate16((quotient - (1 << 13)) << 2)
    return np.where(a == 0, 0, np.where(a > 0, positive, -positive))
