"""Weights of 4 bits, packed as TFLite's quantizer packs them: the same bytes as TFLite's and TFLite Micro's kernels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tinyengine.compiler import compile_graph
from tinyengine.errors import ModelError
from tinyengine.frontend import parse_tflite
from tinyengine.frontend.tflite_writer import tflite_bytes
from tinyengine.ir import Graph
from tinyengine.ir.operators import WEIGHTED
from tinyengine.ir.ops import Window
from tinyengine.native.build import build
from tinyengine.reference import run

from tests.helpers.edited import edited
from tests.helpers.graphs import GraphBuilder, random_inputs
from tests.helpers.tflite_reference import run_builtin_ref, run_micro

INT4 = 17
SEEDS = st.integers(0, 1 << 30)


def small_weights(seed: int) -> Graph:
    """A layer or three with weights of -8 to 7; the number of them is odd now and then."""
    b = GraphBuilder(seed)
    rng = b.rng
    x = b.input(1, int(rng.integers(3, 8)), int(rng.integers(3, 8)), int(rng.integers(1, 6)))
    kinds = [("conv",), ("depthwise",), ("dense",), ("conv", "depthwise", "dense")][seed % 4]
    per_channel = bool(rng.integers(2))
    if "conv" in kinds:
        x = b.conv(x, int(rng.integers(1, 8)), Window((3, 3), pad=(1, 1, 1, 1)), per_channel=per_channel)
    if "depthwise" in kinds:
        x = b.depthwise(x, Window((3, 3), pad=(1, 1, 1, 1)), int(rng.integers(1, 3)), per_channel=per_channel)
    if "dense" in kinds:
        x = b.dense(b.reshape(x, 1, b.graph.tensor(x).elements), int(rng.integers(1, 8)))
    b.output(x)
    for op in b.graph.operators:
        if op.kind in WEIGHTED:
            weights, bias = (b.graph.tensor(name) for name in op.inputs[1:3])
            assert weights.data is not None and bias.data is not None
            weights.data, bias.data = weights.data >> 4, bias.data >> 4
    return b.graph


def packed(graph: Graph, spare: int = 0) -> bytes:
    """The file with its weights in 4 bits; ``spare``: bytes behind them that do not belong there."""

    def change(model: Any) -> None:
        for op in graph.operators:
            if op.kind not in WEIGHTED:
                continue
            data = graph.tensor(op.inputs[1]).data
            assert data is not None
            halves = np.append(data.ravel(), np.zeros(data.size % 2, np.int8)).view(np.uint8) & 15
            [tensor] = [t for t in model.subgraphs[0].tensors if t.name == op.inputs[1].encode()]
            tensor.type = INT4
            model.buffers[tensor.buffer].data = [*(halves[::2] | halves[1::2] << 4).tolist(), *[0] * spare]

    return edited(tflite_bytes(graph), change)


@settings(max_examples=16, deadline=None)
@given(seed=SEEDS)
def test_read_as_int8(seed: int) -> None:
    graph = small_weights(seed)
    loaded = parse_tflite(packed(graph))
    for op in graph.operators:
        if op.kind in WEIGHTED:
            np.testing.assert_array_equal(loaded.tensor(op.inputs[1]).data, graph.tensor(op.inputs[1]).data)
    inputs = random_inputs(graph, seed)
    np.testing.assert_array_equal(run(loaded, inputs)[0], run(graph, inputs)[0])


@settings(max_examples=10, deadline=None)
@given(seed=SEEDS)
def test_tflite_answers_the_same(seed: int) -> None:
    graph = small_weights(seed)
    model, inputs = packed(graph), random_inputs(graph, seed)
    [mine] = run(parse_tflite(model), inputs)
    np.testing.assert_array_equal(mine.ravel(), run_builtin_ref(model, inputs)[0].ravel())


@pytest.mark.parametrize("seed", [0, 1])
def test_tflite_micro_answers_the_same(seed: int) -> None:
    """But for dense layers, which it rounds twice."""
    graph = small_weights(seed)
    model, inputs = packed(graph), random_inputs(graph, seed)
    np.testing.assert_array_equal(run(parse_tflite(model), inputs)[0].ravel(), run_micro(model, inputs).ravel())


def test_the_code_answers_as_the_oracle() -> None:
    loaded = parse_tflite(packed(small_weights(3)))
    inputs = random_inputs(loaded, 3)
    np.testing.assert_array_equal(build(compile_graph(loaded)).run(inputs)[0], run(loaded, inputs)[0])


def test_a_wrong_number_of_bytes_is_refused() -> None:
    with pytest.raises(ModelError, match=r"bytes for shape .*: the file is damaged"):
        parse_tflite(packed(small_weights(3), spare=1))


def test_activations_of_4_bits_are_refused() -> None:
    def change(model: Any) -> None:
        graph = model.subgraphs[0]
        graph.tensors[graph.operators[0].outputs[0]].type = INT4

    with pytest.raises(ModelError, match="computes in int4"):
        parse_tflite(edited(tflite_bytes(small_weights(3)), change))
