"""Layers with trained constants on the fast kernels (te_trained_fast.h): what lies in flash, and where the rest goes.

They apply whatever training makes of the constants: range checks take every value that a bias may have, or are made on
the device.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from tinyengine.ir import Graph, Operator
from tinyengine.ir.fast import SumRange, constant_channels, sum_range
from tinyengine.ir.ops import Conv2DAttrs, DepthwiseConv2DAttrs
from tinyengine.ir.requant import conv_requant
from tinyengine.kernels import params
from tinyengine.kernels.base import CArray, CValue, KernelCall, Target
from tinyengine.kernels.conv import bias_of, weights_of
from tinyengine.kernels.conv_fast import ROUND_WORDS, field_of, matrix_call
from tinyengine.kernels.depthwise_fast import (
    channel_taps,
    depthwise_call,
    effective_taps,
    effective_window,
    field_limits,
    is_plain_depthwise,
    ring_order,
)
from tinyengine.kernels.depthwise_map import BiasLimits, map_kernel
from tinyengine.kernels.fixed import fixed_rounding
from tinyengine.training.factors import bias_limit
from tinyengine.training.layers import TrainableLayer
from tinyengine.training.selection import dead_channels
from tinyengine.training.state import StatePart

HEADER = "te_trained_fast.h"
LIMIT_STEP = 32
"""TE_DEPTHWISE_LIMIT_STEP"""
LIMIT_CONSTANT = 32767
"""TE_DEPTHWISE_CONSTANT"""


def trained_sums(op: Operator, graph: Graph, weights: np.ndarray) -> SumRange | None:
    """Range of a layer's sums whatever training makes of its constants; ``weights`` (channels, taps).

    Dead channels stay as they are; the biases of the others saturate. None where a bias is beyond that from the start.
    """
    layer = TrainableLayer(None, op, *(graph.tensor(name) for name in op.inputs), graph.tensor(op.outputs[0]))
    bias, limit, dead = bias_of(op, graph, len(weights)), bias_limit(graph, layer), dead_channels(layer)
    if (np.abs(bias[~dead]) > limit).any():
        return None
    known = sum_range(weights, bias, layer.x.zero_point)
    most = limit + 128 * 255 * weights.shape[1]
    return SumRange(np.where(dead, known.low, -most), np.where(dead, known.high, most))


def _constant(op: Operator, graph: Graph, sums: SumRange) -> np.ndarray | None:
    """Which channels' results never change; None if any is not dead, for its weights count in the backward pass."""
    constant = constant_channels(conv_requant(graph, op), sums)[1]
    layer = TrainableLayer(None, op, *(graph.tensor(name) for name in op.inputs), graph.tensor(op.outputs[0]))
    return None if (constant & ~dead_channels(layer)).any() else constant


def trained_conv(
    op: Operator, graph: Graph, target: Target, weights: StatePart | None, bias: StatePart
) -> KernelCall | None:
    """te_conv_trained_fast_s8; None where sums or multipliers exceed the fixed-point formulas."""
    assert isinstance(op.attrs, Conv2DAttrs)
    x, y = graph.tensor(op.inputs[0]), graph.tensor(op.outputs[0])
    whole = weights_of(op, graph)
    channels, taps, depth = len(whole), whole[0, ..., 0].size, whole.shape[3]
    if channels < 2 or depth != x.shape[3]:
        return None
    sums = trained_sums(op, graph, whole.reshape(channels, -1))
    constant = None if sums is None else _constant(op, graph, sums)
    if sums is None or constant is None:
        return None
    frozen = whole.reshape(channels, taps, depth).copy()
    trained = np.array([], np.int64) if weights is None else weights.channels
    frozen[:, :, trained] = 0
    call = matrix_call(
        op,
        (x, y),
        (x.hwc(), y.hwc()),
        op.attrs.window,
        frozen.reshape(channels, -1),
        np.zeros(channels, np.int64),
        conv_requant(graph, op),
        target,
        sums,
    )
    if call is None:
        return None
    round_words = ROUND_WORDS[next(kind for kind in ROUND_WORDS if kind in str(call.params["tiles"]))]
    order = field_of(op.attrs.window, depth).order()
    everything = len(trained) == depth and np.array_equal(order, np.arange(taps * depth))
    values: dict[str, CValue] = {
        "conv": _without_weights(call, round_words) if everything else call.params,
        "bias": params.state_pointer(bias),
        "values": "NULL" if weights is None else params.state_pointer(weights),
        "places": "NULL" if everything or weights is None else CArray("places", _places(order, taps, depth, trained)),
        "live": _live(constant),
        "count": taps * len(trained),
        "round_words": round_words,
        "doubled": int("_doubled" in str(call.params["tiles"])),
        "whole": int(everything),
    }
    return replace(
        call,
        function="te_conv_trained_fast_s8",
        header=HEADER,
        params_type="te_conv_trained_fast_params",
        pack=lambda: values,
        scratch_bytes=call.scratch_bytes + 4 * pair_words(call.params, round_words),
        note=f"{call.note}, trained {'biases' if weights is None else 'weights'}",
    )


