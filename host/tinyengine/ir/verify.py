"""Checks that a graph is well formed before anybody relies on it."""

from __future__ import annotations

from tinyengine.errors import ModelError
from tinyengine.ir.graph import Graph


def verify(graph: Graph) -> None:
    """Raise ModelError, naming operator and tensor, if ``graph`` is not one that the compiler may trust."""
    known = {t.name for t in graph.constants()} | set(graph.input_tensors())
    for op in graph.operators:
        for name in op.inputs:
            if name not in known:
                raise ModelError(f"{op.kind} '{op.name}' reads tensor '{name}' before anything has written it")
        known.update(op.outputs)
    for port in graph.outputs:
        if port.tensor not in known:
            raise ModelError(f"the network's output '{port.name}' is never written")
