"""Operators by rows, on te_rows.h: what a chain of operators is made of.

:func:`row_op` lowers a group of operators to one :class:`RowOp`. Whoever builds a chain chooses the rows that are kept
of each picture and how many rows an operator makes at a time; the bytes computed never depend on that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property
from math import prod
from typing import Any

from tinyengine.cores import ANY, DSP, MVE
from tinyengine.ir import Graph, Operator, OpKind
from tinyengine.ir.operators.unary import TABLES
from tinyengine.ir.ops import Conv2DAttrs, DepthwiseConv2DAttrs, MeanAttrs, PoolAttrs, Window
from tinyengine.kernels import conv_fast, depthwise_direct, depthwise_fast, depthwise_strips
from tinyengine.kernels.activation import lower_lut
from tinyengine.kernels.base import CValue, Packer, ScratchPart, Target
from tinyengine.kernels.checks import MAX_EXTENT
from tinyengine.kernels.conv import is_pointwise
from tinyengine.kernels.conv_fast import Matrix, Shape, conv_layer, conv_params, matrix_of
from tinyengine.kernels.depthwise_direct import is_direct
from tinyengine.kernels.depthwise_fast import Way, layer_params, layer_way
from tinyengine.kernels.depthwise_strips import Strips, strips_of
from tinyengine.kernels.elementwise_fast import lower_add_fast
from tinyengine.kernels.pool import lower_mean, lower_pool
from tinyengine.kernels.select import rounds_fast
from tinyengine.kernels.work import Step, Work, batches, repeated, total
from tinyengine.sizes import round_up

HEADER = "te_row_ops.h"


class Order(StrEnum):
    """How one batch of rows reads its inputs (x and skip) and writes its output."""

    READS_FIRST = "reads_first"  # everything is read before anything is written
    IN_STEP = "in_step"  # n-th byte of skip (of x, if alone) is read before the n-th byte of y is written
    INTERLEAVED = "interleaved"  # alternately


@dataclass(frozen=True, eq=False)
class RowOp:
    """One operator of a chain: te_row_op without its place in the chain.

    A batch of output rows r .. r+n-1 reads the input rows r*stride - pad_top .. (r+n-1)*stride - pad_top + reach - 1
    that lie in the picture, and rows r .. r+n-1 of ``skip``.

    ``consumes``: a batch also overwrites the slots (of x's ring) of input rows r*stride - pad_top + i, 0 <= i < n, even
    where these are negative (slot = row mod capacity, never negative). What lies there must be dead once the batch is
    done (a row below (r+n)*stride - pad_top) or not have been written yet, and no other operator may want it.
    """

    function: str
    header: str
    params_type: str
    pack: Packer
    ops: tuple[Operator, ...]
    x: str
    y: str
    skip: str | None  # tensor whose row r is read for output row r
    in_shape: tuple[int, int, int]  # rows, columns, channels of x
    out_shape: tuple[int, int, int]
    reach: int
    stride: int
    pad_top: int
    macs: int
    rows: int = 1  # most output rows per batch, what scratch_bytes is for
    scratch_bytes: int = 0
    keeps_scratch: bool = False  # scratch lives as long as the chain runs; else another operator may use it as well
    accumulates: bool = False  # reach 1, stride 1: takes every input row; its one output row is there with the last
    consumes: bool = False
    order: Order = Order.READS_FIRST
    note: str = ""
    activation_bytes: int = 0  # of scratch_bytes: what holds values of tensors, or sums of them
    inside: tuple[RowOp, ...] = ()  # of a patch: its operators, which make columns of a strip
    columns: int = 0  # of a patch: how many it makes at a time
    scratch_parts: tuple[ScratchPart, ...] = ()  # of a patch: its columns
    batch_work: Callable[[int], Work] = field(default=lambda _: Work())  # that of a batch of so many rows

    @cached_property
    def params(self) -> Mapping[str, CValue]:
        """The parameter struct with its constants; see KernelCall."""
        return self.pack()

    @cached_property
    def macs_per_batch(self) -> int:
        """Of a patch: executed for each batch, whatever its number of rows."""
        return sum(op.macs for op in self.inside)

    @cached_property
    def work(self) -> Work:
        """That of all its batches."""
        return total(
            repeated(Work({Step.BATCH: 1}) + self.batch_work(rows), count)
            for count, rows in batches(self.out_h, self.rows)
        )

    @property
    def in_h(self) -> int:
        return self.in_shape[0]

    @property
    def out_h(self) -> int:
        """te_row_op.out_h: how many rows are asked for; an accumulating operator is asked once per input row."""
        return self.in_shape[0] if self.accumulates else self.out_shape[0]

    @property
    def window_rows(self) -> int:
        """Input rows under a full batch."""
        return self.reach + (self.rows - 1) * self.stride


Builder = Callable[["_Request"], RowOp | None]


@dataclass(frozen=True, eq=False)
class _Request:
    """The arguments of :func:`row_op`."""

    ops: tuple[Operator, ...]
    graph: Graph
    target: Target
    x: str
    rows: int
    consume: bool
    strips: Mapping[str, Shape] | None

    @property
    def turned(self) -> bool:
        """Whether rows are columns of strips."""
        return self.strips is not None

    @property
    def y(self) -> str:
        return self.ops[-1].outputs[0]

    def shape(self, name: str) -> Shape:
        return self.graph.tensor(name).hwc() if self.strips is None else self.strips[name]

    def shapes(self, op: Operator) -> tuple[Shape, Shape]:
        """Of what ``op`` takes and makes."""
        return self.shape(op.inputs[0]), self.shape(op.outputs[0])

    def batch(self, name: str) -> int:
        """Bytes of the rows of a picture that are made at a time."""
        height, width, channels = self.shape(name)
        return min(self.rows, height) * width * channels

    def make(self, function: str, params_type: str, pack: Packer, **more: Any) -> RowOp:
        """The RowOp with what is common to all; ``more`` are further fields."""
        x, y = self.shape(self.x), self.shape(self.y)
        shape: dict[str, Any] = dict(in_shape=x, out_shape=y, reach=1, stride=1, pad_top=0, macs=0, skip=None)
        return RowOp(
            function,
            HEADER,
            params_type,
            pack,
            ops=self.ops,
            x=self.x,
            y=self.y,
            rows=min(self.rows, x[0] if more.get("accumulates") else y[0]),
            **(shape | more),
        )


def row_op(
    ops: Sequence[Operator],
    graph: Graph,
    target: Target,
    *,
    x: str | None = None,
    rows: int = 1,
    consume: bool = False,
    strips: Mapping[str, Shape] | None = None,
) -> RowOp | None:
    """The row operator for ``ops``; None where there is none.

    ``ops`` is one of [CONV_2D], [DEPTHWISE], [DEPTHWISE, CONV_2D 1x1], [DEPTHWISE, CONV_2D 1x1, ADD], [ADD], a table
    (RELU, HARD_SWISH, LOGISTIC, QUANTIZE), [MEAN] over rows and columns, [MEAN, MEAN] over one of them each,
    [AVERAGE_POOL_2D], [MAX_POOL_2D].
    ``x``: the tensor that arrives by rows, by default the first activation. ``rows``: output rows per batch.
    ``consume``: use dead rows of x's ring as scratch memory where the operator can (see :class:`RowOp`).
    ``strips``: for a patch, of which the operator makes columns in place of rows: per tensor, the shape (columns, rows,
    channels) of its strip. Strips are not padded above and below. Not for pools and means.
    """
    requires, builder = BUILDERS.get(tuple(op.kind for op in ops), (ANY, None))
    if builder is None or not requires <= target.features or any(len(graph.activations(op)) == 0 for op in ops):
        return None
    request = _Request(tuple(ops), graph, target, x or graph.activations(ops[0])[0].name, rows, consume, strips)
    pictures = [t for op in ops for t in (*graph.activations(op), graph.tensor(op.outputs[0]))]
    if request.x not in ops[0].inputs or len(graph.tensor(request.x).shape) != 4:
        return None  # the operator in front is on another branch
    if any(t.dtype != "int8" for t in pictures):
        return None
    if any(isinstance(op.attrs, PoolAttrs) and op.attrs.half_up for op in ops):
        return None
    return builder(request)


# Convolutions ---------------------------------------------------------------------------------------------------------


def _requant(op: Operator, request: _Request) -> str:
    """How the layer's own kernel rounds, which the oracle follows (``kernels.select.roundings``)."""
    return "fast" if rounds_fast(op, request.graph, request.target) else "exact"


def _matrix(op: Operator, request: _Request) -> tuple[Matrix, Packer] | None:
    """CONV_2D on the fast kernel."""
    assert isinstance(op.attrs, Conv2DAttrs)
    layer, shapes, turned = conv_layer(op, request.graph, _requant(op, request)), request.shapes(op), request.turned
    if layer is None:
        return None
    window = op.attrs.window.turned() if turned else op.attrs.window
    matrix = matrix_of(shapes, window, layer, request.target, min(request.rows, shapes[1][0]))
    return matrix, lambda: conv_params(matrix, op, request.graph, turned)


def _way(op: Operator, request: _Request) -> tuple[Way, Packer] | None:
    """DEPTHWISE_CONV_2D on the fast kernel."""
    way = layer_way(op, request.graph, _requant(op, request), request.turned)
    if way is None:
        return None
    return way, lambda: layer_params(way, request.shapes(op), op, request.graph, request.turned)


def _depthwise_macs(op: Operator, request: _Request) -> int:
    assert isinstance(op.attrs, DepthwiseConv2DAttrs)
    return prod(request.shape(op.outputs[0])) * prod(op.attrs.window.kernel)


def _windowed(window: Window) -> dict[str, int]:
    """Fields of RowOp."""
    reach = (window.kernel[0] - 1) * window.dilation[0] + 1
    return {"reach": reach, "stride": window.stride[0], "pad_top": window.pad[0]}


def _conv(request: _Request) -> RowOp | None:
    conv = _matrix(request.ops[0], request)
    if conv is None:
        return None
    matrix, pack = conv
    whole = matrix.block * matrix.out_shape[2] >= request.batch(request.y)
    return request.make(
        "te_conv_rows",
        conv_fast.PARAMS_TYPE,
        pack,
        macs=matrix.macs,
        scratch_bytes=matrix.scratch_bytes,
        order=Order.READS_FIRST if whole else Order.INTERLEAVED,
        note=matrix.note,
        batch_work=lambda rows: matrix.work(rows * matrix.out_shape[1]),
        **_windowed(matrix.window),
    )


def _depthwise(request: _Request) -> RowOp | None:
    [op] = request.ops
    strips = _strips(op, request)
    if strips is not None:
        return replace(
            request.make(
                "te_depthwise_strips_rows",
                depthwise_strips.PARAMS_TYPE,
                depthwise_strips.strips_pack(strips, op, request.graph, request.turned),
                macs=_depthwise_macs(op, request),
                scratch_bytes=strips.scratch_bytes,
                order=Order.INTERLEAVED,  # four channels at a time
                note=strips.note,
                batch_work=strips.work,
                **_windowed(strips.window),
            ),
            header=depthwise_strips.HEADER,
        )
    if is_direct(op, request.graph, request.target, request.turned):
        return _direct(op, request)
    depthwise = _way(op, request)
    if depthwise is None:
        return None
    way, pack = depthwise
    return request.make(
        "te_depthwise_rows",
        depthwise_fast.PARAMS_TYPE,
        pack,
        macs=_depthwise_macs(op, request),
        scratch_bytes=way.scratch_bytes(*request.shapes(op), request.rows),
        order=Order.INTERLEAVED,  # channel by channel
        note=way.note,
        batch_work=lambda rows: way.work(*request.shapes(op), rows),
        **_windowed(way.window),
    )


def _strips(op: Operator, request: _Request) -> Strips | None:
    """DEPTHWISE_CONV_2D on the kernel for cores with Helium."""
    if not request.target.features >= MVE:
        return None
    return strips_of(op, request.graph, _requant(op, request), request.shapes(op), request.turned)


def _direct(op: Operator, request: _Request) -> RowOp:
    """DEPTHWISE_CONV_2D on the kernel for any shape."""
    assert isinstance(op.attrs, DepthwiseConv2DAttrs)
    return replace(
        request.make(
            "te_depthwise_direct_rows",
            depthwise_direct.PARAMS_TYPE,
            depthwise_direct.direct_params(op, request.graph, request.shapes(op), request.turned),
            macs=_depthwise_macs(op, request),
            scratch_bytes=depthwise_direct.scratch_bytes(op),
            order=Order.INTERLEAVED,  # pixel by pixel
            note=depthwise_direct.NOTE,
            batch_work=lambda rows: depthwise_direct.work(op, request.shape(op.outputs[0]), rows),
            **_windowed(op.attrs.window.turned() if request.turned else op.attrs.window),
        ),
        header=depthwise_direct.HEADER,
    )


def _depthwise_project(request: _Request) -> RowOp | None:
    """The picture between the convolutions has rows in scratch memory, or in the ring of x (``consume``)."""
    graph = request.graph
    first, second, *rest = request.ops
    assert isinstance(second.attrs, Conv2DAttrs)
    between, result = first.outputs[0], second.outputs[0]
    if not is_pointwise(second.attrs.window) or not _only_read_by(graph, first, second):
        return None
    if is_direct(first, graph, request.target, request.turned):
        return None
    depthwise, project = _way(first, request), _matrix(second, request)
    if depthwise is None or project is None:
        return None
    (way, pack_way), (matrix, pack_matrix) = depthwise, project
    add: _Addition | None = None
    if rest:
        add = _addition(request, rest[0], result) if _only_read_by(graph, second, rest[0]) else None
        if add is None:
            return None
    consume = request.consume and request.shape(between)[1] <= request.shape(request.x)[1]  # a row takes its place
    work = 0 if consume else round_up(request.batch(between), 4)
    # the result's rows come behind the work memory of the convolution, whose rounding and bias tables it still needs
    total = work + matrix.scratch_bytes
    summed, added = (round_up(total, 4), request.batch(result)) if add else (0, 0)

    def pack() -> dict[str, CValue]:
        values = pack_matrix()
        return {
            "depthwise": pack_way(),
            "project": {**values, "in": {**_mapping(values["in"]), "h": MAX_EXTENT}},
            "work": work,
            "sum": summed,
            "consume": int(consume),
            **({"add": add.pack()} if add else {}),
        }

    return request.make(
        "te_depthwise_project_rows",
        "te_depthwise_project_params",
        pack,
        skip=add.skip if add else None,
        macs=_depthwise_macs(first, request) + matrix.macs,
        scratch_bytes=max(work + way.scratch_bytes(*request.shapes(first), request.rows), total, summed + added),
        activation_bytes=work + added,
        consumes=consume,
        # without an addition, all of x is read before y is written; with it, skip is read alongside
        order=Order.IN_STEP if add else Order.READS_FIRST,
        note=f"{way.note}; {matrix.note}",
        batch_work=lambda rows: way.work(*request.shapes(first), rows) + matrix.work(rows * matrix.out_shape[1]),
        **_windowed(way.window),
    )


def _mapping(value: CValue) -> Mapping[str, CValue]:
    assert isinstance(value, Mapping)
    return value


def _only_read_by(graph: Graph, first: Operator, second: Operator) -> bool:
    """Whether nobody but ``second`` wants the output of ``first``."""
    [name] = first.outputs
    return graph.consumers(name) == [second] and name not in graph.results()


# Element by element ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Addition:
    pack: Packer  # te_add_rows_params
    skip: str


def _addition(request: _Request, op: Operator, x: str) -> _Addition | None:
    """ADD of the rows of ``x`` and of another tensor."""
    call = lower_add_fast(op, request.graph, request.target)
    if call is None or x not in call.inputs or len(set(call.inputs)) < 2:
        return None
    skip_first = call.inputs.index(x) == 1
    count = prod(request.shape(op.outputs[0])[1:])

    def pack() -> dict[str, CValue]:
        values = {key: call.params[key] for key in ("add", "constants", "min", "max")}
        return {**values, "skip_first": int(skip_first), "count": count}

    return _Addition(pack, call.inputs[0 if skip_first else 1])


def _add(request: _Request) -> RowOp | None:
    add = _addition(request, request.ops[0], request.x)
    if add is None:
        return None
    return request.make("te_add_rows", "te_add_rows_params", add.pack, skip=add.skip, order=Order.IN_STEP)


def _lut(request: _Request) -> RowOp | None:
    call = lower_lut(request.ops[0], request.graph, request.target)
    count = prod(request.shape(request.y)[1:])
    return request.make("te_lut_rows", "te_lut_params", lambda: {**call.params, "count": count}, order=Order.IN_STEP)


# Pools and means ------------------------------------------------------------------------------------------------------


def _pool(request: _Request) -> RowOp | None:
    """Averages over the whole picture are taken in row by row, other windows need their rows."""
    [op] = request.ops
    assert isinstance(op.attrs, PoolAttrs)
    (height, width, channels), window = request.shape(request.x), op.attrs.window
    call = lower_pool(op, request.graph, request.target)
    average = op.kind is OpKind.AVERAGE_POOL_2D
    if average and request.shape(request.y)[:2] == (1, 1) and _covers(window, (height, width)):
        shape: CValue = {"sums": channels, "pixels": width, "rows": height}
        return _accumulating(
            request,
            "te_average_rows",
            lambda: {"shape": shape, "min": call.params["min"], "max": call.params["max"]},
            4 * channels,
        )
    assert call.params_type is not None
    function = "te_average_pool_rows" if average else "te_max_pool_rows"
    return request.make(
        function, call.params_type, call.pack, macs=call.macs, order=Order.INTERLEAVED, **_windowed(window)
    )


def _covers(window: Window, size: tuple[int, ...]) -> bool:
    """Whether the first window reaches every pixel of the picture."""
    return all(window.kernel[i] - window.pad[2 * i] >= size[i] for i in (0, 1))


def _mean(request: _Request) -> RowOp | None:
    """Over rows and columns at once, or over one after the other."""
    graph = request.graph
    height, width, channels = request.shape(request.x)
    if graph.tensor(request.y).elements != channels:
        return None
    calls = [lower_mean(op, graph, request.target) for op in request.ops]
    axes = [op.attrs.axes for op in request.ops if isinstance(op.attrs, MeanAttrs)]

    def made(call: int, sums: int, pixels: int, scratch_bytes: int, aside: Callable[[], dict[str, CValue]]) -> RowOp:
        def pack() -> dict[str, CValue]:
            shape: CValue = {"sums": sums, "pixels": pixels, "rows": height}
            return {"shape": shape, "mean": calls[call].params, "has_before": 0, "has_behind": 0, **aside()}

        return _accumulating(request, "te_mean_rows", pack, scratch_bytes)

    if axes == [(1, 2)]:
        return made(0, channels, width, 4 * channels, dict)
    if len(axes) != 2 or not _only_read_by(graph, *request.ops):
        return None
    remaining = graph.tensor(request.ops[0].outputs[0]).shape  # with or without the averaged axis
    if axes[0] == (1,) and axes[1] == (len(remaining) - 2,):
        sums = width * channels
        return made(0, sums, 1, 5 * sums, lambda: {"has_behind": 1, "behind": calls[1].params})
    if axes == [(2,), (1,)]:

        def before() -> dict[str, CValue]:
            one_row: CValue = {
                **_mapping(calls[0].params["shape"]),
                "keep": [1, channels],
                "keep_stride": [0, 1],
                "reduce": [1, width],
                "reduce_stride": [0, channels],
            }
            return {"has_before": 1, "before": {**calls[0].params, "shape": one_row}}

        return made(1, channels, 1, 5 * channels, before)
    return None


def _accumulating(request: _Request, function: str, pack: Packer, scratch_bytes: int) -> RowOp:
    return request.make(
        function,
        f"{function}_params",
        pack,
        out_shape=(1, 1, request.shape(request.x)[2]),
        scratch_bytes=scratch_bytes,
        activation_bytes=scratch_bytes,
        keeps_scratch=True,
        accumulates=True,
    )


BUILDERS: dict[tuple[OpKind, ...], tuple[frozenset[str], Builder]] = {
    (OpKind.CONV_2D,): (DSP, _conv),
    (OpKind.DEPTHWISE_CONV_2D,): (DSP, _depthwise),
    (OpKind.DEPTHWISE_CONV_2D, OpKind.CONV_2D): (DSP, _depthwise_project),
    (OpKind.DEPTHWISE_CONV_2D, OpKind.CONV_2D, OpKind.ADD): (DSP, _depthwise_project),
    (OpKind.ADD,): (DSP, _add),
    **{(kind,): (ANY, _lut) for kind in TABLES},
    (OpKind.MEAN,): (ANY, _mean),
    (OpKind.MEAN, OpKind.MEAN): (ANY, _mean),
    (OpKind.AVERAGE_POOL_2D,): (ANY, _pool),
    (OpKind.MAX_POOL_2D,): (ANY, _pool),
}
