"""CONV_2D on te_conv_fast.h: order of the receptive field, packing of the weights, size of the blocks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from tinyengine.ir import Graph, Operator, Tensor
from tinyengine.ir.fast import SumRange, layer_requant, sum_range
from tinyengine.ir.ops import Conv2DAttrs, Window
from tinyengine.ir.requant import Requant
from tinyengine.kernels import access, params
from tinyengine.kernels.base import Access, CArray, CValue, KernelCall, Target
from tinyengine.kernels.checks import require_image, require_int8
from tinyengine.kernels.conv import bias_of, is_pointwise, weights_of
from tinyengine.kernels.fixed import FixedRounding, fixed_rounding, words

HEADER = "te_conv_fast.h"
PARAMS_TYPE = "te_conv_fast_params"
WIDE_WORDS = 14
"""TE_CONV_WIDE_WORDS"""

ROUND_WORDS = {"fast": 2, "exact": 3, "wide": 10}
"""TE_CONV_ROUND_..., per pair of channels"""

Shape = tuple[int, int, int]
"""Rows, columns, channels."""

COLUMN_BYTES = {"time": 40960, "flash": 40960, "sram": 2048}
"""Scratch for the columns of a block, by what is optimized: widening a weight costs 0.7 instructions per block."""

MEDIUM_COLUMNS = 6144
"""Beyond these, blocks grow only up to ENOUGH_PIXELS: more would save less than 0.01 instructions per MAC."""

ENOUGH_PIXELS = 96

CONSTANT_GROUPS = (4, 7)
"""Short fields have a variant without a loop over their groups."""

NARROW_CHANNELS = 8
"""Input channels of the narrow kernels."""

MIN_BLOCK = {"time": 6, "flash": 6, "sram": 2}
MAX_BLOCK = 256


@dataclass(frozen=True)
class Field:
    """A receptive field as ``runs`` of ``run_bytes`` contiguous input bytes each, and the order of its values."""

    runs: int
    run_bytes: int

    @property
    def groups(self) -> int:
        """Groups of 4 values: whole ones of each run, then the tails of all runs."""
        return self.runs * (self.run_bytes // 4) + -(-self.runs * (self.run_bytes % 4) // 4)

    def order(self) -> np.ndarray:
        """Index into the field (run by run) of each packed weight byte; -1 where nothing corresponds."""
        index = np.arange(self.runs * self.run_bytes).reshape(self.runs, self.run_bytes)
        whole = self.run_bytes // 4 * 4
        tail = index[:, whole:].ravel()
        tail = np.pad(tail, (0, -len(tail) % 4), constant_values=-1)
        # a group's bytes are k0 k1 k2 k3, the tail's values arrive as k0 k2 k1 k3
        tail = tail.reshape(-1, 4)[:, [0, 2, 1, 3]].ravel()
        return np.concatenate([index[:, :whole].ravel(), tail])


def field_of(window: Window, channels: int) -> Field:
    """Kernel rows are contiguous unless taps are dilated; then every tap is a run of its own."""
    rows, columns = window.kernel
    if window.dilation[1] == 1 or columns == 1:
        return Field(rows, columns * channels)
    return Field(rows * columns, channels)


def pack_weights(weights: np.ndarray, bias: np.ndarray, rounding: FixedRounding, order: np.ndarray) -> np.ndarray:
    """The stream of te_conv_fast.h as uint32; ``weights`` (channels, field), ``bias`` (channels,)."""
    channels = len(weights)
    padded = np.concatenate([weights, np.zeros((channels, 1), np.int64)], axis=1)
    packed = np.ascontiguousarray(padded[:, order], np.int8).view("<u4")  # (channels, groups)
    first = np.arange(0, channels, 2)
    if channels % 2:
        first[-1] -= 1
    pairs = np.stack([first, first + 1], axis=1)  # (pairs, 2)
    biases = words(bias)[:, 0][pairs]
    body = packed[pairs].transpose(0, 2, 1).reshape(len(pairs), -1)  # group by group: c0, c1
    if rounding.wide:
        table = words(rounding.m, rounding.c, rounding.e, rounding.l, rounding.s)
        rounds = table[pairs].reshape(len(pairs), -1)
    elif rounding.fast:  # the formula multiplies the doubled sum: here the multiplier is doubled instead
        rounds = words(2 * rounding.m)[:, 0][pairs]
    else:
        shifts = (rounding.e - 1)[pairs]
        rounds = np.concatenate([words(rounding.m)[:, 0][pairs], words(shifts[:, 0] + (shifts[:, 1] << 8))], axis=1)
    return np.concatenate([biases, body, rounds], axis=1).ravel()


def without_constants(
    weights: np.ndarray, bias: np.ndarray, rounding: FixedRounding, zero: int
) -> tuple[np.ndarray, np.ndarray, FixedRounding]:
    """Weights, biases and rounding in which all channels use zero point ``zero`` (not for ``wide``).

    Channels with a constant result get zero weights and a bias of 4 * (result - zero), with a multiplier of 1/4.
    """
    constant = rounding.constant
    result = rounding.c >> rounding.e  # C is 2**(e-1) + (result << e), or the result itself
    weights = np.where(constant[:, None], 0, weights)
    bias = np.where(constant, 4 * (result - zero), bias)
    m = np.where(constant, (1 << 29) if rounding.fast else (1 << 30), rounding.m)
    e = np.where(constant, rounding.e if rounding.fast else 1, rounding.e)
    return weights, bias, replace(rounding, m=m, e=e, constant=np.zeros_like(constant))


def pack_narrow(weights: np.ndarray, bias: np.ndarray, rounding: FixedRounding) -> np.ndarray:
    """The stream of the narrow kernels of te_conv_fast.h as uint32; ``weights`` (channels, 8), ``bias`` (channels,)."""
    pairs = np.ascontiguousarray(weights[:, [0, 2, 1, 3, 4, 6, 5, 7]], "<i2").view("<u4")
    rounds = words(2 * rounding.m, rounding.c) if rounding.fast else words(rounding.m, rounding.c, rounding.e)
    return np.concatenate([words(bias), pairs, rounds], axis=1).ravel()


def lower_conv_fast(op: Operator, graph: Graph, target: Target) -> KernelCall | None:
    """None for a single output channel, and where sums or multipliers exceed the fixed-point formulas."""
    assert isinstance(op.attrs, Conv2DAttrs)
    x, y = graph.tensor(op.inputs[0]), graph.tensor(op.outputs[0])
    require_int8(op, graph, x, y)
    require_image(op, graph, x, y)
    weights = weights_of(op, graph)
    channels = y.shape[3]
    if channels < 2 or weights.shape[3] != x.shape[3]:
        return None
    return matrix_call(
        op,
        (x, y),
        (x.hwc(), y.hwc()),
        op.attrs.window,
        weights.reshape(channels, -1),
        bias_of(op, graph, channels),
        layer_requant(graph, op, target.requant),
        target,
    )


def matrix_call(
    op: Operator,
    tensors: tuple[Tensor, Tensor],
    shapes: tuple[Shape, Shape],
    window: Window,
    weights: np.ndarray,
    bias: np.ndarray,
    requant: Requant,
    target: Target,
    sums: SumRange | None = None,
) -> KernelCall | None:
    """The call for ``weights`` (channels, field) on input and output ``tensors`` seen as pictures of ``shapes``.

    ``sums``: those of ``weights`` and ``bias`` by default; given, the constants may change, so no narrow kernel.
    """
    x, y = tensors
    if is_pointwise(window):  # one long row: blocks need not end with the picture's rows
        shapes = _one_row(shapes[0]), _one_row(shapes[1])
    matrix = matrix_of(x.zero_point, shapes, window, weights, bias, requant, target, shapes[1][0], sums)
    if matrix is None:
        return None
    touched = _access(*shapes, window, matrix.block)
    return KernelCall(
        op,
        "te_conv_fast_s8" if matrix.scratch_bytes else "te_conv_narrow_s8",
        HEADER,
        PARAMS_TYPE,
        lambda: matrix.params,
        inputs=[x.name],
        outputs=[y.name],
        scratch_bytes=matrix.scratch_bytes,
        overlaps=(access.overlap(touched, 0, y.nbytes),),
        access=touched,
        macs=y.elements * weights.shape[1],
        note=matrix.note,
    )


@dataclass(frozen=True, eq=False)
class Matrix:
    """A convolution as te_conv_fast_params; ``block`` pixels at a time."""

    params: dict[str, CValue]
    scratch_bytes: int
    block: int
    note: str


def matrix_of(
    zero: int,
    shapes: tuple[Shape, Shape],
    window: Window,
    weights: np.ndarray,
    bias: np.ndarray,
    requant: Requant,
    target: Target,
    rows: int,
    sums: SumRange | None = None,
) -> Matrix | None:
    """The parameters for an input with zero point ``zero``, of which ``rows`` output rows are computed at a time;
    ``sums`` as for ``matrix_call``."""
    assert not requant.once
    in_shape, out_shape = shapes
    rounding = fixed_rounding(requant, sums or sum_range(weights, bias, zero))
    if rounding is None:
        return None
    compact = target.optimize == "flash"
    narrow = sums is None and is_pointwise(window) and in_shape[2] == NARROW_CHANNELS and not rounding.wide
    if narrow and not compact:
        return _narrow(zero, shapes, window, weights, bias, requant, rounding)
    field = field_of(window, in_shape[2])
    folded = rounding.bias(bias - zero * weights.sum(axis=1))
    # Doubled columns cost half an instruction per value and save one per output that is rounded exactly.
    variant = "fast" if rounding.fast else "wide" if rounding.wide else "exact"
    doubled = variant == "exact" and 2 * len(weights) > field.groups * 4 and not compact
    if not rounding.wide:
        weights, folded, rounding = without_constants(weights, folded, rounding, requant.zero)
    packed = pack_weights(weights, 2 * folded if doubled else folded, rounding, field.order())
    block = _block(rows * out_shape[1], field, target)
    gather, gather_any = _gathers(field, window, in_shape[2], doubled)
    tiles = _tiles(field, doubled, variant)
    if compact:  # one kernel of each kind, with little code
        gather, gather_any, tiles = "te_conv_gather", "te_conv_gather", f"te_conv_tiles_small_{variant}"
    values: dict[str, CValue] = {
        "in": _hwc(in_shape),
        "out": _hwc(out_shape),
        "window": params.window(window),
        "in_zero": zero,
        "out_zero": requant.zero,
        "min": requant.low,
        "max": requant.high,
        "n_runs": field.runs,
        "run_bytes": field.run_bytes,
        "groups": field.groups,
        "block": block,
        "gather": gather,
        "gather_any": gather_any,
        "tiles": tiles,
        "weights": CArray("weights", packed),
    }
    crosses = window.dilation[1] == 1 and window.kernel[1] > 1 and _leaves_row(in_shape, out_shape, window)
    kind = "pointwise" if is_pointwise(window) else "columns"
    return Matrix(
        values,
        _scratch_bytes(field, block) + field.run_bytes * 2 * field.runs * crosses,
        block,
        f"{kind}, {block} pixels, {tiles.removeprefix('te_conv_tiles_')}",
    )


def _scratch_bytes(field: Field, block: int) -> int:
    """Columns, widened weights, runs, and a run outside the picture; not those that cross its edges."""
    words = block // 2 * (4 * field.groups + 2) + 4 * field.groups + WIDE_WORDS + 3 * field.runs
    return 4 * words + field.run_bytes


def conv_scratch(values: Mapping[str, CValue], pixels: int, target: Target) -> int:
    """Scratch memory for the convolution ``values`` (te_conv_fast_params), were it made ``pixels`` pixels at a time in
    a picture whose windows stay inside its rows."""
    if values["gather"] == 0:
        return 0  # narrow
    field = Field(int(str(values["n_runs"])), int(str(values["run_bytes"])))
    return _scratch_bytes(field, _block(pixels, field, target))


def _narrow(
    zero: int,
    shapes: tuple[Shape, Shape],
    window: Window,
    weights: np.ndarray,
    bias: np.ndarray,
    requant: Requant,
    rounding: FixedRounding,
) -> Matrix:
    """A pixel's few values stay in registers: no columns, no scratch memory."""
    folded = rounding.bias(bias - zero * weights.sum(axis=1))
    variant = "fast" if rounding.fast else "exact"
    values: dict[str, CValue] = {
        "in": _hwc(shapes[0]),
        "out": _hwc(shapes[1]),
        "window": params.window(window),
        "in_zero": zero,
        "out_zero": requant.zero,
        "min": requant.low,
        "max": requant.high,
        "n_runs": 1,
        "run_bytes": NARROW_CHANNELS,
        "groups": NARROW_CHANNELS // 4,
        "block": 1,
        "gather": 0,
        "gather_any": 0,
        "tiles": f"te_conv_narrow_{variant}",
        "weights": CArray("weights", pack_narrow(weights, folded if rounding.fast else 2 * folded, rounding)),
    }
    return Matrix(values, 0, 1, f"narrow, {variant}")


