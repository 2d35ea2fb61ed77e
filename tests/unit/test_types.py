"""Tensors that are not int8 and operators with several outputs, from the graph to C: see tests/helpers/typed.py."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from tinyengine.boards import load
from tinyengine.compiler import compile_graph
from tinyengine.device import open_device
from tinyengine.device.client import DTYPES
from tinyengine.errors import DataError, ModelError, ToolError
from tinyengine.export.example import CTYPES
from tinyengine.ir import Port
from tinyengine.ir.printer import format_graph
from tinyengine.ir.verify import verify
from tinyengine.measure.bench import _insist
from tinyengine.measure.bench import random_inputs as port_values
from tinyengine.measure.target_runner import RunResult
from tinyengine.native.build import build, run_many
from tinyengine.passes import optimize
from tinyengine.paths import project_root
from tinyengine.project.budget import judge
from tinyengine.reference import Session
from tinyengine.report.compile import compile_table
from tinyengine.report.plan import plan_scenes, plan_table

from tests.helpers.graphs import random_inputs
from tests.helpers.native_device import build_compiled, native_device
from tests.helpers.typed import DIVIDE, typed_graph, typed_model


def test_everyone_knows_the_types_of_ports() -> None:
    root = project_root()
    listed = re.search(
        r"enum \{ (TE_INT8[^}]*) \}", (root / "lib/tinyengine/include/tinyengine/te_model.h").read_text()
    )
    codes = re.search(r'"(\w+)"\[port->dtype\]', (root / "firmware/micropython/te_micropython.c").read_text())
    assert listed is not None and codes is not None
    assert tuple(name.removeprefix("TE_").lower() for name in listed[1].split(", ")) == DTYPES == tuple(CTYPES)
    assert [np.dtype(code) for code in codes[1]] == [np.dtype(name) for name in DTYPES]


def test_generated_code_passes_every_tensor_in_its_own_type() -> None:
    text = typed_model().sources["typed.c"]
    plan = typed_model().plan
    assert (
        f"te_test_divide(&layer_000_test_divide_params, (const int8_t *)(typed_arena + {plan.addresses['x']}), "
        f"(int16_t *)(typed_arena + {plan.addresses['many']}), (float *)(typed_arena + {plan.addresses['parts']}));"
    ) in text
    assert "(const int16_t *)(typed_states + 0), (int32_t *)(typed_arena + " in text
    assert "(int16_t *)(typed_states + 0));" in text  # the next value, where the state was
    assert '"parts", typed_arena + ' in text and ", 48u, 0x1.0000000000000p+0f, 0, 1, TE_FLOAT32, {12}}," in text
    assert '{"next", typed_states + 0, 24u, 0x1.0000000000000p+0f, 0, 1, TE_INT16, {12}},' in text
    assert "1, TE_UINT8, {12}}," in text and "1, TE_INT32, {12}}," in text


def test_an_output_lies_over_an_input_as_far_as_their_types_allow() -> None:
    """x (12 bytes), many (24), parts (48), extra (12), sum (48): sum over extra at most."""
    plan = typed_model().plan
    assert plan.arena_bytes == 24 + 48 + 48 + 12 - 12
    assert plan.states == {"before": 0, "next": 0}


def test_generated_code_answers_as_the_oracle() -> None:
    model, session = typed_model(), Session(typed_graph())
    network = build(model)
    for seed in range(6):
        inputs = random_inputs(model.graph, seed)
        for got, wanted in zip(network.run(inputs), session.run(inputs), strict=True):
            assert got.dtype == wanted.dtype
            np.testing.assert_array_equal(got, wanted)
    network.reset()
    inputs = random_inputs(model.graph, 0)
    wanted = Session(model.graph).run(inputs)
    for outputs in (network.run(inputs), run_many([model], [inputs])[0]):
        for got, array in zip(outputs, wanted, strict=True):
            np.testing.assert_array_equal(got, array)


def test_firmware_says_the_types_of_its_ports(tmp_path: Path) -> None:
    model, session = typed_model("network"), Session(typed_graph())
    with native_device(executable=build_compiled(model, tmp_path)) as native, open_device(native.url) as device:
        assert [port.dtype for port in device.identity.inputs] == ["int8", "uint8"]
        assert [port.dtype for port in device.identity.outputs] == ["float32", "int32", "int16"]
        for seed in range(3):
            inputs = random_inputs(model.graph, seed)
            got = device.infer([value[0] for value in inputs]).outputs
            for array, wanted in zip(got, session.run(inputs), strict=True):
                assert array.dtype == wanted.dtype
                np.testing.assert_array_equal(array, wanted[0])
        with pytest.raises(DataError, match="input extra must be uint8, not int8"):
            device.infer([inputs[0][0], inputs[1][0].view(np.int8)])


def test_passes_and_printer_know_operators_with_several_outputs() -> None:
    graph = typed_graph()
    optimized = optimize(graph)
    assert [op.outputs for op in optimized.operators] == [["many", "parts"], ["sum", "next"]]
    text = format_graph(graph)
    assert "x int8[1x12](1, 0) -> many int16[1x12], parts float32[1x12]" in text
    assert "state  before int16[1x12], at first -5000..6000, then next" in text
    graph.outputs = graph.outputs[:1]  # an output that nobody wants keeps its tensor beside one that is wanted
    graph.states = []
    assert optimize(graph).tensors.keys() == {"x", "extra", "many", "parts"}


def test_an_operator_on_constants_alone_becomes_constants() -> None:
    graph = typed_graph()
    x = graph.tensor("x")
    x.data = np.arange(12, dtype=np.int8).reshape(1, 12)
    graph.inputs, graph.outputs = graph.inputs[1:], graph.outputs[1:]
    optimized = optimize(graph)
    assert [op.kind for op in optimized.operators] == ["TEST_COLLECT"]
    np.testing.assert_array_equal(optimized.tensor("parts").data, x.data.astype(np.float32) / 4)


def test_structure_of_several_outputs_is_verified() -> None:
    for outputs, message in (
        (["many"], "1 inputs and 1 outputs"),
        (["many", "ghost"], "writes 'ghost', which is no tensor"),
        (["many", "x"], "writes tensor 'x', which has a value already"),
        ([], "writes no tensor"),
        (["parts", "many"], "in float32, not int16"),
    ):
        graph = typed_graph()
        graph.operators[0].outputs = outputs
        graph.operators, graph.outputs, graph.states = graph.operators[:1], [Port("x", "x", "int8")], []
        with pytest.raises(ModelError, match=message):
            verify(graph)


def test_a_port_shows_its_tensor_or_converts_it_from_int8() -> None:
    graph = typed_graph()
    graph.outputs[1] = replace(graph.outputs[1], dtype="float32")
    with pytest.raises(ModelError, match="port 'sum' is float32 outside and int32 inside"):
        verify(graph)


def test_random_inputs_have_the_types_of_their_ports() -> None:
    graph = typed_graph()
    graph.inputs.append(Port("real", "real", "float32"))
    graph.tensors["real"] = replace(graph.tensor("parts"), name="real")
    assert [value.dtype for value in port_values(graph, 1)[0]] == ["int8", "uint8", "float32"]
    assert graph.operators[0].kind == DIVIDE and compile_graph(typed_graph()).macs == 0


def test_tables_and_pictures_show_every_output() -> None:
    model, board = compile_graph(typed_graph()), load("sim_stm32f405")
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(compile_table(model, judge(model, board), board), plan_table(model, board))
    text = console.export_text()
    assert text.count("12, 12") == 4 and ", 24 bytes of states; " in text
    assert plan_scenes(model)


def test_answers_that_are_no_numbers_may_be_the_same_twice() -> None:
    runs = [RunResult([np.array([x, 1.0], np.float32)], 1, 4, True, 0) for x in (np.nan, np.nan, 2.0)]
    _insist(runs[:2], 1)
    with pytest.raises(ToolError, match="gave two answers"):
        _insist(runs[1:], 1)