def pair_words(conv: Mapping[str, CValue], round_words: int) -> int:
    """Words of constants of two channels; ``conv``: te_conv_fast_params."""
    return 2 + 2 * int(str(conv["groups"])) + round_words


def _without_weights(call: KernelCall, round_words: int) -> dict[str, CValue]:
    """The parameters with biases and rounding alone."""
    packed = call.params["weights"]
    assert isinstance(packed, CArray)
    pairs = packed.data.reshape(-1, pair_words(call.params, round_words))
    kept = np.concatenate([pairs[:, :2], pairs[:, -round_words:]], axis=1).ravel()
    return {**call.params, "weights": CArray(packed.suffix, kept)}


def _places(order: np.ndarray, taps: int, depth: int, trained: np.ndarray) -> np.ndarray:
    """Where the trained weights of a channel go, in bytes from its first one: groups of both channels alternate."""
    place = np.zeros(taps * depth + 1, np.int64)
    place[order] = np.arange(order.size) // 4 * 8 + np.arange(order.size) % 4  # -1, a filler: the last entry
    return place[(np.arange(taps)[:, None] * depth + trained).ravel()].astype(np.uint16)


def _live(constant: np.ndarray) -> CValue:
    """te_conv_trained_fast_params.live."""
    if not constant.any():
        return "NULL"
    first = np.arange(0, len(constant), 2)
    if len(constant) % 2:
        first[-1] -= 1
    return CArray("live", (~constant[first] + 2 * ~constant[first + 1]).astype(np.uint8))


def trained_depthwise(op: Operator, graph: Graph, weights: StatePart | None, bias: StatePart) -> KernelCall | None:
    """te_depthwise_trained_fast_s8; None where it does not apply. Trained weights need a kernel for whole maps."""
    assert isinstance(op.attrs, DepthwiseConv2DAttrs)
    if not is_plain_depthwise(op):
        return None
    x, y = graph.tensor(op.inputs[0]), graph.tensor(op.outputs[0])
    taps = channel_taps(op, graph)
    sums, requant = trained_sums(op, graph, taps.reshape(len(taps), -1)), conv_requant(graph, op)
    constant = None if sums is None else _constant(op, graph, sums)
    rounding = None if sums is None else fixed_rounding(requant, sums)
    if constant is None or rounding is None:
        return None
    call = depthwise_call(op, graph, np.zeros(len(taps), np.int64), requant, rounding, trained=True)
    if call.params["some_plain"] or (weights is not None and "map" not in call.params):
        return None
    window = effective_window(op, graph)
    kernel = map_kernel(window, x.shape[1:3], y.shape[1:3])
    if "map" in call.params:
        assert kernel is not None
        limits = kernel.limits(effective_taps(op, graph), x.zero_point, True)
    else:
        limits = field_limits(effective_taps(op, graph), ring_order(window))
    values: dict[str, CValue] = {
        "depthwise": call.params,
        "bias": params.state_pointer(bias),
        "limits": _limits(limits, constant),
    }
    scratch = (8 if "map" in call.params else 16) * len(taps)
    if weights is not None:
        count = len(weights.channels)
        if count == len(taps):
            values["depthwise"] = {**call.params, "packed": "NULL"}
        rows, columns = op.attrs.window.kernel
        cut = (rows - window.kernel[0]) // 2
        values |= {
            "values": f"{params.state_pointer(weights)} + {(cut * columns + cut) * count}",
            "trained": params.array("trained", weights.channels, "uint16"),
            "count": count,
            "row_bytes": columns * count,
        }
        scratch += -(-window.kernel[0] * window.kernel[1] // 4) * 4
    return replace(
        call,
        function="te_depthwise_trained_fast_s8",
        header=HEADER,
        params_type="te_depthwise_trained_fast_params",
        pack=lambda: values,
        scratch_bytes=call.scratch_bytes + scratch,
        note=f"{call.note}, trained {'biases' if weights is None else 'weights'}",
    )


def _limits(limits: BiasLimits, constant: np.ndarray) -> CArray:
    """te_depthwise_trained_fast_params.limits."""
    low, high = -(-limits.low // LIMIT_STEP), limits.high // LIMIT_STEP
    never = low > high
    low, high = np.where(never, 1, low), np.where(never, 0, high)
    low, high = np.where(constant, LIMIT_CONSTANT, low), np.where(constant, 0, high)
    return params.array("limits", np.stack([low, high], axis=1), "int16")
