"""Runs a graph operator by operator."""

from __future__ import annotations

from typing import Literal, overload

import numpy as np

from tinyengine.ir import Graph, Operator
from tinyengine.ir.fast import layer_requant
from tinyengine.ir.graph import DTYPES
from tinyengine.reference import (  # noqa: F401 - importing them registers their oracles
    border,
    convolution,
    dense,
    elementwise,
    movement,
    pooling,
    softmax,
    unary,
)
from tinyengine.reference.registry import ACCUMULATORS, ORACLES


def execute(op: Operator, graph: Graph, inputs: list[np.ndarray], requant: str = "exact") -> np.ndarray:
    """The output of ``op`` for ``inputs`` (one array per entry of ``op.inputs``), in the output tensor's shape.

    ``requant`` "fast": rounded as the kernels of a network compiled with ``--requant fast`` do.
    """
    output = graph.tensor(op.outputs[0])
    if op.kind in ACCUMULATORS:
        result = layer_requant(graph, op, requant).apply(ACCUMULATORS[op.kind](op, graph, inputs))
    else:
        result = ORACLES[op.kind](op, graph, inputs)
    return result.astype(DTYPES[output.dtype], copy=False).reshape(output.shape)


@overload
def run(
    graph: Graph, inputs: list[np.ndarray], keep_all: Literal[False] = False, requant: str = "exact"
) -> list[np.ndarray]: ...


@overload
def run(
    graph: Graph, inputs: list[np.ndarray], keep_all: Literal[True], requant: str = "exact"
) -> dict[str, np.ndarray]: ...


def run(
    graph: Graph, inputs: list[np.ndarray], keep_all: bool = False, requant: str = "exact"
) -> list[np.ndarray] | dict[str, np.ndarray]:
    """Execute ``graph``; ``inputs`` are arrays of the input *tensors'* dtype (see ``tinyengine.ir.ports``).

    Returns the graph's outputs in order, or with ``keep_all`` the value of every tensor by name.
    ``requant`` as for :func:`execute`. ValueError if the inputs do not fit the graph.
    """
    if len(inputs) != len(graph.inputs):
        raise ValueError(f"{graph.name} has {len(graph.inputs)} inputs, not {len(inputs)}")
    values: dict[str, np.ndarray] = {t.name: t.data.reshape(t.shape) for t in graph.constants() if t.data is not None}
    for port, value in zip(graph.inputs, inputs, strict=True):
        tensor = graph.tensor(port.tensor)
        if value.dtype != DTYPES[tensor.dtype] or value.size != tensor.elements:
            raise ValueError(
                f"input {port.name} wants {tensor.dtype} of shape {tensor.shape}, not {value.dtype} of {value.shape}"
            )
        values[tensor.name] = value.reshape(tensor.shape)
    for op in graph.operators:
        values[op.outputs[0]] = execute(op, graph, [values[name] for name in op.inputs], requant)
    return values if keep_all else [values[name] for name in graph.output_tensors()]
