"""A chain of row operators as one call of te_chain_s8 (te_rows.h): where its rings, sums and counters lie."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tinyengine.ir import Graph, OpKind
from tinyengine.kernels.access import overlap
from tinyengine.kernels.base import CStruct, CValue, KernelCall, PushedRows, ScratchPart
from tinyengine.kernels.streaming.flow import Flow, RowWindow, interned, resident_access, simulate
from tinyengine.kernels.streaming.rows import RowOp
from tinyengine.sizes import ceil_div, round_up

HEADER = "te_rows.h"
GRAIN = 4  # alignment of rings and of scratch memory inside the chain


@dataclass(frozen=True)
class Layout:
    """Offsets in the scratch memory of a chain.

    ``rings`` per picture but the last (of a resident picture 0 it is None), ``scratch`` per operator, ``state``.
    """

    rings: tuple[int | None, ...]
    scratch: tuple[int, ...]
    state: int
    total: int


def row_window(op: RowOp, skip: int | None, first: int) -> RowWindow:
    """How the rows of ``op`` depend on each other; ``skip`` is the picture behind ``op.skip``, ``first`` the rows of
    its first batch."""
    return interned(
        in_rows=op.in_h,
        out_rows=op.out_h,
        reach=op.reach,
        stride=op.stride,
        pad_top=op.pad_top,
        skip=skip,
        rows=op.rows,
        first=first,
        accumulates=op.accumulates,
        consumes=op.consumes,
        order=op.order,
    )


def row_bytes(shape: tuple[int, int, int]) -> int:
    """Bytes of one row of a picture of ``shape`` (rows, columns, channels)."""
    return shape[1] * shape[2]


def layout(ops: Sequence[RowOp], keep: Sequence[int], pushed: bool) -> Layout:
    """Rings first, then what operators keep for themselves, then what they share, then the counters."""
    top = 0

    def take(size: int) -> int:
        nonlocal top
        start = top
        top += round_up(size, GRAIN)
        return start

    rings: list[int | None] = []
    for index, (op, rows) in enumerate(zip(ops, keep, strict=True)):
        rings.append(take(rows * row_bytes(op.in_shape)) if index or pushed else None)
    own = {index: take(op.scratch_bytes) for index, op in enumerate(ops) if op.keeps_scratch}
    shared = take(max((op.scratch_bytes for op in ops if not op.keeps_scratch), default=0))
    state = take(2 * (len(ops) + 1))
    return Layout(tuple(rings), tuple(own.get(index, shared) for index in range(len(ops))), state, top)


def chain_call(
    ops: Sequence[RowOp], graph: Graph, *, firsts: Sequence[int] | None = None, pushed: bool = False
) -> KernelCall:
    """The call that runs ``ops`` one behind the other, row by row.

    Each reads what the one before it makes; ``skip`` of each is the output of an earlier one or the chain's input.
    ``firsts``: rows of each operator's first batch, by default as many as in the others.
    ``pushed``: the input is not there as a whole, its rows come one by one into a ring.
    """
    tensors = [ops[0].x, *(op.y for op in ops)]
    for index, op in enumerate(ops):
        if op.x != tensors[index]:
            raise ValueError(f"{op.ops[0].name} reads {op.x} and not {tensors[index]}, which the chain makes before it")
    skips = [None if op.skip is None else tensors[: index + 1].index(op.skip) for index, op in enumerate(ops)]
    firsts = firsts or [op.rows for op in ops]
    windows = [row_window(op, skip, first) for op, skip, first in zip(ops, skips, firsts, strict=True)]
    keep = Flow.of(windows).keep
    places = layout(ops, keep, pushed)
    x, y = graph.tensor(tensors[0]), graph.tensor(tensors[-1])

    capacities = [*keep, ops[-1].out_shape[0]]
    if not pushed:
        capacities[0] = ops[0].in_h
    access = None
    if not pushed:
        x_row, y_row = row_bytes(ops[0].in_shape), row_bytes(ops[-1].out_shape)
        access = resident_access(windows, simulate(windows), x_row, y_row)
    operators = tuple(operator for op in ops for operator in op.ops)
    return KernelCall(
        operators[-1],
        "te_chain_s8",
        HEADER,
        "te_chain",
        lambda: chain_params(ops, windows, places, capacities),
        inputs=[] if pushed else [x.name],
        outputs=[y.name],
        scratch_bytes=places.total,
        overlaps=() if access is None else (overlap(access, 0, y.nbytes),),
        access=access,
        macs=sum(op.macs for op in ops),
        recomputed_macs=sum(recomputed_macs(op, first) for op, first in zip(ops, firsts, strict=True)),
        activation_scratch_bytes=activation_bytes(ops, keep, pushed),
        note=f"{len(ops)} row operators",
        ops=operators,
        headers=tuple(dict.fromkeys(each.header for op in ops for each in (op, *op.inside))),
        scratch_parts=_parts(ops, keep, places),
        patches=any(op.inside for op in ops),
        pushed=PushedRows(x.name, places.rings[0] or 0, keep[0]) if pushed else None,
    )


def chain_params(
    ops: Sequence[RowOp],
    windows: Sequence[RowWindow],
    places: Layout,
    capacities: Sequence[int],
    *,
    skip_from: Sequence[int] | None = None,
    name: str = "",
) -> dict[str, CValue]:
    """te_chain. ``capacities``: rows that each picture keeps, the last included. ``skip_from``: per operator, bytes at
    the beginning of each row of skip that it does not look at. ``name``: prefix of the structs' names."""
    shapes = [*(op.in_shape for op in ops), ops[-1].out_shape]
    rows: list[dict[str, CValue]] = [
        {"offset": offset or 0, "row_bytes": row_bytes(shape), "capacity": capacity}
        for offset, shape, capacity in zip((*places.rings, None), shapes, capacities, strict=True)
    ]
    items = [
        _row_op(f"{name}op_{index}", index, op, window, scratch, skipped)
        for index, (op, window, scratch, skipped) in enumerate(
            zip(ops, windows, places.scratch, skip_from or [0] * len(ops), strict=True)
        )
    ]
    return {
        "ops": CStruct(f"{name}ops", "te_row_op", tuple(items)),
        "rows": CStruct(f"{name}rows", "te_rows", tuple(rows)),
        "n_ops": len(ops),
        "n_rows": len(rows),
        "state": places.state,
    }


