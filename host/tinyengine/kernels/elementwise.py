"""ADD, SUB and MUL with broadcasting, on te_elementwise.h."""

from __future__ import annotations

from tinyengine.ir import Graph, Operator, OpKind, Tensor
from tinyengine.ir.requant import add_params, mul_params
from tinyengine.kernels import access, params
from tinyengine.kernels.base import CValue, KernelCall, Overlap, Packer, Target, lowering
from tinyengine.kernels.checks import require_int8, unsupported
from tinyengine.kernels.loops.operators import lower_add_any, lower_add_int32, lower_mul_any
from tinyengine.kernels.loops.walk import Axis, broadcast_strides, merge

HEADER = "te_elementwise.h"


@lowering(OpKind.ADD, OpKind.SUB)
def lower_add(op: Operator, graph: Graph, target: Target) -> KernelCall:
    """SUB is ADD whose second multiplier is negative."""
    if graph.tensor(op.outputs[0]).dtype == "int32":
        return lower_add_int32(op, graph)
    require_int8(op, graph, *(graph.tensor(name) for name in (*op.inputs, *op.outputs)))
    p = add_params(graph, op)
    assert p.left_shift == 20  # built into the kernel
    return (
        lower_add_any(op, graph, p)
        if _is_beyond(op, graph)
        else _call(
            op,
            graph,
            "te_add",
            lambda: {
                "a": {"multiplier": p.multiplier1, "shift": p.shift1, "zero": p.zero1},
                "b": {"multiplier": p.multiplier2, "shift": p.shift2, "zero": p.zero2},
                "out": {"multiplier": p.multiplier, "shift": p.shift, "zero": p.zero},
                "min": p.low,
                "max": p.high,
            },
        )
    )


@lowering(OpKind.MUL)
def lower_mul(op: Operator, graph: Graph, target: Target) -> KernelCall:
    """Products of the two offset operands."""
    p = mul_params(graph, op)
    return (
        lower_mul_any(op, graph, p)
        if _is_beyond(op, graph)
        else _call(
            op,
            graph,
            "te_mul",
            lambda: {
                "a": {"zero": p.zero1},
                "b": {"zero": p.zero2},
                "out": {
                    "multiplier": int(p.requant.multiplier[0]),
                    "shift": int(p.requant.shift[0]),
                    "zero": p.requant.zero,
                },
                "min": p.requant.low,
                "max": p.requant.high,
            },
        )
    )


def _call(op: Operator, graph: Graph, function: str, arithmetic: Packer) -> KernelCall:
    """The call with its strides, its constant operand if it has one, and its overlap rules."""
    a, b, y = (graph.tensor(name) for name in (*op.inputs, op.outputs[0]))
    require_int8(op, graph, a, b, y)
    constants = [t for t in (a, b) if t.is_constant]
    if len(constants) == 2:
        raise unsupported(op, graph, "has two constant inputs", "fold it into one constant before exporting the model")
    shape = _broadcast(a, b, y)

    def pack() -> dict[str, CValue]:
        values = {**arithmetic(), "shape": shape}
        if constants:
            data = constants[0].data
            assert data is not None
            values["constant"] = params.array("constant", data, "int8")
            values["constant_first"] = int(a.is_constant)
        return values

    operands = [t for t in (a, b) if not t.is_constant]
    walked = [t.elements == y.elements for t in operands]
    return KernelCall(
        op,
        f"{function}{'_const' if constants else ''}_s8",
        HEADER,
        "te_binary_params",
        pack,
        inputs=[t.name for t in operands],
        outputs=[y.name],
        overlaps=tuple(Overlap(0) if same else None for same in walked),
        access=access.elementwise(y.elements, [None if w else t.nbytes for w, t in zip(walked, operands, strict=True)]),
        note="broadcast" if a.elements != b.elements else "",
    )


def _is_beyond(op: Operator, graph: Graph) -> bool:
    """Whether the operands have more axes, when neighbours have been merged, than the kernel has loops."""
    a, b, y = (graph.tensor(name) for name in (*op.inputs, op.outputs[0]))
    require_int8(op, graph, a, b, y)
    return len(_axes(a, b, y)) > 4


def _broadcast(a: Tensor, b: Tensor, y: Tensor) -> dict[str, CValue]:
    """te_broadcast: the fewest axes that describe both operands."""
    axes = _axes(a, b, y)
    axes = [(1, (0, 0))] * (4 - len(axes)) + axes
    strides = [steps for _, steps in axes]
    return {
        "dims": [size for size, _ in axes],
        "stride_a": [step for step, _ in strides],
        "stride_b": [step for _, step in strides],
    }


def _axes(a: Tensor, b: Tensor, y: Tensor) -> list[Axis]:
    return merge(y.shape, [broadcast_strides(a.shape, y.shape), broadcast_strides(b.shape, y.shape)])
