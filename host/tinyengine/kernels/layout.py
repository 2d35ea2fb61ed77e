"""Operators that only move bytes, on te_layout.h: RESHAPE, TRANSPOSE, STRIDED_SLICE, PAD, CONCATENATION, resizing."""

from __future__ import annotations

from math import prod

import numpy as np

from tinyengine.ir import Graph, Operator, OpKind, Tensor
from tinyengine.ir.operators.movement import nearest_sources, shift_axis
from tinyengine.ir.ops import ConcatAttrs, PadAttrs, ResizeAttrs, StridedSliceAttrs, TransposeAttrs
from tinyengine.kernels import access, params
from tinyengine.kernels.axes import dense_strides, merge_axes
from tinyengine.kernels.base import C_TYPES, Access, KernelCall, Overlap, Target, lowering
from tinyengine.kernels.checks import require_image, require_int8, unsupported
from tinyengine.kernels.loops.fill import filled
from tinyengine.kernels.loops.movement import From, movement, sources
from tinyengine.kernels.view import view

HEADER = "te_layout.h"


@lowering(OpKind.RESHAPE)
def lower_reshape(op: Operator, graph: Graph, target: Target) -> KernelCall:
    """A view."""
    return view(op, graph.tensor(op.inputs[0]), graph.tensor(op.outputs[0]))


@lowering(OpKind.TRANSPOSE)
def lower_transpose(op: Operator, graph: Graph, target: Target) -> KernelCall:
    """A strided copy, or a view if only axes of size 1 move."""
    assert isinstance(op.attrs, TransposeAttrs)
    x, y = graph.tensor(op.inputs[0]), graph.tensor(op.outputs[0])
    strides = dense_strides(x.shape)
    return _strided_copy(op, graph, x, y, list(y.shape), [strides[axis] for axis in op.attrs.perm], 0)


@lowering(OpKind.STRIDED_SLICE)
def lower_strided_slice(op: Operator, graph: Graph, target: Target) -> KernelCall:
    """A strided copy, or a view if everything is taken."""
    assert isinstance(op.attrs, StridedSliceAttrs)
    x, y = graph.tensor(op.inputs[0]), graph.tensor(op.outputs[0])
    dense = dense_strides(x.shape)
    strides = [step * stride for step, stride in zip(op.attrs.stride, dense, strict=True)]
    offset = sum(begin * stride for begin, stride in zip(op.attrs.begin, dense, strict=True))
    return _strided_copy(op, graph, x, y, list(op.attrs.count), strides, offset)


def _strided_copy(
    op: Operator, graph: Graph, x: Tensor, y: Tensor, sizes: list[int], strides: list[int], offset: int
) -> KernelCall:
    """y (dense, of ``sizes``) from x at ``offset`` with byte ``strides``."""
    sizes, strides = merge_axes(sizes, strides)
    if offset == 0 and y.elements == x.elements and (not sizes or (len(sizes) == 1 and strides == [1])):
        return view(op, x, y)
    if len(sizes) > 4 or x.dtype != "int8":
        return movement(op, graph, [From(size, stride) for size, stride in zip(sizes, strides, strict=True)], offset)
    sizes = [1] * (4 - len(sizes)) + sizes
    strides = [0] * (4 - len(strides)) + strides
    touched = _strided_access(sizes, strides, offset)
    return KernelCall(
        op,
        "te_strided_copy_s8",
        HEADER,
        "te_strided_copy_params",
        lambda: {"dims": sizes, "stride": strides, "offset": offset},
        inputs=[x.name],
        outputs=[y.name],
        overlaps=(access.overlap(touched, 0, y.nbytes),),
        access=touched,
    )


def _strided_access(sizes: list[int], strides: list[int], offset: int) -> Access:
    """One block per innermost line; a line of neighbours is moved as if read at once (memmove)."""
    start = np.array([offset], np.int64)
    for size, stride in zip(sizes[:3], strides[:3], strict=True):
        start = (start[:, None] + np.arange(size) * stride).ravel()
    span = (sizes[3] - 1) * strides[3]
    reads = (start + min(span, 0), start + max(span, 0) + 1)
    edges = np.arange(len(start) + 1) * sizes[3]
    make = access.blocks if strides[3] == 1 else access.interleaved
    return make([reads], (edges[:-1], edges[1:]))


