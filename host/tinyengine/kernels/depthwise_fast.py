"""DEPTHWISE_CONV_2D on te_depthwise_fast.h: packing of the taps, range checks of the products, ring of rows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod

import numpy as np

from tinyengine.ir import Graph, Operator
from tinyengine.ir.ops import DepthwiseConv2DAttrs, Window
from tinyengine.kernels import access, params
from tinyengine.kernels.base import CArray, CValue, KernelCall, Overlap, Packer, Target
from tinyengine.kernels.checks import require_image, require_int8
from tinyengine.kernels.conv import bias_of, weights_of
from tinyengine.kernels.depthwise_map import BiasLimits, MapKernel, bias_limits, map_kernel
from tinyengine.kernels.fixed import FixedRounding, words
from tinyengine.kernels.layer import Layer, layer_of
from tinyengine.kernels.once import once_per_graph
from tinyengine.kernels.work import Step, Work, repeated
from tinyengine.sizes import ceil_div

HEADER = "te_depthwise_fast.h"
PARAMS_TYPE = "te_depthwise_fast_params"
KERNELS = (3, 5, 7)

Shape = tuple[int, int, int]
"""Rows, columns, channels."""


@dataclass(frozen=True)
class TapOrder:
    """Words of a kernel row: (w0, w1) column pairs for two pixels each; None is a zero tap.

    ``top`` taps feed the accumulator's top field, ``bottom`` taps the bottom field; every tap feeds the middle one.
    """

    words: tuple[tuple[int | None, int | None], ...]

    @property
    def columns(self) -> list[int | None]:
        """Kernel column of each packed byte: a word's second tap comes first."""
        return [column for w0, w1 in self.words for column in (w1, w0)]

    @property
    def top(self) -> list[int]:
        return [w0 for w0, _ in self.words if w0 is not None]

    @property
    def bottom(self) -> list[int]:
        return [w1 for _, w1 in self.words if w1 is not None]


def tap_order(kernel: int, stride: int, lead: int) -> TapOrder:
    """Stride 1: ``lead`` zero taps, then the columns; stride 2: even columns, then odd ones."""
    if stride == 1:
        return TapOrder(_in_pairs([None] * lead + list(range(kernel))))
    return TapOrder(_in_pairs(list(range(0, kernel, 2))) + _in_pairs(list(range(1, kernel, 2))))


def ring_order(window: Window) -> TapOrder:
    """That of the kernels row by row."""
    return tap_order(window.kernel[1], window.stride[1], window.pad[2] % 2)


def _in_pairs(taps: list[int | None]) -> tuple[tuple[int | None, int | None], ...]:
    taps = taps + [None] * (len(taps) % 2)
    return tuple(zip(taps[::2], taps[1::2], strict=True))


def fits_fields(weights: np.ndarray, bias: np.ndarray, order: TapOrder) -> np.ndarray:
    """Which channels' doubled sums stay inside their fields for every int8 input (te_depthwise_fast.h).

    ``weights`` (channels, rows, columns); ``bias`` (channels,) less zero * (sum of weights).
    """
    return field_limits(weights, order).hold(bias)


def field_limits(weights: np.ndarray, order: TapOrder) -> BiasLimits:
    """The biases (less zero * sum of weights) with which that is so."""
    return bias_limits(weights, (-128, 127), 2, order.top, order.bottom)


@dataclass(frozen=True)
class Ring:
    """The ring of rows: te_depthwise_fast_params from ``units`` on."""

    units: int
    unit_words: int
    first_unit: int
    phase: int


