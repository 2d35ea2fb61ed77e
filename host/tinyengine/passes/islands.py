"""Islands of float32 between DEQUANTIZE and QUANTIZE, as converters leave them around what they cannot quantize."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tinyengine.ir.graph import Graph, Operator, Tensor
from tinyengine.ir.operators import DEFINITIONS
from tinyengine.ir.operators.movement import Movement
from tinyengine.ir.operators.unary import RealTable
from tinyengine.ir.ops import OpKind, TableAttrs
from tinyengine.ir.quantize import INT8_MAX, INT8_MIN
from tinyengine.passes.rewrite import add_tensor, graph_pass
from tinyengine.reference import execute


@graph_pass
def islands_to_tables(graph: Graph) -> None:
    """A path from int8 to int8 through functions of one value and moves becomes the moves, in int8, and one table."""
    for op in [op for op in graph.operators if op.kind is OpKind.QUANTIZE]:
        path = _path(graph, op)
        if path:
            _replace(graph, path)


def _path(graph: Graph, last: Operator) -> list[Operator]:
    """From a DEQUANTIZE of int8 to ``last``, a QUANTIZE to int8; empty if there is something else between."""
    path = [last]
    if graph.tensor(last.outputs[0]).dtype != "int8" or graph.tensor(last.inputs[0]).dtype != "float32":
        return []
    while path[0].kind is not OpKind.DEQUANTIZE:
        producer = graph.producer(path[0].inputs[0])
        if producer is None or len(producer.inputs) != 1 or len(producer.outputs) != 1:
            return []
        if producer.kind is not OpKind.DEQUANTIZE and not _is_between(producer):
            return []
        path.insert(0, producer)
    return path if graph.tensor(path[0].inputs[0]).dtype == "int8" else []


def _is_between(op: Operator) -> bool:
    return isinstance(DEFINITIONS[op.kind], RealTable | Movement) and op.kind is not OpKind.PAD


def _replace(graph: Graph, path: list[Operator]) -> None:
    source, last = graph.tensor(path[0].inputs[0]), path[-1]
    table = TableAttrs(tuple(int(v) for v in _results(graph, path)))
    index = next(i for i, op in enumerate(graph.operators) if op is last)
    moves: list[Operator] = []
    current = source.name
    for op in path:
        if isinstance(DEFINITIONS[op.kind], Movement):
            y = graph.tensor(op.outputs[0])
            moved = add_tensor(graph, Tensor(f"{y.name}_int8", y.shape, "int8", source.quant))
            moves.append(replace(op, name=f"{op.name}_int8", inputs=[current], outputs=[moved]))
            current = moved
    new = Operator(OpKind.TABLE, last.name, [current], last.outputs, table)
    graph.operators[index : index + 1] = [*moves, new]


def _results(graph: Graph, path: list[Operator]) -> np.ndarray:
    """What the functions of ``path`` make of every int8 value."""
    values = np.arange(INT8_MIN, INT8_MAX + 1).astype(np.int8)
    for op in path:
        definition = DEFINITIONS[op.kind]
        if isinstance(definition, RealTable) and values.dtype == np.float32:  # as TFLite, not as a loop on the device
            values = definition.real(op, values, graph.tensor(op.outputs[0]))
        elif not isinstance(definition, Movement):
            tensors = {name: replace(graph.tensor(name), shape=(256,)) for name in (*op.inputs, *op.outputs)}
            [values] = execute(op, Graph("table", tensors), [values])
    return values
