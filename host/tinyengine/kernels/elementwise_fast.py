"""ADD of two tensors of one shape, ADD and SUB of a constant that repeats, on te_add_fast.h."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np

from tinyengine.ir import Graph, Operator, Tensor
from tinyengine.ir.quantize import multiply_by_quantized_multiplier
from tinyengine.ir.requant import AddParams, add_params
from tinyengine.kernels import access, params
from tinyengine.kernels.axes import repeats_after
from tinyengine.kernels.base import CValue, KernelCall, Overlap, Target
from tinyengine.kernels.fixed import MAX_SHIFT

HEADER = "te_add_fast.h"
HALF = (1 << 30, 0)
"""Multiplier and shift of 0.5: what TFLite gives the input with the larger scale."""

LINEAR_SHIFT = 21
"""TE_ADD_LINEAR_SHIFT"""


def lower_add_fast(op: Operator, graph: Graph, target: Target) -> KernelCall | None:
    """None for broadcasting other than of a constant that repeats, for output scales far from the inputs', and for
    equal scales and differences that are not linear."""
    a, b, y = (graph.tensor(name) for name in (*op.inputs, op.outputs[0]))
    if {a.dtype, b.dtype, y.dtype} != {"int8"} or (a.is_constant and b.is_constant):
        return None
    if any(t.shape != y.shape and not (t.is_constant and repeats_after(t.shape, y.shape)) for t in (a, b)):
        return None
    p = add_params(graph, op)
    linear = linear_constants(p, *(() if t.data is None else tuple(np.unique(t.data).tolist()) for t in (a, b)))
    if linear is not None:
        return _call(op, graph, p, "te_add_linear", linear, "linear")
    if min(p.multiplier1, p.multiplier2) < 0:  # te_add_scaled takes a sum's sign for its product's
        return None
    swap = False
    if (p.multiplier1, p.shift1) == HALF:
        p, swap = _swapped(p), True
    # now b has the larger scale
    if (p.multiplier2, p.shift2) != HALF or not 1 <= -p.shift <= MAX_SHIFT:
        return None
    if not 1 <= -p.shift1 <= 30:
        return None
    constants: dict[str, CValue] = {
        "kb": -p.zero2 << 20,
        "c": (1 << (-p.shift - 1)) + (p.zero << -p.shift),
        "m": p.multiplier,
        "e": -p.shift,
        "ka": -p.zero1 << 21,
        "ca": 1 << (-p.shift1 - 1),
        "ma": p.multiplier1,
        "ea": -p.shift1,
    }
    return _call(op, graph, p, "te_add_scaled", constants, "", swap)


@cache
def linear_constants(p: AddParams, of_a: tuple[int, ...] = (), of_b: tuple[int, ...] = ()) -> dict[str, CValue] | None:
    """Constants of te_add_linear; None unless they give the exact result for each pair of values. ``of_a``, ``of_b``:
    the values of a constant operand; all 256 where there are none."""
    a, b = (np.array(of or range(-128, 128), np.int64) for of in (of_a, of_b))
    a, b = a[:, None], b[None, :]
    want = np.clip(_exact(p, a, b), -128, 127)
    one = 1 << LINEAR_SHIFT
    out = float(p.multiplier) * 2.0 ** (p.shift - 62 + p.left_shift)
    ratio_a, ratio_b = (out * m * 2.0**s for m, s in ((p.multiplier1, p.shift1), (p.multiplier2, p.shift2)))
    ma, mb = round(ratio_a * 256 * one), round(ratio_b * 256 * one)
    if max(abs(ma), abs(mb)) >= 1 << 31:
        return None
    c = round((p.zero + 0.5 - ratio_a * p.zero1 - ratio_b * p.zero2) * one)
    parts = [c + (ma * (a * 256) >> 16), mb * (b * 256) >> 16]
    value = parts[0] + parts[1]
    # how far each value lies above the least and below the largest that give the wanted result
    above = (value - (want << LINEAR_SHIFT))[want > -128].min(initial=one)
    below = ((want + 1 << LINEAR_SHIFT) - 1 - value)[want < 127].min(initial=one)
    if above + below < 0:
        return None
    move = int(below - above) // 2
    if max(np.abs(part + move).max() for part in (parts[0], value)) >= 1 << 31:
        return None
    return {"ma": ma, "m": mb, "c": c + move}


def _exact(p: AddParams, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """TFLite's sum, not clamped."""
    total = multiply_by_quantized_multiplier((a - p.zero1) << p.left_shift, p.multiplier1, p.shift1)
    total = total + multiply_by_quantized_multiplier((b - p.zero2) << p.left_shift, p.multiplier2, p.shift2)
    return multiply_by_quantized_multiplier(total, p.multiplier, p.shift) + p.zero


def _call(
    op: Operator,
    graph: Graph,
    p: AddParams,
    kernel: str,
    constants: dict[str, CValue],
    note: str,
    swap: bool = False,
) -> KernelCall:
    a, b, y = (graph.tensor(name) for name in (*op.inputs, op.outputs[0]))
    if swap:
        a, b = b, a
    for x, constant in ((a, b), (b, a)):
        if constant.is_constant:
            return _call_const(op, p, kernel, constants, note, x, constant, constant is a)
    return KernelCall(
        op,
        "te_add_fast_s8",
        HEADER,
        "te_add_fast_params",
        lambda: {"count": y.elements, "min": p.low, "max": p.high, "add": kernel, "constants": constants},
        inputs=[a.name, b.name],
        outputs=[y.name],
        overlaps=(Overlap(0), Overlap(0)),
        access=access.elementwise(y.elements, [None, None]),
        note=note,
    )


ROW = 64
"""Elements of a row, at least, for which a constant is written out several times: each row is a call of its own."""


def _call_const(
    op: Operator,
    p: AddParams,
    kernel: str,
    constants: dict[str, CValue],
    note: str,
    x: Tensor,
    constant: Tensor,
    first: bool,
) -> KernelCall:
    assert constant.data is not None
    data = constant.data.ravel()
    rows = x.elements // data.size
    copies = next((n for n in range(1, rows + 1) if rows % n == 0 and n * data.size >= ROW), rows)
    return KernelCall(
        op,
        "te_add_fast_const_s8",
        HEADER,
        "te_add_fast_const_params",
        lambda: {
            "rows": rows // copies,
            "count": data.size * copies,
            "min": p.low,
            "max": p.high,
            "add": kernel,
            "constant": params.array("constant", np.tile(data, copies), "int8"),
            "constant_first": int(first),
            "constants": constants,
        },
        inputs=[x.name],
        outputs=[op.outputs[0]],
        overlaps=(Overlap(0),),
        access=access.elementwise(x.elements, [None]),
        note=note,
    )


def _swapped(p: AddParams) -> AddParams:
    first = dict(zero1=p.zero2, multiplier1=p.multiplier2, shift1=p.shift2)
    return replace(p, **first, zero2=p.zero1, multiplier2=p.multiplier1, shift2=p.shift1)
