"""Operators aimed at the fast kernels: every variant, the ends of their loops, sums at the limits of their formulas."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from hypothesis import HealthCheck, Phase, settings
from tinyengine.ir import Activation, OpKind, Quantization
from tinyengine.ir.ops import Attrs, Conv2DAttrs, DepthwiseConv2DAttrs, ElementwiseAttrs, FullyConnectedAttrs, Window
from tinyengine.kernels.depthwise_map import MapKernel, map_kernels
from tinyengine.sizes import ceil_div

from tests.helpers.cases import CaseBuilder, Draw, OpCase

EXTREMES = ("random", "ends", "all -128", "all 127", "against the weights")


@dataclass(frozen=True)
class Numbers:
    """What the values of a case look like."""

    weights: str = "random"  # one of EXTREMES but the last
    x: str = "random"  # one of EXTREMES
    bias: int = 20000  # magnitude
    multiplier: tuple[float, float] = (0.0005, 0.02)  # range of the real multipliers
    zero_x: int | None = None


def int8(draw: Draw, shape: tuple[int, ...], kind: str) -> np.ndarray:
    if kind == "all -128":
        return np.full(shape, -128, np.int8)
    if kind == "all 127":
        return np.full(shape, 127, np.int8)
    if kind == "ends":
        return draw.rng.choice(np.array([-128, 127], np.int8), shape)
    return draw.rng.integers(-128, 128, shape, np.int8)


def _finish(
    draw: Draw,
    kind: OpKind,
    x: np.ndarray,
    weights: np.ndarray,
    axis: int,
    shape: tuple[int, ...],
    attrs: Attrs,
    n: Numbers,
) -> OpCase:
    """Weights, bias and scales such that the real multipliers spread over ``n.multiplier``."""
    builder = CaseBuilder()
    channels = weights.shape[axis]
    zero_x = draw.integer(-128, 127) if n.zero_x is None else n.zero_x
    x_scale, y_scale = 0.25, 0.5
    builder.given("x", Quantization((x_scale,), (zero_x,)), x)
    real = np.exp(draw.rng.uniform(*np.log(n.multiplier), channels))
    scales = tuple(float(np.float32(r * y_scale / x_scale)) for r in real)
    builder.constant(weights, Quantization(scales, (0,) * channels, axis), "w")
    bias = draw.rng.integers(-n.bias, n.bias + 1, channels).astype(np.int32)
    builder.constant(bias, Quantization(tuple(x_scale * s for s in scales), (0,) * channels, 0), "b")
    out = Quantization((y_scale,), (draw.zero(),))
    return builder.finish(kind, ["x", "w", "b"], shape, out, attrs)


def conv(
    draw: Draw,
    size: tuple[int, int, int],
    outputs: int,
    window: Window,
    n: Numbers,
    activation: str = "none",
    all_weights: bool = False,
) -> OpCase:
    """CONV_2D on (rows, columns, channels). Unless ``all_weights``, three of four have weights from -127 on, as those
    of TFLite's converter."""
    x = int8(draw, (1, *size), n.x)
    weights = int8(draw, (outputs, *window.kernel, size[2]), n.weights)
    if not all_weights and x.flat[0] % 4:
        weights = np.maximum(weights, np.int8(-127))
    attrs = Conv2DAttrs(window, Activation(activation))
    shape = (1, *window.output_size(*size[:2]), outputs)
    return _finish(draw, OpKind.CONV_2D, x, weights, 0, shape, attrs, n)


def depthwise(
    draw: Draw,
    size: tuple[int, int, int],
    window: Window,
    n: Numbers,
    activation: str = "none",
    multiplier: int = 1,
) -> OpCase:
    """DEPTHWISE_CONV_2D. ``x`` "against the weights" drives sums to their ends: every pixel has the
    sign of a random tap of its channel (of the first of its channels)."""
    weights = int8(draw, (1, *window.kernel, size[2] * multiplier), n.weights)
    if n.x == "against the weights":
        taps = weights.reshape(-1, size[2] * multiplier)[:, ::multiplier]
        chosen = taps[draw.rng.integers(0, len(taps), size[0] * size[1])]
        x = np.where(chosen < 0, -128, 127).astype(np.int8).reshape(1, *size)
    else:
        x = int8(draw, (1, *size), n.x)
    attrs = DepthwiseConv2DAttrs(window, multiplier, Activation(activation))
    shape = (1, *window.output_size(*size[:2]), weights.shape[3])
    return _finish(draw, OpKind.DEPTHWISE_CONV_2D, x, weights, 3, shape, attrs, n)


