"""Windows and sums of products of float32, on te_conv_f32.h: plain C for every core, sums in a documented order."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tinyengine.ir import Graph, Operator, OpKind, Tensor
from tinyengine.ir.floating import clamp_range
from tinyengine.ir.operators.recurrent import GATES
from tinyengine.ir.ops import (
    Activation,
    Conv2DAttrs,
    DepthwiseConv2DAttrs,
    FullyConnectedAttrs,
    LstmAttrs,
    PoolAttrs,
    Window,
)
from tinyengine.kernels import access, params
from tinyengine.kernels.base import Access, CArray, CValue, KernelCall, Overlap, Target, lowering
from tinyengine.kernels.checks import require_image, unsupported

HEADER = "te_conv_f32.h"
SIZE = 4
"""Bytes of a value."""
BLOCK = 4
"""Pixels whose outputs a convolution computes together."""
FUNCTIONS = {OpKind.AVERAGE_POOL_2D: "te_average_pool_f32", OpKind.MAX_POOL_2D: "te_max_pool_f32"}


@lowering(OpKind.CONV_2D, dtype="float32")
def lower_conv2d(op: Operator, graph: Graph, target: Target) -> KernelCall:
    """Blocks of four pixels times four channels; pixels that stand alone are rows of a dense layer."""
    assert isinstance(op.attrs, Conv2DAttrs)
    x, y, weights = graph.tensor(op.inputs[0]), graph.tensor(op.outputs[0]), graph.tensor(op.inputs[1])
    require_image(op, graph, x, y)
    window, groups, depth = op.attrs.window, op.attrs.groups, weights.shape[3]
    if window.kernel == window.stride == (1, 1) and not any(window.pad) and groups == 1:
        return _dense(op, graph, y.shape[1] * y.shape[2], depth)
    products = window.kernel[0] * window.kernel[1] * depth
    touched = _access(x, y, window, BLOCK, alternating=groups > 1)
    return KernelCall(
        op,
        "te_conv2d_f32",
        HEADER,
        "te_conv_f32_params",
        lambda: {
            "in": params.hwc(x),
            "out": params.hwc(y),
            "window": params.window(window),
            "groups": groups,
            "depth": depth,
            "outputs": _outputs(op, graph, groups),
        },
        inputs=[x.name],
        outputs=[y.name],
        scratch_bytes=BLOCK * products * SIZE,
        overlaps=(access.overlap(touched, 0, y.nbytes),),
        access=touched,
        macs=y.elements * products,
        note="float32",
    )


@lowering(OpKind.FULLY_CONNECTED, dtype="float32")
def lower_fully_connected(op: Operator, graph: Graph, target: Target) -> KernelCall:
    """Blocks of four rows times four outputs."""
    inputs = graph.tensor(op.inputs[1]).shape[1]
    return _dense(op, graph, graph.tensor(op.inputs[0]).elements // inputs, inputs)


def _dense(op: Operator, graph: Graph, rows: int, inputs: int) -> KernelCall:
    x, y = graph.tensor(op.inputs[0]), graph.tensor(op.outputs[0])
    channels = y.elements // rows
    lines, results = Tensor("", (1, 1, rows, inputs), "float32"), Tensor("", (1, 1, rows, channels), "float32")
    touched = _access(lines, results, Window((1, 1)), BLOCK, alternating=True)
    return KernelCall(
        op,
        "te_dense_f32",
        HEADER,
        "te_dense_f32_params",
        lambda: {"rows": rows, "in": inputs, "outputs": _outputs(op, graph, 1)},
        inputs=[x.name],
        outputs=[y.name],
        overlaps=(access.overlap(touched, 0, y.nbytes),),
        access=touched,
        macs=rows * inputs * channels,
        note="float32",
    )


@lowering(OpKind.DEPTHWISE_CONV_2D, dtype="float32")
def lower_depthwise(op: Operator, graph: Graph, target: Target) -> KernelCall:
    """Pixel by pixel, four channels at a time."""
    assert isinstance(op.attrs, DepthwiseConv2DAttrs)
    x, y = graph.tensor(op.inputs[0]), graph.tensor(op.outputs[0])
    require_image(op, graph, x, y)
    window, multiplier, activation = op.attrs.window, op.attrs.multiplier, op.attrs.activation
    touched = _access(x, y, window, 1, alternating=True)
    return KernelCall(
        op,
        "te_depthwise_f32",
        HEADER,
        "te_depthwise_f32_params",
        lambda: {
            "in": params.hwc(x),
            "out": params.hwc(y),
            "window": params.window(window),
            "multiplier": multiplier,
            "weights": _array("weights", _data(graph, op.inputs[1])),
            "bias": _array("bias", _data(graph, op.inputs[2])),
            **_limits(activation),
        },
        inputs=[x.name],
        outputs=[y.name],
        overlaps=(access.overlap(touched, 0, y.nbytes),),
        access=touched,
        macs=y.elements * window.kernel[0] * window.kernel[1],
        note="float32",
    )


@lowering(OpKind.AVERAGE_POOL_2D, OpKind.MAX_POOL_2D, dtype="float32")
def lower_pool(op: Operator, graph: Graph, target: Target) -> KernelCall:
    """Pixel by pixel."""
    assert isinstance(op.attrs, PoolAttrs)
    x, y = graph.tensor(op.inputs[0]), graph.tensor(op.outputs[0])
    window, activation = op.attrs.window, op.attrs.activation
    require_image(op, graph, x, y)
    if window.dilation != (1, 1):
        raise unsupported(op, graph, "is dilated", "use a plain window")
    if any((hi <= lo).any() for lo, hi in _sides(x, y, window)):
        raise unsupported(op, graph, "has windows that lie in the padding alone", "use a padding below the kernel")
    touched = _access(x, y, window, 1, alternating=True)
    return KernelCall(
        op,
        FUNCTIONS[op.kind],
        HEADER,
        "te_pool_f32_params",
        lambda: {
            "in": params.hwc(x),
            "out": params.hwc(y),
            "window": params.window(window),
            **_limits(activation),
        },
        inputs=[x.name],
        outputs=[y.name],
        overlaps=(access.overlap(touched, 0, y.nbytes),),
        access=touched,
        note="float32",
    )


@lowering(OpKind.UNIDIRECTIONAL_SEQUENCE_LSTM, dtype="float32")
def lower_lstm(op: Operator, graph: Graph, target: Target) -> KernelCall:
    """Sums over the input for four steps at once, then step by step."""
    assert isinstance(op.attrs, LstmAttrs)
    x, hidden, cell = (graph.tensor(name) for name in op.inputs[:3])
    size, units, clip = x.shape[-1], hidden.shape[-1], float(np.float32(op.attrs.cell_clip))
    steps = x.elements // size

    def pack() -> dict[str, CValue]:
        weights, recurrent, biases = (
            np.stack([_data(graph, name) for name in op.inputs[first : first + GATES]], axis=1)
            for first in (3, 3 + GATES, 3 + 2 * GATES)
        )  # (units, 4, ...)
        low, high = clamp_range(Activation.NONE)
        return {
            "steps": steps,
            "in": size,
            "units": units,
            "input": {
                "weights": _array("weights", weights.transpose(0, 2, 1)),
                "bias": _array("bias", biases),
                "channels": GATES * units,
                "min": low,
                "max": high,
            },
            "recurrent": _array("recurrent", recurrent.transpose(0, 2, 1)),
            "clip": clip,
        }

    touched = _lstm_access(steps, size * SIZE, units * SIZE)
    in_place = Overlap(0)
    over_x = access.overlap(touched, 0, steps * units * SIZE)
    return KernelCall(
        op,
        "te_lstm_f32",
        "te_lstm_f32.h",
        "te_lstm_f32_params",
        pack,
        inputs=[x.name, hidden.name, cell.name],
        outputs=list(op.outputs),
        scratch_bytes=(4 * GATES + 1) * units * SIZE,
        overlaps=(over_x, None, None, None, in_place, None, None, None, in_place),
        access=touched,
        macs=steps * GATES * units * (size + units),
        note="float32",
    )


def _lstm_access(steps: int, row: int, state: int) -> Access:
    """The states are read and written first; then each step reads its row, or four steps theirs, and writes."""
    whole = steps // BLOCK * BLOCK
    starts = np.concatenate([[0], np.arange(0, whole, BLOCK), np.arange(whole, steps)])
    ends = np.concatenate([[0], np.arange(0, whole, BLOCK) + BLOCK, np.arange(whole, steps) + 1])
    begin, none = np.arange(len(starts)) == 0, np.zeros(len(starts), np.int64)
    return access.blocks(
        [(starts * row, ends * row), (none, state * begin), (none, state * begin)],
        (starts * state, ends * state),
        (none, none + state),
        (none, none + state),
    )


def _sides(x: Tensor, y: Tensor, window: Window) -> list[tuple[np.ndarray, np.ndarray]]:
    """Of rows and of columns: first and one past the last that each output sees."""
    return [
        access.under_window(
            window.kernel[i],
            window.stride[i],
            window.dilation[i],
            window.pad[2 * i],
            x.shape[1 + i],
            y.shape[1 + i],
        )
        for i in (0, 1)
    ]


def _access(x: Tensor, y: Tensor, window: Window, pixels: int, alternating: bool) -> Access:
    """Blocks of ``pixels`` output pixels, counted through all rows, and those left over one by one; or of a multiple of
    that where they are many.

    ``alternating``: reads and writes take turns within a block."""
    (top, bottom), (left, right) = _sides(x, y, window)
    width, channels = x.shape[2:]
    count, columns = y.shape[1] * y.shape[2], y.shape[2]
    step = pixels * -(-count // (pixels * access.MAX_PIXELS)) if access.MAX_PIXELS else pixels * count
    starts = np.arange(0, count, step, dtype=np.int64)
    if step == pixels:
        left_over = np.arange(count - count % pixels, count, dtype=np.int64)
        starts = np.concatenate([starts[: count // pixels], left_over])
    ends = np.append(starts[1:], count)
    first, last = starts // columns, (ends - 1) // columns
    lines = last > first
    low = top[first] * width + np.where(lines, left[0], left[starts % columns])
    high = (bottom[last] - 1) * width + np.where(lines, right[-1], right[(ends - 1) % columns])
    make = access.blocks if step == pixels and not alternating else access.interleaved
    low = np.minimum(low, x.elements // channels)  # of windows in the padding alone
    high = np.maximum(low, np.minimum(high, x.elements // channels))
    read, written = channels * SIZE, y.shape[3] * SIZE
    return make([(low * read, high * read)], (starts * written, ends * written))


def _data(graph: Graph, name: str) -> np.ndarray:
    data = graph.tensor(name).data
    assert data is not None
    return data


def _array(suffix: str, values: np.ndarray) -> CArray:
    return CArray(suffix, np.ascontiguousarray(values, np.float32).ravel())


def _limits(activation: Activation) -> dict[str, CValue]:
    low, high = clamp_range(activation)
    return {"min": low, "max": high}


def _outputs(op: Operator, graph: Graph, groups: int) -> Mapping[str, CValue]:
    """te_outputs_f32: weights in the order in which tiles read them, biases, limits."""
    assert isinstance(op.attrs, Conv2DAttrs | FullyConnectedAttrs)
    weights, bias = _data(graph, op.inputs[1]), _data(graph, op.inputs[2])
    weights = weights.reshape(groups, len(weights) // groups, -1)
    fours = weights.shape[1] // 4 * 4
    parts = []
    for group in weights:
        parts += [
            group[:fours].reshape(fours // 4, 4, group.shape[1]).transpose(0, 2, 1).ravel(),
            group[fours:].ravel(),
        ]
    return {
        "weights": _array("weights", np.concatenate(parts)),
        "bias": _array("bias", bias),
        "channels": bias.size,
        **_limits(op.attrs.activation),
    }
