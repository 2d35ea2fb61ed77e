"""Dead code: operators and tensors that no output needs."""

from __future__ import annotations

from tinyengine.ir.graph import Graph


def remove_dead_code(graph: Graph) -> Graph:
    """Without operators whose output nobody reads and tensors that nobody names; inputs of the network stay."""
    needed = set(graph.output_tensors())
    kept = []
    for op in reversed(graph.operators):
        if needed.intersection(op.outputs):
            needed.update(op.inputs)
            kept.append(op)
    needed.update(graph.input_tensors())
    tensors = {name: tensor for name, tensor in graph.tensors.items() if name in needed}
    return Graph(graph.name, tensors, kept[::-1], graph.inputs, graph.outputs)
