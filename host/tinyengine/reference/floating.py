"""Operators of float32: every operation rounded on its own, sums in the order in which TFLite's reference kernels add.

Vectorized over outputs; what is summed is walked one by one, so that NumPy has no order of its own.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tinyengine.ir import Graph, Operator, OpKind, floating
from tinyengine.ir.operators.movement import bilinear_reals
from tinyengine.ir.operators.recurrent import GATES
from tinyengine.ir.ops import (
    Activation,
    ActivationAttrs,
    ArgAttrs,
    Conv2DAttrs,
    CumsumAttrs,
    DepthwiseConv2DAttrs,
    ElementwiseAttrs,
    FullyConnectedAttrs,
    GeluAttrs,
    LeakyReluAttrs,
    LstmAttrs,
    MatmulAttrs,
    MeanAttrs,
    PoolAttrs,
    ResizeAttrs,
    SoftmaxAttrs,
    TransposeConvAttrs,
)
from tinyengine.reference.lines import scan
from tinyengine.reference.registry import oracle
from tinyengine.reference.windows import pad_picture, taps

F = np.float32


def _products(x: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(rows, products) times (outputs, products) to (rows, outputs)."""
    total = np.zeros((len(x), len(weights)), F)
    for k in range(x.shape[1]):
        total += x[:, k, None] * weights[None, :, k]
    return total


@oracle(OpKind.CONV_2D, dtype="float32")
def conv_2d(op: Operator, graph: Graph, inputs: list[np.ndarray]) -> np.ndarray:
    """Group by group; zeros around the picture."""
    assert isinstance(op.attrs, Conv2DAttrs)
    x, weights, bias = inputs
    window = op.attrs.window
    rows, columns = window.output_size(x.shape[1], x.shape[2])
    padded = pad_picture(x[0], window, 0)
    results = []
    for part, filters in zip(
        *(np.split(a, op.attrs.groups, axis) for a, axis in ((padded, 2), (weights, 0))), strict=True
    ):
        patches = np.concatenate([pixels for _, _, pixels in taps(part, window, rows, columns)], axis=-1)
        results.append(_products(patches.reshape(rows * columns, -1), filters.reshape(len(filters), -1)))
    return floating.clamp(np.concatenate(results, axis=-1) + bias.ravel(), op.attrs.activation)


@oracle(OpKind.FULLY_CONNECTED, dtype="float32")
def fully_connected(op: Operator, graph: Graph, inputs: list[np.ndarray]) -> np.ndarray:
    """Row by row."""
    assert isinstance(op.attrs, FullyConnectedAttrs)
    x, weights, bias = inputs
    return floating.clamp(_products(x.reshape(-1, weights.shape[1]), weights) + bias.ravel(), op.attrs.activation)


@oracle(OpKind.DEPTHWISE_CONV_2D, dtype="float32")
def depthwise_conv_2d(op: Operator, graph: Graph, inputs: list[np.ndarray]) -> np.ndarray:
    """Each output channel o filters input channel o // multiplier."""
    assert isinstance(op.attrs, DepthwiseConv2DAttrs)
    x, weights, bias = inputs
    window = op.attrs.window
    rows, columns = window.output_size(x.shape[1], x.shape[2])
    padded = pad_picture(np.repeat(x[0], op.attrs.multiplier, axis=-1), window, 0)
    total = np.zeros((rows, columns, weights.shape[-1]), F)
    for ky, kx, pixels in taps(padded, window, rows, columns):
        total += pixels * weights[0, ky, kx]
    return floating.clamp(total + bias.ravel(), op.attrs.activation)


@oracle(OpKind.AVERAGE_POOL_2D, dtype="float32")
def average_pool_2d(op: Operator, graph: Graph, inputs: list[np.ndarray]) -> np.ndarray:
    """The sum divided by the number of pixels inside the picture."""
    assert isinstance(op.attrs, PoolAttrs)
    x, window = inputs[0][0], op.attrs.window
    rows, columns = window.output_size(*x.shape[:2])
    total, count = (np.zeros((rows, columns, n), F) for n in (x.shape[2], 1))
    for _, _, pixels in taps(pad_picture(x, window, 0), window, rows, columns):
        total += pixels
    for _, _, inside in taps(pad_picture(np.ones((*x.shape[:2], 1), F), window, 0), window, rows, columns):
        count += inside
    return floating.clamp(total / count, op.attrs.activation)


