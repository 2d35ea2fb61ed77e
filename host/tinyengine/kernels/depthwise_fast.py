"""DEPTHWISE_CONV_2D on te_depthwise_fast.h: packing of the taps, range checks of the products, ring of rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from tinyengine.ir import Graph, Operator, Tensor
from tinyengine.ir.fast import layer_requant, sum_range
from tinyengine.ir.ops import DepthwiseConv2DAttrs, Window
from tinyengine.ir.requant import Requant
from tinyengine.kernels import access, params
from tinyengine.kernels.base import CArray, CValue, KernelCall, Overlap, Target
from tinyengine.kernels.checks import require_image, require_int8
from tinyengine.kernels.conv import bias_of, weights_of
from tinyengine.kernels.depthwise_map import BiasLimits, MapKernel, bias_limits, map_kernel
from tinyengine.kernels.fixed import FixedRounding, fixed_rounding, words

HEADER = "te_depthwise_fast.h"
KERNELS = (3, 5, 7)


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
        units = max(blocks + 1, -(-(first + 3 * -(-width // 6)) // 3))
        return Ring(units, 3, first // 3, first % 3)
    padding = left % 4
    if padding and width + padding < 4:
        return None
    units = max(3 * blocks + 1, left // 4 + -(-(padding + width) // 4))
    return Ring(units, 2, left // 4, padding)


def lower_depthwise_fast(op: Operator, graph: Graph, target: Target, rows: int | None = None) -> KernelCall | None:
    """None for multipliers above 1, dilation, and sums or multipliers beyond the fixed-point formulas.

    ``rows``: output rows per batch, all by default; decides the scratch memory.
    """
    if not is_plain_depthwise(op):
        return None
    x, weights = graph.tensor(op.inputs[0]), channel_taps(op, graph)
    bias = bias_of(op, graph, len(weights))
    requant = layer_requant(graph, op, target.requant)
    rounding = fixed_rounding(requant, sum_range(weights.reshape(len(weights), -1), bias, x.zero_point))
    return None if rounding is None else depthwise_call(op, graph, bias, requant, rounding, rows)


def is_plain_depthwise(op: Operator) -> bool:
    """Whether one output channel belongs to one input channel, and kernels have no holes."""
    assert isinstance(op.attrs, DepthwiseConv2DAttrs)
    return op.attrs.multiplier == 1 and op.attrs.window.dilation == (1, 1)


def channel_taps(op: Operator, graph: Graph) -> np.ndarray:
    """The weights, int64 (channels, rows, columns)."""
    return weights_of(op, graph)[0].transpose(2, 0, 1)


def effective_taps(op: Operator, graph: Graph) -> np.ndarray:
    """Those of ``effective_window``."""
    assert isinstance(op.attrs, DepthwiseConv2DAttrs)
    rows, columns = effective_window(op, graph).kernel
    cut = (op.attrs.window.kernel[0] - rows) // 2
    return channel_taps(op, graph)[:, cut : cut + rows, cut : cut + columns]


def depthwise_call(
    op: Operator,
    graph: Graph,
    bias: np.ndarray,
    requant: Requant,
    rounding: FixedRounding,
    rows: int | None = None,
    trained: bool = False,
) -> KernelCall:
    """The call for a plain depthwise convolution with ``bias`` (channels,) in place of its own.

    ``trained``: that is added to later, so that only then range checks tell which channels must run plainly.
    """
    x, y = graph.tensor(op.inputs[0]), graph.tensor(op.outputs[0])
    require_int8(op, graph, x, y)
    require_image(op, graph, x, y)
    window, weights = effective_window(op, graph), effective_taps(op, graph)
    folded = rounding.bias(bias - x.zero_point * weights.sum(axis=(1, 2)))  # what the other ways start with
    bias = rounding.bias(bias)
    rows = min(rows or y.shape[1], y.shape[1])
    kernel = map_kernel(window, x.shape[1:3], y.shape[1:3])
    if kernel is not None:
        fits = trained | kernel.fits(weights, bias, x.zero_point, not rounding.fast)
        plain = _plain_channels(rounding, fits)
    if kernel is not None and not plain.all():
        values = _map_values(kernel, rounding, weights, bias, plain, requant.zero)
        if plain.any():
            values["channels"] = CArray("channels", _channels(rounding, folded, plain))
        scratch = max(kernel.scratch_bytes(_staged_rows(window, x, rows), rows), _plain_bytes(window, y.shape[2]))
        return _call(op, window, x, y, requant, values, scratch, _note("whole maps", plain))
    bias = folded
    ring = _polynomial_ring(window, x, y)
    order = ring_order(window) if ring else TapOrder(_in_pairs([*range(window.kernel[1])]))
    plain = np.ones(len(weights), bool)
    if ring:
        plain = _plain_channels(rounding, trained | fits_fields(weights, bias, order))
    if plain.all():
        ring = None
    values = {
        "tap_bytes": len(order.columns),
        "packed": CArray("packed", pack_taps(weights, order)),
        "columns": CArray("columns", np.array([column or 0 for column in order.columns], np.uint8)),
        "channels": CArray("channels", _channels(rounding, bias, plain)),
        "some_plain": int(plain.any()),
    }
    if ring:
        suffix = "_by_2" * (window.stride[1] == 2) + "_fast" * rounding.fast
        values |= {
            "run": f"te_depthwise_run_{window.kernel[1]}{suffix}",
            "units": ring.units,
            "unit_words": ring.unit_words,
            "first_unit": ring.first_unit,
            "phase": ring.phase,
        }
    note = _note("row by row", plain) if ring else _note("", plain)
    return _call(op, window, x, y, requant, values, _scratch_bytes(window, y.shape[2], ring, len(order.columns)), note)


def _call(
    op: Operator,
    window: Window,
    x: Tensor,
    y: Tensor,
    requant: Requant,
    values: Mapping[str, CValue],
    scratch_bytes: int,
    note: str,
) -> KernelCall:
    """``values``: te_depthwise_fast_params without what does not depend on the way."""
    assert isinstance(op.attrs, DepthwiseConv2DAttrs)
    kernel = op.attrs.window.kernel  # of which parts may never meet a pixel: ``window`` may be smaller
    shape: dict[str, CValue] = {
        "in": params.hwc(x),
        "out": params.hwc(y),
        "window": params.window(window),
        "in_zero": x.zero_point,
        "min": requant.low,
        "max": requant.high,
    }
    return KernelCall(
        op,
        "te_depthwise_fast_s8",
        HEADER,
        "te_depthwise_fast_params",
        lambda: {**shape, **values},
        inputs=[x.name],
        outputs=[y.name],
        scratch_bytes=scratch_bytes,
        overlaps=(Overlap(0, exact=True) if trails(window, x, y) else None,),
        access=access.blocks([(np.array([0]), np.array([x.nbytes]))], (np.array([0]), np.array([y.nbytes]))),
        macs=y.elements * kernel[0] * kernel[1],
        note=note,
    )


def _plain_channels(rounding: FixedRounding, fits: np.ndarray) -> np.ndarray:
    """Which channels must not run as polynomials, given which ``fits`` their fields."""
    plain = ~(fits | rounding.constant)
    return plain if rounding.fast else plain | (rounding.e == 0)


def _staged_rows(window: Window, x: Tensor, rows: int) -> int:
    """Most rows that a batch of ``rows`` output rows stages; rows of padding count if kernel = 3."""
    reach = (rows - 1) * window.stride[0] + window.kernel[0]
    return reach if window.kernel[0] == 3 else min(reach, x.shape[1])


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


def trails(window: Window, x: Tensor, y: Tensor) -> bool:
    """Whether no output pixel is written over an input pixel of a row that is yet to be fetched (in place)."""
    height, width = x.shape[1:3]
    rows, columns = y.shape[1:3]
    row = np.arange(rows)
    fetched = np.maximum(row * window.stride[0] - window.pad[0] + window.kernel[0], 0)
    return bool(((fetched >= height) | ((row + 1) * columns <= fetched * width)).all())


def _polynomial_ring(window: Window, x: Tensor, y: Tensor) -> Ring | None:
    rows, columns = window.kernel
    if rows != columns or rows not in KERNELS or window.stride[1] not in (1, 2):
        return None
    return ring_of(window, x.shape[2], y.shape[2])


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
    return 2 * (-(-width * rows // 2) * 2 + rows * -(-columns // 2) * 2)


def depthwise_scratch(values: Mapping[str, CValue], outputs: int) -> int:
    """Scratch memory for the convolution ``values`` (te_depthwise_fast_params), had its rows ``outputs`` results and no
    padding."""
    given = values["window"]
    assert isinstance(given, Mapping)
    rows, columns, down, right = (int(str(given[key])) for key in ("kh", "kw", "sh", "sw"))
    window = Window((rows, columns), (down, right))
    ring = ring_of(window, (outputs - 1) * right + columns, outputs) if "run" in values else None
    return _scratch_bytes(window, outputs, ring, int(str(values["tap_bytes"])))


def _scratch_bytes(window: Window, outputs: int, ring: Ring | None, tap_bytes: int) -> int:
    """The larger of both ways: a channel that fails its range check, and the portable build, need the plain rows."""
    plain = _plain_bytes(window, outputs)
    if ring is None:
        return plain
    rows = window.kernel[0]
    return max(plain, 4 * (ring.units * ring.unit_words * rows + rows * tap_bytes))


def _note(way: str, plain: np.ndarray) -> str:
    if plain.all():
        return "channel by channel, SMLAD"
    return f"channel by channel, {way}, SMLAL{f' ({plain.sum()} channels SMLAD)' if plain.any() else ''}"
