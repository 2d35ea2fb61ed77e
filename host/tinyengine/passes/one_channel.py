"""Depthwise convolutions of pictures with a single channel: ordinary convolutions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tinyengine.ir.graph import Graph, Operator, Tensor
from tinyengine.ir.ops import Conv2DAttrs, DepthwiseConv2DAttrs, OpKind
from tinyengine.passes.rewrite import add_tensor, graph_pass


@graph_pass
def depthwise_of_one_channel(graph: Graph) -> None:
    """Every output reads the only channel, as in CONV_2D, whose kernels are faster with several outputs."""
    for op in graph.operators:
        attrs = op.attrs
        if not isinstance(attrs, DepthwiseConv2DAttrs) or attrs.multiplier == 1:
            continue
        weights = graph.tensor(op.inputs[1])
        if graph.tensor(op.inputs[0]).shape[3] != 1 or weights.data is None:
            continue
        op.inputs = [op.inputs[0], _outputs_first(graph, op, weights), *op.inputs[2:]]
        op.kind, op.attrs = OpKind.CONV_2D, Conv2DAttrs(attrs.window, attrs.activation)


def _outputs_first(graph: Graph, op: Operator, weights: Tensor) -> str:
    """A copy of the weights (1, KH, KW, outputs) as (outputs, KH, KW, 1)."""
    assert weights.data is not None
    data = np.ascontiguousarray(weights.data.transpose(3, 1, 2, 0))
    quant = weights.quant and replace(weights.quant, axis=0)
    return add_tensor(graph, replace(weights, name=f"{op.name}_weights", shape=data.shape, quant=quant, data=data))
