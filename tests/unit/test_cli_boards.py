"""``tinyengine boards``: the list, and what a network takes on each board."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tinyengine.boards import load, names
from tinyengine.paths import project_root

from tests.helpers import needs
from tests.helpers.command_line import fails, run, tinyengine

MODEL = project_root() / "models" / "person_tiny.tflite"


def test_the_list() -> None:
    done = run("boards")
    assert done.exit_code == 0
    assert all(name in done.output for name in names())
    listed = {entry["board"]: entry for entry in json.loads(run("boards", "--json").output)}
    assert list(listed) == names()
    board = listed["nucleo_h743zi"]
    assert board["memories"][0] == {"name": "DTCM", "kind": "DTCM", "address": 0x20000000, "bytes": 131072}
    assert (board["clock_hz"], board["upload"], board["simulators"]) == (400_000_000, "openocd", ["renode"])
    assert listed["openmv_h7"]["camera"] == "OV7725"


@needs.arm_gcc
def test_sizes() -> None:
    done = run("boards", MODEL, "--board", "sim_stm32f405", "--json")
    [entry] = json.loads(done.stdout)
    assert (done.exit_code, entry["board"], entry["fits"]) == (0, "sim_stm32f405", True)
    assert entry["arena_memories"] == ["SRAM1"]
    assert entry["arena_bytes"] < entry["sram_bytes"] < load("sim_stm32f405").sram_bytes
    assert entry["weight_bytes"] < entry["flash_bytes"] < load("sim_stm32f405").flash_bytes
    assert "does not fit" not in run("boards", MODEL, "--board", "sim_stm32f405").output


@needs.arm_gcc
def test_a_network_that_fits_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    description = json.loads((project_root() / "boards" / "sim_stm32f405.json").read_text())
    description["tinyengine"]["memories"][0]["bytes"] = 24576
    del description["tinyengine"]["memories"][1]
    (path := tmp_path / "little.json").write_text(json.dumps(description))
    done = run("boards", MODEL, "--board", path, "--json")
    [entry] = json.loads(done.stdout)
    assert done.exit_code == 1
    assert not entry["fits"]
    assert "a board with more" in entry["problem"]
    assert "does not fit" in run("boards", MODEL, "--board", path).stdout


def test_a_board_that_is_not_there(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert "the boards are" in fails(monkeypatch, capsys, "boards", "--board", "nucleo")
    code, _, err = tinyengine(monkeypatch, capsys, "boards", "--board")
    assert code == 2
    assert "--board" in err
