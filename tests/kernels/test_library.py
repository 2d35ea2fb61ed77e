"""lib/tinyengine as a C library: strict warnings on the device's compiler, no state, no allocation."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from tinyengine.native.library import library_sources
from tinyengine.paths import project_root

from tests.helpers import needs
from tests.helpers.batch import STRICT

ROOT = project_root() / "lib" / "tinyengine"
CORES = {
    "cortex-m4": ["-mcpu=cortex-m4", "-mthumb", "-mfpu=fpv4-sp-d16", "-mfloat-abi=hard"],
    "cortex-m7": ["-mcpu=cortex-m7", "-mthumb", "-mfpu=fpv5-sp-d16", "-mfloat-abi=hard"],
}
# What a freestanding C library must provide, and the compiler's own helpers for 64-bit arithmetic.
ALLOWED_SYMBOLS = {"memcpy", "memmove", "memset", "__aeabi_ldivmod", "__aeabi_uldivmod", "__aeabi_lmul", "__aeabi_l2f"}


@needs.arm_gcc
@pytest.mark.parametrize("portable", [True, False], ids=["portable", "dsp"])
@pytest.mark.parametrize("core", CORES)
def test_compiles_without_a_warning_and_keeps_no_state(core: str, portable: bool, tmp_path: Path) -> None:
    flags = ["-std=c11", "-O2", "-Wall", "-Wextra", "-Werror", *STRICT, *(["-DTE_PORTABLE"] if portable else [])]
    sources = [str(path) for path in [*library_sources(), *sorted((ROOT / "src").rglob("*.S"))]]
    command = ["arm-none-eabi-gcc", *CORES[core], *flags, f"-I{ROOT / 'include'}", "-c", *sources]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[:4000]

    objects = [str(path) for path in sorted(tmp_path.glob("*.o"))]
    listing = subprocess.run(["arm-none-eabi-nm", *objects], capture_output=True, text=True, check=True).stdout
    symbols = [line.split()[-2:] for line in listing.splitlines() if len(line.split()) >= 2]
    defined = {name for kind, name in symbols if kind in "Tt"}
    assert not [name for kind, name in symbols if kind in "BbDdCc"], "variables outlive a call"
    foreign = {name for kind, name in symbols if kind == "U"} - defined - ALLOWED_SYMBOLS
    assert not foreign, f"calls what a microcontroller may not have: {foreign}"


def test_kernels_are_found_by_name() -> None:
    """A kernel that te_<family>.h declares is in te_<family>*.c, or in te_<family>*_dsp.S and its portable twin."""
    for header in sorted((ROOT / "include" / "tinyengine").glob("*.h")):
        declared = set(re.findall(r"^void (te_\w+_s8)\(", header.read_text(), re.MULTILINE))
        sources = "\n".join(path.read_text() for path in (ROOT / "src").rglob(f"{header.stem}*.c"))
        missing = {name for name in declared if f"void {name}(" not in sources}
        assert not missing, f"{header.name} declares {missing}, which no {header.stem}*.c defines"
