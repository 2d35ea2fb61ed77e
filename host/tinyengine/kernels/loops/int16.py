"""Operators of int16 activations with int8 weights: generated loops."""

from __future__ import annotations

import numpy as np

from tinyengine.ir import Graph, Operator, OpKind
from tinyengine.ir.int16 import sigmoid_input, sigmoid_table, softmax_tables
from tinyengine.ir.operators import DEFINITIONS
from tinyengine.ir.operators.unary import Relu
from tinyengine.ir.ops import (
    Conv2DAttrs,
    DepthwiseConv2DAttrs,
    MeanAttrs,
    PoolAttrs,
    SoftmaxAttrs,
    TransposeConvAttrs,
    Window,
)
from tinyengine.ir.requant import add_params, mean_params, mul_params, pool_range
from tinyengine.kernels import access
from tinyengine.kernels.base import KernelCall, Target, lowering
from tinyengine.kernels.checks import require_image
from tinyengine.kernels.loops import text, walk
from tinyengine.kernels.loops.convolution import convolution
from tinyengine.kernels.loops.elementwise import Elementwise, elementwise
from tinyengine.kernels.loops.legacy import window_values
from tinyengine.kernels.loops.operators import lower_add_any, lower_mul_any
from tinyengine.kernels.loops.reduction import Pass, Reduction, reduction
from tinyengine.kernels.loops.text import Array, Value
from tinyengine.kernels.pool import require_pixels

HEADER = "te_int16.h"


def _weights(op: Operator, graph: Graph) -> np.ndarray:
    data = graph.tensor(op.inputs[1]).data
    assert data is not None
    return data.astype(np.int64)


@lowering(OpKind.CONV_2D, dtype="int16")
def lower_conv2d(op: Operator, graph: Graph, target: Target) -> KernelCall:
    """Any kernel, stride, dilation, padding, number of channels and groups."""
    assert isinstance(op.attrs, Conv2DAttrs)
    require_image(op, graph, graph.tensor(op.inputs[0]), graph.tensor(op.outputs[0]))
    return convolution(op, graph, op.attrs.window, _weights(op, graph), groups=op.attrs.groups)


@lowering(OpKind.DEPTHWISE_CONV_2D, dtype="int16")
def lower_depthwise(op: Operator, graph: Graph, target: Target) -> KernelCall:
    """A convolution of groups of one channel."""
    assert isinstance(op.attrs, DepthwiseConv2DAttrs)
    x = graph.tensor(op.inputs[0])
    require_image(op, graph, x, graph.tensor(op.outputs[0]))
    return convolution(op, graph, op.attrs.window, _weights(op, graph).transpose(3, 1, 2, 0), groups=x.shape[3])


@lowering(OpKind.TRANSPOSE_CONV, dtype="int16")
def lower_transpose_conv(op: Operator, graph: Graph, target: Target) -> KernelCall:
    """As that of int8: by the turned kernel, of the input with ``stride - 1`` empty pixels between two of its own."""
    assert isinstance(op.attrs, TransposeConvAttrs)
    require_image(op, graph, graph.tensor(op.inputs[0]), graph.tensor(op.outputs[0]))
    kernel, stride, (top, _, left, _) = op.attrs.window.kernel, op.attrs.window.stride, op.attrs.window.pad
    window = Window(kernel, pad=(kernel[0] - 1 - top, 0, kernel[1] - 1 - left, 0))
    return convolution(op, graph, window, _weights(op, graph)[:, ::-1, ::-1], spread=stride)


@lowering(OpKind.FULLY_CONNECTED, dtype="int16")
def lower_fully_connected(op: Operator, graph: Graph, target: Target) -> KernelCall:
    """A convolution of pixels that stand alone, one for each row."""
    weights = _weights(op, graph)
    rows = graph.tensor(op.inputs[0]).elements // weights.shape[1]
    return convolution(op, graph, Window((1, 1)), weights.reshape(len(weights), 1, 1, -1), rows=rows)


