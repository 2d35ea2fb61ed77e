"""A network one byte of whose weights is wrong in the firmware, as a bad flash or a wrong file makes it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from tinyengine.compiler import CompiledModel, CompileOptions, compile_graph
from tinyengine.compiler.identity import identify
from tinyengine.frontend import load_tflite
from tinyengine.frontend.tflite_writer import write_tflite
from tinyengine.ir import Graph, OpKind
from tinyengine.ir.ops import Window
from tinyengine.measure.bench import inside_values, random_inputs
from tinyengine.reference import run

from tests.helpers.graphs import GraphBuilder

SEEDS = (0, 3)
"""Of the inputs, those of ``bench.random_inputs``, on which the fault must show."""


def network() -> Graph:
    """Big enough that an output takes several answers: 20 x 20 pixels; blocks as in a real one, and a classifier."""
    b = GraphBuilder(12, "faulty")
    x = b.conv(b.input(1, 40, 40, 3), 8, Window((3, 3), (2, 2), pad=(0, 1, 0, 1)))
    for _ in range(2):
        wide = b.conv(x, 16, Window((1, 1)))
        deep = b.depthwise(wide, Window((3, 3), pad=(1, 1, 1, 1)))
        x = b.binary(OpKind.ADD, x, b.conv(deep, 8, Window((1, 1))))
    b.output(b.dense(b.mean(x, (1, 2)), 5))
    return b.graph


def written(folder: Path) -> Path:
    path = folder / "faulty.tflite"
    write_tflite(network(), path)
    return path


def with_fault(path: Path, operator: int, options: CompileOptions) -> CompiledModel:
    """The network compiled as the file's, with one bit of a weight of the operator turned: one that shows."""
    graph = load_tflite(path)
    inputs = [inside_values(graph, random_inputs(graph, 1, seed)[0]) for seed in SEEDS]
    op = graph.operators[operator]
    right = [run(graph, values, keep_all=True)[op.outputs[0]] for values in inputs]
    tensor = graph.tensor(op.inputs[1])
    assert tensor.data is not None
    original = tensor.data
    for index in range(original.size):
        tensor.data = original.copy()
        tensor.data.flat[index] ^= np.int8(0x40)
        wrong = [run(graph, values, keep_all=True)[op.outputs[0]] for values in inputs]
        if all((a != b).any() for a, b in zip(right, wrong, strict=True)):
            return compile_graph(graph, options, None, *identify(path))
    raise AssertionError(f"no weight of operator {operator} makes a difference")
