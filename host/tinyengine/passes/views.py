"""RESHAPE chains."""

from __future__ import annotations

from tinyengine.ir.graph import Graph
from tinyengine.ir.ops import OpKind
from tinyengine.passes.rewrite import graph_pass, replace_reads, same_quantization


@graph_pass
def merge_views(graph: Graph) -> None:
    """A RESHAPE of a RESHAPE reads the first one's input; one that changes nothing disappears."""
    for op in graph.operators:
        if op.kind is not OpKind.RESHAPE:
            continue
        producer = graph.producer(op.inputs[0])
        if producer is not None and producer.kind is OpKind.RESHAPE:
            op.inputs = [producer.inputs[0]]
        source, result = graph.tensor(op.inputs[0]), graph.tensor(op.outputs[0])
        if source.shape == result.shape and same_quantization(graph, source.name, result.name):
            replace_reads(graph, result.name, source.name)
