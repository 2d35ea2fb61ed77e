"""Nothing of an operator is forgotten, and the classes' own rules: signatures, shapes, attributes."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Generic, TypeVar

import numpy as np
import pytest
import tflite
from tinyengine.errors import ModelError
from tinyengine.frontend.raw import camel_case, option_names
from tinyengine.frontend.translators import TRANSLATORS
from tinyengine.ir import Operator, OpKind, Quantization
from tinyengine.ir.dispatch import ByType, leading_dtype
from tinyengine.ir.operators import DEFINITIONS
from tinyengine.ir.operators.base import Contradiction, Definition
from tinyengine.ir.operators.elementwise import Comparison, Select
from tinyengine.ir.ops import Attrs, ElementwiseAttrs, NoAttrs
from tinyengine.kernels import select  # noqa: F401 - importing it registers the lowerings
from tinyengine.kernels.base import LOWERINGS, lowering
from tinyengine.reference.registry import ORACLES, oracle

from scripts import draw_operators
from tests.helpers.cases import FAMILIES, random_cases
from tests.helpers.graphs import GraphBuilder

COMPARED = [kind for kind, definition in DEFINITIONS.items() if isinstance(definition, Comparison | Select)]
LOGICAL = [kind for kind, definition in DEFINITIONS.items() if definition.input_dtypes(0) == ("bool",)]
T = TypeVar("T")

NO_CASE = {
    OpKind.DEQUANTIZE: "stands at the network's border only, where the host computes it",
    **dict.fromkeys((*COMPARED, *LOGICAL), "has truth values, which are no ports: see tests/unit/test_comparisons.py"),
    **dict.fromkeys(
        (OpKind.UNIDIRECTIONAL_SEQUENCE_LSTM, OpKind.SVDF), "keep states: see tests/unit/test_recurrent.py"
    ),
    **dict.fromkeys(
        (OpKind.SIGNAL_FFT_AUTO_SCALE, OpKind.SIGNAL_FILTER_BANK_SPECTRAL_SUBTRACTION),
        "has two outputs: see tests/unit/test_signal.py",
    ),
    **dict.fromkeys(
        (kind for kind in OpKind if kind.startswith("LM_")),
        "stands in a language model only, which keeps states: see tests/kernels/test_language.py",
    ),
    OpKind.DETECTION_POST_PROCESS: "has four outputs: see tests/unit/test_detection.py",
    OpKind.LAYER_NORM: "stands for others in compiled networks only: see tests/unit/test_layer_norm.py",
}


def drawn() -> set[OpKind]:
    """The kinds that the random cases of kernels and oracle contain."""
    return {case.graph.operators[0].kind for family in FAMILIES for case in random_cases(1, family, 120)}


def missing(kind: OpKind, cases: set[OpKind]) -> list[str]:
    """What somebody forgot when adding ``kind``."""
    if kind not in DEFINITIONS:
        return ["a class (ir/operators)"]
    forgotten = []
    for dtype in DEFINITIONS[kind].input_dtypes(0):
        if ORACLES.find(kind, dtype) is None:
            forgotten.append(f"an oracle for {dtype} (reference)")
        if LOWERINGS.find(kind, dtype) is None:
            forgotten.append(f"a lowering for {dtype} (kernels)")
    attributes = {field.name for field in fields(DEFINITIONS[kind].attributes)} - {"activation"}
    unread = [name for name in attributes if camel_case(name) not in option_names(kind)]
    if kind not in TRANSLATORS and unread and hasattr(tflite.BuiltinOperator, kind):
        forgotten.append(f"a translator (frontend/translators.py): the file has no option for {', '.join(unread)}")
    if kind not in cases and kind not in NO_CASE:
        forgotten.append("a random case (tests/helpers/cases.py)")
    return forgotten


def test_every_operator_is_complete() -> None:
    cases = drawn()
    forgotten = [f"{kind}: {what}" for kind in OpKind for what in missing(kind, cases)]
    assert not forgotten, "; ".join(forgotten)


def test_the_table_of_all_operators_shows_the_code_as_it_is() -> None:
    page = draw_operators.PAGE.read_text(encoding="utf-8")
    assert page == draw_operators.written(page), "run scripts/draw_operators.py and commit docs/operators.md"


def test_the_table_of_all_operators_is_made_from_the_code(monkeypatch: pytest.MonkeyPatch) -> None:
    before = draw_operators.table()
    assert all(f"\n| {kind} | " in before for kind in OpKind)
    assert draw_operators.trainable(OpKind.CONV_2D) == "weights"
    assert draw_operators.trainable(OpKind.ADD) == "gradient passes"
    assert draw_operators.trainable(OpKind.SOFTMAX) == ""
    monkeypatch.delitem(draw_operators.FAST_LOWERINGS, (OpKind.ADD, "int8"))
    assert draw_operators.table() != before


def test_the_attributes_class_is_that_of_the_definition_whatever_stands_beside_it() -> None:
    class Plain:
        pass

    class Other(Generic[T]):
        pass

    class Mixed(Other[int], Definition[ElementwiseAttrs], Plain):
        pass

    assert Mixed.attributes is ElementwiseAttrs


@pytest.mark.parametrize(
    ("table", "key", "what"),
    [
        (DEFINITIONS, OpKind.PAD, "a class"),
        (ORACLES.entries, (OpKind.CONV_2D, None), "an oracle for int8"),
        (LOWERINGS.entries, (OpKind.SOFTMAX, None), "a lowering for int8"),
        (TRANSLATORS, OpKind.MEAN, "a translator .*: the file has no option for axes"),
    ],
)
def test_what_is_forgotten_is_named(monkeypatch: pytest.MonkeyPatch, table: dict, key: Any, what: str) -> None:
    monkeypatch.delitem(table, key)
    [sentence] = missing(key[0] if isinstance(key, tuple) else key, set(OpKind))
    assert sentence.startswith(what.split(" .*")[0])
    assert missing(OpKind.RELU, set()) == ["a random case (tests/helpers/cases.py)"]


def test_a_second_one_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for register in (oracle, lowering):
        with pytest.raises(AssertionError, match="PAD has a second"):
            register(OpKind.PAD)(print)
    with pytest.raises(AssertionError, match="CONV_2D has a second"):
        oracle(OpKind.CONV_2D, sums=True)(print)
    with monkeypatch.context() as patch:
        for table, register in ((ORACLES, oracle), (LOWERINGS, lowering)):
            patch.setattr(table, "entries", dict(table.entries))
            register(OpKind.PAD, dtype="float32")(print)
            with pytest.raises(AssertionError, match="PAD in float32 has a second"):
                register(OpKind.PAD, dtype="float32")(print)
    with pytest.raises(AssertionError, match="PAD has a second class Twice"):
        type("Twice", (Definition,), {}, kind=OpKind.PAD)
    assert type(DEFINITIONS[OpKind.PAD]).__name__ == "Pad"


def test_the_function_of_a_type_is_preferred_to_the_one_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    b = GraphBuilder(5)
    b.output(b.dense(b.input(1, 8), 4))
    [op], x = b.graph.operators, b.graph.tensor(b.graph.inputs[0].tensor)
    table: ByType[str] = ByType("name")
    assert table.of(op, b.graph) is None
    table.add("any", (op.kind,), None)
    table.add("wide", (op.kind, OpKind.PAD), "int16")
    assert table.of(op, b.graph) == "any"
    x.dtype = "int16"
    assert table.of(op, b.graph) == "wide"
    op.inputs.reverse()  # constants say nothing
    assert table.of(op, b.graph) == "wide"
    x.data = np.zeros((1, 8))
    assert leading_dtype(op, b.graph) == "int8"  # the output's
    assert table.find(OpKind.PAD, "int8") is None


# --- signatures ---


class Mixed(Definition[NoAttrs]):
    signatures = ("int8 x int16 -> int16", "float32 x float32 -> float32", "int16... -> int8 x int8")


def test_signatures_say_numbers_and_types() -> None:
    mixed = Mixed()
    assert mixed.combinations(2, 1) == [["int8", "int16", "int16"], ["float32", "float32", "float32"]]
    assert mixed.combinations(3, 2) == [["int16"] * 3 + ["int8"] * 2]
    assert mixed.input_dtypes(0) == ("int8", "float32", "int16")
    assert mixed.input_dtypes(7) == ("int16", "float32")
    with pytest.raises(Contradiction, match=r"has 3 inputs and 1 outputs instead of int8 x int16 -> int16 or "):
        mixed.combinations(3, 1)


@dataclass(frozen=True)
class HalvesAttrs(Attrs):
    """Of the operator below."""

    axis: int


class Halves(Definition[HalvesAttrs]):
    """An operator with two outputs, as the ones to come."""

    signatures = ("int8 -> int8 x int8",)
    same_quantization = True

    def shapes(self, attrs, inputs, declared):
        shape = inputs[0].shape
        half = (*shape[: attrs.axis], shape[attrs.axis] // 2, *shape[attrs.axis + 1 :])
        return [half, half]


def halves() -> tuple[Operator, GraphBuilder]:
    b = GraphBuilder(1)
    x = b.input(1, 6)
    quant = b.graph.tensor(x).quant
    outputs = [b.tensor((1, 3), quant=quant), b.tensor((1, 3), quant=quant)]
    return Operator(OpKind.RESHAPE, "halves", [x], outputs, HalvesAttrs(1)), b


def test_operators_may_have_several_outputs() -> None:
    op, b = halves()
    definition = Halves()
    definition.verify(op, b.graph)
    b.graph.tensor(op.outputs[1]).shape = (1, 2)
    with pytest.raises(ModelError, match=rf"'halves' writes '{op.outputs[1]}' of shape \[1, 2\]"):
        definition.verify(op, b.graph)
    op, b = halves()
    b.graph.tensor(op.outputs[1]).quant = Quantization((9.0,), (0,))
    with pytest.raises(ModelError, match="needs the same quantization"):
        definition.verify(op, b.graph)
    op.outputs.pop()
    with pytest.raises(ModelError, match="has 1 inputs and 1 outputs instead of int8 -> int8 x int8"):
        definition.verify(op, b.graph)


def test_types_must_fit_together() -> None:
    b = GraphBuilder(2)
    names = [b.tensor((1, 4), dtype) for dtype in ("int8", "float32", "float32")]
    op = Operator(OpKind.ADD, "mixed", names[:2], names[2:], NoAttrs())
    with pytest.raises(ModelError, match="mixes int8, float32, float32, not int8 x int16"):
        Mixed().verify(op, b.graph)
    b.graph.tensors[names[1]].dtype = "uint8"
    with pytest.raises(ModelError, match=f"has tensor '{names[1]}' in uint8, not int16 or float32"):
        Mixed().verify(op, b.graph)


def test_weights_must_be_constant() -> None:
    b = GraphBuilder(3)
    b.output(b.dense(b.input(1, 8), 4))
    op = b.graph.operators[0]
    b.graph.tensor(op.inputs[1]).data = None
    with pytest.raises(ModelError, match=f"needs '{op.inputs[1]}' to be constant"):
        DEFINITIONS[op.kind].verify(op, b.graph)


def test_attributes_are_of_the_class_in_the_brackets() -> None:
    assert Halves.attributes is HalvesAttrs
    assert DEFINITIONS[OpKind.SUB].attributes is ElementwiseAttrs  # of its base
    op, b = halves()
    op.attrs = ElementwiseAttrs()
    with pytest.raises(ModelError, match="attributes of type ElementwiseAttrs"):
        Halves().verify(op, b.graph)