def ring_of(window: Window, width: int, outputs: int) -> Ring | None:
    """Geometry for rows of ``width`` pixels and ``outputs`` results; None where gathering does not reach."""
    blocks = outputs // 6 + 1
    left = window.pad[2]
    if window.stride[1] == 1:
        first = (left + 1) // 2  # word
        units = max(blocks + 1, ceil_div(first + 3 * ceil_div(width, 6), 3))
        return Ring(units, 3, first // 3, first % 3)
    padding = left % 4
    if padding and width + padding < 4:
        return None
    units = max(3 * blocks + 1, left // 4 + ceil_div(padding + width, 4))
    return Ring(units, 2, left // 4, padding)


@dataclass(frozen=True, eq=False)
class Way:
    """How the kernel computes ``layer`` with this ``window``, whatever the size of its pictures.

    By the ``kernel`` for whole maps where there is one, else row by row: as polynomial products, or (``polynomial``
    False) plainly. ``plain``, bool (channels,): channels that a range check makes run plainly among the others.
    ``order``: of packed taps, row by row.
    """

    layer: Layer
    window: Window
    kernel: MapKernel | None
    polynomial: bool
    plain: np.ndarray
    order: TapOrder

    def ring(self, in_shape: Shape, out_shape: Shape) -> Ring | None:
        return ring_of(self.window, in_shape[1], out_shape[1]) if self.polynomial else None

    def scratch_bytes(self, in_shape: Shape, out_shape: Shape, rows: int | None = None) -> int:
        """For batches of ``rows`` output rows, all by default. The larger of both ways: a channel that fails its range
        check, and the portable build, need the plain rows."""
        rows, kernel_rows = min(rows or out_shape[0], out_shape[0]), self.window.kernel[0]
        plain = _plain_bytes(self.window, out_shape[1])
        if self.kernel is not None:
            reach = (rows - 1) * self.window.stride[0] + kernel_rows
            staged = reach if kernel_rows == 3 else min(reach, in_shape[0])  # rows of padding count if kernel = 3
            return max(self.kernel.scratch_bytes(staged, rows), plain)
        ring = self.ring(in_shape, out_shape)
        if ring is None:
            return plain
        return max(plain, 4 * kernel_rows * (ring.units * ring.unit_words + len(self.order.columns)))

    def work(self, in_shape: Shape, out_shape: Shape, rows: int) -> Work:
        """That of a batch of ``rows`` output rows."""
        window, (_, outputs, channels) = self.window, out_shape
        (kernel_rows, columns), exact = window.kernel, not self.layer.rounding.fast
        values = min((rows - 1) * window.stride[0] + kernel_rows, in_shape[0]) * in_shape[1]
        plain = int(self.plain.sum())
        alone = {
            Step.PLAIN_CHANNEL: 1,
            Step.PLAIN_STAGED: values,
            Step.PLAIN_PRODUCT: rows * outputs * kernel_rows * columns,
            Step.PLAIN_OUTPUT: rows * outputs,
        }
        tops = np.arange(out_shape[0]) * window.stride[0] - window.pad[0]
        meeting = np.minimum(tops + kernel_rows, in_shape[0]) - np.maximum(tops, 0)  # the others are left out
        met = rows * kernel_rows if kernel_rows == 3 else int(meeting.mean() * rows)
        blocks = ceil_div(outputs, 6) * met
        field = {
            Step.FIELD_CHANNEL: 1,
            Step.FIELD_STAGED: values,
            Step.FIELD_ROW: rows,
            Step.FIELD_PRODUCTS: blocks * window.stride[1],
            Step.FIELD_TAPS: blocks * columns,
            Step.FIELD_OUTPUT_EXACT if exact else Step.FIELD_OUTPUT: rows * outputs,
        }
        if self.kernel is None:
            field |= {Step.RING_CHANNEL: 1, Step.RING_ROW: rows}
        return repeated(Work(alone), plain) + repeated(Work(field), channels - plain)

    @property
    def note(self) -> str:
        """For the generated comment."""
        if self.plain.all():
            return "channel by channel, SMLAD"
        way = f"{'row by row' if self.kernel is None else 'whole maps'}, SMLAL"
        return f"channel by channel, {way}{f' ({self.plain.sum()} channels SMLAD)' if self.plain.any() else ''}"


def way_of(
    window: Window,
    shapes: tuple[Shape, Shape] | None,
    weights: np.ndarray,
    bias: np.ndarray,
    layer: Layer,
    trained: bool = False,
) -> Way:
    """The way for ``weights`` (channels, rows, columns), ``bias`` (channels,).

    ``shapes``: of input and output; None for pictures of any size without padding at the left and right. ``trained``:
    the bias is added to later, so that only then range checks tell which channels must run plainly.
    """
    (rows, columns), zero, rounding = window.kernel, layer.zero, layer.rounding
    whole = None if shapes is None else map_kernel(window, shapes[0][:2], shapes[1][:2])
    if whole is not None:
        fits = trained | whole.fits(weights, rounding.bias(bias), zero, not rounding.fast)
        if not (plain := _plain_channels(rounding, fits)).all():
            return Way(layer, window, whole, False, plain, TapOrder(()))
    polynomial = rows == columns and rows in KERNELS and window.stride[1] in (1, 2)
    if polynomial and shapes is not None:
        polynomial = ring_of(window, shapes[0][1], shapes[1][1]) is not None
    if not polynomial:
        return Way(layer, window, None, False, np.ones(len(weights), bool), TapOrder(_in_pairs([*range(columns)])))
    order, folded = ring_order(window), rounding.bias(bias - zero * weights.sum(axis=(1, 2)))
    plain = _plain_channels(rounding, trained | fits_fields(weights, folded, order))
    return Way(layer, window, None, not plain.all(), plain, order)


@once_per_graph
def layer_way(op: Operator, graph: Graph, requant: str, turned: bool = False) -> Way | None:
    """The way of a DEPTHWISE_CONV_2D; None for multipliers above 1, for dilation, and where sums or multipliers exceed
    the fixed-point formulas. ``turned``: rows and columns are exchanged, and pictures have any size (but no padding at
    the left and right)."""
    assert isinstance(op.attrs, DepthwiseConv2DAttrs)
    x, y = graph.tensor(op.inputs[0]), graph.tensor(op.outputs[0])
    require_int8(op, graph, x, y)
    require_image(op, graph, x, y)
    layer = layer_of(op, graph, requant) if is_plain_depthwise(op) else None
    if layer is None:
        return None
    window = op.attrs.window.turned() if turned else effective_window(op, graph)
    shapes = None if turned else (x.hwc(), y.hwc())
    taps = effective_taps(op, graph, turned)
    return way_of(window, shapes, taps, bias_of(op, graph, len(taps)), layer)


def lower_depthwise_fast(op: Operator, graph: Graph, target: Target) -> KernelCall | None:
    """None as ``layer_way``."""
    way = layer_way(op, graph, target.requant)
    if way is None:
        return None
    shapes = graph.tensor(op.inputs[0]).hwc(), graph.tensor(op.outputs[0]).hwc()
    return depthwise_call(op, graph, way, lambda: layer_params(way, shapes, op, graph))


def is_plain_depthwise(op: Operator) -> bool:
    """Whether one output channel belongs to one input channel, and kernels have no holes."""
    assert isinstance(op.attrs, DepthwiseConv2DAttrs)
    return op.attrs.multiplier == 1 and op.attrs.window.dilation == (1, 1)


def channel_taps(op: Operator, graph: Graph) -> np.ndarray:
    """The weights, int64 (channels, rows, columns)."""
    return weights_of(op, graph)[0].transpose(2, 0, 1)


def effective_taps(op: Operator, graph: Graph, turned: bool = False) -> np.ndarray:
    """Those of ``effective_window``; ``turned``: all, rows and columns exchanged."""
    assert isinstance(op.attrs, DepthwiseConv2DAttrs)
    if turned:
        return channel_taps(op, graph).transpose(0, 2, 1)
    rows, columns = effective_window(op, graph).kernel
    cut = (op.attrs.window.kernel[0] - rows) // 2
    return channel_taps(op, graph)[:, cut : cut + rows, cut : cut + columns]


def depthwise_call(op: Operator, graph: Graph, way: Way, pack: Packer) -> KernelCall:
    """The call for whole tensors, with the constants that ``pack`` packs."""
    assert isinstance(op.attrs, DepthwiseConv2DAttrs)
    x, y = graph.tensor(op.inputs[0]), graph.tensor(op.outputs[0])
    return KernelCall(
        op,
        "te_depthwise_fast_s8",
        HEADER,
        PARAMS_TYPE,
        pack,
        inputs=[x.name],
        outputs=[y.name],
        scratch_bytes=way.scratch_bytes(x.hwc(), y.hwc()),
        overlaps=(Overlap(0, exact=True) if trails(way.window, x.hwc(), y.hwc()) else None,),
        access=access.whole(x.nbytes, y.nbytes),
        macs=y.elements * prod(op.attrs.window.kernel),  # of which ``way`` may leave out what meets no pixel
        note=way.note,
        work=Work({Step.BATCH: 1}) + way.work(x.hwc(), y.hwc(), y.hwc()[0]),
        requant=way.layer.requant,
    )


def layer_params(
    way: Way, shapes: tuple[Shape, Shape], op: Operator, graph: Graph, turned: bool = False
) -> dict[str, CValue]:
    """te_depthwise_fast_params of a layer; ``turned`` as for ``layer_way``."""
    taps = effective_taps(op, graph, turned)
    return depthwise_params(way, shapes, taps, bias_of(op, graph, len(taps)))


def depthwise_params(way: Way, shapes: tuple[Shape, Shape], weights: np.ndarray, bias: np.ndarray) -> dict[str, CValue]:
    """te_depthwise_fast_params for ``weights`` (channels, rows, columns), ``bias`` (channels,) and pictures of
    ``shapes`` (input, output)."""
    plain, order = way.plain, way.order
    zero, requant, rounding = way.layer.zero, way.layer.requant, way.layer.rounding
    folded = rounding.bias(bias - zero * weights.sum(axis=(1, 2)))
    values: dict[str, CValue] = {
        "in": params.extent(shapes[0]),
        "out": params.extent(shapes[1]),
        "window": params.window(way.window),
        "in_zero": zero,
        "min": requant.low,
        "max": requant.high,
    }
    if way.kernel is not None:
        values |= _map_values(way.kernel, rounding, weights, rounding.bias(bias), plain, requant.zero)
        if plain.any():
            values["channels"] = CArray("channels", _channels(rounding, folded, plain))
        return values
    values |= {
        "tap_bytes": len(order.columns),
        "packed": CArray("packed", pack_taps(weights, order)),
        "columns": CArray("columns", np.array([column or 0 for column in order.columns], np.uint8)),
        "channels": CArray("channels", _channels(rounding, folded, plain)),
        "some_plain": int(plain.any()),
    }
    if ring := way.ring(*shapes):
        suffix = "_by_2" * (way.window.stride[1] == 2) + "_fast" * rounding.fast
        values |= {
            "run": f"te_depthwise_run_{way.window.kernel[1]}{suffix}",
            "units": ring.units,
            "unit_words": ring.unit_words,
            "first_unit": ring.first_unit,
            "phase": ring.phase,
        }
    return values


def _plain_channels(rounding: FixedRounding, fits: np.ndarray) -> np.ndarray:
    """Which channels must not run as polynomials, given which ``fits`` their fields."""
    plain = ~(fits | rounding.constant)
    return plain if rounding.fast else plain | (rounding.e == 0)


def effective_window(op: Operator, graph: Graph) -> Window:
    """The kernel without outer rows and columns that never meet a pixel (small maps under large kernels)."""
    assert isinstance(op.attrs, DepthwiseConv2DAttrs)
    window, size = op.attrs.window, graph.tensor(op.inputs[0]).shape[1:3]
    outputs = graph.tensor(op.outputs[0]).shape[1:3]
    while window.dilation == (1, 1) and min(window.kernel) > 3 and _outside(window, size, outputs):
        rows, columns = window.kernel
        top, bottom, left, right = window.pad
        window = replace(
            window, kernel=(rows - 2, columns - 2), pad=(top - 1, max(bottom - 1, 0), left - 1, max(right - 1, 0))
        )
    return window


def _outside(window: Window, size: tuple[int, ...], outputs: tuple[int, ...]) -> bool:
    """Whether the first and the last row and column of the kernel always lie in the padding."""
    for i in (0, 1):
        first = -window.pad[2 * i]
        last = first + (outputs[i] - 1) * window.stride[i]
        if first >= 0 or last >= 0 or first + window.kernel[i] - 1 < size[i]:
            return False
    return True


def pack_taps(weights: np.ndarray, order: TapOrder) -> np.ndarray:
    """int8 [channel][row][byte] of ``weights`` (channels, rows, columns)."""
    padded = np.concatenate([weights, np.zeros((*weights.shape[:2], 1), np.int64)], axis=2)
    return padded[:, :, [-1 if column is None else column for column in order.columns]].astype(np.int8).ravel()


def trails(window: Window, x: Shape, y: Shape) -> bool:
    """Whether no output pixel is written over an input pixel of a row that is yet to be fetched (in place)."""
    (height, width, _), (rows, columns, _) = x, y
    row = np.arange(rows)
    fetched = np.maximum(row * window.stride[0] - window.pad[0] + window.kernel[0], 0)
    return bool(((fetched >= height) | ((row + 1) * columns <= fetched * width)).all())


def _channels(rounding: FixedRounding, bias: np.ndarray, plain: np.ndarray) -> np.ndarray:
    """te_depthwise_fast_params.channels."""
    shifts = rounding.e + (rounding.l << 8) + (plain.astype(np.int64) << 16)
    return words(bias, rounding.m, rounding.c, shifts).view(np.int32).ravel()


def _map_values(
    kernel: MapKernel, rounding: FixedRounding, weights: np.ndarray, bias: np.ndarray, plain: np.ndarray, zero: int
) -> dict[str, CValue]:
    """te_depthwise_fast_params of whole maps, but the constants of plain channels.

    A channel whose result is constant becomes one without taps, whose bias alone gives the result: 4 bias * 2**30 is
    a whole number of results in either rounding.
    """
    constant = rounding.constant
    results = rounding.c - zero if rounding.fast else (rounding.c >> rounding.e) - zero
    bias = np.where(constant, 4 * results, np.where(plain, 0, bias))
    m = np.where(constant, 1 << 30, 2 * rounding.m if rounding.fast else rounding.m)
    if not rounding.fast:  # the range check leaves the highest byte free
        bias = (bias & 0xFFFFFF) + (np.where(constant, 1, rounding.e) << 24)
    taps = np.where(constant[:, None, None], 0, weights)
    return {
        "tap_bytes": kernel.kernel,
        "packed": CArray("packed", taps.astype(np.int8).ravel()),
        "columns": CArray("columns", np.arange(kernel.kernel, dtype=np.uint8)),
        "map_constants": CArray("map_constants", words(bias, m).view(np.int32).ravel()),
        "some_plain": int(plain.any()),
        "map": kernel.name(rounding.fast),
        "out_zero": zero,
        "row_words": kernel.row_words,
    }


def _plain_bytes(window: Window, outputs: int) -> int:
    rows, columns = window.kernel
    width = (outputs - 1) * window.stride[1] + columns + 1
    return 4 * (ceil_div(width * rows, 2) + rows * ceil_div(columns, 2))
