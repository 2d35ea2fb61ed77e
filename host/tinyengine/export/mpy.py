"""Native modules for MicroPython: a network, its kernels and the glue as one .mpy.

MicroPython's own mpy_ld writes the file. It takes no variables that are static and leaves nothing out, so everything
is linked into one object first, of which only what is used remains.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tinyengine.compiler import CompiledModel, CompileOptions
from tinyengine.cores import ARM, C_FLAGS, OPTIMIZATION, OPTIMIZATION_SMALL, core
from tinyengine.errors import ToolError
from tinyengine.export.python import MODULE, glue, glue_dir
from tinyengine.export.sources import kernels_of
from tinyengine.native import host_compiler
from tinyengine.project import micropython
from tinyengine.project.toolchain import compile_objects, find_compiler, library_dir


@dataclass(frozen=True)
class Arch:
    """An architecture of native modules: the core whose code it is, what a float of MicroPython is there."""

    cpu: str
    floats: str  # none, float, double: as MicroPython's dynruntime.mk has them
    host: bool = False  # compiled by the host's compiler: of the core, only the choice of kernels counts


ARCHS = {
    "armv6m": Arch("cortex-m0plus", "none"),
    "armv7emsp": Arch("cortex-m4", "float"),
    "armv7emdp": Arch("cortex-m7", "double"),
    "x64": Arch("cortex-m7", "double", host=True),
}

_PIC = ("-fpic", "-fno-common")
_HOST = ("-fno-stack-protector", "-fcf-protection=none", "-U_FORTIFY_SOURCE", "-Wa,-mrelax-relocations=no")
_NAMES = "te_python.config.h"
_DEFINES = ("-DNDEBUG", "-DNO_QSTR", "-DMICROPY_ENABLE_DYNRUNTIME", f'-DMP_CONFIGFILE="{_NAMES}"')
_PYTHON = ("-std=gnu11", "-Wno-unused-parameter", *_DEFINES)
_BOUND = '__attribute__((section(".data.rel.ro.bound")))'
"""Where what is bound later may lie: mpy_ld knows no variables but zeroed ones, and loads this into RAM too."""
_OWN_RUNTIME = ("-fno-builtin", "-fno-tree-loop-distribute-patterns")


@dataclass(frozen=True)
class NativeModule:
    """``mpy``: the module; ``weights``: the file of constants that it is bound to, if it is."""

    name: str
    mpy: bytes
    weights: bytes | None


def module_options(options: CompileOptions, arch: str) -> CompileOptions:
    """``options`` for the core of ``arch``."""
    return replace(options, cpu=_arch(arch).cpu)


def link_module(network: CompiledModel, arch: str) -> NativeModule:
    """The native module of ``network``, which was compiled with ``module_options`` for ``arch``.

    ToolError where MicroPython's sources or a compiler are missing, or where the network calls what a native module
    has not.
    """
    kind, top, name = _arch(arch), micropython.sources(), network.prefix
    with tempfile.TemporaryDirectory(prefix="tinyengine-") as scratch:
        folder = Path(scratch)
        network.write(folder)
        own = sorted(folder.glob("*.c"))
        kernels = kernels_of(folder).sources
        for file, text in glue([network], images=False).items():
            (folder / file).write_text(text, encoding="utf-8")
        linker = [sys.executable, str(top / "tools" / "mpy_ld.py"), "--arch", arch]
        _run([*linker, "--preprocess", "-o", _NAMES, MODULE], folder)

        build = _Host() if kind.host else _Arm(kind.cpu)
        include = [library_dir() / "include", folder, top]
        python = (OPTIMIZATION_SMALL, *_PYTHON, f"-DMICROPY_FLOAT_IMPL=MICROPY_FLOAT_IMPL_{kind.floats.upper()}")
        macro = name.upper()
        places = (f"-D{macro}_STORAGE=", f"-D{macro}_BOUND={_BOUND}")
        optimization = OPTIMIZATION_SMALL if network.small else OPTIMIZATION
        objects = [
            *build.compile([folder / MODULE], python, include, folder),
            *build.compile([glue_dir() / "te_mpy_runtime.c"], (*python, *_OWN_RUNTIME), include, folder),
            *build.compile(own, (optimization, *places), include, folder),
            *build.compile(kernels, (optimization,), include, folder),
        ]
        one = folder / "linked.o"
        script = f"-Wl,--gc-sections,--entry=mpy_init,-T,{glue_dir() / 'te_mpy.ld'}"
        _run([*build.linker, "-r", "-nostdlib", script, *map(str, objects), "-lgcc", "-o", str(one)], folder)
        _run([*linker, "--qstrs", _NAMES, "-o", f"{name}.mpy", one.name], folder)
        return NativeModule(name, (folder / f"{name}.mpy").read_bytes(), network.constants)


class _Arm:
    """arm-none-eabi-gcc; what it has compiled before is taken from the cache."""

    def __init__(self, cpu: str) -> None:
        self._flags = (*core(cpu).flags, *C_FLAGS, *_PIC)
        self.linker = [find_compiler(ARM).tool("gcc"), *core(cpu).flags]

    def compile(self, sources: Sequence[Path], flags: Sequence[str], include: Sequence[Path], _: Path) -> list[Path]:
        return compile_objects(sources, (*self._flags, *flags), include)


class _Host:
    """The host's compiler, for MicroPython's unix port."""

    _flags = (*C_FLAGS, *_PIC, *_HOST)

    def __init__(self) -> None:
        self.linker = [host_compiler()]

    def compile(self, sources: Sequence[Path], flags: Sequence[str], include: Sequence[Path], to: Path) -> list[Path]:
        paths = [f"-I{folder}" for folder in include]
        products = [to / f"{source.stem}.o" for source in sources]
        for source, product in zip(sources, products, strict=True):
            _run([host_compiler(), *self._flags, *flags, *paths, "-c", str(source), "-o", str(product)], to)
        return products


def _arch(name: str) -> Arch:
    if name not in ARCHS:
        raise ToolError(f"there are no native modules for {name}: choose one of {', '.join(ARCHS)}")
    return ARCHS[name]


def _run(command: Sequence[str], folder: Path) -> None:
    """Run a tool in ``folder``. ToolError with what it says."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode == 0:
        return
    missing = re.search(r"undefined symbol: (\w+)", done.stdout)
    if missing:
        raise ToolError(
            f"the network calls {missing[1]}, and native modules are linked with no C library: build it into the "
            "firmware, with --for micropython"
        )
    lines = [line for line in (done.stderr + done.stdout).splitlines() if line.strip()]
    telling = [line for line in lines if "error" in line.lower()] or lines or ["no message"]
    raise ToolError(f"{Path(command[0]).name} failed (exit code {done.returncode}): {telling[-1]}")
