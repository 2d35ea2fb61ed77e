"""The driver of ArduCAM's module, against a model of it (tests/helpers/hal/arducam.c)."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from tinyengine.boards import files, load
from tinyengine.native.build import SANITIZE, host_compiler
from tinyengine.paths import project_root

HAL = project_root() / "firmware" / "hal"
STATUSES = re.findall(r"HAL_CAMERA_(\w+),", (HAL / "camera.h").read_text("utf-8"))
SENSOR = ["sensor.c", "ov2640.c"]


@pytest.fixture(scope="module", params=[0, 1], ids=["2MP Plus", "2MP"])
def program(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The driver and the model; the older module sends an idle byte before its memory's first one."""
    folder = tmp_path_factory.mktemp("arducam")
    (folder / "board.h").write_text(f"#define BOARD_CAMERA_IDLE_BYTES {request.param}u\n")
    sources = [project_root() / "tests" / "helpers" / "hal" / "arducam.c", HAL / "arducam" / "camera.c"]
    sources += [HAL / "camera_sensors" / name for name in SENSOR]
    includes = [folder, HAL, project_root() / "lib" / "tinyengine" / "include"]
    command = [host_compiler(), "-std=c11", "-O1", "-Wall", "-Wextra", "-Werror", *SANITIZE]
    command += [*(f"-I{include}" for include in includes), *map(str, sources), "-o", str(folder / "arducam")]
    subprocess.run(command, check=True)
    return folder / "arducam"


def said(program: Path, *arguments: object) -> list[str]:
    """Names of the statuses of a start, of a capture and of one more, as far as it gets."""
    done = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return [STATUSES[int(number)] for number in done.stdout.split(" ArduCAM")[0].split()]


def test_pictures_come_whole(program: Path) -> None:
    assert said(program, "plain") == ["OK", "OK", "OK"]
    assert said(program, "more", 8) == ["OK", "OK", "OK"]  # what the chip counts beyond the picture


@pytest.mark.parametrize(
    ("scenario", "expected"),
    [
        (("stopped",), ["STOPPED"]),
        (("absent",), ["SILENT", "STOPPED"]),
        (("deaf",), ["SILENT", "STOPPED"]),
        (("identity", 0x41), ["UNKNOWN", "STOPPED"]),
        (("refuses", 40), ["REFUSED", "STOPPED"]),
        (("bus", 0), ["SILENT", "STOPPED"]),
        (("bus", 4), ["BUS", "STOPPED"]),
        (("bus", 6), ["BUS", "STOPPED"]),
        (("never",), ["OK", "NO_FRAME", "OK"]),
        (("less", 1), ["OK", "TORN", "OK"]),
        (("less", 153600), ["OK", "TORN", "OK"]),
        (("more", 640), ["OK", "TORN", "OK"]),
        (("capture bus", 0), ["OK", "BUS", "OK"]),
        (("capture bus", 3), ["OK", "BUS", "OK"]),
        (("capture bus", 100), ["OK", "BUS", "OK"]),
    ],
    ids=lambda value: " ".join(map(str, value)),
)
def test_what_goes_wrong_has_a_name(program: Path, scenario: tuple[object, ...], expected: list[str]) -> None:
    assert said(program, *scenario) == expected


def test_a_refusal_at_any_byte_ends_the_start(program: Path) -> None:
    """A sensor that stops answering: before it has said who it is, nothing answers; then the start is refused."""
    found = [said(program, "refuses", bytes_) for bytes_ in range(0, 30, 3)]
    assert {statuses[0] for statuses in found} == {"SILENT", "REFUSED"}
    assert all(statuses[1] == "STOPPED" for statuses in found)


# ---- The SPI unit of an STM32H7 ----


@pytest.fixture(scope="module")
def unit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("spi")
    files.write(load("nucleo_h743zi"), folder)
    helpers = project_root() / "tests" / "helpers" / "hal"
    include = [folder, helpers, HAL]
    command = ["g++", "-std=c++17", "-O1", "-Wall", "-Werror", "-include", str(helpers / "registers.h")]
    command += [*(f"-I{path}" for path in include), str(helpers / "spi.cpp")]
    command += ["-x", "c++", str(HAL / "stm32_spi_v3" / "spi.c"), "-o", str(folder / "spi")]
    subprocess.run(command, check=True)
    return folder / "spi"


def test_the_unit_is_set_up_as_the_manual_wants(unit: Path) -> None:
    assert subprocess.run([unit], capture_output=True, text=True).stdout == "6250000 ff aa 00 c3\n"


@pytest.mark.parametrize("bytes_", [0, 3])
def test_a_unit_that_stands_still_is_noticed(unit: Path, bytes_: int) -> None:
    assert subprocess.run([unit, str(bytes_)], capture_output=True, text=True).stdout == "6250000 stands still\n"


# ---- Clocks and pins of the module's board ----


def test_pins_and_clocks_of_the_module(tmp_path: Path) -> None:
    board = load("nucleo_h743zi")
    files.write(board, tmp_path)
    helpers = project_root() / "tests" / "helpers" / "hal"
    source = (HAL / "stm32_arducam" / "buses.c").read_text()
    (tmp_path / "buses.c").write_text(source.replace('#include "../', '#include "'))
    command = ["g++", "-std=c++17", "-O1", "-Wall", "-Werror", "-include", str(helpers / "registers.h")]
    command += [*(f"-I{path}" for path in (tmp_path, helpers, HAL)), str(helpers / "buses.cpp")]
    subprocess.run([*command, "-x", "c++", str(tmp_path / "buses.c"), "-o", str(tmp_path / "buses")], check=True)

    def said(*core_hz: str) -> list[str]:
        return subprocess.run([tmp_path / "buses", *core_hz], capture_output=True, text=True).stdout.splitlines()

    assert said() == [
        *("SPI 100000000", "I2C 100000000"),
        *("PE2 2 5 0", "PE4 1 0 0", "PE5 2 5 0", "PE6 2 5 0", "PB8 2 4 1", "PB9 2 4 1"),
        *("selected 0", "left 1"),
    ]
    assert said("64000000")[:2] == ["SPI 64000000", "I2C 64000000"], "where the PLL has not come up"
