"""``tinyengine check``: every operator that is not supported, not only the first, and what the others take."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from tinyengine.cli.main import COMMANDS
from tinyengine.compiler.survey import survey
from tinyengine.errors import ModelError
from tinyengine.frontend import load_tflite
from tinyengine.frontend.tflite_micro import OPERATORS, computes
from tinyengine.frontend.tflite_writer import tflite_bytes
from tinyengine.ir.ops import Window
from tinyengine.paths import shared_dir

from tests.helpers.command_line import fails, tinyengine
from tests.helpers.edited import edited, schema
from tests.helpers.graphs import GraphBuilder

UNKNOWN, STRANGER = "RFFT2D", "WHILE"
"""Operators that nobody is going to support here; TFLite Micro has the second."""


def network(folder: Path, changes: dict[int, str], types: dict[int, str] | None = None) -> Path:
    """Six convolutions in a row; ``changes``: what some of them become; ``types``: of what some of them compute."""
    b = GraphBuilder(5)
    x = b.input(1, 8, 8, 4)
    for _ in range(6):
        x = b.conv(x, 4, Window((1, 1)))
    b.output(x)

    def change(model: Any) -> None:
        objects = schema()
        for index, kind in changes.items():
            code = objects.OperatorCodeT()
            code.builtinCode = getattr(objects.BuiltinOperator, kind)
            code.deprecatedBuiltinCode = min(code.builtinCode, 127)
            operator = model.subgraphs[0].operators[index]
            operator.opcodeIndex, operator.builtinOptions, operator.builtinOptionsType = (
                len(model.operatorCodes),
                None,
                0,
            )
            model.operatorCodes.append(code)
        for index, dtype in (types or {}).items():
            output = model.subgraphs[0].operators[index].outputs[0]
            model.subgraphs[0].tensors[output].type = getattr(objects.TensorType, dtype)

    path = folder / "six.tflite"
    path.write_bytes(edited(tflite_bytes(b.graph), change))
    return path


def test_a_supported_network_and_what_it_takes(monkeypatch, capsys, tmp_path) -> None:
    path = network(tmp_path, {})
    code, out, _ = tinyengine(monkeypatch, capsys, "check", path, "--json")
    figures = json.loads(out)
    assert (code, figures["supported"], figures["tflite_micro"], figures["other"]) == (0, True, True, [])
    assert [operator["operator"] for operator in figures["operators"]] == ["CONV_2D"] * 6
    takes = figures["takes"]
    assert takes["macs"] == 6 * 8 * 8 * 4 * 4 and takes["flash_bytes"]["weights"] > 6 * 16
    assert 256 <= takes["arena_bytes_smallest"] <= takes["arena_bytes"]
    code, out, _ = tinyengine(monkeypatch, capsys, "check", path)
    assert code == 0 and "supported; on a cortex-m4 it takes" in out and "6,144 MACs" in out


def test_all_refusals_are_named(monkeypatch, capsys, tmp_path) -> None:
    path = network(tmp_path, {1: UNKNOWN, 3: STRANGER, 5: UNKNOWN})
    code, out, _ = tinyengine(monkeypatch, capsys, "check", path, "--json")
    figures = json.loads(out)
    assert (code, figures["supported"], figures["tflite_micro"], figures["takes"]) == (1, False, False, None)
    verdicts = [(o["operator"], o["supported"], o["tflite_micro"]) for o in figures["operators"]]
    conv = ("CONV_2D", True, True)
    assert verdicts == [conv, (UNKNOWN, False, False), conv, (STRANGER, False, True), conv, (UNKNOWN, False, False)]
    with pytest.raises(ModelError) as first:
        load_tflite(path)
    assert str(first.value) == f"six.tflite: {figures['operators'][1]['why']}"
    code, out, _ = tinyengine(monkeypatch, capsys, "check", path)
    text = " ".join(out.split())
    assert code == 1 and f"{UNKNOWN} (1, 5) is not supported" in text and f"{STRANGER} (3) is not supported" in text
    assert "Traceback" not in out and "not supported as it is" in out


def test_what_follows_from_a_refusal_is_not_judged(tmp_path) -> None:
    """A tensor whose type the IR does not know: what reads it cannot be judged, what comes later can."""
    found = survey(network(tmp_path, {1: UNKNOWN, 4: STRANGER}, {1: "BOOL"}), "cortex-m4")
    after = [operator.after for operator in found.operators]
    why = [operator.why is not None for operator in found.operators]
    assert why[1] and why[4] and not why[0] and not why[3] and not why[5]
    assert after == [None, None, None if why[2] else 1, None, None, None]


def test_the_border_is_judged_with_the_rest(tmp_path) -> None:
    def change(model: Any) -> None:
        graph = model.subgraphs[0]
        graph.tensors[graph.inputs[0]].type = schema().TensorType.BOOL

    path = network(tmp_path, {2: UNKNOWN})
    path.write_bytes(edited(path.read_bytes(), change))
    found = survey(path, "cortex-m4")
    assert any("input tensor" in sentence for sentence in found.other)
    assert found.operators[2].why is not None and not found.supported


def test_operators_that_contradict_themselves_are_all_named(tmp_path) -> None:
    b = GraphBuilder(6)
    x = b.input(1, 4, 4, 2)
    for _ in range(2):
        x = b.softmax(x)
    b.output(x)
    path = tmp_path / "odd.tflite"

    def change(model: Any) -> None:
        for operator in model.subgraphs[0].operators:
            model.subgraphs[0].tensors[operator.outputs[0]].quantization.scale = [0.125]

    path.write_bytes(edited(tflite_bytes(b.graph), change))
    found = survey(path, "cortex-m4")
    assert all("SOFTMAX" in str(operator.why) for operator in found.operators)


def test_kernels_are_asked_as_well(tmp_path) -> None:
    """What only a kernel refuses, twice: both are named, by their numbers in the file."""
    b = GraphBuilder(6)
    x = b.input(1, 4, 4, 2)
    for _ in range(2):
        x = b.conv(x, 2, Window((1, 1)))
    b.output(x)
    path = tmp_path / "asymmetric.tflite"

    def change(model: Any) -> None:
        for operator in model.subgraphs[0].operators:
            model.subgraphs[0].tensors[operator.inputs[1]].quantization.zeroPoint = [3, 3]

    path.write_bytes(edited(tflite_bytes(b.graph), change))
    found = survey(path, "cortex-m4")
    assert all("zero point" in str(operator.why) for operator in found.operators)


def test_what_is_no_network_is_an_error(monkeypatch, capsys, tmp_path) -> None:
    path = tmp_path / "no.tflite"
    path.write_bytes(b"nothing of the kind, in more than sixteen bytes")
    assert "not a TensorFlow Lite model" in fails(monkeypatch, capsys, "check", path)
    assert "cannot read" in fails(monkeypatch, capsys, "check", tmp_path / "none.tflite")


def test_the_command_is_listed() -> None:
    assert "check" in COMMANDS


# --- TFLite Micro ---


def test_names_are_those_of_the_schema() -> None:
    names = {name for name in vars(schema().BuiltinOperator) if not name.startswith("_")}
    assert set(OPERATORS) <= names


@pytest.mark.skipif(not find_spec("tflite_micro") or not shutil.which("nm"), reason="tflite-micro or nm is missing")
def test_the_table_has_the_operators_of_the_installed_package() -> None:
    spec = find_spec("tflite_micro")
    assert spec is not None and spec.origin is not None
    (library,) = Path(spec.origin).parent.rglob("_runtime*.so")
    symbols = subprocess.run(["nm", "-DC", str(library)], capture_output=True, text=True, check=True).stdout
    registered = set(re.findall(r"\bRegister_([A-Z0-9_]+)\(", symbols))
    names = {name for name in vars(schema().BuiltinOperator) if not name.startswith("_")}
    assert registered & names - {"CUSTOM"} == set(OPERATORS)


def test_custom_operators() -> None:
    assert computes("custom operator TFLite_Detection_PostProcess", "int8")
    assert computes("custom operator SignalRfft", "int16") and not computes("custom operator Mine", "int8")
    assert computes("CONV_2D", "int16") and not computes("CONV_2D", "uint8") and not computes("GELU", "int8")


def test_the_published_networks_agree_with_the_table() -> None:
    """Whatever TFLite Micro runs consists of operators that the table says it has."""
    shared = shared_dir()
    folder = shared / "models" / "wild" if shared else None
    if folder is None or not (folder / "index.json").is_file():
        pytest.skip("the published networks (TINYENGINE_SHARED) are not here")
    wrong = []
    for entry in json.loads((folder / "index.json").read_text()):
        try:
            found = survey(folder / entry["file"], "cortex-m4")
        except ModelError:
            continue
        if all(operator.tflite_micro for operator in found.operators) != entry["tflm_runs"]:
            wrong.append((entry["file"], [(o.operator, o.type) for o in found.operators if not o.tflite_micro]))
    assert not wrong
