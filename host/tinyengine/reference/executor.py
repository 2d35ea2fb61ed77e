"""Runs a graph operator by operator."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, overload

import numpy as np

from tinyengine.ir import Graph, Operator
from tinyengine.ir.graph import DTYPES
from tinyengine.ir.requant import Requant, conv_requant
from tinyengine.reference import (  # noqa: F401 - importing them registers their oracles
    attention,
    convolution,
    detection,
    elementwise,
    floating,
    int16,
    language,
    lines,
    movement,
    normalization,
    pooling,
    recurrent,
    signal,
    softmax,
    unary,
)
from tinyengine.reference.registry import ORACLES

Roundings = Mapping[str, Requant]
EXACT: Roundings = {}


def execute(op: Operator, graph: Graph, inputs: list[np.ndarray], requant: Requant | None = None) -> list[np.ndarray]:
    """The outputs of ``op`` for ``inputs`` (one array per entry of ``op.inputs``), in their tensors' shapes.

    ``requant``: how a layer with weights rounds, exactly by default.
    """
    entry = ORACLES.of(op, graph)
    assert entry is not None, f"{op.kind} has no oracle"
    with np.errstate(all="ignore"):  # float32 becomes infinite, or no number, as it does on the device
        result = entry.function(op, graph, inputs)
    if entry.sums:
        result = (requant or conv_requant(graph, op)).apply(result)
    results = result if isinstance(result, list) else [np.asarray(result)]
    outputs = [graph.tensor(name) for name in op.outputs]
    return [
        value.astype(DTYPES[tensor.dtype], copy=False).reshape(tensor.shape)
        for tensor, value in zip(outputs, results, strict=True)
    ]


class Session:
    """Consecutive runs of ``graph``: each begins with the values of the states with which the one before it ended.

    ``requant`` as for :func:`run`.
    """

    def __init__(self, graph: Graph, requant: Roundings = EXACT) -> None:
        self.graph, self.requant = graph, requant
        self.reset()

    def reset(self) -> None:
        """Initial values."""
        self.states = {state.tensor: state.initial for state in self.graph.states}

    def run(self, inputs: list[np.ndarray]) -> list[np.ndarray]:
        """The graph's outputs in order; ``inputs`` as for :func:`run`."""
        values = self.values(inputs)
        return [values[name] for name in self.graph.output_tensors()]

    def values(self, inputs: list[np.ndarray]) -> dict[str, np.ndarray]:
        """One run, like :meth:`run`: the value of every tensor by name."""
        graph = self.graph
        if len(inputs) != len(graph.inputs):
            raise ValueError(f"{graph.name} has {len(graph.inputs)} inputs, not {len(inputs)}")
        values = {t.name: t.data.reshape(t.shape) for t in graph.constants() if t.data is not None} | self.states
        for port, value in zip(graph.inputs, inputs, strict=True):
            tensor = graph.tensor(port.tensor)
            if value.dtype != DTYPES[tensor.dtype] or value.size != tensor.elements:
                raise ValueError(
                    f"input {port.name} wants {tensor.dtype} of shape {tensor.shape}, "
                    f"not {value.dtype} of {value.shape}"
                )
            values[tensor.name] = value.reshape(tensor.shape)
        for op in graph.operators:
            outputs = execute(op, graph, [values[name] for name in op.inputs], self.requant.get(op.outputs[0]))
            values.update(zip(op.outputs, outputs, strict=True))
        self.states = {state.tensor: values[state.update] for state in graph.states}
        return values


@overload
def run(
    graph: Graph, inputs: list[np.ndarray], keep_all: Literal[False] = False, requant: Roundings = EXACT
) -> list[np.ndarray]: ...


@overload
def run(
    graph: Graph, inputs: list[np.ndarray], keep_all: Literal[True], requant: Roundings = EXACT
) -> dict[str, np.ndarray]: ...


def run(
    graph: Graph, inputs: list[np.ndarray], keep_all: bool = False, requant: Roundings = EXACT
) -> list[np.ndarray] | dict[str, np.ndarray]:
    """Execute ``graph``; ``inputs`` are arrays of the input *tensors'* dtype (see ``tinyengine.ir.ports``).

    Returns the graph's outputs in order, or with ``keep_all`` the value of every tensor by name. States have their
    initial values (see :class:`Session`). ValueError if the inputs do not fit the graph.
    ``requant``: by output tensor, how layers round that do not round exactly; what a network compiled with ``--requant
    fast`` does, ``kernels.select.roundings`` tells.
    """
    session = Session(graph, requant)
    return session.values(inputs) if keep_all else session.run(inputs)
