"""Random single operators with inputs: shapes, strides, paddings, quantizations that kernels must get right.

Everything is drawn from one seed, so ``random_cases(seed, family, count)`` names a reproducible set of tests.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import prod
from typing import cast

import numpy as np
from tinyengine.ir import Activation, Graph, Operator, OpKind, Quantization
from tinyengine.ir.operators import DEFINITIONS
from tinyengine.ir.operators.signal import GAINS
from tinyengine.ir.operators.unary import TABLES
from tinyengine.ir.ops import (
    ActivationAttrs,
    ArgAttrs,
    Attrs,
    ConcatAttrs,
    Conv2DAttrs,
    ConvChannelsAttrs,
    CumsumAttrs,
    DepthwiseConv2DAttrs,
    ElementwiseAttrs,
    FullyConnectedAttrs,
    GatherAttrs,
    GeluAttrs,
    LeakyReluAttrs,
    LinearAttentionAttrs,
    LookupAttrs,
    MatmulAttrs,
    MeanAttrs,
    NoAttrs,
    PadAttrs,
    PoolAttrs,
    ResizeAttrs,
    SignalEnergyAttrs,
    SignalFilterBankAttrs,
    SignalLogAttrs,
    SignalPcanAttrs,
    SignalRfftAttrs,
    SignalWindowAttrs,
    SoftmaxAttrs,
    StridedSliceAttrs,
    TableAttrs,
    TransposeAttrs,
    TransposeConvAttrs,
    Window,
    same_padding,
)
from tinyengine.ir.verify import verify
from tinyengine.kernels.base import KernelCall, Lowering, Target
from tinyengine.reference.floating import UNARY as FLOAT_FUNCTIONS

from tests.helpers.graphs import GraphBuilder

INT32_MAX = (1 << 31) - 1
Shape = tuple[int, ...]
SIGNALS = (
    OpKind.SIGNAL_WINDOW,
    OpKind.SIGNAL_RFFT,
    OpKind.SIGNAL_ENERGY,
    OpKind.MAGNITUDE,
    OpKind.SIGNAL_FILTER_BANK,
    OpKind.SIGNAL_FILTER_BANK_SQUARE_ROOT,
    OpKind.SIGNAL_PCAN,
    OpKind.SIGNAL_FILTER_BANK_LOG,
)
ODD_REALS = np.array([np.inf, -np.inf, np.nan, 0.0, -0.0, 1e-40, -1e-45, 3.4e38, -3.4e38], np.float32)


@dataclass(frozen=True, eq=False)
class OpCase:
    """A graph of one operator and an array per graph input."""

    graph: Graph
    inputs: list[np.ndarray]

    def call(self, operators: list[Operator], graph: Graph, target: Target, lower: Lowering) -> KernelCall:
        """The call for this case's ``operators`` as they are called in ``graph`` (a merged one)."""
        [op] = operators
        return lower(op, graph, target)

    def __str__(self) -> str:
        op = self.graph.operators[0]
        shapes = [self.graph.tensor(name).shape for name in (*op.inputs, *op.outputs)]
        return f"{op.kind} {op.attrs} on {shapes}"


class Draw:
    """Random numbers with the distributions that find mistakes: small shapes, edges, full ranges."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng

    def integer(self, low: int, high: int) -> int:
        """low .. high, both included."""
        return int(self.rng.integers(low, high + 1))

    def one_of(self, *choices):
        return choices[self.integer(0, len(choices) - 1)]

    def scale(self, low: float = 1e-3, high: float = 1.0) -> float:
        """Log-uniform, a float32 as in model files."""
        return float(np.float32(np.exp(self.rng.uniform(np.log(low), np.log(high)))))

    def zero(self) -> int:
        return self.one_of(-128, 127, 0, self.integer(-128, 127))

    def quant(self) -> Quantization:
        return Quantization((self.scale(),), (self.zero(),))

    def output_quant(self) -> Quantization:
        """One that leaves an activation's range wide most of the time, so that outputs differ."""
        return Quantization((self.scale(0.01, 0.1),), (self.one_of(-128, -128, 0, self.integer(-128, 0), self.zero()),))

    def int8(self, shape: tuple[int, ...]) -> np.ndarray:
        """Mostly uniform; sometimes constant at an end, or only the two ends."""
        kind = self.integer(0, 9)
        if kind == 0:
            return np.full(shape, self.one_of(-128, 127), np.int8)
        if kind == 1:
            return self.rng.choice(np.array([-128, 127], np.int8), shape)
        return self.rng.integers(-128, 128, shape, np.int8)

    def values(self, dtype: str, shape: tuple[int, ...], odd: bool = False) -> np.ndarray:
        """Numbers of any type; small ones, so that equal ones occur. ``odd``: now and then ODD_REALS."""
        whole = self.rng.integers(-9, 10, shape)
        if odd and dtype == "float32" and self.integer(0, 3) == 0:
            return self.rng.choice(ODD_REALS, shape)
        return (whole / 2 if dtype == "float32" else whole).astype(dtype)

    def picture(self, channels: int | None = None) -> tuple[int, int, int, int]:
        """(1, H, W, C), not square, with odd channel counts as likely as even ones."""
        return 1, self.integer(1, 11), self.integer(1, 11), channels or self.integer(1, 19)

    def activation(self) -> Activation:
        return self.one_of(Activation.NONE, Activation.NONE, *Activation)


class CaseBuilder(GraphBuilder):
    """A graph of one operator, being built with the values of its inputs; every quantization is given."""

    def __init__(self) -> None:
        super().__init__(name="case")
        self.values: list[np.ndarray] = []

    def given(self, name: str, quant: Quantization | None, value: np.ndarray) -> str:
        """An input and its value."""
        self.values.append(value)
        name = self.input(*value.shape, dtype=value.dtype.name, quant=quant, name=name)
        if quant is None:  # of numbers
            self.graph.tensor(name).quant = None
            self.graph.inputs[-1] = replace(self.graph.inputs[-1], quant=None)
        return name

    def finish(
        self,
        kind: OpKind,
        inputs: list[str],
        shape: tuple[int, ...],
        quant: Quantization | None,
        attrs: Attrs,
        dtype: str = "int8",
    ) -> OpCase:
        self.output(self.op(kind, inputs, attrs, shape, quant, dtype, name="y"))
        self.graph.tensor("y").quant = quant
        return OpCase(self.graph, self.values)


Family = Callable[[Draw], OpCase]
FAMILIES: dict[str, Family] = {}


def family(function: Family) -> Family:
    FAMILIES[function.__name__] = function
    return function


def random_cases(seed: int, family: str, count: int) -> list[OpCase]:
    """``count`` operators of ``family`` (a key of FAMILIES)."""
    rng = np.random.default_rng([seed, sorted(FAMILIES).index(family)])
    cases = [FAMILIES[family](Draw(rng)) for _ in range(count)]
    for case in cases:
        verify(case.graph)
    return cases


# Products of inputs and weights ---------------------------------------------------------------------------------------


