"""CONV_2D on te_conv_fast.h: order of the receptive field, packing of the weights, size of the blocks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod

import numpy as np

from tinyengine.cores import MVE
from tinyengine.ir import Graph, Operator
from tinyengine.ir.ops import Conv2DAttrs, Window
from tinyengine.kernels import access, params
from tinyengine.kernels.base import Access, CArray, CValue, KernelCall, Packer, Target
from tinyengine.kernels.checks import require_image, require_int8
from tinyengine.kernels.conv import bias_of, is_pointwise, weights_of
from tinyengine.kernels.fixed import FixedRounding, words
from tinyengine.kernels.layer import Layer, layer_of
from tinyengine.kernels.work import Step, Work, pairs_of
from tinyengine.sizes import ceil_div, round_up

HEADER = "te_conv_fast.h"
PARAMS_TYPE = "te_conv_fast_params"
WIDE_WORDS = 14
"""TE_CONV_WIDE_WORDS"""

WIDE_QUAD = 0x80000000
"""TE_CONV_QUADS_WIDE"""

QUAD_EXACT_WORDS = 5
"""TE_CONV_QUADS_EXACT_WORDS"""

QUAD = 4
"""Output channels that te_conv_quads.h computes at a time, and at least."""

QUADS_FEW = 3
"""As in te_conv_quads_dsp.S: pairs of pixels up to which weights are not copied."""

ROUND_WORDS = {"fast": 2, "exact": 3, "wide": 10}
"""TE_CONV_ROUND_..., per pair of channels"""

Shape = tuple[int, int, int]
"""Rows, columns, channels."""

COLUMN_BYTES = {"time": 40960, "flash": 40960, "sram": 2048}
"""Scratch for the columns of a block, by what is optimized: widening a weight costs 0.7 instructions per block."""

MEDIUM_COLUMNS = 6144
"""Beyond these, blocks grow only up to ENOUGH_PIXELS: more would save less than 0.01 instructions per MAC."""

ENOUGH_PIXELS = 96

VECTOR_BLOCK = 64
"""Pixels of a single vector each that are copied at a time: a kernel begins anew for each four channels of a block."""

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
        return self.runs * (self.run_bytes // 4) + ceil_div(self.runs * (self.run_bytes % 4), 4)

    @property
    def vector_groups(self) -> int:
        """Two for every 16 values."""
        return 2 * ceil_div(self.runs * self.run_bytes, 16)

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
    """Weights, biases and rounding in which all channels use zero point ``zero``.

    Channels with a constant result get zero weights and a bias of 4 * (result - zero), with a multiplier of 1/4.
    """
    constant = rounding.constant
    result = rounding.c >> rounding.e  # C is 2**(e-1) + (result << e), or the result itself
    weights = np.where(constant[:, None], 0, weights)
    bias = np.where(constant, 4 * (result - zero), bias)
    m = np.where(constant, (1 << 29) if rounding.fast else (1 << 30), rounding.m)
    e = np.where(constant, rounding.e if rounding.fast else 1, rounding.e)
    c = rounding.c if rounding.fast else np.where(constant, 2 * zero + 1, rounding.c)
    return weights, bias, replace(rounding, m=m, c=c, e=e, constant=np.zeros_like(constant))


def pack_narrow(weights: np.ndarray, bias: np.ndarray, rounding: FixedRounding) -> np.ndarray:
    """The stream of the narrow kernels of te_conv_fast.h as uint32; ``weights`` (channels, 8), ``bias`` (channels,)."""
    pairs = np.ascontiguousarray(weights[:, [0, 2, 1, 3, 4, 6, 5, 7]], "<i2").view("<u4")
    rounds = words(2 * rounding.m, rounding.c) if rounding.fast else words(rounding.m, rounding.c, rounding.e)
    return np.concatenate([words(bias), pairs, rounds], axis=1).ravel()


def pack_quads(
    weights: np.ndarray, bias: np.ndarray, rounding: FixedRounding, order: np.ndarray, zero: int
) -> np.ndarray:
    """The stream of te_conv_quads.h as uint32; ``weights`` (channels, field), ``bias`` (channels,), ``zero`` of the
    output."""
    channels = len(weights)
    first = np.minimum(np.arange(0, channels, 4), channels - 4)
    padded = np.concatenate([weights, np.zeros((channels, 1), np.int64)], axis=1)[:, order]
    quads = padded[first[:, None] + np.arange(4)]  # (quads, 4, values)
    both = (quads[:, 0::2] + 256 * quads[:, 1::2]).reshape(len(first), 2, -1, 4) & 0xFFFF  # (quads, pairs, groups, k)
    body = both[..., :2] + (both[..., 2:] << 16)  # k0 with k2, k1 with k3
    streams = []
    for channel, words_of_quad in zip(first, body.transpose(0, 2, 3, 1), strict=True):
        own = slice(channel, channel + 4)
        exact = not rounding.fast and not rounding.wide_channels[own].any()
        streams += [
            words(bias[own][0::2])[:, 0],
            words_of_quad.ravel().astype(np.uint32),
            words(bias[own][1::2] << int(exact))[:, 0],
            _quad_rounding(rounding, own, exact, zero),
        ]
    return np.concatenate(streams)


def pack_vectors(weights: np.ndarray, bias: np.ndarray, rounding: FixedRounding) -> np.ndarray:
    """The stream of te_conv_vectors.h as uint32; ``weights`` (channels, field), ``bias`` (channels,)."""
    channels = len(weights)
    quads = np.minimum(np.arange(0, channels, QUAD), channels - QUAD)[:, None] + np.arange(QUAD)
    padded = np.pad(weights, ((0, 0), (0, -weights.shape[1] % 16))).astype(np.int8)
    body = padded[quads].reshape(len(quads), QUAD, -1, 16).transpose(0, 2, 1, 3)  # (quads, vectors, 4, 16)
    body = np.concatenate([body[:, :1], body[:, :0:-1]], axis=1)
    stream = np.ascontiguousarray(body).reshape(len(quads), -1).view("<u4")
    columns = [rounding.l - 1, rounding.m, rounding.s, -rounding.e]
    used = [rounding.m] if rounding.fast else columns if rounding.wide else [rounding.m, -rounding.e]
    return np.concatenate(
        [stream, words(bias)[:, 0][quads], *(words(each)[:, 0][quads] for each in used)], axis=1
    ).ravel()


def _quad_rounding(rounding: FixedRounding, own: slice, exact: bool, zero: int) -> np.ndarray:
    m, e = rounding.m[own], rounding.e[own]
    if rounding.fast:  # the formula multiplies the doubled sum: here the multiplier is doubled instead
        return words(2 * m)[:, 0]
    if exact:
        return np.concatenate([words((e << 8 * np.arange(4)).sum())[None, 0], words(m)[:, 0]])
    table = words(m, rounding.c[own], e, rounding.l[own], rounding.s[own])
    return np.concatenate([[np.uint32(WIDE_QUAD)], table.ravel()]).astype(np.uint32)


def conv_layer(op: Operator, graph: Graph, requant: str) -> Layer | None:
    """How the kernel rounds a CONV_2D; None for a single output channel, for groups, and where sums or multipliers
    exceed the fixed-point formulas."""
    x, y = graph.tensor(op.inputs[0]), graph.tensor(op.outputs[0])
    require_int8(op, graph, x, y)
    require_image(op, graph, x, y)
    if y.shape[3] < 2 or graph.tensor(op.inputs[1]).shape[3] != x.shape[3]:
        return None
    return layer_of(op, graph, requant)


def lower_conv_fast(op: Operator, graph: Graph, target: Target) -> KernelCall | None:
    """None as ``conv_layer``."""
    layer = conv_layer(op, graph, target.requant)
    if layer is None:
        return None
    matrix = layer_matrix(op, graph, layer, target)
    return matrix_call(op, matrix, lambda: conv_params(matrix, op, graph))


@dataclass(frozen=True)
class Matrix:
    """Sizes of a convolution, ``layer``, of pictures of ``in_shape`` and ``out_shape``, ``block`` output pixels at a
    time.

    ``doubled``: columns hold doubled values. ``compact``: one kernel of each kind, with little code. ``narrow``: a
    pixel's few values stay in registers: no columns, no scratch memory. ``quads``: on te_conv_quads.h. ``vectors``: on
    te_conv_vectors.h.
    """

    layer: Layer
    in_shape: Shape
    out_shape: Shape
    window: Window
    field: Field
    block: int
    doubled: bool
    compact: bool
    narrow: bool = False
    quads: bool = False
    vectors: bool = False

    @property
    def by_pixels(self) -> bool:
        """Whether the picture's own bytes are multiplied: no columns."""
        return self.narrow or (self.vectors and is_pointwise(self.window) and self.block == 2)

    @property
    def groups(self) -> int:
        """te_conv_fast_params.groups: an eighth of a pixel's bytes in columns."""
        return self.field.vector_groups if self.vectors else self.field.groups

    @property
    def rounding(self) -> str:
        """A key of ROUND_WORDS."""
        return self.layer.rounding.kind

    @property
    def scratch_bytes(self) -> int:
        """Columns, widened weights, runs, a run outside the picture, and those that cross its edges."""
        field, window, groups = self.field, self.window, self.groups
        if self.by_pixels:  # the last pixels once more, where vectors reach beyond them
            return 0 if self.narrow or field.run_bytes % 16 == 0 else 16 * groups
        if self.vectors:
            return 8 * self.block * groups
        words = self.block // 2 * (4 * groups + 2) + 4 * groups + WIDE_WORDS + 3 * field.runs
        crosses = field.runs == window.kernel[0] and window.kernel[1] > 1 and self._sides_left > 0
        return 4 * words + field.run_bytes * (1 + 2 * field.runs * crosses)

    @property
    def _sides_left(self) -> int:
        """Sides of the picture beyond which windows reach."""
        window = self.window
        last = (self.out_shape[1] - 1) * window.stride[1] - window.pad[2] + window.kernel[1]
        return (window.pad[2] > 0) + (last > self.in_shape[1])

    def work(self, pixels: int) -> Work:
        """That of a batch of so many output pixels."""
        channels, depth = self.out_shape[2], self.field.runs * self.field.run_bytes
        exact = not self.layer.rounding.fast
        if self.narrow:
            output = Step.NARROW_OUTPUT_EXACT if exact else Step.NARROW_OUTPUT
            return Work({Step.NARROW_PIXEL: pixels, output: pixels * channels})
        pair_count, blocks = pairs_of(pixels, self.block)
        work = Work() if self.by_pixels else Work({Step.CONV_BLOCK: blocks, Step.GATHERED: 2 * pair_count * depth})
        if not is_pointwise(self.window):
            rows, sides = ceil_div(pixels, self.out_shape[1]), self._sides_left
            work += Work({Step.AIMED: rows * (1 + 2 * sides) * self.field.runs, Step.CLIPPED: rows * sides * depth})
        if self.vectors:
            tiles = pair_count * ceil_div(channels, QUAD)
            tile = Step.VECTOR_TILE_EXACT if exact else Step.VECTOR_TILE
            return work + Work({Step.VECTOR_GROUP: tiles * ceil_div(depth, 16), tile: tiles})
        if self.quads:
            tiles = pair_count * ceil_div(channels, QUAD)
            tile = Step.QUAD_TILE_EXACT if exact else Step.QUAD_TILE
            copied = pixels // self.block * (self.block > 2 * QUADS_FEW) + (pixels % self.block > 2 * QUADS_FEW)
            weights = copied * ceil_div(channels, QUAD) * QUAD * 4 * self.groups
            return work + Work({Step.QUAD_GROUP: tiles * self.groups, tile: tiles, Step.QUAD_WEIGHT: weights})
        tiles = pair_count * ceil_div(channels, 2)
        tile = Step.PAIR_TILE_EXACT if exact else Step.PAIR_TILE
        weights = blocks * ceil_div(channels, 2) * 2 * 4 * self.groups
        return work + Work({Step.PAIR_GROUP: tiles * self.groups, tile: tiles, Step.PAIR_WEIGHT: weights})

    @property
    def macs(self) -> int:
        return prod(self.out_shape) * prod(self.window.kernel) * self.in_shape[2]

    @property
    def pair_words(self) -> int:
        """Words of constants of two channels."""
        return 2 + 2 * self.field.groups + ROUND_WORDS[self.rounding]

    @property
    def gathers(self) -> tuple[str, str]:
        """Names of the kernels that gather columns (te_conv_fast.h): for pairs within a row, and for any."""
        field, channels = self.field, self.in_shape[2]
        suffix = "_doubled" * self.doubled
        general = f"te_conv_gather{suffix}"
        if self.compact:
            return general, general
        if field.runs == 1 and field.run_bytes % 4 == 0 and channels % 4 == 0:
            return (f"te_conv_gather_pixels{suffix}",) * 2
        if (field.runs, field.run_bytes, channels, self.window.stride[1]) == (3, 9, 3, 2):
            return f"te_conv_gather_rgb_by_2{suffix}", general
        return general, general

    @property
    def tiles(self) -> str:
        """Name of the kernel that computes tiles, behind te_conv_."""
        if self.narrow:
            return f"narrow_{self.rounding}"
        if self.vectors:
            return f"vectors_{self.rounding}"
        if self.compact:
            return f"tiles_small_{self.rounding}"
        if self.quads:
            return f"quads_{'fast' if self.layer.rounding.fast else 'exact'}"
        return f"tiles_{self.rounding}" + "_doubled" * self.doubled

    @property
    def note(self) -> str:
        """For the generated comment."""
        if self.by_pixels:
            return f"{'narrow' if self.narrow else 'vectors'}, {self.rounding}"
        kind = "pointwise" if is_pointwise(self.window) else "columns"
        return f"{kind}, {self.block} pixels, {self.tiles.removeprefix('tiles_')}"


