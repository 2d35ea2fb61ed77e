"""Bytes from one place to another: every output index copies one input index."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from tinyengine.ir import Graph, Operator, Tensor
from tinyengine.kernels import access
from tinyengine.kernels.axes import dense_strides
from tinyengine.kernels.base import KernelCall
from tinyengine.kernels.loops import text, walk
from tinyengine.kernels.loops.text import Array, Value
from tinyengine.kernels.view import view

HEADER = "te_types.h"


@dataclass(frozen=True, eq=False)
class From:
    """One axis of an output: ``size`` indices, which read at multiples of ``stride`` elements, or, with ``index``, at
    those multiples of it that the array holds."""

    size: int
    stride: int
    index: np.ndarray | None = None


def sources(x: Tensor, indices: Sequence[np.ndarray]) -> tuple[list[From], int]:
    """Axes, and the first element, of an output whose index i along axis a copies index ``indices[a][i]`` of ``x``.

    Tables stay only where no loops with fixed strides give the same.
    """
    axes: list[From] = []
    first = 0
    for index, stride in zip(indices, dense_strides(x.shape), strict=True):
        loops = _progressions(index)
        if loops is None:
            axes.append(From(len(index), stride, index))
        else:
            axes += [From(size, step * stride) for size, step in loops]
            first += int(index[0]) * stride
    return axes, first


def _progressions(index: np.ndarray) -> list[tuple[int, int]] | None:
    """Loops (size, step), outermost first, that count as ``index`` does from its first entry on; None if there are
    none: 0 1 2 0 1 2 is a loop of 2 by 0 around one of 3 by 1."""
    if len(index) == 1:
        return []
    differences = np.diff(index)
    step = int(differences[0])
    breaks = np.flatnonzero(differences != step)
    size = int(breaks[0]) + 1 if len(breaks) else len(index)
    if len(index) % size:
        return None
    groups = index.reshape(-1, size)
    if not np.array_equal(groups, groups[:, :1] + np.arange(size) * step):
        return None
    outer = _progressions(groups[:, 0])
    return None if outer is None else [*outer, (size, step)]


def movement(op: Operator, graph: Graph, axes: Sequence[From], first: int = 0) -> KernelCall:
    """The call that fills the only output of ``op``, in its order, from its only input, element ``first`` onwards."""
    x, y = graph.tensor(op.inputs[0]), graph.tensor(op.outputs[0])
    size = y.nbytes // y.elements
    assert prod(axis.size for axis in axes) == y.elements and x.dtype == y.dtype
    merged = _merge([From(a.size, a.stride * size, a.index) for a in axes])
    run = size
    if merged and merged[-1].index is None and merged[-1].stride == size:
        run = merged.pop().size * size
    if not merged and first == 0 and run == x.nbytes:
        return view(op, x, y)
    merged = merged or [From(1, 0)]
    tables = {i: axis.index * axis.stride for i, axis in enumerate(merged) if axis.index is not None}
    values: dict[str, Value] = {"size": [a.size for a in merged], "stride": [a.stride for a in merged]}
    values["first"] = first * size
    values |= {f"table{i}": _array(table) for i, table in tables.items()}
    values |= {"run": run} if run > 1 else {}

    lines = ["*to++ = from[at];"] if run == 1 else ["memmove(to, from + at, (size_t)run);", "to += run;"]
    for i in reversed(range(len(merged))):
        before, at = f"at{i - 1}" if i else "first", "at" if i == len(merged) - 1 else f"at{i}"
        step = f"table{i}[i{i}]" if i in tables else f"i{i} * p->stride[{i}]"
        lines = [
            f"for (int32_t i{i} = 0; i{i} < p->size[{i}]; i{i}++) {{",
            *(f"    {line}" for line in [f"const int32_t {at} = {before} + {step};", *lines]),
            "}",
        ]
    start = ["const uint8_t *const from = in;", "uint8_t *to = out;"]
    code = text.function("move", values, "const void *in, void *out", [*start, *lines])

    low = np.array([first * size], np.int64)
    for i, axis in enumerate(merged):
        low = (low[:, None] + (tables[i] if i in tables else np.arange(axis.size) * axis.stride)).ravel()
    touched = walk.lines(low, low + run, y.nbytes)
    return text.call(op, code, values, [x], touched, [access.overlap(touched, 0, y.nbytes)], HEADER)


def copied(op: Operator, graph: Graph) -> KernelCall:
    """The call that copies the bytes of the input of ``op``, for an output that must not be a view."""
    x, y = graph.tensor(op.inputs[0]), graph.tensor(op.outputs[0])
    values: dict[str, Value] = {"size": x.nbytes}
    code = text.function("copy", values, "const void *in, void *out", ["memmove(out, in, (size_t)size);"])
    whole = (np.array([0]), np.array([x.nbytes]))
    touched = access.blocks([whole], whole)
    return text.call(op, code, values, [x], touched, [access.overlap(touched, 0, y.nbytes)], HEADER)


def _array(values: np.ndarray) -> Array:
    return Array("int32", lambda: values)


def _merge(axes: Sequence[From]) -> list[From]:
    """The same walk over fewer axes."""
    merged: list[From] = []
    for axis in axes:
        if axis.size == 1 and axis.index is None:
            continue
        before = merged[-1] if merged else None
        if before and before.index is None and axis.index is None and before.stride == axis.stride * axis.size:
            merged[-1] = From(before.size * axis.size, axis.stride)
        else:
            merged.append(axis)
    return merged
