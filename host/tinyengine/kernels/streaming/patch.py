"""Patches: a run of operators as one row operator that works strip by strip (te_patch_rows in te_row_ops.h).

A batch of output rows needs a strip of rows of each picture inside; what two strips have in common is computed twice.
Within a strip nothing is: the strip is a chain that runs from left to right, column by column. So inside, rows and
columns change places: the operators are row operators over pictures turned by 90 degrees, grouped, buffered and
executed as any other chain. From top to bottom a strip does not pad: the device sets what sticks out of a picture to
its zero point.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tinyengine.ir import Graph, Operator, OpKind
from tinyengine.ir.operators import macs as macs_of
from tinyengine.ir.operators.unary import TABLES
from tinyengine.ir.ops import Conv2DAttrs, DepthwiseConv2DAttrs, Window
from tinyengine.kernels.base import CStruct, CValue, ScratchPart, Target
from tinyengine.kernels.conv_fast import Shape
from tinyengine.kernels.streaming.chain import GRAIN, activation_bytes, chain_params, layout, row_bytes, row_window
from tinyengine.kernels.streaming.flow import EarlyAddition, Flow, RowWindow
from tinyengine.kernels.streaming.rows import HEADER, Order, RowOp, row_op
from tinyengine.kernels.work import Step, Work, total
from tinyengine.sizes import ceil_div, round_up

LONGEST_GROUP = 3  # operators that one row operator computes at most


@dataclass(frozen=True)
class Strip:
    """``rows`` of a picture; output row r of the patch needs its rows from r * stride - above on."""

    rows: int
    stride: int
    above: int


@dataclass(frozen=True, eq=False)
class _Inside:
    """The operators of a patch as a chain of columns."""

    ops: tuple[RowOp, ...]
    windows: tuple[RowWindow, ...]
    pictures: tuple[int, ...]  # per picture of the chain, its index among the patch's tensors
    skip_from: tuple[int, ...]


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


def _added(op: Operator, before: str) -> str | None:
    """What an ADD adds to ``before``, the output of the operator in front of it."""
    return next(name for name in op.inputs if name != before) if op.kind is OpKind.ADD else None


class Patches:
    """The patches of ``graph``. Those that end alike have operators in common, which are asked for once."""

    def __init__(self, graph: Graph, target: Target) -> None:
        self.graph = graph
        self.target = target
        self._ops: dict[tuple[object, ...], RowOp | None] = {}
        self._keep: dict[tuple[str, str, int], tuple[int, ...]] = {}
        self._names: dict[tuple[str, str], list[str] | None] = {}

    def patch(self, ops: Sequence[Operator], x: str | None = None, rows: int = 1, columns: int = 1) -> RowOp | None:
        """``ops`` as one row operator that makes ``rows`` output rows per strip, ``columns`` columns at a time.

        Every operator reads the output of the one before it; ADD also an earlier picture, the patch's input ``x``
        included. None where that is not so, where somebody else wants a picture inside, and for operators that have no
        row operator or cannot do without their padding (pools).
        """
        graph, ends = self.graph, (ops[0].name, ops[-1].name)
        if ends not in self._names:
            self._names[ends] = pictures_of(ops, graph, x)
        names = self._names[ends]
        if names is None:
            return None
        strips = strips_of(ops, min(rows, graph.tensor(names[-1]).hwc()[0]))
        inside = self._inside(ops, names, strips, columns)
        if inside is None:
            return None
        if (*ends, columns) not in self._keep:  # columns do not depend on the height of the strip
            try:
                self._keep[*ends, columns] = Flow.of(inside.windows).keep
            except EarlyAddition:
                return None
        keep = self._keep[*ends, columns]
        places, reach = layout(inside.ops, keep, True), strips_of(ops, 1)[0].rows
        out_bytes = round_up(inside.ops[-1].rows * row_bytes(inside.ops[-1].out_shape), GRAIN)

        def pack() -> dict[str, CValue]:
            chain = chain_params(
                inside.ops,
                inside.windows,
                places,
                [*keep, inside.ops[-1].rows],
                skip_from=inside.skip_from,
                name="patch_",
            )
            pictures = tuple(_strip(strips[index], names[index], graph) for index in inside.pictures)
            return {
                "chain": chain,
                "strips": CStruct("patch_strips", "te_patch_strip", pictures),
                "first": places.rings[0] or 0,
                "out": places.total,
                "columns": graph.tensor(names[0]).hwc()[1],
                "reach": reach,
            }

        first, last = strips[0].rows, strips[-1].rows
        copied = first * graph.tensor(names[0]).hwc()[1] + last * graph.tensor(names[-1]).hwc()[1]

        return RowOp(
            "te_patch_rows",
            HEADER,
            "te_patch_params",
            pack,
            ops=tuple(ops),
            x=names[0],
            y=names[-1],
            skip=None,  # what is added again lies under the window
            in_shape=graph.tensor(names[0]).hwc(),
            out_shape=graph.tensor(names[-1]).hwc(),
            reach=reach,
            stride=strips[0].stride,
            pad_top=strips[0].above,
            macs=sum(macs_of(op, graph) for op in ops),
            rows=strips[-1].rows,
            scratch_bytes=places.total + out_bytes,
            activation_bytes=activation_bytes(inside.ops, keep, True) + out_bytes,
            inside=inside.ops,
            columns=columns,
            scratch_parts=_parts(inside.ops, keep, places.rings),
            order=Order.INTERLEAVED,  # columns of the output are stored while others of the input are still to be read
            note=f"patch of {strips[-1].rows} rows, {columns} columns at a time",
            # all of a strip, whatever the rows that are wanted of it
            batch_work=lambda _: total([Work({Step.COPIED: copied}), *(op.work for op in inside.ops)]),
        )

    def _inside(
        self, ops: Sequence[Operator], names: Sequence[str], strips: Sequence[Strip], columns: int
    ) -> _Inside | None:
        """The longest groups of operators that have a row operator, one behind the other; None if there are none, or
        if a picture that is added does not have the rows for it in its strip."""
        added = {_added(op, name) for op, name in zip(ops, names, strict=False)} - {None}
        groups: list[RowOp] = []
        skip_from: list[int] = []
        position = 0
        while position < len(ops):
            x, op = names[position], None
            consume = sum(x in other.inputs for other in ops) == 1
            for length in range(min(LONGEST_GROUP, len(ops) - position), 0, -1):
                stop = position + length
                if added.isdisjoint(names[position + 1 : stop]):  # else what is made inside is added later
                    op = self._op(ops[position:stop], names[position : stop + 1], strips[stop].rows, columns, consume)
                if op is not None:
                    break
            if op is None:
                return None
            crop = 0
            if op.skip is not None:
                strip, out = strips[names.index(op.skip)], strips[stop]
                crop = strip.above - out.above
                if strip.stride != out.stride or crop < 0 or crop + out.rows > strip.rows:
                    return None
            groups.append(op)
            skip_from.append(crop * op.out_shape[2])
            position = stop
        pictures = (0, *(names.index(op.y) for op in groups))
        skips = [None if op.skip is None else pictures.index(names.index(op.skip)) for op in groups]
        return _Inside(tuple(groups), _windows(groups, skips), pictures, tuple(skip_from))

    def _op(
        self, group: Sequence[Operator], names: Sequence[str], rows: int, columns: int, consume: bool
    ) -> RowOp | None:
        """The row operator for a group over ``names``, of whose output a strip has ``rows`` rows."""
        key = names[0], names[-1], rows, columns, consume
        if key not in self._ops:
            shapes: dict[str, Shape] = {}
            for name, strip in zip(names, strips_of(group, rows), strict=True):
                _, width, channels = self.graph.tensor(name).hwc()
                shapes[name] = width, strip.rows, channels
            self._ops[key] = row_op(
                group, self.graph, self.target, x=names[0], rows=columns, consume=consume, strips=shapes
            )
        return self._ops[key]


def _parts(ops: Sequence[RowOp], keep: Sequence[int], rings: Sequence[int | None]) -> tuple[ScratchPart, ...]:
    """The columns of each picture inside a patch."""
    parts = []
    for index, (op, count, offset) in enumerate(zip(ops, keep, rings, strict=True)):
        _, rows, channels = op.in_shape
        source = ops[index - 1].ops[-1].name if index else "its input"
        what = f"window of a patch over {source} ({rows} rows x {count} columns x {channels})"
        parts.append(ScratchPart(offset or 0, count * row_bytes(op.in_shape), what))
    return tuple(parts)


def _strip(strip: Strip, name: str, graph: Graph) -> dict[str, CValue]:
    height, _, channels = graph.tensor(name).hwc()
    return {
        "rows": strip.rows,
        "stride": strip.stride,
        "above": strip.above,
        "height": height,
        "pixel": channels,
        "zero": graph.tensor(name).zero_point,
    }


def _windows(ops: Sequence[RowOp], skips: Sequence[int | None]) -> tuple[RowWindow, ...]:
    """Each operator's first batch is such that its batches end where those of the operator behind it begin."""
    windows: list[RowWindow] = []
    for op, skip in zip(reversed(ops), reversed(skips), strict=True):
        first = op.rows
        if windows and first > 1:
            first = min((int(windows[0].need[0]) - 1) % op.rows + 1, op.out_h)
        windows.insert(0, row_window(op, skip, first))
    return tuple(windows)


def steps_of(height: int, most: int) -> list[int]:
    """Rows per strip worth trying for pictures of ``height`` rows: the least for each number of strips."""
    return sorted({ceil_div(height, ceil_div(height, rows)) for rows in range(1, min(most, height) + 1)})
