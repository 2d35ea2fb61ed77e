"""Builds by PlatformIO: without its registry, for every board, by `tinyengine build` and by a plain `pio run`."""

from __future__ import annotations

import configparser
import json
import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from tinyengine import sim
from tinyengine.boards import load, names
from tinyengine.compiler import CompileOptions
from tinyengine.cores import core
from tinyengine.device import open_device
from tinyengine.errors import BudgetError, DeviceError, ToolError
from tinyengine.paths import platformio_dir, project_root
from tinyengine.project import pio
from tinyengine.project.build import Firmware, build
from tinyengine.project.flash import flash
from tinyengine.project.sizes import FirmwareSizes, firmware_sizes
from tinyengine.project.toolchain import device_flags, library_sources, symbols
from tinyengine.report.figures import build_figures

from tests.helpers import networks

BOARD = "sim_stm32f405"
BUILT = ["sim_stm32f405", "sim_mps2_an505", "nucleo_h743zi", "blackpill_f411ce"]
"""Boards that PlatformIO builds here; we build all of them ourselves."""
TINY = "one_relu"


@pytest.fixture(scope="module")
def model() -> Path:
    pytest.importorskip("tensorflow", reason="builds its network with TensorFlow")
    return networks.path(TINY)


@pytest.fixture(scope="module", autouse=True)
def build_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Products of our own: the user's .pio is left alone."""
    folder = tmp_path_factory.mktemp("pio")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PLATFORMIO_BUILD_DIR", str(folder))
        yield folder


@pytest.fixture(scope="module")
def firmwares(model: Path, build_folder: Path) -> dict[str, Firmware]:
    """The firmware of some boards, by PlatformIO, with the same small network."""
    return {name: build(model, load(name), CompileOptions(cpu=load(name).cpu)) for name in BUILT}


@pytest.fixture(scope="module")
def sizes(model: Path) -> list[FirmwareSizes]:
    """The firmware of all boards, by ourselves: with objects that boards share, and warnings as errors."""
    return [firmware_sizes(model, load(name), CompileOptions(cpu=load(name).cpu)) for name in names()]


def test_pio_and_we_build_the_same(firmwares: dict[str, Firmware], sizes: list[FirmwareSizes]) -> None:
    ours = {entry.board.name: entry for entry in sizes}
    for name, firmware in firmwares.items():
        assert abs(ours[name].flash_bytes - firmware.flash_bytes) <= 64, name
        stack = 0 if firmware.board.stack_shares_sram else firmware.board.stack_bytes
        assert abs(ours[name].sram_bytes - firmware.sram_bytes - stack) <= 64, name
        [arena] = [address for symbol, _, address, _ in symbols(firmware.elf) if symbol == "network_arena"]
        region = firmware.board.arena_region(firmware.compiled.plan.arena_bytes)
        assert region.address <= arena < region.end, name
        assert (region.name == "DTCM") == (name == "nucleo_h743zi")


@pytest.mark.slow
def test_every_board_builds_and_fits(firmwares: dict[str, Firmware], build_folder: Path) -> None:
    for name, firmware in firmwares.items():
        board = firmware.board
        assert firmware.elf == build_folder / name / "firmware.elf"
        assert 0 < firmware.flash_bytes < board.flash_bytes
        assert 0 < firmware.sram_bytes < board.sram_bytes
        assert firmware.elf.with_suffix(".bin").stat().st_size == pytest.approx(firmware.flash_bytes, abs=64)


def test_the_reserve_covers_the_firmware(sizes: list[FirmwareSizes]) -> None:
    """What a board's description keeps back from networks is what the firmware without a network takes."""
    assert [entry.board.name for entry in sizes] == names()
    for entry in sizes:
        board = entry.board
        own_sram = entry.sram_bytes - entry.arena_bytes - (0 if board.stack_shares_sram else board.stack_bytes)
        own_flash = entry.flash_bytes - entry.weight_bytes - entry.code_bytes
        assert entry.fits
        assert own_sram <= board.reserved_sram_bytes <= own_sram + 8192, board.name
        assert own_flash <= board.reserved_flash_bytes <= own_flash + 16384, board.name


def test_the_firmware_runs(firmwares: dict[str, Firmware]) -> None:
    for name in (name for name in BUILT if name.startswith("sim_")):
        with sim.start(name) as simulation, open_device(simulation.url) as device:
            assert device.identity.board == name
            assert device.identity.model_hash == firmwares[name].compiled.model_hash