@oracle(OpKind.MAX_POOL_2D, dtype="float32")
def max_pool_2d(op: Operator, graph: Graph, inputs: list[np.ndarray]) -> np.ndarray:
    """The largest pixel inside the picture."""
    assert isinstance(op.attrs, PoolAttrs)
    x, window = inputs[0][0], op.attrs.window
    rows, columns = window.output_size(*x.shape[:2])
    largest = np.full((rows, columns, x.shape[2]), -floating.LARGEST, F)
    padded = np.pad(x, (window.pad[:2], window.pad[2:], (0, 0)), constant_values=F(-floating.LARGEST))
    for _, _, pixels in taps(padded, window, rows, columns):
        largest = np.where(largest < pixels, pixels, largest)
    return floating.clamp(largest, op.attrs.activation)


# --- single values and pairs ---


def _square(x: np.ndarray) -> np.ndarray:
    return x * x


def _rsqrt(x: np.ndarray) -> np.ndarray:
    return F(1) / np.sqrt(x)


def _elu(x: np.ndarray) -> np.ndarray:
    return np.where(x < 0, floating.expm1(x), x)


def _hard_swish(x: np.ndarray) -> np.ndarray:
    up = x + F(3)
    up = np.where(up < 0, F(0), up)
    return x * np.where(up > 6, F(6), up) / F(6)


def _round(x: np.ndarray) -> np.ndarray:
    """Halves to the even neighbour. What is between -0.5 and 0 becomes 0 as in TFLite Micro, not -0."""
    whole = np.rint(x)
    return np.where((whole == 0) & (x != 0), F(0), whole)


UNARY: dict[OpKind, Callable[[np.ndarray], np.ndarray]] = {
    OpKind.TANH: floating.tanh,
    OpKind.LOGISTIC: floating.logistic,
    OpKind.EXP: floating.exp,
    OpKind.LOG: floating.log,
    OpKind.SQRT: np.sqrt,
    OpKind.RSQRT: _rsqrt,
    OpKind.SQUARE: _square,
    OpKind.ABS: np.abs,
    OpKind.NEG: np.negative,
    OpKind.ELU: _elu,
    OpKind.HARD_SWISH: _hard_swish,
    OpKind.FLOOR: np.floor,
    OpKind.CEIL: np.ceil,
    OpKind.ROUND: _round,
    OpKind.SIGN: np.sign,
    OpKind.SIN: floating.sin,
    OpKind.COS: floating.cos,
}
BINARY = {OpKind.ADD: np.add, OpKind.SUB: np.subtract, OpKind.MUL: np.multiply, OpKind.DIV: np.divide}


@oracle(*UNARY, dtype="float32")
def unary(op: Operator, graph: Graph, inputs: list[np.ndarray]) -> np.ndarray:
    """The device's function."""
    with np.errstate(all="ignore"):
        return UNARY[op.kind](inputs[0])


@oracle(OpKind.RELU, dtype="float32")
def relu(op: Operator, graph: Graph, inputs: list[np.ndarray]) -> np.ndarray:
    """A clamp, but that infinity stays."""
    assert isinstance(op.attrs, ActivationAttrs)
    if op.attrs.activation is Activation.RELU:
        return np.where(inputs[0] < 0, F(0), inputs[0])
    return floating.clamp(inputs[0], op.attrs.activation)


@oracle(OpKind.LEAKY_RELU, dtype="float32")
def leaky_relu(op: Operator, graph: Graph, inputs: list[np.ndarray]) -> np.ndarray:
    """x, or x times alpha where x is not positive."""
    assert isinstance(op.attrs, LeakyReluAttrs)
    return np.where(inputs[0] > 0, inputs[0], inputs[0] * F(op.attrs.alpha))


@oracle(OpKind.GELU, dtype="float32")
def gelu(op: Operator, graph: Graph, inputs: list[np.ndarray]) -> np.ndarray:
    """Either."""
    assert isinstance(op.attrs, GeluAttrs)
    return floating.gelu(inputs[0], op.attrs.approximate)


@oracle(*BINARY, dtype="float32")
def binary(op: Operator, graph: Graph, inputs: list[np.ndarray]) -> np.ndarray:
    """With a fused activation."""
    assert isinstance(op.attrs, ElementwiseAttrs)
    with np.errstate(all="ignore"):
        return floating.clamp(BINARY[op.kind](*inputs), op.attrs.activation)


@oracle(OpKind.FLOOR_DIV, dtype="float32")
def floor_div(op: Operator, graph: Graph, inputs: list[np.ndarray]) -> np.ndarray:
    """Rounded down."""
    return floating.floor_div(inputs[0], inputs[1])


