"""Functions of single values as tables, and SOFTMAX, on te_elementwise.h."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tinyengine.ir import Graph, Operator, OpKind
from tinyengine.ir.operators.unary import TABLES, unary_lut
from tinyengine.ir.requant import softmax_params
from tinyengine.kernels import access, params
from tinyengine.kernels.base import CValue, KernelCall, Overlap, Target, lowering
from tinyengine.kernels.checks import require_int8, unsupported
from tinyengine.kernels.view import view

HEADER = "te_elementwise.h"
FEWEST_ROWS = 4
MAX_DEPTH = 2048
"""Of a softmax whose sums and scratch memory are small."""


@lowering(*(kind for kind in TABLES if kind is not OpKind.QUANTIZE))
def lower_lut(op: Operator, graph: Graph, target: Target) -> KernelCall:
    """256 results, computed here."""
    return table_call(op, graph, lambda: unary_lut(graph, op))


def table_call(op: Operator, graph: Graph, table: Callable[[], np.ndarray], unchanged: bool = False) -> KernelCall:
    """Of the only input that is no constant; ``unchanged``: the table changes nothing."""
    [x] = [tensor for tensor in map(graph.tensor, op.inputs) if not tensor.is_constant]
    y = graph.tensor(op.outputs[0])
    require_int8(op, graph, x, y)
    if unchanged:
        return view(op, x, y)
    return KernelCall(
        op,
        "te_lut_s8",
        HEADER,
        "te_lut_params",
        lambda: {"count": y.elements, "table": params.array("table", table(), "int8")},
        inputs=[x.name],
        outputs=[y.name],
        overlaps=(Overlap(0),),
        access=access.elementwise(y.elements, [None]),
        note="table",
    )


def lower_softmax_fast(op: Operator, graph: Graph, target: Target) -> KernelCall | None:
    """By te_softmax_fast.h; None for other types and lengths, and for few rows, which are not worth its code."""
    x, y = graph.tensor(op.inputs[0]), graph.tensor(op.outputs[0])
    depth = x.shape[-1]
    whole = depth % 4 == 0 and 8 <= depth <= MAX_DEPTH and x.elements >= FEWEST_ROWS * depth
    if y.dtype != "int8" or y.quant is None or y.quant.scalar() != (1.0 / 256.0, -128) or not whole:
        return None

    def pack() -> dict[str, CValue]:
        exponentials = 2 * softmax_params(graph, op).exp_table.astype(np.int64) - (1 << 31)
        return {
            "rows": x.elements // depth,
            "depth": depth,
            "exp": params.array("exp", exponentials[::-1], "int32"),
        }

    return KernelCall(
        op,
        "te_softmax_fast_s8",
        "te_softmax_fast.h",
        "te_softmax_fast_params",
        pack,
        inputs=[x.name],
        outputs=[y.name],
        scratch_bytes=4 * depth,
        overlaps=(Overlap(0),),
        access=access.elementwise(y.elements, [None]),
    )


@lowering(OpKind.SOFTMAX)
def lower_softmax(op: Operator, graph: Graph, target: Target) -> KernelCall:
    """Exponentials from a table, the reciprocal in fixed point."""
    x, y = graph.tensor(op.inputs[0]), graph.tensor(op.outputs[0])
    require_int8(op, graph, x)
    wide = y.dtype == "int16"
    if not wide and (y.quant is None or y.quant.scalar() != (1.0 / 256.0, -128)):
        raise unsupported(
            op, graph, "has an output scale other than 1/256 with zero point -128", "convert the model with TensorFlow"
        )
    depth = x.shape[-1]
    return KernelCall(
        op,
        "te_softmax_s8_s16" if wide else "te_softmax_s8",
        HEADER,
        "te_softmax_params",
        lambda: {
            "rows": x.elements // depth,
            "depth": depth,
            "exp": params.array("exp", softmax_params(graph, op).exp_table, "int32"),
        },
        inputs=[x.name],
        outputs=[y.name],
        overlaps=(None if wide else Overlap(0),),
        access=access.whole(x.nbytes, y.nbytes) if wide else access.elementwise(y.elements, [None]),
    )
