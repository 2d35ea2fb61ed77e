"""Marks for tests that need programs which a machine may lack."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from functools import cache

import pytest
from _pytest.mark import ParameterSet
from tinyengine.cores import ARM, SIMULATED, core
from tinyengine.measure.target_runner import simulated
from tinyengine.project.toolchain import has_compiler
from tinyengine.sim import qemu

arm_gcc = pytest.mark.skipif(not has_compiler(ARM), reason="arm-none-eabi-gcc is not installed")
simulated_core = [arm_gcc, pytest.mark.skipif(qemu.installed() is None, reason="qemu-system-arm is not installed")]
"""What it takes to run code on a simulated Cortex-M."""
cycles = [
    *simulated_core,
    pytest.mark.skipif(not any(map(shutil.which, ("cc", "gcc", "clang"))), reason="no C compiler for this host"),
]
"""What it takes to estimate cycles."""


def compiled(cpus: Iterable[str]) -> list[ParameterSet]:
    """Parameters: cores, each skipped where its compiler is missing."""
    return [pytest.param(cpu, marks=_compiler(cpu)) for cpu in cpus]


def run(cpus: Iterable[str] = SIMULATED) -> list[ParameterSet]:
    """Parameters: cores, each skipped where its compiler or its simulator is missing."""
    return [
        pytest.param(
            cpu,
            marks=[
                _compiler(cpu),
                pytest.mark.skipif(not simulated(cpu), reason=f"{SIMULATED[cpu].program} is not installed"),
            ],
        )
        for cpu in cpus
    ]


def _compiler(cpu: str) -> pytest.MarkDecorator:
    compiler = core(cpu).compiler
    return pytest.mark.skipif(not has_compiler(compiler), reason=f"{compiler.name} is not installed")


thorough_cores = pytest.mark.parametrize(
    "cpu", [pytest.param(cpu, marks=simulated_core) for cpu in ("cortex-m4", "cortex-m7")]
)
"""Many tests run on these cores; tests/sim/test_cores.py runs a few on every core."""


def require_clang() -> None:
    """Skip the test where clang is missing, or the runtime of its sanitizers and of libFuzzer."""
    if not _clang_works():
        pytest.skip("clang with libFuzzer and sanitizers (packages clang and libclang-rt-dev) is not installed")


@cache
def _clang_works() -> bool:
    if not shutil.which("clang"):
        return False
    source = b"int LLVMFuzzerTestOneInput(const unsigned char *d, unsigned long n) { return d && n > 9; }\n"
    with tempfile.TemporaryDirectory() as scratch:
        command = ["clang", "-fsanitize=fuzzer,address,undefined", "-x", "c", "-", "-o", f"{scratch}/probe"]
        return subprocess.run(command, input=source, capture_output=True, check=False).returncode == 0


def require_chromium() -> None:
    """Skip the test where Debian's chromium is missing, or what drives it."""
    if not shutil.which("chromium"):
        pytest.skip("chromium is not installed (Debian's package chromium)")
    pytest.importorskip("playwright", reason="the Python package playwright is not installed")
