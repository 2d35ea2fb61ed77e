"""Pictures of float32 that grow: transposed convolutions, pixels between pixels."""

from __future__ import annotations

import numpy as np

from tinyengine.ir import Graph, Operator, OpKind
from tinyengine.ir.floating import clamp_range
from tinyengine.ir.operators.movement import bilinear_reals
from tinyengine.ir.ops import ResizeAttrs, TransposeConvAttrs
from tinyengine.kernels import access
from tinyengine.kernels.base import KernelCall, Target, lowering
from tinyengine.kernels.loops import text
from tinyengine.kernels.loops.text import Array, Value

HEADER = "te_float.h"

TRANSPOSED = """for (int32_t i = 0; i < height; i++) {
    for (int32_t j = 0; j < width; j++) {
        for (int32_t o = 0; o < filters; o++) {
            float sum = 0.0f;
            for (int32_t y = 0; y < in_height; y++) {
                const int32_t ky = i + top - y * stride_h;
                if (ky < 0 || ky >= kernel_h) continue;
                for (int32_t x = 0; x < in_width; x++) {
                    const int32_t kx = j + left - x * stride_w;
                    if (kx < 0 || kx >= kernel_w) continue;
                    const float *const pixel = in + (y * in_width + x) * channels;
                    const float *const w = weights + ((o * kernel_h + ky) * kernel_w + kx) * channels;
                    for (int32_t c = 0; c < channels; c++) sum += pixel[c] * w[c];
                }
            }
            *out++ = te_clamp_f32(sum + bias[o], low, high);
        }
    }
}"""

BETWEEN = """for (int32_t i = 0; i < height; i++) {
    const float *const up = in + rows[2 * i], *const under = in + rows[2 * i + 1];
    const float down = row_weights[i];
    for (int32_t j = 0; j < width; j++) {
        const int32_t first = columns[2 * j], second = columns[2 * j + 1];
        const float right = column_weights[j];
        for (int32_t c = 0; c < channels; c++) {
            float sum = 0.0f;
            sum += up[first + c] * (1.0f - down) * (1.0f - right);
            sum += under[first + c] * down * (1.0f - right);
            sum += up[second + c] * (1.0f - down) * right;
            *out++ = sum + under[second + c] * down * right;
        }
    }
}"""


@lowering(OpKind.TRANSPOSE_CONV, dtype="float32")
def lower_transpose_conv(op: Operator, graph: Graph, target: Target) -> KernelCall:
    """Output by output, the input pixels that meet it in the order of memory."""
    assert isinstance(op.attrs, TransposeConvAttrs)
    x, y, window = graph.tensor(op.inputs[0]), graph.tensor(op.outputs[0]), op.attrs.window
    low, high = clamp_range(op.attrs.activation)
    values: dict[str, Value] = dict(zip(("in_height", "in_width", "channels"), x.shape[1:], strict=True))
    values |= dict(zip(("height", "width", "filters"), y.shape[1:], strict=True))
    values |= {f"kernel_{axis}": window.kernel[i] for i, axis in enumerate("hw")}
    values |= {f"stride_{axis}": window.stride[i] for i, axis in enumerate("hw")}
    values |= {"top": window.pad[0], "left": window.pad[2], "low": low, "high": high}
    values |= {name: text.constant(graph.tensor(op.inputs[i])) for i, name in ((1, "weights"), (2, "bias"))}
    code = text.function("transpose_conv_f32", values, "const float *in, float *out", TRANSPOSED.splitlines())
    macs = x.elements * y.shape[3] * window.kernel[0] * window.kernel[1]
    return text.call(op, code, values, [x], access.whole(x.nbytes, y.nbytes), [None], HEADER, macs)


@lowering(OpKind.RESIZE_BILINEAR, dtype="float32")
def lower_resize_bilinear(op: Operator, graph: Graph, target: Target) -> KernelCall:
    """Tables of rows and columns."""
    assert isinstance(op.attrs, ResizeAttrs)
    x, y = graph.tensor(op.inputs[0]), graph.tensor(op.outputs[0])
    _, _, width, channels = x.shape
    values: dict[str, Value] = {"height": y.shape[1], "width": y.shape[2], "channels": channels}
    for name, axis, step in (("row", 1, width * channels), ("column", 2, channels)):
        values |= _tables(name, bilinear_reals(op.attrs, x.shape[axis], y.shape[axis]), step)
    code = text.function("resize_bilinear_f32", values, "const float *in, float *out", BETWEEN.splitlines())
    return text.call(op, code, values, [x], access.whole(x.nbytes, y.nbytes), [None], HEADER)


def _tables(name: str, sources: tuple[np.ndarray, np.ndarray, np.ndarray], step: int) -> dict[str, Value]:
    first, second, weights = sources
    offsets = Array("int32", lambda: np.stack([first * step, second * step], axis=1))
    return {f"{name}s": offsets, f"{name}_weights": Array("float32", lambda: weights)}
