"""Networks in the files that people keep them in: C arrays beside .tflite, and what lies beside both."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tinyengine.compiler import model_hashes
from tinyengine.data.metadata import load_metadata
from tinyengine.errors import ModelError
from tinyengine.frontend import load_tflite, network_bytes
from tinyengine.frontend.tflite_writer import tflite_bytes
from tinyengine.ir.ops import Window
from tinyengine.reference import run, tflite_runner
from tinyengine.reference.tflite_runner import open_reference

from tests.helpers.command_line import fails, tinyengine
from tests.helpers.edited import edited
from tests.helpers.graphs import GraphBuilder, random_inputs, small_graph

CONTENT = tflite_bytes(small_graph())


def xxd(data: bytes = CONTENT, name: str = "small_tflite") -> str:
    """As ``xxd -i`` writes it."""
    rows = [", ".join(f"0x{byte:02x}" for byte in data[i : i + 12]) for i in range(0, len(data), 12)]
    body = ",\n  ".join(rows)
    return f"unsigned char {name}[] = {{\n  {body}\n}};\nunsigned int {name}_len = {len(data)};\n"


def vendor(data: bytes = CONTENT) -> str:
    """As tutorials and vendors' tools write it: attributes, comments that look like arrays, decimal and signed."""
    signed = ", ".join(f"{byte if index % 2 else np.uint8(byte).astype(np.int8)}" for index, byte in enumerate(data))
    return f"""// Copyright: char license[] = {{1, 2, 3}};
#include "model.h"  /* g_model[] = {{0}} */
static const char *const kLabels[] = {{"//one", "/*two"}};
const uint16_t kTable[3] = {{1, 500, 3}};
#ifdef __has_attribute
#define ALIGN __attribute__((aligned(8)))
#endif
alignas(8) const unsigned char g_model[] ALIGN = {{ {signed}, }};
const int g_model_data_len = {len(data)};
const uint8_t kEmpty[4] = {{}};
"""


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text)
    return path


@pytest.mark.parametrize("suffix", [".h", ".c", ".cc", ".cpp"])
@pytest.mark.parametrize("text", [xxd(), xxd().upper().replace("0X", "0x"), vendor()], ids=["xxd", "upper", "vendor"])
def test_a_c_array_is_the_file_that_it_was_made_of(tmp_path, text, suffix) -> None:
    if "UNSIGNED" in text:
        text = text.replace("UNSIGNED CHAR", "unsigned char").replace("UNSIGNED INT", "unsigned int")
    path = written(tmp_path, f"model{suffix}", text)
    assert network_bytes(path) == CONTENT
    plain = tmp_path / "model.tflite"
    plain.write_bytes(CONTENT)
    assert model_hashes(path) == model_hashes(plain)


def test_numbers_as_c_understands_them(tmp_path) -> None:
    text = ", ".join(f"{byte:#o}".replace("0o", "0") + "u" for byte in CONTENT)
    assert network_bytes(written(tmp_path, "octal.c", f"char m[] = {{{text}}};")) == CONTENT


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("extern const unsigned char g_model[];", "defines no array that is a TensorFlow Lite model"),
        ("const char a[] = {1, 2, 3}; int b[] = {9};", "holds 2 arrays, none of which is"),
        (xxd(name="first") + xxd(name="second"), "holds 2 networks (first, second): leave one"),
        (xxd().replace("0x", "099", 1), "holds 1 arrays, none of which"),
        (xxd().replace("0x", "0x1", 1), "holds 1 arrays, none of which"),
        ("\0\xff[] = {", "defines no array"),
    ],
)
def test_a_file_without_one_network_is_refused(tmp_path, text, words) -> None:
    with pytest.raises(ModelError) as caught:
        load_tflite(written(tmp_path, "model.cc", text))
    assert words in str(caught.value) and str(caught.value).startswith("model.cc ")


def test_commands_take_c_arrays(monkeypatch, capsys, tmp_path) -> None:
    path = written(tmp_path, "person_detect_model_data.cc", vendor())
    code, out, _ = tinyengine(monkeypatch, capsys, "compile", path, "--board", "sim_stm32f405", "--json")
    assert code == 0 and json.loads(out)["macs"] == 6 * 5 * 4 * 9 * 4
    code, _, _ = tinyengine(monkeypatch, capsys, "convert", path, "-o", tmp_path / "out.tflite")
    assert code == 0 and (tmp_path / "out.tflite").read_bytes() == CONTENT
    empty = written(tmp_path, "model.h", "extern const unsigned char g_model[];")
    assert "name the file in which" in fails(monkeypatch, capsys, "compile", empty, "--board", "sim_stm32f405")