@lowering(OpKind.ADD, OpKind.SUB, dtype="int16")
def lower_add(op: Operator, graph: Graph, target: Target) -> KernelCall:
    return lower_add_any(op, graph, add_params(graph, op))


@lowering(OpKind.MUL, dtype="int16")
def lower_mul(op: Operator, graph: Graph, target: Target) -> KernelCall:
    return lower_mul_any(op, graph, mul_params(graph, op))


POOL = """for (int32_t i = 0, top = first_row; i < height; i++, top += stride_rows) {
    const int32_t from = top < 0 ? 0 : top;
    const int32_t to = top + kernel_rows < in_height ? top + kernel_rows : in_height;
    for (int32_t j = 0, left = first_column; j < width; j++, left += stride_columns) {
        const int32_t begin = left < 0 ? 0 : left;
        const int32_t end = left + kernel_columns < in_width ? left + kernel_columns : in_width;
        const int16_t *corner = in + (from * in_width + begin) * channels;
        for (int32_t c = 0; c < channels; c++, corner++) {
            const int16_t *row = corner;
            int32_t @START@;
            for (int32_t k = from; k < to; k++, row += in_width * channels) {
                const int16_t *x = row;
                for (int32_t l = begin; l < end; l++, x += channels) @EACH@;
            }
            *out++ = (int16_t)te_clamp(@RESULT@, low, high);
        }
    }
}"""

AVERAGE = POOL.replace("@START@", "sum = 0, count = (to - from) * (end - begin)").replace("@EACH@", "sum += *x")
AVERAGE = AVERAGE.replace("@RESULT@", "(sum > 0 ? sum + count / 2 : sum - count / 2) / count")
MAXIMUM = POOL.replace("@START@", "best = INT16_MIN").replace("@EACH@", "best = *x > best ? *x : best")
MAXIMUM = MAXIMUM.replace("@RESULT@", "best")


@lowering(OpKind.AVERAGE_POOL_2D, OpKind.MAX_POOL_2D, dtype="int16")
def lower_pool(op: Operator, graph: Graph, target: Target) -> KernelCall:
    """Any window that always covers a pixel of the picture."""
    assert isinstance(op.attrs, PoolAttrs)
    require_pixels(op, graph)
    x, y, window = graph.tensor(op.inputs[0]), graph.tensor(op.outputs[0]), op.attrs.window
    low, high = pool_range(graph, op)
    values = {name: value for name, value in window_values(x, y, window).items() if not name.startswith("dilation")}
    values |= {"low": low, "high": high}
    what, body = ("average", AVERAGE) if op.kind is OpKind.AVERAGE_POOL_2D else ("maximum", MAXIMUM)
    code = text.function(what, values, "const int16_t *in, int16_t *out", body.splitlines())
    touched = access.window_access(x, y, window, channelwise=True)
    return text.call(op, code, values, [x], touched, [access.overlap(touched, 0, y.nbytes)])


@lowering(OpKind.MEAN, dtype="int16")
def lower_mean(op: Operator, graph: Graph, target: Target) -> KernelCall:
    assert isinstance(op.attrs, MeanAttrs)
    requant = mean_params(graph, op).requant
    values: dict[str, Value] = {"factor": int(requant.multiplier[0]), "shift": int(requant.shift[0])}
    result = "y = te_clamp(te_scale(sum, factor, shift), INT16_MIN, INT16_MAX);"
    loop = Reduction("mean", ("int32_t sum = 0;",), (Pass(("sum += x;",), (result,)),), values)
    return reduction(op, graph, op.attrs.axes, loop)


# --- functions of one value ---


@lowering(OpKind.RELU, dtype="int16")
def lower_relu(op: Operator, graph: Graph, target: Target) -> KernelCall:
    definition, x, y = DEFINITIONS[op.kind], graph.tensor(op.inputs[0]), graph.tensor(op.outputs[0])
    assert isinstance(definition, Relu)
    requant = definition.requant(op, x, y)
    values: dict[str, Value] = {"low": requant.low, "high": requant.high}
    if x.scale == y.scale:
        return elementwise(op, graph, Elementwise("relu", ("y = te_clamp(x0, low, high);",), values))
    values |= {"factor": int(requant.multiplier[0]), "shift": int(requant.shift[0])}
    body = ("y = te_clamp(te_scale(x0, factor, shift), low, high);",)
    return elementwise(op, graph, Elementwise("relu", body, values))


