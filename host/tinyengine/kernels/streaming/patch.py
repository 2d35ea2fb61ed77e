"""Patches: a run of operators as one row operator that works strip by strip (te_patch_rows in te_row_ops.h).

A batch of output rows needs a strip of rows of each picture inside; what two strips have in common is computed twice.
Within a strip nothing is: the strip is a chain that runs from left to right, column by column. So the operators are
lowered a second time, on a small graph of pictures turned by 90 degrees (rows of the small graph are columns of the
strip), and grouped, buffered and executed as any other chain. From top to bottom a strip does not pad: the device sets
what sticks out of a picture to its zero point.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tinyengine.ir import Graph, Operator, OpKind, Port, Tensor
from tinyengine.ir.operators import macs as macs_of
from tinyengine.ir.ops import Conv2DAttrs, DepthwiseConv2DAttrs, Window
from tinyengine.kernels.base import CStruct, CValue, ScratchPart, Target
from tinyengine.kernels.conv_fast import conv_scratch
from tinyengine.kernels.depthwise_fast import depthwise_scratch
from tinyengine.kernels.streaming.chain import GRAIN, activation_bytes, chain_params, layout, row_bytes, row_window
from tinyengine.kernels.streaming.flow import Flow, RowWindow
from tinyengine.kernels.streaming.rows import HEADER, Order, RowOp, row_op

TABLES = (OpKind.RELU, OpKind.HARD_SWISH, OpKind.LOGISTIC, OpKind.QUANTIZE)
LONGEST_GROUP = 3  # operators that one row operator computes at most
CROP = "/strip"
"""Suffix of the tensor that stands for the middle rows of a picture that is added again."""


@dataclass(frozen=True)
class Strip:
    """``rows`` of a picture; output row r of the patch needs its rows from r * stride - above on."""

    rows: int
    stride: int
    above: int


@dataclass(frozen=True, eq=False)
class _Inside:
    """The operators of a patch as a chain of columns."""

    ops: list[RowOp]
    windows: list[RowWindow]
    pictures: list[int]  # per picture of the chain, its index among the patch's tensors
    skip_from: list[int]


Lowered = Callable[[Sequence[Operator], str, bool], RowOp | None]
"""The row operator for a group of operators that reads ``x`` and may consume it."""


def window_of(op: Operator) -> Window:
    """The operator's window; that of a single pixel where it has none."""
    if isinstance(op.attrs, Conv2DAttrs | DepthwiseConv2DAttrs):
        return op.attrs.window
    return Window((1, 1))


def strips_of(ops: Sequence[Operator], rows: int) -> list[Strip]:
    """The strip of the input and of each operator's output for ``rows`` output rows."""
    strips = [Strip(rows, 1, 0)]
    for op in reversed(ops):
        window, behind = window_of(op), strips[0]
        stride = window.stride[0]
        reach = (window.kernel[0] - 1) * window.dilation[0] + 1
        strips.insert(
            0, Strip((behind.rows - 1) * stride + reach, behind.stride * stride, behind.above * stride + window.pad[0])
        )
    return strips


def patch_op(
    ops: Sequence[Operator], graph: Graph, target: Target, *, x: str | None = None, rows: int = 1, columns: int = 1
) -> RowOp | None:
    """``ops`` as one row operator that makes ``rows`` output rows per strip, ``columns`` columns at a time.

    Every operator reads the output of the one before it; ADD also an earlier picture, the patch's input ``x``
    included. None where that is not so, where somebody else wants a picture inside, and for operators that have no row
    operator or cannot do without their padding (pools).
    """
    tensors = pictures_of(ops, graph, x)
    if tensors is None:
        return None
    strips = strips_of(ops, min(rows, graph.tensor(tensors[-1]).hwc()[0]))
    turned = _turned(ops, graph, tensors, strips)
    if turned is None:
        return None

    def lowered(group: Sequence[Operator], x: str, consume: bool) -> RowOp | None:
        return row_op(group, turned, target, x=x, rows=columns, consume=consume)

    inside = _chain(turned, tensors, strips, lowered)
    if inside is None:
        return None
    keep = Flow.of(inside.windows).keep
    places = layout(inside.ops, keep, True)
    values: dict[str, CValue] = {
        "chain": chain_params(
            inside.ops,
            inside.windows,
            places,
            [*keep, inside.ops[-1].rows],
            skip_from=inside.skip_from,
            name="patch_",
        ),
        "strips": CStruct(
            "patch_strips",
            "te_patch_strip",
            tuple(_strip(strips[index], graph.tensor(tensors[index])) for index in inside.pictures),
        ),
        "first": places.rings[0] or 0,
        "out": places.total,
        "columns": graph.tensor(tensors[0]).hwc()[1],
        "reach": strips_of(ops, 1)[0].rows,
    }
    parts = tuple(
        _part(op, count, offset or 0, inside.ops[index - 1].ops[-1].name if index else "its input")
        for index, (op, count, offset) in enumerate(zip(inside.ops, keep, places.rings, strict=True))
    )
    macs = sum(macs_of(op, turned) for op in turned.operators)
    return replace(
        _assembled(ops, graph, tensors, strips, columns, inside.ops, keep, macs, values), scratch_parts=parts
    )


