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
    effective_taps,
    effective_window,
    is_plain_depthwise,
    layer_way,
    trails,
)
from tinyengine.kernels.fixed import words
from tinyengine.kernels.layer import Layer, layer_of

HEADER = "te_depthwise_quads.h"
STEP = 128
"""TE_DEPTHWISE_STEP: bytes of scratch memory per two columns."""

BLOCK = 6
"""Outputs at a time."""

PLAIN = 0.03
"""Share of plain channels from which on a layer takes more cycles on te_depthwise_fast.h, whose other channels need
half the products, and whose kernels for one width have short loops."""

MAX_LEFT = 7
"""Larger left shifts leave no room for the taps in 16 bits."""


def lower_depthwise_quads(op: Operator, graph: Graph, target: Target) -> KernelCall | None:
    """None for other kernels, unequal strides, more than one row or column of padding in front, channels that are no
    multiple of 4, where sums or multipliers exceed the fixed-point formulas, and unless time is what counts: it needs
    more scratch memory than te_depthwise_fast.h does. None too where that is faster: on maps for whose width it has a
    kernel, with few plain channels."""
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
    other = layer_way(op, graph, target.requant)
    if other is not None and other.kernel is not None and other.plain.mean() < PLAIN:
        return None
    outputs = y.hwc()[1]
    if (outputs - 1) * stride + 3 > window.pad[2] + columns + 1:
        return None  # more than one column of padding behind

    def pack() -> dict[str, CValue]:
        taps = effective_taps(op, graph)
        constants = pack_channels(taps, bias_of(op, graph, channels), layer)
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
        scratch_bytes=scratch_bytes(columns, outputs, stride, window.pad[2]),
        overlaps=(Overlap(0, exact=True) if trails(window, x.hwc(), y.hwc()) else None,),
        access=access.whole(x.nbytes, y.nbytes),
        macs=y.elements * 9,
        note="four channels at a time, SMLAD",
        requant=layer.requant,
    )


def scratch_bytes(columns: int, outputs: int, stride: int, lead: int) -> int:
    """For rows of ``columns`` pixels behind ``lead`` ones of padding, and ``outputs`` of them."""
    blocks, rest = divmod(outputs, BLOCK)
    behind = (rest + 3) // 2 if stride == 1 else rest + 1  # words that the rest reads
    read = 3 * stride * blocks + (behind if rest else 1)
    written = lead + (columns - lead) // 2 + 1
    return STEP * max(read, written)


def pack_channels(taps: np.ndarray, bias: np.ndarray, layer: Layer) -> np.ndarray:
    """uint32 (channels, words) of ``taps`` (channels, 3, 3) and ``bias`` (channels,).

    A channel whose result is constant becomes one without taps, whose bias alone gives the result: 4 bias * 2**30 is
    a whole number of results in either rounding.
    """
    rounding, zero = layer.rounding, layer.requant.zero
    constant, fast = rounding.constant, rounding.fast
    results = (rounding.c if fast else rounding.c >> rounding.e) - zero
    taps = np.where(constant[:, None, None], 0, taps)
    folded = np.where(constant, 4 * results, rounding.bias(bias) - layer.zero * taps.sum(axis=(1, 2)))
    pairs = np.ascontiguousarray(taps[:, :, [0, 1, 1, 2]], np.int8).view("<u4")[:, :, 0]
    if fast:
        return np.concatenate([pairs, words(folded, np.where(constant, 1 << 30, 2 * rounding.m))], axis=1)
    e, left = np.where(constant, 1, rounding.e), np.where(constant, 1, rounding.l)
    rounds = words(folded << left, np.where(constant, 1 << 30, rounding.m), e + (left << 8))
    return np.concatenate([pairs, rounds], axis=1)