@oracle(OpKind.FLOOR_MOD, dtype="float32")
def floor_mod(op: Operator, graph: Graph, inputs: list[np.ndarray]) -> np.ndarray:
    """The rest, with the divisor's sign."""
    return floating.floor_mod(inputs[0], inputs[1])


@oracle(OpKind.ADD_N, dtype="float32")
def add_n(op: Operator, graph: Graph, inputs: list[np.ndarray]) -> np.ndarray:
    """One after the other, from zero."""
    return floating.sum_in_order(np.stack(inputs), (0,))


@oracle(OpKind.BATCH_MATMUL, dtype="float32")
def batch_matmul(op: Operator, graph: Graph, inputs: list[np.ndarray]) -> np.ndarray:
    """Of the last two axes; products one after the other."""
    assert isinstance(op.attrs, MatmulAttrs)
    a = inputs[0].swapaxes(-1, -2) if op.attrs.adj_x else inputs[0]
    b = inputs[1] if op.attrs.adj_y else inputs[1].swapaxes(-1, -2)
    total = np.zeros(graph.tensor(op.outputs[0]).shape, F)
    for k in range(a.shape[-1]):
        total = total + a[..., :, None, k] * b[..., None, :, k]
    return total


@oracle(OpKind.TRANSPOSE_CONV, dtype="float32")
def transpose_conv(op: Operator, graph: Graph, inputs: list[np.ndarray]) -> np.ndarray:
    """Each input pixel is added to the outputs under its window, channel by channel; then the biases."""
    assert isinstance(op.attrs, TransposeConvAttrs)
    x, weights, bias = inputs
    _, height, width, _ = graph.tensor(op.outputs[0]).shape
    (kh, kw), (sh, sw), (top, _, left, _) = op.attrs.window.kernel, op.attrs.window.stride, op.attrs.window.pad
    total = np.zeros((top + height + kh + x.shape[1] * sh, left + width + kw + x.shape[2] * sw, bias.size), F)
    for i in range(x.shape[1]):
        for j in range(x.shape[2]):
            under = total[i * sh : i * sh + kh, j * sw : j * sw + kw]
            for channel in range(x.shape[3]):
                under += x[0, i, j, channel] * weights[..., channel].transpose(1, 2, 0)
    return floating.clamp(total[top : top + height, left : left + width] + bias.ravel(), op.attrs.activation)


