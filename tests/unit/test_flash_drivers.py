"""The STM32 flash drivers against models of their controllers, natively (tests/helpers/storage/drivers.cpp)."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from tinyengine.boards import files, load
from tinyengine.paths import project_root

needs_gxx = pytest.mark.skipif(not shutil.which("g++"), reason="registers are modelled in C++, and g++ is not there")

# driver, board, the model's options: the error bit is write protection on two, a sequence error on the other
VARIANTS = {
    "STM32F4": ("stm32_flash_f4", "nucleo_f446re", ["-DHAS_DATA_CACHE=true", "-DERROR_BIT=BIT(4)"]),
    "two banks": ("stm32_flash_f4", "disco_f469ni", ["-DHAS_DATA_CACHE=true", "-DERROR_BIT=BIT(4)"]),
    "STM32F7": ("stm32_flash_f4", "disco_f746ng", ["-DHAS_DATA_CACHE=false", "-DERROR_BIT=BIT(7)"]),
    "STM32F767": ("stm32_flash_f4", "nucleo_f767zi", ["-DHAS_DATA_CACHE=false", "-DERROR_BIT=BIT(7)"]),
    "STM32H7": ("stm32_flash_h7", "nucleo_h743zi", ["-DMODEL_H7", "-DERROR_BIT=BIT(17)"]),
    "STM32L4": ("stm32_flash_l4", "nucleo_l4r5zi", ["-DMODEL_L4", "-DERROR_BIT=BIT(3)"]),
    "STM32U5": ("stm32_flash_l4", "nucleo_u575zi_q", ["-DMODEL_L4", "-DERROR_BIT=BIT(7)"]),
}


SHARED = ("flash_units.h", "flash_controller.h")
"""Of the stm32 folder; the first includes the second."""


def with_shared(variant: str) -> str:
    """The variant's driver, with the headers that it shares with others in place of their includes."""
    hal = project_root() / "firmware" / "hal"
    source = (hal / VARIANTS[variant][0] / "flash.c").read_text()
    for header in SHARED:
        text = (hal / "stm32" / header).read_text()
        for include in (f'#include "../stm32/{header}"\n', f'#include "{header}"\n'):
            source = source.replace(include, text)
    return source


def run(variant: str, folder: Path, source: str | None = None) -> subprocess.CompletedProcess[str]:
    """Build and run a variant, with ``source`` in place of the driver's."""
    root = project_root()
    firmware = root / "firmware"
    name, board, options = VARIANTS[variant]
    driver = firmware / "hal" / name / "flash.c"
    if source is not None:
        for header in (
            "flash.h",
            "hal.h",
            "common/system.h",
            "common/cortex_m.h",
            "common/startup.h",
            "common/slots.h",
        ):
            source = source.replace(f'"../{header}"', f'"{firmware / "hal" / header}"')
        driver = folder / "flash.c"
        driver.write_text(source)
    files.write(load(board), folder)
    includes = [f"-I{firmware / 'src'}", f"-I{firmware / 'hal'}", f"-I{folder}"]
    checked = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"] if source is None else []
    objects = []
    for file in ("storage", "crc32"):
        objects.append(str(folder / f"{file}.o"))
        command = ["gcc", "-std=c11", *checked, *includes, "-c", str(firmware / "src" / f"{file}.c"), "-o", objects[-1]]
        subprocess.run(command, check=True)
    command = [
        *("g++", "-std=c++20", "-Wall", "-Wextra", "-Werror", *checked, *includes, *options),
        f'-DDRIVER="{driver}"',
        *(str(root / "tests" / "helpers" / "storage" / "drivers.cpp"), *objects, "-o", str(folder / "drivers")),
    ]
    subprocess.run(command, check=True)
    return subprocess.run([folder / "drivers"], capture_output=True, text=True, timeout=60, check=False)


@needs_gxx
@pytest.mark.parametrize("variant", VARIANTS)
def test_driver(variant: str, tmp_path: Path) -> None:
    done = run(variant, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    assert int(done.stdout.removeprefix("operations ")) > 200


@pytest.mark.slow(but=2)
@needs_gxx
@pytest.mark.parametrize(
    ("variant", "right", "wrong", "found"),
    [
        ("STM32F4", "FLASH_ACR |= ACR_DCRST;", "", "a cache may still hold"),
        ("STM32F4", "FLASH_CLEAR = SR_CLEARABLE;", "", "errors of the past"),
        ("STM32F7", "cache_forget(address, bytes);", "cache_forget(address, bytes / 2u);", "a cache may still hold"),
        ("STM32F7", "BOARD_FLASH_FIRST_SECTOR + offset", "1u + BOARD_FLASH_FIRST_SECTOR + offset", "sector"),
        ("two banks", "(BOARD_FLASH_BANK - 1u) * 16u + ", "", "sector"),
        ("STM32L4", "    stm32_flash_cache_off();", "", "a cache that is on"),
        ("STM32U5", "    stm32_flash_cache_on();", "", "a cache may still hold"),
        ("STM32U5", "FLASH_ECCR |= ECCR_ERROR;", "", "again and again"),
        ("STM32L4", "CR_PNB(page) | CR_BKER", "CR_PNB(page)", "bank 2"),
        ("STM32H7", "SCB_CCR |= SCB_CCR_BFHFNMIGN;", "", "a bus fault"),
        ("STM32H7", "FLASH_CR = CR_PROGRAM;", "", "programming"),
    ],
)
def test_the_models_find_mistakes(variant: str, right: str, wrong: str, found: str, tmp_path: Path) -> None:
    source = with_shared(variant)
    assert source.count(right) == 1
    done = run(variant, tmp_path, source.replace(right, wrong))
    assert done.returncode == 1
    assert found in done.stdout
