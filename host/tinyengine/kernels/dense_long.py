"""FULLY_CONNECTED with many inputs, on te_dense_long.h."""

from __future__ import annotations

import numpy as np

from tinyengine.ir import Graph, Operator
from tinyengine.kernels import access
from tinyengine.kernels.base import CValue, KernelCall, Target
from tinyengine.kernels.checks import require_int8
from tinyengine.kernels.conv import check_constants, dense_constants

MIN_INPUTS = 2048
"""From here on. Shorter layers share the kernel of four outputs, which most networks have anyway, and whose scratch
memory is small."""

FEW_OUTPUTS = 4
"""Up to these it takes hardly more instructions than the kernel of four outputs, which widens its input."""


def lower_dense_long(op: Operator, graph: Graph, target: Target) -> KernelCall | None:
    """None if there are few inputs, or, unless SRAM is what counts, many outputs. Always rounds exactly."""
    x, y = graph.tensor(op.inputs[0]), graph.tensor(op.outputs[0])
    outputs, inputs = graph.tensor(op.inputs[1]).shape
    if x.elements != inputs or inputs < MIN_INPUTS or (outputs > FEW_OUTPUTS and target.optimize != "sram"):
        return None
    require_int8(op, graph, x, y)
    check_constants(op, graph)
    at_a_time = 1 if outputs % 2 else 2
    touched = access.interleaved([(np.zeros(outputs), np.full(outputs, inputs))], _bytes(outputs))

    def pack() -> dict[str, CValue]:
        dots = "te_dense_two_dots" if at_a_time == 2 else "te_dense_dot"
        return {"in": inputs, "out": outputs, "at_a_time": at_a_time, "dots": dots, **dense_constants(op, graph)}

    return KernelCall(
        op,
        "te_dense_long_s8",
        "te_dense_long.h",
        "te_dense_long_params",
        pack,
        inputs=[x.name],
        outputs=[y.name],
        overlaps=(access.overlap(touched, 0, y.nbytes),),
        access=touched,
        macs=inputs * outputs,
        note=f"{at_a_time} outputs at a time",
    )


def _bytes(count: int) -> tuple[np.ndarray, np.ndarray]:
    """One after the other."""
    return np.arange(count), np.arange(count) + 1
