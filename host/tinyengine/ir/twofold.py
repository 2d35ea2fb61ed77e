"""Numbers that are the sum of two float32, the second at most half a unit of the first: 46 bits and more without a
double, which small cores lack. Operation by operation what te_twofold.h computes.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

F = np.float32
MOST_EXPONENT = 200.0
"""Beyond it e^x has no use: as float32 it is infinite, or zero, whatever it is multiplied with."""
LOG_OF_2_HIGH = 0.693359375
"""So few bits that its product with a whole number is exact."""
_LOG_OF_2_LOW = F(-2.12194442e-4), F(1.646595e-12)
_DEGREE = 13


class Twofold(NamedTuple):
    """Arrays of float32 of one shape."""

    high: np.ndarray
    low: np.ndarray


def constant(value: float) -> tuple[np.float32, np.float32]:
    """The two nearest parts."""
    return F(value), F(value - float(F(value)))


def exact_sum(a: np.ndarray, b: np.ndarray) -> Twofold:
    """Rounded sum and what rounding took off."""
    total = a + b
    part = total - a
    return Twofold(total, (a - (total - part)) + (b - part))


def normal(high: np.ndarray, low: np.ndarray) -> Twofold:
    """The same of a first part that is larger."""
    total = high + low
    return Twofold(total, low - (total - high))


def exact_product(a: np.ndarray, b: np.ndarray) -> Twofold:
    """Rounded product and what rounding took off, of halves of 12 bits."""

    def halves(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        scaled = x * F(4097)
        high = scaled - (scaled - x)
        return high, x - high

    product, (a1, a2), (b1, b2) = a * b, halves(a), halves(b)
    return Twofold(product, ((a1 * b1 - product) + a1 * b2 + a2 * b1) + a2 * b2)


def add(a: Twofold, b: Twofold) -> Twofold:
    high, low = exact_sum(a.high, b.high)
    return normal(high, low + (a.low + b.low))


def multiply(a: Twofold, b: Twofold) -> Twofold:
    high, low = exact_product(a.high, b.high)
    return normal(high, low + (a.high * b.low + a.low * b.high))


def divide(a: np.ndarray, b: np.ndarray) -> Twofold:
    """Of float32."""
    quotient = a / b
    product = exact_product(quotient, b)
    return normal(quotient, ((a - product.high) - product.low) / b)


def exp(x: Twofold) -> tuple[Twofold, np.ndarray]:
    """e^x as a number and the power of two (int32) that it is to be multiplied with."""
    limit = F(MOST_EXPONENT)
    outside = np.abs(x.high) > limit
    high = np.where(outside, np.copysign(limit, x.high), x.high)
    low = np.where(outside, F(0), x.low)
    whole = np.trunc(np.where(np.isnan(high), F(0), high) * F(1.44269504) + np.where(high < 0, F(-0.5), F(0.5)))
    zero = np.zeros_like(whole)
    rest = add(Twofold(high, low), Twofold(-whole * F(LOG_OF_2_HIGH), zero))
    first, second = _LOG_OF_2_LOW
    rest = add(rest, multiply(Twofold(-whole, zero), Twofold(zero + first, zero + second)))
    result = Twofold(zero, zero)
    for degree in range(_DEGREE, -1, -1):
        first, second = constant(1 / math.factorial(degree))
        result = add(multiply(result, rest), Twofold(zero + first, zero + second))
    return result, whole.astype(np.int32)


def scaled(x: np.ndarray, power: np.ndarray) -> np.ndarray:
    """x * 2^power for powers of -372 to 372."""
    part = np.trunc(power / 3).astype(np.int32)
    for n in (part, part, power - 2 * part):
        x = x * ((n + 127).astype(np.uint32) << np.uint32(23)).view(F)
    return x
