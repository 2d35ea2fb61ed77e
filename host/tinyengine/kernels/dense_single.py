"""FULLY_CONNECTED with a single output, on te_dense_single.h."""

from __future__ import annotations

from tinyengine.ir import Graph, Operator
from tinyengine.ir.requant import conv_requant
from tinyengine.kernels import access, params
from tinyengine.kernels.base import CValue, KernelCall, Target
from tinyengine.kernels.checks import require_int8
from tinyengine.kernels.conv import bias_of, check_constants, weights_of

MIN_INPUTS = 2048
"""From here on. Shorter layers share the kernel of four outputs, which most networks have anyway, and whose scratch
memory is small."""


def lower_dense_single(op: Operator, graph: Graph, target: Target) -> KernelCall | None:
    """None if there are more outputs, or few inputs. Always rounds exactly."""
    x, y = graph.tensor(op.inputs[0]), graph.tensor(op.outputs[0])
    if y.elements != 1 or x.elements < MIN_INPUTS:
        return None
    require_int8(op, graph, x, y)
    check_constants(op, graph)
    touched = access.whole(x.elements, 1)

    def pack() -> dict[str, CValue]:
        weights = weights_of(op, graph)
        bias = params.wrap_int32(bias_of(op, graph, 1) - x.zero_point * weights.sum(axis=1))
        return {
            "in": x.elements,
            "weights": params.array("weights", weights, "int8"),
            "bias": int(bias[0]),
            "requant": params.requant(conv_requant(graph, op)),
        }

    return KernelCall(
        op,
        "te_dense_single_s8",
        "te_dense_single.h",
        "te_dense_single_params",
        pack,
        inputs=[x.name],
        outputs=[y.name],
        overlaps=(access.overlap(touched, 0, y.nbytes),),
        access=touched,
        macs=x.elements,
        note="one output",
    )
