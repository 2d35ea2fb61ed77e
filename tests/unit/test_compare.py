"""``tinyengine compare``: the first layer that differs, natively and over the protocol."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from tinyengine import native
from tinyengine.boards import load
from tinyengine.compare import NativeTarget, compare_layers
from tinyengine.compiler import CompileOptions, compile_graph, compile_model
from tinyengine.device.framing import Op, Status
from tinyengine.frontend import load_tflite
from tinyengine.measure.bench import inside_values, random_inputs
from tinyengine.reference import run as reference
from tinyengine.report.compare import compare_lines

from tests.helpers.command_line import fails, tinyengine
from tests.helpers.faulty_weights import network, with_fault, written
from tests.helpers.native_device import PICTURE_BYTES, Raw, build_compiled, native_device, random_picture
from tests.helpers.stateful import deep, stateful

BOARD = "sim_stm32f405"
FAULTY = 5  # an operator in the middle: the second block's expansion


def board_options(**more: object) -> CompileOptions:
    """As the command line has them for the board."""
    board = load(BOARD)
    requant = str(more.pop("requant", "fast"))
    return CompileOptions(board.cpu, requant=requant, sram_available=board.network_sram_bytes, **more)  # type: ignore[arg-type]


def test_natively_all_equal(monkeypatch, capsys, tmp_path) -> None:
    path = written(tmp_path)
    for options in ([], ["--optimize", "sram"], ["--optimize", "sram", "--input", "rows"], ["--optimize", "flash"]):
        code, out, _ = tinyengine(monkeypatch, capsys, "compare", path, "--port", "native", *options)
        assert code == 0 and re.fullmatch(r"all \d+ layers equal the reference\n", out), out


@pytest.mark.parametrize("operator", [0, 2, FAULTY])
def test_natively_the_faulty_layer_is_found(tmp_path, operator) -> None:
    path = written(tmp_path)
    right, wrong = compile_model(path), with_fault(path, operator, CompileOptions())
    inputs = inside_values(right.graph, random_inputs(right.graph, 1, 3)[0])
    found = compare_layers(right, NativeTarget(native.build(wrong)), [inputs])
    first = found.first
    assert first is not None and first.tensor == right.graph.operators[operator].outputs[0]
    assert right.calls[first.layer].op is right.graph.operators[operator]
    values, faulty = (reference(model.graph, inputs, keep_all=True)[first.tensor] for model in (right, wrong))
    assert first.differing == np.count_nonzero(values != faulty) > 0
    assert (first.expected, first.got) == (values[first.index], faulty[first.index])
    assert first.index == tuple(np.argwhere(values != faulty)[0])
    text = "\n".join(compare_lines(found))
    assert f"expected {first.expected}, got {first.got}" in text and first.name in text


def test_a_chain_is_named_as_a_whole(tmp_path) -> None:
    """With the layers of a block in one stage, only the block's output is there to be compared."""
    path, options = written(tmp_path), CompileOptions(optimize="sram")
    right, wrong = compile_model(path, options), with_fault(path, FAULTY, options)
    assert [call.name for call in right.calls] == [call.name for call in wrong.calls]
    inputs = inside_values(right.graph, random_inputs(right.graph, 1, 3)[0])
    found = compare_layers(right, NativeTarget(native.build(wrong)), [inputs])
    first = found.first
    assert first is not None and first.form in ("stream", "patch")
    assert right.graph.operators[FAULTY].name in first.operators and len(first.operators) > 1
    assert "in one chain" in "\n".join(compare_lines(found))


def test_states_are_compared_in_a_later_run() -> None:
    compiled = compile_graph(stateful(deep))
    runs = [inside_values(compiled.graph, values) for values in random_inputs(compiled.graph, 3, 1)]
    found = compare_layers(compiled, NativeTarget(native.build(compiled)), runs)
    assert found.first is None and found.compared + len(found.skipped) == found.layers


def test_a_device_with_a_wrong_weight(monkeypatch, capsys, tmp_path) -> None:
    path = written(tmp_path)
    executable = build_compiled(with_fault(path, FAULTY, board_options()), tmp_path, BOARD)
    with native_device(executable=executable) as device:
        code, out, _ = tinyengine(monkeypatch, capsys, "compare", path, "--port", device.url, "--json")
        first = json.loads(out)["first"]
        assert code == 1 and first["tensor"] == load_tflite(path).operators[FAULTY].outputs[0]
        assert first["elements"] == 20 * 20 * 16 and 0 < first["differing"] <= 20 * 20
        assert first["expected"] != first["got"]
        code, out, _ = tinyengine(monkeypatch, capsys, "compare", path, "--port", device.url)
        assert code == 1 and "differs" in out and f"expected {first['expected']}, got {first['got']}" in out
        sentence = fails(monkeypatch, capsys, "compare", path, "--port", device.url, "--optimize", "sram")
        assert "repeat those of tinyengine build" in sentence


@pytest.mark.parametrize("options", [{}, {"optimize": "flash"}, {"optimize": "sram", "input": "rows"}])
def test_a_device_that_is_right(monkeypatch, capsys, tmp_path, options) -> None:
    path = written(tmp_path)
    executable = build_compiled(compile_model(path, board_options(**options)), tmp_path, BOARD)
    arguments = [word for name, value in options.items() for word in (f"--{name}", value)]
    with native_device(executable=executable) as device:
        code, out, _ = tinyengine(monkeypatch, capsys, "compare", path, "--port", device.url, *arguments)
    assert code == 0 and "layers equal the reference" in out


def test_another_network_is_refused(monkeypatch, capsys, tmp_path) -> None:
    path = written(tmp_path)
    with native_device() as device:
        assert "another network" in fails(monkeypatch, capsys, "compare", path, "--port", device.url)


def test_the_protocol_refuses_what_makes_no_sense() -> None:
    layer = (0).to_bytes(2, "little") + bytes(2)

    def piece(offset: int, length: int) -> bytes:
        return offset.to_bytes(4, "little") + length.to_bytes(4, "little")

    with native_device() as device:
        raw = Raw(device)
        raw.hello()
        assert raw.ask(Op.TRACE, layer + piece(0, 16)).status == Status.INCOMPLETE
        assert raw.ask(Op.TRACE, layer + piece(0, 1 << 31)).status == Status.MALFORMED
        assert raw.ask(Op.TRACE, layer + piece(0xFFFFFFFF, 16)).status == Status.MALFORMED
        assert raw.ask(Op.TRACE, b"\xff\xff\0\0" + piece(0, 16)).status == Status.MALFORMED
        assert raw.ask(Op.TRACE, layer).status == Status.MALFORMED
        assert random_picture(0).nbytes == PICTURE_BYTES


def test_the_network_of_these_tests_has_the_faulty_operators() -> None:
    assert [str(op.kind) for op in network().operators][FAULTY] == "CONV_2D"
