"""Networks of int8 as files of uint8, of the kind that TensorFlow wrote until 2018."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from tinyengine.ir import Graph, Port, Quantization, Tensor
from tinyengine.ir.operators import WEIGHTED
from tinyengine.passes.rewrite import clone


def as_uint8(graph: Graph, zero: int = 128) -> Graph:
    """``graph`` with uint8 for int8, weights with the zero point ``zero`` and one scale. With 128 the numbers are the
    same; with others weights less their zero point are larger than int8."""
    graph = clone(graph)
    layers = [op for op in graph.operators if op.kind in WEIGHTED]
    weights = {op.inputs[1] for op in layers}
    for tensor in graph.tensors.values():
        if tensor.dtype == "int8":
            _shift(tensor, zero if tensor.name in weights else None)
    for op in layers:
        bias, scale = graph.tensor(op.inputs[2]), graph.tensor(op.inputs[0]).scale * graph.tensor(op.inputs[1]).scale
        bias.quant = Quantization((scale,), (0,))
    graph.inputs, graph.outputs = ([_port(graph, port) for port in ports] for ports in (graph.inputs, graph.outputs))
    return graph


def _shift(tensor: Tensor, zero: int | None) -> None:
    assert tensor.quant is not None
    zero = tensor.quant.zero_point[0] + 128 if zero is None else zero
    tensor.dtype, tensor.quant = "uint8", Quantization(tensor.quant.scale[:1], (zero,))
    if tensor.data is not None:
        tensor.data = uint8(tensor.data)


def _port(graph: Graph, port: Port) -> Port:
    if port.dtype != "int8":
        return port
    return replace(port, dtype="uint8", quant=graph.tensor(port.tensor).quant)


def uint8(values: np.ndarray) -> np.ndarray:
    """int8 values plus 128, others as they are."""
    return (values.astype(np.int16) + 128).astype(np.uint8) if values.dtype == np.int8 else values
