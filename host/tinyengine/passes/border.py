"""QUANTIZE and DEQUANTIZE at the border become a matter of the host."""

from __future__ import annotations

from dataclasses import replace

from tinyengine.errors import UnsupportedOperatorError
from tinyengine.ir.graph import Graph, Port
from tinyengine.ir.ops import OpKind
from tinyengine.passes.rewrite import graph_pass, replace_reads

CONVERTED = ("float32", "uint8")
"""What the host converts; integers of other types go to the device as they are."""


@graph_pass
def move_conversions_to_border(graph: Graph) -> None:
    """Ports of float32 or uint8 point at the int8 tensor inside, those of float32 also at an int16 one; the conversion
    itself leaves the graph.

    ``tinyengine.ir.ports`` converts with the same arithmetic, so nothing changes for the user.
    """
    graph.inputs = [_convert_input(graph, port) for port in graph.inputs]
    graph.outputs = [_convert_output(graph, port) for port in graph.outputs]


def _convert_input(graph: Graph, port: Port) -> Port:
    readers = graph.consumers(port.tensor)
    wanted = graph.tensor(port.tensor).dtype not in CONVERTED or port.tensor in graph.results()  # as it is
    if wanted or not any(op.kind is OpKind.QUANTIZE for op in readers):
        return port
    if port.dtype == "float32" and not all(op.kind is OpKind.QUANTIZE for op in readers):
        return port  # the device needs the real values, too, and converts them itself
    inside = readers[0].outputs[0]
    for op in readers:
        if op.kind is not OpKind.QUANTIZE or graph.tensor(op.outputs[0]).quant != graph.tensor(inside).quant:
            raise UnsupportedOperatorError(
                f"input '{port.name}' is converted to int8 in two different ways ({readers[0].name} and {op.name}): "
                "give the network two inputs, or one quantization"
            )
    for op in readers[1:]:
        replace_reads(graph, op.outputs[0], inside)
        graph.outputs = [replace(p, tensor=inside) if p.tensor == op.outputs[0] else p for p in graph.outputs]
        graph.states = [replace(s, update=inside) if s.update == op.outputs[0] else s for s in graph.states]
    graph.operators = [op for op in graph.operators if not any(op is reader for reader in readers)]
    return replace(port, tensor=inside)


def _convert_output(graph: Graph, port: Port) -> Port:
    producer = graph.producer(port.tensor)
    if producer is None or producer.kind not in (OpKind.QUANTIZE, OpKind.DEQUANTIZE):
        return port
    [inside] = producer.inputs
    types = (graph.tensor(port.tensor).dtype, graph.tensor(inside).dtype)
    converts = (types[1] == "int8" and types[0] in CONVERTED) or types == ("float32", "int16")
    return replace(port, tensor=inside) if converts else port