def _gathers(field: Field, window: Window, channels: int, doubled: bool) -> tuple[str, str]:
    """Names of the kernels that gather columns (te_conv_fast.h): for pairs within a row, and for any."""
    suffix = "_doubled" * doubled
    general = f"te_conv_gather{suffix}"
    if field.runs == 1 and field.run_bytes % 4 == 0 and channels % 4 == 0:
        return (f"te_conv_gather_pixels{suffix}",) * 2
    if (field.runs, field.run_bytes, channels) == (3, 9, 3) and window.stride[1] <= 2:
        return f"te_conv_gather_rgb{'_by_2' * (window.stride[1] == 2)}{suffix}", general
    return general, general


def _tiles(field: Field, doubled: bool, variant: str) -> str:
    """Name of the kernel that computes tiles."""
    if variant == "wide":
        return "te_conv_tiles_wide"
    constant = f"_{4 * field.groups}" if field.groups in CONSTANT_GROUPS else ""
    return f"te_conv_tiles_{variant}" + "_doubled" * doubled + constant


def _one_row(shape: Shape) -> Shape:
    return 1, shape[0] * shape[1], shape[2]


def _hwc(shape: Shape) -> dict[str, CValue]:
    return dict(zip("hwc", shape, strict=True))


def _block(pixels: int, field: Field, target: Target) -> int:
    """Output pixels per block: even, all blocks of about the same size."""
    limit = COLUMN_BYTES[target.optimize]
    if target.column_bytes is not None:
        limit = min(limit, target.column_bytes)
    pair_bytes = 16 * field.groups + 8
    most = min(limit // pair_bytes * 2, max(ENOUGH_PIXELS, MEDIUM_COLUMNS // pair_bytes * 2))
    most = min(max(most, MIN_BLOCK[target.optimize]), MAX_BLOCK)
    blocks = -(-pixels // most)
    size = -(-pixels // blocks)
    return size + size % 2


def _leaves_row(in_shape: Shape, out_shape: Shape, window: Window) -> bool:
    last = (out_shape[1] - 1) * window.stride[1] - window.pad[2] + window.kernel[1]
    return window.pad[2] > 0 or last > in_shape[1]


def _access(in_shape: Shape, out_shape: Shape, window: Window, block: int) -> Access:
    """Each block reads all its input rows (pixels, if pointwise), then writes its pixels."""
    pixels = out_shape[0] * out_shape[1]
    first = np.arange(0, pixels, block)
    last = np.minimum(first + block, pixels)
    write = (first * out_shape[2], last * out_shape[2])
    if is_pointwise(window):
        return access.blocks([(first * in_shape[2], last * in_shape[2])], write)
    lo, hi = access.under_window(
        window.kernel[0], window.stride[0], window.dilation[0], window.pad[0], in_shape[0], out_shape[0]
    )
    line = in_shape[1] * in_shape[2]
    return access.blocks([(lo[first // out_shape[1]] * line, hi[(last - 1) // out_shape[1]] * line)], write)
