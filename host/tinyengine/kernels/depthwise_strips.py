"""DEPTHWISE_CONV_2D on te_depthwise_strips.h: 3 x 3, 5 x 5, 7 x 7 for cores with Helium."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinyengine.ir import Graph, Operator
from tinyengine.ir.ops import DepthwiseConv2DAttrs, Window
from tinyengine.kernels import access, params
from tinyengine.kernels.base import CArray, CValue, KernelCall, Overlap, Packer, Target
from tinyengine.kernels.checks import MAX_EXTENT, require_image, require_int8
from tinyengine.kernels.conv import bias_of
from tinyengine.kernels.depthwise_fast import (
    KERNELS,
    Shape,
    effective_taps,
    effective_window,
    is_plain_depthwise,
)
from tinyengine.kernels.fixed import words
from tinyengine.kernels.layer import Layer, layer_of
from tinyengine.kernels.work import Step, Work
from tinyengine.sizes import ceil_div, round_up

HEADER = "te_depthwise_strips.h"
PARAMS_TYPE = "te_depthwise_strips_params"
AT_ONCE = 2048
"""Bytes of strips that are staged together where SRAM is not what counts: one call computes them all."""

MOST_AHEAD = 3
"""Strips of an input that are kept, at most, so that outputs may take its place."""


@dataclass(frozen=True, eq=False)
class Strips:
    """How a layer with ``window`` runs on pictures of ``in_shape`` and ``out_shape``. Of strips, up to ``at_once``
    bytes are kept even where fewer suffice."""

    layer: Layer
    window: Window
    in_shape: Shape
    out_shape: Shape
    at_once: int = 0

    @property
    def kernel(self) -> int:
        return self.window.kernel[0]

    @property
    def stride(self) -> int:
        return self.window.stride[0]

    @property
    def depth(self) -> int:
        """Rows of a strip, of which 16 bytes are 4 or 2 columns."""
        return depth_of(self.kernel, self.stride)

    @property
    def band(self) -> int:
        """Output rows of a strip."""
        return (self.depth - self.kernel) // self.stride + 1

    @property
    def columns(self) -> int:
        """Of a strip: its pixels and the padding, and what the last four outputs of a row read."""
        outputs, vectors = self.out_shape[1], (self.kernel + 1) // 2
        written = self.window.pad[2] + round_up(self.in_shape[1], 16 // self.depth)
        if self.depth == 4:
            return max(round_up(outputs, 4) + 2, written) + 1  # a last row may begin a byte later
        read = 2 * round_up(outputs, 4) if self.stride == 2 else 2 * round_up(ceil_div(outputs, 2), 4) + 1
        return max(read + 2 * vectors + 1, written)  # the last rows begin almost a column later

    @property
    def ahead(self) -> int | None:
        """Strips to stage before outputs are written so that none takes the place of a pixel that is yet to be staged;
        None where outputs must not take the input's place."""
        (height, width, _), (rows, columns, _) = self.in_shape, self.out_shape
        strip = np.arange(ceil_div(rows, self.band))
        written = np.minimum((strip + 1) * self.band, rows) * columns
        for ahead in range(MOST_AHEAD + 1):
            next_row = (strip + ahead + 1) * self.band * self.stride - self.window.pad[0]
            if ((written <= next_row * width) | (strip + ahead + 1 >= len(strip)) | (next_row >= height)).all():
                return ahead
        return None

    @property
    def slots(self) -> int:
        """Strips that are kept, at least one and those ahead of it."""
        most = ceil_div(self.out_shape[0], self.band)
        return min(most, max((self.ahead or 0) + 1, self.at_once // self.strip_bytes))

    @property
    def strip_bytes(self) -> int:
        """Of four channels."""
        return 4 * self.depth * self.columns

    @property
    def scratch_bytes(self) -> int:
        return self.slots * self.strip_bytes

    def work(self, rows: int) -> Work:
        """That of a batch of ``rows`` output rows."""
        channels, strips = self.out_shape[2], ceil_div(rows, self.band)
        return Work(
            {
                Step.VECTOR_STRIP: strips * ceil_div(channels, 4),
                Step.VECTOR_STAGED: strips * self.depth * self.in_shape[1] * channels,
                Step.VECTOR_OUTPUT: strips * self.band * round_up(self.out_shape[1], 2) * channels,
            }
        )

    @property
    def note(self) -> str:
        """For the generated comment."""
        return f"strips of {self.depth} rows, {self.layer.rounding.kind}"

    def pack(self, taps: np.ndarray, bias: np.ndarray) -> dict[str, CValue]:
        """te_depthwise_strips_params; ``taps`` (channels, rows, columns), ``bias`` (channels,)."""
        constants, weights = pack_channels(taps, bias, self.layer, self.depth)
        by_2, kind = "_by_2" * (self.stride == 2), self.layer.rounding.kind
        if self.depth == 8 and kind == "exact":  # there the kernels for any multiplier serve
            kind = "wide"
        return {
            "in": params.extent(self.in_shape),
            "out": params.extent(self.out_shape),
            "kernel": self.kernel,
            "stride": self.stride,
            "pad_top": self.window.pad[0],
            "pad_left": self.window.pad[2],
            "depth": self.depth,
            "columns": self.columns,
            "slots": self.slots,
            "ahead": min(self.ahead or 0, self.slots - 1),
            "words": constants.shape[1],
            "in_zero": self.layer.zero,
            "out_zero": self.layer.requant.zero,
            "min": self.layer.requant.low,
            "max": self.layer.requant.high,
            "run": f"te_depthwise_strip_{self.kernel}{by_2}_{kind}",
            "constants": CArray("constants", constants.view(np.int32).ravel()),
            "weights": CArray("weights", weights),
        }


def strips_of(
    op: Operator, graph: Graph, requant: str, shapes: tuple[Shape, Shape], turned: bool, at_once: int = 0
) -> Strips | None:
    """None for other kernels and strides, channels that are no multiple of 4, and where sums or multipliers exceed the
    fixed-point formulas. ``turned``: rows and columns are exchanged, and pictures have no padding at the sides."""
    if not is_plain_depthwise(op):
        return None
    assert isinstance(op.attrs, DepthwiseConv2DAttrs)
    window = op.attrs.window.turned() if turned else effective_window(op, graph)
    layer = layer_of(op, graph, requant)
    size, stride = window.kernel[0], window.stride[0]
    if layer is None or size not in KERNELS or window.kernel != (size, size) or shapes[0][2] % 4:
        return None
    if stride not in (1, 2) or window.stride != (stride, stride):
        return None
    if (shapes[1][1] + 3) * shapes[1][2] > MAX_EXTENT:  # offsets of outputs are uint16
        return None
    return Strips(layer, window, *shapes, at_once)


def strips_pack(strips: Strips, op: Operator, graph: Graph, turned: bool = False) -> Packer:
    """Constants, packed when code is generated."""

    def pack() -> dict[str, CValue]:
        taps = effective_taps(op, graph, turned)
        return strips.pack(taps, bias_of(op, graph, len(taps)))

    return pack


def lower_depthwise_strips(op: Operator, graph: Graph, target: Target) -> KernelCall | None:
    """None as ``strips_of``."""
    x, y = graph.tensor(op.inputs[0]), graph.tensor(op.outputs[0])
    require_int8(op, graph, x, y)
    require_image(op, graph, x, y)
    at_once = 0 if target.optimize == "sram" else AT_ONCE
    strips = strips_of(op, graph, target.requant, (x.hwc(), y.hwc()), turned=False, at_once=at_once)
    if strips is None:
        return None
    return KernelCall(
        op,
        "te_depthwise_strips_s8",
        HEADER,
        PARAMS_TYPE,
        strips_pack(strips, op, graph),
        inputs=[x.name],
        outputs=[y.name],
        scratch_bytes=strips.scratch_bytes,
        overlaps=(None if strips.ahead is None else Overlap(0, exact=True),),
        access=access.whole(x.nbytes, y.nbytes),
        macs=y.elements * strips.kernel**2,
        note=strips.note,
        work=Work({Step.BATCH: 1}) + strips.work(y.hwc()[0]),
        requant=strips.layer.requant,
    )


def depth_of(kernel: int, stride: int) -> int:
    """Rows of a strip."""
    return 4 if (kernel, stride) == (3, 1) else 8


def pack_channels(taps: np.ndarray, bias: np.ndarray, layer: Layer, depth: int) -> tuple[np.ndarray, np.ndarray]:
    """Constants, uint32 (channels, words), and weights, int8, of ``taps`` (channels, rows, columns) and ``bias``.

    A channel whose result is constant becomes one without taps, whose bias alone gives the result: 8 bias * 2**29 is a
    whole number of results in either rounding.
    """
    rounding, zero, (channels, rows, columns) = layer.rounding, layer.requant.zero, taps.shape
    constant, fast = rounding.constant, rounding.fast
    results = (rounding.c if fast else rounding.c >> rounding.e) - zero
    taps = np.where(constant[:, None, None], 0, taps)
    folded = np.where(constant, 4 * results, rounding.bias(bias) - layer.zero * taps.sum(axis=(1, 2)))
    packed = np.zeros((channels, columns + 1, depth), np.int8)
    packed[:, 1:, :rows] = taps.transpose(0, 2, 1)
    weights = np.concatenate([packed.ravel(), np.zeros(8, np.int8)])
    if depth == 4:  # a byte later: the last of the 16 is a zero
        weights = np.roll(weights, 1)
    if fast:
        return words(folded, np.where(constant, 1 << 29, rounding.m)), weights
    if depth == 4 and not rounding.wide:
        return words(folded, np.where(constant, 1 << 30, rounding.m), -np.where(constant, 1, rounding.e)), weights
    left, e = np.where(constant, 0, rounding.l - 1), np.where(constant, 1, rounding.e)
    once = np.where(constant, 1, -rounding.s)
    return words(folded, left, np.where(constant, 1 << 30, rounding.m), once, -e), weights
