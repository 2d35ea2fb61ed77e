"""Nodes that move values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import prod

import numpy as np

from tinyengine.errors import ModelError
from tinyengine.frontend.onnx.builder import LAST, Builder, Node, Value
from tinyengine.frontend.onnx.nodes.scales import quantized
from tinyengine.frontend.onnx.registry import translator
from tinyengine.ir.operators.base import MAX_SIZE
from tinyengine.ir.ops import ConcatAttrs, GatherAttrs, NoAttrs, OpKind, PadAttrs, ResizeAttrs, StridedSliceAttrs


@translator("Reshape", "Flatten", "Squeeze", "Unsqueeze")
def reshape(b: Builder, node: Node) -> None:
    x = b.required(node, 0)
    shape = b.shape(x)
    if node.kind == "Flatten":
        axis = int(node.attributes.get("axis", 1))
        wanted = [prod(shape[:axis]), prod(shape[axis:])]
    elif node.kind == "Reshape":
        wanted = b.integers(node, "shape", 1) or []
        wanted = [shape[i] if n == 0 and i < len(shape) else n for i, n in enumerate(wanted)]
        if -1 in wanted:
            wanted[wanted.index(-1)] = prod(shape) // max(prod(n for n in wanted if n != -1), 1)
    elif node.kind == "Squeeze":
        axes = [axis % len(shape) for axis in b.integers(node, "axes", 1) or []]
        wanted = [n for i, n in enumerate(shape) if (i not in axes if axes else n != 1)]
    else:
        axes = b.integers(node, "axes", 1) or []
        rank = len(shape) + len(axes)
        left = iter(shape)
        inserted = {axis % rank for axis in axes}
        wanted = [1 if i in inserted else next(left) for i in range(rank)]
    if prod(wanted) != prod(shape):
        b.unsupported(node, f"makes {wanted} of {list(shape)}", "export the network with batch 1")
    b.values[node.outputs[0]] = b.reshaped(x, wanted)


@translator("Transpose")
def transpose(b: Builder, node: Node) -> None:
    x = b.required(node, 0)
    perm = node.attributes.get("perm") or [*range(len(x.order))][::-1]
    b.values[node.outputs[0]] = replace(x, order=tuple(perm.index(axis) for axis in x.order))


@translator("Concat")
def concat(b: Builder, node: Node) -> None:
    parts = [b.required(node, i) for i in range(len(node.inputs))]
    first = next(part for part in parts if part.array is None)
    order, quant = first.order, b.target(node.outputs[0])
    exact = quant is not None and all(part.array is not None or b.is_int8(part) for part in parts)
    axis = int(node.attributes["axis"]) % len(order)
    names = []
    for part in parts:
        if part.array is not None:
            stored = quantized(part.array, quant).stored if exact and quant is not None else None
            data, of = (part.array.astype(np.float32), None) if stored is None else stored
            names.append(b.add_constant(f"{node.outputs[0]}_part", data.transpose(order), of))
            continue
        tensor = b.tensor(b.ordered(part if exact else b.real(part), order))
        if exact and tensor.quant != quant:
            names.append(b.append(OpKind.QUANTIZE, [tensor.name], NoAttrs(), tensor.shape, quant))
        else:
            names.append(tensor.name)
    b.emit(node, OpKind.CONCATENATION, names, ConcatAttrs(order.index(axis)), quant if exact else None, order)


@translator("Slice")
def slice_(b: Builder, node: Node) -> None:
    x = b.required(node, 0)
    shape = b.shape(x)
    starts, ends = b.integers(node, "starts", 1) or [], b.integers(node, "ends", 2) or []
    axes = b.integers(node, "axes", 3) or [*range(len(starts))]
    steps = b.integers(node, "steps", 4) or [1] * len(starts)
    ranges = [range(n) for n in shape]
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        ranges[axis % len(shape)] = range(shape[axis % len(shape)])[start:end:step]
    cut(b, node, x, ranges, node.outputs[0])


@translator("Split")
def split(b: Builder, node: Node) -> None:
    x = b.required(node, 0)
    shape = b.shape(x)
    axis, parts = int(node.attributes.get("axis", 0)) % len(shape), len(node.outputs)
    each = -(-shape[axis] // parts)
    sizes = b.integers(node, "split", 1) or [min(each, shape[axis] - i * each) for i in range(parts)]
    start = 0
    for size, output in zip(sizes, node.outputs, strict=True):
        ranges = [range(n) for n in shape]
        ranges[axis] = range(start, start + size)
        cut(b, node, x, ranges, output)
        start += size


def cut(b: Builder, node: Node, x: Value, ranges: list[range], output: str) -> None:
    if any(not len(r) for r in ranges):
        b.unsupported(node, "leaves nothing", "remove it from the network")
    inside = [ranges[axis] for axis in x.order]
    count = tuple(len(r) for r in inside)
    attrs = StridedSliceAttrs(tuple(r.start for r in inside), tuple(r.step for r in inside), count)
    b.emit(node, OpKind.STRIDED_SLICE, [x.tensor], attrs, b.tensor(x).quant, x.order, output, count)


@translator("Pad")
def pad(b: Builder, node: Node) -> None:
    x = b.required(node, 0)
    rank, pads = len(x.order), b.integers(node, "pads", 1) or []
    axes = b.integers(node, "axes", 3) or []
    if axes:
        full = [0] * (2 * rank)
        for i, axis in enumerate(axes):
            full[axis % rank], full[rank + axis % rank] = pads[i], pads[len(axes) + i]
        pads = full
    if max(pads, default=0) > MAX_SIZE:
        raise ModelError(f"{node} pads by {max(pads)}: convert the model again")
    value = b.constant(node, 2, "value")
    filled = float(value.item()) if value is not None and value.size else float(node.attributes.get("value", 0.0))
    mode = node.attributes.get("mode", "constant")
    if min(pads, default=0) < 0 or (mode == "constant" and filled) or mode == "wrap":
        b.unsupported(node, "pads by less than nothing, by another value than 0, or around", "pad with zeros")
    sides = [(pads[axis], pads[rank + axis]) for axis in x.order]
    tensor = b.tensor(x)
    if mode == "constant":
        b.emit(node, OpKind.PAD, [x.tensor], PadAttrs(tuple(sides)), tensor.quant, x.order)
        return
    walks = [np.arange(n) for n in tensor.shape]
    if mode == "edge":
        indices = [np.pad(walk, side, "edge").tolist() for walk, side in zip(walks, sides, strict=True)]
    else:
        indices = [np.pad(walk, side, "reflect").tolist() for walk, side in zip(walks, sides, strict=True)]
    attrs = GatherAttrs(tuple(tuple(i) if any(s) else None for i, s in zip(indices, sides, strict=True)))
    b.emit(node, OpKind.GATHER, [x.tensor], attrs, tensor.quant, x.order, declared=tuple(map(len, indices)))


@translator("Resize", "Upsample")
def resize(b: Builder, node: Node) -> None:
    """Nearest pixels are chosen by indices, however the file rounds; where each is repeated, it is a resizing."""
    x = b.ordered(b.required(node, 0), LAST)
    shape, tensor, get = b.shape(x), b.tensor(x), node.attributes.get
    old = node.kind == "Upsample" or len(node.inputs) == 2  # the latter of opset 10
    scales, sizes = b.constant(node, 1 if old else 2, "scales"), b.integers(node, "sizes", 3)
    if scales is None or not scales.size:
        scales = np.array(get("scales", []))
    if len(shape) != 4 or "axes" in node.attributes or not (sizes or scales.size == 4):
        b.unsupported(node, "resizes no picture by constant factors", "resize (N, C, H, W) by constant factors")
    exact = [n * float(s) for n, s in zip(shape, scales, strict=True)] if not sizes else [float(n) for n in sizes]
    sizes = [int(np.floor(n)) for n in exact]
    if sizes[:2] != list(shape[:2]):
        b.unsupported(node, "resizes channels", "resize rows and columns only")
    if not 0 < max(sizes) <= MAX_SIZE:
        raise ModelError(f"{node} makes a picture of {sizes[2]}x{sizes[3]}: convert the model again")
    mode = get("mode", "nearest")
    how = get("coordinate_transformation_mode", "asymmetric" if old else "half_pixel")
    rounding = "floor" if old else get("nearest_mode", "round_prefer_floor")
    other = get("antialias", 0) or get("keep_aspect_ratio_policy", "stretch") != "stretch"
    if mode not in ("nearest", "linear") or how not in _PLACES or rounding not in _ROUNDINGS or other:
        b.unsupported(node, f"resizes by '{mode}', '{how}'", "use nearest by whole factors, or linear")
    pairs = [(shape[axis], sizes[axis], exact[axis] / shape[axis]) for axis in (2, 3)]
    if mode == "nearest":
        picked = [_nearest(*pair, how, rounding) for pair in pairs]
        if all(
            index == [i * n // size for i in range(size)] for index, (n, size, _) in zip(picked, pairs, strict=True)
        ):
            kind, attrs, declared = OpKind.RESIZE_NEAREST_NEIGHBOR, ResizeAttrs(), (1, *sizes[2:], shape[1])
            b.emit(node, kind, [x.tensor], attrs, tensor.quant, LAST, declared=declared)
            return
        indices = GatherAttrs((None, tuple(picked[0]), tuple(picked[1]), None))
        b.emit(node, OpKind.GATHER, [x.tensor], indices, tensor.quant, LAST)
        return
    between = any(abs(want - size) > 1e-3 for want, size in zip(exact, sizes, strict=True)) and how != "align_corners"
    if between or (how == "pytorch_half_pixel" and 1 in sizes[2:]):
        b.unsupported(node, "resizes linearly to parts of pixels, or to one", "give it whole sizes, of two or more")
    attrs = ResizeAttrs(how == "align_corners", how.endswith("half_pixel"))
    declared = (1, *sizes[2:], shape[1])
    b.emit(node, OpKind.RESIZE_BILINEAR, [x.tensor], attrs, tensor.quant, LAST, declared=declared)


_PLACES = ("asymmetric", "half_pixel", "pytorch_half_pixel", "align_corners")
_ROUNDINGS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "floor": np.floor,
    "ceil": np.ceil,
    "round_prefer_floor": lambda at: np.ceil(at - np.float32(0.5)),
    "round_prefer_ceil": lambda at: np.floor(at + np.float32(0.5)),
}


def _nearest(size: int, result: int, factor: float, how: str, rounding: str) -> list[int]:
    """Which of ``size`` pixels each of ``result`` is; in float32, as onnxruntime."""
    at, by = np.arange(result, dtype=np.float32), np.float32(factor)
    if how == "align_corners" or (how == "pytorch_half_pixel" and result == 1):
        at = at * np.float32((size - 1) / max(result - 1, 1) if how == "align_corners" else 0)
    elif how == "asymmetric":
        at = at / by
    else:
        at = (at + np.float32(0.5)) / by - np.float32(0.5)
    return [int(i) for i in np.clip(_ROUNDINGS[rounding](at), 0, size - 1)]