@lowering(OpKind.PAD)
def lower_pad(op: Operator, graph: Graph, target: Target) -> KernelCall:
    """Padding of bytes on up to four axes; of wider elements by zeros, which are zeros, byte by byte."""
    assert isinstance(op.attrs, PadAttrs)
    x, y, value = graph.tensor(op.inputs[0]), graph.tensor(op.outputs[0]), op.attrs.value
    if value is not None and y.dtype != "int8":
        return filled(op, graph, value)
    width, function, code = y.nbytes // y.elements, "te_pad_s8", ""
    if "int8" in (x.dtype, y.dtype):
        require_int8(op, graph, x, y)
    else:
        if y.quant and y.zero_point:
            raise unsupported(op, graph, f"pads {x.dtype} with a zero point", "quantize the model fully to int8")
        function, pointer = f"pad_{x.dtype}", f"{C_TYPES[x.dtype]} *"
        code = (
            f"static void {function}(const te_pad_params *p, const {pointer}in, {pointer}out) {{\n"
            "    te_pad_s8(p, (const int8_t *)in, (int8_t *)out);\n}\n"
        )
    sizes, pads = _merge_pads((*x.shape, width), (*op.attrs.pads, (0, 0)))
    if len(sizes) > 4:
        raise unsupported(op, graph, f"pads {len(sizes)} separate axes", "use at most four")
    fill = 4 - len(sizes)
    sizes, pads = [1] * fill + sizes, [(0, 0)] * fill + pads
    zero, touched = y.zero_point if y.quant else 0, _pad_access(sizes, pads)
    zero = zero if value is None else int(value)
    return KernelCall(
        op,
        function,
        HEADER,
        "te_pad_params",
        lambda: {"dims": sizes, "before": [b for b, _ in pads], "after": [a for _, a in pads], "value": zero},
        inputs=[x.name],
        outputs=[y.name],
        overlaps=(access.overlap(touched, 0, y.nbytes),),
        access=touched,
        code=code,
    )


def _merge_pads(shape: tuple[int, ...], pads: tuple[tuple[int, int], ...]) -> tuple[list[int], list[tuple[int, int]]]:
    """Unpadded axes join the axis outside them, whose padding grows by their size."""
    sizes: list[int] = []
    merged: list[tuple[int, int]] = []
    for size, (before, after) in zip(shape, pads, strict=True):
        if sizes and before == 0 and after == 0:
            sizes[-1] *= size
            merged[-1] = (merged[-1][0] * size, merged[-1][1] * size)
        else:
            sizes.append(size)
            merged.append((before, after))
    return sizes, merged


def _pad_access(sizes: list[int], pads: list[tuple[int, int]]) -> Access:
    """Per input line a block that fills up to it and a block that moves it (memmove); at the end the last fill."""
    inside = np.array([0], np.int64)
    padded = [before + size + after for size, (before, after) in zip(sizes, pads, strict=True)]
    for size, (before, _), step in zip(sizes[:3], pads[:3], dense_strides(padded)[:3], strict=True):
        inside = (inside[:, None] + (before + np.arange(size)) * step).ravel()
    inside = inside + pads[3][0]
    line = sizes[3]
    reads = np.arange(len(inside)) * line
    ends = inside + line
    fill_from = np.concatenate([[0], ends[:-1]])
    write_lo = np.concatenate([np.stack([fill_from, inside], 1).ravel(), ends[-1:]])
    write_hi = np.concatenate([np.stack([inside, ends], 1).ravel(), [prod(padded)]])
    read_lo = np.concatenate([np.stack([reads, reads], 1).ravel(), [0]])
    read_hi = np.concatenate([np.stack([reads, reads + line], 1).ravel(), [0]])
    return access.blocks([(read_lo, read_hi)], (write_lo, write_hi))


CONCATENATION = """static void @NAME@(const te_concat_params *p, const void *const *inputs, @TYPE@ *out) {
    uint8_t *to = (uint8_t *)out;
    for (uint32_t turn = 0; turn < p->outer; turn++) {
        for (uint32_t i = 0; i < p->inputs; to += p->bytes[i], i++) {
            memmove(to, (const uint8_t *)inputs[i] + turn * p->bytes[i], p->bytes[i]);
        }
    }
}
"""
"""te_concat_s8 for wider elements."""


