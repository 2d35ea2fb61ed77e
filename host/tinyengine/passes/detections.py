"""Detectors keep their boxes and scores in int8."""

from __future__ import annotations

from tinyengine.ir.graph import Graph
from tinyengine.ir.ops import OpKind
from tinyengine.passes.rewrite import graph_pass

VALUES = 2
"""Inputs of DETECTION_POST_PROCESS that may be int8."""


@graph_pass
def detect_in_bytes(graph: Graph) -> None:
    """DETECTION_POST_PROCESS reads the int8 in front of a DEQUANTIZE: the same values in a quarter of the SRAM."""
    for op in graph.operators:
        if op.kind is OpKind.DETECTION_POST_PROCESS:
            op.inputs = [_bytes(graph, name) for name in op.inputs[:VALUES]] + op.inputs[VALUES:]


def _bytes(graph: Graph, name: str) -> str:
    producer = graph.producer(name)
    if producer is None or producer.kind is not OpKind.DEQUANTIZE:
        return name
    [inside] = producer.inputs
    return inside if graph.tensor(inside).dtype == "int8" else name
