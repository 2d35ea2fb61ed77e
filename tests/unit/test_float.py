"""Networks of float32: the device's functions, whole networks against TFLite, what is refused."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tinyengine.compare import NativeTarget, compare_layers
from tinyengine.compiler import CompileOptions, compile_graph
from tinyengine.errors import ModelError
from tinyengine.frontend import parse_tflite
from tinyengine.frontend.tflite_writer import tflite_bytes
from tinyengine.ir import Activation, OpKind, floating
from tinyengine.ir.ops import (
    ActivationAttrs,
    ArgAttrs,
    Attrs,
    MeanAttrs,
    NoAttrs,
    Window,
)
from tinyengine.ir.verify import verify
from tinyengine.measure.bench import FLOAT_BOUND, Expected, compare
from tinyengine.measure.target_runner import RunResult
from tinyengine.native.build import build, host_compiler
from tinyengine.native.library import FLAGS, run_compiler
from tinyengine.paths import project_root
from tinyengine.reference import run
from tinyengine.report.figures import int8_sentence

from tests.helpers.batch import differing
from tests.helpers.floats import float_network as network
from tests.helpers.graphs import GraphBuilder
from tests.helpers.tflite_reference import run_builtin_ref


def values(seed: int) -> list[np.ndarray]:
    return [np.random.default_rng(seed).normal(size=(1, 9, 8, 3)).astype(np.float32)]


@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 1 << 30))
def test_a_network_without_library_functions_is_tflites_to_the_bit(seed: int) -> None:
    graph, inputs = network(seed, softmax=False), values(seed)
    [mine], model = run(graph, inputs), tflite_bytes(graph)
    np.testing.assert_array_equal(run(parse_tflite(model), inputs)[0], mine)
    np.testing.assert_array_equal(mine, run_builtin_ref(model, inputs)[0], strict=True)


def test_generated_code_equals_the_oracle() -> None:
    graph = network()
    native = build(compile_graph(graph, CompileOptions()))
    for seed in range(4):
        np.testing.assert_array_equal(native.run(values(seed))[0], run(graph, values(seed))[0], strict=True)


def test_layers_are_compared_one_by_one() -> None:
    compiled = compile_graph(network(), CompileOptions())
    found = compare_layers(compiled, NativeTarget(build(compiled)), [values(1)])
    assert found.first is None and found.compared == len(compiled.calls)


def test_softmax_is_within_the_bound_of_tflite() -> None:
    graph = network()
    for seed in range(4):
        [mine], [theirs] = run(graph, values(seed)), run_builtin_ref(tflite_bytes(graph), values(seed))
        assert np.abs(mine - theirs).max() <= FLOAT_BOUND * np.abs(theirs).max()


def test_activations_lie_over_each_other() -> None:
    """Less than the three pictures that the residual block has at once."""
    assert compile_graph(network(), CompileOptions()).plan.arena_bytes < 4 * 9 * 8 * 3 * 6


@pytest.mark.parametrize(
    ("mine", "true", "low", "high", "units"),
    [
        (floating.exp, np.exp, -87, 88, 2),
        (floating.expm1, np.expm1, -20, 20, 4),
        (floating.log, np.log, 1e-30, 1e30, 2),
        (floating.tanh, np.tanh, -12, 12, 3),
    ],
    ids=["exp", "expm1", "log", "tanh"],
)
def test_functions_are_as_close_as_they_say(
    mine: Callable[[np.ndarray], np.ndarray],
    true: Callable[[np.ndarray], np.ndarray],
    low: float,
    high: float,
    units: int,
) -> None:
    spread = np.geomspace(low, high, 50000) if low > 0 else np.linspace(low, high, 50000)
    x = np.concatenate([spread, np.linspace(1e-4, 1.5, 50000)]).astype(np.float32)
    exact = true(x.astype(np.float64))
    assert (np.abs(mine(x) - exact) <= units * np.spacing(np.abs(exact).astype(np.float32))).all()


@pytest.mark.parametrize("kind", [OpKind.ARG_MAX, OpKind.ARG_MIN, OpKind.REDUCE_MAX, OpKind.REDUCE_MIN, OpKind.MAXIMUM])
def test_what_is_no_number_has_a_place_in_no_order(kind: OpKind) -> None:
    """The comparisons of C: nothing is larger than it, and it is larger than nothing."""
    b = GraphBuilder(1)
    x = b.input(1, 2, 3, dtype="float32")
    attrs: Attrs = ArgAttrs(2) if kind.startswith("ARG") else MeanAttrs((2,))
    if kind is OpKind.MAXIMUM:
        b.output(b.op(kind, [x, b.input(1, 2, 3, dtype="float32")], NoAttrs(), dtype="float32"))
    else:
        b.output(b.op(kind, [x], attrs, dtype="int32" if kind.startswith("ARG") else "float32"))
    values = [np.array([[[1, np.nan, 2], [np.nan, 3, -0.0]]], np.float32), np.full((1, 2, 3), -2, np.float32)]
    inputs = values[: len(b.graph.inputs)]
    wanted = {
        OpKind.ARG_MAX: [2, 0],
        OpKind.ARG_MIN: [0, 0],
        OpKind.REDUCE_MAX: [2, 3],
        OpKind.REDUCE_MIN: [1, -0.0],
        OpKind.MAXIMUM: [1, -2, 2, -2, 3, -0.0],
    }[kind]
    [mine], [native] = run(b.graph, inputs), build(compile_graph(b.graph, CompileOptions())).run(inputs)
    np.testing.assert_array_equal(mine.ravel(), wanted)
    np.testing.assert_array_equal(native, mine)


def test_infinity_stays_behind_a_relu() -> None:
    b = GraphBuilder(1)
    b.output(b.op(OpKind.RELU, [b.input(1, 3, dtype="float32")], ActivationAttrs(Activation.RELU), dtype="float32"))
    inputs = [np.array([[np.inf, -np.inf, np.nan]], np.float32)]
    [mine], [native] = run(b.graph, inputs), build(compile_graph(b.graph, CompileOptions())).run(inputs)
    np.testing.assert_array_equal(mine, [[np.inf, 0, np.nan]])
    np.testing.assert_array_equal(native, mine)


C_FUNCTIONS = """#include "tinyengine/te_float.h"
#define OVER(name) void over_##name(const float *x, float *y, int32_t n) {{ while (n--) *y++ = te_##name##_f32(*x++); }}
{calls}
"""


def test_c_has_the_bits_of_its_twins(tmp_path: Path) -> None:
    """Random bits (infinite, no numbers, denormals), numbers of usual sizes, the neighbours of where branches are."""
    twins = {
        name: getattr(floating, name) for name in ("exp", "expm1", "log", "tanh", "logistic", "erfc", "sin", "cos")
    }
    twins["sqrt"] = np.sqrt
    (tmp_path / "functions.c").write_text(C_FUNCTIONS.format(calls="\n".join(f"OVER({name})" for name in twins)))
    include = f"-I{project_root() / 'lib' / 'tinyengine' / 'include'}"
    made = tmp_path / "functions.so"
    run_compiler([host_compiler(), *FLAGS, "-shared", "-fPIC", include, f"{tmp_path}/functions.c", "-o", f"{made}"])
    library, rng = ctypes.CDLL(str(made)), np.random.default_rng(7)
    ends = np.array([88.72283, 103.97208, 0.625, 16.619047, 9, 1, 10, 0.34657, 104, 89, 0], np.float32)
    ends = np.concatenate([ends, np.nextafter(ends, np.float32(np.inf)), np.nextafter(ends, np.float32(-np.inf))])
    usual = rng.normal(size=50000) * 2.0 ** rng.integers(-30, 8, 50000)
    x = np.concatenate(
        [rng.integers(0, 1 << 32, 50000, np.uint32).view(np.float32), usual, ends, -ends], dtype=np.float32
    )
    for name, twin in twins.items():
        got = np.empty_like(x)
        getattr(library, f"over_{name}")(*(a.ctypes.data_as(ctypes.c_void_p) for a in (x, got)), len(x))
        with np.errstate(all="ignore"):
            different = differing(got, twin(x))
        assert not different.any(), f"{name}({x[different][:4]}) is {got[different][:4]}"


def test_functions_at_their_ends() -> None:
    ends = np.array([np.inf, -np.inf, np.nan, 0.0], np.float32)
    np.testing.assert_array_equal(floating.exp(ends), [np.inf, 0, np.nan, 1])
    np.testing.assert_array_equal(floating.log(ends), [np.inf, np.nan, np.nan, -np.inf])
    np.testing.assert_array_equal(floating.tanh(ends), [1, -1, np.nan, 0])
    np.testing.assert_array_equal(floating.logistic(ends), [1, 0, np.nan, 0.5])


def test_check_bears_the_bound_and_no_more() -> None:
    wanted = np.array([[1.0, -0.25, np.inf]], np.float32)

    def mismatched(*got: float) -> int:
        result = RunResult([np.array([got], np.float32)], 0, 0, True, 0)
        return compare(Expected("TFLite", True, [[wanted]]), [result]).mismatched

    assert mismatched(1.0, -0.25, np.inf) == 0
    assert mismatched(1.0, -0.25 + 0.9 * FLOAT_BOUND, np.inf) == 0
    assert mismatched(1.0, -0.25 + 2 * FLOAT_BOUND, np.inf) == 1
    assert mismatched(np.nan, -0.25, 3.0) == 2


def test_weights_must_be_numbers() -> None:
    graph = network()
    weights = graph.tensor(graph.operators[0].inputs[1])
    assert weights.data is not None
    weights.data[0, 0, 0, 0] = np.inf
    with pytest.raises(ModelError, match=r"has weights .* that are infinite or no numbers"):
        verify(graph)


def test_float_networks_are_not_trained() -> None:
    with pytest.raises(ModelError, match="computes in float32: only int8 networks are trained"):
        compile_graph(network(), CompileOptions(train="last-layer"))


def test_the_report_says_what_int8_would_save() -> None:
    saving = int8_sentence(compile_graph(network(), CompileOptions()))
    assert saving is not None and "tinyengine convert" in saving
    b = GraphBuilder(1)
    b.output(b.conv(b.input(1, 4, 4, 2), 3, Window((1, 1))))
    assert int8_sentence(compile_graph(b.graph, CompileOptions())) is None
