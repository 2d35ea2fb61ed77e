"""Networks that keep states, and what they answer over several runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from tinyengine.compiler import CompiledModel, CompileOptions, compile_graph
from tinyengine.ir import Graph, OpKind
from tinyengine.ir.ops import ElementwiseAttrs, Window
from tinyengine.reference import Session

from tests.helpers.graphs import GraphBuilder, random_inputs
from tests.helpers.recurrent import lstm_layers, svdf_layers
from tests.helpers.signal import sound

RUNS = 10


def accumulator(b: GraphBuilder) -> None:
    """state + x, in the bytes of the state."""
    x, total = b.input(1, 4, 4, 8), b.state(1, 4, 4, 8, initial=-3)
    total_next = b.op(OpKind.ADD, [x, total], ElementwiseAttrs(), quant=b.graph.tensor(total).quant)
    b.keep(total, total_next)
    b.output(total_next)


def delay_line(b: GraphBuilder) -> None:
    """The last eight inputs, each run moves them up by one; their mean. Begins with values that differ."""
    first = b.rng.integers(-128, 128, (1, 8, 1, 6)).astype(np.int8)
    x, line = b.input(1, 1, 1, 6), b.state(1, 8, 1, 6, initial=first)
    b.graph.tensor(x).quant = b.graph.tensor(line).quant
    b.graph.inputs = [replace(b.graph.inputs[0], quant=b.graph.tensor(x).quant)]
    longer = b.concat([line, x], 1)
    moved = b.slice(longer, (0, 1, 0, 0), (1, 1, 1, 1), (1, 8, 1, 6))
    b.keep(line, moved)
    b.output(b.mean(moved, (1, 2), same=True))


def exchanged(b: GraphBuilder) -> None:
    """Two states that exchange their values in every run, one of which the input is added to."""
    x, one, two = b.input(1, 3, 3, 4), b.state(1, 3, 3, 4, initial=5), b.state(1, 3, 3, 4, initial=-7)
    b.graph.tensor(two).quant = b.graph.tensor(one).quant
    b.keep(one, two)
    b.keep(two, one)
    b.output(b.binary(OpKind.ADD, x, one))


def deep(b: GraphBuilder) -> None:
    """Convolutions around two states: one is computed in place, one is read after its next value exists."""
    same = Window((3, 3), pad=(1, 1, 1, 1))
    features = b.conv(b.input(1, 12, 12, 3), 8, same)
    slow, last = b.state(1, 12, 12, 8, initial=1), b.state(1, 12, 12, 8)
    mixed = b.op(OpKind.ADD, [features, slow], ElementwiseAttrs(), quant=b.graph.tensor(slow).quant)
    b.keep(slow, mixed)
    b.graph.tensor(last).quant = b.graph.tensor(features).quant
    b.keep(last, features)
    change = b.binary(OpKind.SUB, b.depthwise(mixed, same), last)
    b.output(b.dense(b.reshape(change, 1, 12 * 12 * 8), 5))


def streamed(b: GraphBuilder) -> None:
    """Blocks that run row by row where SRAM counts: one reads a state and its sum is kept, the next one is kept too."""
    wide, same = Window((1, 1)), Window((3, 3), pad=(1, 1, 1, 1))
    x, old = b.input(1, 20, 20, 4), b.state(1, 20, 20, 4, initial=9)
    y = b.conv(b.depthwise(b.conv(old, 24, wide), same), 4, wide)
    kept = b.op(OpKind.ADD, [y, x], ElementwiseAttrs(), quant=b.graph.tensor(old).quant)
    b.keep(old, kept)
    last = b.state(1, 20, 20, 4)
    z = b.conv(b.depthwise(b.conv(kept, 24, wide), same), 4, wide)
    b.graph.tensor(last).quant = b.graph.tensor(z).quant
    b.keep(last, z)
    b.output(b.binary(OpKind.SUB, z, last))


def shown(b: GraphBuilder) -> None:
    """What the run before computed, in another shape: the end of the run overwrites the state, not the output."""
    y = b.relu(b.input(1, 3, 3, 4))
    before = b.state(1, 3, 3, 4, initial=2)
    b.graph.tensor(before).quant = b.graph.tensor(y).quant
    b.keep(before, y)
    b.output(b.reshape(b.reshape(before, 1, 9, 4), 1, 36))


NETWORKS: list[Callable[[GraphBuilder], None]] = [
    accumulator,
    delay_line,
    exchanged,
    deep,
    streamed,
    shown,
    lstm_layers,
    svdf_layers,
    sound,
]


def stateful(build: Callable[[GraphBuilder], None]) -> Graph:
    b = GraphBuilder(5, build.__name__)
    build(b)
    return b.graph


def compiled(build: Callable[[GraphBuilder], None], **options: str) -> CompiledModel:
    return compile_graph(stateful(build), CompileOptions(prefix=build.__name__, **options))  # type: ignore[arg-type]


def expected(model: CompiledModel) -> tuple[list[list[np.ndarray]], list[list[np.ndarray]]]:
    """Inputs of RUNS runs in a row, and the oracle's outputs of each, which differ from those of single runs."""
    graph = model.graph
    inputs = [random_inputs(graph, seed) for seed in range(RUNS)]
    session = Session(graph, model.roundings)
    outputs = [session.run(values) for values in inputs]
    fresh = [Session(graph, model.roundings).run(values) for values in inputs]
    assert sum(not np.array_equal(a, b) for a, b in zip(outputs, fresh, strict=True)) >= RUNS // 2
    return inputs, outputs
