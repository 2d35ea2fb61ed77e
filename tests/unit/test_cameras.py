"""Parallel cameras of STM32 boards against models of bus, sensor, interface and DMA (tests/helpers/hal/camera.cpp)."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from tinyengine.boards import Board, Camera, files, load, names
from tinyengine.paths import project_root

needs_gxx = pytest.mark.skipif(not shutil.which("g++"), reason="registers are modelled in C++, and g++ is not there")
HAL = project_root() / "firmware" / "hal"
MODEL = project_root() / "tests" / "helpers" / "hal"
FOLDERS = ("stm32_dcmi", "camera_sensors", "stm32_i2c_v1", "stm32_i2c_v2")
FAMILIES = ["nucleo_f446re", "disco_f746ng", "openmv_h7"]
"""One board of each that has a camera."""
OTHERS = [name for name in names() if isinstance(load(name).camera, Camera) and name not in FAMILIES]


def sources(board: Board, folder: Path) -> dict[Path, str]:
    """The drivers of the board's camera: where each is compiled, and its text, fit for another folder than its own."""
    found = {}
    for name in FOLDERS:
        for file in sorted((HAL / name).glob("*.c")) if name in board.hal else ():
            text = re.sub(
                r'#include "(?!board\.h)([^"]+)"',
                lambda to, file=file: f'#include "{file.parent / to[1]}"',
                file.read_text(),
            )
            found[folder / f"{name}_{file.name}"] = text
    return found


def run(board: Board, folder: Path, right: str = "", wrong: str = "") -> subprocess.CompletedProcess[str]:
    """Build and run the board's model, with ``wrong`` where ``right`` stands in one of its drivers."""
    files.write(board, folder)
    texts = sources(board, folder)
    assert not right or sum(text.count(right) for text in texts.values()) == 1
    for path, text in texts.items():
        path.write_text(text.replace(right, wrong) if right else text)
    checked = [] if right else ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    # addresses of lines are 32 bits in the DMA's registers
    options = ["-std=c++20", "-O1", "-Wall", "-Wextra", "-Werror", "-no-pie", "-fno-pie", *checked]
    include = [folder, HAL, MODEL, project_root() / "lib" / "tinyengine" / "include"]
    command = [
        *("g++", *options, "-include", str(MODEL / "registers.h"), *(f"-I{path}" for path in include)),
        *("-x", "c++", *map(str, texts), str(MODEL / "camera.cpp"), "-o", str(folder / "camera")),
    ]
    subprocess.run(command, check=True)
    return subprocess.run([folder / "camera"], capture_output=True, text=True, timeout=300, check=False)


@pytest.mark.slow(but=3)
@needs_gxx
@pytest.mark.parametrize("name", [*FAMILIES, *OTHERS])
def test_start_capture_and_every_failure(name: str, tmp_path: Path) -> None:
    board = load(name)
    assert isinstance(board.camera, Camera)
    done = run(board, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    assert int(done.stdout.removeprefix("sensors ")) == len(board.camera.sensors)


@pytest.mark.slow(but=1)
@needs_gxx
@pytest.mark.parametrize(
    ("name", "right", "wrong", "found"),
    [
        ("openmv_h7", "    DCMI_CR = CR_PICTURE | CR_ENABLE; /*", "    /*", "a capture before the interface is on"),
        ("openmv_h7", "    DCMI_ROUTE();", "", "request of the stream"),
        ("openmv_h7", "DMA_MAR(1u - target) = ", "DMA_MAR(target) = ", "is being filled is moved"),
        ("openmv_h7", "next >= taken + LINES", "next > taken + LINES", "a line changes while it is taken"),
        ("openmv_h7", " && DMA_NDTR == LINE_WORDS", "", "status 0 in place of 9"),
        ("openmv_h7", "sizeof ring);", "32u);", "the cache may still write"),
        (
            "nucleo_f446re",
            "    return stop(event(SR1_BTF));",
            "    return stop(true);",
            "status 3",
        ),
        ("nucleo_f446re", "    return left(arrived);", "    return stop(arrived);", "a second stop"),
        ("nucleo_f446re", "    hal_sensor_wait_ms(AWAKE_MS);", "", "too soon after the reset"),
    ],
)
def test_the_models_find_mistakes(name: str, right: str, wrong: str, found: str, tmp_path: Path) -> None:
    done = run(load(name), tmp_path, right, wrong)
    assert done.returncode == 1
    assert found in done.stdout
