"""What only networks of uint8 need: channels with weights of more than 8 bits, average pools that round halves up."""

from __future__ import annotations

import numpy as np

from tinyengine.ir import Graph, Operator, OpKind, Tensor
from tinyengine.ir.ops import ConvChannelsAttrs, PoolAttrs, Window
from tinyengine.ir.requant import conv_channels_requant, pool_range
from tinyengine.kernels import access, params
from tinyengine.kernels.base import KernelCall, Overlap, Target, lowering
from tinyengine.kernels.checks import require_image
from tinyengine.kernels.conv import is_pointwise
from tinyengine.kernels.loops import text
from tinyengine.kernels.loops.text import Array, Value

CHANNELS = """for (int32_t c = 0; c < count; c++) {
    const int8_t *const picture = in + first[c];
    const int16_t *const kernel = weights + c * kernel_rows * kernel_columns * depth;
    const int32_t start = bias[c], start_whole = bias_whole[c];
    const int32_t reach_rows = (kernel_rows - 1) * dilation_rows, reach = (kernel_columns - 1) * dilation_columns;
    int8_t *to = out + place[c];
    for (int32_t i = 0, top = first_row; i < height; i++, top += stride_rows) {
        const int32_t inside = top >= 0 && top + reach_rows < in_height;
        const int8_t *const line = picture + top * in_width * in_channels;
        for (int32_t j = 0, left = first_column; j < width; j++, left += stride_columns, to += channels) {
            int32_t sum;
            if (inside && left >= 0 && left + reach < in_width) {
                sum = start_whole;
                const int16_t *v = kernel;
                for (int32_t k = 0; k < kernel_rows; k++) {
                    const int8_t *x = line + (k * dilation_rows * in_width + left) * in_channels;
@WHOLE@
                }
            } else {
                sum = start;
                const int16_t *v = kernel;
                for (int32_t k = 0; k < kernel_rows; k++)
                    for (int32_t l = 0; l < kernel_columns; l++, v += depth) {
                        const int32_t row = top + k * dilation_rows, column = left + l * dilation_columns;
                        if (row < 0 || row >= in_height || column < 0 || column >= in_width) continue;
                        const int8_t *x = picture + (row * in_width + column) * in_channels;
                        for (int32_t d = 0; d < depth; d++) sum += (x[d] - zero0) * v[d];
                    }
            }
@REQUANTIZE@
        }
    }
}"""

TWICE = """*to = (int8_t)te_clamp(te_wrap_add(te_scale(sum, factor, shift), zero), low, high);"""

ONCE = """const int8_t down = (int8_t)shift;
const te_requant q = {&factor, &down, (int16_t)zero, (int16_t)low, (int16_t)high, 1};
*to = te_requantize_once(sum, &q, 0);"""

PIXELS = """for (int32_t c = 0; c < count; c++) {
    const int8_t *pixel = in + first[c];
    const int16_t *const kernel = weights + c * depth;
    const int32_t start = bias_whole[c];
    int8_t *to = out + place[c];
    for (int32_t n = height * width; n > 0; n--, pixel += in_channels, to += channels) {
        const int8_t *x = pixel;
        const int16_t *v = kernel;
        int32_t sum = start, rest = depth;
        for (; rest >= 4; rest -= 4, x += 4, v += 4) sum += x[0] * v[0] + x[1] * v[1] + x[2] * v[2] + x[3] * v[3];
        for (; rest > 0; rest--) sum += *x++ * *v++;
@REQUANTIZE@
    }
}"""
"""CHANNELS where each pixel stands alone."""

SINGLE = """for (int32_t l = 0; l < kernel_columns; l++, x += dilation_columns * in_channels) sum += *x * *v++;"""
"""Of one input channel."""

RUN = """int32_t rest = kernel_columns * depth;
for (; rest >= 4; rest -= 4, x += 4, v += 4) sum += x[0] * v[0] + x[1] * v[1] + x[2] * v[2] + x[3] * v[3];
for (; rest > 0; rest--) sum += *x++ * *v++;"""
"""Of taps that are neighbours, with all their channels."""

APART = """for (int32_t l = 0; l < kernel_columns; l++, x += dilation_columns * in_channels - depth)
    for (int32_t d = 0; d < depth; d++) sum += *x++ * *v++;"""

AVERAGE = """for (int32_t i = 0, top = first_row; i < height; i++, top += stride_rows) {
    const int32_t from = top < 0 ? 0 : top;
    const int32_t to = top + kernel_rows < in_height ? top + kernel_rows : in_height;
    for (int32_t j = 0, left = first_column; j < width; j++, left += stride_columns, out += channels) {
        const int32_t begin = left < 0 ? 0 : left;
        const int32_t end = left + kernel_columns < in_width ? left + kernel_columns : in_width;
        const int32_t count = (to - from) * (end - begin);
        for (int32_t c = 0; c < channels; c++) {
            int32_t sum = 128 * count + count / 2;
            for (int32_t k = from; k < to; k++)
                for (int32_t l = begin; l < end; l++) sum += in[(k * in_width + l) * channels + c];
            out[c] = (int8_t)te_clamp(sum / count - 128, low, high);
        }
    }
}"""


