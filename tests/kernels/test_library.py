"""lib/tinyengine as a C library: strict warnings on the device's compiler, no state, no allocation."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable
from pathlib import Path

import pytest
from tinyengine.cores import ARM, CORES, RISCV
from tinyengine.kernels.depthwise_map import map_kernels
from tinyengine.native.library import library_sources
from tinyengine.paths import project_root
from tinyengine.project.toolchain import device_flags, find_compiler

from tests.helpers import needs
from tests.helpers.batch import STRICT

ROOT = project_root() / "lib" / "tinyengine"
PROVIDED = "memcpy|memmove|memset|__aeabi_(ldivmod|uldivmod|lmul|l2f)"
"""What a freestanding C library must provide, and the compiler's own helpers for 64-bit arithmetic."""
WITHOUT_FPU = rf"{PROVIDED}|__aeabi_(?!d|.*2d)\w+|__gnu_thumb1_\w+|__clzsi2"
"""And helpers for what such cores have no instructions for: floats, division; but never doubles."""
_FLOATS = "__(add|sub|mul|div|neg|eq|ne|lt|le|gt|ge|unord)sf[23]|__fix(uns)?sf[sd]i|__float(un)?[sd]isf"
RISCV_HELPERS = rf"memcpy|memmove|memset|{_FLOATS}|__(mul|u?div|u?mod|ashl|ashr|lshr)di3|__clz[sd]i2"
"""The same, by their names on RISC-V."""


def foreign(cpu: str, symbols: Iterable[str]) -> set[str]:
    """Those that the library may not call on a core."""
    allowed = WITHOUT_FPU if "-mfloat-abi=soft" in CORES[cpu].flags else PROVIDED
    if CORES[cpu].compiler is RISCV:
        allowed = RISCV_HELPERS
    return {name for name in symbols if not re.fullmatch(allowed, name)}


def test_no_riscv_core_may_call_for_doubles() -> None:
    doubles = {"__adddf3", "__ltdf2", "__extendsfdf2", "__truncdfsf2", "__floatsidf", "__fixdfsi", "__muldf3"}
    assert foreign("rv32imc", doubles | {"memcpy", "__muldi3", "__addsf3", "__gesf2", "__floatdisf"}) == doubles


@pytest.mark.parametrize("cpu", [cpu for cpu in CORES if CORES[cpu].compiler is ARM])
def test_no_core_may_call_for_doubles(cpu: str) -> None:
    doubles = {"__aeabi_dadd", "__aeabi_dcmplt", "__aeabi_d2iz", "__aeabi_f2d", "__aeabi_i2d", "__aeabi_ul2d"}
    assert foreign(cpu, doubles | {"memcpy", "__aeabi_lmul"}) == doubles
    floats = {"__aeabi_fadd", "__aeabi_fcmplt"}
    assert foreign(cpu, floats) == (set() if cpu in ("cortex-m0plus", "cortex-m3") else floats)


@pytest.mark.slow(but=1)
@pytest.mark.parametrize(
    ("cpu", "portable"),
    [pytest.param(*each.values, False, marks=each.marks) for each in needs.compiled(CORES)]
    + [pytest.param("cortex-m4", True, marks=needs.arm_gcc)],
)
def test_compiles_without_a_warning_and_keeps_no_state(cpu: str, portable: bool, tmp_path: Path) -> None:
    flags = [*device_flags(cpu, portable), *STRICT]
    tools = find_compiler(CORES[cpu].compiler)
    sources = [str(path) for path in [*library_sources(), *sorted((ROOT / "src").rglob("*.S"))]]
    command = [tools.tool("gcc"), *flags, f"-I{ROOT / 'include'}", "-c", *sources]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[:4000]

    objects = [str(path) for path in sorted(tmp_path.glob("*.o"))]
    listing = subprocess.run([tools.tool("nm"), *objects], capture_output=True, text=True, check=True).stdout
    symbols = [line.split()[-2:] for line in listing.splitlines() if len(line.split()) >= 2]
    defined = {name for kind, name in symbols if kind in "Tt"}
    assert not [name for kind, name in symbols if kind in "BbDdCc"], "variables outlive a call"
    wanted = foreign(cpu, {name for kind, name in symbols if kind == "U"} - defined)
    assert not wanted, f"calls what a microcontroller may not have: {wanted}"
    assert not [name for kind, name in symbols if kind.isupper() and kind != "U" and not name.startswith("te_")]


def test_no_assembly_asks_for_a_stack_that_executes() -> None:
    for path in (ROOT / "src").rglob("*.S"):
        assert path.read_text().endswith('#ifdef __ELF__\n.section .note.GNU-stack,"",%progbits\n#endif\n'), path.name


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