def matrix_of(
    shapes: tuple[Shape, Shape], window: Window, layer: Layer, target: Target, rows: int, trained: bool = False
) -> Matrix:
    """The sizes for pictures of ``shapes`` (input, output), of which ``rows`` output rows are computed at a time.
    ``trained``: the constants may change, so no narrow kernel."""
    depth, (_, columns, channels), rounding = shapes[0][2], shapes[1], layer.rounding.kind
    compact = target.optimize == "flash"
    if target.features >= MVE and channels >= QUAD and not trained:
        return _vector_matrix(shapes, window, layer, target, rows)
    quads = layer.paired and channels >= QUAD and not compact
    narrow = is_pointwise(window) and depth == NARROW_CHANNELS and not (trained or compact or rounding == "wide")
    whole = rows == shapes[1][0] and target.optimize == "time"  # then scratch memory for columns buys cycles
    if narrow and not (quads and whole):
        return Matrix(layer, *shapes, window, Field(1, depth), 1, doubled=False, compact=False, narrow=True)
    field = field_of(window, depth)
    # Doubled columns cost half an instruction per value and save one per output that is rounded exactly.
    doubled = rounding == "exact" and 2 * channels > field.groups * 4 and not (compact or quads)
    block = sized_block(rows * columns, field.groups, target)
    return Matrix(layer, *shapes, window, field, block, doubled, compact, quads=quads)