@lowering(OpKind.CONCATENATION)
def lower_concat(op: Operator, graph: Graph, target: Target) -> KernelCall:
    """The inputs take turns; along the outermost axis there is one turn."""
    assert isinstance(op.attrs, ConcatAttrs)
    inputs, y = [graph.tensor(name) for name in op.inputs], graph.tensor(op.outputs[0])
    function, code = "te_concat_s8", ""
    if y.dtype != "int8":
        function = f"concat_{y.dtype}"
        code = CONCATENATION.replace("@NAME@", function).replace("@TYPE@", C_TYPES[y.dtype])
    for tensor in inputs:
        if tensor.is_constant:
            raise unsupported(op, graph, f"joins the constant '{tensor.name}'", "feed it as an input of the network")
        if tensor.quant != y.quant:
            raise unsupported(
                op,
                graph,
                f"joins '{tensor.name}' whose scale or zero point differs from the output's",
                "convert the model with a current TensorFlow, which gives them one scale",
            )
    outer = prod(y.shape[: op.attrs.axis])
    sizes = np.array([t.nbytes // outer for t in inputs], np.int64)
    touched = _concat_access(outer, sizes)
    return KernelCall(
        op,
        function,
        HEADER,
        "te_concat_params",
        lambda: {"outer": outer, "inputs": len(inputs), "bytes": params.array("bytes", sizes, "uint32")},
        inputs=[t.name for t in inputs],
        outputs=[y.name],
        overlaps=tuple(access.overlap(touched, i, y.nbytes) for i in range(len(inputs))),
        access=touched,
        variadic=True,
        code=code,
    )


def _concat_access(outer: int, sizes: np.ndarray) -> Access:
    """One block per turn and input (a memmove)."""
    turn, which = np.divmod(np.arange(outer * len(sizes)), len(sizes))
    write_lo = turn * sizes.sum() + np.concatenate([[0], np.cumsum(sizes)])[which]
    reads = []
    for i, size in enumerate(sizes):
        lo = turn * size
        reads.append((lo, lo + np.where(which == i, size, 0)))
    return access.blocks(reads, (write_lo, write_lo + sizes[which]))


@lowering(OpKind.SHIFT)
def lower_shift(op: Operator, graph: Graph, target: Target) -> KernelCall:
    """In place, or from a window behind the output."""
    window, news, y = (graph.tensor(name) for name in (*op.inputs, *op.outputs))
    require_int8(op, graph, window, news, y)
    axis = shift_axis(window, news)
    outer = prod(window.shape[:axis])
    all_bytes, new_bytes = window.elements // outer, news.elements // outer
    turn = np.arange(outer)
    touched = access.blocks(
        [
            (turn * all_bytes + new_bytes, (turn + 1) * all_bytes),
            (turn * new_bytes, (turn + 1) * new_bytes),
        ],
        (turn * all_bytes, (turn + 1) * all_bytes),
    )
    return KernelCall(
        op,
        "te_shift_s8",
        HEADER,
        "te_shift_params",
        lambda: {"outer": outer, "window": all_bytes, "news": new_bytes},
        inputs=[window.name, news.name],
        outputs=[y.name],
        overlaps=(Overlap(0), None),
        access=touched,
    )


@lowering(OpKind.RESIZE_NEAREST_NEIGHBOR)
def lower_resize(op: Operator, graph: Graph, target: Target) -> KernelCall:
    """Index tables for rows and columns, made here with TFLite's float32 rule."""
    assert isinstance(op.attrs, ResizeAttrs)
    x, y = graph.tensor(op.inputs[0]), graph.tensor(op.outputs[0])
    require_image(op, graph, x, y)
    rows, columns = (nearest_sources(op.attrs, x.shape[axis], y.shape[axis]) for axis in (1, 2))
    if x.dtype != "int8":
        return movement(op, graph, *sources(x, [np.zeros(1, np.int64), rows, columns, np.arange(x.shape[3])]))
    touched = _resize_access(x, rows, columns)
    return KernelCall(
        op,
        "te_resize_nearest_s8",
        HEADER,
        "te_resize_nearest_params",
        lambda: {
            "in": params.hwc(x),
            "out": params.hwc(y),
            "rows": params.array("rows", rows, "uint16"),
            "columns": params.array("columns", columns, "uint16"),
        },
        inputs=[x.name],
        outputs=[y.name],
        overlaps=(access.overlap(touched, 0, y.nbytes),),
        access=touched,
    )


def _resize_access(x: Tensor, rows: np.ndarray, columns: np.ndarray) -> Access:
    """One block per output pixel (a memmove), or per output row if there are many."""
    width, channels = x.shape[2:]
    if len(rows) * len(columns) > access.MAX_PIXELS:
        line, out_line = width * channels, len(columns) * channels
        edges = np.arange(len(rows) + 1) * out_line
        return access.interleaved([(rows * line, (rows + 1) * line)], (edges[:-1], edges[1:]))
    source = (rows[:, None] * width + columns).ravel() * channels
    edges = np.arange(len(source) + 1) * channels
    return access.blocks([(source, source + channels)], (edges[:-1], edges[1:]))
