"""How trained constants change: stochastic rounding in place, or nearest with a residual byte.

An update in steps of the stored integer is ``d = gradient * factor``, in float32. The factor of an output channel holds
the learning rate and quantization-aware scaling: 1 / s_w**2 for weights, 1 / (s_w s_x)**2 for biases, so that plain SGD
on the integers is SGD on the real numbers; dead channels are frozen. More than 99 % of the updates are below half a
step, so the rounding decides: cutting off (as a C cast does) pulls every weight towards zero and ruins the network.

- *Stochastic*: w - floor(d + r), r uniform in [0, 1) in steps of 2**-16. The expectation is w - d.
- *Residual byte*: the weight is a 16-bit number, 8 bits before and 8 after the point; the network sees it rounded.

Random bits are a hash of (seed, step, index): repeatable, without state, in any order.
"""

from __future__ import annotations

import numpy as np

from tinyengine.reference.backward.integer import ParameterGradient

FRACTION_BITS = 16
RESIDUAL_BITS = 8
FRACTION_LIMIT = np.float32(1 << 14)
"""Updates of this many steps and more have no fraction: it would not fit beside them in 32 bits."""

INTEGER_LIMIT = np.float32(1 << 30)

GOLDEN = 0x9E3779B9
"""2**32 divided by the golden ratio: multiples of it spread evenly."""


def mix(x: np.ndarray) -> np.ndarray:
    """The finalizer of MurmurHash3 (32 bits): every input bit changes half of the output's; uint32 in and out."""
    x = x.astype(np.uint32)
    x = (x ^ (x >> np.uint32(16))) * np.uint32(0x85EBCA6B)
    x = (x ^ (x >> np.uint32(13))) * np.uint32(0xC2B2AE35)
    return x ^ (x >> np.uint32(16))


def random_bits(seed: int, step: int, first: int, count: int) -> np.ndarray:
    """16 random bits for each of the indices first .. first + count - 1: int64.

    Two neighbours share a hash: the even index takes its low half, the odd one its high half.
    """
    key = mix(np.array([(seed + step * GOLDEN) & 0xFFFFFFFF], np.uint64))[0]
    index = np.arange(first, first + count, dtype=np.uint64)
    pairs = (np.uint64(key) + (index >> np.uint64(1)) * np.uint64(GOLDEN)) & np.uint64(0xFFFFFFFF)
    hashed = mix(pairs).astype(np.int64)
    return np.where(index % 2 == 0, hashed & 0xFFFF, hashed >> 16)


def update_steps(gradient: ParameterGradient, scaling: np.ndarray, rate: float, axis: int) -> np.ndarray:
    """d = float32(total) * (rate * 2**exponent * scaling), each product rounded to float32; shaped like the constant.

    ``axis`` is the one of the output channels.
    """
    factor = np.ldexp(np.float32(rate), gradient.exponent).astype(np.float32) * scaling
    shape = [1] * gradient.total.ndim
    shape[axis] = -1
    return gradient.total.astype(np.float32) * factor.reshape(shape)


def accumulated(velocity: np.ndarray, d: np.ndarray, momentum: float | None) -> np.ndarray:
    """The velocity after one more sample, float32, each operation rounded: what is subtracted at the end of a batch.

    ``momentum``: with the first sample of a batch, what is kept of the velocity of the batch before (heavy ball,
    v <- momentum v + d; 0 forgets it); None with the others. So one buffer serves accumulation and momentum.
    """
    if momentum is not None:
        velocity = velocity * np.float32(momentum)
    return (velocity + d).astype(np.float32)


def stochastic_round(d: np.ndarray, bits: np.ndarray) -> np.ndarray:
    """floor(d + bits / 2**16) as an integer: int64.

    d is cut to 16 fractional bits (towards zero, so without a bias). From 2**14 on the fraction is dropped; at 2**30 it
    saturates.
    """
    small = np.abs(d) < FRACTION_LIMIT
    fixed = np.trunc(np.where(small, d, 0.0) * np.float32(1 << FRACTION_BITS)).astype(np.int64)
    large = np.trunc(np.clip(np.where(small, 0.0, d), -INTEGER_LIMIT, INTEGER_LIMIT)).astype(np.int64)
    return np.where(small, (fixed + bits) >> FRACTION_BITS, large)


def update_stochastic(constant: np.ndarray, d: np.ndarray, bits: np.ndarray, limit: int | None = None) -> np.ndarray:
    """int8 weights or int32 biases less ``d``, rounded stochastically, saturated to their type or to +-``limit``."""
    info = np.iinfo(constant.dtype)
    low, high = (info.min, info.max) if limit is None else (-limit, limit)
    return np.clip(constant.astype(np.int64) - stochastic_round(d, bits), low, high).astype(constant.dtype)


def update_residual(weights: np.ndarray, residuals: np.ndarray, d: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """int8 weights and their residual bytes (int8, in 1/256 of a step) less ``d``, halves away from zero.

    weight * 256 + residual is the 16-bit number; it saturates at [-32768, 32639], where the residual stays in a byte.
    """
    scaled = np.clip(d, -FRACTION_LIMIT, FRACTION_LIMIT) * np.float32(1 << RESIDUAL_BITS)
    steps = np.trunc(scaled + np.copysign(np.float32(0.5), scaled)).astype(np.int64)
    low, high = -(1 << 15), (1 << 15) - 1 - (1 << (RESIDUAL_BITS - 1))
    wide = np.clip((weights.astype(np.int64) << RESIDUAL_BITS) + residuals - steps, low, high)
    rounded = (wide + (1 << (RESIDUAL_BITS - 1))) >> RESIDUAL_BITS
    return rounded.astype(np.int8), (wide - (rounded << RESIDUAL_BITS)).astype(np.int8)
