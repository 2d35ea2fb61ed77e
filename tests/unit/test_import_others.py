"""Operators of TFLite that are others in the IR, and dilated convolutions in pieces: the same bytes as TFLite's own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tinyengine.compiler import compile_graph
from tinyengine.errors import ModelError, UnsupportedOperatorError
from tinyengine.frontend import parse_tflite
from tinyengine.frontend.dilation import fold_dilation
from tinyengine.frontend.raw import read_raw
from tinyengine.ir import OpKind
from tinyengine.passes import optimize
from tinyengine.reference import run

from tests.helpers.dilated import dilated
from tests.helpers.graphs import random_inputs
from tests.helpers.tflite_file import Step, numbers, tflite_file, values
from tests.helpers.tflite_reference import run_builtin_ref

RANDOM = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
Rng = np.random.Generator
BUILDERS: dict[str, Callable[[Rng], Step]] = {}


def builder(function: Callable[[Rng], Step]) -> Callable[[Rng], Step]:
    BUILDERS[function.__name__.upper().rstrip("_")] = function
    return function


def sizes(r: Rng, most: int = 4) -> tuple[int, ...]:
    """A shape with a batch of 1."""
    return 1, *(int(n) for n in r.integers(1, 7, int(r.integers(1, most))))


def axis_of(r: Rng, rank: int) -> int:
    """Counted from either end."""
    return int(r.integers(-rank, rank))


def changed(shape: tuple[int, ...], axis: int, *sizes: int) -> tuple[int, ...]:
    axis %= len(shape)
    return (*shape[:axis], *sizes, *shape[axis + 1 :])


@builder
def expand_dims(r: Rng) -> Step:
    shape = sizes(r)
    axis = axis_of(r, len(shape) + 1)
    at = axis % (len(shape) + 1)
    return "EXPAND_DIMS", [values("x", *shape), numbers("a", axis)], [values("y", *shape[:at], 1, *shape[at:])], {}


@builder
def pack(r: Rng) -> Step:
    shape, count = sizes(r), int(r.integers(1, 5))
    axis = axis_of(r, len(shape) + 1)
    at = axis % (len(shape) + 1)
    parts = [values(f"x{i}", *shape) for i in range(count)]
    options = {"ValuesCount": count, "Axis": axis}
    return "PACK", parts, [values("y", *shape[:at], count, *shape[at:])], options


@builder
def unpack(r: Rng) -> Step:
    shape = sizes(r)
    axis = axis_of(r, len(shape))
    parts = [values(f"y{i}", *changed(shape, axis)) for i in range(shape[axis])]
    return "UNPACK", [values("x", *shape)], parts, {"Num": len(parts), "Axis": axis}


@builder
def split(r: Rng) -> Step:
    shape, count = sizes(r), int(r.integers(1, 4))
    axis = int(r.integers(1, len(shape)))
    x = values("x", *changed(shape, axis, shape[axis] * count))
    parts = [values(f"y{i}", *shape) for i in range(count)]
    return "SPLIT", [numbers("a", axis - len(shape)), x], parts, {"NumSplits": count}


@builder
def split_v(r: Rng) -> Step:
    shape = sizes(r)
    axis = int(r.integers(1, len(shape)))
    given = [int(n) for n in r.integers(1, 5, int(r.integers(1, 4)))]
    parts = [values(f"y{i}", *changed(shape, axis, n)) for i, n in enumerate(given)]
    x = values("x", *changed(shape, axis, sum(given)))
    if r.random() < 0.5:
        given[-1] = -1
    return "SPLIT_V", [x, numbers("s", given), numbers("a", axis)], parts, {"NumSplits": len(parts)}


@builder
def slice_(r: Rng) -> Step:
    shape = sizes(r)
    begin = [int(r.integers(0, n)) for n in shape]
    size = [int(r.integers(1, n - b + 1)) for n, b in zip(shape, begin, strict=True)]
    result = list(size)
    if r.random() < 0.5:
        size[-1], result[-1] = -1, shape[-1] - begin[-1]
    return "SLICE", [values("x", *shape), numbers("b", begin), numbers("s", size)], [values("y", *result)], {}


@builder
def reverse_v2(r: Rng) -> Step:
    shape = sizes(r)
    return (
        "REVERSE_V2",
        [values("x", *shape), numbers("a", [int(r.integers(0, len(shape)))])],
        [values("y", *shape)],
        {},
    )


@builder
def gather(r: Rng) -> Step:
    shape = sizes(r)
    axis = axis_of(r, len(shape))
    index = r.integers(0, shape[axis], [int(n) for n in r.integers(1, 4, int(r.integers(0, 3)))])
    y = values("y", *changed(shape, axis, *index.shape))
    return "GATHER", [values("x", *shape), numbers("i", index)], [y], {"Axis": axis % len(shape)}


@builder
def tile(r: Rng) -> Step:
    shape = sizes(r, 5)
    times = [int(n) for n in r.integers(1, 4, len(shape))]
    y = values("y", *(n * m for n, m in zip(shape, times, strict=True)))
    return "TILE", [values("x", *shape), numbers("m", times)], [y], {}


@builder
def mirror_pad(r: Rng) -> Step:
    shape, mode = sizes(r), int(r.integers(0, 2))
    pads = [[int(k) for k in r.integers(0, n + mode, 2)] for n in shape]
    y = values("y", *(n + before + after for n, (before, after) in zip(shape, pads, strict=True)))
    return "MIRROR_PAD", [values("x", *shape), numbers("p", pads)], [y], {"Mode": mode}


@builder
def broadcast_to(r: Rng) -> Step:
    shape = sizes(r)
    result = [
        *map(int, r.integers(1, 3, int(r.integers(0, 2)))),
        *(int(r.integers(1, 4)) if n == 1 else n for n in shape),
    ]
    return "BROADCAST_TO", [values("x", *shape), numbers("s", result)], [values("y", *result)], {}


@builder
def space_to_depth(r: Rng) -> Step:
    h, w, c, b = (int(n) for n in r.integers(1, 4, 4))
    return "SPACE_TO_DEPTH", [values("x", 1, h * b, w * b, c)], [values("y", 1, h, w, c * b * b)], {"BlockSize": b}


@builder
def depth_to_space(r: Rng) -> Step:
    h, w, c, b = (int(n) for n in r.integers(1, 4, 4))
    return "DEPTH_TO_SPACE", [values("x", 1, h, w, c * b * b)], [values("y", 1, h * b, w * b, c)], {"BlockSize": b}


@pytest.mark.parametrize("kind", BUILDERS)
@RANDOM
@given(seed=st.integers(0, 1 << 30))
def test_same_bytes_as_tflite(kind: str, seed: int) -> None:
    model = tflite_file(BUILDERS[kind](np.random.default_rng(seed)))
    graph = parse_tflite(model)
    inputs = random_inputs(graph, seed)
    mine = run(graph, inputs)
    assert len({op.name for op in graph.operators}) == len(graph.operators)
    assert all(len(np.unique(x)) > 1 for x in inputs if x.size > 8)
    for got, again, wanted in zip(mine, run(optimize(graph), inputs), run_builtin_ref(model, inputs), strict=True):
        np.testing.assert_array_equal(got, again)
        np.testing.assert_array_equal(got.ravel(), wanted.ravel())
    compile_graph(graph)


def test_what_only_renames_bytes_costs_nothing() -> None:
    x, y, z = values("x", 1, 4, 3), values("y", 1, 1, 4, 3), values("z", 1, 1, 1, 4, 3)
    steps = [("EXPAND_DIMS", [x, numbers("a", 1)], [y], {}), ("PACK", [y], [z], {"ValuesCount": 1, "Axis": 0})]
    model = compile_graph(parse_tflite(tflite_file(*steps)))
    assert all(call.is_view for call in model.planned) and model.plan.arena_bytes == 12


@pytest.mark.parametrize(
    ("step", "says"),
    [
        (
            ("SPLIT", [numbers("a", 1), values("x", 1, 5)], [values("y", 1, 2), values("z", 1, 3)], {"NumSplits": 2}),
            "splits 5",
        ),
        (("SPLIT_V", [values("x", 1, 5), numbers("s", [2]), numbers("a", 1)], [values("y", 1, 2)], {}), "parts of .2."),
        (("UNPACK", [values("x", 1, 5)], [values("y", 1)], {"Num": 1, "Axis": 1}), "unpacks 5 parts into 1"),
        (("GATHER", [values("x", 1, 5), numbers("i", [5])], [values("y", 1, 1)], {"Axis": 1}), "do not fit"),
        (
            ("SLICE", [values("x", 1, 5), numbers("b", [0, 4]), numbers("s", [1, 2])], [values("y", 1, 2)], {}),
            "do not fit",
        ),
        (("TILE", [values("x", 1, 5), numbers("m", [1, 40000])], [values("y", 1, 200000)], {}), "output of shape"),
        (
            ("MIRROR_PAD", [values("x", 1, 2), numbers("p", [[0, 0], [2, 0]])], [values("y", 1, 4)], {"Mode": 0}),
            "mirrors 2 of 2",
        ),
        (("EXPAND_DIMS", [values("x", 1, 2), numbers("a", 4)], [values("y", 1, 2, 1)], {}), "inserts axis 4"),
        (("DEPTH_TO_SPACE", [values("x", 1, 2, 2, 3)], [values("y", 1, 4, 4, 1)], {"BlockSize": 2}), "block of 2"),
    ],
)
def test_contradictions_are_told(step: Step, says: str) -> None:
    with pytest.raises(ModelError, match=says):
        parse_tflite(tflite_file(step))


# --- SPACE_TO_BATCH_ND, a convolution, BATCH_TO_SPACE_ND ---


@pytest.mark.parametrize("depthwise", [False, True])
@pytest.mark.parametrize("reshaped", [False, True])
@RANDOM
@given(seed=st.integers(0, 1 << 30))
def test_a_convolution_in_pieces_is_a_dilated_one(depthwise: bool, reshaped: bool, seed: int) -> None:
    model = dilated(seed, depthwise, reshaped)
    graph = parse_tflite(model)
    inputs = random_inputs(graph, seed)
    [wanted] = run_builtin_ref(model, inputs)
    np.testing.assert_array_equal(run(graph, inputs)[0].ravel(), wanted.ravel())
    kinds = [op.kind for op in optimize(graph).operators if op.kind is not OpKind.RESHAPE]
    assert kinds == [OpKind.DEPTHWISE_CONV_2D if depthwise else OpKind.CONV_2D]


@pytest.mark.parametrize("seed", range(4))
def test_pieces_that_are_no_dilated_convolution_are_refused_or_computed(seed: int) -> None:
    """A convolution of a batch is refused; of one piece it is computed."""
    model = dilated(seed, False, False, apart=True)
    try:
        graph = parse_tflite(model)
    except UnsupportedOperatorError as error:
        assert "give it a four-dimensional input (1, rows" in str(error)
        return
    inputs = random_inputs(graph, seed)
    [wanted] = run_builtin_ref(model, inputs)
    np.testing.assert_array_equal(run(graph, inputs)[0].ravel(), wanted.ravel())


def test_pieces_of_what_is_not_there_stay() -> None:
    """Whatever tensor number of the three operators is wrong: the importer will say what is."""
    raw, apart = read_raw(dilated(3, False, False)), 0
    for number, op in enumerate(raw.operators):
        for field in ("inputs", "outputs"):
            tensors = getattr(op, field)
            wrong = [(*tensors[:i], n, *tensors[i + 1 :]) for i in range(len(tensors)) for n in (-1, 99)]
            for damage in [*wrong, *(tensors[:i] for i in range(len(tensors)))]:
                operators = [*raw.operators]
                operators[number] = replace(op, **{field: damage})
                folded = fold_dilation(replace(raw, operators=operators))
                apart += [op.kind for op in folded.operators] == [op.kind for op in raw.operators]
    assert apart > 20


def test_pieces_without_biases_are_folded() -> None:
    raw = read_raw(dilated(3, False, False))
    operators = [replace(op, inputs=(*op.inputs[:2], -1)) if op.kind == "CONV_2D" else op for op in raw.operators]
    assert [op.kind for op in fold_dilation(replace(raw, operators=operators)).operators] == [
        "PAD",
        "CONV_2D",
        "RESHAPE",
    ]
