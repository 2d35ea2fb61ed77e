"""What computes with shapes alone is done by the importer: RESHAPE sees the numbers."""

from __future__ import annotations

import numpy as np
import pytest
from tinyengine.errors import ModelError
from tinyengine.frontend import parse_tflite
from tinyengine.ir import OpKind, Tensor
from tinyengine.reference import run
from tinyengine.reference.tflite_runner import open_reference

from tests.helpers.graphs import random_inputs
from tests.helpers.tflite_file import Step, numbers, tflite_file, values
from tests.helpers.tflite_reference import run_builtin_ref

X = values("x", 1, 4, 6)
SHAPE: Step = ("SHAPE", [X], [Tensor("s", (3,), "int32")], {})


def sizes(name: str, *shape: int) -> Tensor:
    """Numbers that the network computes."""
    return Tensor(name, shape, "int32")


def two(kind: str, other: object, options: dict[str, object] | None = None, swapped: bool = False) -> list[Step]:
    """The last size of the shape and ``other`` through an operator on two numbers: 24, behind which -1."""
    last: Step = (
        "STRIDED_SLICE",
        [sizes("s", 3), *(numbers(n, [v]) for n, v in zip("bec", (2, 3, 1), strict=True))],
        [sizes("n")],
        {"ShrinkAxisMask": 1},
    )
    inputs = [sizes("n"), numbers("k", other)]
    join: Step = ("PACK", [sizes("m"), numbers("r", -1)], [sizes("t", 2)], {"ValuesCount": 2, "Axis": 0})
    return [SHAPE, last, (kind, inputs[::-1] if swapped else inputs, [sizes("m")], options or {}), join]


WAYS: dict[str, list[Step]] = {
    "GATHER and REDUCE_PROD": [
        SHAPE,
        ("GATHER", [sizes("s", 3), numbers("i", [1, 2])], [sizes("g", 2)], {"Axis": 0}),
        ("REDUCE_PROD", [sizes("g", 2), numbers("a", [0])], [sizes("p", 1)], {"KeepDims": True}),
        ("CONCATENATION", [sizes("p", 1), numbers("r", [-1])], [sizes("t", 2)], {"Axis": 0}),
    ],
    "SLICE and EXPAND_DIMS": [
        SHAPE,
        ("SLICE", [sizes("s", 3), numbers("b", [1]), numbers("n", [2])], [sizes("g", 2)], {}),
        ("REDUCE_PROD", [sizes("g", 2), numbers("a", [0])], [sizes("p")], {"KeepDims": False}),
        ("EXPAND_DIMS", [sizes("p"), numbers("e", 0)], [sizes("q", 1)], {}),
        ("CONCATENATION", [sizes("q", 1), numbers("r", [-1])], [sizes("t", 2)], {"Axis": 0}),
    ],
    "MUL": two("MUL", 4),
    "ADD": two("ADD", 18),
    "SUB": two("SUB", 30, swapped=True),
    "FLOOR_DIV": two("FLOOR_DIV", 144, swapped=True),
    "MAXIMUM": two("MAXIMUM", 24),
    "MINIMUM": two("MINIMUM", 6),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_computed_shape_is_a_constant(way: str) -> None:
    shape = (6, 4) if way == "MINIMUM" else (24, 1)
    y = values("y", *shape)
    graph = parse_tflite(tflite_file(*WAYS[way], ("RESHAPE", [X, sizes("t", 2)], [y], {})))
    assert [op.kind for op in graph.operators] == [OpKind.RESHAPE]
    assert graph.tensor("y").shape == shape
    inputs = random_inputs(graph, 1)
    np.testing.assert_array_equal(run(graph, inputs)[0].ravel(), inputs[0].ravel())


@pytest.mark.parametrize(
    ("step", "says"),
    [
        (("FILL", [numbers("d", [1 << 30, 1 << 30]), numbers("v", 1)], [sizes("t", 2)], {}), "too many elements"),
        (("RANGE", [numbers("a", 0), numbers("b", 1 << 30), numbers("c", 1)], [sizes("t", 2)], {}), "too many axes"),
        (("TILE", [sizes("s", 3), numbers("m", [1 << 30])], [sizes("t", 2)], {}), "too many elements"),
        (("GATHER", [sizes("s", 3), numbers("i", [7])], [sizes("t", 1)], {"Axis": 0}), "cannot be"),
        (("RESHAPE", [sizes("s", 3), numbers("i", [2])], [sizes("t", 2)], {}), "cannot be"),
    ],
)
def test_impossible_shapes_are_told(step: Step, says: str) -> None:
    with pytest.raises(ModelError, match=says):
        parse_tflite(tflite_file(SHAPE, step, ("RESHAPE", [X, sizes("t", 2)], [values("y", 24, 1)], {})))


@pytest.mark.parametrize("kind", ["ADD", "CAST"])
def test_operators_of_activations_take_computed_shapes(kind: str) -> None:
    x, s = sizes("x", 1, 4, 3), sizes("s", 3)
    shape: Step = ("SHAPE", [x], [s], {"OutType": 2})
    if kind == "ADD":
        model = tflite_file(shape, ("ADD", [x, s], [sizes("y", 1, 4, 3)], {}))
    else:
        z, c, y = Tensor("z", (1, 3), "float32"), Tensor("c", (3,), "float32"), Tensor("y", (1, 3), "float32")
        model = tflite_file(shape, ("CAST", [s], [c], {"InDataType": 2}), ("MINIMUM", [z, c], [y], {}))
    graph = parse_tflite(model)
    inputs = random_inputs(graph, 1)
    [wanted] = run_builtin_ref(model, inputs)
    np.testing.assert_array_equal(run(graph, inputs)[0], wanted)


def test_a_shape_that_is_an_output_is_told() -> None:
    with pytest.raises(ModelError, match=r"output tensor 1 \(s\) is a constant: export the model without it"):
        parse_tflite(tflite_file(SHAPE))


def test_the_reference_is_one_that_runs_the_file(tmp_path) -> None:
    """TFLite's reference SUM of int8 is wrong, so TFLite Micro is asked."""
    pytest.importorskip("tensorflow")
    pytest.importorskip("tflite_micro")
    y = Tensor("y", (1, 4), "int8", values("q", 1).quant)
    y.quant = type(y.quant)((0.2,), (3,))
    model = tflite_file(("SUM", [X, numbers("a", [2])], [y], {"KeepDims": False}))
    (tmp_path / "sum.tflite").write_bytes(model)
    reference = open_reference(tmp_path / "sum.tflite", 1, 1)
    assert "Micro" in reference.name and not reference.binding
    graph = parse_tflite(model)
    inputs = random_inputs(graph, 5)
    np.testing.assert_array_equal(reference.run(inputs)[0].ravel(), run(graph, inputs)[0].ravel())
