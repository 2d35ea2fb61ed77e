"""Operators of TFLite that others express here, and those whose results are known before the network runs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tinyengine.compiler import compile_graph
from tinyengine.errors import ModelError, UnsupportedOperatorError
from tinyengine.frontend import parse_tflite
from tinyengine.ir import OpKind, Tensor, floating
from tinyengine.ir.ops import LookupAttrs
from tinyengine.native.build import build
from tinyengine.passes import optimize
from tinyengine.reference import run

from tests.helpers.graphs import GraphBuilder, random_inputs
from tests.helpers.tflite_file import QUANT, Step, numbers, tflite_file, values
from tests.helpers.tflite_reference import run_builtin_ref, run_micro


def real(name: str, *shape: int, data: Any = None) -> Tensor:
    array = None if data is None else np.array(data, np.float32)
    return Tensor(name, shape if array is None else array.shape, "float32", None, array)


def whole(name: str, *shape: int) -> Tensor:
    return Tensor(name, shape, "int32")


def byte(name: str, data: Any) -> Tensor:
    array = np.array(data, np.int8)
    return Tensor(name, array.shape, "int8", QUANT, array)


def ranges(begin: list[int], end: list[int], stride: list[int]) -> list[Tensor]:
    return [numbers(name, data) for name, data in (("b", begin), ("e", end), ("s", stride))]


X = values("x", 1, 6, 8, 3)
R = real("x", 1, 6, 8, 3)
NETWORKS: dict[str, list[Step]] = {
    "a slice with a new axis": [
        (
            "STRIDED_SLICE",
            [X, *ranges([0, 0, 1], [1, 0, 5], [1, 1, 2])],
            [values("y", 1, 1, 2, 8, 3)],
            {"NewAxisMask": 2},
        )
    ],
    "a slice with an ellipsis": [
        ("STRIDED_SLICE", [X, *ranges([0, 0, 2], [1, 0, 3], [1, 1, 1])], [values("y", 1, 6, 8, 1)], {"EllipsisMask": 2})
    ],
    "PADV2": [
        ("PADV2", [X, numbers("p", [[0, 0], [1, 2], [0, 1], [2, 0]]), byte("v", [-7])], [values("y", 1, 9, 9, 5)], {})
    ],
    "PADV2 of float32": [
        (
            "PADV2",
            [R, numbers("p", [[0, 0], [1, 2], [0, 1], [2, 0]]), real("v", data=[-7.5])],
            [real("y", 1, 9, 9, 5)],
            {},
        )
    ],
    "PADV2 of int32": [
        ("PADV2", [whole("x", 1, 4), numbers("p", [[0, 0], [1, 2]]), numbers("v", [70000])], [whole("y", 1, 7)], {})
    ],
    "SPACE_TO_BATCH_ND and back": [
        ("SPACE_TO_BATCH_ND", [X, numbers("b", [2, 3]), numbers("p", [[0, 0], [1, 0]])], [values("t", 6, 3, 3, 3)], {}),
        ("MAXIMUM", [values("t", 6, 3, 3, 3), byte("k", [3])], [values("u", 6, 3, 3, 3)], {}),
        (
            "BATCH_TO_SPACE_ND",
            [values("u", 6, 3, 3, 3), numbers("b", [2, 3]), numbers("c", [[1, 0], [0, 2]])],
            [values("y", 1, 5, 7, 3)],
            {},
        ),
    ],
    "GATHER_ND": [
        ("GATHER_ND", [X, numbers("i", [[0, 5, 1], [0, 2, 7]])], [values("y", 2, 3)], {}),
    ],
    "GATHER_ND of elements": [
        ("GATHER_ND", [X, numbers("i", [[[0, 5, 1, 2]], [[0, 0, 0, 0]]])], [values("y", 2, 1)], {}),
    ],
    "FILL by a computed value": [
        ("REDUCE_MAX", [X, numbers("a", [0, 1, 2, 3])], [values("m")], {"KeepDims": False}),
        ("FILL", [numbers("d", [1, 4, 2]), values("m")], [values("y", 1, 4, 2)], {}),
    ],
    "FILL by a constant": [
        ("FILL", [numbers("d", [1, 6, 8, 3]), byte("k", 5)], [values("f", 1, 6, 8, 3)], {}),
        ("MAXIMUM", [X, values("f", 1, 6, 8, 3)], [values("y", 1, 6, 8, 3)], {}),
    ],
    "ZEROS_LIKE": [
        ("ZEROS_LIKE", [R], [real("z", 1, 6, 8, 3)], {}),
        ("MAXIMUM", [R, real("z", 1, 6, 8, 3)], [real("y", 1, 6, 8, 3)], {}),
    ],
    "L2_POOL_2D": [
        ("L2_POOL_2D", [R], [real("y", 1, 3, 4, 3)], {"FilterHeight": 2, "FilterWidth": 3, "StrideH": 2, "StrideW": 2}),
    ],
    "L2_POOL_2D with RELU6": [
        (
            "L2_POOL_2D",
            [R],
            [real("y", 1, 5, 7, 3)],
            {
                "FilterHeight": 2,
                "FilterWidth": 2,
                "StrideH": 1,
                "StrideW": 1,
                "Padding": 1,
                "FusedActivationFunction": 3,
            },
        ),
    ],
    "POW by 2": [("POW", [R, real("k", data=2.0)], [real("y", 1, 6, 8, 3)], {})],
    "weights that are computed": [
        (
            "FULLY_CONNECTED",
            [real("x", 1, 5), real("t", 1, 5), real("k", data=[-0.5])],
            [real("y", 1, 1)],
            {"FusedActivationFunction": 1},
        ),
    ],
    "BROADCAST_ARGS": [
        ("SHAPE", [values("x", 1, 6, 1)], [whole("s", 3)], {"OutType": 2}),
        ("BROADCAST_ARGS", [whole("s", 3), numbers("k", [4, 1, 5])], [whole("b", 3)], {}),
        ("BROADCAST_TO", [values("x", 1, 6, 1), whole("b", 3)], [values("y", 4, 6, 5)], {}),
    ],
    "DYNAMIC_UPDATE_SLICE at a constant": [
        (
            "DYNAMIC_UPDATE_SLICE",
            [X, values("u", 1, 2, 8, 2), numbers("i", [0, 5, 0, 1])],
            [values("y", 1, 6, 8, 3)],
            {},
        ),
    ],
    "constants that are turned": [
        ("TRANSPOSE", [byte("k", np.arange(24).reshape(3, 8)), numbers("p", [1, 0])], [values("t", 8, 3)], {}),
        ("EXPAND_DIMS", [values("t", 8, 3), numbers("a", 0)], [values("e", 1, 8, 3)], {}),
        ("MAXIMUM", [X, values("e", 1, 8, 3)], [values("y", 1, 6, 8, 3)], {}),
    ],
    "weights of int8 in a float32 network": [
        ("DEQUANTIZE", [byte("k", np.arange(-12, 12).reshape(4, 6))], [real("w", 4, 6)], {}),
        ("FULLY_CONNECTED", [real("x", 1, 6), real("w", 4, 6), real("b", data=[1, 2, 3, 4])], [real("y", 1, 4)], {}),
    ],
}


@pytest.mark.parametrize("name", NETWORKS)
def test_answers_are_those_of_tflite(name: str) -> None:
    """Of the file, of the graph that is lowered, and of the generated code."""
    model = tflite_file(*NETWORKS[name])
    graph = parse_tflite(model)
    compiled = build(compile_graph(graph))
    for seed in range(3):
        inputs = random_inputs(graph, seed)
        [wanted] = run_builtin_ref(model, inputs)
        [mine] = run(graph, inputs)
        np.testing.assert_array_equal(mine, wanted)
        np.testing.assert_array_equal(run(optimize(graph), inputs)[0], wanted)
        np.testing.assert_array_equal(compiled.run(inputs)[0].ravel(), wanted.ravel())


@pytest.mark.parametrize("named", [1, 2, 3])
@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 1 << 30))
def test_gather_nd_by_computed_indices(named: int, seed: int) -> None:
    x, i = values("x", 1, 4, 5), whole("i", 1, 6, named)
    model = tflite_file(("GATHER_ND", [x, i], [values("y", 1, 6, *x.shape[named:])], {}))
    graph, rng = parse_tflite(model), np.random.default_rng(seed)
    index = rng.integers(0, x.shape[:named], i.shape).astype(np.int32)
    inputs = [rng.integers(-128, 128, x.shape).astype(np.int8), index]
    [wanted] = run_builtin_ref(model, inputs)
    np.testing.assert_array_equal(run(graph, inputs)[0], wanted)
    if seed % 5 == 0:
        np.testing.assert_array_equal(build(compile_graph(graph)).run(inputs)[0].ravel(), wanted.ravel())


@pytest.mark.parametrize("start", [[0, 0, 0], [0, 2, 3], [5, 9, -4]])
def test_an_update_at_computed_indices_is_moved_inside(start: list[int]) -> None:
    x, part, i = values("x", 1, 5, 6), values("u", 1, 2, 4), whole("i", 3)
    model = tflite_file(("DYNAMIC_UPDATE_SLICE", [x, part, i], [values("y", 1, 5, 6)], {}))
    graph = parse_tflite(model)
    inputs = [*random_inputs(graph, 3)[:2], np.array(start, np.int32)]
    [wanted] = run_builtin_ref(model, inputs)
    np.testing.assert_array_equal(run(graph, inputs)[0], wanted)
    np.testing.assert_array_equal(build(compile_graph(graph)).run(inputs)[0].ravel(), wanted.ravel())


def test_zeros_of_int8_are_bytes_of_zero_as_in_tflite_micro() -> None:
    z = values("z", 1, 6, 8, 3)
    model = tflite_file(("ZEROS_LIKE", [X], [z], {}), ("MAXIMUM", [X, z], [values("y", 1, 6, 8, 3)], {}))
    graph = parse_tflite(model)
    inputs = random_inputs(graph, 1)
    np.testing.assert_array_equal(run(graph, inputs)[0].ravel(), run_micro(model, inputs).ravel())


def test_a_known_result_leaves_no_operator() -> None:
    graph = parse_tflite(tflite_file(*NETWORKS["weights of int8 in a float32 network"]))
    assert [op.kind for op in graph.operators] == [OpKind.FULLY_CONNECTED]
    weights = graph.tensor("w").data
    assert weights is not None and weights.dtype == np.float32
    np.testing.assert_allclose(weights, (np.arange(-12, 12).reshape(4, 6) - 3) * 0.05, rtol=1e-6)


@pytest.mark.parametrize(
    ("steps", "says"),
    [
        ([("POW", [R, real("k", data=3.0)], [real("y", 1, 6, 8, 3)], {})], "another power than 2"),
        ([("GATHER_ND", [X, numbers("i", [[0, 6]])], [values("y", 1, 8, 3)], {})], "indices beyond"),
        ([("FILL", [numbers("d", [1 << 20, 1 << 20]), byte("k", 5)], [values("y", 1)], {})], "fills the shape"),
        (
            [
                (
                    "SPACE_TO_BATCH_ND",
                    [X, numbers("b", [4, 1]), numbers("p", [0, 0, 0, 0])],
                    [values("y", 4, 1, 8, 3)],
                    {},
                )
            ],
            "blocks of",
        ),
    ],
)
def test_what_is_refused(steps: list[Step], says: str) -> None:
    with pytest.raises((ModelError, UnsupportedOperatorError), match=says):
        parse_tflite(tflite_file(*steps))


# --- the device's functions ---


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1 << 30))
def test_sine_and_cosine_are_near_of_all_magnitudes(seed: int) -> None:
    rng = np.random.default_rng(seed)
    some = np.array([0.0, -0.0, np.inf, np.nan, 16367173.0 * 2.0**72, 0.7853981852531433], np.float32)
    near = rng.uniform(-9, 9, 99).astype(np.float32)
    x = np.concatenate([rng.integers(0, 1 << 32, 200, np.uint32).view(np.float32), near, some])
    with np.errstate(all="ignore"):
        for mine, right in ((floating.sin(x), np.sin), (floating.cos(x), np.cos)):
            wanted = right(x.astype(np.float64))
            finite = np.isfinite(x)
            assert (np.isnan(mine) == ~finite).all()
            error = np.abs(mine[finite] - wanted[finite])
            assert (error <= 4 * np.spacing(np.abs(wanted[finite]).astype(np.float32)) + 1e-11).all()


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1 << 30))
def test_quotients_are_rounded_down_exactly(seed: int) -> None:
    """Also those that float32 rounds to a whole number; beside it in exact arithmetic."""
    rng = np.random.default_rng(seed)
    y = (rng.normal(size=200) * 2.0 ** rng.integers(-6, 7, 200)).astype(np.float32)
    n = rng.integers(-5000, 5000, 200)
    x = (y.astype(np.float64) * n).astype(np.float32)
    x = np.where(
        rng.random(200) < 0.5, np.nextafter(x, np.float32(np.inf) * np.sign(rng.normal(size=200)), dtype=np.float32), x
    )
    wanted = np.floor(x.astype(np.float64) / y)
    np.testing.assert_array_equal(floating.floor_div(x, y), wanted)


@pytest.mark.parametrize("outer", [1, 2])
def test_a_loop_whose_pointers_move_in_steps_of_1_to_4_is_not_dropped(outer: int) -> None:
    """As GCC 12 does from -O1 on, where it knows that both point into one array: see TE_HIDE in te_types.h."""
    b = GraphBuilder(0, "lookup")
    index = b.input(1, 5, dtype="int32")
    table = b.input(outer, 2, 4, dtype="float32")
    b.output(b.op(OpKind.EMBEDDING_LOOKUP, [index, table], LookupAttrs(1), dtype="float32"))
    model = build(compile_graph(b.graph))
    inputs = [np.array([[0, 1, 1, 0, 1]], np.int32), np.arange(outer * 8, dtype=np.float32).reshape(outer, 2, 4) + 1]
    np.testing.assert_array_equal(model.run(inputs)[0].ravel(), run(b.graph, inputs)[0].ravel())