def test_report(firmwares: dict[str, Firmware]) -> None:
    report = json.loads(json.dumps(build_figures(firmwares[BOARD])))
    assert {"macs", "arena_bytes", "flash_bytes", "layers", "stages", "board", "fit", "firmware"} <= set(report)
    assert report["board"] == BOARD
    assert Path(report["firmware"]["elf"]).is_file()


def pio_run(
    config: Path, board: str, *targets: str, project: Path | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    """As a user would type it, with another platformio.ini, or in another checkout."""
    root = str(project or project_root())
    command = [sys.executable, "-m", "platformio", "run", "-d", root, "-c", str(config), "-e", board]
    for target in targets:
        command += ["-t", target]
    return subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, **environment}, timeout=120, check=False
    )


@pytest.fixture
def config(tmp_path: Path, model: Path) -> Path:
    """platformio.ini with a small network."""
    parser = configparser.ConfigParser()
    parser.read(project_root() / "platformio.ini")
    parser["env"]["custom_model"] = str(model)
    parser["platformio"]["extra_configs"] = str(project_root() / "boards" / "environments.ini")
    with (path := tmp_path / "platformio.ini").open("w") as file:
        parser.write(file)
    return path


def test_plain_pio_run_compiles_the_network_once(config: Path, build_folder: Path, tmp_path: Path) -> None:
    own = {"PLATFORMIO_BUILD_DIR": str(tmp_path / "build")}
    first = pio_run(config, BOARD, **own)
    assert first.returncode == 0, first.stdout + first.stderr
    assert "Compiling one_relu.tflite" in first.stdout.replace("../", "") or "one_relu.tflite for" in first.stdout
    elf = tmp_path / "build" / BOARD / "firmware.elf"
    built = elf.stat().st_mtime_ns
    second = pio_run(config, BOARD, **own)
    assert second.returncode == 0
    assert "one_relu.tflite for" not in second.stdout
    assert elf.stat().st_mtime_ns == built


def test_header_and_linker_scripts_are_built_again(model: Path, tmp_path: Path) -> None:
    """What SCons does not find by itself: a mistake in each of them stops a build for which all else is up to date."""
    copy = tmp_path / "copy"
    for name in ("boards", "firmware", "host", "lib", "scripts"):
        shutil.copytree(project_root() / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    config = (project_root() / "platformio.ini").read_text()
    (copy / "platformio.ini").write_text(config.replace("models/person_tiny.tflite", str(model)))
    own = {"PLATFORMIO_BUILD_DIR": str(tmp_path / "build"), "PLATFORMIO_CORE_DIR": str(platformio_dir())}

    def build_copy() -> subprocess.CompletedProcess[str]:
        return pio_run(copy / "platformio.ini", BOARD, project=copy, **own)

    done = build_copy()
    assert done.returncode == 0, done.stdout + done.stderr
    for file in ("firmware/hal/stm32f4/family.h", "boards/linker/sections.ld"):
        right = (copy / file).read_text()
        (copy / file).write_text(right + "\n(wrong\n")
        done = build_copy()
        assert done.returncode != 0, file + done.stdout
        (copy / file).write_text(right)


@pytest.mark.slow
@pytest.mark.parametrize(("board", "small"), [(BOARD, False), ("disco_f746ng", True)])
def test_kernels_are_compiled_as_for_the_bench(config: Path, tmp_path: Path, board: str, small: bool) -> None:
    """With the flags of project.toolchain; the firmware has further warnings and debug information."""
    if small:
        config.write_text(
            config.read_text().replace("custom_compile_options =", "custom_compile_options = --optimize flash")
        )
    verbose = {"PLATFORMIO_SETTING_FORCE_VERBOSE": "yes"}
    done = pio_run(config, board, PLATFORMIO_BUILD_DIR=str(tmp_path / "build"), **verbose)
    assert done.returncode == 0, done.stdout + done.stderr
    commands = [line.split() for line in done.stdout.splitlines() if " -c " in line]
    assert {Path(command[-1]).name for command in commands} >= {path.name for path in library_sources()}
    deciding = re.compile(r"-(O|std=|mcpu|mfpu|mfloat-abi|ffp-contract).*")
    for command in commands:
        assembly = command[-1].endswith(".S")
        wanted = core(load(board).cpu).flags if assembly else device_flags(load(board).cpu, small=small)
        assert set(wanted) <= set(command), command[-1]
        assert {flag for flag in command if deciding.match(flag)} == {flag for flag in wanted if deciding.match(flag)}


def test_pio_run_says_that_the_network_is_missing(config: Path, tmp_path: Path) -> None:
    config.write_text(config.read_text().replace("one_relu.tflite", "nothing.tflite"))
    done = pio_run(config, BOARD, PLATFORMIO_BUILD_DIR=str(tmp_path / "build"))
    assert done.returncode != 0
    assert "error: the network" in done.stderr
    assert "set custom_model" in done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_a_network_too_big_for_the_board() -> None:
    """The linker's message, for sizes that only the whole firmware shows."""
    error = pio._failure(BOARD, [], ["ld: region `RAM' overflowed by 1234 bytes\n", "collect2: error: ld returned 1\n"])
    assert isinstance(error, BudgetError)
    assert "RAM is 1234 bytes too small" in str(error)


def test_a_trainable_network_too_big_for_the_board() -> None:
    """boards/linker/sections.ld says so."""
    error = pio._failure(BOARD, [], ["ld: region `FLASH' overflowed into the slots of trained states\n"])
    assert isinstance(error, BudgetError)
    assert "reaches into the flash that keeps trained states" in str(error)


def test_the_registry_does_not_answer() -> None:
    error = pio._failure(BOARD, ["nobuild", "upload"], ["HTTPClientError: \n"])
    assert isinstance(error, ToolError)
    assert "openocd" in str(error)


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["Compiling x", "error: the network x.tflite does not exist", "*** Error 1"], "the network x.tflite does not"),
        (["a.c:1:2: error: unknown type 'foo'", "*** [a.o] Error 1"], "unknown type 'foo'"),
        (
            ["ld: main.o: undefined reference to `f'", "collect2: error: ld returned 1 exit status"],
            "undefined reference",
        ),
        (["something", "", "=== [FAILED] ==="], "[FAILED]"),
        ([], "it said nothing"),
    ],
)
def test_the_line_that_says_most(lines: list[str], expected: str) -> None:
    assert expected in str(pio._failure(BOARD, [], [f"{line}\n" for line in lines]))


