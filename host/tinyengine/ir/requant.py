"""Constants of the integer arithmetic, operator by operator: what kernels and the NumPy oracle compute with.

One function per family of operators turns scales and zero points into the integers that TFLite's *reference* kernels
(``OpResolverType.BUILTIN_REF``) use; the precision of every intermediate (float32 here, float64 there) follows the
``Prepare`` functions of tensorflow/lite/kernels and matters for the last bit. Where TensorFlow Lite Micro prepares
an operator differently, this follows BUILTIN_REF:

- FULLY_CONNECTED rounds once, from a float64 product, since TensorFlow 2.20; before, and in TFLM, twice as the
  convolutions do (one output in some thousand differs by one);
- MUL multiplies the scales in float32, TFLM in float64 (the multiplier may differ in its last bits);
- LOGISTIC is a table of float32 sigmoids, TFLM evaluates it in fixed point;
- SUB negates the second multiplier instead of subtracting (other rounding of exact ties);
- RELU6 alone requantizes, TFLM's only clamps.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np

from tinyengine.errors import ModelError
from tinyengine.ir.graph import DTYPES, Graph, Operator, Quantization, Tensor
from tinyengine.ir.ops import (
    Activation,
    Conv2DAttrs,
    ConvChannelsAttrs,
    DepthwiseConv2DAttrs,
    ElementwiseAttrs,
    FullyConnectedAttrs,
    MeanAttrs,
    OpKind,
    PoolAttrs,
    SoftmaxAttrs,
    TransposeConvAttrs,
)
from tinyengine.ir.quantize import (
    activation_range,
    multiply_by_quantized_multiplier,
    quantize_multiplier,
    round_half_away,
    rounding_divide_by_pot,
    rounding_high_mul,
)

ADD_LEFT_SHIFT = {"int8": 20, "int16": 15}
"""Headroom that ADD and SUB give their inputs before rescaling them to a common scale."""

SOFTMAX_INTEGER_BITS = 5
"""Integer bits of the scaled difference that softmax exponentiates (Q5.26)."""


@dataclass(frozen=True, eq=False)
class Requant:
    """int32 accumulator to ``dtype``: ``clamp(round(acc * multiplier / 2**31 * 2**shift) + zero, low, high)``.

    ``multiplier`` is int32 and ``shift`` int8, both of shape (channels,), or (1,) if one entry serves all channels.
    Rounded twice (to multiples of 2**shift first) as gemmlowp does, or ``once``; halves away from zero. ``fast``:
    which channels round by :attr:`fast_multiplier` instead, bool (channels,); see ``tinyengine.ir.sums``.
    """

    multiplier: np.ndarray
    shift: np.ndarray
    zero: int
    low: int
    high: int
    once: bool = False
    fast: np.ndarray | None = None
    dtype: str = "int8"

    @property
    def fast_multiplier(self) -> np.ndarray:
        """Real multiplier * 2**31, at most 2**30 - 1, int64; for real multipliers below 0.5 (shift < 0)."""
        right = np.maximum(-self.shift.astype(np.int64), 1)
        return np.minimum((self.multiplier + (np.int64(1) << (right - 1))) >> right, (1 << 30) - 1)

    @property
    def per_tensor(self) -> bool:
        return len(self.multiplier) == 1

    def apply(self, acc: np.ndarray) -> np.ndarray:
        """Requantize accumulators (any shape, channels last)."""
        scale = multiply_rounding_once if self.once else multiply_by_quantized_multiplier
        scaled = scale(acc, self.multiplier, self.shift) + self.zero
        if self.fast is not None:
            scaled = np.where(self.fast, round_fast(acc, self.fast_multiplier) + self.zero, scaled)
        return np.clip(scaled, self.low, self.high).astype(DTYPES[self.dtype])


def requant_of(
    real: list[float], output: Tensor, activation: Activation = Activation.NONE, once: bool = False
) -> Requant:
    """Requant for real multipliers (one, or one per channel) into ``output`` with a fused activation."""
    pairs = [exact_multiplier(value) if once else quantize_multiplier(value) for value in real]
    multipliers, shifts = np.array([m for m, _ in pairs], np.int32), np.array([s for _, s in pairs], np.int8)
    low, high = activation_range(activation, _quant(output), output.dtype)
    return Requant(multipliers, shifts, output.zero_point, low, high, once, dtype=output.dtype)


def conv_requant(graph: Graph, op: Operator) -> Requant:
    """Layers with weights: real multiplier = input scale * weight scale / output scale.

    Computed in float64 (PopulateConvolutionQuantizationParams). FULLY_CONNECTED rounds once: its reference kernel is
    round(double(acc) * real multiplier), which ``exact_multiplier`` reproduces in integers for every accumulator.
    """
    assert isinstance(op.attrs, Conv2DAttrs | DepthwiseConv2DAttrs | TransposeConvAttrs | FullyConnectedAttrs)
    x, weights, output = graph.tensor(op.inputs[0]), graph.tensor(op.inputs[1]), graph.tensor(op.outputs[0])
    real = [x.scale * scale / output.scale for scale in _quant(weights).scale]
    return requant_of(real, output, op.attrs.activation, once=op.kind is OpKind.FULLY_CONNECTED)


def conv_channels_requant(graph: Graph, op: Operator) -> Requant:
    """As that of the layer whose channels are replaced."""
    assert isinstance(op.attrs, ConvChannelsAttrs)
    x, weights, output = graph.tensor(op.inputs[1]), graph.tensor(op.inputs[2]), graph.tensor(op.outputs[0])
    return requant_of([x.scale * weights.scale / output.scale], output, op.attrs.clamp, op.attrs.once)


@functools.lru_cache(maxsize=1 << 14)
def exact_multiplier(real: float) -> tuple[int, int]:
    """(multiplier, shift) with which ``multiply_rounding_once`` is round(acc * real) in float64, as far as int8 shows.

    The result changes at 255 accumulators on either side of zero (by symmetry the same ones); 31 bits nearly always
    place them all, else a neighbour of the multiplier does.
    """
    multiplier, shift = quantize_multiplier(real)
    levels = np.arange(1, 256, dtype=np.float64)
    around = np.ceil((levels - 0.5) / real) + np.array([[-1.0], [0.0], [1.0]])
    reached = np.where(round_half_away(around * real) >= levels, around, np.inf)
    first = reached.min(axis=0)  # smallest accumulator that reaches each level
    levels, first = (a[first < 1 << 31].astype(np.int64) for a in (levels, first))
    for delta in sorted(range(-16, 17), key=abs):
        candidate = multiplier + delta
        if not 0 <= candidate < 1 << 31:
            continue
        at, below = (multiply_rounding_once(a, candidate, shift) for a in (first, first - 1))
        if (at >= levels).all() and (below < levels).all():
            return candidate, shift
    return multiplier, shift


def multiply_rounding_once(x: np.ndarray, multiplier: np.ndarray | int, shift: np.ndarray | int) -> np.ndarray:
    """round(x * multiplier / 2**31 * 2**shift), halves away from zero, on int64 arrays holding int32 values."""
    product = np.asarray(x, np.int64) * np.asarray(multiplier, np.int64)
    down = 31 - np.asarray(shift, np.int64)
    return (product + (np.int64(1) << (down - 1)) - (product < 0)) >> down


def round_fast(x: np.ndarray, multiplier: np.ndarray) -> np.ndarray:
    """round(x * multiplier / 2**31), halves up, on int64 arrays: the high word of a product (SMMLAR)."""
    return (2 * np.asarray(x, np.int64) * multiplier + (1 << 31)) >> 32


@dataclass(frozen=True)
class AddParams:
    """ADD and SUB: each input is shifted left by ``left_shift``, rescaled to twice the larger scale, summed, rescaled.

    For SUB ``multiplier2`` is negative. All shifts are <= 0.
    """

    zero1: int
    zero2: int
    left_shift: int
    multiplier1: int
    shift1: int
    multiplier2: int
    shift2: int
    multiplier: int
    shift: int
    zero: int
    low: int
    high: int


def add_params(graph: Graph, op: Operator) -> AddParams:
    """Constants of ADD and SUB; ModelError if the output scale is too fine for the formula (TFLite refuses it too)."""
    assert isinstance(op.attrs, ElementwiseAttrs)
    a, b, output = graph.tensor(op.inputs[0]), graph.tensor(op.inputs[1]), graph.tensor(op.outputs[0])
    twice_max, left_shift = 2.0 * max(a.scale, b.scale), ADD_LEFT_SHIFT[output.dtype]
    out_real = twice_max / ((1 << left_shift) * output.scale)
    if out_real >= 1.0:
        raise ModelError(
            f"{op.kind} '{op.name}': the scale of output '{output.name}' ({output.scale:g}) is too small beside its "
            f"inputs' ({twice_max / 2:g}); quantize the model again with representative data"
        )
    m1, s1 = quantize_multiplier(a.scale / twice_max)
    m2, s2 = quantize_multiplier(b.scale / twice_max)
    m, s = quantize_multiplier(out_real)
    low, high = activation_range(op.attrs.activation, _quant(output), output.dtype)
    sign = -1 if op.kind is OpKind.SUB else 1
    return AddParams(a.zero_point, b.zero_point, left_shift, m1, s1, sign * m2, s2, m, s, output.zero_point, low, high)


@dataclass(frozen=True, eq=False)
class MulParams:
    """MUL: ``requant((a - zero1) * (b - zero2))``."""

    zero1: int
    zero2: int
    requant: Requant


def mul_params(graph: Graph, op: Operator) -> MulParams:
    """Constants of MUL; the real multiplier is computed in float32 throughout."""
    assert isinstance(op.attrs, ElementwiseAttrs)
    a, b, output = graph.tensor(op.inputs[0]), graph.tensor(op.inputs[1]), graph.tensor(op.outputs[0])
    real = np.float32(a.scale) * np.float32(b.scale) / np.float32(output.scale)
    return MulParams(a.zero_point, b.zero_point, requant_of([float(real)], output, op.attrs.activation))


def pool_range(graph: Graph, op: Operator) -> tuple[int, int]:
    """Clamp limits of AVERAGE_POOL_2D and MAX_POOL_2D (input and output share their quantization)."""
    assert isinstance(op.attrs, PoolAttrs)
    output = graph.tensor(op.outputs[0])
    return activation_range(op.attrs.activation, _quant(output), output.dtype)


@dataclass(frozen=True, eq=False)
class MeanParams:
    """MEAN: ``requant(sum(x) - zero * count)``; the multiplier contains 1 / count."""

    zero: int
    count: int
    requant: Requant


def mean_params(graph: Graph, op: Operator) -> MeanParams:
    """Constants of MEAN over any axes (QuantizedMeanOrSum): 1 / count is folded in by an integer division."""
    assert isinstance(op.attrs, MeanAttrs)
    x, output = graph.tensor(op.inputs[0]), graph.tensor(op.outputs[0])
    count = math.prod(x.shape[axis] for axis in op.attrs.axes)
    multiplier, shift = quantize_multiplier(x.scale / output.scale)
    extra = min(count.bit_length() - 1, 32, 31 + shift)
    multiplier = (multiplier << extra) // count
    low, high = activation_range(Activation.NONE, _quant(output), output.dtype)
    multipliers, shifts = np.array([multiplier], np.int32), np.array([shift - extra], np.int8)
    requant = Requant(multipliers, shifts, output.zero_point, low, high, dtype=output.dtype)
    return MeanParams(x.zero_point, count, requant)


@dataclass(frozen=True, eq=False)
class SoftmaxParams:
    """Fixed-point softmax.

    ``exp_table[d]`` = exp(-d * scale * beta) in Q0.31 for a difference d = max - x in 0..255, and 0 where
    d > -diff_min (those elements give -128 and do not count). ``multiplier`` and ``left_shift`` scale a difference to
    Q5.26, should a kernel prefer to compute the exponential itself.
    """

    multiplier: int
    left_shift: int
    diff_min: int
    exp_table: np.ndarray  # int32 (256,)


def softmax_params(graph: Graph, op: Operator) -> SoftmaxParams:
    """Constants of SOFTMAX and LOG_SOFTMAX (PreprocessSoftmaxScaling, CalculateInputRadius, and gemmlowp's
    exp_on_negative_values)."""
    beta, x = op.attrs.beta if isinstance(op.attrs, SoftmaxAttrs) else 1.0, graph.tensor(op.inputs[0])
    real = float(np.float32(beta)) * x.scale * (1 << (31 - SOFTMAX_INTEGER_BITS))
    multiplier, left_shift = quantize_multiplier(min(real, float((1 << 31) - 1)))
    if left_shift < 0:
        raise ModelError(
            f"{op.kind} '{op.name}': the scale of input '{x.name}' ({x.scale:g}) is too small for a softmax; "
            "quantize the model again with representative data"
        )
    radius = ((1 << SOFTMAX_INTEGER_BITS) - 1) * (1 << (31 - SOFTMAX_INTEGER_BITS)) / (1 << left_shift)
    diff_min = -math.floor(radius)
    differences = -np.arange(256, dtype=np.int64)
    valid = differences >= diff_min
    scaled = multiply_by_quantized_multiplier(np.where(valid, differences, 0), multiplier, left_shift)
    table = np.where(valid, exp_on_negative_values(scaled), 0).astype(np.int32)
    return SoftmaxParams(multiplier, left_shift, diff_min, table)


def exp_on_negative_values(x: np.ndarray) -> np.ndarray:
    """exp(x) in Q0.31 of x <= 0 in Q5.26, as gemmlowp's exp_on_negative_values; int64 in and out.

    x is split into a multiple of 1/4 and a remainder in [-1/4, 0): the remainder goes through a fourth-order Taylor
    expansion around -1/8, the multiples through constants exp(-2**k), k = -2..4.
    """
    fractional = 31 - SOFTMAX_INTEGER_BITS
    x = np.asarray(x, np.int64)
    quarter = 1 << (fractional - 2)
    remainder = (x & (quarter - 1)) - quarter
    result = _exp_on_interval(remainder << SOFTMAX_INTEGER_BITS)
    multiples = remainder - x
    # exp(-2**k) in Q0.31; the products below round exactly as the fixed-point reference does
    constants = (1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242)
    for exponent, constant in zip(range(-2, 5), constants, strict=True):
        bit = 1 << (fractional + exponent)
        result = np.where(multiples & bit, rounding_high_mul(result, constant), result)
    return np.where(x == 0, (1 << 31) - 1, result)


def _exp_on_interval(a: np.ndarray) -> np.ndarray:
    """exp(a) in Q0.31 for a in [-1/4, 0) in Q0.31 (gemmlowp's exp_on_interval_between_negative_one_quarter_and_0)."""
    constant_term = 1895147668  # exp(-1/8)
    third = 715827883  # 1/3
    x = a + (1 << 28)  # + 1/8
    x2 = rounding_high_mul(x, x)
    x3 = rounding_high_mul(x2, x)
    x4 = rounding_high_mul(x2, x2)
    x4_over_4 = rounding_divide_by_pot(x4, 2)
    x4_over_24_x3_over_6_x2_over_2 = rounding_divide_by_pot(rounding_high_mul(x4_over_4 + x3, third) + x2, 1)
    return constant_term + rounding_high_mul(x + x4_over_24_x3_over_6_x2_over_2, constant_term)


def _quant(tensor: Tensor) -> Quantization:
    assert tensor.quant is not None, f"{tensor.name} has no quantization"
    return tensor.quant
