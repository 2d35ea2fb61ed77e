"""Arithmetic of int16 activations with int8 weights: how sums become int16, and the tables of functions.

TFLite's reference kernels round sums in three ways, by operator and by the type of the biases:

- biases of int32: the sums are int32 and are rounded twice, as in int8;
- biases of int64: the sums are int64 and are multiplied by the multiplier's upper 16 bits, rounded halves up;
- FULLY_CONNECTED: round(double(sum) * factor), halves away from zero, whatever the biases are.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from tinyengine.ir.graph import Graph, Operator
from tinyengine.ir.ops import (
    Conv2DAttrs,
    DepthwiseConv2DAttrs,
    FullyConnectedAttrs,
    OpKind,
    SoftmaxAttrs,
    TransposeConvAttrs,
)
from tinyengine.ir.quantize import (
    activation_range,
    multiply_by_quantized_multiplier,
    quantize_multiplier,
    round_half_away,
)

LARGEST_FACTOR = 128.0
"""Real factors from here on leave the formula of int64 sums no bits to round."""

INT16_MIN, INT16_MAX = -(1 << 15), (1 << 15) - 1


class Rounding(StrEnum):
    """See the module's docstring."""

    TWICE = "twice"
    SHORT = "short"
    ONCE = "once"


@dataclass(frozen=True, eq=False)
class Rescale:
    """Sums to int16: ``clamp(round(sum * factor), low, high)``; ``factors``: one, or one per channel."""

    factors: tuple[float, ...]
    rounding: Rounding
    low: int
    high: int

    def apply(self, sums: np.ndarray) -> np.ndarray:
        """int64 sums, channels last, to int16."""
        if self.rounding is Rounding.ONCE:
            scaled = round_half_away(sums.astype(np.float64) * np.array(self.factors))
        else:
            pairs = np.array([quantize_multiplier(factor) for factor in self.factors])
            if self.rounding is Rounding.TWICE:
                scaled = multiply_by_quantized_multiplier(sums, pairs[:, 0], pairs[:, 1])
            else:
                down = 15 - pairs[:, 1]
                product = sums * short_multiplier(pairs[:, 0]) + (np.int64(1) << (down - 1))
                scaled = (product >> down).astype(np.int32)
        return np.clip(scaled, self.low, self.high).astype(np.int16)


def factors(graph: Graph, op: Operator) -> tuple[float, ...]:
    """Input scale * weight scale / output scale, in float64."""
    x, weights, output = graph.tensor(op.inputs[0]), graph.tensor(op.inputs[1]), graph.tensor(op.outputs[0])
    assert weights.quant is not None
    return tuple(x.scale * scale / output.scale for scale in weights.quant.scale)


def rescale(graph: Graph, op: Operator) -> Rescale:
    """How a layer with weights makes int16 of its sums."""
    assert isinstance(op.attrs, Conv2DAttrs | DepthwiseConv2DAttrs | TransposeConvAttrs | FullyConnectedAttrs)
    output = graph.tensor(op.outputs[0])
    assert output.quant is not None
    rounding = Rounding.SHORT if graph.tensor(op.inputs[2]).dtype == "int64" else Rounding.TWICE
    rounding = Rounding.ONCE if op.kind is OpKind.FULLY_CONNECTED else rounding
    return Rescale(factors(graph, op), rounding, *activation_range(op.attrs.activation, output.quant, "int16"))


def short_multiplier(multiplier: np.ndarray) -> np.ndarray:
    """The upper 16 bits of 31-bit multipliers, rounded (MultiplyByQuantizedMultiplier of int64)."""
    return np.where(multiplier < 0x7FFF0000, (multiplier + (1 << 15)) >> 16, 0x7FFF)


def real_multiplier(factor: float) -> tuple[int, int, int]:
    """(m, down, up) with which ``te_scale_real`` makes round(double(a) * factor), halves away from zero, of sums ``a``.

    ``m``, 0 <= m < 2**63, has all 53 bits of ``factor``: the exact product is a * m / 2**(64 + down - up). ``up`` is
    0 below 1/4; otherwise ``a`` must be at most 2**20.
    """
    if factor == 0.0:
        return 0, 1, 0
    mantissa, exponent = math.frexp(factor)
    up = max(exponent + 2, 0)
    return int(mantissa * (1 << 53)) << 10, up - exponent - 1, up


