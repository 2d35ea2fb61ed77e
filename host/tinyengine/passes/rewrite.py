"""What passes have in common: working on a copy, sweeping up, renaming uses, inventing names."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace

from tinyengine.ir.graph import Graph, Operator, Tensor
from tinyengine.passes.dead import remove_dead_code


def graph_pass(rewrite: Callable[[Graph], None]) -> Callable[[Graph], Graph]:
    """Make a pass (graph to new graph, without dead code) of a function that rewrites a graph in place."""

    @functools.wraps(rewrite)
    def run(graph: Graph) -> Graph:
        graph = clone(graph)
        rewrite(graph)
        return remove_dead_code(graph)

    return run


def clone(graph: Graph) -> Graph:
    """An independent copy; arrays of constants are shared, nobody writes them."""
    return replace(
        graph,
        tensors={name: replace(tensor) for name, tensor in graph.tensors.items()},
        operators=[replace(op, inputs=list(op.inputs), outputs=list(op.outputs)) for op in graph.operators],
        inputs=list(graph.inputs),
        outputs=list(graph.outputs),
        states=list(graph.states),
    )


def same_quantization(graph: Graph, a: str, b: str) -> bool:
    """Exactly the same scale and zero point."""
    return graph.tensor(a).quant == graph.tensor(b).quant


def only_reader(graph: Graph, tensor: str) -> Operator | None:
    """The operator that alone reads ``tensor``; None if others do or it is wanted after the run."""
    readers = graph.consumers(tensor)
    if len(readers) != 1 or tensor in graph.results():
        return None
    return readers[0]


def replace_reads(graph: Graph, old: str, new: str) -> None:
    """Let every operator that reads ``old`` read ``new``."""
    for op in graph.operators:
        op.inputs = [new if name == old else name for name in op.inputs]


def fresh_name(graph: Graph, base: str) -> str:
    """``base``, or with a number behind it if it is taken."""
    name, number = base, 1
    while name in graph.tensors:
        number += 1
        name = f"{base}_{number}"
    return name


def add_tensor(graph: Graph, tensor: Tensor) -> str:
    """Add ``tensor`` under a free name close to its own; returns the name."""
    tensor.name = fresh_name(graph, tensor.name)
    graph.tensors[tensor.name] = tensor
    return tensor.name


def insert_after(graph: Graph, op: Operator, new: Operator) -> None:
    """Put ``new`` right behind ``op``."""
    index = next(i for i, other in enumerate(graph.operators) if other is op)
    graph.operators.insert(index + 1, new)
