"""Dead code: operators and tensors that neither an output nor a state needs."""

from __future__ import annotations

from dataclasses import replace

from tinyengine.ir.graph import Graph


def remove_dead_code(graph: Graph) -> Graph:
    """Without operators whose outputs nobody reads and tensors that nobody names; inputs and states stay."""
    needed = set(graph.results())
    kept = []
    for op in reversed(graph.operators):
        if needed.intersection(op.outputs):
            needed.update(op.inputs, op.outputs)
            kept.append(op)
    needed.update(graph.sources())
    tensors = {name: tensor for name, tensor in graph.tensors.items() if name in needed}
    return replace(graph, tensors=tensors, operators=kept[::-1])
