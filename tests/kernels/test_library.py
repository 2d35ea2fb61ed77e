"""lib/tinyengine as a C library: strict warnings on the device's compiler, no state, no allocation."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from tinyengine.cores import CORES
from tinyengine.kernels.depthwise_map import map_kernels
from tinyengine.native.library import library_sources
from tinyengine.paths import project_root
from tinyengine.project.toolchain import device_flags

from tests.helpers import needs
from tests.helpers.batch import STRICT

ROOT = project_root() / "lib" / "tinyengine"
# What a freestanding C library must provide, and the compiler's own helpers: 64-bit arithmetic; what a core has no
# instructions for, such as floats and division.
ALLOWED_SYMBOLS = re.compile("memcpy|memmove|memset|__aeabi_.*|__gnu_thumb1_.*|__clzsi2")


@pytest.mark.slow(but=1)
@needs.arm_gcc
@pytest.mark.parametrize(("cpu", "portable"), [*((cpu, False) for cpu in CORES), ("cortex-m4", True)])
def test_compiles_without_a_warning_and_keeps_no_state(cpu: str, portable: bool, tmp_path: Path) -> None:
    flags = [*device_flags(cpu, portable), *STRICT]
    sources = [str(path) for path in [*library_sources(), *sorted((ROOT / "src").rglob("*.S"))]]
    command = ["arm-none-eabi-gcc", *flags, f"-I{ROOT / 'include'}", "-c", *sources]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[:4000]

    objects = [str(path) for path in sorted(tmp_path.glob("*.o"))]
    listing = subprocess.run(["arm-none-eabi-nm", *objects], capture_output=True, text=True, check=True).stdout
    symbols = [line.split()[-2:] for line in listing.splitlines() if len(line.split()) >= 2]
    defined = {name for kind, name in symbols if kind in "Tt"}
    assert not [name for kind, name in symbols if kind in "BbDdCc"], "variables outlive a call"
    wanted = {name for kind, name in symbols if kind == "U"} - defined
    foreign = {name for name in wanted if not ALLOWED_SYMBOLS.fullmatch(name)}
    assert not foreign, f"calls what a microcontroller may not have: {foreign}"
    assert not [name for kind, name in symbols if kind.isupper() and kind != "U" and not name.startswith("te_")]


def test_kernels_are_found_by_name() -> None:
    """A kernel that te_<family>.h declares is in te_<family>*.c, or in te_<family>*_dsp.S and its portable twin."""
    for header in sorted((ROOT / "include" / "tinyengine").glob("*.h")):
        declared = set(re.findall(r"^void (te_\w+_s8)\(", header.read_text(), re.MULTILINE))
        sources = "\n".join(path.read_text() for path in (ROOT / "src").rglob(f"{header.stem}*.c"))
        missing = {name for name in declared if f"void {name}(" not in sources}
        assert not missing, f"{header.name} declares {missing}, which no {header.stem}*.c defines"


def test_each_width_of_maps_is_an_object_of_its_own() -> None:
    files = {path.stem.removeprefix("te_depthwise_map_"): path for path in (ROOT / "src").rglob("te_depthwise_map_*.S")}
    assert set(files) == {str(kernel.width) for kernel in map_kernels()}
    for width, path in files.items():
        assert f"\nTE_DEPTHWISE_MAPS_{width}(TE_MAP, TE_MAP_BY_2)\n" in path.read_text()