# --- functions of one value ---


@dataclass(frozen=True)
class SigmoidInput:
    """How LOGISTIC and TANH scale their input to 1/3 of 2**-12: ``(x * multiplier + 2**(shift - 1)) >> shift``."""

    multiplier: int
    shift: int


def sigmoid_input(kind: OpKind, scale: float) -> SigmoidInput:
    """Constants for an input of ``scale`` (SigmoidPrepare, TanhPrepare)."""
    mantissa, exponent = math.frexp(scale)
    left = exponent - 1 + 12
    if mantissa == 0.5 and 0 <= left <= (1 if kind is OpKind.TANH else 0):
        return SigmoidInput(3 << left, 0)
    multiplier, shift = scale * 4096.0 * 3.0, 0
    while multiplier <= 32767.0 / 2.0 and shift <= 30:
        multiplier, shift = multiplier * 2.0, shift + 1
    return SigmoidInput(int(multiplier), shift)


@functools.cache
def sigmoid_table() -> np.ndarray:
    """sigmoid(i / 24) in 1/65536 for i = 0..255, uint16; each entry raised by half of what the middle between it and
    the next is too low, the last one to the end of the scale."""
    here, middle, behind = (65536.0 / (1.0 + np.exp(-(np.arange(256) + step) / 24.0)) for step in (0.0, 0.5, 1.0))
    values = np.floor(here - ((here + behind) / 2 - middle) / 2 + 0.5)
    return np.append(values[:-1], 65535).astype(np.uint16)


TABLE_SIZE = 513
"""Entries of a table over all int16 values: one per 128 of them, and the end."""


def interpolated(values: np.ndarray, table: np.ndarray) -> np.ndarray:
    """What lies between the entries of a table (LUTLookup); int64 within int16, in and out."""
    index = 256 + (values >> 7)
    base = table[index].astype(np.int64)
    return base + (((table[index + 1] - base) * (values & 127) + 64) >> 7)


def function_table(function: Callable[[np.ndarray], np.ndarray], low: float, high: float) -> np.ndarray:
    """``function`` from ``low`` to ``high`` in 1/32768, int16 (513,), each entry moved so that the middle between it
    and the next is right on both sides (LUTPopulateInt16, in float64)."""
    steps, step = np.arange(TABLE_SIZE - 1), (high - low) / (TABLE_SIZE - 1)
    here, middle, behind = (32768.0 * function(low + (steps + part) * step) for part in (0.0, 0.5, 1.0))
    sample = round_half_away(here)
    error = round_half_away((behind + sample) / 2) - round_half_away(middle)
    entries = np.append(sample - round_half_away(error / 2), round_half_away(32768.0 * function(np.array([high]))))
    return np.clip(entries, INT16_MIN, INT16_MAX).astype(np.int16)


@dataclass(frozen=True, eq=False)
class SoftmaxTables:
    """SOFTMAX of int16: a difference to the largest value, times ``multiplier`` / 2**31 * 2**``shift``, is an index
    less 32767 into ``exp`` (-10 to 0); the normalized sum of exponentials is one into ``inverse`` (1 / 1 to 1 / 2)."""

    multiplier: int
    shift: int
    exp: np.ndarray
    inverse: np.ndarray


def softmax_tables(graph: Graph, op: Operator) -> SoftmaxTables:
    """Constants of a SOFTMAX of int16 (InitializeLutForInt16, SoftmaxPrepare)."""
    assert isinstance(op.attrs, SoftmaxAttrs)
    real = graph.tensor(op.inputs[0]).scale * float(np.float32(op.attrs.beta)) / (10.0 / 65535.0)
    return SoftmaxTables(*quantize_multiplier(real), *_softmax_functions())


@functools.cache
def _softmax_functions() -> tuple[np.ndarray, np.ndarray]:
    return function_table(np.exp, -10.0, 0.0), function_table(lambda x: 1.0 / (1.0 + x), 0.0, 1.0)
