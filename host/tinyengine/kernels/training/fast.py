"""Layers with trained constants on the fast kernels (te_trained_fast.h): what lies in flash, and where the rest goes.

They apply whatever training makes of the constants: range checks take every value that a bias may have, or are made on
the device.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import prod

import numpy as np

from tinyengine.ir import Graph, Operator
from tinyengine.ir.ops import Conv2DAttrs, DepthwiseConv2DAttrs
from tinyengine.ir.requant import conv_requant
from tinyengine.ir.sums import SumRange, sum_range
from tinyengine.kernels import params
from tinyengine.kernels.base import CArray, CValue, KernelCall, Target, WeightRows
from tinyengine.kernels.conv import bias_of, channel_weights, weights_of
from tinyengine.kernels.conv_fast import (
    QUAD,
    QUAD_EXACT_WORDS,
    ROUND_WORDS,
    Matrix,
    layer_matrix,
    matrix_call,
    matrix_params,
)
from tinyengine.kernels.depthwise_fast import (
    depthwise_call,
    depthwise_params,
    effective_taps,
    effective_window,
    field_limits,
    is_plain_depthwise,
    way_of,
)
from tinyengine.kernels.depthwise_map import BiasLimits
from tinyengine.kernels.fixed import fixed_rounding
from tinyengine.kernels.layer import Layer, fits_pairs
from tinyengine.kernels.once import once_per_graph
from tinyengine.sizes import round_up
from tinyengine.training.factors import bias_limit
from tinyengine.training.layers import TrainableLayer
from tinyengine.training.selection import dead_channels
from tinyengine.training.state import StatePart

HEADER = "te_trained_fast.h"
LIMIT_STEP = 32
"""TE_DEPTHWISE_LIMIT_STEP"""
LIMIT_CONSTANT = 32767
"""TE_DEPTHWISE_CONSTANT"""


def trained_sums(op: Operator, graph: Graph) -> SumRange | None:
    """Range of a layer's sums whatever training makes of its constants.

    Dead channels stay as they are; the biases of the others saturate. None where a bias is beyond that from the start.
    """
    layer, weights = _layer(op, graph), channel_weights(op, graph)
    bias, limit, dead = bias_of(op, graph, len(weights)), bias_limit(graph, layer), dead_channels(layer)
    if (np.abs(bias[~dead]) > limit).any():
        return None
    known = sum_range(weights, bias, layer.x.zero_point)
    most = limit + 128 * 255 * weights.shape[1]
    return SumRange(np.where(dead, known.low, -most), np.where(dead, known.high, most))


def _layer(op: Operator, graph: Graph) -> TrainableLayer:
    x, weights, bias = (graph.tensor(name) for name in op.inputs)
    return TrainableLayer(None, op, x, weights, bias, graph.tensor(op.outputs[0]))


@once_per_graph
def _trained(op: Operator, graph: Graph) -> Layer | None:
    """The layer whatever training makes of its constants.

    None where sums or multipliers exceed the fixed-point formulas, and where a channel that is not dead has a result
    that never changes, for its weights count in the backward pass.
    """
    sums, requant = trained_sums(op, graph), conv_requant(graph, op)
    if sums is None:
        return None
    rounding = fixed_rounding(requant, sums)
    if rounding is None or (rounding.constant & ~dead_channels(_layer(op, graph))).any():
        return None
    return Layer(graph.tensor(op.inputs[0]).zero_point, requant, rounding)


def trained_conv(
    op: Operator, graph: Graph, target: Target, weights: StatePart | None, bias: StatePart
) -> KernelCall | None:
    """te_conv_trained_fast_s8; None where it does not apply."""
    assert isinstance(op.attrs, Conv2DAttrs)
    channels, *kernel, depth = graph.tensor(op.inputs[1]).shape
    if channels < 2 or depth != graph.tensor(op.inputs[0]).shape[3]:
        return None
    layer = _trained(op, graph)
    if layer is None:
        return None
    # Trained weights may become what two channels in a halfword cannot be.
    paired = weights is None and not layer.rounding.wide and fits_pairs(channel_weights(op, graph))
    matrix = layer_matrix(op, graph, replace(layer, paired=paired), target, trained=True)
    taps, order = prod(kernel), matrix.field.order()
    trained = np.array([], np.int64) if weights is None else weights.channels
    everything = len(trained) == depth and np.array_equal(order, np.arange(taps * depth))

    def frozen() -> dict[str, CValue]:
        whole = weights_of(op, graph).reshape(channels, taps, depth)
        whole[:, :, trained] = 0
        return matrix_params(matrix, whole.reshape(channels, -1), np.zeros(channels, np.int64))

    call = matrix_call(op, matrix, frozen)

    def pack() -> dict[str, CValue]:
        places = everything or weights is None
        return {
            "conv": _without_weights(call.params, matrix) if everything else call.params,
            "bias": params.state_pointer(bias),
            "values": "NULL" if weights is None else params.state_pointer(weights),
            "places": "NULL" if places else CArray("places", _places(order, taps, depth, trained)),
            "live": _live(layer.rounding.constant, QUAD if matrix.quads else 2),
            "count": taps * len(trained),
            "round_words": QUAD_EXACT_WORDS if matrix.quads else ROUND_WORDS[matrix.rounding],
            "doubled": int(matrix.doubled),
            "whole": int(everything),
            "fours": int(matrix.quads),
        }

    together = 4 * (4 + 4 * matrix.groups + QUAD_EXACT_WORDS if matrix.quads else matrix.pair_words)
    rows = WeightRows(lambda: call.params["weights"], offset=8, pair=together, quad=8, second=4)
    return replace(
        call,
        function="te_conv_trained_fast_s8",
        header=HEADER,
        params_type="te_conv_trained_fast_params",
        pack=pack,
        scratch_bytes=call.scratch_bytes + together,
        note=f"{call.note}, trained {'biases' if weights is None else 'weights'}",
        weight_rows=replace(rows, quad=16, fours=True) if matrix.quads else rows,
    )


def _without_weights(conv: Mapping[str, CValue], matrix: Matrix) -> dict[str, CValue]:
    """te_conv_fast_params with biases and rounding alone."""
    packed = conv["weights"]
    assert isinstance(packed, CArray)
    pairs = packed.data.reshape(-1, matrix.pair_words)
    kept = np.concatenate([pairs[:, :2], pairs[:, -ROUND_WORDS[matrix.rounding] :]], axis=1).ravel()
    return {**conv, "weights": CArray(packed.suffix, kept)}


def _places(order: np.ndarray, taps: int, depth: int, trained: np.ndarray) -> np.ndarray:
    """Where the trained weights of a channel go, in bytes from its first one: groups of both channels alternate."""
    place = np.zeros(taps * depth + 1, np.int64)
    place[order] = np.arange(order.size) // 4 * 8 + np.arange(order.size) % 4  # -1, a filler: the last entry
    return place[(np.arange(taps)[:, None] * depth + trained).ravel()].astype(np.uint16)


def _live(constant: np.ndarray, together: int) -> CValue:
    """te_conv_trained_fast_params.live of so many channels ``together``."""
    if not constant.any():
        return "NULL"
    first = np.minimum(np.arange(0, len(constant), together), len(constant) - together)
    each = ~constant[first[:, None] + np.arange(together)]
    return CArray("live", (each << np.arange(together)).sum(axis=1).astype(np.uint8))


def trained_depthwise(op: Operator, graph: Graph, weights: StatePart | None, bias: StatePart) -> KernelCall | None:
    """te_depthwise_trained_fast_s8; None where it does not apply. Trained weights need a kernel for whole maps."""
    assert isinstance(op.attrs, DepthwiseConv2DAttrs)
    layer = _trained(op, graph) if is_plain_depthwise(op) else None
    if layer is None:
        return None
    x, y, window = graph.tensor(op.inputs[0]), graph.tensor(op.outputs[0]), effective_window(op, graph)
    taps, shapes = effective_taps(op, graph), (x.hwc(), y.hwc())
    none = np.zeros(len(taps), np.int64)
    way = way_of(window, shapes, taps, none, layer, trained=True)
    if way.plain.any() or (weights is not None and way.kernel is None):
        return None
    count = 0 if weights is None else len(weights.channels)

    def pack() -> dict[str, CValue]:
        depthwise = depthwise_params(way, shapes, taps, none)
        kernel, zero = way.kernel, x.zero_point
        limits = field_limits(taps, way.order) if kernel is None else kernel.limits(taps, zero, doubled=True)
        values: dict[str, CValue] = {
            "depthwise": {**depthwise, "packed": "NULL"} if count == len(taps) else depthwise,
            "bias": params.state_pointer(bias),
            "limits": _limits(limits, layer.rounding.constant),
        }
        if weights is not None:
            rows, columns = weights.shape[-3:-1]
            cut = (rows - window.kernel[0]) // 2
            values |= {
                "values": params.state_pointer(weights, first=(cut * columns + cut) * count),
                "trained": params.array("trained", weights.channels, "uint16"),
                "count": count,
                "row_bytes": columns * count,
            }
        return values

    call = depthwise_call(op, graph, way, pack)
    scratch = (16 if way.kernel is None else 8) * len(taps)
    if weights is not None:
        scratch += round_up(prod(window.kernel), 4)
    return replace(
        call,
        function="te_depthwise_trained_fast_s8",
        header=HEADER,
        params_type="te_depthwise_trained_fast_params",
        scratch_bytes=call.scratch_bytes + scratch,
        note=f"{call.note}, trained {'biases' if weights is None else 'weights'}",
    )


def _limits(limits: BiasLimits, constant: np.ndarray) -> CArray:
    """te_depthwise_trained_fast_params.limits."""
    low, high = -(-limits.low // LIMIT_STEP), limits.high // LIMIT_STEP  # rounded inwards
    never = low > high
    low, high = np.where(never, 1, low), np.where(never, 0, high)
    low, high = np.where(constant, LIMIT_CONSTANT, low), np.where(constant, 0, high)
    return params.array("limits", np.stack([low, high], axis=1), "int16")
