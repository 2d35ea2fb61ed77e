"""CONV_2D of groups of channels, and TRANSPOSE_CONV, on te_conv_parts.h: several convolutions make one picture."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import prod

import numpy as np

from tinyengine.ir import Graph, Operator
from tinyengine.ir.ops import Conv2DAttrs, TransposeConvAttrs, Window
from tinyengine.kernels import access
from tinyengine.kernels.base import CStruct, CValue, KernelCall, Target
from tinyengine.kernels.checks import require_image, require_int8
from tinyengine.kernels.conv import bias_of, weights_of
from tinyengine.kernels.conv_fast import QUAD, Field, Matrix, Shape, field_of, matrix_params, sized_block
from tinyengine.kernels.layer import Layer, layer_of
from tinyengine.kernels.work import Step, Work, total
from tinyengine.sizes import ceil_div

HEADER = "te_conv_parts.h"


@dataclass(frozen=True, eq=False)
class Taps:
    """The weights of a part in those of its operator: kernel rows and columns (-1: zeros), for each channel of the
    part its filter, and which weights of a pixel it has (``blocks``: of as many channels each its own depth)."""

    rows: np.ndarray
    columns: np.ndarray
    filters: np.ndarray
    blocks: int = 1


@dataclass(frozen=True, eq=False)
class Part:
    """A convolution on te_conv_fast.h: bytes of the input before its first channel, where its first output lies, and
    how far rows and pixels of its outputs are apart, in bytes."""

    matrix: Matrix
    weights: tuple[Taps, ...]
    first_in: int
    first_out: int
    row: int
    pixel: int


def lower_conv_groups(op: Operator, graph: Graph, target: Target) -> KernelCall | None:
    """CONV_2D, group by group; None where it has none, or where sums or multipliers exceed the formulas."""
    assert isinstance(op.attrs, Conv2DAttrs)
    if op.attrs.groups == 1:
        return None
    layer = _layer(op, graph, target)
    return None if layer is None else _call(op, graph, layer, list(_groups(op, graph, layer, target)))


def lower_transpose_conv_fast(op: Operator, graph: Graph, target: Target) -> KernelCall | None:
    """TRANSPOSE_CONV: outputs ``stride`` apart have a convolution of their own, by the taps that meet input pixels.

    None where sums or multipliers exceed the formulas, or a part would have a single channel.
    """
    layer = _layer(op, graph, target)
    if layer is None:
        return None
    parts = _phases(op, graph, layer, target)
    return _call(op, graph, layer, parts) if parts else None


def _layer(op: Operator, graph: Graph, target: Target) -> Layer | None:
    x, y = graph.tensor(op.inputs[0]), graph.tensor(op.outputs[0])
    require_int8(op, graph, x, y)
    require_image(op, graph, x, y)
    return layer_of(op, graph, target.requant)


def _groups(op: Operator, graph: Graph, layer: Layer, target: Target) -> Iterator[Part]:
    """One part per group; groups of a single output channel by twos and threes, with zeros beside their weights."""
    assert isinstance(op.attrs, Conv2DAttrs)
    window, groups = op.attrs.window, op.attrs.groups
    x, y = graph.tensor(op.inputs[0]).hwc(), graph.tensor(op.outputs[0]).hwc()
    depth, filters = x[2] // groups, y[2] // groups
    rows, columns = (np.arange(n) for n in window.kernel)
    edges = list(range(0, groups, 2 if filters == 1 else 1))
    if filters == 1 and groups % 2:
        edges.pop()
    for first, end in zip(edges, [*edges[1:], groups], strict=True):
        chosen = np.arange(first * filters, end * filters)
        merged = (end - first) * depth
        field = Field(prod(window.kernel), merged)
        shapes = x, (*y[:2], len(chosen))
        matrix = _matrix(_chosen(layer, chosen), shapes, window, field, target)
        weights = Taps(rows, columns, chosen, end - first)
        yield Part(matrix, (weights,), first * depth, first * filters, y[1] * y[2], y[2])


def _phases(op: Operator, graph: Graph, layer: Layer, target: Target) -> list[Part]:
    """For each remainder of the output's row by the stride: a part for each remainder of its column, or, where that is
    as cheap and rows end with a whole stride, a single one that makes pixels side by side as if they were channels."""
    assert isinstance(op.attrs, TransposeConvAttrs)
    x, y = graph.tensor(op.inputs[0]).hwc(), graph.tensor(op.outputs[0]).hwc()
    (kh, kw), (sh, sw), (top, _, left, _) = op.attrs.window.kernel, op.attrs.window.stride, op.attrs.window.pad
    parts: list[Part] = []
    for i in range(min(sh, y[0])):
        down = _phase(i, top, kh, sh)
        across = [_phase(j, left, kw, sw) for j in range(min(sw, y[1]))]
        corners = [Corner(op.attrs.window.stride, x, y, i, j) for j in range(len(across))]
        choices: list[list[Part]] = []
        if y[1] % sw == 0 and len(across) * y[2] > 1:
            choices.append([_phase_part(layer, target, corners[0], down, _aligned(across))])
        if y[2] > 1:
            apart = zip(corners, across, strict=True)
            choices.append([_phase_part(layer, target, corner, down, [one]) for corner, one in apart])
        if not choices:
            return []
        parts += min(choices, key=lambda choice: sum(_cost(part.matrix) for part in choice))
    return parts


Phase = tuple[np.ndarray, int]
"""Taps, and how far in front of an input the first lies."""


@dataclass(frozen=True)
class Corner:
    """The first output (``row``, ``column``) of a part, between shapes ``x`` and ``y``."""

    stride: tuple[int, int]
    x: Shape
    y: Shape
    row: int
    column: int


def _phase_part(layer: Layer, target: Target, corner: Corner, down: Phase, across: Sequence[Phase]) -> Part:
    """The outputs from ``corner`` on, by strides, side by side for each of ``across``, which are aligned."""
    (sh, sw), (_, width, channels), (taps, left) = corner.stride, corner.y, across[0]
    window = Window((len(down[0]), len(taps)), pad=(down[1], 0, left, 0))
    rows, columns = ceil_div(corner.y[0] - corner.row, sh), ceil_div(width - corner.column, sw)
    shapes = corner.x, (rows, columns, len(across) * channels)
    own, filters = _chosen(layer, np.tile(np.arange(channels), len(across))), np.arange(channels)
    weights = tuple(Taps(down[0], one, filters) for one, _ in across)
    matrix = _matrix(own, shapes, window, field_of(window, corner.x[2]), target)
    first = (corner.row * width + corner.column) * channels
    return Part(matrix, weights, 0, first, sh * width * channels, sw * channels)


def _phase(output: int, before: int, kernel: int, stride: int) -> Phase:
    """Which taps (-1: zeros) meet the input at output ``output`` + n * ``stride``, in the input's order; and how far
    in front of input n the first lies."""
    first = (output + before) % stride
    nearest = (output + before) // stride  # input n + nearest meets the first tap
    taps = list(range(first, kernel, stride))[::-1] or [-1]
    taps = [-1] * (nearest - len(taps) + 1) + taps
    return np.array(taps), len(taps) - 1 - nearest


def _aligned(phases: Sequence[Phase]) -> list[Phase]:
    """Phases with zeros around their taps, so that they begin and end at the same inputs."""
    before = max(pad for _, pad in phases)
    behind = max(len(taps) - pad for taps, pad in phases)
    around = [((before - pad, behind - len(taps) + pad), taps) for taps, pad in phases]
    return [(np.pad(taps, zeros, constant_values=-1), before) for zeros, taps in around]


def _cost(matrix: Matrix) -> float:
    """About its instructions (the budget in te_conv_fast.h)."""
    values = 4 * matrix.field.groups
    return prod(matrix.out_shape[:2]) * values * (0.9 + 0.625 * matrix.out_shape[2])


def _chosen(layer: Layer, channels: np.ndarray) -> Layer:
    """How ``channels`` of a layer compute, without its clamp."""
    rounding = layer.rounding
    arrays = {name: getattr(rounding, name)[channels] for name in ("m", "c", "e", "l", "s", "constant")}
    return Layer(layer.zero, replace(layer.requant, low=-128, high=127), replace(rounding, **arrays), layer.paired)


def _matrix(layer: Layer, shapes: tuple[Shape, Shape], window: Window, field: Field, target: Target) -> Matrix:
    rows, columns, channels = shapes[1]
    compact = target.optimize == "flash"
    quads = layer.paired and channels >= QUAD and not compact
    doubled = layer.rounding.kind == "exact" and 2 * channels > field.groups * 4 and not compact
    block = sized_block(rows * columns, field.groups, target)
    return Matrix(layer, *shapes, window, field, block, doubled and not quads, compact, quads=quads)


def _call(op: Operator, graph: Graph, layer: Layer, parts: Sequence[Part]) -> KernelCall:
    x, y = graph.tensor(op.inputs[0]), graph.tensor(op.outputs[0])

    def pack() -> dict[str, CValue]:
        weights, bias = weights_of(op, graph), bias_of(op, graph, y.shape[3])
        return {
            "parts": CStruct("parts", "te_conv_part", tuple(_packed(part, weights, bias) for part in parts)),
            "count": len(parts),
            "bytes": y.nbytes,
            "min": layer.requant.low,
            "max": layer.requant.high,
        }

    return KernelCall(
        op,
        "te_conv_parts_s8",
        HEADER,
        "te_conv_parts_params",
        pack,
        inputs=[x.name],
        outputs=[y.name],
        scratch_bytes=max(part.matrix.scratch_bytes for part in parts),
        overlaps=(None,),
        access=access.whole(x.nbytes, y.nbytes),
        macs=sum(prod(part.matrix.out_shape) * part.matrix.field.runs * part.matrix.field.run_bytes for part in parts),
        note=f"in {len(parts)} parts, {layer.rounding.kind}",
        work=total([Work({Step.BATCH: 1}), *(part.matrix.work(prod(part.matrix.out_shape[:2])) for part in parts)]),
        requant=layer.requant,
    )


def _packed(part: Part, weights: np.ndarray, bias: np.ndarray) -> dict[str, CValue]:
    """te_conv_part; ``weights`` (O,KH,KW,I) and ``bias`` of the operator."""
    padded = np.pad(weights, ((0, 0), (0, 1), (0, 1), (0, 0)))  # tap -1
    filters = np.concatenate([_filters(padded, taps) for taps in part.weights])
    biases = np.concatenate([bias[taps.filters] for taps in part.weights])
    return {
        "conv": matrix_params(part.matrix, filters.reshape(len(filters), -1), biases),
        "in": part.first_in,
        "out": part.first_out,
        "row": part.row,
        "pixel": part.pixel,
    }


def _filters(weights: np.ndarray, taps: Taps) -> np.ndarray:
    """Weights of a part, (channels, rows, columns, depth)."""
    chosen = weights[taps.filters][:, taps.rows][:, :, taps.columns]
    channels, rows, columns, depth = chosen.shape
    wide = np.zeros((channels, rows, columns, taps.blocks, depth), chosen.dtype)
    wide[np.arange(channels), :, :, np.arange(channels) * taps.blocks // channels] = chosen
    return wide
