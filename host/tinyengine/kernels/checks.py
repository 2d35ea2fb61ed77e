"""Refusals: what the kernels cannot express, said in one sentence."""

from __future__ import annotations

from tinyengine.errors import UnsupportedOperatorError
from tinyengine.ir import Graph, Operator, Tensor

MAX_EXTENT = (1 << 16) - 1  # rows, columns and channels are uint16 in the kernels' parameters


def unsupported(op: Operator, graph: Graph, problem: str, remedy: str) -> UnsupportedOperatorError:
    """``<kind> '<name>' (operator <index>, output '<tensor>') <problem>: <remedy>``."""
    index = next((i for i, other in enumerate(graph.operators) if other is op), -1)
    return UnsupportedOperatorError(
        f"{op.kind} '{op.name}' (operator {index}, output '{op.outputs[0]}') {problem}: {remedy}"
    )


def require_image(op: Operator, graph: Graph, *tensors: Tensor) -> None:
    """Each tensor is one picture (1, H, W, C) whose extents fit the kernels' 16-bit fields."""
    for tensor in tensors:
        if len(tensor.shape) != 4 or tensor.shape[0] != 1:
            raise unsupported(
                op,
                graph,
                f"works on '{tensor.name}' of shape {tensor.shape}, not on one picture",
                "give the network four axes and a batch of 1",
            )
        if max(tensor.shape) > MAX_EXTENT:
            raise unsupported(
                op,
                graph,
                f"has an axis of {max(tensor.shape)} in '{tensor.name}'",
                f"use at most {MAX_EXTENT} per axis",
            )


def require_int8(op: Operator, graph: Graph, *tensors: Tensor) -> None:
    """Each tensor is int8."""
    for tensor in tensors:
        if tensor.dtype != "int8":
            raise unsupported(
                op,
                graph,
                f"works on '{tensor.name}' of type {tensor.dtype}",
                "quantize the model fully to int8 (float and uint8 may stand at its border only)",
            )
