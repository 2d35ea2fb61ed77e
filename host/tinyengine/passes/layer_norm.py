"""Layer normalization: the operators that TensorFlow's converter makes of it, one operator instead of a dozen.

mean = MEAN(x)            spread = SQUARED_DIFFERENCE(x, mean)     variance = MEAN(spread)
root = RSQRT(ADD(variance, epsilon))                               factor = MUL(root, gain)
offset = ADD(MUL(-mean, factor), shift)                            y = ADD(MUL(x, factor), offset)
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tinyengine.ir.graph import Graph, Operator
from tinyengine.ir.operators.normalization import LayerNormAttrs, layer_norm_params
from tinyengine.ir.ops import Activation, ElementwiseAttrs, MeanAttrs, OpKind
from tinyengine.ir.quantize import INT8_MAX, INT8_MIN
from tinyengine.passes.rewrite import graph_pass
from tinyengine.reference import execute

_NEGATES = (OpKind.DEQUANTIZE, OpKind.NEG, OpKind.QUANTIZE, OpKind.TABLE)


@graph_pass
def fuse_layer_norm(graph: Graph) -> None:
    """Every byte stays: the operator's oracle runs its parts."""
    for op in [op for op in graph.operators if op.kind is OpKind.MEAN]:
        found = _match(graph, op)
        if found is not None:
            _replace(graph, found, op.inputs[0])


def _match(graph: Graph, mean: Operator) -> dict[str, list[Operator]] | None:
    """The parts by their roles, ``root`` and ``negative`` of several operators; None for anything else."""
    [x], [m] = mean.inputs, mean.outputs
    last = len(graph.tensor(x).shape) - 1
    spread = _reader(graph, m, OpKind.SQUARED_DIFFERENCE)
    if mean.attrs != MeanAttrs((last,), True) or graph.tensor(x).dtype != "int8" or spread is None:
        return None
    variance = _reader(graph, spread.outputs[0], OpKind.MEAN)
    if set(spread.inputs) != {x, m} or variance is None or variance.attrs != mean.attrs:
        return None
    added = _reader(graph, variance.outputs[0], OpKind.ADD)
    root = None if added is None else _reader(graph, added.outputs[0], OpKind.RSQRT)
    factor = None if root is None else _reader(graph, root.outputs[0], OpKind.MUL)
    if added is None or root is None or factor is None:
        return None
    products = graph.consumers(factor.outputs[0])
    if len(products) != 2 or any(op.kind is not OpKind.MUL for op in products):
        return None
    scaled, moved = products if x in products[0].inputs else products[::-1]
    negative = _path(graph, m, _other(moved, factor.outputs[0]))
    offset, y = _reader(graph, moved.outputs[0], OpKind.ADD), _reader(graph, scaled.outputs[0], OpKind.ADD)
    if x not in scaled.inputs or not negative or offset is None or y is None:
        return None
    if set(y.inputs) != {scaled.outputs[0], offset.outputs[0]}:
        return None
    found = {"mean": [mean], "spread": [spread], "variance": [variance], "root": [added, root], "factor": [factor]}
    found |= {"negative": negative, "moved": [moved], "offset": [offset], "scaled": [scaled], "y": [y]}
    return found if _is_closed(graph, found, graph.tensor(x).shape) else None


def _is_closed(graph: Graph, found: dict[str, list[Operator]], shape: tuple[int, ...]) -> bool:
    """Whether nobody else reads what is inside, gains and shifts are constants of one row, and nothing is clamped."""
    parts = [op for ops in found.values() for op in ops]
    [y] = found["y"]
    inside = {name for op in parts for name in op.outputs} - {y.outputs[0]}
    constants = {role: _constants(graph, found[role][0]) for role in ("root", "factor", "offset")}
    sizes = {role: sum(graph.tensor(name).elements for name in names) for role, names in constants.items()}
    return (
        not inside & set(graph.results())
        and all(reader in parts for name in inside for reader in graph.consumers(name))
        and sizes == {"root": 1, "factor": shape[-1], "offset": shape[-1]}
        and graph.tensor(y.outputs[0]).shape == shape
        and all(op.attrs.activation is Activation.NONE for op in parts if isinstance(op.attrs, ElementwiseAttrs))
    )


def _constants(graph: Graph, op: Operator) -> list[str]:
    return [name for name in op.inputs if graph.tensor(name).is_constant]


def _reader(graph: Graph, name: str, kind: OpKind) -> Operator | None:
    """The only reader of that kind."""
    readers = [op for op in graph.consumers(name) if op.kind is kind]
    return readers[0] if len(readers) == 1 else None


def _other(op: Operator, name: str) -> str:
    return op.inputs[1] if op.inputs[0] == name else op.inputs[0]


def _path(graph: Graph, first: str, last: str) -> list[Operator]:
    """Functions of one value from ``first`` to ``last``; empty if there is something else between."""
    path: list[Operator] = []
    while last != first:
        op = graph.producer(last)
        if op is None or op.kind not in _NEGATES:
            return []
        path.insert(0, op)
        last = op.inputs[0]
    return path


def _replace(graph: Graph, found: dict[str, list[Operator]], x: str) -> None:
    parts = sorted((op for ops in found.values() for op in ops), key=graph.operators.index)
    [y] = found["y"]
    names = {name for op in parts for name in (*op.inputs, *op.outputs)}
    inside = Graph("layer_norm", {name: replace(graph.tensor(name)) for name in names}, parts)
    roles = {role: ops[0].name for role, ops in found.items()}
    attrs = LayerNormAttrs(inside, roles, _results(inside, found["root"]), _results(inside, found["negative"]))
    if layer_norm_params(attrs) is None:
        return
    graph.operators[graph.operators.index(y)] = Operator(OpKind.LAYER_NORM, y.name, [x], y.outputs, attrs)


def _results(graph: Graph, path: list[Operator]) -> tuple[int, ...]:
    """What ``path`` makes of every int8 value."""
    values = np.arange(INT8_MIN, INT8_MAX + 1).astype(np.int8)
    for op in path:
        moving = {name: replace(graph.tensor(name), shape=(256,)) for name in (*op.inputs, *op.outputs)}
        constant = {name: graph.tensor(name) for name in op.inputs if graph.tensor(name).is_constant}
        inputs = [constant[name].data if name in constant else values for name in op.inputs]
        [values] = execute(op, Graph("function", moving | constant), inputs)  # type: ignore[arg-type]
    return tuple(int(value) for value in values)