@oracle(OpKind.RESIZE_BILINEAR, dtype="float32")
def resize_bilinear(op: Operator, graph: Graph, inputs: list[np.ndarray]) -> np.ndarray:
    """The four pixels around each output pixel, each times both weights, added in the order up, down, up, down."""
    assert isinstance(op.attrs, ResizeAttrs)
    x, shape = inputs[0], graph.tensor(op.outputs[0]).shape
    up, under, down = bilinear_reals(op.attrs, x.shape[1], shape[1])
    first, second, right = bilinear_reals(op.attrs, x.shape[2], shape[2])
    down, right = down[:, None, None], right[:, None]

    def pixels(rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        return x[:, rows][:, :, columns]

    total = F(0) + pixels(up, first) * (F(1) - down) * (F(1) - right)  # so a sum of negative zeros is a positive one
    total = total + pixels(under, first) * down * (F(1) - right)
    return total + pixels(up, second) * (F(1) - down) * right + pixels(under, second) * down * right


@oracle(OpKind.CUMSUM, dtype="float32")
def cumsum(op: Operator, graph: Graph, inputs: list[np.ndarray]) -> np.ndarray:
    """One value after the other."""
    assert isinstance(op.attrs, CumsumAttrs)
    return scan(inputs[0], op.attrs)


@oracle(OpKind.SQUARED_DIFFERENCE, dtype="float32")
def squared_difference(op: Operator, graph: Graph, inputs: list[np.ndarray]) -> np.ndarray:
    """The difference times itself."""
    difference = inputs[0] - inputs[1]
    return difference * difference


@oracle(OpKind.PRELU, dtype="float32")
def prelu(op: Operator, graph: Graph, inputs: list[np.ndarray]) -> np.ndarray:
    """x, or x times a slope where x is negative."""
    return np.where(inputs[0] >= 0, inputs[0], inputs[0] * inputs[1])


# --- over axes ---


@oracle(OpKind.MEAN, OpKind.SUM, dtype="float32")
def total(op: Operator, graph: Graph, inputs: list[np.ndarray]) -> np.ndarray:
    """The sum, of a mean divided by the number of values."""
    assert isinstance(op.attrs, MeanAttrs)
    result = floating.sum_in_order(inputs[0], op.attrs.axes)
    return result / F(inputs[0].size // max(result.size, 1)) if op.kind is OpKind.MEAN else result


@oracle(OpKind.REDUCE_MAX, OpKind.REDUCE_MIN, dtype="float32")
def reduce_max(op: Operator, graph: Graph, inputs: list[np.ndarray]) -> np.ndarray:
    """In the order of memory, of zeros the first one; what is no number is passed over."""
    assert isinstance(op.attrs, MeanAttrs)
    axes, better = op.attrs.axes, np.greater if op.kind is OpKind.REDUCE_MAX else np.less
    moved = np.moveaxis(inputs[0], axes, range(len(axes)))
    start = -floating.LARGEST if op.kind is OpKind.REDUCE_MAX else floating.LARGEST
    best = np.full(moved.shape[len(axes) :], start, F)
    for value in moved.reshape(-1, *best.shape):
        best = np.where(better(value, best), value, best)
    return best


@oracle(OpKind.ARG_MAX, OpKind.ARG_MIN, dtype="float32")
def arg_max(op: Operator, graph: Graph, inputs: list[np.ndarray]) -> np.ndarray:
    """The first of several extremes; nothing is better than what is no number, if that comes first."""
    assert isinstance(op.attrs, ArgAttrs)
    better = np.greater if op.kind is OpKind.ARG_MAX else np.less
    values = np.moveaxis(inputs[0], op.attrs.axis, 0)
    best, place = values[0], np.zeros(values.shape[1:], np.int32)
    for i, value in enumerate(values[1:], 1):
        found = better(value, best)
        best, place = np.where(found, value, best), np.where(found, np.int32(i), place)
    return place


@oracle(OpKind.SOFTMAX, dtype="float32")
def softmax(op: Operator, graph: Graph, inputs: list[np.ndarray]) -> np.ndarray:
    """Exponentials of differences to the largest, over their sum."""
    assert isinstance(op.attrs, SoftmaxAttrs)
    x = inputs[0]
    exponentials = floating.exp((x - x.max(axis=-1, keepdims=True)) * F(op.attrs.beta))
    return exponentials / floating.sum_in_order(exponentials, (x.ndim - 1,))[..., None]


@oracle(OpKind.LOG_SOFTMAX, dtype="float32")
def log_softmax(op: Operator, graph: Graph, inputs: list[np.ndarray]) -> np.ndarray:
    """x - max - log(sum of exponentials)."""
    x = inputs[0]
    difference = x - x.max(axis=-1, keepdims=True)
    total = floating.sum_in_order(floating.exp(difference), (x.ndim - 1,))[..., None]
    return difference - floating.log(total)


@oracle(OpKind.L2_NORMALIZATION, dtype="float32")
def l2_normalization(op: Operator, graph: Graph, inputs: list[np.ndarray]) -> np.ndarray:
    """x over the root of the sum of squares, or over 1e-6 if that is less."""
    x = inputs[0]
    norm = np.sqrt(floating.sum_in_order(x * x, (x.ndim - 1,)))[..., None]
    return x / np.where(norm < F(1e-6), F(1e-6), norm)


@oracle(OpKind.UNIDIRECTIONAL_SEQUENCE_LSTM, dtype="float32")
def lstm(op: Operator, graph: Graph, inputs: list[np.ndarray]) -> list[np.ndarray]:
    """Per step and gate: the sum over x, the bias, the sum over the hidden state."""
    assert isinstance(op.attrs, LstmAttrs)
    x, hidden, cell, *constants = inputs
    weights, recurrent, biases = (constants[i : i + GATES] for i in (0, GATES, 2 * GATES))
    clip, rows = F(op.attrs.cell_clip), []
    for step in x.reshape(-1, 1, x.shape[-1]):
        gates = []
        for gate in range(GATES):
            first = floating.clamp(_products(step, weights[gate]) + biases[gate], Activation.NONE)
            gates.append(first + _products(hidden, recurrent[gate]))
        new, kept, change = floating.logistic(gates[0]), floating.logistic(gates[1]), floating.tanh(gates[2])
        cell = kept * cell + new * change
        if clip:
            cell = np.where(cell < -clip, -clip, np.where(cell > clip, clip, cell))
        hidden = floating.logistic(gates[3]) * floating.tanh(cell)
        rows.append(hidden)
    return [np.concatenate(rows), hidden, cell]
