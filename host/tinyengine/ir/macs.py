"""How much work a network is, counted as papers count it."""

from __future__ import annotations

from tinyengine.ir.graph import Graph, Operator
from tinyengine.ir.ops import OpKind


def macs(op: Operator, graph: Graph) -> int:
    """Nominal multiply-accumulates of convolutions and fully connected layers (others: 0).

    Every tap of every output counts, also those that meet padding.
    """
    if op.kind not in (OpKind.CONV_2D, OpKind.DEPTHWISE_CONV_2D, OpKind.FULLY_CONNECTED):
        return 0
    output, weights = graph.tensor(op.outputs[0]), graph.tensor(op.inputs[1])
    channels = weights.shape[3] if op.kind is OpKind.DEPTHWISE_CONV_2D else weights.shape[0]
    return output.elements * (weights.elements // channels)


def total_macs(graph: Graph) -> int:
    """Multiply-accumulates of the whole network."""
    return sum(macs(op, graph) for op in graph.operators)
