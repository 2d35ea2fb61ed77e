"""Operators that cost nothing."""

from __future__ import annotations

from tinyengine.ir import Operator, Tensor
from tinyengine.kernels.base import KernelCall, Overlap


def view(op: Operator, x: Tensor, y: Tensor) -> KernelCall:
    """No work: the output is the input's bytes."""
    return KernelCall(
        op, "", "te_layout.h", None, inputs=[x.name], outputs=[y.name], overlaps=(Overlap(0, exact=True),), note="view"
    )
