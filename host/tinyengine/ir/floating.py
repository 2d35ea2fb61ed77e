"""float32 arithmetic of the device, in NumPy: operation by operation what te_float.h and the float kernels compute.

Every operation is rounded to float32 at once and none is fused, so a result is the same on every core and here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from tinyengine.ir.ops import Activation, OpKind

F = np.float32
LARGEST = float(np.finfo(np.float32).max)

APPROXIMATE = frozenset(
    {
        *(OpKind.TANH, OpKind.LOGISTIC, OpKind.EXP, OpKind.LOG, OpKind.ELU, OpKind.GELU, OpKind.SIN, OpKind.COS),
        *(OpKind.SOFTMAX, OpKind.LOG_SOFTMAX, OpKind.UNIDIRECTIONAL_SEQUENCE_LSTM, OpKind.DETECTION_POST_PROCESS),
    }
)
"""Operators for which TFLite calls functions of a C library, others on every machine; ours are those below."""


def clamp_range(activation: Activation) -> tuple[float, float]:
    """Limits of a float32 output for a fused activation; without one, those of finite numbers, as in TFLite."""
    low = {Activation.NONE: -LARGEST, Activation.RELU_N1_TO_1: -1.0}.get(activation, 0.0)
    high = {Activation.RELU6: 6.0, Activation.RELU_N1_TO_1: 1.0}.get(activation, LARGEST)
    return low, high


def clamp(x: np.ndarray, activation: Activation) -> np.ndarray:
    """``x`` within ``clamp_range``; what is no number stays none."""
    low, high = (F(limit) for limit in clamp_range(activation))
    x = np.where(x < low, low, x)
    return np.where(x > high, high, x)


def sum_in_order(x: np.ndarray, axes: Sequence[int]) -> np.ndarray:
    """Sums over ``axes``, from zero, one addend after the other in the order of memory; the axes are dropped."""
    moved = np.moveaxis(x, axes, range(len(axes)))
    total = np.zeros(moved.shape[len(axes) :], F)
    for addend in moved.reshape(-1, *total.shape):
        total = total + addend
    return total


def _horner(x: np.ndarray, *coefficients: float) -> np.ndarray:
    y: np.ndarray = np.full_like(x, F(coefficients[0]))
    for coefficient in coefficients[1:]:
        y = y * x + F(coefficient)
    return y


def _exp_parts(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """n (int32) and e^r - 1 with x = n log 2 + r; x between -104 and 89."""
    n = np.trunc(x * F(1.44269504) + np.where(x < 0, F(-0.5), F(0.5)))
    r: np.ndarray = x - n * F(0.693359375)
    r = r - n * F(-2.12194440e-4)
    y = _horner(r, 1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1)
    return n.astype(np.int32), y * (r * r) + r


def _power_of_two(n: np.ndarray) -> np.ndarray:
    return ((n + 127).astype(np.uint32) << np.uint32(23)).view(F)


@np.errstate(all="ignore")
def exp(x: np.ndarray) -> np.ndarray:
    """e^x, at most 2 units in the last place from it."""
    n, rest = _exp_parts(np.where(np.abs(x) < 104, x, F(0)))
    half = n >> 1
    y = (rest + F(1)) * _power_of_two(half) * _power_of_two(n - half)
    y = np.where(x > F(88.72283935546875), F(np.inf), y)
    return np.where(x < F(-103.97208404541016), F(0), np.where(np.isnan(x), x, y))


@np.errstate(all="ignore")
def expm1(x: np.ndarray) -> np.ndarray:
    """e^x - 1, at most 4 units in the last place from it."""
    n, rest = _exp_parts(np.where(np.abs(x) < 104, x, F(0)))
    return np.where((n == 0) & (np.abs(x) < 1), rest, exp(x) - F(1))


@np.errstate(all="ignore")
def log(x: np.ndarray) -> np.ndarray:
    """The natural logarithm, at most 2 units in the last place from it; -infinity of 0, no number below."""
    small = x < F(1.1754943508222875e-38)
    scaled = np.where(small, x * F(8388608.0), x)
    bits = np.where(scaled > 0, scaled, F(1)).view(np.uint32)
    e = (bits >> np.uint32(23)).astype(np.int32) - 126 - np.where(small, 23, 0)
    m = ((bits & np.uint32(0x7FFFFF)) | np.uint32(0x3F000000)).view(F)
    low = m < F(0.707106781186547524)
    e = (e - low).astype(F)
    m = np.where(low, m + m, m) - F(1)
    z = m * m
    y = _horner(
        m,
        7.0376836292e-2,
        -1.1514610310e-1,
        1.1676998740e-1,
        -1.2420140846e-1,
        1.4249322787e-1,
        -1.6668057665e-1,
        2.0000714765e-1,
        -2.4999993993e-1,
        3.3333331174e-1,
    )
    y = y * m * z
    y = y + e * F(-2.12194440e-4)
    y = y - F(0.5) * z
    y = m + y + e * F(0.693359375)
    y = np.where(x == F(np.inf), x, y)
    y = np.where(x == 0, F(-np.inf), y)
    return np.where((x < 0) | np.isnan(x), F(np.nan), y)


@np.errstate(all="ignore")
def tanh(x: np.ndarray) -> np.ndarray:
    """The hyperbolic tangent, at most 3 units in the last place from it."""
    z = x * x
    small = _horner(z, -5.70498872745e-3, 2.06390887954e-2, -5.37397155531e-2, 1.33314422036e-1, -3.33332819422e-1)
    small = small * z * x + x
    size = np.abs(x)
    large = F(1) - F(2) / (exp(np.where(size < 10, size + size, F(20))) + F(1))
    y = np.where(size < F(0.625), small, np.copysign(large, x))
    return np.where(np.isnan(x), x, y)


@np.errstate(all="ignore")
def logistic(x: np.ndarray) -> np.ndarray:
    """1 / (1 + e^-x); e^x far below zero and 1 far above it, as in TFLite."""
    y = F(1) / (F(1) + exp(-x))
    y = np.where(x < F(-9), exp(x), y)
    return np.where(x > F(16.619047164916992), F(1), y)


@np.errstate(all="ignore")
def erfc(x: np.ndarray) -> np.ndarray:
    """1 - erf(x), at most 1e-6 from it (Chebyshev's polynomial of Numerical Recipes)."""
    size = np.abs(x)
    t = F(1) / (F(1) + F(0.5) * size)
    y = _horner(
        t,
        0.17087277,
        -0.82215223,
        1.48851587,
        -1.13520398,
        0.27886807,
        -0.18628806,
        0.09678418,
        0.37409196,
        1.00002368,
        -1.26551223,
    )
    y = t * exp(y - size * size)
    return np.where(x < 0, F(2) - y, y)


@np.errstate(all="ignore")
def gelu(x: np.ndarray, approximate: bool) -> np.ndarray:
    """By a hyperbolic tangent, or by the error function."""
    if not approximate:
        return F(0.5) * x * erfc(x * F(-math.sqrt(0.5)))
    inner = F(math.sqrt(2 / math.pi)) * (x + F(0.044715) * x * x * x)
    return F(0.5) * x * (F(1) + tanh(inner))


# --- whole numbers and remainders ---


def floor_mod(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The remainder of x / y with the sign of y, exact but for one addition; no number for y = 0."""
    with np.errstate(all="ignore"):
        rest = np.fmod(x, y)
        return np.where((rest != 0) & ((y < 0) != (rest < 0)), rest + y, rest)


def floor_div(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """x / y rounded down, exact below 2^24; beyond, the nearest float32 to x / y."""
    with np.errstate(all="ignore"):
        quotient: np.ndarray = x / y
        whole = np.floor(quotient)
        rest, size = np.abs(np.fmod(x, y)), np.abs(y)
        # a quotient that is rounded to a whole number may lie below it: then the remainder tells
        below = np.where((x < 0) != (y < 0), (rest > 0) & (rest <= size - rest), rest > size - rest)
        doubtful = (whole == quotient) & (np.abs(quotient) < F(1 << 24)) & np.isfinite(y)
        return np.where(doubtful & below, whole - F(1), whole)


# --- sine and cosine ---

TWO_OVER_PI = bytes.fromhex("00000000a2f9836e4e441529fc2757d1f534ddc0db6295993c439041fe5163abde")
"""The bits of 2 / pi behind its point, 32 zeros in front."""


def _quarter_turns(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """n (mod 4) and r with x = n * pi / 2 + r, |r| <= pi / 4, for finite x; r at most 2 units in the last place from
    it, because as many bits of 2 / pi are multiplied as count."""
    bits = x.view(np.uint32) & np.uint32(0x7FFFFFFF)
    mantissa = ((bits & np.uint32(0x7FFFFF)) | np.uint32(0x800000)).astype(np.uint64)
    start = np.maximum((bits >> np.uint32(23)).astype(np.int64) - 150 + 30, 0)
    windows = np.array([_window(int(s)) for s in start.ravel()], np.uint64).reshape(*x.shape, 2)
    turns = mantissa * windows[..., 0] + (mantissa * windows[..., 1] >> np.uint64(32))  # mod 4, 62 fraction bits
    n = (turns + np.uint64(1 << 61)) >> np.uint64(62)
    r = (turns - (n << np.uint64(62))).view(np.int64).astype(F) * F(3.40612158e-19)
    small = np.abs(x) < F(0.785398185253143310546875)
    sign = np.where(x < 0, -1, 1)
    return np.where(small, 0, sign * n.astype(np.int64)) & 3, np.where(small, x, r * sign.astype(F))


def _window(start: int) -> tuple[int, int]:
    """64 bits of TWO_OVER_PI from bit ``start`` on, and the 32 bits behind them."""
    bits = int.from_bytes(TWO_OVER_PI, "big") >> (8 * len(TWO_OVER_PI) - start - 96) & ((1 << 96) - 1)
    return bits >> 32, bits & 0xFFFFFFFF


def _sin_cos(x: np.ndarray, quarters: int) -> np.ndarray:
    """The sine of x and of so many quarter turns."""
    with np.errstate(all="ignore"):
        finite = np.where(np.isfinite(x), x, F(0))
        n, r = _quarter_turns(finite)
        n = n + quarters
        z = r * r
        sine = _horner(z, -1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1) * z * r + r
        cosine = _horner(z, 2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2) * z * z
        cosine = cosine - F(0.5) * z + F(1)
        y = np.where(n & 1, cosine, sine)
        return np.where(np.isfinite(x), np.where(n & 2, -y, y), F(np.nan))


def sin(x: np.ndarray) -> np.ndarray:
    """The sine, at most 4 units in the last place from it, of magnitudes below 1e-5 at most 1e-11."""
    return _sin_cos(x, 0)


def cos(x: np.ndarray) -> np.ndarray:
    """The cosine, as far from it as ``sin``."""
    return _sin_cos(x, 1)