def _indented(lines: str, by: int) -> str:
    return "\n".join(" " * by + line for line in lines.splitlines())


def window_values(x: Tensor, y: Tensor, window: Window) -> dict[str, Value]:
    """The named values of both."""
    return {
        "height": y.shape[1],
        "width": y.shape[2],
        "channels": y.shape[3],
        "in_height": x.shape[1],
        "in_width": x.shape[2],
        "kernel_rows": window.kernel[0],
        "kernel_columns": window.kernel[1],
        "stride_rows": window.stride[0],
        "stride_columns": window.stride[1],
        "dilation_rows": window.dilation[0],
        "dilation_columns": window.dilation[1],
        "first_row": -window.pad[0],
        "first_column": -window.pad[2],
    }


@lowering(OpKind.CONV_CHANNELS)
def lower_conv_channels(op: Operator, graph: Graph, target: Target) -> KernelCall:
    """In place, while the layer's input is still there."""
    attrs = op.attrs
    assert isinstance(attrs, ConvChannelsAttrs)
    done, x, weights, y = (graph.tensor(name) for name in (*op.inputs[:3], op.outputs[0]))
    require_image(op, graph, x, y)
    requant = conv_channels_requant(graph, op)
    alone = is_pointwise(attrs.window)
    values = window_values(x, y, attrs.window)
    if alone:
        values = {name: values[name] for name in ("height", "width", "channels")}
    values |= {"in_channels": x.shape[3], "depth": weights.shape[3], "count": len(attrs.channels)}
    values |= {} if alone else {"zero0": x.zero_point, "bias": text.constant(graph.tensor(op.inputs[3]))}
    values |= {"zero": requant.zero, "low": requant.low, "high": requant.high}
    values |= {"factor": int(requant.multiplier[0]), "shift": int(requant.shift[0]), "size": y.nbytes}
    values["weights"] = text.constant(graph.tensor(op.inputs[2]))
    values["bias_whole"] = Array("int32", lambda: _without_zero(graph, op, x.zero_point))
    values["place"] = Array("int32", lambda: np.array(attrs.channels))
    values["first"] = Array("int32", lambda: np.array(attrs.first))
    neighbours = weights.shape[3] == x.shape[3] and 1 in (attrs.window.dilation[1], attrs.window.kernel[1])
    taps = SINGLE if weights.shape[3] == 1 else RUN if neighbours else APART
    loop = PIXELS if alone else CHANNELS.replace("@WHOLE@", _indented(taps, 20))
    loop = loop.replace("@REQUANTIZE@", _indented(ONCE if attrs.once else TWICE, 8 if alone else 12))
    body = ["if (out != done) memmove(out, done, (size_t)size);", *loop.splitlines()]
    code = text.function("conv_channels", values, "const int8_t *done, const int8_t *in, int8_t *out", body)
    whole = [(np.array([0]), np.array([tensor.nbytes])) for tensor in (done, x)]
    touched = access.blocks(whole, (np.array([0]), np.array([y.nbytes])))
    return text.call(op, code, values, [done, x], touched, [Overlap(0, exact=True), None])


def _without_zero(graph: Graph, op: Operator, zero: int) -> np.ndarray:
    """Biases for sums of inputs as they are, where the whole window lies in the picture; int32, which wraps."""
    weights, bias = (graph.tensor(name).data for name in op.inputs[2:])
    assert weights is not None and bias is not None
    sums = weights.astype(np.int64).reshape(len(weights), -1).sum(axis=1)
    return params.wrap_int32(bias.astype(np.int64) - zero * sums)


def lower_half_up(op: Operator, graph: Graph) -> KernelCall:
    """AVERAGE_POOL_2D that rounds halves up."""
    assert isinstance(op.attrs, PoolAttrs)
    x, y, window = graph.tensor(op.inputs[0]), graph.tensor(op.outputs[0]), op.attrs.window
    low, high = pool_range(graph, op)
    values = {name: value for name, value in window_values(x, y, window).items() if not name.startswith("dilation")}
    values |= {"low": low, "high": high}
    code = text.function("average_half_up", values, "const int8_t *in, int8_t *out", AVERAGE.splitlines())
    touched = access.window_access(x, y, window, channelwise=True)
    return text.call(op, code, values, [x], touched, [access.overlap(touched, 0, y.nbytes)])
