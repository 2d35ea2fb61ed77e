"""DEPTHWISE_CONV_2D whose window is as wide as the picture, on te_depthwise_column.h."""

from __future__ import annotations

from math import prod

import numpy as np

from tinyengine.ir import Graph, Operator
from tinyengine.ir.ops import DepthwiseConv2DAttrs
from tinyengine.kernels import access
from tinyengine.kernels.base import CArray, CValue, KernelCall, Target
from tinyengine.kernels.checks import require_image, require_int8
from tinyengine.kernels.conv import bias_of, weights_of
from tinyengine.kernels.fixed import words
from tinyengine.kernels.layer import Layer, layer_of

HEADER = "te_depthwise_column.h"


def lower_depthwise_column(op: Operator, graph: Graph, target: Target) -> KernelCall | None:
    """None unless the output is one column wide, without padding, its taps a constant step apart, and the multiplier
    is 1; or where sums or multipliers exceed the fixed-point formulas. Always rounds exactly."""
    assert isinstance(op.attrs, DepthwiseConv2DAttrs)
    x, y = graph.tensor(op.inputs[0]), graph.tensor(op.outputs[0])
    require_int8(op, graph, x, y)
    require_image(op, graph, x, y)
    window, (_, width, channels) = op.attrs.window, x.shape[1:]
    if op.attrs.multiplier != 1 or any(window.pad) or window.kernel[1] != width:
        return None
    if width > 1 and window.dilation != (1, 1):
        return None
    layer = layer_of(op, graph, "exact")
    if layer is None:
        return None
    rows, taps, tap_step = y.shape[1], prod(window.kernel), window.dilation[0] * channels

    def pack() -> dict[str, CValue]:
        weights = weights_of(op, graph)[0].reshape(taps, channels)
        return {
            "rows": rows,
            "channels": channels,
            "row_step": window.stride[0] * width * channels,
            "taps": taps,
            "tap_step": tap_step,
            "min": layer.requant.low,
            "max": layer.requant.high,
            "weights": CArray("weights", pack_weights(weights)),
            "constants": CArray("constants", channel_constants(layer, weights, bias_of(op, graph, channels))),
        }

    touched = access.window_access(x, y, window, channelwise=True)
    return KernelCall(
        op,
        "te_depthwise_column_s8",
        HEADER,
        "te_depthwise_column_params",
        pack,
        inputs=[x.name],
        outputs=[y.name],
        overlaps=(access.overlap(touched, 0, y.nbytes),),
        access=touched,
        macs=y.elements * taps,
        note="four channels at a time",
    )


def pack_weights(weights: np.ndarray) -> np.ndarray:
    """uint32 [quads of channels][taps] of ``weights`` (taps, channels), the last quad filled up with zeros."""
    padded = np.pad(weights, ((0, 0), (0, -weights.shape[1] % 4))).astype(np.int8)
    return np.ascontiguousarray(padded).view("<u4").T.ravel()


def channel_constants(layer: Layer, weights: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """int32 [channels][bias, M C e l s] for ``weights`` (taps, channels) and ``bias`` (channels,)."""
    rounds = layer.rounding
    folded = rounds.bias(bias - layer.zero * weights.sum(axis=0))
    return words(folded, rounds.m, rounds.c, rounds.e, rounds.l, rounds.s).view(np.int32).ravel()