def test_a_board_without_environment() -> None:
    error = pio._failure("mine", [], ["UnknownEnvNamesError: Unknown environment names 'mine'. Valid names are 'a'\n"])
    assert str(error).endswith("run scripts/draw_boards.py")


@pytest.fixture
def upload_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An openocd and a dfu-util that write down how they were called."""
    record = tmp_path / "arguments"
    for name in ("openocd", "dfu-util"):
        program = tmp_path / name
        program.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >{record}\n')
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    return record


def test_flash(firmwares: dict[str, Firmware], upload_program: Path) -> None:
    flash(load("nucleo_h743zi"))
    image = firmwares["nucleo_h743zi"].elf.with_suffix(".bin")
    assert upload_program.read_text().splitlines() == [
        "-f",
        "interface/stlink.cfg",
        "-f",
        "target/stm32h7x.cfg",
        "-c",
        f"program {{{image}}} verify reset exit 0x08000000",
    ]


def test_flash_by_dfu(firmwares: dict[str, Firmware], upload_program: Path) -> None:
    flash(load("blackpill_f411ce"))
    image = firmwares["blackpill_f411ce"].elf.with_suffix(".bin")
    wanted = ["-d", "0483:df11", "-a", "0", "-s", "0x08000000:leave", "-D", str(image)]
    assert upload_program.read_text().splitlines() == wanted


def test_flash_what_cannot_be_flashed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DeviceError, match="tinyengine sim sim_stm32f405"):
        flash(load(BOARD))
    monkeypatch.setenv("PLATFORMIO_BUILD_DIR", str(tmp_path))
    with pytest.raises(DeviceError, match="tinyengine build MODEL --board nucleo_h743zi"):
        flash(load("nucleo_h743zi"))


def test_prepare_is_idempotent_and_leaves_a_real_package_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLATFORMIO_CORE_DIR", str(tmp_path))
    pio.prepare()
    package = tmp_path / "packages" / "tool-scons"
    times = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    assert package / "scons.py" in times
    pio.prepare()
    assert {path: path.stat().st_mtime_ns for path in times} == times

    (package / "scons.py").write_text("# broken\n")
    pio.prepare()
    assert "SCons.Script.main()" in (package / "scons.py").read_text()

    (package / ".piokeep").unlink()  # as PlatformIO installs it
    (package / "scons.py").write_text("# from the registry\n")
    pio.prepare()
    assert (package / "scons.py").read_text() == "# from the registry\n"


def test_settings_of_the_user_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLATFORMIO_CORE_DIR", str(tmp_path))
    (tmp_path / "appstate.json").write_text(json.dumps({"settings": {"projects_dir": "/x"}, "cid": 1}))
    pio.prepare()
    state = json.loads((tmp_path / "appstate.json").read_text())
    assert state["cid"] == 1
    assert state["settings"]["projects_dir"] == "/x"
    assert state["settings"]["enable_telemetry"] is False
