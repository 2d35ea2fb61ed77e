"""What cannot be trained is refused in one sentence that says what can be."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from tinyengine.boards import load
from tinyengine.compiler import CompileOptions, compile_graph
from tinyengine.errors import BudgetError, DataError, ModelError, UnsupportedOperatorError
from tinyengine.frontend.tflite_writer import write_tflite
from tinyengine.ir import Graph, OpKind
from tinyengine.ir.ops import Activation, Window
from tinyengine.project.budget import judge
from tinyengine.training.scheme import UpdateScheme

from tests.helpers.command_line import fails
from tests.helpers.graphs import GraphBuilder
from tests.helpers.trainable import network

Insert = Callable[[GraphBuilder, str], str]
HALF = Window((2, 2), (2, 2))

INSERTED: dict[str, Insert] = {
    "MAX_POOL_2D": lambda b, x: b.pool(OpKind.MAX_POOL_2D, x, HALF),
    "MUL": lambda b, x: b.binary(OpKind.MUL, x, x),
    "SUB": lambda b, x: b.binary(OpKind.SUB, x, b.relu(x)),
    "ADD": lambda b, x: b.binary(OpKind.ADD, x, b.random_constant(1, 1, 1, 4)),
    "RELU": lambda b, x: b.binary(OpKind.ADD, x, b.relu(x)),
    "LOGISTIC": lambda b, x: b.logistic(x),
    "HARD_SWISH": lambda b, x: b.hard_swish(x),
    "SOFTMAX": lambda b, x: b.softmax(x),
    "CONCATENATION": lambda b, x: b.concat([x, x], 3),
    "PAD": lambda b, x: b.pool(OpKind.AVERAGE_POOL_2D, b.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0))), HALF),
    "RESIZE_NEAREST_NEIGHBOR": lambda b, x: b.resize(x, 16, 16),
    "STRIDED_SLICE": lambda b, x: b.slice(x, (0, 1, 1, 0), (1, 2, 2, 1), (1, 3, 3, 4)),
    "MEAN": lambda b, x: b.mean(x, (3,), keep=True),
    "RESHAPE": lambda b, x: b.reshape(x, 1, 4, 4, 16),
    "TRANSPOSE": lambda b, x: b.transpose(x, 0, 1, 3, 2),
    "QUANTIZE": lambda b, x: b.quantize(x),
}
"""By the operator that has no gradient (in this form)."""


def with_operator(insert: Insert) -> Graph:
    """Two convolutions, the operator, two more, the classifier."""
    b = GraphBuilder(1, "inserted")
    x = b.conv(b.conv(b.input(1, 8, 8, 2), 4, Window((1, 1))), 4, Window((1, 1)), Activation.RELU)
    x = insert(b, x)
    x = b.conv(b.conv(x, 6, Window((1, 1))), 4, Window(b.shape(x)[1:3]))
    b.output(b.dense(x, 3))
    return b.graph


def test_convolutions_of_groups_have_no_gradient() -> None:
    """They count as convolutions all the same."""
    graph = with_operator(lambda b, x: b.conv(x, 4, HALF, groups=2))
    with pytest.raises(UnsupportedOperatorError, match=r"^CONV_2D '\w+' has no gradient: convolution 3 "):
        compile_graph(graph, CompileOptions(train="bias-only"))
    assert compile_graph(graph, CompileOptions(train="last-2")).training is not None


@pytest.mark.parametrize("kind", INSERTED)
def test_an_operator_without_gradient(kind: str) -> None:
    """It is named with the earliest convolution behind it, which can indeed be trained; earlier ones are refused."""
    graph = with_operator(INSERTED[kind])
    pattern = rf"^{kind} '\w+' has no gradient: convolution 2 \('(\w+)'\) is the earliest that can be trained$"
    for scheme in ("bias-only", "last-3", UpdateScheme("mine", 3, {3: 0.5})):
        with pytest.raises(UnsupportedOperatorError) as error:
            compile_graph(graph, CompileOptions(train=scheme))
        assert re.match(pattern, str(error.value)), str(error.value)
    for scheme in ("last-2", "last-layer"):
        assert compile_graph(graph, CompileOptions(train=scheme)).training is not None


def test_only_the_classifier_is_left() -> None:
    b = GraphBuilder(1, "late")
    x = b.conv(b.input(1, 4, 4, 2), 4, Window((1, 1)))
    b.output(b.dense(b.pool(OpKind.MAX_POOL_2D, x, Window((4, 4))), 3))
    with pytest.raises(UnsupportedOperatorError, match=r"only the classifier can be trained \(scheme last-layer\)$"):
        compile_graph(b.graph, CompileOptions(train="last-1"))
    compile_graph(b.graph, CompileOptions(train="last-layer"))


def test_a_view_whose_input_has_other_readers() -> None:
    """Gradients cannot be added to a view; in the other order the view comes first, and the other one is added."""
    for view_first in (True, False):
        b = GraphBuilder(1, "view")
        x = b.conv(b.input(1, 4, 4, 2), 4, Window((4, 4)))
        view = b.reshape(x, 1, 4) if view_first else ""
        total = b.reshape(b.binary(OpKind.ADD, x, x), 1, 4)
        view = view or b.reshape(x, 1, 4)
        b.output(b.dense(b.binary(OpKind.ADD, view, total), 3))
        if view_first:
            with pytest.raises(UnsupportedOperatorError, match=r"RESHAPE '.*' has no gradient: only the classifier"):
                compile_graph(b.graph, CompileOptions(train="last-1"))
        else:
            compile_graph(b.graph, CompileOptions(train="last-1"))


def test_a_network_without_a_classifier() -> None:
    b = GraphBuilder(1, "headless")
    b.output(b.conv(b.input(1, 4, 4, 2), 4, Window((1, 1))))
    with pytest.raises(ModelError, match="ends in a fully connected classifier"):
        compile_graph(b.graph, CompileOptions(train="last-layer"))


@pytest.mark.parametrize(
    ("scheme", "sentence"),
    [
        ("last-99", "biases of 99 convolutions, but the network has"),
        (UpdateScheme("mine", 3, {50: 1.0}), "convolution 50, but the network's are numbered"),
        (UpdateScheme("mine", 1, {2: 1.0}), "set bias_last to at least"),
        ("mcunet-5fps/49kb", "no update scheme 'mcunet-5fps/49kb' for tiny: name a .json file, last-layer, bias-only"),
    ],
)
def test_a_scheme_that_does_not_fit(scheme: str | UpdateScheme, sentence: str) -> None:
    with pytest.raises(DataError, match=re.escape(sentence)) as error:
        compile_graph(network(), CompileOptions(train=scheme))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("velocity", [False, True])
def test_too_little_sram(velocity: bool) -> None:
    """By an option, and by what a board has for it."""
    options = CompileOptions(train="last-3", velocity=velocity, sram=3000)
    with pytest.raises(BudgetError, match=r"^the network needs ([\d,]+) bytes.* of SRAM to be trained") as error:
        compile_graph(network(), options)
    assert "\n" not in str(error.value)
    compiled = compile_graph(network(), CompileOptions(train="last-3", velocity=velocity, sram=3000_000))
    compiled.options = options
    with pytest.raises(
        BudgetError, match="of trained constants" + (", .* of their velocities" if velocity else "")
    ) as e:
        judge(compiled, load("sim_stm32f405"))
    assert f"use {'no --velocity, ' if velocity else ''}a smaller update scheme, --input rows" in str(e.value)


@pytest.mark.parametrize("option", [("--classes", 3), ("--residual",), ("--velocity",), ("--gradients", "float32")])
def test_options_of_training_without_a_scheme(option, tmp_path, monkeypatch, capsys) -> None:
    write_tflite(network(), tmp_path / "net.tflite")
    arguments = ("compile", tmp_path / "net.tflite", "--board", "sim_stm32f405", *option)
    assert "give --train SCHEME as well" in fails(monkeypatch, capsys, *arguments)