def dense(draw: Draw, inputs: int, outputs: int, n: Numbers) -> OpCase:
    """FULLY_CONNECTED. Three of four have weights from -127 on, as ``conv``."""
    x = int8(draw, (1, inputs), n.x)
    weights = int8(draw, (outputs, inputs), n.weights)
    if x.flat[0] % 4:
        weights = np.maximum(weights, np.int8(-127))
    return _finish(draw, OpKind.FULLY_CONNECTED, x, weights, 0, (1, outputs), FullyConnectedAttrs(), n)


def add(draw: Draw, count: int, equal: bool, ties: bool = False) -> OpCase:
    """ADD of two tensors of ``count`` elements, the larger scale first or second, or both the same; with ``ties``
    scales are powers of two, so that many sums lie halfway between two outputs."""
    scales = [draw.scale(0.01, 0.1)] * 2 if equal else [draw.scale(0.01, 0.1), draw.scale(0.01, 0.1)]
    out = draw.scale(0.01, 0.3)
    if ties:
        scales = [0.25, 0.25] if equal else draw.one_of([0.25, 0.5], [0.5, 0.125])
        out = draw.one_of(0.5, 1.0)
    kinds = [draw.one_of("random", "random", "ends", "all -128") for _ in "ab"]
    values = [int8(draw, (1, count), kind) for kind in kinds]
    return addition(draw, values, scales, out, Activation(draw.one_of("none", "none", *CLAMPS)))


def addition(
    draw: Draw, values: list[np.ndarray], scales: list[float], out: float, activation: Activation = Activation.NONE
) -> OpCase:
    """ADD of two given tensors."""
    builder = CaseBuilder()
    for name, scale, value in zip("ab", scales, values, strict=True):
        builder.given(name, Quantization((scale,), (draw.zero(),)), value)
    quantization = Quantization((out,), (draw.zero(),))
    return builder.finish(OpKind.ADD, ["a", "b"], values[0].shape, quantization, ElementwiseAttrs(activation))


def every_addition(draw: Draw) -> OpCase:
    """ADD of every pair of values."""
    a, b = np.meshgrid(np.arange(-128, 128, dtype=np.int8), np.arange(-128, 128, dtype=np.int8))
    scales = [draw.scale(0.01, 0.1), draw.scale(0.01, 0.1)]
    out = max(scales) * draw.scale(0.7, 2.0)
    return addition(draw, [v[None] for v in (a, b)], scales, float(np.float32(out)))


SMALL = Numbers()
LARGE = Numbers(multiplier=(0.3, 3.0))
CLAMPS = ("none", "relu", "relu6", "relu_n1_to_1")


