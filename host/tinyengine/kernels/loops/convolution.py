"""Convolutions that no kernel of the library computes: of groups of channels, transposed ones, those of int16."""

from __future__ import annotations

from functools import partial

import numpy as np

from tinyengine.ir import Graph, Operator
from tinyengine.ir.int16 import Rounding, real_multiplier, rescale, short_multiplier
from tinyengine.ir.ops import Window
from tinyengine.ir.quantize import quantize_multiplier
from tinyengine.ir.requant import conv_requant
from tinyengine.kernels import access
from tinyengine.kernels.base import C_TYPES, KernelCall
from tinyengine.kernels.loops import text
from tinyengine.kernels.loops.text import Array, Value

BODY = """for (int32_t i = 0; i < height; i++) {
    for (int32_t j = 0; j < width; j++) {
        const int8_t *w = weights;
        for (int32_t o = 0; o < filters; o++) {
            const int8_t *const group = in + o / per_group * depth;
            int32_t sum = 0;
            for (int32_t ky = 0; ky < kernel_h; ky++) {
                const int32_t y = i * stride_h + ky * dilation_h - top, row = y / spread_h;
                for (int32_t kx = 0; kx < kernel_w; kx++, w += depth) {
                    const int32_t x = j * stride_w + kx * dilation_w - left, column = x / spread_w;
                    if (y < 0 || x < 0 || row * spread_h != y || column * spread_w != x) continue;
                    if (row >= in_height || column >= in_width) continue;
                    const int8_t *const pixel = group + (row * in_width + column) * channels;
                    for (int32_t c = 0; c < depth; c++) sum += (pixel[c] - zero0) * w[c];
                }
            }
            sum = te_scale(te_wrap_add(sum, bias[o]), factors[o], shifts[o]) + zero;
            *out++ = (int8_t)te_clamp(sum, low, high);
        }
    }
}"""


INT16 = {
    "const int8_t *const group": "const int16_t *const group",
    "const int8_t *const pixel": "const int16_t *const pixel",
    "(pixel[c] - zero0) * w[c]": "pixel[c] * w[c]",
    "sum = te_scale(te_wrap_add(sum, bias[o]), factors[o], shifts[o]) + zero;": "@ROUND@",
    "*out++ = (int8_t)te_clamp(sum, low, high);": "*out++ = (int16_t)te_clamp(result, low, high);",
}
"""What the loop of int16 has in place of that of int8."""

ROUND = {
    Rounding.TWICE: "const int32_t result = te_scale(te_wrap_add(sum, bias[o]), factors[o], shifts[o]);",
    Rounding.SHORT: "const int32_t result = te_scale_short((int64_t)sum + bias[o], factors[o], shifts[o]);",
    Rounding.ONCE: "const int32_t result = te_scale_real((int64_t)sum + bias[o], factors[o], shifts[o], ups[o]);",
}


def convolution(
    op: Operator,
    graph: Graph,
    window: Window,
    weights: np.ndarray,
    groups: int = 1,
    spread: tuple[int, int] = (1, 1),
    rows: int = 0,
) -> KernelCall:
    """The call that slides ``window`` over the input of ``op``, whose pixels lie ``spread`` apart, zeros between them.

    ``weights`` (O,KH,KW,I/groups); the operator's own are not looked at. Paddings may be negative.
    ``rows``: of a FULLY_CONNECTED, which become pixels.
    """
    x, y = graph.tensor(op.inputs[0]), graph.tensor(op.outputs[0])
    filters = len(weights)
    shapes = ((rows, 1, weights.shape[3]), (rows, 1, filters)) if rows else (x.shape[1:], y.shape[1:])
    values: dict[str, Value] = dict(zip(("in_height", "in_width", "channels"), shapes[0], strict=True))
    values |= dict(zip(("height", "width", "filters"), shapes[1], strict=True))
    values |= {"depth": weights.shape[3], "per_group": filters // groups}
    pairs = {"kernel": window.kernel, "stride": window.stride, "dilation": window.dilation, "spread": spread}
    values |= {f"{name}_{axis}": pair[i] for name, pair in pairs.items() for i, axis in enumerate("hw")}
    values |= {"top": window.pad[0], "left": window.pad[2]}
    header, body = "te_requant.h", BODY
    if x.dtype == "int16":
        header, body = "te_int16.h", _body_of_int16(op, graph, weights)
        values |= {"weights": Array("int8", lambda: weights)} | rescaling(op, graph, filters)
    else:
        requant = conv_requant(graph, op)
        values |= {"zero0": x.zero_point, "zero": requant.zero, "low": requant.low, "high": requant.high}
        values["weights"] = Array("int8", lambda: weights)
        values["bias"] = text.constant(graph.tensor(op.inputs[2]))
        values["factors"] = Array("int32", lambda: np.broadcast_to(requant.multiplier, filters))
        values["shifts"] = Array("int8", lambda: np.broadcast_to(requant.shift, filters))
    pointers = f"const {C_TYPES[x.dtype]} *in, {C_TYPES[y.dtype]} *out"
    code = text.function("convolution", values, pointers, body.splitlines())
    macs = y.elements * weights[0].size // (spread[0] * spread[1])
    return text.call(op, code, values, [x], access.whole(x.nbytes, y.nbytes), [None], header, macs=macs)


def _body_of_int16(op: Operator, graph: Graph, weights: np.ndarray) -> str:
    body = BODY
    for old, new in INT16.items():
        assert old in body
        body = body.replace(old, new)
    if largest_sum(weights, np.zeros(1)) >= 1 << 31:
        body = body.replace("int32_t sum = 0;", "int64_t sum = 0;")
    return body.replace("@ROUND@", ROUND[rescale(graph, op).rounding])


def largest_sum(weights: np.ndarray, bias: np.ndarray) -> int:
    """Largest magnitude of a sum of int16 inputs; ``weights`` (O, ...), ``bias`` (O,)."""
    products = np.abs(weights.astype(np.int64)).reshape(len(weights), -1).sum(axis=1) << 15
    return int((products + np.abs(bias.astype(np.int64))).max())


def rescaling(op: Operator, graph: Graph, channels: int) -> dict[str, Value]:
    """Biases, and constants per channel with which sums become int16 (te_int16.h)."""
    how, bias = rescale(graph, op), graph.tensor(op.inputs[2]).data
    assert bias is not None
    small = how.rounding is Rounding.TWICE or np.abs(bias).max() < 1 << 31
    values: dict[str, Value] = {"low": how.low, "high": how.high}
    values["bias"] = Array("int32" if small else "int64", lambda: bias)
    if how.rounding is Rounding.ONCE:
        rows = np.array([real_multiplier(factor) for factor in how.factors], np.int64)
        columns = {"factors": ("int64", rows[:, 0]), "shifts": ("int8", rows[:, 1]), "ups": ("int8", rows[:, 2])}
    else:
        rows = np.array([quantize_multiplier(factor) for factor in how.factors], np.int64)
        columns = {"factors": ("int32", rows[:, 0]), "shifts": ("int8", rows[:, 1])}
        if how.rounding is Rounding.SHORT:
            columns = {"factors": ("int16", short_multiplier(rows[:, 0])), "shifts": ("int8", 15 - rows[:, 1])}
    for name, (dtype, column) in columns.items():
        values[name] = Array(dtype, partial(np.broadcast_to, column, channels))
    return values
