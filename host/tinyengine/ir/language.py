"""The integer arithmetic of language models: what oracle, kernels and quantization share.

Numbers and their fraction bits: the residual stream 12 or fewer (int32), behind a norm 10 or fewer (int16), sines 14,
scores 8 (in octaves: powers of two), attention's output 11, gate 10, logits 12. Shifts round down.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np

RESIDUAL_BITS = 12
NORM_BITS = 10
GATE_BITS = 10
ANGLE_BITS = 14
SCORE_SHIFT = 4
"""Of products of queries and keys, to 8 fraction bits."""
OUTPUT_BITS = 4
"""Of the attention's output, beside the seven of a value."""
HIDDEN_BITS = 12
"""What a gated hidden value is saturated to."""
SINES = 1024
"""Per turn."""
EXPONENTIALS = 256
"""Per octave."""
GATE_STEPS = 258
"""Of the sigmoid over -8 .. 8, one more than its ends need."""
NO_SCORE = -(1 << 15)
"""The score of a slot that holds no token."""
MAX_WINDOW = 504
"""Slots: a sum of so many weights times values fits 32 bits; a multiple of SLOTS."""
MAX_WIDTH = 1016
"""Of a model: a norm's squares fit 30 bits; a multiple of 8."""
MAX_HEAD = 508
"""Channels of a head: a sum of so many products of 16 and 8 bits fits 32 bits; a multiple of 4."""
SLOTS = 8
"""Slots are looked at by eights."""
RECEIVED_BITS = 16
"""Of the attention that a slot receives, 1 of a head in all."""
FORGET_SHIFT = 6
"""Of that attention, 2^-6 are forgotten with each token."""


def smmulr(a: np.ndarray, multiplier: np.ndarray | int) -> np.ndarray:
    """round(a * multiplier / 2^32), halves up; int64 arrays that hold int32."""
    return np.asarray(a * multiplier + (1 << 31)) >> 32


def saturate(x: np.ndarray, bits: int) -> np.ndarray:
    """To the nearest number of so many bits."""
    return np.clip(x, -(1 << (bits - 1)), (1 << (bits - 1)) - 1)


def wrap(x: np.ndarray) -> np.ndarray:
    """int64 modulo 2^32, as an int32 register has it."""
    return np.asarray(x, np.int64).astype(np.int32).astype(np.int64)


def zeros_in_front(x: int, bits: int) -> int:
    """Of x > 0 as a number of so many bits."""
    return bits - int(x).bit_length()


@cache
def softmax_table() -> np.ndarray:
    """2^(15 - i/256), at most 32767: int64 (256)."""
    return np.minimum(np.rint(2.0 ** (15 - np.arange(EXPONENTIALS) / EXPONENTIALS)), 32767).astype(np.int64)


@cache
def gate_table() -> np.ndarray:
    """sigmoid(i/16 - 8), 15 fraction bits, at most 32767: int64 (258)."""
    exact = 32768 / (1 + np.exp(-(np.arange(GATE_STEPS) - 128) / 16.0))
    return np.minimum(np.rint(exact), 32767).astype(np.int64)


@cache
def sine_table() -> np.ndarray:
    """sin(2 pi i / 1024), 14 fraction bits: int64 (1025)."""
    return np.rint((1 << ANGLE_BITS) * np.sin(2 * np.pi * np.arange(SINES + 1) / SINES)).astype(np.int64)


def sine(phase: np.ndarray) -> np.ndarray:
    """Of a phase whose full turn is 2^32, interpolated, 14 fraction bits."""
    table, phase = sine_table(), phase & 0xFFFFFFFF
    index, fraction = phase >> 22, (phase >> 6) & 0xFFFF
    return np.asarray(table[index] + (((table[index + 1] - table[index]) * fraction + (1 << 15)) >> 16))


def norm_root(width: int, fraction: int) -> tuple[int, int]:
    """(sqrt(width) * 2^(31-g), shift): of a norm over ``width`` values, see ``te_lm_norm``; 2^g >= sqrt(width)."""
    exponent = math.ceil(math.log2(math.sqrt(width)))
    return round(math.sqrt(width) * 2.0 ** (31 - exponent)), 47 - fraction - exponent


def frequencies(head: int, base: float = 10000.0) -> np.ndarray:
    """By how much the phase of each pair of channels turns per position, a full turn is 2^32: uint32 (head / 2)."""
    turns = float(base) ** (-np.arange(0, head, 2) / head) / (2 * np.pi)
    return np.rint(turns * 2.0**32).astype(np.uint32)


def slot_of(position: int, window: int, sinks: int) -> int:
    """Where the token at ``position`` (as LM_POSITION counts, 0 first) lies."""
    return position if position < sinks else (position - sinks) % (window - sinks) + sinks


def next_position(position: int, window: int, sinks: int) -> int:
    """Counts on; in the ring's second turn it begins that turn again, so that it never ends."""
    return position + 1 if position + 1 < 2 * window - sinks else window


def pack_keys(keys: np.ndarray) -> np.ndarray:
    """(..., d) as a ring holds them: of each four channels the inner two exchanged. Its own inverse."""
    shaped = keys.reshape(*keys.shape[:-1], -1, 4)
    return shaped[..., [0, 2, 1, 3]].reshape(keys.shape)


def unpack_values(ring: np.ndarray) -> np.ndarray:
    """(G, W/2, d/2, 2, 2): pairs of tokens, of channels, token, channel; as (G, W, d)."""
    heads, pairs, halves = ring.shape[:3]
    return ring.transpose(0, 1, 3, 2, 4).reshape(heads, 2 * pairs, 2 * halves)


def pack_values(values: np.ndarray) -> np.ndarray:
    """The inverse of :func:`unpack_values`."""
    heads, window, head = values.shape
    return values.reshape(heads, window // 2, 2, head // 2, 2).transpose(0, 1, 3, 2, 4)
