"""scripts/test ends with an error when style, types or tests do, and always with the totals."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from tinyengine.paths import project_root

SETUP = (
    "setup() { :; }\nensure_clang() { :; }\nensure_chromium() { :; }\nensure_speech() { :; }\nensure_riscv() { :; }\n"
    'say() { echo "== $*"; }\n'
)
CASES = '<testcase name="a"/><testcase name="b"><skipped message="why"/></testcase>'
TOOLS = ("ruff", "clang-format", "mypy", "pytest")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A checkout in which every tool is a stub: it notes its arguments, and fails if $FAIL is its name."""
    scripts, tools = tmp_path / "scripts", tmp_path / "bin"
    for directory in (scripts, tools):
        directory.mkdir()
    for name in ("test", "summarize_tests.py"):
        shutil.copy(project_root() / "scripts" / name, scripts)
    (scripts / "setup.sh").write_text(SETUP)
    (tmp_path / "results.xml").write_text(f"<testsuite>{CASES}</testsuite>")
    for name in (*TOOLS, "git"):
        lines = ["#!/bin/sh", f'echo "{name} $*" >>called', f'[ "$FAIL" != {name} ]']
        if name == "git":
            lines = ["#!/bin/sh", "printf 'one.c\\0two.h\\0'"]
        if name == "pytest":
            lines[1:1] = ["cp results.xml .cache/test-results.xml"]
        (tools / name).write_text("\n".join(lines) + "\n")
        (tools / name).chmod(0o755)
    return tmp_path


def run(folder: Path, *arguments: str, fail: str = "") -> tuple[int, str]:
    path = f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
    command = ["bash", "scripts/test", *arguments]
    environment = {**os.environ, "PATH": path, "FAIL": fail}
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, env=environment)
    return done.returncode, done.stdout


@pytest.mark.parametrize("fail", TOOLS)
def test_every_check_counts_and_none_hides_the_others(folder: Path, fail: str) -> None:
    code, out = run(folder, fail=fail)
    assert code != 0
    assert out.splitlines()[-1] == "tests: 1 passed, 0 failed, 1 skipped"
    assert {line.split()[0] for line in (folder / "called").read_text().splitlines()} == set(TOOLS)


def test_all_is_well(folder: Path) -> None:
    assert run(folder)[0] == 0
    called = (folder / "called").read_text().splitlines()
    assert "clang-format --dry-run -Werror one.c two.h" in called
    assert not any("slow" in line for line in called)


def test_arguments_go_to_pytest(folder: Path) -> None:
    run(folder, "tests/unit", "-k", "pad")
    run(folder, "--fast", "-x")
    first, second = (line for line in (folder / "called").read_text().splitlines() if line.startswith("pytest"))
    assert first.endswith(" tests/unit -k pad")
    assert second.endswith(" -m not slow -x")
