"""The table of cores: who reads it gets one sentence for a core that is not there, and needs nothing installed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from tinyengine import cores
from tinyengine.cores import CORES, SIMULATED, core, machine
from tinyengine.errors import ToolError


def test_the_table_is_read_without_what_is_installed() -> None:
    """As PlatformIO's builder does, with a Python of its own: -I and -S leave it the standard library. So do boards."""
    program = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from tinyengine import cores\n"
        "from tinyengine.boards import files, load\n"
        "files.header(load('nucleo_h743zi')), files.linker_script(load('nucleo_h743zi'), 1)\n"
        "print(*cores.CORES)\n"
    )
    command = [sys.executable, "-I", "-S", "-c", program, str(Path(cores.__file__).parents[1])]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.split() == list(CORES)


@pytest.mark.parametrize("name", CORES)
def test_features_are_known(name: str) -> None:
    assert core(name).name == name
    assert core(name).features <= {"dsp", "mve", "registers"}
    assert core(name).requant == ("fast" if "dsp" in core(name).features else "exact")


def test_a_core_that_is_not_there() -> None:
    with pytest.raises(ToolError, match=f"^unknown core z80: choose one of {', '.join(CORES)}$"):
        core("z80")


def test_a_core_that_is_not_simulated() -> None:
    listed = ", ".join(SIMULATED)
    with pytest.raises(ToolError, match=f"^no simulator for the core z80: choose one of {listed}$"):
        machine("z80")