def _vector_matrix(shapes: tuple[Shape, Shape], window: Window, layer: Layer, target: Target, rows: int) -> Matrix:
    """On te_conv_vectors.h. Pixels of 16 values at most are copied in blocks, unless SRAM is what counts."""
    field = field_of(window, shapes[0][2])
    block = sized_block(rows * shapes[1][1], field.vector_groups, target)
    if is_pointwise(window):
        block = 2 if field.vector_groups > 2 or target.optimize == "sram" else min(block, VECTOR_BLOCK)
    return Matrix(layer, *shapes, window, field, block, doubled=False, compact=False, vectors=True)


def layer_matrix(op: Operator, graph: Graph, layer: Layer, target: Target, trained: bool = False) -> Matrix:
    """``matrix_of`` for whole tensors."""
    assert isinstance(op.attrs, Conv2DAttrs)
    x, y = graph.tensor(op.inputs[0]).hwc(), graph.tensor(op.outputs[0]).hwc()
    if is_pointwise(op.attrs.window):  # one long row: blocks need not end with the picture's rows
        x, y = one_row(x), one_row(y)
    return matrix_of((x, y), op.attrs.window, layer, target, y[0], trained)


def matrix_call(op: Operator, matrix: Matrix, pack: Packer) -> KernelCall:
    """The call for whole tensors, with the constants that ``pack`` packs."""
    touched = block_access(matrix.in_shape, matrix.out_shape, matrix.window, matrix.block)
    if matrix.vectors and matrix.by_pixels:  # outputs of a pair are written while its inputs are still read
        touched = access.interleaved([touched.reads[0]], touched.writes[0])
    return KernelCall(
        op,
        "te_conv_fast_s8" if matrix.scratch_bytes else "te_conv_narrow_s8",
        HEADER,
        PARAMS_TYPE,
        pack,
        inputs=[op.inputs[0]],
        outputs=list(op.outputs),
        scratch_bytes=matrix.scratch_bytes,
        overlaps=(access.overlap(touched, 0, prod(matrix.out_shape)),),
        access=touched,
        macs=matrix.macs,
        note=matrix.note,
        work=Work({Step.BATCH: 1}) + matrix.work(prod(matrix.out_shape[:2])),
        requant=matrix.layer.requant,
    )


