"""MUL of two tensors, or of one and a constant, on te_mul_fast.h."""

from __future__ import annotations

import numpy as np

from tinyengine.ir import Graph, Operator
from tinyengine.ir.quantize import INT8_MAX, INT8_MIN
from tinyengine.ir.requant import mul_params
from tinyengine.kernels import access, params
from tinyengine.kernels.activation import table_call
from tinyengine.kernels.axes import repeats_after
from tinyengine.kernels.base import CValue, KernelCall, Overlap, Target
from tinyengine.kernels.fixed import MAX_SHIFT

HEADER = "te_mul_fast.h"


def lower_mul_scalar(op: Operator, graph: Graph, target: Target) -> KernelCall | None:
    """MUL by one constant value: a table, or nothing where every byte stays what it is (converters scale what a product
    with a constant results in by that constant, too)."""
    a, b, y = (graph.tensor(name) for name in (*op.inputs, op.outputs[0]))
    x, data = (b, a.data) if a.is_constant else (a, b.data)
    if data is None or x.is_constant or data.size != 1 or {x.dtype, y.dtype} != {"int8"} or x.shape != y.shape:
        return None
    p = mul_params(graph, op)
    first, second = (p.zero1, p.zero2) if op.inputs[0] == x.name else (p.zero2, p.zero1)
    values = np.arange(INT8_MIN, INT8_MAX + 1)
    table = p.requant.apply((values - first) * (int(data.flat[0]) - second))
    return table_call(op, graph, lambda: table.astype(np.int8), unchanged=bool((table == values).all()))


def lower_mul_fast(op: Operator, graph: Graph, target: Target) -> KernelCall | None:
    """One operand has the output's shape, the other too or it is a row that serves all of its rows. None for shorter
    rows than four elements, other broadcasting, and multipliers from 0.5 on."""
    a, b, y = (graph.tensor(name) for name in (*op.inputs, op.outputs[0]))
    if {a.dtype, b.dtype, y.dtype} != {"int8"} or (a.is_constant and b.is_constant):
        return None
    p = mul_params(graph, op)
    zeros = {a.name: p.zero1, b.name: p.zero2}
    multiplier, e = int(p.requant.multiplier[0]), -int(p.requant.shift[0])
    if a.is_constant or (a.shape != y.shape and not b.is_constant):
        a, b = b, a  # the product is the same
    count = repeats_after(b.shape, y.shape)
    if a.shape != y.shape or count < 4 or not 1 <= e <= MAX_SHIFT:
        return None
    row_serves_all = count < y.elements

    def pack() -> dict[str, CValue]:
        values: dict[str, CValue] = {
            "rows": y.elements // count,
            "count": count,
            "step_a": count,
            "step_b": 0 if row_serves_all else count,
            "zero_a": zeros[a.name],
            "zero_b": zeros[b.name],
            "min": p.requant.low,
            "max": p.requant.high,
            "m": multiplier,
            "c": (1 << (e - 1)) + (p.requant.zero << e),
            "e": e,
        }
        if b.is_constant:
            assert b.data is not None
            values["constant"] = params.array("constant", b.data, "int8")
        return values

    operands = [a] if b.is_constant else [a, b]
    reads = [None, b.nbytes if row_serves_all else None][: len(operands)]
    return KernelCall(
        op,
        f"te_mul_fast{'_const' if b.is_constant else ''}_s8",
        HEADER,
        "te_mul_fast_params",
        pack,
        inputs=[t.name for t in operands],
        outputs=[y.name],
        overlaps=tuple(Overlap(0) if read is None else None for read in reads),
        access=access.elementwise(y.elements, reads),
    )
