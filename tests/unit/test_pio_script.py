"""When PlatformIO's pre-build step compiles the network again."""

from __future__ import annotations

import runpy
import sys
from configparser import ConfigParser
from pathlib import Path
from types import ModuleType

import pytest
from tinyengine.paths import project_root

READ = [
    "net.tflite",
    "net.json",
    "boards/mine.json",
    "host/tinyengine/kernels/conv.py",
    "lib/tinyengine/include/tinyengine/te_depthwise_map_list.h",
]


class Environment(dict[str, str]):
    """SCons's, as far as the script asks it."""

    def subst(self, name: str) -> str:
        return self[name.strip("$")]

    def IsCleanTarget(self) -> bool:
        return True

    def GetProjectConfig(self) -> ConfigParser:
        config = ConfigParser()
        config.read_dict({"platformio": {"boards_dir": "boards"}})
        return config


@pytest.mark.parametrize("read", READ)
def test_the_fingerprint_changes_with_every_file_that_the_compiler_reads(
    read: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scons = ModuleType("SCons.Script")
    scons.COMMAND_LINE_TARGETS = []  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "SCons", ModuleType("SCons"))
    monkeypatch.setitem(sys.modules, "SCons.Script", scons)
    env = Environment(PROJECT_DIR=str(tmp_path), BOARD="mine")
    script = runpy.run_path(
        str(project_root() / "scripts" / "pio_compile_model.py"), {"env": env, "Import": lambda name: None}
    )
    for name in READ:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("as it was")
    fingerprint = script["fingerprint"]
    before = fingerprint(tmp_path / "net.tflite", ["compile"])
    assert fingerprint(tmp_path / "net.tflite", ["compile"]) == before
    (tmp_path / read).write_text("changed")
    assert fingerprint(tmp_path / "net.tflite", ["compile"]) != before
