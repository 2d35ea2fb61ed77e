"""Comparisons and SELECT_V2: their truth values stay inside a network, so whole networks are compared."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tinyengine.compiler import compile_graph
from tinyengine.frontend import parse_tflite
from tinyengine.frontend.tflite_writer import tflite_bytes
from tinyengine.ir import Graph, OpKind, Quantization
from tinyengine.ir.operators import DEFINITIONS
from tinyengine.ir.operators.elementwise import Comparison
from tinyengine.ir.ops import Attrs, MeanAttrs, NoAttrs
from tinyengine.native.build import build
from tinyengine.reference import run

from tests.helpers.cases import CaseBuilder, Draw
from tests.helpers.tflite_reference import run_builtin_ref

KINDS = [kind for kind, definition in DEFINITIONS.items() if isinstance(definition, Comparison)]
SEEDS = st.integers(0, 1 << 30)
QUICK = settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def compared(kind: OpKind, seed: int) -> tuple[Graph, list[np.ndarray]]:
    """Two inputs, one of them broadcast, compared; the truth as int32, and one of both inputs chosen by it."""
    draw, b = Draw(np.random.default_rng(seed)), CaseBuilder()
    dtype = draw.one_of("int8", "int32", "float32")
    shape = (1, draw.integer(1, 5), draw.integer(1, 6))
    names = []
    for i, size in enumerate((shape, draw.one_of(shape, (1, 1, shape[2]), (1, 1, 1)))):
        quant = Quantization((draw.scale(1e-3, 0.9),), (draw.zero(),)) if dtype == "int8" else None
        names.append(b.given(f"x{i}", quant, draw.values(dtype, size)))
    truth = b.op(kind, names, NoAttrs(), shape, dtype="bool")
    number = b.op(OpKind.CAST, [truth], NoAttrs(), shape, dtype="int32")
    chosen = b.op(OpKind.SELECT_V2, [truth, *names], NoAttrs(), shape, b.graph.tensor("x0").quant, dtype)
    for name in (truth, number, *([] if dtype == "int8" else [chosen])):
        b.graph.tensor(name).quant = None
    for name in (number, chosen):
        b.output(name)
    return b.graph, b.values


@pytest.mark.parametrize("kind", KINDS)
@QUICK
@given(seed=SEEDS)
def test_the_oracle_compares_as_tflite(kind: OpKind, seed: int) -> None:
    graph, inputs = compared(kind, seed)
    model = tflite_bytes(graph)
    for mine, again, theirs in zip(
        run(graph, inputs), run(parse_tflite(model), inputs), run_builtin_ref(model, inputs), strict=True
    ):
        np.testing.assert_array_equal(mine, again)
        np.testing.assert_array_equal(mine, theirs, strict=True)


def decided(seed: int) -> tuple[Graph, list[np.ndarray]]:
    """What two comparisons say together and over axes, as numbers."""
    draw, b = Draw(np.random.default_rng(seed)), CaseBuilder()
    shape = (1, draw.integer(1, 4), draw.integer(1, 5))
    names = [b.given(f"x{i}", None, draw.values("int32", shape)) for i in range(3)]

    def truth(kind: OpKind, inputs: list[str], attrs: Attrs | None = None) -> str:
        name = b.op(kind, inputs, attrs or NoAttrs(), dtype="bool")
        b.graph.tensor(name).quant = None
        return name

    less, more = truth(OpKind.LESS, names[:2]), truth(OpKind.GREATER_EQUAL, names[1:])
    both = truth(draw.one_of(OpKind.LOGICAL_AND, OpKind.LOGICAL_OR), [less, more])
    other = truth(draw.one_of(OpKind.EQUAL, OpKind.NOT_EQUAL), [truth(OpKind.LOGICAL_NOT, [less]), both])
    chosen = truth(OpKind.SELECT_V2, [less, both, other])
    axes = MeanAttrs(draw.one_of((1,), (2,), (1, 2)), True)
    every = truth(draw.one_of(OpKind.REDUCE_ALL, OpKind.REDUCE_ANY), [chosen], axes)
    for name in (both, other, every):
        number = b.op(OpKind.CAST, [name], NoAttrs(), b.shape(name), dtype="int32")
        b.graph.tensor(number).quant = None
        b.output(number)
    return b.graph, b.values


@QUICK
@given(seed=SEEDS)
def test_the_oracle_decides_as_tflite(seed: int) -> None:
    graph, inputs = decided(seed)
    model = tflite_bytes(graph)
    for mine, again, theirs in zip(
        run(graph, inputs), run(parse_tflite(model), inputs), run_builtin_ref(model, inputs), strict=True
    ):
        np.testing.assert_array_equal(mine, again)
        np.testing.assert_array_equal(mine, theirs, strict=True)


def test_the_generated_code_decides_as_the_oracle() -> None:
    for seed in range(6):
        graph, inputs = decided(seed)
        for got, wanted in zip(build(compile_graph(graph)).run(inputs), run(graph, inputs), strict=True):
            np.testing.assert_array_equal(got.ravel(), wanted.ravel())


@pytest.mark.parametrize("kind", KINDS)
def test_the_generated_code_compares_as_the_oracle(kind: OpKind) -> None:
    for seed in range(3):
        graph, inputs = compared(kind, seed)
        for got, wanted in zip(build(compile_graph(graph)).run(inputs), run(graph, inputs), strict=True):
            np.testing.assert_array_equal(got.ravel(), wanted.ravel())
