"""Operators by rows, on te_rows.h: what a chain of operators is made of.

:func:`row_op` lowers a group of operators to one :class:`RowOp`. Whoever builds a chain chooses the rows that are kept
of each picture and how many rows an operator makes at a time; the bytes computed never depend on that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from tinyengine.ir import Graph, Operator
from tinyengine.kernels.base import CValue, Target


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
    return None
