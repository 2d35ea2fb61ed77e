"""ReLU linear attention as TensorFlow's converter writes it, made one operator.

TFLite has no such operator: it becomes sums, products of matrices and a DIV, each of which rounds to 8 bits. Sums over
all pixels span several powers of ten, so a small divisor keeps one or two bits. What the formula multiplies and what
it results in have scales of their own, calibrated on the float network; the operator of ours needs no others.

A chain is recognized by what it computes: its operators run in float32 on random numbers, and the result is compared
with the formula for every order of its three sources and every number of heads.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations

import numpy as np

from tinyengine.frontend.tflite import parse_tflite
from tinyengine.frontend.tflite_writer import tflite_bytes
from tinyengine.ir import Graph, Operator, OpKind, Tensor
from tinyengine.ir.operators import DEFINITIONS
from tinyengine.ir.operators.movement import Movement
from tinyengine.ir.ops import LinearAttentionAttrs
from tinyengine.ir.verify import verify
from tinyengine.reference import execute

_BETWEEN = (OpKind.DIV, OpKind.BATCH_MATMUL, OpKind.SUM, OpKind.ADD, OpKind.RESHAPE, OpKind.TRANSPOSE)


def fuse_linear_attention(content: bytes) -> bytes:
    """The .tflite ``content`` with every such chain replaced; the same bytes where it has none. Raises ModelError where
    queries or keys may be negative."""
    graph = parse_tflite(content, "network")
    chains = [chain for op in graph.operators if op.kind is OpKind.DIV and (chain := _chain(graph, op))]
    for chain in chains:
        _replace(graph, chain)
    if not chains:
        return content
    verify(graph)
    return tflite_bytes(graph)


@dataclass(frozen=True)
class _Chain:
    """``operators`` in order, the last of which writes ``output``; queries, keys and values."""

    operators: list[Operator]
    sources: tuple[str, str, str]
    output: str
    attrs: LinearAttentionAttrs


def _chain(graph: Graph, division: Operator) -> _Chain | None:
    """What ends in ``division`` and the moves behind it; None if it is anything else."""
    operators, sources, shifts = _upstream(graph, division)
    shapes = {graph.tensor(name).shape for name in sources}
    if len(sources) != 3 or len(shapes) != 1 or len(shifts) != 1 or len(next(iter(shapes))) != 4:
        return None
    [shape], [epsilon] = shapes, shifts
    output = division.outputs[0]
    while graph.tensor(output).shape != shape:
        readers = graph.consumers(output)
        if len(readers) != 1 or not isinstance(DEFINITIONS[readers[0].kind], Movement):
            return None
        operators.append(readers[0])
        output = readers[0].outputs[0]
    inside = {name for op in operators for name in op.outputs} - {output}
    if inside & set(graph.results()) or any(op not in operators for name in inside for op in graph.consumers(name)):
        return None
    operators.sort(key=graph.operators.index)
    found = _roles(graph, operators, sources, output, epsilon)
    return None if found is None else _Chain(operators, found[0], output, LinearAttentionAttrs(found[1], epsilon))


def _upstream(graph: Graph, division: Operator) -> tuple[list[Operator], list[str], list[float]]:
    """Operators of the chain up to ``division``, the tensors that they begin with, the numbers that they add."""
    operators, sources, shifts = [division], [], []
    wanted = list(division.inputs)
    while wanted:
        name = wanted.pop()
        op = graph.producer(name)
        constants = [] if op is None else [graph.tensor(i) for i in op.inputs if graph.tensor(i).is_constant]
        plain = op is not None and op.kind in _BETWEEN and op.kind is not OpKind.DIV
        if op is None or not plain or (op.kind is OpKind.ADD) != bool(constants):
            sources += [name] * (name not in sources)
        elif op not in operators:
            operators.append(op)
            wanted += [i for i in op.inputs if not graph.tensor(i).is_constant]
            shifts += [float(_real(tensor).flat[0]) for tensor in constants if tensor.elements == 1]
    return operators, sources, shifts


def _roles(
    graph: Graph, operators: list[Operator], sources: list[str], output: str, epsilon: float
) -> tuple[tuple[str, str, str], int] | None:
    """Which source is which, and the number of heads."""
    shape = graph.tensor(output).shape
    rng = np.random.default_rng(0)
    values = {name: rng.uniform(0, 1, shape).astype(np.float32) for name in sources}
    result = _run(graph, operators, dict(values), output)
    heads = [count for count in range(1, shape[3] + 1) if shape[3] % count == 0]
    for query, key, value in permutations(sources):
        for count in heads:
            expected = _formula(values[query], values[key], values[value], count, epsilon)
            if np.allclose(result, expected, rtol=1e-4, atol=1e-5):
                return (query, key, value), count
    return None


def _run(graph: Graph, operators: list[Operator], values: dict[str, np.ndarray], output: str) -> np.ndarray:
    """``operators`` in float32."""
    names = {name for op in operators for name in (*op.inputs, *op.outputs)}
    real = Graph("real", {name: Tensor(name, graph.tensor(name).shape, "float32") for name in names})
    for name in names:
        if graph.tensor(name).is_constant:
            values[name] = real.tensors[name].data = _real(graph.tensor(name)).astype(np.float32)
    for op in operators:
        values.update(zip(op.outputs, execute(op, real, [values[name] for name in op.inputs]), strict=True))
    return values[output]


def _formula(query: np.ndarray, key: np.ndarray, value: np.ndarray, heads: int, epsilon: float) -> np.ndarray:
    """``LinearAttentionAttrs``."""
    q, k, v = (x.reshape(-1, heads, x.shape[3] // heads).transpose(1, 0, 2) for x in (query, key, value))
    mixed, total = q @ (k.transpose(0, 2, 1) @ v), q @ k.sum(axis=1)[..., None]
    return (mixed / (total + epsilon)).transpose(1, 0, 2).reshape(query.shape)


def _real(constant: Tensor) -> np.ndarray:
    assert constant.data is not None
    return (constant.data.astype(np.float64) - constant.zero_point) * constant.scale


def _replace(graph: Graph, chain: _Chain) -> None:
    last = chain.operators[-1]
    new = Operator(OpKind.LINEAR_ATTENTION, last.name, list(chain.sources), [chain.output], chain.attrs)
    graph.operators[graph.operators.index(last)] = new
    graph.operators = [op for op in graph.operators if op not in chain.operators]
    left = {name for op in graph.operators for name in (*op.inputs, *op.outputs)}
    for name in {name for op in chain.operators for name in (*op.inputs, *op.outputs)} - left:
        del graph.tensors[name]