def _window(draw: Draw, size: tuple[int, int], kernels: tuple[int, ...], strides: tuple[int, ...]) -> Window:
    """Square kernels, SAME-like, VALID or any padding smaller than the kernel, with at least one output."""
    while True:
        k = draw.one_of(*kernels)
        stride = (draw.one_of(*strides), draw.one_of(*strides))
        same = ((k - 1) // 2, k // 2, (k - 1) // 2, k // 2)
        pad = draw.one_of(same, (0,) * 4, tuple(draw.integer(0, k - 1) for _ in range(4)))
        window = Window((k, k), stride, (1, 1), pad)
        if min(window.output_size(*size)) > 0:
            return window


def depthwise_cases(draw: Draw, count: int) -> list[OpCase]:
    """Kernels 3, 5, 7 (polynomials), now and then another; widths around the loops' blocks of 6."""
    cases = []
    for _ in range(count):
        size = (draw.integer(1, 12), draw.one_of(draw.integer(1, 8), draw.integer(5, 26)), draw.integer(1, 5))
        window = _window(draw, size[:2], draw.one_of((3, 5, 7), (3, 5, 7), (3, 5, 7), (1, 2, 4, 9)), (1, 1, 2))
        numbers = draw.one_of(SMALL, SMALL, SMALL, Numbers("random", "against the weights"), LARGE)
        cases.append(depthwise(draw, size, window, numbers, draw.one_of("none", "none", *CLAMPS)))
    return cases


def map_cases(draw: Draw) -> list[OpCase]:
    """Every kernel for whole maps, on more rows than padding and on few, some with a channel of constant results."""
    cases = []
    for kernel in map_kernels():
        height = draw.integer(4, 7) if kernel.kernel > 3 else draw.integer(2, 5)
        top = draw.one_of(kernel.pad, kernel.kernel // 2)
        window = _map_window(kernel, top)
        numbers = draw.one_of(SMALL, Numbers("random", "against the weights"))
        case = depthwise(draw, (height, kernel.width, 2), window, numbers)
        if draw.integer(0, 3) == 0:  # a dead channel: zero weights and a bias that the converter saturated, or small
            case.graph.tensor("w").data[..., 1] = 0
            case.graph.tensor("b").data[1] = draw.one_of(-(1 << 31), (1 << 31) - 1, 5000)
        cases.append(case)
    return cases


def _map_window(kernel: MapKernel, top: int) -> Window:
    """With ``top`` rows of padding above."""
    size, stride = kernel.kernel, kernel.stride
    right = (ceil_div(kernel.width, stride) - 1) * stride + size - kernel.width - kernel.pad
    return Window((size, size), (stride, stride), (1, 1), (top, size // 2, kernel.pad, right))


def limit_cases(draw: Draw) -> list[OpCase]:
    """Depthwise channels whose fields are full: the largest and the smallest bias that passes the range check of whole
    maps, and one beyond, with weights and inputs at their ends."""
    cases = []
    for kernel in map_kernels():
        if kernel.width not in (9, 10, 20):
            continue
        window = _map_window(kernel, kernel.kernel // 2)
        for weights in ("ends", "all -128", "all 127", "random"):
            zero = draw.one_of(-128, 127, 3)
            numbers = Numbers(weights, "against the weights", 0, (0.00005, 0.0001), zero)
            case = depthwise(draw, (9, kernel.width, 8), window, numbers)
            taps = np.asarray(case.graph.tensor("w").data)[0].transpose(2, 0, 1).astype(np.int64)
            limits = [_limit(kernel, taps, zero, doubled, sign) for doubled in (False, True) for sign in (1, -1)]
            beyond = [limit + np.sign(limit) for limit in limits]
            data = case.graph.tensor("b").data
            data[:] = np.choose(np.arange(8), [*limits, *beyond])
            _fill(draw, case.inputs[0][0], taps, np.array([1, -1] * 4), kernel)
            cases.append(case)
    return cases


def _limit(kernel: MapKernel, taps: np.ndarray, zero: int, doubled: bool, sign: int) -> np.ndarray:
    """Per channel the bias farthest from 0 in the direction of ``sign`` that fits, or 0; by bisection."""
    low, high = np.zeros(len(taps), np.int64), np.full(len(taps), 1 << 21)
    while (high - low > 1).any():
        middle = (low + high) // 2
        fits = kernel.fits(taps, sign * middle, zero, doubled)
        low, high = np.where(fits, middle, low), np.where(fits, high, middle)
    return sign * low


def _fill(draw: Draw, x: np.ndarray, taps: np.ndarray, signs: np.ndarray, kernel: MapKernel) -> None:
    """Make the sum at some place of each channel of ``x`` (rows, columns, channels) the largest (sign 1) or least."""
    size, stride = kernel.kernel, kernel.stride
    for channel, sign in enumerate(signs):
        row = draw.one_of(*range(-(size // 2) % stride, x.shape[0] - size + 1, stride))
        left = draw.one_of(*range(-kernel.pad % stride, kernel.width - size + 1, stride))
        window = x[row : row + size, left : left + size, channel]
        window[...] = np.where(sign * taps[channel] < 0, -128, 127)


def quad_cases(draw: Draw, count: int) -> list[OpCase]:
    """Depthwise 3 x 3 of 4 to 12 channels: one to several bands of rows, every rest of the loop over columns, padding
    or none at each side, multipliers on both sides of 0.5; of every width, so that many have no kernel for maps."""
    cases = []
    for _ in range(count):
        size = (draw.integer(1, 20), draw.one_of(draw.integer(1, 30), draw.integer(49, 56)), 4 * draw.integer(1, 3))
        stride = draw.one_of(1, 1, 2)
        pad = draw.one_of((1, 1, 1, 1), (0, 1, 0, 1), (0,) * 4, tuple(draw.integer(0, 1) for _ in range(4)))
        window = Window((3, 3), (stride, stride), (1, 1), pad)
        if min(window.output_size(*size[:2])) < 1:
            continue
        mixed = Numbers(multiplier=(0.4, 20.0))
        numbers = draw.one_of(SMALL, LARGE, Numbers("ends", "ends"), Numbers("random", "against the weights"), mixed)
        case = depthwise(draw, size, window, numbers, draw.one_of("none", "none", *CLAMPS))
        if draw.integer(0, 5) == 0:  # a dead channel
            case.graph.tensor("w").data[..., 1] = 0
            case.graph.tensor("b").data[1] = draw.one_of(-(1 << 31), (1 << 31) - 1, 5000)
        cases.append(case)
    return cases


def column_cases(draw: Draw, count: int) -> list[OpCase]:
    """Windows as wide as the picture, without padding: 1 to 9 channels or up to 70, few rows or many, also dilated; and
    some layers of few outputs and thousands of inputs."""
    cases = []
    for _ in range(count):
        width = draw.one_of(1, 1, 1, draw.integer(2, 5))
        kernel = (draw.integer(1, 12), width)
        stride, dilation = draw.integer(1, 3), draw.integer(1, 3) if width == 1 else 1
        rows = (kernel[0] - 1) * dilation + 1 + draw.one_of(0, 0, draw.integer(1, 12))
        size = (rows, width, draw.one_of(draw.integer(1, 9), draw.integer(1, 70)))
        window = Window(kernel, (stride, draw.integer(1, 2)), (dilation, 1))
        numbers = draw.one_of(SMALL, LARGE, Numbers("ends", "ends"), Numbers("random", "against the weights"))
        cases.append(depthwise(draw, size, window, numbers, draw.one_of("none", "none", *CLAMPS)))
    lengths = [draw.integer(2048, 2100) for _ in range(count // 10)]
    few = (1, draw.integer(2, 4))
    return cases + [dense(draw, k, n, draw.one_of(SMALL, Numbers("ends", "ends"))) for k in lengths for n in few]


def direct_cases(draw: Draw, count: int) -> list[OpCase]:
    """Depthwise convolutions whose windows have any size, step, holes and padding, also where they see no pixel; of 1
    to 18 channels, each with one output or several."""
    cases = []
    for _ in range(count):
        kernel, dilation = _two(draw, 1, 5), draw.one_of((1, 1), (1, 1), _two(draw, 1, 3))
        reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
        pad = [draw.one_of(0, (r - 1) // 2, draw.integer(0, r + 1)) for r in reach for _ in "ab"]
        rows, columns = (max(1, reach[i] - pad[2 * i] - pad[2 * i + 1]) + draw.integer(0, 6) for i in (0, 1))
        window = Window(kernel, _two(draw, 1, 3), dilation, tuple(pad))
        numbers = draw.one_of(SMALL, SMALL, LARGE, Numbers("ends", "ends"), Numbers("random", "against the weights"))
        size, multiplier = (
            (rows, columns, draw.one_of(draw.integer(1, 5), draw.integer(1, 18))),
            draw.one_of(1, 1, 2, 4),
        )
        cases.append(depthwise(draw, size, window, numbers, draw.one_of("none", "none", *CLAMPS), multiplier))
    return cases


def _two(draw: Draw, low: int, high: int) -> tuple[int, int]:
    return draw.integer(low, high), draw.integer(low, high)


def conv_cases(draw: Draw, count: int) -> list[OpCase]:
    """Fields of 1 to 400 values, 2 to 24 outputs, odd everything."""
    cases = []
    for _ in range(count):
        channels = draw.one_of(8, draw.integer(1, 9), draw.integer(1, 48), draw.integer(1, 48))
        size = (draw.integer(1, 9), draw.integer(1, 13), channels)
        kernels = (1, 1, 3) if channels > 9 else (1, 2, 3, 5)
        window = _window(draw, size[:2], kernels, (1, 1, 2))
        numbers = draw.one_of(SMALL, SMALL, LARGE)
        cases.append(conv(draw, size, draw.integer(2, 24), window, numbers, draw.one_of("none", "none", *CLAMPS)))
    return cases


def dense_cases(draw: Draw, count: int) -> list[OpCase]:
    """Vectors that are and are not multiples of 4."""
    return [dense(draw, draw.integer(1, 70), draw.integer(1, 21), draw.one_of(SMALL, LARGE)) for _ in range(count)]


def add_cases(draw: Draw, count: int) -> list[OpCase]:
    """Every count around the loop's unrolling."""
    return [
        add(
            draw,
            draw.one_of(draw.integer(1, 17), draw.integer(200, 300)),
            draw.one_of(False, False, True),
            draw.one_of(False, False, True),
        )
        for _ in range(count)
    ]


def repeated_cases(draw: Draw, count: int) -> list[OpCase]:
    """ADD, SUB and MUL of pictures and of what serves all their pixels, constant or not; MUL of two pictures."""
    cases = []
    for _ in range(count):
        builder = CaseBuilder()
        shape = (1, draw.integer(1, 5), draw.integer(1, 5), draw.one_of(1, 3, 4, draw.integer(4, 40), 64))
        kind = draw.one_of(OpKind.ADD, OpKind.SUB, OpKind.MUL, OpKind.MUL)
        whole = kind is OpKind.MUL and draw.one_of(False, True)
        other = shape if whole else draw.one_of((1,) * 3 + shape[3:], (1, 1, *shape[2:]), (1, 1, 1, 1))
        constant = draw.one_of(False, True)
        ties = kind is not OpKind.MUL and draw.one_of(False, False, True)
        scales = draw.one_of([0.25, 0.5], [0.5, 0.125]) if ties else [draw.scale(0.01, 0.1) for _ in "ab"]
        quants = [Quantization((scale,), (draw.zero(),)) for scale in scales]
        names = [builder.given("x", quants[0], int8(draw, shape, draw.one_of(*EXTREMES[:4])))]
        value = int8(draw, other, draw.one_of("random", "random", "ends"))
        names.append(builder.constant(value, quants[1], "k") if constant else builder.given("z", quants[1], value))
        most = quants[0].scale[0] * quants[1].scale[0] * 80 if kind is OpKind.MUL else max(q.scale[0] for q in quants)
        scale = draw.one_of(0.5, 1.0) if ties else float(np.float32(most * draw.scale(0.3, 6.0)))
        out = Quantization((scale,), (draw.one_of(-128, draw.zero()),))
        attrs = ElementwiseAttrs(Activation(draw.one_of("none", "none", *CLAMPS)))
        cases.append(builder.finish(kind, draw.one_of(names, names[::-1]), shape, out, attrs))
    return cases


def extreme_cases(draw: Draw) -> list[OpCase]:
    """Sums at their ends: full-range weights and inputs, all -128, biases up to what the formulas bear and beyond."""
    cases = []
    same = {k: Window((k, k), (1, 1), (1, 1), ((k - 1) // 2, k // 2) * 2) for k in (1, 3, 5, 7)}
    for weights in EXTREMES[:4]:
        for x in EXTREMES:
            for bias in (0, 1 << 18, 1 << 20, 1 << 29):
                n = Numbers(weights, x, bias, (0.00001, 0.001), draw.one_of(-128, 0, 127))
                kernel = draw.one_of(3, 5, 7)
                cases.append(depthwise(draw, (6, 9, 3), same[kernel], n))
                cases.append(conv(draw, (3, 5, 12), 5, same[draw.one_of(1, 3)], n))
                cases.append(dense(draw, 33, 7, n))
    return cases


EXAMPLES = settings(
    max_examples=2,
    deadline=None,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
