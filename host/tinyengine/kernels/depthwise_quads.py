"""DEPTHWISE_CONV_2D with kernels of 3 x 3 on te_depthwise_quads.h."""

from __future__ import annotations

import numpy as np

from tinyengine.ir import Graph, Operator
from tinyengine.ir.ops import DepthwiseConv2DAttrs
from tinyengine.kernels import access, params
from tinyengine.kernels.base import CArray, CValue, KernelCall, Overlap, Target
from tinyengine.kernels.checks import require_image, require_int8
from tinyengine.kernels.conv import bias_of
from tinyengine.kernels.depthwise_fast import (
    Shape,
    effective_taps,
    effective_window,
    is_plain_depthwise,
    layer_way,
    trails,
)
from tinyengine.kernels.fixed import words
from tinyengine.kernels.layer import Layer, layer_of
from tinyengine.kernels.work import Step, Work
from tinyengine.sizes import ceil_div

HEADER = "te_depthwise_quads.h"
STEP = 144
"""TE_DEPTHWISE_STEP: bytes of scratch memory per column."""

SMALL_ROWS = 5
"""An odd number of output rows, up to this many, takes fewer cycles on te_depthwise_fast.h where that has a kernel for
the map: there no row is computed in vain, and no padding is multiplied."""

BAND = {1: 16, 2: 8}
"""TE_DEPTHWISE_BAND, TE_DEPTHWISE_BAND_BY_2: rows at a time, by stride."""

BLOCK = {1: 4, 2: 3}
"""TE_DEPTHWISE_BLOCK, TE_DEPTHWISE_BLOCK_BY_2: outputs of two rows at a time, by stride."""

PLAIN = 0.03
"""Share of plain channels from which on it does not."""

TAP_BYTES = {
    1: [0, 3, 3, 6, 1, 4, 4, 7, 2, 5, 5, 8],
    2: [0, 1, 3, 4, 2, 6, 5, 7, 8, 9, 9, 9],
}
"""By stride, which of a channel's taps (row by row; 9: none) its packed bytes are."""

MAX_LEFT = 7
"""Larger left shifts leave no room for the taps in 16 bits."""


def lower_depthwise_quads(op: Operator, graph: Graph, target: Target) -> KernelCall | None:
    """None for other kernels, unequal strides, more than one row or column of padding in front, channels that are no
    multiple of 4, where sums or multipliers exceed the fixed-point formulas, and unless time is what counts: it needs
    more scratch memory than te_depthwise_fast.h does. None too where that takes fewer cycles: on the smallest maps."""
    assert isinstance(op.attrs, DepthwiseConv2DAttrs)
    x, y = graph.tensor(op.inputs[0]), graph.tensor(op.outputs[0])
    require_int8(op, graph, x, y)
    require_image(op, graph, x, y)
    layer = layer_of(op, graph, target.requant) if is_plain_depthwise(op) and target.optimize == "time" else None
    window, (_, columns, channels) = effective_window(op, graph), x.hwc()
    stride = window.stride[0]
    if layer is None or window.kernel != (3, 3) or window.stride not in ((1, 1), (2, 2)):
        return None
    if max(window.pad[0], window.pad[2]) > 1 or channels % 4 or layer.rounding.l.max() > MAX_LEFT:
        return None
    rows, outputs, _ = y.hwc()
    other = layer_way(op, graph, target.requant) if stride == 1 and rows % 2 and rows <= SMALL_ROWS else None
    if other is not None and other.kernel is not None and other.plain.mean() < PLAIN:
        return None
    if (outputs - 1) * stride + 3 > window.pad[2] + columns + 1:
        return None  # more than one column of padding behind

    def pack() -> dict[str, CValue]:
        taps = effective_taps(op, graph)
        constants = pack_channels(taps, bias_of(op, graph, channels), layer, stride)
        name = f"te_depthwise_quad{'_by_2' * (stride == 2)}_{'fast' if layer.rounding.fast else 'exact'}"
        return {
            "in": params.extent(x.hwc()),
            "out": params.extent(y.hwc()),
            "stride": stride,
            "pad_top": window.pad[0],
            "pad_left": window.pad[2],
            "words": constants.shape[1],
            "in_zero": layer.zero,
            "out_zero": layer.requant.zero,
            "min": layer.requant.low,
            "max": layer.requant.high,
            "run": name,
            "constants": CArray("constants", constants.ravel()),
        }

    return KernelCall(
        op,
        "te_depthwise_quads_s8",
        HEADER,
        "te_depthwise_quads_params",
        pack,
        inputs=[x.name],
        outputs=[y.name],
        scratch_bytes=STEP * ((outputs - 1) * stride + 3),
        overlaps=(Overlap(0, exact=True) if trails(window, x.hwc(), y.hwc()) else None,),
        access=access.whole(x.nbytes, y.nbytes),
        macs=y.elements * 9,
        note="four channels at a time, SMLAD",
        work=_work(y.hwc(), x.hwc(), stride, layer),
        requant=layer.requant,
    )


def _work(out_shape: Shape, in_shape: Shape, stride: int, layer: Layer) -> Work:
    rows, outputs, channels = out_shape
    twos, bands = ceil_div(rows, 2), ceil_div(rows, BAND[stride])
    output = Step.BAND_OUTPUT if layer.rounding.fast else Step.BAND_OUTPUT_EXACT
    return Work(
        {
            Step.BATCH: 1,
            Step.BAND_CHANNEL: bands * channels,
            Step.BAND_STAGED: in_shape[0] * in_shape[1] * channels,
            Step.BAND_MOVED: (bands - 1) * in_shape[1] * channels,
            Step.BAND_ROWS: twos * channels,
            Step.BAND_BLOCK: twos * ceil_div(outputs, BLOCK[stride]) * channels,
            output: 2 * twos * outputs * channels,
        }
    )


def pack_channels(taps: np.ndarray, bias: np.ndarray, layer: Layer, stride: int) -> np.ndarray:
    """uint32 (channels, words) of ``taps`` (channels, 3, 3) and ``bias`` (channels,).

    A channel whose result is constant becomes one without taps, whose bias alone gives the result: 4 bias * 2**30 is
    a whole number of results in either rounding.
    """
    rounding, zero = layer.rounding, layer.requant.zero
    constant, fast = rounding.constant, rounding.fast
    results = (rounding.c if fast else rounding.c >> rounding.e) - zero
    taps = np.where(constant[:, None, None], 0, taps)
    folded = np.where(constant, 4 * results, rounding.bias(bias) - layer.zero * taps.sum(axis=(1, 2)))
    padded = np.pad(taps.reshape(-1, 9), ((0, 0), (0, 1))).astype(np.int8)
    pairs = np.ascontiguousarray(padded[:, TAP_BYTES[stride]]).view("<u4")
    if fast:
        return np.concatenate([pairs, words(folded, np.where(constant, 1 << 30, 2 * rounding.m))], axis=1)
    e, left = np.where(constant, 1, rounding.e), np.where(constant, 1, rounding.l)
    rounds = words(folded << left, np.where(constant, 1 << 30, rounding.m), e + (left << 8))
    return np.concatenate([pairs, rounds], axis=1)
