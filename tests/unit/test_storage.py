"""The storage of trained states: power cut at every flash operation, and what it answers otherwise.

The C programs in tests/helpers/storage do the work, with the firmware's own storage.c on a flash model.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from tinyengine.paths import project_root

SANITIZERS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")


def build(program: str, target: Path, *options: str, storage: Path | None = None) -> Path:
    """Compile tests/helpers/storage/<program>.c with the firmware's storage.c, or another one."""
    root = project_root()
    here, firmware = root / "tests" / "helpers" / "storage", root / "firmware"
    sources = [here / f"{program}.c", here / "flash_model.c", firmware / "src" / "crc32.c"]
    sources.append(storage or firmware / "src" / "storage.c")
    command = [
        *("gcc", "-std=c11", "-O2", "-g", "-Wall", "-Wextra", "-Werror", "-Wmissing-prototypes", "-pedantic"),
        *("-Wconversion", *options),
        *(f"-I{include}" for include in (firmware / "src", firmware / "hal", here)),
        *map(str, sources),
        *("-o", str(target)),
    ]
    subprocess.run(command, check=True)
    return target


def run(program: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([program, *arguments], capture_output=True, text=True, timeout=300, check=False)


def test_answers(tmp_path: Path) -> None:
    done = run(build("answers", tmp_path / "answers", *SANITIZERS))
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]


def test_power_cut_at_every_operation(tmp_path: Path) -> None:
    done = run(build("power_cut", tmp_path / "power_cut"))
    assert done.returncode == 0, done.stdout
    figures = re.fullmatch(r"accidents (\d+) second accidents (\d+) boots (\d+)\n", done.stdout)
    assert figures, done.stdout
    first, second, boots = map(int, figures.groups())
    assert first > 40_000
    assert second > 100_000
    assert boots > 500_000


def test_power_cut_under_sanitizers(tmp_path: Path) -> None:
    done = run(build("power_cut", tmp_path / "power_cut", *SANITIZERS), "brief")
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]


@pytest.mark.slow(but=3)
@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("slot *target = kept == &slots[0] ? &slots[1] : &slots[0];", "slot *target = &slots[0];"),
        (
            "    target->data_crc = fw_crc32(0, data, bytes);\n",
            "    target->data_crc = fw_crc32(0, data, bytes);\n"
            "    if (!set_mark(flash, target->address + COMMIT_AT, target->header_crc)) return STORAGE_FLASH_ERROR;\n",
        ),
        ("kept->keep == MARK_BLANK &&", "false &&"),
        ("if (!kept && !erase(", "if (false && !erase("),
        ("const uint32_t last = likeliest(slots);", "const uint32_t last = 1u - likeliest(slots);"),
        ("*intact = *intact && crc == s->data_crc;", "*intact = true;"),
        ("target->info.generation = generation + 1u;", "target->info.generation = 1u;"),
        ("(void)flash->erase_sector(target->address);", ""),
        ("rest = bytes % flash->unit", "rest = bytes % 4u"),
    ],
    ids=["overwrites the newest", "marks first", "no keep mark", "leaves ruins", "clears the newest first",
         "no check of the data", "generations do not rise", "a failed save counts", "parts of units"],
)  # fmt: skip
def test_the_power_cuts_find_mistakes(tmp_path: Path, right: str, wrong: str) -> None:
    """With each of these changes to storage.c something must be found."""
    source = (project_root() / "firmware" / "src" / "storage.c").read_text()
    assert source.count(right) == 1
    broken = tmp_path / "storage.c"
    broken.write_text(source.replace(right, wrong))
    done = run(build("power_cut", tmp_path / "power_cut", "-Wno-error", storage=broken))
    assert done.returncode == 1, done.stdout
