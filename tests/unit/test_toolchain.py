"""Finding compilers, the object cache, sizes, and what users see when something is wrong."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tinyengine.codegen.generated import Generated
from tinyengine.cores import ARM, core
from tinyengine.errors import BudgetError, ToolError
from tinyengine.ir import Graph
from tinyengine.project import toolchain

from tests.helpers import needs


@pytest.fixture(autouse=True)
def fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An object cache and a compiler search of this test's own."""
    cache = tmp_path / "cache"
    cache.mkdir()
    monkeypatch.setattr(toolchain, "cache_dir", lambda: cache)
    toolchain.find_compiler.cache_clear()
    yield
    toolchain.find_compiler.cache_clear()


def objects(source: Path, *flags: str, include: Path | None = None) -> Path:
    folders = [include] if include else []
    return toolchain.compile_objects([source], [*toolchain.device_flags("cortex-m4"), *flags], folders)[0]


@needs.arm_gcc
def test_an_object_depends_on_what_it_is_made_from(tmp_path: Path) -> None:
    inner, source = tmp_path / "inner.h", tmp_path / "x.c"
    (tmp_path / "outer.h").write_text('#include "inner.h"\n')
    inner.write_text("#define VALUE 1\n")
    source.write_text('#include "outer.h"\nint x(void);\nint x(void) { return VALUE; }\n')

    first = objects(source, include=tmp_path)
    assert objects(source, include=tmp_path) == first
    assert objects(source, "-DOTHER", include=tmp_path) != first
    inner.write_text("#define VALUE 2\n")
    second = objects(source, include=tmp_path)
    assert second != first
    inner.write_text("#define VALUE 1\n")
    assert objects(source, include=tmp_path) == first
    (tmp_path / "unrelated.h").write_text("#define VALUE 3\n")
    assert objects(source, include=tmp_path) == first


@needs.arm_gcc
def test_the_cache_forgets_what_was_used_longest_ago(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    for index in range(3):
        source = tmp_path / f"x{index}.c"
        source.write_text(f"int x(void);\nint x(void) {{ return {index}; }}\n")
        made.append(objects(source))
        os.utime(made[-1], (1000 + index, 1000 + index))
    monkeypatch.setattr(toolchain, "CACHE_LIMIT", 2 * made[0].stat().st_size)
    assert objects(tmp_path / "x0.c") == made[0]
    assert [path.exists() for path in made] == [True, False, True]


@needs.arm_gcc
def test_warnings_are_errors_and_errors_are_one_sentence(tmp_path: Path) -> None:
    source = tmp_path / "bad.c"
    source.write_text("int x(void);\nint x(void) { int unused = 3; return 1; }\n")
    with pytest.raises(ToolError, match=r"failed on bad.c .*unused variable") as caught:
        objects(source)
    assert "\n" not in str(caught.value)
    assert not list(toolchain.cache_dir().rglob("*.o"))


@pytest.mark.slow(but=1)
@pytest.mark.parametrize("cpu", needs.compiled(["cortex-m0plus", "cortex-m7", "rv32imc"]))
def test_sizes_of_a_program(cpu: str) -> None:
    source = (
        "#include <string.h>\n"
        "extern const int network[];\n"
        "static unsigned char arena[1000];\n"
        "static int start = 7;\n"
        "static const unsigned char weights[500] = {1};\n"
        "static void run(const void *from) { start += 1; memcpy(arena, from, 1000); arena[1] = weights[arena[0]]; }\n"
        "extern void (*const entry[])(const void *);\n"
        "void (*const entry[])(const void *) = {run};\n"
        "const int unused[1000] = {1};\n"
        "void unused_code(void);\n"
        "void unused_code(void) { start = 9; }\n"
    )
    sizes = toolchain.footprint(Generated(Graph("made up"), "entry", {"network.c": source}, 0, False, None), cpu)
    assert 504 <= sizes.rodata <= 512  # the weights and the entry, not what is unused
    assert sizes.data == 4
    assert 1000 <= sizes.bss <= 1008
    assert 40 <= sizes.code <= 500  # run and memcpy
    assert sizes.flash == sizes.code + sizes.rodata + 4


@needs.arm_gcc
def test_a_full_memory_is_a_budget_error(tmp_path: Path) -> None:
    source, script = tmp_path / "x.c", tmp_path / "x.ld"
    source.write_text("int big[100000];\nint *start(void);\nint *start(void) { return big; }\n")
    script.write_text("MEMORY { RAM : ORIGIN = 0, LENGTH = 64K }\nSECTIONS { .all : { *(.text* .bss*) } > RAM }\n")
    flags = [*core("cortex-m4").flags, "-nostartfiles", "-Wl,--entry=start", "-T", str(script)]
    with pytest.raises(BudgetError, match=r"memory RAM is .* too small"):
        toolchain.link([objects(source)], flags, tmp_path / "x.elf")


def test_no_compiler(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("TINYENGINE_ARM_GCC", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PLATFORMIO_CORE_DIR", str(tmp_path))
    with pytest.raises(ToolError, match=r"arm-none-eabi-gcc was not found: install it"):
        toolchain.find_compiler(ARM)
    monkeypatch.setenv("TINYENGINE_ARM_GCC", "/nowhere/gcc")
    with pytest.raises(ToolError, match="TINYENGINE_ARM_GCC names /nowhere/gcc"):
        toolchain.find_compiler(ARM)


def test_finds_platformio_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder = tmp_path / "packages" / "toolchain-gccarmnoneeabi" / "bin"
    folder.mkdir(parents=True)
    gcc = folder / "arm-none-eabi-gcc"
    gcc.write_text("#!/bin/sh\n")
    gcc.chmod(0o755)
    monkeypatch.delenv("TINYENGINE_ARM_GCC", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PLATFORMIO_CORE_DIR", str(tmp_path))
    assert toolchain.find_compiler(ARM).tool("size") == str(folder / "arm-none-eabi-size")


def test_unknown_core() -> None:
    with pytest.raises(ToolError, match="unknown core z80: choose one of cortex-m0plus, cortex-m3, cortex-m4"):
        toolchain.device_flags("z80")