# --- the MODEL.json beside it ---


def test_an_empty_sidecar_is_none(tmp_path) -> None:
    (tmp_path / "x.json").touch()
    assert load_metadata(tmp_path / "x.tflite") is None


def test_a_command_may_print_to_the_sidecars_place(tmp_path) -> None:
    """As the shell does it for ``compile x.tflite --json > x.json``, and again over the old answer, half written."""
    (tmp_path / "x.tflite").write_bytes(CONTENT)
    command = [sys.executable, "-m", "tinyengine", "compile", "x.tflite", "--board", "sim_stm32f405", "--json"]
    for mode, before in (("w", ""), ("a", "{ an old answer")):
        (tmp_path / "x.json").write_text(before)
        with (tmp_path / "x.json").open(mode) as out:
            done = subprocess.run(command, cwd=tmp_path, stdout=out, stderr=subprocess.PIPE, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert json.loads((tmp_path / "x.json").read_text().removeprefix(before))["macs"] > 0


def test_what_a_command_has_printed_there_is_none(monkeypatch, capsys, tmp_path) -> None:
    (tmp_path / "x.tflite").write_bytes(CONTENT)
    compiling = ("compile", tmp_path / "x.tflite", "--board", "sim_stm32f405", "--json")
    for command in (compiling, ("check", tmp_path / "x.tflite", "--json")):
        code, out, _ = tinyengine(monkeypatch, capsys, *command)
        (tmp_path / "x.json").write_text(out)
        assert code == 0 and load_metadata(tmp_path / "x.tflite") is None
        assert tinyengine(monkeypatch, capsys, *compiling)[0] == 0


def test_other_damaged_sidecars_are_refused_as_before(monkeypatch, capsys, tmp_path) -> None:
    (tmp_path / "x.tflite").write_bytes(CONTENT)
    (tmp_path / "x.json").write_text(" ")
    assert "not valid JSON" in fails(monkeypatch, capsys, "compile", tmp_path / "x.tflite", "--board", "sim_stm32f405")


# --- what TFLite cannot load ---


def unloadable() -> bytes:
    """As TFLite Micro's own person_detect.tflite: biases whose many scales run along an axis that they do not have."""
    b = GraphBuilder(9)
    b.output(b.depthwise(b.input(1, 6, 6, 4), Window((3, 3))))

    def change(model: Any) -> None:
        [op] = model.subgraphs[0].operators
        model.subgraphs[0].tensors[op.inputs[2]].quantization.quantizedDimension = 3

    return edited(tflite_bytes(b.graph), change)


def test_what_tflite_cannot_load_is_compared_with_tflite_micro(tmp_path) -> None:
    pytest.importorskip("tensorflow")
    pytest.importorskip("tflite_micro")
    path = tmp_path / "person.tflite"
    path.write_bytes(unloadable())
    graph = load_tflite(path)
    reference = open_reference(path, 1, 1)
    assert "TFLite Micro" in reference.name and "TFLite's reference kernels cannot run this network" in reference.note
    inputs = random_inputs(graph, 3)
    np.testing.assert_array_equal(reference.run(inputs)[0], run(graph, inputs)[0])


def test_what_nobody_can_load_is_said_in_one_sentence(monkeypatch) -> None:
    pytest.importorskip("tensorflow")

    class Refusing:
        def __init__(self, *_: object) -> None:
            raise RuntimeError("Failed to initialize interpreter\nin several lines")

    with monkeypatch.context() as patch:
        patch.setattr(tflite_runner, "_TfliteMicro", Refusing)
        patch.setattr(importlib.util, "find_spec", lambda name: name)
        with pytest.raises(ModelError) as caught:
            open_reference(unloadable(), 1, 1)
    assert str(caught.value).startswith("TFLite's reference kernels, TFLite Micro, TFLite's other kernels cannot run")
    assert str(caught.value).endswith(": leave --check out") and "\n" not in str(caught.value)
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "tflite_micro" else find(name))
    with pytest.raises(ModelError, match=r"install tflite-micro.*pip install 'tinyengine\[check\]'"):
        open_reference(unloadable(), 1, 1)