def recomputed_macs(op: RowOp, first: int) -> int:
    """Multiply-accumulates that ``op`` executes beyond those of its layers; ``first``: rows of its first batch."""
    if not op.inside:
        return 0
    return op.macs_per_batch * (1 + ceil_div(op.out_h - min(first, op.out_h), op.rows)) - op.macs


def activation_bytes(ops: Sequence[RowOp], keep: Sequence[int], pushed: bool) -> int:
    """Bytes of a chain's scratch memory in which values of its pictures, or sums of them, lie: the rings, and what
    operators keep. Columns that a kernel widens, rounding tables and counters are none."""
    rings = [rows * row_bytes(op.in_shape) for op, rows in zip(ops, keep, strict=True)]
    own = sum(op.activation_bytes for op in ops if op.keeps_scratch)
    shared = max((op.activation_bytes for op in ops if not op.keeps_scratch), default=0)
    return sum(rings if pushed else rings[1:]) + own + shared


def _parts(ops: Sequence[RowOp], keep: Sequence[int], places: Layout) -> tuple[ScratchPart, ...]:
    """The rings, the windows of the largest patch where one needs most, and the rest."""
    parts = []
    for index, (op, rows, offset) in enumerate(zip(ops, keep, places.rings, strict=True)):
        if offset is not None:
            _, width, channels = op.in_shape
            source = f"of {ops[index - 1].ops[-1].name}" if index else "of the input"
            what = f"row buffer {source} ({rows} rows of {width}x{channels}, for {_reader(op)})"
            parts.append(ScratchPart(offset, rows * row_bytes(op.in_shape), what, (rows, width, channels), True))
    rest = "sums and columns of row operators"
    largest = max(range(len(ops)), key=lambda index: ops[index].scratch_bytes)
    start = places.scratch[largest]
    if ops[largest].scratch_parts:
        if (sums := start - _end(parts)) > 0:
            parts.append(ScratchPart(_end(parts), sums, rest))
        parts += [replace(part, offset=start + part.offset) for part in ops[largest].scratch_parts]
    return (*parts, ScratchPart(_end(parts), places.total - _end(parts), rest))


def _end(parts: Sequence[ScratchPart]) -> int:
    return round_up(max((part.offset + part.size for part in parts), default=0), GRAIN)


def _reader(op: RowOp) -> str:
    """What takes rows from a buffer: "7x7 depthwise", "3x3 convolution", "add", "patch"."""
    if op.inside:
        return "patch"
    first = op.ops[0]
    window = getattr(first.attrs, "window", None)
    names = {OpKind.CONV_2D: "convolution", OpKind.DEPTHWISE_CONV_2D: "depthwise"}
    name = names.get(first.kind, str(first.kind).lower())
    return name if window is None else f"{window.kernel[0]}x{window.kernel[1]} {name}"


def _row_op(name: str, index: int, op: RowOp, window: RowWindow, scratch: int, skip_from: int) -> dict[str, CValue]:
    return {
        "run": op.function,
        "params": CStruct(name, op.params_type, (op.params,)),
        "x": index,
        "y": index + 1,
        "skip": "TE_NO_ROWS" if window.skip is None else window.skip,
        "in_h": window.in_rows,
        "out_h": window.out_rows,
        "reach": window.reach,
        "stride": window.stride,
        "pad_top": window.pad_top,
        "rows": window.rows,
        "first": window.first,
        "accumulates": int(window.accumulates),
        "scratch": scratch,
        "skip_from": skip_from,
    }