def _window(draw: Draw, shape: tuple[int, ...], pooling: bool = False) -> Window:
    """Any window with at least one output; pools always see a pixel."""
    while True:
        kernel = draw.one_of((1, 1), (3, 3), (draw.integer(1, 5), draw.integer(1, 5)), (draw.integer(1, 10), 4))
        dilation = (1, 1) if pooling else draw.one_of((1, 1), (1, 1), (draw.integer(1, 3), draw.integer(1, 3)))
        stride = draw.one_of((1, 1), (2, 2), (draw.integer(1, 3), draw.integer(1, 3)))
        limit = [(k - 1) if pooling else k * d for k, d in zip(kernel, dilation, strict=True)]
        pad = tuple(draw.one_of(0, draw.integer(0, limit[i // 2])) for i in range(4))
        window = Window(kernel, stride, dilation, pad)
        rows, columns = window.output_size(shape[1], shape[2])
        if rows > 0 and columns > 0:
            return window


def _products(draw: Draw, builder: CaseBuilder, shape: tuple[int, ...], weights: np.ndarray, axis: int) -> Quantization:
    """Add input ``x``, weights ``w`` (channels on ``axis``), bias ``b``; return the output's quantization.

    The multipliers are chosen so that outputs mostly stay within int8; sometimes they are 1 or larger.
    """
    channels = weights.shape[axis]
    per_channel = draw.one_of(True, True, False)
    scales = [draw.scale(0.1, 1.0) for _ in range(channels)] if per_channel else [draw.scale()]
    quant = Quantization(tuple(scales), (0,) * len(scales), axis if per_channel else None)
    spread = 74.0 * 74.0 * np.sqrt(weights.size / channels)  # standard deviation of sums of full-range products
    multiplier = draw.one_of(40.0 / spread, 40.0 / spread, draw.scale(0.05, 3.0) * 40.0 / spread, draw.scale(0.3, 4.0))
    out = draw.output_quant()
    in_scale = float(np.float32(out.scale[0] * multiplier / np.median(scales)))
    builder.given("x", Quantization((in_scale,), (draw.zero(),)), draw.int8(shape))
    builder.constant(weights, quant, "w")
    bias = draw.rng.normal(0, draw.one_of(0.5, 2.0) * spread, channels).astype(np.int32)
    if draw.integer(0, 7) == 0:  # a dead channel as converters leave them behind
        bias[draw.integer(0, channels - 1)] = draw.one_of(-INT32_MAX - 1, INT32_MAX)
    bias_quant = Quantization(tuple(in_scale * s for s in scales), (0,) * len(scales), 0 if per_channel else None)
    builder.constant(bias, bias_quant, "b")
    return out


@family
def conv2d(draw: Draw) -> OpCase:
    builder = CaseBuilder()
    shape, outputs = draw.picture(), draw.integer(1, 13)
    window = _window(draw, shape)
    weights = draw.int8((outputs, *window.kernel, shape[3]))
    out = _products(draw, builder, shape, weights, 0)
    rows, columns = window.output_size(shape[1], shape[2])
    attrs = Conv2DAttrs(window, draw.activation())
    return builder.finish(OpKind.CONV_2D, ["x", "w", "b"], (1, rows, columns, outputs), out, attrs)


@family
def pointwise(draw: Draw) -> OpCase:
    builder = CaseBuilder()
    shape, outputs = draw.picture(draw.integer(1, 40)), draw.integer(1, 40)
    weights = draw.int8((outputs, 1, 1, shape[3]))
    out = _products(draw, builder, shape, weights, 0)
    attrs = Conv2DAttrs(Window((1, 1)), draw.activation())
    return builder.finish(OpKind.CONV_2D, ["x", "w", "b"], (*shape[:3], outputs), out, attrs)


@family
def depthwise(draw: Draw) -> OpCase:
    builder = CaseBuilder()
    shape, multiplier = draw.picture(), draw.one_of(1, 1, 1, 2, draw.integer(1, 5))
    window = _window(draw, shape)
    outputs = shape[3] * multiplier
    weights = draw.int8((1, *window.kernel, outputs))
    out = _products(draw, builder, shape, weights, 3)
    rows, columns = window.output_size(shape[1], shape[2])
    attrs = DepthwiseConv2DAttrs(window, multiplier, draw.activation())
    return builder.finish(OpKind.DEPTHWISE_CONV_2D, ["x", "w", "b"], (1, rows, columns, outputs), out, attrs)


@family
def grouped(draw: Draw) -> OpCase:
    """CONV_2D of groups of channels, some of single output channels."""
    builder = CaseBuilder()
    groups, depth = draw.integer(2, 6), draw.one_of(2, 3, 4, 8, draw.integer(2, 9))
    shape, outputs = draw.picture(groups * depth), groups * draw.one_of(1, draw.integer(1, 6))
    window = _window(draw, shape)
    weights = draw.int8((outputs, *window.kernel, depth))
    out = _products(draw, builder, shape, weights, 0)
    rows, columns = window.output_size(shape[1], shape[2])
    attrs = Conv2DAttrs(window, draw.activation(), groups)
    return builder.finish(OpKind.CONV_2D, ["x", "w", "b"], (1, rows, columns, outputs), out, attrs)


@family
def transpose_conv(draw: Draw) -> OpCase:
    """Strides larger and smaller than the kernel; outputs of whole strides and others, also beyond all windows."""
    builder = CaseBuilder()
    shape, outputs = draw.picture(), draw.integer(1, 9)
    kernel = draw.one_of((2, 2), (3, 3), (4, 4), (draw.integer(1, 5), draw.integer(1, 5)))
    stride = draw.one_of((1, 1), (2, 2), (2, 2), (draw.integer(1, 4), draw.integer(1, 4)))
    size = [(n - 1) * s + k for n, s, k in zip(shape[1:3], stride, kernel, strict=True)]
    pad = [0, 0]
    if draw.one_of(True, False):  # TFLite's SAME
        size = [n * s for n, s in zip(shape[1:3], stride, strict=True)]
        pad = [max(k - s, 0) // 2 for k, s in zip(kernel, stride, strict=True)]
    size = [max(n + draw.one_of(0, 0, 0, 1, -1), 1) for n in size]
    if any(pad):
        pad = [*same_padding(kernel, stride, (1, 1), *size)[::2]]
    behind = [(n - 1) * s + k - p - m for n, s, k, p, m in zip(shape[1:3], stride, kernel, pad, size, strict=True)]
    window = Window(kernel, stride, pad=(pad[0], behind[0], pad[1], behind[1]))
    weights = draw.int8((outputs, *kernel, shape[3]))
    out = _products(draw, builder, shape, weights, 0)
    attrs = TransposeConvAttrs(window, draw.activation())
    return builder.finish(OpKind.TRANSPOSE_CONV, ["x", "w", "b"], (1, *size, outputs), out, attrs)


@family
def batch_matmul(draw: Draw) -> OpCase:
    """Matrices and batches of them."""
    builder = CaseBuilder()
    one_for_several = ((1, 3), (1, 1)), ((1, 1), (1, 3)), ((1, 3), (1,)), ((1, 3, 1), (1, 1, 2))
    batches = draw.one_of(((1,), (1,)), ((1, 3), (1, 3)), ((1, 2, 3), (1, 2, 3)), *one_for_several)
    rows, depth, columns = draw.integer(1, 7), draw.integer(1, 30), draw.integer(1, 7)
    repeated = np.prod(batches[0]) > np.prod(batches[1])  # TFLite's reference kernel transposes wrongly then
    attrs = MatmulAttrs(not repeated and draw.one_of(False, True), draw.one_of(False, True))
    shapes = [
        (*batches[0], *((depth, rows) if attrs.adj_x else (rows, depth))),
        (*batches[1], *((columns, depth) if attrs.adj_y else (depth, columns))),
    ]
    quants = [draw.quant(), draw.quant()]
    builder.given("a", quants[0], draw.int8(shapes[0]))
    builder.given("b", quants[1], draw.int8(shapes[1]))
    scale = quants[0].scale[0] * quants[1].scale[0] * 5000 * depth**0.5 / draw.one_of(20, 60)
    out = Quantization((float(np.float32(scale)),), (draw.zero(),))
    shape = (*np.broadcast_shapes(*batches), rows, columns)
    return builder.finish(OpKind.BATCH_MATMUL, ["a", "b"], shape, out, attrs)


@family
def linear_attention(draw: Draw) -> OpCase:
    """Queries and keys that are often zero, as behind a RELU, now and then all of a head's."""
    builder = CaseBuilder()
    heads, depth = draw.integer(1, 3), 2 * draw.integer(1, 5)
    shape = (1, draw.integer(1, 5), draw.integer(1, 6), heads * depth)
    scales = [draw.scale(0.005, 0.05) for _ in range(3)]
    for name, scale in zip("qk", scales, strict=False):
        values = draw.int8(shape)
        values[draw.rng.random(shape) < draw.one_of(0.0, 0.5, 0.95)] = -128
        if draw.integer(0, 3) == 0:
            values[..., :depth] = -128
        builder.given(name, Quantization((scale,), (-128,)), values)
    builder.given("v", Quantization((scales[2],), (draw.zero(),)), draw.int8(shape))
    out = Quantization((scales[2] * draw.one_of(0.02, 0.3, 0.6, 1.0, 40.0),), (draw.zero(),))
    epsilon = draw.one_of(1.0, 1e-6, 0.01, 30.0)
    attrs = LinearAttentionAttrs(heads, epsilon)
    return builder.finish(OpKind.LINEAR_ATTENTION, ["q", "k", "v"], shape, out, attrs)


@family
def fully_connected(draw: Draw) -> OpCase:
    builder = CaseBuilder()
    inputs, outputs = draw.integer(1, 80), draw.integer(1, 40)
    shape = draw.one_of((1, inputs), (1, 1, 1, inputs), (1, draw.integer(2, 4), inputs), (1, 3, 2, inputs))
    weights = draw.int8((outputs, inputs))
    out = _products(draw, builder, shape, weights, 0)
    attrs = FullyConnectedAttrs(draw.activation())
    return builder.finish(OpKind.FULLY_CONNECTED, ["x", "w", "b"], (prod(shape[:-1]), outputs), out, attrs)


# Element by element ---------------------------------------------------------------------------------------------------


@family
def elementwise(draw: Draw) -> OpCase:
    """ADD, SUB, MUL: one shape, per channel, squeeze-and-excitation, scalars, constants on either side, general."""
    builder = CaseBuilder()
    full = draw.picture()
    _, rows, columns, channels = full
    shapes = draw.one_of(
        (full, full),
        (full, full),
        (full, (1, 1, 1, channels)),
        (full, (channels,)),
        (full, (1,)),
        (full, (1, rows, 1, channels)),
        (full, (1, 1, columns, 1)),
        ((1, rows, 1, channels), (1, 1, columns, 1)),
    )
    kind = draw.one_of(OpKind.ADD, OpKind.SUB, OpKind.MUL)
    quants = [draw.quant(), draw.quant()]
    constant = draw.one_of(None, None, 1)
    swap = draw.one_of(False, True)
    twice = shapes[0] == shapes[1] and draw.integer(0, 5) == 0
    names = []
    for i, (shape, quant) in enumerate(zip(shapes, quants, strict=True)):
        value = draw.int8(shape)
        if i == 1 and twice:
            names.append(names[0])
        elif i == constant:
            names.append(builder.constant(value, quant, "k"))
        else:
            names.append(builder.given(f"x{i}", quant, value))
    product = quants[0].scale[0] * quants[1].scale[0] * 80
    largest = product if kind is OpKind.MUL else max(q.scale[0] for q in quants)
    out = Quantization((float(np.float32(largest * draw.scale(0.3, 6.0))),), (draw.one_of(0, draw.zero()),))
    attrs = ElementwiseAttrs(draw.activation())
    return builder.finish(kind, names[::-1] if swap else names, tuple(np.broadcast_shapes(*shapes)), out, attrs)


@family
def lut(draw: Draw) -> OpCase:
    """Every function of one value."""
    builder = CaseBuilder()
    shape, quant = draw.picture(), draw.quant()
    kind = draw.one_of(*TABLES)
    if kind in (OpKind.SQRT, OpKind.RSQRT):  # TFLite refuses negative values
        quant = Quantization(quant.scale, (-128,))
    if kind is OpKind.EXP:
        quant = Quantization((draw.scale(1e-3, 0.05),), quant.zero_point)
    builder.given("x", quant, draw.int8(shape))
    return builder.finish(kind, ["x"], shape, *table_output(draw, kind, quant))


def table_output(draw: Draw, kind: OpKind, quant: Quantization) -> tuple[Quantization, Attrs]:
    """An output quantization and attributes for a function of one value whose input has ``quant``."""
    scale = quant.scale[0]
    typical = {
        OpKind.EXP: np.exp(min(scale * (127 - quant.zero_point[0]), 15)) / 200,
        OpKind.LOG: 0.02 + np.abs(np.log(scale)) / 100,
        OpKind.SQRT: np.sqrt(255 * scale) / 200,
        OpKind.RSQRT: 1 / np.sqrt(scale) / 100,
        OpKind.TANH: 1 / 128,
    }.get(kind, scale)
    out = Quantization((float(np.float32(typical * draw.scale(0.3, 4.0))),), (draw.zero(),))
    if kind is OpKind.LOGISTIC:
        out = Quantization((1 / 256,), (-128,))
    attrs: dict[OpKind, Attrs] = {
        OpKind.RELU: ActivationAttrs(draw.one_of(Activation.RELU, Activation.RELU6)),
        OpKind.LEAKY_RELU: LeakyReluAttrs(draw.scale(0.01, 2.0)),
        OpKind.GELU: GeluAttrs(draw.one_of(True, False)),
        OpKind.TABLE: TableAttrs(tuple(draw.rng.integers(-128, 128, 256).tolist())),
    }
    return out, attrs.get(kind, NoAttrs())


@family
def softmax(draw: Draw) -> OpCase:
    builder = CaseBuilder()
    depth = draw.one_of(1, 2, draw.integer(1, 30), 400)
    shape = draw.one_of((1, depth), (1, depth), (1, 2, 3, depth))
    quant = Quantization((draw.scale(1e-3, 0.5),), (draw.zero(),))
    builder.given("x", quant, draw.int8(shape))
    attrs = SoftmaxAttrs(draw.one_of(1.0, 1.0, 0.5, 2.0))
    return builder.finish(OpKind.SOFTMAX, ["x"], shape, Quantization((1 / 256,), (-128,)), attrs)


@family
def lines(draw: Draw) -> OpCase:
    """Operators along one axis."""
    builder = CaseBuilder()
    kind = draw.one_of(OpKind.LOG_SOFTMAX, OpKind.L2_NORMALIZATION, OpKind.ARG_MAX, OpKind.ARG_MIN)
    depth = draw.one_of(1, 2, draw.integer(1, 30), 200)
    shape = draw.one_of((1, depth), (1, draw.integer(1, 4), depth), (1, 2, 3, depth))
    quant = Quantization((draw.scale(1e-3, 0.5),), (draw.zero(),))
    builder.given("x", quant, draw.int8(shape))
    if kind is OpKind.LOG_SOFTMAX:
        return builder.finish(kind, ["x"], shape, Quantization((1 / 16,), (127,)), NoAttrs())
    if kind is OpKind.L2_NORMALIZATION:
        return builder.finish(kind, ["x"], shape, Quantization((1 / 128,), (0,)), ElementwiseAttrs())
    axis = draw.integer(0, len(shape) - 1)
    return builder.finish(kind, ["x"], (*shape[:axis], *shape[axis + 1 :]), None, ArgAttrs(axis), "int32")


# Windows and axes -----------------------------------------------------------------------------------------------------


@family
def pool(draw: Draw) -> OpCase:
    builder = CaseBuilder()
    shape, quant = draw.picture(), draw.quant()
    window = _window(draw, shape, pooling=True)
    builder.given("x", quant, draw.int8(shape))
    rows, columns = window.output_size(shape[1], shape[2])
    kind = draw.one_of(OpKind.AVERAGE_POOL_2D, OpKind.MAX_POOL_2D)
    return builder.finish(kind, ["x"], (1, rows, columns, shape[3]), quant, PoolAttrs(window, draw.activation()))


@family
def mean(draw: Draw) -> OpCase:
    builder = CaseBuilder()
    shape, quant = draw.picture(), draw.quant()
    axes = draw.one_of((1, 2), (1, 2), (1,), (2,), (3,), (1, 3), (2, 3), (1, 2, 3))
    keep = draw.one_of(True, False)
    builder.given("x", quant, draw.int8(shape))
    if keep:
        result = tuple(1 if i in axes else n for i, n in enumerate(shape))
    else:
        result = tuple(n for i, n in enumerate(shape) if i not in axes)
    out = draw.one_of(quant, Quantization((float(np.float32(quant.scale[0] * draw.scale(0.1, 3.0))),), (draw.zero(),)))
    return builder.finish(OpKind.MEAN, ["x"], result, out, MeanAttrs(axes, keep))


@family
def reduce(draw: Draw) -> OpCase:
    """REDUCE_MAX, REDUCE_MIN, MEAN over any axes of up to six."""
    return _reduce(draw, draw.one_of(OpKind.REDUCE_MAX, OpKind.REDUCE_MIN, OpKind.MEAN))


@family
def total(draw: Draw) -> OpCase:
    """SUM over any axes."""
    return _reduce(draw, OpKind.SUM)


def _reduce(draw: Draw, kind: OpKind) -> OpCase:
    builder = CaseBuilder()
    shape, quant = (1, *(draw.integer(1, 5) for _ in range(draw.integer(1, 5)))), draw.quant()
    axes = tuple(i for i in range(len(shape)) if draw.one_of(True, False)) or (len(shape) - 1,)
    builder.given("x", quant, draw.int8(shape))
    keep = draw.one_of(True, False)
    result = tuple(1 if i in axes else n for i, n in enumerate(shape) if keep or i not in axes)
    out = quant
    if kind in (OpKind.SUM, OpKind.MEAN):
        out = Quantization((float(np.float32(quant.scale[0] * draw.scale(0.3, 9.0))),), (draw.zero(),))
    return builder.finish(kind, ["x"], result, out, MeanAttrs(axes, keep))


@family
def binary(draw: Draw) -> OpCase:
    """Generated loops over two inputs, broadcast, one of them constant or not."""
    builder = CaseBuilder()
    kind = draw.one_of(
        OpKind.MINIMUM, OpKind.MAXIMUM, OpKind.SQUARED_DIFFERENCE, OpKind.PRELU, OpKind.ADD, OpKind.SUB, OpKind.MUL
    )
    most = 4 if kind is OpKind.PRELU else 5  # axes that TFLite's kernels have
    full = (1, *(draw.integer(1, 5) for _ in range(draw.integer(0, most - 1))))
    shapes = [tuple(n if draw.integer(0, 3) else 1 for n in full) for _ in range(2)]
    shapes = draw.one_of(shapes, [full, full], [full, (1,)])
    constant, names = draw.one_of(None, 0, 1), []
    if constant == 1:  # inputs have a batch of 1 in front
        shapes = draw.one_of(shapes, [full, (full[-1],)], [full, ()])
    if kind is OpKind.PRELU:  # only the slopes are broadcast
        shapes = [tuple(np.broadcast_shapes(*shapes)), shapes[1]]
    quants = [draw.quant(), draw.quant()]
    for i, (shape, quant) in enumerate(zip(shapes, quants, strict=True)):
        value = draw.int8(shape)
        names.append(builder.constant(value, quant, "k") if i == constant else builder.given(f"x{i}", quant, value))
    a, b = (quant.scale[0] for quant in quants)
    typical = {
        OpKind.SQUARED_DIFFERENCE: (a * a + b * b) * 40,
        OpKind.PRELU: a * max(1, b * 60),
        OpKind.MUL: a * b * 80,
    }.get(kind, max(a, b))
    attrs = ElementwiseAttrs(draw.activation()) if kind in (OpKind.ADD, OpKind.SUB, OpKind.MUL) else NoAttrs()
    result = tuple(np.broadcast_shapes(*shapes))
    return builder.finish(
        kind, names, result, Quantization((float(np.float32(typical * draw.scale(0.3, 3.0))),), (draw.zero(),)), attrs
    )


@family
def division(draw: Draw) -> OpCase:
    """DIV, ADD_N, CUMSUM: what of int8 TFLite Micro alone computes."""
    builder, kind = CaseBuilder(), draw.one_of(OpKind.DIV, OpKind.DIV, OpKind.ADD_N, OpKind.CUMSUM)
    shape, quants = (1, *(draw.integer(1, 5) for _ in range(draw.integer(1, 3)))), [draw.quant(), draw.quant()]
    names, attrs, out = [], NoAttrs(), quants[0].scale[0]
    if kind is OpKind.DIV:
        sizes = [shape, draw.one_of(shape, (1,) * (len(shape) - 1) + shape[-1:])]
        constant = draw.one_of(None, 0, 1)
        for i, (size, quant) in enumerate(zip(sizes, quants, strict=True)):
            value = draw.int8(size)
            if i:  # nothing is divided by zero
                value = np.where(value == quant.zero_point[0], np.int8(quant.zero_point[0] ^ 1), value)
            given = i != constant
            names.append(builder.given(f"x{i}", quant, value) if given else builder.constant(value, quant, "k"))
        # below 1/256 TFLite Micro shifts by more than C allows
        attrs, out = ElementwiseAttrs(draw.activation()), quants[0].scale[0] / quants[1].scale[0] / 520
    elif kind is OpKind.CUMSUM:
        attrs = CumsumAttrs(draw.integer(0, len(shape) - 1), draw.one_of(False, True), draw.one_of(False, True))
        names = [builder.given("x0", quants[0], draw.int8(shape))]
    else:
        names = [builder.given(f"x{i}", quants[0], draw.int8(shape)) for i in range(draw.integer(2, 5))]
    result = tuple(np.broadcast_shapes(*(builder.shape(name) for name in names)))
    quant = Quantization((float(np.float32(out * draw.scale(0.5, 2.0))),), (draw.zero(),))
    return builder.finish(kind, names, result, quant, attrs)


# Moving bytes ---------------------------------------------------------------------------------------------------------


@family
def pad(draw: Draw) -> OpCase:
    builder = CaseBuilder()
    shape, quant = draw.picture(), draw.quant()
    builder.given("x", quant, draw.int8(shape))
    pads = [(0, 0)] + [draw.one_of((0, 0), (draw.integer(0, 3), draw.integer(0, 3))) for _ in range(3)]
    result = tuple(n + before + after for n, (before, after) in zip(shape, pads, strict=True))
    value = draw.one_of(None, None, draw.integer(-128, 127))
    return builder.finish(OpKind.PAD, ["x"], result, quant, PadAttrs(tuple(pads), value))


@family
def transpose(draw: Draw) -> OpCase:
    builder = CaseBuilder()
    shape, quant = draw.picture(), draw.quant()
    perm = tuple(int(i) for i in draw.rng.permutation(4))
    builder.given("x", quant, draw.int8(shape))
    return builder.finish(OpKind.TRANSPOSE, ["x"], tuple(shape[i] for i in perm), quant, TransposeAttrs(perm))


@family
def strided_slice(draw: Draw) -> OpCase:
    builder = CaseBuilder()
    shape, quant = draw.picture(), draw.quant()
    builder.given("x", quant, draw.int8(shape))
    begin, stride, count = [0], [1], [1]
    for size in shape[1:]:
        step = draw.one_of(1, 1, draw.integer(1, 3), -draw.integer(1, 3))
        first = draw.integer(0, size - 1)
        room = (size - 1 - first) // step if step > 0 else first // -step
        begin.append(first)
        stride.append(step)
        count.append(draw.integer(1, room + 1))
    attrs = StridedSliceAttrs(tuple(begin), tuple(stride), tuple(count))
    return builder.finish(OpKind.STRIDED_SLICE, ["x"], tuple(count), quant, attrs)


@family
def concat(draw: Draw) -> OpCase:
    builder = CaseBuilder()
    shape, quant, axis = draw.picture(), draw.quant(), draw.integer(1, 3)
    names, total = [], 0
    for i in range(draw.integer(1, 5)):
        size = draw.integer(1, 7)
        part = (*shape[:axis], size, *shape[axis + 1 :])
        names.append(builder.given(f"x{i}", quant, draw.int8(part)))
        total += size
    if draw.integer(0, 4) == 0:
        names.append(names[0])
        total += builder.graph.tensor(names[0]).shape[axis]
    result = (*shape[:axis], total, *shape[axis + 1 :])
    return builder.finish(OpKind.CONCATENATION, names, result, quant, ConcatAttrs(axis))


@family
def shift(draw: Draw) -> OpCase:
    builder = CaseBuilder()
    shape, quant, axis = draw.picture(), draw.quant(), draw.integer(1, 3)
    new = draw.integer(1, 6)
    news, window = ((*shape[:axis], size, *shape[axis + 1 :]) for size in (new, new + draw.integer(1, 9)))
    names = [builder.given(name, quant, draw.int8(s)) for name, s in (("window", window), ("news", news))]
    return builder.finish(OpKind.SHIFT, names, window, quant, NoAttrs())


@family
def resize(draw: Draw) -> OpCase:
    builder = CaseBuilder()
    shape, quant = draw.picture(), draw.quant()
    builder.given("x", quant, draw.int8(shape))
    factor = draw.integer(1, 3)
    size = draw.one_of((shape[1] * factor, shape[2] * factor), (draw.integer(1, 17), draw.integer(1, 17)))
    attrs = draw.one_of(ResizeAttrs(), ResizeAttrs(True, False), ResizeAttrs(False, True))
    kind = draw.one_of(OpKind.RESIZE_NEAREST_NEIGHBOR, OpKind.RESIZE_BILINEAR)
    return builder.finish(kind, ["x"], (1, *size, shape[3]), quant, attrs)


@family
def reshape(draw: Draw) -> OpCase:
    builder = CaseBuilder()
    shape, quant = draw.picture(), draw.quant()
    builder.given("x", quant, draw.int8(shape))
    return builder.finish(OpKind.RESHAPE, ["x"], (1, shape[1] * shape[2], shape[3]), quant, NoAttrs())


@family
def gather(draw: Draw) -> OpCase:
    """Indices along any axes: some, repeated, mirrored, in any order."""
    builder = CaseBuilder()
    shape, quant = (1, *(draw.integer(1, 5) for _ in range(draw.integer(0, 4)))), draw.quant()
    builder.given("x", quant, draw.int8(shape))
    indices = []
    for size in shape:
        every = range(size)
        some = tuple(draw.integer(0, size - 1) for _ in range(draw.integer(1, 6)))
        repeated = tuple(np.repeat(every, draw.integer(1, 3)).tolist())
        indices.append(draw.one_of(None, None, some, repeated, (*every, *every), (*every, *reversed(every))))
    result = tuple(n if index is None else len(index) for n, index in zip(shape, indices, strict=True))
    return builder.finish(OpKind.GATHER, ["x"], result, quant, GatherAttrs(tuple(indices)))


@family
def transpose_many(draw: Draw) -> OpCase:
    """More axes than the kernel of four has."""
    builder = CaseBuilder()
    shape, quant = (1, *(draw.integer(1, 4) for _ in range(5))), draw.quant()
    perm = tuple(int(i) for i in draw.rng.permutation(6))
    builder.given("x", quant, draw.int8(shape))
    return builder.finish(OpKind.TRANSPOSE, ["x"], tuple(shape[i] for i in perm), quant, TransposeAttrs(perm))


# Numbers of other types -----------------------------------------------------------------------------------------------


INT32_ARITHMETIC = (OpKind.ADD, OpKind.SUB, OpKind.MUL, OpKind.DIV)


@family
def numbers(draw: Draw) -> OpCase:
    """CAST, arithmetic of int32, MINIMUM, lookups, moves: of every type that may stand at the border."""
    builder = CaseBuilder()
    kind = draw.one_of(
        OpKind.CAST,
        *INT32_ARITHMETIC,
        OpKind.FLOOR_DIV,
        OpKind.FLOOR_MOD,
        OpKind.SUM,
        OpKind.REDUCE_MAX,
        OpKind.CUMSUM,
        OpKind.ADD_N,
        OpKind.DYNAMIC_UPDATE_SLICE,
        OpKind.MINIMUM,
        OpKind.EMBEDDING_LOOKUP,
        OpKind.TRANSPOSE,
        OpKind.GATHER,
    )
    signatures = [text for text in DEFINITIONS[kind].signatures if "int16" not in text and "bool" not in text]
    left, result = draw.one_of(*signatures).split(" -> ")
    dtypes = left.split(" x ")
    of_int32 = (*INT32_ARITHMETIC, OpKind.FLOOR_DIV, OpKind.FLOOR_MOD, OpKind.SUM, OpKind.CUMSUM, OpKind.REDUCE_MAX)
    if kind in (*of_int32, OpKind.ADD_N):
        one = kind in (OpKind.SUM, OpKind.CUMSUM, OpKind.REDUCE_MAX)
        dtypes, result = ["int32"] * (1 if one else 2), "int32"
    quant = draw.quant()
    shape = (1, draw.integer(1, 5), draw.integer(1, 6))
    shapes = [draw.one_of(shape, (1, 1, shape[2]), (1, 1, 1)) for _ in dtypes]
    attrs: Attrs = ElementwiseAttrs() if kind in INT32_ARITHMETIC else NoAttrs()
    if kind in (OpKind.SUM, OpKind.REDUCE_MAX):
        attrs = MeanAttrs(draw.one_of((1,), (2,), (1, 2)), draw.one_of(False, True))
    elif kind is OpKind.CUMSUM:
        attrs = CumsumAttrs(draw.integer(0, 2), draw.one_of(False, True), draw.one_of(False, True))
    elif kind is OpKind.ADD_N:
        shapes = [shape] * draw.integer(2, 4)
        dtypes = ["int32"] * len(shapes)
    elif kind is OpKind.DYNAMIC_UPDATE_SLICE:
        shapes = [shape, (1, draw.integer(1, shape[1]), draw.integer(1, shape[2])), (3,)]
    if kind is OpKind.EMBEDDING_LOOKUP:
        axis = draw.integer(0, 2)
        shapes, attrs = [(1, draw.integer(1, 7)), shape], LookupAttrs(axis)
    elif kind is OpKind.TRANSPOSE:
        shapes, attrs = [shape], TransposeAttrs(tuple(int(i) for i in draw.rng.permutation(3)))
    elif kind is OpKind.GATHER:
        index = tuple(draw.integer(0, shape[1] - 1) for _ in range(4))
        shapes, attrs = [shape], GatherAttrs((None, index, None))
    names = []
    for i, (dtype, size) in enumerate(zip(dtypes, shapes, strict=True)):
        value = draw.values(dtype, size, odd=kind is not OpKind.CAST)  # C leaves open what an integer is then
        if kind is OpKind.EMBEDDING_LOOKUP and i == 0:
            value = draw.rng.integers(0, shape[attrs.axis], size).astype(np.int32)
        if kind in INT32_ARITHMETIC and draw.integer(0, 1):  # beyond what C leaves open
            value = draw.rng.choice(np.array([-(1 << 31), INT32_MAX, -1, 0, 1, 99991], np.int32), size)
        if i and kind in (OpKind.FLOOR_DIV, OpKind.FLOOR_MOD):  # what TFLite refuses
            value[value == 0] = 1
        own = quant if dtype == "int8" else None
        if i and draw.integer(0, 2) == 0 and (kind is not OpKind.DIV or value.all()):
            names.append(builder.constant(value, own, f"k{i}"))
            builder.graph.tensor(f"k{i}").quant = own
        else:
            names.append(builder.given(f"x{i}", own, value))
    out = quant if result == "int8" else None
    definition, tensors = DEFINITIONS[kind], [builder.graph.tensor(name) for name in names]
    [size] = definition.infer(attrs, tensors, [shape])
    return builder.finish(kind, names, size, out, attrs, result)


# float32 --------------------------------------------------------------------------------------------------------------


def _reals(draw: Draw, shape: tuple[int, ...], odd: bool = False) -> np.ndarray:
    """Of many magnitudes, so that every rounding and the order of sums show. ``odd``: now and then also what is
    infinite, no number, denormal or a zero with a sign."""
    values = (draw.rng.normal(size=shape) * 2.0 ** draw.rng.integers(-6, 7, shape)).astype(np.float32)
    if odd and draw.integer(0, 3) == 0:
        return np.where(draw.rng.random(shape) < draw.one_of(0.02, 0.5), draw.rng.choice(ODD_REALS, shape), values)
    return values


@family
def float_products(draw: Draw) -> OpCase:
    """Convolutions, also of groups and of single pixels, depthwise ones and dense layers."""
    builder = CaseBuilder()
    kinds = (OpKind.CONV_2D, OpKind.CONV_2D, OpKind.DEPTHWISE_CONV_2D, OpKind.FULLY_CONNECTED, OpKind.TRANSPOSE_CONV)
    kind = draw.one_of(*kinds)
    groups = draw.one_of(1, 1, draw.integer(2, 3))
    shape, outputs = draw.picture(groups * draw.integer(1, 9)), groups * draw.integer(1, 9)
    activation = draw.activation()
    window = draw.one_of(Window((1, 1)), _window(draw, shape), _window(draw, shape))
    rows, columns = window.output_size(*shape[1:3])
    attrs: Attrs = Conv2DAttrs(window, activation, groups)
    size, weights = (1, rows, columns, outputs), (outputs, *window.kernel, shape[3] // groups)
    if kind is OpKind.DEPTHWISE_CONV_2D:
        multiplier = draw.one_of(1, 1, draw.integer(2, 3))
        attrs, outputs = DepthwiseConv2DAttrs(window, multiplier, activation), shape[3] * multiplier
        size, weights = (1, rows, columns, outputs), (1, *window.kernel, outputs)
    elif kind is OpKind.FULLY_CONNECTED:
        shape = draw.one_of((1, draw.integer(1, 60)), (1, draw.integer(1, 9), draw.integer(1, 20)))
        attrs, size, weights = FullyConnectedAttrs(activation), (prod(shape[:-1]), outputs), (outputs, shape[-1])
    elif kind is OpKind.TRANSPOSE_CONV:
        shape, outputs = (1, draw.integer(1, 5), draw.integer(1, 5), draw.integer(1, 5)), draw.integer(1, 5)
        kernel, stride = (draw.integer(1, 4), draw.integer(1, 4)), (draw.integer(1, 3), draw.integer(1, 3))
        before = (draw.integer(0, kernel[0] - 1), draw.integer(0, kernel[1] - 1))
        reach = [(n - 1) * s + k for n, s, k in zip(shape[1:3], stride, kernel, strict=True)]
        rows, columns = (max(n - p, 1) for n, p in zip(reach, before, strict=True))
        window = Window(
            kernel, stride, pad=(before[0], reach[0] - before[0] - rows, before[1], reach[1] - before[1] - columns)
        )
        attrs, size = TransposeConvAttrs(window, activation), (1, rows, columns, outputs)
        weights = (outputs, *kernel, shape[3])
    builder.given("x", None, _reals(draw, shape, odd=True))
    builder.constant(_reals(draw, weights), None, "w")
    builder.constant(_reals(draw, (outputs,)), None, "b")
    return builder.finish(kind, ["x", "w", "b"], size, None, attrs, "float32")


@family
def float_pool(draw: Draw) -> OpCase:
    builder = CaseBuilder()
    shape = draw.picture()
    window = _window(draw, shape, pooling=True)
    builder.given("x", None, _reals(draw, shape, odd=True))
    kind = draw.one_of(OpKind.AVERAGE_POOL_2D, OpKind.MAX_POOL_2D)
    size = (1, *window.output_size(*shape[1:3]), shape[3])
    return builder.finish(kind, ["x"], size, None, PoolAttrs(window, draw.activation()), "float32")


@family
def float_functions(draw: Draw) -> OpCase:
    """Of one value, and of two with broadcasting."""
    builder = CaseBuilder()
    pairs = (OpKind.ADD, OpKind.SUB, OpKind.MUL, OpKind.DIV, OpKind.SQUARED_DIFFERENCE, OpKind.PRELU)
    steps = (OpKind.FLOOR, OpKind.CEIL, OpKind.ROUND, OpKind.SIGN, OpKind.SIN, OpKind.COS)  # float_steps draws them
    singles = (*(kind for kind in FLOAT_FUNCTIONS if kind not in steps), OpKind.RELU, OpKind.LEAKY_RELU, OpKind.GELU)
    kind = draw.one_of(*pairs, *singles)
    shape = draw.picture()
    x = _reals(draw, shape, odd=True)
    if kind in (OpKind.LOG, OpKind.SQRT, OpKind.RSQRT):
        x = np.abs(x) + np.float32(1e-6)
    names = [builder.given("x", None, x)]
    if kind in pairs:
        other = _reals(draw, draw.one_of(shape, (1, 1, 1, shape[3]), (1, shape[1], 1, 1)))
        names += [
            builder.given("k", None, _reals(draw, other.shape, odd=True))
            if draw.integer(0, 1)
            else builder.constant(other, name="k")
        ]
    attrs: Attrs = NoAttrs()
    if kind in pairs[:4]:
        attrs = ElementwiseAttrs(draw.activation())
    elif kind is OpKind.RELU:
        attrs = ActivationAttrs(draw.one_of(*list(Activation)[1:]))
    elif kind is OpKind.LEAKY_RELU:
        attrs = LeakyReluAttrs(float(np.float32(draw.rng.uniform(-1, 2))))
    elif kind is OpKind.GELU:
        attrs = GeluAttrs(draw.one_of(False, True))
    return builder.finish(kind, names, shape, None, attrs, "float32")


@family
def float_steps(draw: Draw) -> OpCase:
    """Whole numbers, remainders, angles."""
    builder, pairs = CaseBuilder(), (OpKind.FLOOR_DIV, OpKind.FLOOR_MOD)
    kind = draw.one_of(*pairs, OpKind.FLOOR, OpKind.CEIL, OpKind.ROUND, OpKind.SIGN, OpKind.SIN, OpKind.COS)
    shape = draw.picture()
    x = draw.one_of(_reals(draw, shape), np.rint(_reals(draw, shape) * 4) / np.float32(2))
    if kind not in pairs:
        return builder.finish(kind, [builder.given("x", None, x)], shape, None, NoAttrs(), "float32")
    other = _reals(draw, draw.one_of(shape, (1, 1, 1, shape[3]), (1, shape[1], 1, 1)))
    other = np.copysign(np.abs(other) + np.float32(0.01), other)  # quotients stay below 2^24
    multiples = np.broadcast_to(other * np.float32(draw.integer(-99, 99)), shape).copy()
    names = [builder.given("x", None, draw.one_of(x, multiples))]
    names.append(builder.given("k", None, other) if draw.integer(0, 1) else builder.constant(other, name="k"))
    return builder.finish(kind, names, shape, None, NoAttrs(), "float32")


@family
def float_axes(draw: Draw) -> OpCase:
    """Reductions and lines."""
    builder = CaseBuilder()
    lines = (OpKind.SOFTMAX, OpKind.LOG_SOFTMAX, OpKind.L2_NORMALIZATION)
    reductions = (OpKind.MEAN, OpKind.SUM, OpKind.REDUCE_MAX, OpKind.REDUCE_MIN)
    kind = draw.one_of(*lines, *reductions, OpKind.ARG_MAX, OpKind.ARG_MIN, OpKind.CUMSUM)
    shape = draw.picture()
    x = _reals(draw, shape, odd=True)
    if kind in (OpKind.REDUCE_MAX, OpKind.REDUCE_MIN, OpKind.ARG_MAX, OpKind.ARG_MIN):
        x = np.where(np.isnan(x), np.float32(1), x)  # TFLite's kernels do not agree where it is in the order
    builder.given("x", None, x)
    attrs: Attrs = NoAttrs()
    if kind in reductions:
        attrs = MeanAttrs(draw.one_of((1, 2), (3,), (1,), (1, 3), (0, 1, 2, 3)), draw.one_of(False, True))
    elif kind in (OpKind.ARG_MAX, OpKind.ARG_MIN):
        attrs = ArgAttrs(draw.integer(1, 3))
    elif kind is OpKind.CUMSUM:
        attrs = CumsumAttrs(draw.integer(0, 3), draw.one_of(False, True), draw.one_of(False, True))
    elif kind is OpKind.SOFTMAX:
        attrs = SoftmaxAttrs(draw.one_of(1.0, 0.5))
    elif kind is OpKind.L2_NORMALIZATION:
        attrs = ElementwiseAttrs()
    [size] = DEFINITIONS[kind].infer(attrs, [builder.graph.tensor("x")], [shape])
    dtype = "int32" if isinstance(attrs, ArgAttrs) else "float32"
    return builder.finish(kind, ["x"], size, None, attrs, dtype)


@family
def float_sums(draw: Draw) -> OpCase:
    """ADD_N; products of matrices, broadcast, one of them constant or not."""
    builder = CaseBuilder()
    if draw.one_of(True, False):
        shape = draw.picture()
        names = [builder.given(f"x{i}", None, _reals(draw, shape)) for i in range(draw.integer(2, 5))]
        return builder.finish(OpKind.ADD_N, names, shape, None, NoAttrs(), "float32")
    rows, depth, columns = (draw.integer(1, 7) for _ in range(3))
    adj_y, batch = draw.one_of(False, True), (1, draw.integer(1, 3))
    # turned matrices of which several meet one of the other operand are wrong in TFLite's reference
    batches = draw.one_of((batch, batch), ((1, 1), batch))
    adj_x = draw.one_of(False, True)
    a = (*batches[0], *((depth, rows) if adj_x else (rows, depth)))
    b = (*batches[1], *((columns, depth) if adj_y else (depth, columns)))
    names = [builder.given("a", None, _reals(draw, a))]
    second = _reals(draw, b)
    names.append(builder.given("b", None, second) if draw.one_of(True, False) else builder.constant(second, name="b"))
    size = (*np.broadcast_shapes(*batches), rows, columns)
    return builder.finish(OpKind.BATCH_MATMUL, names, size, None, MatmulAttrs(adj_x, adj_y), "float32")


@family
def float_moves(draw: Draw) -> OpCase:
    """Those that are bytes to the kernels of int8."""
    builder = CaseBuilder()
    kind = draw.one_of(OpKind.PAD, OpKind.CONCATENATION, OpKind.RESIZE_NEAREST_NEIGHBOR, OpKind.RESIZE_BILINEAR)
    shapes: list[tuple[int, ...]] = [draw.picture()]
    attrs: Attrs = NoAttrs()
    declared: tuple[int, ...] = (1, draw.integer(1, 9), draw.integer(1, 9), shapes[0][3])
    if kind is OpKind.PAD:
        pads = ((0, 0), *((draw.integer(0, 2), draw.integer(0, 2)) for _ in range(3)))
        attrs = PadAttrs(pads, draw.one_of(None, -1.5))
    elif kind is OpKind.CONCATENATION:
        axis = draw.integer(1, 3)
        more = [tuple(draw.integer(1, 5) if i == axis else n for i, n in enumerate(shapes[0])) for _ in range(2)]
        shapes, attrs = [*shapes, *more], ConcatAttrs(axis)
    else:
        attrs = draw.one_of(ResizeAttrs(), ResizeAttrs(True, False), ResizeAttrs(False, True))
    names = [builder.given(f"x{i}", None, _reals(draw, shape, odd=True)) for i, shape in enumerate(shapes)]
    [size] = DEFINITIONS[kind].infer(attrs, [builder.graph.tensor(name) for name in names], [declared])
    return builder.finish(kind, names, size, None, attrs, "float32")


# int16 with int8 weights ----------------------------------------------------------------------------------------------


def _symmetric(scale: float) -> Quantization:
    return Quantization((float(np.float32(scale)),), (0,))


def _int16(draw: Draw, shape: tuple[int, ...]) -> np.ndarray:
    """Mostly uniform; sometimes constant at an end, or only the two ends."""
    kind = draw.integer(0, 9)
    if kind == 0:
        return np.full(shape, draw.one_of(-32768, 32767), np.int16)
    if kind == 1:
        return draw.rng.choice(np.array([-32768, 32767], np.int16), shape)
    return draw.rng.integers(-32768, 32768, shape).astype(np.int16)


def int16_layer(
    draw: Draw, kind: OpKind, shape: tuple[int, ...], weights: np.ndarray, axis: int, attrs: Attrs, declared: Shape = ()
) -> OpCase:
    """One layer with int8 ``weights`` (channels on ``axis``) on int16 of ``shape``; biases of 32 or 64 bits.

    Multipliers are chosen so that outputs mostly stay within int16; sometimes they are far larger."""
    builder, channels = CaseBuilder(), weights.shape[axis]
    per_channel = channels > 1 and draw.one_of(True, True, False)
    scales = [draw.scale(1e-4, 1e-2) for _ in range(channels if per_channel else 1)]
    spread = 19000.0 * 74.0 * np.sqrt(weights.size / channels)
    multiplier = draw.one_of(9000.0, 9000.0, draw.scale(100.0, 30000.0), draw.scale(1e4, 1e8)) / spread
    multiplier = min(multiplier, 100.0 * np.median(scales) / max(scales))  # beyond 128 there is no formula
    x_scale = float(np.float32(draw.scale(1e-5, 1e-2)))
    out = _symmetric(x_scale * np.median(scales) / multiplier)
    builder.given("x", _symmetric(x_scale), _int16(draw, shape))
    zeros = (0,) * len(scales)
    builder.constant(weights, Quantization(tuple(scales), zeros, axis if per_channel else None), "w")
    bias = draw.rng.normal(0, draw.one_of(0.5, 2.0) * spread, channels).clip(-INT32_MAX, INT32_MAX)
    dtype = draw.one_of("int64", "int64", "int64", "int32")
    others = tuple(i for i in range(weights.ndim) if i != axis)
    if kind is OpKind.DEPTHWISE_CONV_2D or np.abs(weights.astype(np.int64)).sum(axis=others).max() >= 1 << 16:
        dtype = "int64"  # as TFLite wants it for the first, and the sums for all
    if dtype == "int64" and draw.integer(0, 5) == 0:
        bias[draw.integer(0, channels - 1)] = draw.one_of(-1.0, 1.0) * draw.scale(1e9, 1e12)
    bias_quant = Quantization(tuple(x_scale * s for s in scales), zeros, 0 if per_channel else None)
    builder.constant(bias.astype(dtype), bias_quant, "b")
    inputs = [builder.graph.tensor(name) for name in ("x", "w", "b")]
    [size] = DEFINITIONS[kind].infer(attrs, inputs, [declared])
    return builder.finish(kind, ["x", "w", "b"], size, out, attrs, "int16")


@family
def int16_products(draw: Draw) -> OpCase:
    """Convolutions, also of groups, of single pixels and transposed ones, depthwise ones, dense layers."""
    kinds = (OpKind.CONV_2D, OpKind.DEPTHWISE_CONV_2D, OpKind.FULLY_CONNECTED, OpKind.TRANSPOSE_CONV)
    kind, activation = draw.one_of(OpKind.CONV_2D, *kinds), draw.activation()
    groups = draw.one_of(1, 1, draw.integer(2, 3)) if kind is OpKind.CONV_2D else 1
    depth, outputs = draw.one_of(draw.integer(1, 9), draw.integer(1, 40)), groups * draw.integer(1, 9)
    shape = draw.picture(groups * depth)
    window = draw.one_of(Window((1, 1)), _window(draw, shape), _window(draw, shape))
    if kind is OpKind.CONV_2D:
        weights = draw.int8((outputs, *window.kernel, depth))
        return int16_layer(draw, kind, shape, weights, 0, Conv2DAttrs(window, activation, groups))
    if kind is OpKind.DEPTHWISE_CONV_2D:
        multiplier = draw.one_of(1, 1, draw.integer(2, 3))
        weights = draw.int8((1, *window.kernel, depth * multiplier))
        return int16_layer(draw, kind, shape, weights, 3, DepthwiseConv2DAttrs(window, multiplier, activation))
    if kind is OpKind.FULLY_CONNECTED:
        shape = draw.one_of((1, draw.integer(1, 90)), (1, draw.integer(1, 9), draw.integer(1, 20)))
        weights = draw.int8((outputs, shape[-1]))
        return int16_layer(draw, kind, shape, weights, 0, FullyConnectedAttrs(activation))
    kernel, stride = (draw.integer(1, 4), draw.integer(1, 4)), (draw.integer(1, 3), draw.integer(1, 3))
    sizes = [(n - 1) * s + k for n, s, k in zip(shape[1:3], stride, kernel, strict=True)]
    pad = same_padding(kernel, stride, (1, 1), *(n * s for n, s in zip(shape[1:3], stride, strict=True)))
    before = (pad[0], pad[2]) if draw.integer(0, 1) else (0, 0)
    wanted = [n * s if any(before) else size for n, s, size in zip(shape[1:3], stride, sizes, strict=True)]
    behind = [size - first - n for size, first, n in zip(sizes, before, wanted, strict=True)]
    window = Window(kernel, stride, pad=(before[0], behind[0], before[1], behind[1]))
    weights = draw.int8((outputs, *kernel, depth))
    return int16_layer(draw, kind, shape, weights, 0, TransposeConvAttrs(window))


@family
def int16_functions(draw: Draw) -> OpCase:
    """Of one value, and of two with broadcasting."""
    builder = CaseBuilder()
    pairs = (OpKind.ADD, OpKind.SUB, OpKind.MUL)
    kind = draw.one_of(*pairs, OpKind.LOGISTIC, OpKind.TANH, OpKind.RELU, OpKind.LEAKY_RELU)
    shape = draw.picture()
    scale = draw.one_of(draw.scale(1e-5, 1e-2), draw.scale(1e-6, 4.0), 2.0**-12, 2.0**-11)
    names = [builder.given("x", _symmetric(scale), _int16(draw, shape))]
    if kind in pairs:
        other, quant = draw.one_of(shape, (1, 1, 1, shape[3]), (1, shape[1], 1, 1)), _symmetric(draw.scale(1e-5, 1e-2))
        value = _int16(draw, other)
        names.append(builder.given("k", quant, value) if draw.integer(0, 1) else builder.constant(value, quant, "k"))
        names = names[:: draw.one_of(1, -1)]
        largest = scale * quant.scale[0] * 20000 if kind is OpKind.MUL else max(scale, quant.scale[0])
        out, attrs = _symmetric(largest * draw.scale(0.3, 6.0)), ElementwiseAttrs(draw.activation())
        return builder.finish(kind, names, shape, out, attrs, "int16")
    if kind in (OpKind.LOGISTIC, OpKind.TANH):
        return builder.finish(kind, names, shape, _symmetric(1 / 32768), NoAttrs(), "int16")
    quant = _symmetric(scale * draw.one_of(1.0, draw.scale(0.2, 5.0)))
    attrs = LeakyReluAttrs(float(np.float32(draw.rng.uniform(-1, 2))))
    if kind is OpKind.RELU:
        return builder.finish(kind, names, shape, quant, ActivationAttrs(draw.one_of(*RELUS_OF_INT16)), "int16")
    return builder.finish(kind, names, shape, quant, attrs, "int16")


RELUS_OF_INT16 = (Activation.RELU, Activation.RELU6)  # TFLite has no other


@family
def int16_axes(draw: Draw) -> OpCase:
    """Pools, means, SOFTMAX."""
    builder, shape = CaseBuilder(), draw.picture()
    kind = draw.one_of(OpKind.AVERAGE_POOL_2D, OpKind.MAX_POOL_2D, OpKind.MEAN, OpKind.SOFTMAX)
    scale = draw.scale(1e-5, 1e-2)
    builder.given("x", _symmetric(scale), _int16(draw, shape))
    if kind is OpKind.SOFTMAX:
        attrs: Attrs = SoftmaxAttrs(draw.one_of(1.0, 0.5))
        return builder.finish(kind, ["x"], shape, _symmetric(1 / 32768), attrs, "int16")
    if kind is OpKind.MEAN:
        attrs = MeanAttrs(draw.one_of((1, 2), (3,), (1,), (1, 3), (0, 1, 2, 3)), draw.one_of(False, True))
        [size] = DEFINITIONS[kind].infer(attrs, [builder.graph.tensor("x")], [shape])
        return builder.finish(kind, ["x"], size, _symmetric(scale * draw.scale(0.3, 3.0)), attrs, "int16")
    window = _window(draw, shape, pooling=True)
    size = (1, *window.output_size(*shape[1:3]), shape[3])
    return builder.finish(kind, ["x"], size, _symmetric(scale), PoolAttrs(window, draw.activation()), "int16")


# uint8 in the file ----------------------------------------------------------------------------------------------------


@family
def legacy(draw: Draw) -> OpCase:
    """Channels with weights of nine bits; average pools that round halves up."""
    builder = CaseBuilder()
    shape = draw.picture()
    if draw.one_of(True, False):
        window, quant = _window(draw, shape, pooling=True), draw.quant()
        builder.given("x", quant, draw.int8(shape))
        size = (1, *window.output_size(*shape[1:3]), shape[3])
        pool = PoolAttrs(window, draw.activation(), half_up=True)
        return builder.finish(OpKind.AVERAGE_POOL_2D, ["x"], size, quant, pool)
    window = draw.one_of(Window((1, 1)), _window(draw, shape))
    rows, columns = window.output_size(*shape[1:3])
    outputs, depth = draw.integer(1, 9), draw.one_of(1, shape[3], draw.integer(1, shape[3]))
    channels = tuple(sorted({draw.integer(0, outputs - 1) for _ in range(2)}))
    first = tuple(draw.integer(0, shape[3] - depth) for _ in channels)
    weights = draw.rng.integers(-255, 256, (len(channels), *window.kernel, depth)).astype(np.int16)
    out = draw.output_quant()
    spread = 150.0 * 74.0 * np.sqrt(weights.size / len(channels))
    builder.given("y0", out, draw.int8((1, rows, columns, outputs)))
    builder.given("x", Quantization((out.scale[0] * 40.0 / spread,), (draw.zero(),)), draw.int8(shape))
    builder.constant(weights, Quantization((1.0,), (0,)), "w")
    builder.constant(draw.rng.normal(0, spread, len(channels)).astype(np.int32), None, "b")
    attrs = ConvChannelsAttrs(window, channels, first, draw.activation(), draw.one_of(False, True))
    return builder.finish(OpKind.CONV_CHANNELS, ["y0", "x", "w", "b"], (1, rows, columns, outputs), out, attrs)


# The signal library ---------------------------------------------------------------------------------------------------


@family
def signal(draw: Draw) -> OpCase:
    """Those of its operators that have one output; full ranges, so that everything wraps and saturates."""
    builder = CaseBuilder()
    bins = draw.integer(1, 40)

    def given(dtype: str, *shape: int) -> str:
        limits = np.iinfo(dtype)
        value = draw.rng.integers(limits.min, limits.max, shape, dtype, endpoint=True)
        if draw.integer(0, 1):  # any number of bits
            value >>= draw.rng.integers(0, limits.bits, shape).astype(dtype)
        return builder.given(f"x{len(builder.graph.inputs)}", None, value)

    def constant(name: str, values: np.ndarray) -> str:
        return builder.constant(values.astype(np.int16), None, name)

    kind = draw.one_of(*SIGNALS)
    x, attrs, shape, dtype = "", cast(Attrs, NoAttrs()), (bins,), "uint32"
    constants: list[str] = []
    if kind is OpKind.SIGNAL_WINDOW:
        shape, dtype, attrs = (
            (draw.integer(1, 3), bins),
            draw.one_of("int16", "int32"),
            SignalWindowAttrs(draw.integer(0, 31)),
        )
        limits = np.iinfo(dtype)
        window = draw.rng.integers(limits.min, limits.max, bins, dtype, endpoint=True)
        x, constants = given("int16", *shape), [builder.constant(window, None, "window")]
    elif kind is OpKind.SIGNAL_RFFT:
        rows, length = draw.integer(1, 2), 1 << draw.integer(2, 8)
        shape, dtype = (rows, length + 2), draw.one_of("int16", "int32")
        x, attrs = given(dtype, rows, draw.integer(1, length)), SignalRfftAttrs(length)
    elif kind in (OpKind.SIGNAL_ENERGY, OpKind.MAGNITUDE):
        start, end = sorted((draw.integer(0, bins), draw.integer(0, bins)))
        x = given("int16" if kind is OpKind.SIGNAL_ENERGY else "int32", 2 * bins)
        attrs = SignalEnergyAttrs(start, end)
    elif kind is OpKind.SIGNAL_FILTER_BANK:
        channels, weights = draw.integer(1, 9), draw.integer(1, 60)
        width = draw.rng.integers(0, min(bins, weights) + 1, channels + 1)
        x, attrs, shape, dtype = given("uint32", bins), SignalFilterBankAttrs(channels), (channels,), "uint64"
        constants = [
            constant(name, draw.rng.integers(0, 1 << 15, size) * draw.rng.integers(0, 2, size))
            for name, size in (("v", weights), ("w", weights + draw.integer(0, 2)))
        ]
        constants += [constant(f"first_{end}", draw.rng.integers(0, end - width + 1)) for end in (bins, weights)]
        constants.append(constant("width", width))
    elif kind is OpKind.SIGNAL_FILTER_BANK_SQUARE_ROOT:
        x = given("uint64", bins)
        constants = [builder.given("shift", None, np.array(draw.integer(0, 31), np.int32))]
    elif kind is OpKind.SIGNAL_PCAN:
        x, attrs = given("uint32", bins), SignalPcanAttrs(draw.integer(0, 40))
        constants = [given("uint32", bins), constant("gains", draw.rng.integers(-(1 << 15), 1 << 15, GAINS))]
    elif draw.integer(0, 2) == 0:
        x, dtype = given("uint64", bins), "int16"
        attrs = SignalLogAttrs(draw.integer(0, 1400), 0, 1 << draw.integer(0, 31))
    else:
        scale = draw.one_of(64, 1 << draw.integer(0, 30), -5)
        x, attrs, dtype = given("uint32", bins), SignalLogAttrs(scale, draw.integer(0, 31)), "int16"
    return builder.finish(kind, [x, *constants], shape, None, attrs, dtype)
