"""Layers of int16 with int8 weights whose sums fit 32 bits, on te_layers_s16.h."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np

from tinyengine.ir import Graph, Operator
from tinyengine.ir.int16 import Rescale, Rounding, real_multiplier, rescale, short_multiplier
from tinyengine.ir.ops import Conv2DAttrs, DepthwiseConv2DAttrs
from tinyengine.ir.quantize import quantize_multiplier
from tinyengine.kernels import access, params
from tinyengine.kernels.base import CArray, CStruct, CValue, KernelCall, Target
from tinyengine.kernels.checks import MAX_EXTENT, require_image
from tinyengine.kernels.conv import bias_of, is_pointwise, weights_of
from tinyengine.kernels.conv_fast import WIDE_WORDS, Field, Shape, block_access, field_of, one_row, sized_block
from tinyengine.kernels.fixed import words
from tinyengine.kernels.loops.convolution import largest_sum
from tinyengine.kernels.once import once_per_graph
from tinyengine.kernels.work import Step, Work, pairs_of
from tinyengine.sizes import ceil_div

HEADER = "te_layers_s16.h"
SIZE = 2
"""Bytes of a value."""


@dataclass(frozen=True, eq=False)
class Short:
    """How sums of 32 bits round: y = (sum * m + (2**(e - 1) << 32)) >> 32 >> e, m and e per channel."""

    m: np.ndarray
    e: np.ndarray
    how: Rescale


def _sums_fit(op: Operator, graph: Graph, channel_axis: int) -> bool:
    weights = np.moveaxis(weights_of(op, graph), channel_axis, 0)
    return largest_sum(weights, bias_of(op, graph, len(weights))) < 1 << 31


@once_per_graph
def short_rounding(op: Operator, graph: Graph, channel_axis: int = 0) -> Short | None:
    """None for biases of 32 bits, where sums may take more than that, and for real multipliers of 1/4 or more."""
    how, channels = rescale(graph, op), graph.tensor(op.inputs[2]).elements
    if how.rounding is not Rounding.SHORT or not _sums_fit(op, graph, channel_axis):
        return None
    pairs = np.array([quantize_multiplier(factor) for factor in how.factors], np.int64)
    e = -1 - pairs[:, 1]
    if (e < 1).any():
        return None
    m, e = (np.broadcast_to(column, channels) for column in (short_multiplier(pairs[:, 0]) << 16, e))
    return Short(m, e, how)


class Words(Field):
    """A receptive field of int16: the runs' values follow each other."""

    @property
    def groups(self) -> int:
        return ceil_div(self.runs * self.run_bytes, 4 * SIZE)


def _in_bytes(shape: Shape) -> Shape:
    return (*shape[:2], SIZE * shape[2])


