"""Convolutions that no kernel of the library computes: of groups of channels, and transposed ones."""

from __future__ import annotations

import numpy as np

from tinyengine.ir import Graph, Operator
from tinyengine.ir.ops import Window
from tinyengine.ir.requant import conv_requant
from tinyengine.kernels import access
from tinyengine.kernels.base import KernelCall
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


def convolution(
    op: Operator,
    graph: Graph,
    window: Window,
    weights: np.ndarray,
    groups: int = 1,
    spread: tuple[int, int] = (1, 1),
) -> KernelCall:
    """The call that slides ``window`` over the input of ``op``, whose pixels lie ``spread`` apart, zeros between them.

    ``weights`` (O,KH,KW,I/groups); the operator's own are not looked at. Paddings may be negative.
    """
    x, y = graph.tensor(op.inputs[0]), graph.tensor(op.outputs[0])
    requant = conv_requant(graph, op)
    filters = len(weights)
    values: dict[str, Value] = dict(zip(("in_height", "in_width", "channels"), x.shape[1:], strict=True))
    values |= dict(zip(("height", "width", "filters"), y.shape[1:], strict=True))
    values |= {"depth": weights.shape[3], "per_group": filters // groups}
    pairs = {"kernel": window.kernel, "stride": window.stride, "dilation": window.dilation, "spread": spread}
    values |= {f"{name}_{axis}": pair[i] for name, pair in pairs.items() for i, axis in enumerate("hw")}
    values |= {"top": window.pad[0], "left": window.pad[2], "zero0": x.zero_point, "zero": requant.zero}
    values |= {"low": requant.low, "high": requant.high}
    values["weights"] = Array("int8", lambda: weights)
    values["bias"] = text.constant(graph.tensor(op.inputs[2]))
    values["factors"] = Array("int32", lambda: np.broadcast_to(requant.multiplier, filters))
    values["shifts"] = Array("int8", lambda: np.broadcast_to(requant.shift, filters))
    code = text.function("convolution", values, "const int8_t *in, int8_t *out", BODY.splitlines())
    macs = y.elements * weights[0].size // (spread[0] * spread[1])
    return text.call(op, code, values, [x], access.whole(x.nbytes, y.nbytes), [None], macs=macs)
