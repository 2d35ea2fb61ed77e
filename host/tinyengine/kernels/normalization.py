"""LAYER_NORM on te_layer_norm.h."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np

from tinyengine.ir import Graph, Operator, OpKind
from tinyengine.ir.operators.normalization import LayerNormAttrs, layer_norm_params, part
from tinyengine.ir.requant import AddParams, add_params
from tinyengine.kernels import access, params
from tinyengine.kernels.base import CValue, KernelCall, Overlap, Target, lowering
from tinyengine.kernels.elementwise_fast import linear_constants


@lowering(OpKind.LAYER_NORM)
def lower_layer_norm(op: Operator, graph: Graph, target: Target) -> KernelCall:
    """Row by row; additions in one step each where that is exact."""
    attrs = op.attrs
    assert isinstance(attrs, LayerNormAttrs)
    x, y = graph.tensor(op.inputs[0]), graph.tensor(op.outputs[0])
    channels = x.shape[-1]

    def pack() -> dict[str, CValue]:
        assert isinstance(attrs, LayerNormAttrs)
        p = layer_norm_params(attrs)
        assert p is not None  # the pass has asked
        gains, gain_zero = _constant(attrs, "factor")
        shifts, _ = _constant(attrs, "offset")
        moved, scaled = (part(attrs, role).outputs[0] for role in ("moved", "scaled"))
        offset = _addition(attrs, "offset", moved, tuple(np.unique(shifts).tolist()))
        return {
            "rows": x.elements // channels,
            "channels": channels,
            **asdict(p),
            "offset": offset,
            "y": _addition(attrs, "y", scaled, ()),
            "roots": params.array("roots", np.array(attrs.roots), "int8"),
            "negated": params.array("negated", np.array(attrs.negated), "int8"),
            "gains": params.array("gains", 2 * (gains.astype(np.int64) - gain_zero), "int16"),
            "shifts": params.array("shifts", shifts, "int8"),
        }

    return KernelCall(
        op,
        "te_layer_norm_s8",
        "te_layer_norm.h",
        "te_layer_norm_params",
        pack,
        inputs=[x.name],
        outputs=[y.name],
        overlaps=(Overlap(0),),
        access=access.elementwise(y.elements, [None]),
        note="a dozen operators at once",
    )


def _constant(attrs: LayerNormAttrs, role: str) -> tuple[np.ndarray, int]:
    """The constant operand of a part, flat, and its zero point."""
    [tensor] = [t for t in (attrs.parts.tensor(name) for name in part(attrs, role).inputs) if t.is_constant]
    assert tensor.data is not None
    return tensor.data.ravel(), tensor.zero_point


def _addition(attrs: LayerNormAttrs, role: str, first: str, of_second: tuple[int, ...]) -> dict[str, CValue]:
    """te_layer_norm_add, whose a is the tensor ``first``. ``of_second``: the values of the other, all if empty."""
    op = part(attrs, role)
    p = add_params(attrs.parts, op)
    swapped = op.inputs[0] != first
    linear = linear_constants(p, *((of_second, ()) if swapped else ((), of_second)))
    scales: list[CValue] = [
        {"multiplier": p.multiplier1, "shift": p.shift1, "zero": p.zero1},
        {"multiplier": p.multiplier2, "shift": p.shift2, "zero": p.zero2},
    ]
    a, b = scales[::-1] if swapped else scales
    result: dict[str, CValue] = {"a": a, "b": b, "out": _out(p)}
    if linear is not None:
        ma, mb = ("m", "ma") if swapped else ("ma", "m")
        result |= {"ma": linear[ma], "mb": linear[mb], "c": linear["c"]}
    return result


def _out(p: AddParams) -> dict[str, CValue]:
    return {"multiplier": p.multiplier, "shift": p.shift, "zero": p.zero}
