"""The fuzzer tests/helpers/fuzz_link.c, run with the sanitizers of the compilers that are there."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from tinyengine.paths import project_root

from tests.helpers import needs

INPUTS = 1_500_000


def _build(compiler: str, target: Path, *options: str) -> Path:
    root = project_root()
    sources = [p for p in sorted((root / "firmware" / "src").glob("*.c")) if p.name != "main.c"]
    includes = [root / "firmware" / "src", root / "firmware" / "hal", root / "lib" / "tinyengine" / "include"]
    command = [
        *(compiler, "-std=c11", "-O2", "-g", "-Wall", "-Wextra", "-Werror", "-Wmissing-prototypes", "-pedantic"),
        *("-fsanitize=address,undefined", "-fno-sanitize-recover=all", *options),
        *(f"-I{include}" for include in includes),
        *map(str, sources),
        *(str(root / "tests" / "helpers" / "fuzz_link.c"), "-o", str(target)),
    ]
    subprocess.run(command, check=True)
    return target


@pytest.mark.slow
def test_a_million_hostile_inputs(tmp_path: Path) -> None:
    fuzzer = _build("gcc", tmp_path / "fuzz")
    done = subprocess.run([fuzzer, str(INPUTS)], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    pattern = r"inputs (\d+) answers (\d+) ok (\d+) runs (\d+) steps (\d+) pushes (\d+) written (\d+)\n"
    figures = re.fullmatch(pattern, done.stdout)
    assert figures, done.stdout
    inputs, answers, good, runs, steps, pushes, written = map(int, figures.groups())
    assert inputs == INPUTS >= 1_000_000
    # It must get deep: many requests understood, many whole uploads and runs among them.
    assert answers > inputs / 3
    assert good > inputs / 10
    assert runs > inputs / 100
    assert steps > inputs / 2000 and pushes > inputs / 1000 and written > inputs / 100


def test_the_fuzzer_finds_a_missing_check(tmp_path: Path) -> None:
    """Without the test of a piece's length against the room for it, the fuzzer must raise the alarm."""
    root = project_root()
    copy = tmp_path / "src"
    shutil.copytree(root / "firmware" / "src", copy)
    transfer = (copy / "transfer.c").read_text()
    broken = transfer.replace("length > state.shape.chunk || ", "")
    assert broken != transfer
    (copy / "transfer.c").write_text(broken)
    sources = [str(p) for p in sorted(copy.glob("*.c")) if p.name != "main.c"]
    includes = [copy, root / "firmware" / "hal", root / "lib" / "tinyengine" / "include"]
    command = ["gcc", "-std=c11", "-O2", "-g", "-fsanitize=address,undefined", *(f"-I{i}" for i in includes)]
    fuzz = tmp_path / "fuzz"
    subprocess.run([*command, *sources, root / "tests" / "helpers" / "fuzz_link.c", "-o", fuzz], check=True)
    done = subprocess.run([fuzz, "200000"], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode != 0
    assert "AddressSanitizer" in done.stderr


@pytest.mark.slow
def test_libfuzzer(tmp_path: Path) -> None:
    """A few seconds of coverage-guided search from the same entry points."""
    needs.require_clang()
    fuzzer = _build("clang", tmp_path / "fuzz", "-DLIBFUZZER", "-fsanitize=fuzzer")
    options = ["-max_total_time=5", "-max_len=2000", "-seed=1", f"-artifact_prefix={tmp_path}/"]
    # a process inherits its parent's peak of memory, and pytest's may be gigabytes: single allocations count instead
    options += ["-rss_limit_mb=0", "-malloc_limit_mb=64"]
    done = subprocess.run([fuzzer, *options], capture_output=True, text=True, timeout=120, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "Done " in done.stderr
