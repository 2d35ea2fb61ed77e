"""ADD of two tensors of one shape on te_add_fast.h."""

from __future__ import annotations

from tinyengine.ir import Graph, Operator
from tinyengine.ir.requant import AddParams, add_params
from tinyengine.kernels import access
from tinyengine.kernels.base import CValue, KernelCall, Overlap, Target
from tinyengine.kernels.checks import require_int8
from tinyengine.kernels.fixed import MAX_SHIFT

HEADER = "te_add_fast.h"
HALF = (1 << 30, 0)
"""Multiplier and shift of 0.5: what TFLite gives the input with the larger scale."""


def lower_add_fast(op: Operator, graph: Graph, target: Target) -> KernelCall | None:
    """None for constants, broadcasting, and output scales far from the inputs'."""
    a, b, y = (graph.tensor(name) for name in (*op.inputs, op.outputs[0]))
    require_int8(op, graph, a, b, y)
    if a.is_constant or b.is_constant or not a.shape == b.shape == y.shape:
        return None
    p = add_params(graph, op)
    if (p.multiplier1, p.shift1) == HALF:
        a, b, p = b, a, _swapped(p)
    # now b has the larger scale
    if (p.multiplier2, p.shift2) != HALF or not 1 <= -p.shift <= MAX_SHIFT:
        return None
    equal = (p.multiplier1, p.shift1) == HALF
    if not equal and not 1 <= -p.shift1 <= 30:
        return None
    constants: dict[str, CValue] = {
        "kb": -(p.zero2 + (p.zero1 if equal else 0)) << 20,
        "c": (1 << (-p.shift - 1)) + (p.zero << -p.shift),
        "m": p.multiplier,
        "e": -p.shift,
    }
    if not equal:
        constants |= {"ka": -p.zero1 << 21, "ca": 1 << (-p.shift1 - 1), "ma": p.multiplier1, "ea": -p.shift1}
    return KernelCall(
        op,
        "te_add_fast_s8",
        HEADER,
        "te_add_fast_params",
        {
            "count": y.elements,
            "min": p.low,
            "max": p.high,
            "add": "te_add_equal" if equal else "te_add_scaled",
            "constants": constants,
        },
        inputs=[a.name, b.name],
        output=y.name,
        overlaps=(Overlap(0), Overlap(0)),
        access=access.elementwise(y.elements, [None, None]),
        note="equal scales" if equal else "",
    )


def _swapped(p: AddParams) -> AddParams:
    return AddParams(
        p.zero2,
        p.zero1,
        p.left_shift,
        p.multiplier2,
        p.shift2,
        p.multiplier1,
        p.shift1,
        p.multiplier,
        p.shift,
        p.zero,
        p.low,
        p.high,
    )
