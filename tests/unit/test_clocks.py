"""hal_init of every STM32 board against models of its clock tree, pins and port (tests/helpers/hal/clocks.cpp)."""

from __future__ import annotations

import dataclasses
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from tinyengine.boards import Board, files, load, names
from tinyengine.paths import project_root

needs_gxx = pytest.mark.skipif(not shutil.which("g++"), reason="registers are modelled in C++, and g++ is not there")
HAL = project_root() / "firmware" / "hal"
MODEL = project_root() / "tests" / "helpers" / "hal"
REAL = [name for name in names() if not load(name).is_simulated_only]
FAMILIES = ["nucleo_f446re", "disco_f746ng", "nucleo_h743zi", "nucleo_l4r5zi", "nucleo_u575zi_q"]
"""One board of each."""


def clock_file(board: Board) -> Path:
    """The driver of the board's clock tree."""
    return next(HAL / folder / "clock.c" for folder in board.hal if (HAL / folder / "clock.c").is_file())


def elsewhere(source: Path) -> str:
    """A driver's text, as it can be compiled in another folder, where the board's files are."""
    return re.sub(
        r'#include "(?!board\.h)(.+)"', lambda found: f'#include "{source.parent / found[1]}"', source.read_text()
    )


def run(board: Board, folder: Path, right: str = "", wrong: str = "") -> subprocess.CompletedProcess[str]:
    """Build and run the board's model, with ``wrong`` where ``right`` stands in its clock.c or in stm32.c."""
    files.write(board, folder)
    texts = {file.name: elsewhere(file) for file in (clock_file(board), HAL / "stm32" / "stm32.c")}
    assert not right or sum(text.count(right) for text in texts.values()) == 1
    for name, text in texts.items():
        (folder / name).write_text(text.replace(right, wrong) if right else text)
    usart = next(HAL / name / "usart.c" for name in board.hal if "usart" in name)
    sources = [*(folder / name for name in texts), usart, HAL / "counter_dwt" / "counter.c", MODEL / "clocks.cpp"]
    checked = [] if right else ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    command = [
        *("g++", "-std=c++20", "-O0", "-Wall", "-Wextra", "-Werror", *checked, "-include", str(MODEL / "registers.h")),
        *(
            f"-I{folder}",
            f"-I{HAL}",
            f"-I{MODEL}",
            f"-DMAX_BAUD={board.serial.max_baud}u",
            "-x",
            "c++",
            *map(str, sources),
            "-o",
            str(folder / "clocks"),
        ),
    ]
    subprocess.run(command, check=True)
    return subprocess.run([folder / "clocks"], capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.slow(but=5)
@needs_gxx
@pytest.mark.parametrize("name", [*FAMILIES, *(name for name in REAL if name not in FAMILIES)])
def test_clock_tree_and_port(name: str, tmp_path: Path) -> None:
    done = run(load(name), tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    assert int(done.stdout.removeprefix("failures ")) >= 4


@needs_gxx
def test_watchdog_external_clock_and_another_port(tmp_path: Path) -> None:
    """What no board of ours has: a family's other ways."""
    board = load("nucleo_u575zi_q")
    clock = dataclasses.replace(board.clock, external_hz=16_000_000)
    serial = dataclasses.replace(board.serial, uart="USART3", transmit="PB10", receive="PB11")
    done = run(dataclasses.replace(board, watchdog_seconds=30, clock=clock, serial=serial, led=None), tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]


@pytest.mark.slow(but=2)
@needs_gxx
@pytest.mark.parametrize(
    ("name", "right", "wrong", "found"),
    [
        ("nucleo_f446re", "    RCC_CFGR = 0; /* the buses", "    /* the buses", "baud rate"),
        ("nucleo_l4r5zi", "    PWR_CR5 &= ~CR5_R1MODE;", "", "boost mode"),
        ("nucleo_f446re", "if (!overdrive()) return HSI_HZ;", "(void)overdrive();", "over-drive"),
        ("nucleo_f446re", "if (BOARD_HSE_BYPASS) RCC_CR |= CR_HSEBYP;", "", "bypass"),
        ("disco_f746ng", "    FLASH_ACR = STM32_FLASH_ACR;", "    FLASH_ACR = STM32_FLASH_ACR & ~1u;", "core"),
        ("nucleo_h743zi", "    RCC_D2CFGR = D2CFGR_BOTH_DIV2;", "", "peripherals"),
        ("nucleo_l4r5zi", "    for (uint32_t i = 0; i < A_MICROSECOND; i++) barrier();", "", "microsecond"),
        ("nucleo_u575zi_q", "    PWR_VOSR |= VOSR_BOOSTEN;", "", "core"),
        ("nucleo_u575zi_q", "PLL1CFGR_RGE_8_TO_16_MHZ |", "", "range"),
    ],
)
def test_the_models_find_mistakes(name: str, right: str, wrong: str, found: str, tmp_path: Path) -> None:
    done = run(load(name), tmp_path, right, wrong)
    assert done.returncode == 1
    assert found in done.stdout
