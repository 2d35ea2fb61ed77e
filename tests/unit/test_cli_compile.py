"""``tinyengine compile`` as a user meets it: figures, sources, one sentence for every mistake."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from tinyengine.cli.main import COMMANDS
from tinyengine.frontend.tflite_writer import write_tflite
from tinyengine.ir.ops import Window

from tests.helpers.command_line import tinyengine
from tests.helpers.graphs import GraphBuilder, small_graph

BOARD = "sim_stm32f405"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "small.tflite"
    write_tflite(small_graph(), path)
    return path


def test_json_has_the_contract_keys(monkeypatch, capsys, model) -> None:
    code, out, _ = tinyengine(monkeypatch, capsys, "compile", model, "--board", BOARD, "--json")
    report = json.loads(out)
    assert code == 0
    assert report["macs"] == report["macs_executed"] == 6 * 5 * 4 * 9 * 4
    assert report["arena_bytes"] >= report["activation_peak_bytes"] >= 2 * 120
    assert set(report["flash_bytes"]) == {"weights", "code", "total"}
    assert [layer["op"] for layer in report["layers"]] == ["CONV_2D", "ADD"]
    assert all(stage["kind"] for stage in report["stages"])
    assert report["fit"]["sram_used"] == report["arena_bytes"]


def test_writes_the_sources_and_nothing_without_out(monkeypatch, capsys, model, tmp_path) -> None:
    before = sorted(tmp_path.rglob("*"))
    assert tinyengine(monkeypatch, capsys, "compile", model, "--board", BOARD)[0] == 0
    assert sorted(tmp_path.rglob("*")) == before
    out = tmp_path / "deep" / "out"
    assert tinyengine(monkeypatch, capsys, "compile", model, "--board", BOARD, "--out", out)[0] == 0
    assert sorted(path.name for path in out.iterdir()) == [
        "network.c",
        "network.h",
        "network_weights.c",
        "network_weights.h",
    ]


def test_a_core_instead_of_a_board(monkeypatch, capsys, model, tmp_path) -> None:
    """The same code, with names of its own, and no limits but those that are given."""
    arguments = ("--cpu", "cortex-m4", "--prefix", "cat", "--out", tmp_path / "out")
    code, out, _ = tinyengine(monkeypatch, capsys, "compile", model, *arguments, "--json")
    report = json.loads(out)
    assert code == 0
    assert report["cpu"] == "cortex-m4" and "board" not in report and "storage" not in report
    assert report["fit"]["sram_available"] is None is report["fit"]["flash_available"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "cat.c",
        "cat.h",
        "cat_weights.c",
        "cat_weights.h",
    ]
    code, out, _ = tinyengine(monkeypatch, capsys, "compile", model, *arguments, "--sram", "64K", "--flash", "1M")
    assert code == 0 and " of 64" in out and " of 1" in out


def test_explain_prints_the_graph_after_each_pass(monkeypatch, capsys, model) -> None:
    code, out, _ = tinyengine(monkeypatch, capsys, "compile", model, "--board", BOARD, "--explain")
    assert code == 0
    assert "after import" in out
    assert "CONV_2D" in out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--board", "nonsense"], ["nonsense", BOARD]),
        (["--board", BOARD, "--sram", "64"], ["64 bytes", "SRAM"]),
        (["--board", BOARD, "--flash", "200"], ["200 bytes", "flash"]),
        (["--board", BOARD, "--sram", "12 parsecs"], ["parsecs", "size"]),
        (["--board", BOARD, "--max-recompute", "0.5"], ["0.5"]),
        (["--board", BOARD, "--train", "last-layer"], ["ends in a fully connected classifier"]),
        (["--board", BOARD, "--classes", "3"], ["--classes", "--train"]),
        ([], ["--board", "--cpu"]),
        (["--board", BOARD, "--cpu", "cortex-m4"], ["either", "--board", "--cpu"]),
        (["--cpu", "cortex-m99"], ["cortex-m99", "cortex-m0plus"]),
        (["--cpu", "cortex-m4", "--flash", "200"], ["200 bytes", "flash", "what it may take"]),
        (["--cpu", "cortex-m4", "--sram", "64"], ["64 bytes", "SRAM"]),
        (["--cpu", "cortex-m4", "--prefix", "3d"], ["3d", "a letter"]),
        (["--cpu", "cortex-m4", "--prefix", ""], ["''", "a letter"]),
        (["--cpu", "cortex-m4", "--prefix", "class"], ["--prefix class_network"]),
        (["--cpu", "cortex-m4", "--prefix", "te_conv"], ["--prefix network_te_conv"]),
    ],
)
def test_mistakes_end_in_one_sentence(monkeypatch, capsys, model, tmp_path, arguments, words) -> None:
    out = tmp_path / "out"
    code, _, err = tinyengine(monkeypatch, capsys, "compile", model, "--out", out, *arguments)
    assert code == 2
    (sentence,) = [line for line in err.splitlines() if line.startswith("error: ")]
    assert all(word in sentence for word in words), sentence
    assert "Traceback" not in err
    assert not out.exists()


def test_a_network_too_big_for_layers_streams_by_itself(monkeypatch, capsys, tmp_path) -> None:
    """Layers of 160x160x8 do not fit 128 KB; the chain of them does, without any option."""
    b = GraphBuilder(1, "wide")
    x = b.conv(b.input(1, 160, 160, 1), 8, Window((3, 3), pad=(1, 1, 1, 1)))
    b.output(b.conv(x, 4, Window((3, 3), (4, 4), pad=(1, 1, 1, 1))))
    path = tmp_path / "wide.tflite"
    write_tflite(b.graph, path)
    code, out, _ = tinyengine(monkeypatch, capsys, "compile", path, "--board", BOARD, "--json")
    report = json.loads(out)
    assert code == 0
    assert report["arena_bytes"] <= report["fit"]["sram_available"] < 160 * 160 * 8
    assert [stage["kind"] for stage in report["stages"]] == ["stream"]


@pytest.mark.parametrize("content", [None, b"", b"TFL3", np.random.default_rng(0).bytes(1000)])
def test_unreadable_models_end_in_one_sentence(monkeypatch, capsys, tmp_path, content) -> None:
    path, out = tmp_path / "broken.tflite", tmp_path / "out"
    if content is not None:
        path.write_bytes(content)
    code, _, err = tinyengine(monkeypatch, capsys, "compile", path, "--board", BOARD, "--out", out)
    assert code == 2
    assert err.startswith("error: ") and "broken.tflite" in err and "Traceback" not in err
    assert not out.exists()


def test_out_that_is_a_file_is_refused(monkeypatch, capsys, model, tmp_path) -> None:
    target = tmp_path / "file"
    target.write_text("mine")
    code, _, err = tinyengine(monkeypatch, capsys, "compile", model, "--board", BOARD, "--out", target)
    assert code == 2 and "Traceback" not in err
    assert target.read_text() == "mine"


@pytest.mark.parametrize("name", list(COMMANDS))
def test_every_command_has_help_with_an_example(monkeypatch, capsys, name) -> None:
    code, out, _ = tinyengine(monkeypatch, capsys, name, "--help")
    assert code == 0
    assert "Example" in out, f"{name} --help shows no example"


def test_version_names_package_and_git_state(monkeypatch, capsys) -> None:
    code, out, _ = tinyengine(monkeypatch, capsys, "--version")
    assert code == 0
    assert out.startswith("tinyengine ") and "(" in out
