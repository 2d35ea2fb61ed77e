"""RELU and RELU6 into the operator before them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tinyengine.ir.graph import Graph
from tinyengine.ir.ops import Activation, ActivationAttrs
from tinyengine.passes.rewrite import graph_pass, only_reader, same_quantization


@graph_pass
def fuse_activation(graph: Graph) -> None:
    """Let a producer clamp its own output, where the activation does not change the quantization.

    With equal scales the activation multiplies by exactly one, so it is a clamp, and a clamp of a clamp to int8 is
    the tighter clamp. Where it requantizes, rounding twice must stay rounding twice.
    """
    for op in graph.operators:
        attrs: Any = op.attrs
        if getattr(attrs, "activation", None) is not Activation.NONE:
            continue
        reader = only_reader(graph, op.outputs[0])
        if reader is None or not isinstance(reader.attrs, ActivationAttrs):
            continue
        if same_quantization(graph, op.outputs[0], reader.outputs[0]):
            op.attrs = replace(attrs, activation=reader.attrs.activation)
            op.outputs, reader.outputs = reader.outputs, op.outputs
            reader.inputs = [op.outputs[0]]  # nobody reads what the activation writes any more