def _assembled(
    ops: Sequence[Operator],
    graph: Graph,
    tensors: Sequence[str],
    strips: Sequence[Strip],
    columns: int,
    inside: Sequence[RowOp],
    keep: Sequence[int],
    strip_macs: int,
    values: Mapping[str, CValue],
) -> RowOp:
    """The patch; ``inside`` are its operators, which keep ``keep`` columns of their inputs."""
    out_bytes = -(-inside[-1].rows * row_bytes(inside[-1].out_shape) // GRAIN) * GRAIN
    return RowOp(
        "te_patch_rows",
        HEADER,
        "te_patch_params",
        values,
        ops=tuple(ops),
        x=tensors[0],
        y=tensors[-1],
        skip=None,  # what is added again lies under the window
        in_shape=graph.tensor(tensors[0]).hwc(),
        out_shape=graph.tensor(tensors[-1]).hwc(),
        reach=strips_of(ops, 1)[0].rows,
        stride=strips[0].stride,
        pad_top=strips[0].above,
        macs=sum(macs_of(op, graph) for op in ops),
        rows=strips[-1].rows,
        scratch_bytes=layout(inside, keep, True).total + out_bytes,
        activation_bytes=activation_bytes(inside, keep, True) + out_bytes,
        strip_macs=strip_macs,
        columns=columns,
        order=Order.INTERLEAVED,  # columns of the output are stored while others of the input are still to be read
        note=f"patch of {strips[-1].rows} rows, {columns} columns at a time",
    )


def _part(op: RowOp, count: int, offset: int, source: str) -> ScratchPart:
    """``count`` columns of a picture inside a patch."""
    _, rows, channels = op.in_shape
    what = f"window of a patch over {source} ({rows} rows x {count} columns x {channels})"
    return ScratchPart(offset, count * row_bytes(op.in_shape), what)


def _strip(strip: Strip, picture: Tensor) -> dict[str, CValue]:
    height, _, channels = picture.hwc()
    return {
        "rows": strip.rows,
        "stride": strip.stride,
        "above": strip.above,
        "height": height,
        "pixel": channels,
        "zero": picture.zero_point,
    }


def pictures_of(ops: Sequence[Operator], graph: Graph, x: str | None) -> list[str] | None:
    """The patch's input and every operator's output; None if ``ops`` are no patch."""
    first = graph.activations(ops[0])
    if not first:
        return None
    names = [x or first[0].name]
    for op in ops:
        reads = [tensor.name for tensor in graph.activations(op)]
        if op.kind is OpKind.ADD:
            fits = len(reads) == len(op.inputs) == 2 and reads[0] != reads[1] and set(reads) <= set(names)
        else:
            fits = op.kind in (OpKind.CONV_2D, OpKind.DEPTHWISE_CONV_2D, *TABLES) and reads == [names[-1]]
        if not fits or names[-1] not in reads:
            return None
        names.append(op.outputs[0])
    outputs = set(graph.results())
    for name in names[1:-1]:
        if name in outputs or any(reader not in ops for reader in graph.consumers(name)):
            return None
    if any(graph.tensor(name).dtype != "int8" or len(graph.tensor(name).shape) != 4 for name in names):
        return None
    return names


def _turned(
    ops: Sequence[Operator],
    graph: Graph,
    names: Sequence[str],
    strips: Sequence[Strip],
    *,
    light: bool = False,
    outside: bool = False,
) -> Graph | None:
    """The patch as a graph over strips, rows and columns exchanged; None if a residual does not fit into its strip.

    ``light``: weights keep their order, for counting only. ``outside``: what is added may come from another group.
    """
    turned = Graph("patch")

    def picture(name: str, like: str, rows: int) -> str:
        tensor = graph.tensor(like)
        _, width, channels = tensor.hwc()
        turned.tensors[name] = Tensor(name, (1, width, rows, channels), "int8", tensor.quant)
        return name

    for name, strip in zip(names, strips, strict=True):
        picture(name, name, strip.rows)
    turned.inputs.append(Port(names[0], names[0], "int8", turned.tensors[names[0]].quant))
    for index, op in enumerate(ops):
        inputs = list(op.inputs)
        if op.kind is OpKind.ADD:
            other = next(name for name in inputs if name != names[index])
            out = strips[index + 1]
            strip = out if outside and other not in names else strips[names.index(other)]
            crop = strip.above - out.above
            if strip.stride != out.stride or crop < 0 or crop + out.rows > strip.rows:
                return None
            inputs[inputs.index(other)] = picture(other + CROP, other, out.rows)
        attrs = op.attrs
        if isinstance(attrs, Conv2DAttrs | DepthwiseConv2DAttrs):
            weights = graph.tensor(inputs[1])
            if weights.data is None:
                return None
            attrs = replace(attrs, window=_turned_window(attrs.window))
            if not light:
                data = np.ascontiguousarray(weights.data.transpose(0, 2, 1, 3))
                weights = replace(weights, shape=data.shape, data=data)
            turned.tensors[inputs[1]] = weights
            for name in inputs[2:]:
                turned.tensors[name] = graph.tensor(name)
        turned.operators.append(Operator(op.kind, op.name, inputs, list(op.outputs), attrs))
    turned.outputs.append(Port(names[-1], names[-1], "int8", turned.tensors[names[-1]].quant))
    return turned


def _turned_window(window: Window) -> Window:
    """Rows and columns exchanged; no padding at the strip's top and bottom."""
    _, _, left, right = window.pad
    return Window(window.kernel[::-1], window.stride[::-1], window.dilation[::-1], (left, right, 0, 0))


def _chain(turned: Graph, names: Sequence[str], strips: Sequence[Strip], lowered: Lowered) -> _Inside | None:
    """The longest groups of operators that have a row operator, one behind the other."""
    groups: list[RowOp] = []
    position = 0
    while position < len(turned.operators):
        x = names[position]
        consume = x + CROP not in turned.tensors and len(turned.consumers(x)) == 1
        for length in range(min(LONGEST_GROUP, len(turned.operators) - position), 0, -1):
            group = turned.operators[position : position + length]
            if any(op.outputs[0] + CROP in turned.tensors for op in group[:-1]):
                continue  # what is made inside is added later
            op = lowered(group, x, consume)
            if op is not None and op.x == x:
                groups.append(op)
                position += length
                break
        else:
            return None
    pictures = [0, *(names.index(op.y) for op in groups)]
    skips: list[int | None] = []
    skip_from = []
    for op in groups:
        picture = None if op.skip is None else names.index(op.skip.removesuffix(CROP))
        skips.append(None if picture is None else pictures.index(picture))
        out, channels = strips[names.index(op.y)], op.out_shape[2]
        skip_from.append(0 if picture is None else (strips[picture].above - out.above) * channels)
    return _Inside(groups, _windows(groups, skips), pictures, skip_from)


def _windows(ops: Sequence[RowOp], skips: Sequence[int | None]) -> list[RowWindow]:
    """Each operator's first batch is such that its batches end where those of the operator behind it begin."""
    windows: list[RowWindow] = []
    for op, skip in zip(reversed(ops), reversed(skips), strict=True):
        first = op.rows
        if windows and first > 1:
            first = min((int(windows[0].need[0]) - 1) % op.rows + 1, op.out_h)
        windows.insert(0, row_window(op, skip, first))
    return windows


class Drafts:
    """Patches as a search needs them, without constants: every group of operators is lowered once and then resized."""

    def __init__(self, graph: Graph, target: Target) -> None:
        self.graph = graph
        self.target = target
        self._lowered: dict[tuple[tuple[str, ...], bool, bool], RowOp | None] = {}
        self._keep: dict[tuple[str, str, int], tuple[int, ...]] = {}

    def patch(self, ops: Sequence[Operator], x: str, rows: int, columns: int) -> tuple[RowOp, list[RowOp]] | None:
        """:func:`patch_op` with the same figures but no parameters, and the operators inside."""
        tensors = pictures_of(ops, self.graph, x)
        if tensors is None:
            return None
        strips = strips_of(ops, min(rows, self.graph.tensor(tensors[-1]).hwc()[0]))
        turned = _turned(ops, self.graph, tensors, strips, light=True)
        if turned is None:
            return None

        def lowered(group: Sequence[Operator], x: str, consume: bool) -> RowOp | None:
            op = self._reference(group, x, consume)
            return None if op is None else resized(op, turned, columns, self.target)

        inside = _chain(turned, tensors, strips, lowered)
        if inside is None:
            return None
        key = ops[0].name, ops[-1].name, columns
        if key not in self._keep:  # columns do not depend on the height of the strip
            self._keep[key] = Flow.of(inside.windows).keep
        macs = sum(macs_of(op, turned) for op in turned.operators)
        op = _assembled(ops, self.graph, tensors, strips, columns, inside.ops, self._keep[key], macs, {})
        return op, inside.ops

    def _reference(self, group: Sequence[Operator], x: str, consume: bool) -> RowOp | None:
        """The group by itself in a strip of its own."""
        added = any(name.endswith(CROP) for op in group for name in op.inputs)
        key = tuple(op.name for op in group), consume, added
        if key not in self._lowered:
            real = {op.name: op for op in self.graph.operators}
            alone = [real[op.name] for op in group]
            names = [x, *(op.outputs[0] for op in group)]
            turned = _turned(alone, self.graph, names, strips_of(alone, 1), outside=True)
            self._lowered[key] = (
                None if turned is None else row_op(turned.operators, turned, self.target, x=x, consume=consume)
            )
        return self._lowered[key]


def resized(op: RowOp, turned: Graph, columns: int, target: Target) -> RowOp:
    """``op`` between the pictures of ``turned``, ``columns`` rows of them at a time."""
    shapes = {name: turned.tensor(name).hwc() for name in (op.x, *(o.outputs[0] for o in op.ops))}
    in_shape, out_shape = shapes[op.x], shapes[op.y]
    rows = min(columns, out_shape[0])
    scratch = activation = 0
    if op.function == "te_conv_rows":
        scratch = conv_scratch(op.params, rows * out_shape[1], target)
    elif op.function == "te_depthwise_rows":
        scratch = depthwise_scratch(op.params, out_shape[1])
    elif op.function == "te_depthwise_project_rows":
        between = shapes[op.ops[0].outputs[0]]
        work = 0 if op.consumes else _grain(rows * row_bytes(between))
        total = work + conv_scratch(_mapping(op.params["project"]), rows * out_shape[1], target)
        summed = _grain(total)
        added = rows * row_bytes(out_shape) if "add" in op.params else 0
        scratch = max(work + depthwise_scratch(_mapping(op.params["depthwise"]), between[1]), total)
        if added:
            scratch = max(scratch, summed + added)
        activation = work + added
    return replace(
        op, in_shape=in_shape, out_shape=out_shape, rows=rows, scratch_bytes=scratch, activation_bytes=activation
    )


def _mapping(value: CValue) -> Mapping[str, CValue]:
    assert isinstance(value, Mapping)
    return value


def _grain(size: int) -> int:
    return -(-size // GRAIN) * GRAIN


def steps_of(height: int, most: int) -> list[int]:
    """Rows per strip worth trying for pictures of ``height`` rows: the least for each number of strips."""
    return sorted({-(-height // -(-height // rows)) for rows in range(1, min(most, height) + 1)})