SIGMOID = (
    "const int32_t v = (x0 * factor + half) >> shift;",
    "const uint32_t size = (uint32_t)(v < 0 ? -v : v);",
)
LOGISTIC = (
    *SIGMOID,
    "const int32_t s = size >> 9 >= 255 ? 0x7fff << 10 : te_sigmoid(table, size, 9);",
    "y = (v >= 0 ? s + 512 : (1 << 25) - s + 511) >> 10;",
)
TANH = (
    *SIGMOID,
    "const int32_t s = (size >> 8 >= 255 ? 0xffff << 8 : te_sigmoid(table, size, 8)) - (1 << 23);",
    "y = (v >= 0 ? s + 128 : 127 - s) >> 8;",
)


@lowering(OpKind.LOGISTIC, OpKind.TANH, dtype="int16")
def lower_sigmoid(op: Operator, graph: Graph, target: Target) -> KernelCall:
    """One table for both: the hyperbolic tangent is 2 * sigmoid(2x) - 1."""
    scale = sigmoid_input(op.kind, graph.tensor(op.inputs[0]).scale)
    values: dict[str, Value] = {"factor": scale.multiplier, "shift": scale.shift}
    values |= {"half": 1 << (scale.shift - 1) if scale.shift else 0, "table": Array("uint16", sigmoid_table)}
    body = LOGISTIC if op.kind is OpKind.LOGISTIC else TANH
    return elementwise(op, graph, Elementwise(op.kind.lower(), body, values), HEADER)


SOFTMAX = """for (int32_t row = 0; row < rows; row++, in += depth, out += depth) {
    int32_t largest = INT16_MIN, sum = 0;
    for (int32_t i = 0; i < depth; i++)
        if (in[i] > largest) largest = in[i];
    for (int32_t i = 0; i < depth; i++) {
        const int32_t x = te_clamp(te_scale(in[i] - largest, factor, shift) + INT16_MAX, INT16_MIN, INT16_MAX);
        const int32_t y = te_interpolate(exp, x);
        out[i] = (int16_t)y;
        sum += y;
    }
    int32_t bits = 1; /* sum is less than 2^bits */
    while (sum >> bits) bits++;
    const int32_t normalized = (int32_t)((((int64_t)sum << (31 - bits)) + (1 << 13)) >> 14);
    const int32_t share = te_interpolate(inverse, te_clamp(normalized - (3 << 15), INT16_MIN, INT16_MAX));
    const int32_t down = bits - 1, half = (1 << down) >> 1;
    for (int32_t i = 0; i < depth; i++) out[i] = (int16_t)te_clamp((out[i] * share + half) >> down, 0, INT16_MAX);
}"""


@lowering(OpKind.SOFTMAX, dtype="int16")
def lower_softmax(op: Operator, graph: Graph, target: Target) -> KernelCall:
    """The exponentials stand in the output until their sum is known."""
    assert isinstance(op.attrs, SoftmaxAttrs)
    x, y, p = graph.tensor(op.inputs[0]), graph.tensor(op.outputs[0]), softmax_tables(graph, op)
    depth = x.shape[-1]
    values: dict[str, Value] = {"rows": x.elements // depth, "depth": depth, "factor": p.multiplier, "shift": p.shift}
    values |= {"exp": Array("int16", lambda: p.exp), "inverse": Array("int16", lambda: p.inverse)}
    code = text.function("softmax", values, "const int16_t *in, int16_t *out", SOFTMAX.splitlines())
    first = np.arange(x.elements // depth) * depth * 2
    touched = walk.lines(first, first + depth * 2, y.nbytes, in_step=True)
    return text.call(op, code, values, [x], touched, [access.overlap(touched, 0, y.nbytes)], HEADER)