def lower_conv_int16(op: Operator, graph: Graph, target: Target) -> KernelCall | None:
    """None as ``short_rounding``, for groups, and for a single output channel."""
    assert isinstance(op.attrs, Conv2DAttrs)
    x, y, window = graph.tensor(op.inputs[0]), graph.tensor(op.outputs[0]), op.attrs.window
    require_image(op, graph, x, y)
    short = short_rounding(op, graph)
    shapes = _in_bytes(x.hwc()), _in_bytes(y.hwc())
    if short is None or op.attrs.groups > 1 or y.shape[3] < 2 or max(shapes[0][2], shapes[1][2]) > MAX_EXTENT:
        return None
    plain = field_of(window, x.shape[3])
    field = Words(plain.runs, SIZE * plain.run_bytes)
    if is_pointwise(window):
        shapes = one_row(shapes[0]), one_row(shapes[1])
    if field.run_bytes > MAX_EXTENT or field.groups > MAX_EXTENT:
        return None
    block = sized_block(shapes[1][0] * shapes[1][1], field.groups, target)
    last = (shapes[1][1] - 1) * window.stride[1] - window.pad[2] + window.kernel[1]
    leaves = window.pad[2] > 0 or last > shapes[0][1]
    crosses = field.runs == window.kernel[0] and window.kernel[1] > 1 and leaves
    scratch = 4 * (block // 2 * (4 * field.groups + 2) + 4 * field.groups + WIDE_WORDS + 3 * field.runs)

    def pack() -> dict[str, CValue]:
        conv: dict[str, CValue] = {
            "in": params.extent(shapes[0]),
            "out": params.extent(shapes[1]),
            "window": params.window(window),
            "in_zero": 0,
            "out_zero": 0,
            "min": -128,
            "max": 127,
            "n_runs": field.runs,
            "run_bytes": field.run_bytes,
            "groups": field.groups,
            "block": block,
            "gather": "te_conv_gather_s16",
            "gather_any": "te_conv_gather_s16",
            "tiles": "te_conv_tiles_short",
            "weights": CArray("weights", _pack_conv(op, graph, short, field.groups)),
        }
        return {"conv": conv, "min": short.how.low, "max": short.how.high}

    touched = block_access(*shapes, window, block)
    return KernelCall(
        op,
        "te_conv_s16",
        HEADER,
        "te_conv_s16_params",
        pack,
        inputs=[x.name],
        outputs=[y.name],
        scratch_bytes=scratch + field.run_bytes * (1 + 2 * field.runs * crosses),
        overlaps=(access.overlap(touched, 0, y.nbytes),),
        access=touched,
        macs=y.elements * prod(window.kernel) * x.shape[3],
        note=f"columns, {block} pixels",
        work=_conv_work(shapes[1], block, field.groups),
    )


def _grouped(weights: np.ndarray) -> np.ndarray:
    """int8 (outputs, values) as words (outputs, groups): of four values the bytes 0 2 1 3."""
    padded = np.pad(weights, ((0, 0), (0, -weights.shape[1] % 4))).astype(np.int8)
    fours = padded.reshape(len(weights), -1, 4)[:, :, [0, 2, 1, 3]]
    return np.ascontiguousarray(fours.reshape(len(weights), -1)).view("<u4")


def _pack_conv(op: Operator, graph: Graph, short: Short, groups: int) -> np.ndarray:
    """The stream of te_conv_fast.h as uint32."""
    weights = weights_of(op, graph)
    channels = len(weights)
    body = _grouped(weights.reshape(channels, -1))
    assert body.shape[1] == groups
    first = np.arange(0, channels, 2)
    if channels % 2:
        first[-1] -= 1
    pairs = np.stack([first, first + 1], axis=1)
    biases = words(bias_of(op, graph, channels))[:, 0][pairs]
    streams = body[pairs].transpose(0, 2, 1).reshape(len(pairs), -1)
    shifts = (short.e - 1)[pairs]
    rounds = np.concatenate([words(short.m)[:, 0][pairs], words(shifts[:, 0] + (shifts[:, 1] << 8))], axis=1)
    return np.concatenate([biases, streams, rounds], axis=1).ravel()


def _conv_work(out_shape: Shape, block: int, groups: int) -> Work:
    """Of a convolution in blocks of ``block`` pixels; ``groups`` of 4 values under its window."""
    rows, columns, channels = out_shape[0], out_shape[1], out_shape[2] // SIZE
    pairs, blocks = pairs_of(rows * columns, block)
    tiles = pairs * ceil_div(channels, 2)
    weights = blocks * channels * 4 * groups
    return Work({Step.BATCH: 1, Step.CONV_BLOCK: blocks, Step.PAIR_GROUP: tiles * groups, Step.PAIR_WEIGHT: weights})


def lower_depthwise_int16(op: Operator, graph: Graph, target: Target) -> KernelCall | None:
    """None as ``short_rounding``, and for multipliers of channels."""
    assert isinstance(op.attrs, DepthwiseConv2DAttrs)
    x, y, window = graph.tensor(op.inputs[0]), graph.tensor(op.outputs[0]), op.attrs.window
    require_image(op, graph, x, y)
    short = short_rounding(op, graph, 3)
    if short is None or op.attrs.multiplier != 1:
        return None

    def pack() -> dict[str, CValue]:
        weights = weights_of(op, graph)[0].reshape(-1, x.shape[3])  # (taps, channels)
        padded = np.pad(weights, ((0, 0), (0, -x.shape[3] % 4))).astype(np.int8)
        packed_weights = np.ascontiguousarray(padded.reshape(len(padded), -1, 4).transpose(1, 0, 2))
        constants = np.stack([bias_of(op, graph, x.shape[3]), short.m, 1 << (short.e - 1), short.e], axis=1)
        return {
            "in": params.hwc(x),
            "out": params.hwc(y),
            "window": params.window(window),
            "min": short.how.low,
            "max": short.how.high,
            "weights": CArray("weights", packed_weights.view("<u4").ravel()),
            "constants": params.array("constants", constants, "int32"),
        }

    touched = access.window_access(x, y, window, channelwise=True)
    return KernelCall(
        op,
        "te_depthwise_s16",
        HEADER,
        "te_depthwise_s16_params",
        pack,
        inputs=[x.name],
        outputs=[y.name],
        overlaps=(access.overlap(touched, 0, y.nbytes),),
        access=touched,
        macs=y.elements * prod(window.kernel),
        note="four channels at a time",
    )


def lower_dense_int16(op: Operator, graph: Graph, target: Target) -> KernelCall | None:
    """None where sums may take more than 32 bits."""
    x, y = graph.tensor(op.inputs[0]), graph.tensor(op.outputs[0])
    if not _sums_fit(op, graph, 0):
        return None
    outputs, inputs = graph.tensor(op.inputs[1]).shape
    rows = x.elements // inputs

    def pack() -> dict[str, CValue]:
        weights = weights_of(op, graph)
        body = _grouped(np.pad(weights, ((0, -outputs % 4), (0, 0))))
        body = body.reshape(-1, 4, body.shape[1]).transpose(0, 2, 1)
        how = rescale(graph, op)
        factors = np.broadcast_to(np.array([real_multiplier(factor) for factor in how.factors], np.int64), (outputs, 3))
        items: list[dict[str, CValue]] = [
            {"factor": int(m), "bias": int(bias), "down": int(down), "up": int(up)}
            for (m, down, up), bias in zip(factors, bias_of(op, graph, outputs), strict=True)
        ]
        return {
            "rows": rows,
            "in": inputs,
            "out": outputs,
            "min": how.low,
            "max": how.high,
            "weights": CArray("weights", np.ascontiguousarray(body).ravel()),
            "outputs": CStruct("outputs", "te_dense_s16_output", tuple(items)),
        }

    row, four = np.divmod(np.arange(rows * ceil_div(outputs, 4)), ceil_div(outputs, 4))
    reads = (row * inputs * SIZE, (row + 1) * inputs * SIZE)
    first, end = 4 * four, np.minimum(4 * four + 4, outputs)
    touched = access.blocks([reads], ((row * outputs + first) * SIZE, (row * outputs + end) * SIZE))
    return KernelCall(
        op,
        "te_dense_s16",
        HEADER,
        "te_dense_s16_params",
        pack,
        inputs=[x.name],
        outputs=[y.name],
        overlaps=(access.overlap(touched, 0, y.nbytes),),
        access=touched,
        macs=rows * inputs * outputs,
        note="four outputs at a time",
    )
