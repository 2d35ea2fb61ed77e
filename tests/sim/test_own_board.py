"""A board of the user's: one file outside the checkout, built by PlatformIO, run by QEMU, and what refuses it."""

from __future__ import annotations

import json
import os
import re
import stat
from pathlib import Path

import pytest
from tinyengine import sim
from tinyengine.boards import load
from tinyengine.compiler import CompileOptions
from tinyengine.device import open_device
from tinyengine.paths import project_root
from tinyengine.project.build import build
from tinyengine.project.flash import flash

from tests.helpers import networks
from tests.helpers.command_line import run


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A description that differs from its neighbour's in name, memory, stack and upload."""
    monkeypatch.setenv("PLATFORMIO_BUILD_DIR", str(tmp_path / "build"))
    description = json.loads((project_root() / "boards" / "sim_stm32f405.json").read_text())
    description["name"] = "My own board"
    ours = description["tinyengine"]
    ours["memories"] = [{"name": "SRAM1", "kind": "SRAM", "address": "0x20000000", "bytes": 114688}]
    ours["stack_bytes"] = 6144
    (tmp_path / "folder with spaces").mkdir()
    path = tmp_path / "folder with spaces" / "myboard.json"
    path.write_text(json.dumps(description))
    return path


def test_one_file_is_a_board(own: Path, tmp_path: Path) -> None:
    pytest.importorskip("tensorflow", reason="builds its network with TensorFlow")
    model, board = networks.path("one_relu"), load(str(own))
    firmware = build(model, board, CompileOptions(cpu=board.cpu))
    assert firmware.elf == tmp_path / "build" / "myboard" / "firmware.elf"
    assert firmware.elf.is_file()
    with sim.start(str(own)) as simulation, open_device(simulation.url) as device:
        assert device.identity.board == "myboard"
        assert device.identity.model_hash == firmware.compiled.model_hash
    with open_device(f"sim:{own}") as device:
        assert device.identity.board == "myboard"
    map_file = (firmware.elf.parent / "firmware.map").read_text()
    assert re.search(r"0x0*20001800 +_stack_top", map_file), "the stack is its own, of 6 KB"

    # Uploaded, its own way.
    description = json.loads(own.read_text())
    description["upload"] = {"protocol": "dfu"}
    own.write_text(json.dumps(description))
    program, record = tmp_path / "dfu-util", tmp_path / "arguments"
    program.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >{record}\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
        flash(load(str(own)))
    assert record.read_text().splitlines()[-1] == str(firmware.elf.with_suffix(".bin"))


def test_commands_take_it(own: Path, tmp_path: Path) -> None:
    model = project_root() / "models" / "person_tiny.tflite"
    for command in (
        ["compile", str(model), "--board", str(own), "--out", str(tmp_path / "out")],
        ["plan", str(model), "--board", str(own)],
        ["boards", str(model), "--board", str(own), "--json"],
    ):
        done = run(*command)
        assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    [entry] = found
    assert (entry["board"], entry["fits"], entry["arena_memories"]) == ("myboard", True, ["SRAM1"])
    done = run("bench", str(model), "--board", str(own), "--cpu", "cortex-m4")
    assert done.exit_code == 2
    assert "give either --board BOARD or --cpu CORE" in done.output
