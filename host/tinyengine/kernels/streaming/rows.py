"""Operators by rows, on te_rows.h: what a chain of operators is made of.

:func:`row_op` lowers a group of operators to one :class:`RowOp`. Whoever builds a chain chooses the rows that are kept
of each picture and how many rows an operator makes at a time; the bytes computed never depend on that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from tinyengine.cores import ANY, DSP
from tinyengine.ir import Graph, Operator, OpKind, Tensor
from tinyengine.ir.fast import layer_requant
from tinyengine.ir.operators import macs as macs_of
from tinyengine.ir.ops import Conv2DAttrs, DepthwiseConv2DAttrs, MeanAttrs, PoolAttrs, Window
from tinyengine.kernels.activation import lower_lut
from tinyengine.kernels.base import CValue, ScratchPart, Target
from tinyengine.kernels.checks import MAX_EXTENT
from tinyengine.kernels.conv import bias_of, is_pointwise, weights_of
from tinyengine.kernels.conv_fast import PARAMS_TYPE as CONV_PARAMS
from tinyengine.kernels.conv_fast import Matrix, lower_conv_fast, matrix_of
from tinyengine.kernels.depthwise_fast import effective_window, lower_depthwise_fast
from tinyengine.kernels.elementwise_fast import lower_add_fast
from tinyengine.kernels.pool import lower_mean, lower_pool

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
    params: Mapping[str, CValue]
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
    strip_macs: int | None = None  # of a patch: executed per batch, whatever its number of rows
    columns: int = 0  # of a patch: how many it makes at a time
    scratch_parts: tuple[ScratchPart, ...] = ()  # of a patch: its columns

    @property
    def in_h(self) -> int:
        return self.in_shape[0]

    @property
    def out_h(self) -> int:
        """te_row_op.out_h: how many rows are asked for; an accumulating operator is asked once per input row."""
        return self.in_shape[0] if self.accumulates else self.out_shape[0]

    @property
    def uses_skip(self) -> bool:
        return self.skip is not None

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
    x: str | None
    rows: int
    consume: bool

    def input(self) -> Tensor:
        """What arrives by rows."""
        return self.graph.tensor(self.x) if self.x else self.graph.activations(self.ops[0])[0]

    def output(self) -> Tensor:
        return self.graph.tensor(self.ops[-1].outputs[0])

    def make(self, function: str, params_type: str, values: Mapping[str, CValue], **more: Any) -> RowOp:
        """The RowOp with what is common to all; ``more`` are further fields."""
        x, y = self.input(), self.output()
        shape = dict(in_shape=x.hwc(), out_shape=y.hwc(), reach=1, stride=1, pad_top=0, macs=0, skip=None)
        batches_of = x.hwc()[0] if more.get("accumulates") else y.hwc()[0]
        return RowOp(
            function,
            HEADER,
            params_type,
            values,
            ops=self.ops,
            x=x.name,
            y=y.name,
            rows=min(self.rows, batches_of),
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
) -> RowOp | None:
    """The row operator for ``ops``; None where there is none.

    ``ops`` is one of [CONV_2D], [DEPTHWISE], [DEPTHWISE, CONV_2D 1x1], [DEPTHWISE, CONV_2D 1x1, ADD], [ADD], a table
    (RELU, HARD_SWISH, LOGISTIC, QUANTIZE), [MEAN] over rows and columns, [MEAN, MEAN] over one of them each,
    [AVERAGE_POOL_2D], [MAX_POOL_2D].
    ``x``: the tensor that arrives by rows, by default the first activation. ``rows``: output rows per batch.
    ``consume``: use dead rows of x's ring as scratch memory where the operator can (see :class:`RowOp`).
    """
    requires, builder = _BUILDERS.get(tuple(op.kind for op in ops), (ANY, None))
    if builder is None or not requires <= target.features or any(len(graph.activations(op)) == 0 for op in ops):
        return None
    request = _Request(tuple(ops), graph, target, x, rows, consume)
    pictures = [t for op in ops for t in (*graph.activations(op), graph.tensor(op.outputs[0]))]
    if any(t.dtype != "int8" for t in pictures) or len(request.input().shape) != 4:
        return None
    return builder(request)


# Convolutions ---------------------------------------------------------------------------------------------------------


def _matrix(op: Operator, graph: Graph, target: Target, rows: int) -> Matrix | None:
    """CONV_2D on the fast kernel, ``rows`` output rows at a time."""
    assert isinstance(op.attrs, Conv2DAttrs)
    if lower_conv_fast(op, graph, target) is None:
        return None
    x, y = graph.tensor(op.inputs[0]), graph.tensor(op.outputs[0])
    channels = y.shape[3]
    return matrix_of(
        x.zero_point,
        (x.hwc(), y.hwc()),
        op.attrs.window,
        weights_of(op, graph).reshape(channels, -1),
        bias_of(op, graph, channels),
        layer_requant(graph, op, target.requant),
        target,
        min(rows, y.shape[1]),
    )


def _windowed(window: Window) -> dict[str, int]:
    """Fields of RowOp."""
    reach = (window.kernel[0] - 1) * window.dilation[0] + 1
    return {"reach": reach, "stride": window.stride[0], "pad_top": window.pad[0]}


def _conv(request: _Request) -> RowOp | None:
    [op] = request.ops
    assert isinstance(op.attrs, Conv2DAttrs)
    matrix = _matrix(op, request.graph, request.target, request.rows)
    if matrix is None:
        return None
    y = request.output()
    batch = min(request.rows, y.shape[1]) * y.shape[2]
    return request.make(
        "te_conv_rows",
        CONV_PARAMS,
        matrix.params,
        macs=macs_of(op, request.graph),
        scratch_bytes=matrix.scratch_bytes,
        order=Order.READS_FIRST if matrix.block >= batch else Order.INTERLEAVED,
        note=matrix.note,
        **_windowed(op.attrs.window),
    )


def _depthwise(request: _Request) -> RowOp | None:
    [op] = request.ops
    assert isinstance(op.attrs, DepthwiseConv2DAttrs)
    call = lower_depthwise_fast(op, request.graph, request.target, request.rows)
    if call is None:
        return None
    assert call.params_type is not None
    return request.make(
        "te_depthwise_rows",
        call.params_type,
        call.params,
        macs=call.macs,
        scratch_bytes=call.scratch_bytes,
        order=Order.INTERLEAVED,  # channel by channel
        note=call.note,
        **_windowed(effective_window(op, request.graph)),
    )


def _depthwise_project(request: _Request) -> RowOp | None:
    """The picture between the convolutions has rows in scratch memory, or in the ring of x (``consume``)."""
    graph, target = request.graph, request.target
    depthwise, project, *rest = request.ops
    assert isinstance(depthwise.attrs, DepthwiseConv2DAttrs) and isinstance(project.attrs, Conv2DAttrs)
    between, result = graph.tensor(depthwise.outputs[0]), graph.tensor(project.outputs[0])
    if not is_pointwise(project.attrs.window) or not _only_read_by(graph, depthwise, project):
        return None
    rows = min(request.rows, between.shape[1])
    call, matrix = lower_depthwise_fast(depthwise, graph, target, rows), _matrix(project, graph, target, rows)
    if call is None or matrix is None:
        return None
    add: _Addition | None = None
    if rest:
        add = _addition(rest[0], graph, target, result.name) if _only_read_by(graph, project, rest[0]) else None
        if add is None:
            return None
    consume = request.consume and between.shape[2] <= request.input().shape[2]
    work = 0 if consume else _aligned(rows * between.nbytes // between.shape[1])
    # the result's rows come behind the work memory of the convolution, whose rounding and bias tables it still needs
    total = work + matrix.scratch_bytes
    summed = _aligned(total) if add else 0
    if add:
        total = summed + rows * result.nbytes // result.shape[1]
    values: dict[str, CValue] = {
        "depthwise": call.params,
        "project": {**matrix.params, "in": {**_mapping(matrix.params["in"]), "h": MAX_EXTENT}},
        "work": work,
        "sum": summed,
        "consume": int(consume),
    }
    if add:
        values["add"] = add.params
    return request.make(
        "te_depthwise_project_rows",
        "te_depthwise_project_params",
        values,
        skip=add.skip if add else None,
        macs=call.macs + macs_of(project, graph),
        scratch_bytes=max(work + call.scratch_bytes, total),
        activation_bytes=work + (total - summed if add else 0),
        consumes=consume,
        # without an addition, all of x is read before y is written; with it, skip is read alongside
        order=Order.IN_STEP if add else Order.READS_FIRST,
        note=f"{call.note}; {matrix.note}",
        **_windowed(effective_window(depthwise, graph)),
    )


def _mapping(value: CValue) -> Mapping[str, CValue]:
    assert isinstance(value, Mapping)
    return value


def _aligned(size: int) -> int:
    return -(-size // 4) * 4


def _only_read_by(graph: Graph, first: Operator, second: Operator) -> bool:
    """Whether nobody but ``second`` wants the output of ``first``."""
    [name] = first.outputs
    return graph.consumers(name) == [second] and name not in graph.results()


# Element by element ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Addition:
    params: Mapping[str, CValue]  # te_add_rows_params
    skip: str


def _addition(op: Operator, graph: Graph, target: Target, x: str) -> _Addition | None:
    """ADD of the rows of ``x`` and of another tensor."""
    call = lower_add_fast(op, graph, target)
    if call is None or x not in call.inputs or call.inputs[0] == call.inputs[1]:
        return None
    skip_first = call.inputs.index(x) == 1
    y = graph.tensor(op.outputs[0])
    values = {key: call.params[key] for key in ("add", "constants", "min", "max")}
    values |= {"skip_first": int(skip_first), "count": y.nbytes // y.hwc()[0]}
    return _Addition(values, call.inputs[0 if skip_first else 1])


def _add(request: _Request) -> RowOp | None:
    [op] = request.ops
    add = _addition(op, request.graph, request.target, request.input().name)
    if add is None:
        return None
    return request.make("te_add_rows", "te_add_rows_params", add.params, skip=add.skip, order=Order.IN_STEP)


def _lut(request: _Request) -> RowOp | None:
    [op] = request.ops
    call = lower_lut(op, request.graph, request.target)
    y = request.output()
    values = {**call.params, "count": y.nbytes // y.hwc()[0]}
    return request.make("te_lut_rows", "te_lut_params", values, order=Order.IN_STEP)


# Pools and means ------------------------------------------------------------------------------------------------------


def _pool(request: _Request) -> RowOp | None:
    """Averages over the whole picture are taken in row by row, other windows need their rows."""
    [op] = request.ops
    assert isinstance(op.attrs, PoolAttrs)
    x, y, window = request.input(), request.output(), op.attrs.window
    call = lower_pool(op, request.graph, request.target)
    average = op.kind is OpKind.AVERAGE_POOL_2D
    if average and y.shape[1:3] == (1, 1) and _covers(window, x.shape[1:3]):
        values = {
            "shape": {"sums": x.shape[3], "pixels": x.shape[2], "rows": x.shape[1]},
            "min": call.params["min"],
            "max": call.params["max"],
        }
        return _accumulating(request, "te_average_rows", values, 4 * x.shape[3])
    assert call.params_type is not None
    function = "te_average_pool_rows" if average else "te_max_pool_rows"
    return request.make(
        function, call.params_type, call.params, macs=call.macs, order=Order.INTERLEAVED, **_windowed(window)
    )


def _covers(window: Window, size: tuple[int, ...]) -> bool:
    """Whether the first window reaches every pixel of the picture."""
    return all(window.kernel[i] - window.pad[2 * i] >= size[i] for i in (0, 1))


def _mean(request: _Request) -> RowOp | None:
    """Over rows and columns at once, or over one after the other."""
    _, height, width, channels = request.input().shape
    if request.output().elements != channels:
        return None
    calls = [lower_mean(op, request.graph, request.target) for op in request.ops]
    axes = [op.attrs.axes for op in request.ops if isinstance(op.attrs, MeanAttrs)]
    plain = {"has_before": 0, "has_behind": 0}
    if axes == [(1, 2)]:
        values = {"shape": {"sums": channels, "pixels": width, "rows": height}, "mean": calls[0].params, **plain}
        return _accumulating(request, "te_mean_rows", values, 4 * channels)
    if len(axes) != 2 or not _only_read_by(request.graph, *request.ops):
        return None
    remaining = request.graph.tensor(request.ops[0].outputs[0]).shape  # with or without the averaged axis
    if axes[0] == (1,) and axes[1] == (len(remaining) - 2,):
        shape = {"sums": width * channels, "pixels": 1, "rows": height}
        values = {"shape": shape, "mean": calls[0].params, **plain, "has_behind": 1, "behind": calls[1].params}
        return _accumulating(request, "te_mean_rows", values, 5 * width * channels)
    if axes == [(2,), (1,)]:
        shape = {"sums": channels, "pixels": 1, "rows": height}
        one_row = _mapping(calls[0].params["shape"]) | {
            "keep": [1, channels],
            "keep_stride": [0, 1],
            "reduce": [1, width],
            "reduce_stride": [0, channels],
        }
        before = {**calls[0].params, "shape": one_row}
        values = {"shape": shape, "mean": calls[1].params, **plain, "has_before": 1, "before": before}
        return _accumulating(request, "te_mean_rows", values, 5 * channels)
    return None


def _accumulating(request: _Request, function: str, values: Mapping[str, CValue], scratch_bytes: int) -> RowOp:
    return request.make(
        function,
        f"{function}_params",
        values,
        out_shape=(1, 1, request.input().shape[3]),
        scratch_bytes=scratch_bytes,
        activation_bytes=scratch_bytes,
        keeps_scratch=True,
        accumulates=True,
    )


_BUILDERS: dict[tuple[OpKind, ...], tuple[frozenset[str], Builder]] = {
    (OpKind.CONV_2D,): (DSP, _conv),
    (OpKind.DEPTHWISE_CONV_2D,): (DSP, _depthwise),
    (OpKind.DEPTHWISE_CONV_2D, OpKind.CONV_2D): (DSP, _depthwise_project),
    (OpKind.DEPTHWISE_CONV_2D, OpKind.CONV_2D, OpKind.ADD): (DSP, _depthwise_project),
    (OpKind.ADD,): (DSP, _add),
    (OpKind.RELU,): (ANY, _lut),
    (OpKind.HARD_SWISH,): (ANY, _lut),
    (OpKind.LOGISTIC,): (ANY, _lut),
    (OpKind.QUANTIZE,): (ANY, _lut),
    (OpKind.MEAN,): (ANY, _mean),
    (OpKind.MEAN, OpKind.MEAN): (ANY, _mean),
    (OpKind.AVERAGE_POOL_2D,): (ANY, _pool),
    (OpKind.MAX_POOL_2D,): (ANY, _pool),
}