def conv_params(matrix: Matrix, op: Operator, graph: Graph, turned: bool = False) -> dict[str, CValue]:
    """te_conv_fast_params of a layer; ``turned``: rows and columns of the kernels are exchanged."""
    weights = weights_of(op, graph)
    weights = weights.transpose(0, 2, 1, 3) if turned else weights
    return matrix_params(matrix, weights.reshape(len(weights), -1), bias_of(op, graph, len(weights)))


def matrix_params(matrix: Matrix, weights: np.ndarray, bias: np.ndarray) -> dict[str, CValue]:
    """te_conv_fast_params for ``weights`` (channels, field) and ``bias`` (channels,)."""
    layer, field = matrix.layer, matrix.field
    zero, requant, rounding = layer.zero, layer.requant, layer.rounding
    folded = rounding.bias(bias - zero * weights.sum(axis=1))
    if matrix.narrow:
        packed = pack_narrow(weights, folded if rounding.fast else 2 * folded, rounding)
    elif matrix.vectors:
        weights, folded, rounding = without_constants(weights, folded, rounding, requant.zero)
        packed = pack_vectors(weights, folded, rounding)
    elif matrix.quads:
        weights, folded, rounding = without_constants(weights, folded, rounding, requant.zero)
        packed = pack_quads(weights, folded, rounding, field.order(), requant.zero)
    else:
        if not rounding.wide:
            weights, folded, rounding = without_constants(weights, folded, rounding, requant.zero)
        packed = pack_weights(weights, 2 * folded if matrix.doubled else folded, rounding, field.order())
    gather, gather_any = (0, 0) if matrix.by_pixels or matrix.vectors else matrix.gathers
    return {
        "in": params.extent(matrix.in_shape),
        "out": params.extent(matrix.out_shape),
        "window": params.window(matrix.window),
        "in_zero": zero,
        "out_zero": requant.zero,
        "min": requant.low,
        "max": requant.high,
        "n_runs": field.runs,
        "run_bytes": field.run_bytes,
        "groups": matrix.groups,
        "block": matrix.block,
        "gather": gather,
        "gather_any": gather_any,
        "run" if matrix.vectors else "tiles": f"te_conv_{matrix.tiles}",
        "weights": CArray("weights", packed),
    }


def one_row(shape: Shape) -> Shape:
    """A picture whose rows need not end: a single one."""
    return 1, shape[0] * shape[1], shape[2]


def sized_block(pixels: int, groups: int, target: Target) -> int:
    """Output pixels per block: even, all blocks of about the same size. ``groups`` as te_conv_fast_params."""
    limit = COLUMN_BYTES[target.optimize]
    if target.column_bytes is not None:
        limit = min(limit, target.column_bytes)
    pair_bytes = 16 * groups + 8
    most = min(limit // pair_bytes * 2, max(ENOUGH_PIXELS, MEDIUM_COLUMNS // pair_bytes * 2))
    most = min(max(most, MIN_BLOCK[target.optimize]), MAX_BLOCK)
    return round_up(ceil_div(pixels, ceil_div(pixels, most)), 2)


def block_access(in_shape: Shape, out_shape: Shape, window: Window, block: int) -> Access:
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
