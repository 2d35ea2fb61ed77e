"""Board descriptions: complete, consistent with linker scripts and platformio.ini, damage named in one sentence."""

from __future__ import annotations

import json
import re
import runpy
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from platformio.project.config import ProjectConfig
from tinyengine.boards import Memory, files, load, names
from tinyengine.errors import BoardError
from tinyengine.paths import project_root

FIRST = ["disco_f746ng", "nucleo_h743zi", "sim_cortex_m7", "sim_stm32f405"]
STORING = [name for name in names() if load(name).storage]
HAL = project_root() / "firmware" / "hal"


def manifest(name: str) -> dict:
    return json.loads((project_root() / "boards" / f"{name}.json").read_text())


def test_the_first_boards_are_there() -> None:
    assert set(FIRST) <= set(names())
    assert set(FIRST) <= set(STORING)


def numbers(script: str, what: str) -> dict[str, tuple[int, int]]:
    """Memories in a linker script: name to origin and length."""
    found = re.findall(rf"^  ({what}) \(\w+\) : ORIGIN = (\w+), LENGTH = (\d+)$", script, re.MULTILINE)
    return {name: (int(origin, 0), int(length)) for name, origin, length in found}


@pytest.mark.parametrize("name", names())
def test_the_linker_script_says_what_the_description_says(name: str) -> None:
    board = load(name)
    script = files.linker_script(board)
    memories = numbers(script, r"\w+")
    assert memories["FLASH"] == (board.flash.address, board.flash_bytes)
    assert memories["RAM"][1] == board.sram_bytes
    stack = re.search(r'REGION_ALIAS\("STACK_RAM", (\w+)\)', script)
    assert stack
    assert (stack[1] == "RAM") == board.stack_shares_sram
    assert 'REGION_ALIAS("ARENA_RAM", RAM)' in script
    assert f"_stack_size = {board.stack_bytes};" in script
    total = sum(length for name, (_, length) in memories.items() if name != "FLASH")
    assert total == sum(entry["bytes"] for entry in manifest(name)["tinyengine"]["memories"])


def test_the_arena_goes_to_the_fastest_memory_that_holds_it() -> None:
    h7, f7, f469 = load("nucleo_h743zi"), load("nucleo_f767zi"), load("disco_f469ni")
    room = 128 * 1024 - h7.stack_bytes
    assert h7.arena_region(room).name == "DTCM"
    assert h7.arena_region(room + 1).name == "AXI"
    assert 'REGION_ALIAS("ARENA_RAM", DTCM)' in files.linker_script(h7, room)
    assert 'REGION_ALIAS("ARENA_RAM", RAM)' in files.linker_script(h7, room + 1)
    assert f469.arena_region(56 * 1024).name == "CCM"
    assert f469.arena_region(56 * 1024 + 1).name == "SRAM1"
    assert f7.arena_memories(120 * 1024) == ["DTCM"]
    assert f7.arena_memories(120 * 1024 + 1) == ["DTCM", "SRAM1"]
    # the tightly coupled memory and what follows it are one, and the arena comes first
    assert f7.regions == (Memory("DTCM", "DTCM", 0x20000000, 512 * 1024),)
    sections = (project_root() / "boards" / "linker" / "sections.ld").read_text()
    assert sections.index(".stack (NOLOAD)") < sections.index(".arena (NOLOAD)") < sections.index(".data :")


@pytest.mark.parametrize("name", names())
def test_description_agrees_with_the_build(name: str) -> None:
    board = load(name)
    assert all((HAL / folder).is_dir() for folder in board.hal)
    header = files.header(board)
    assert f"#define HAL_SIMULATED {int(board.is_simulated_only)}\n" in header
    assert board.count_unit == ("instructions" if board.is_simulated_only else "cycles")
    families = re.findall(r'#include "(\w+/family.h)"', header)
    assert len(families) == 1
    # The UART that it names is one that its family knows.
    family = (HAL / families[0]).read_text() + (HAL / "stm32_clock_f4" / "rcc.h").read_text()
    assert f"#define {board.serial.uart}_BASE " in family
    config = ProjectConfig(str(project_root() / "platformio.ini"))
    assert config.get(f"env:{board.environment}", "board") == name


@pytest.mark.parametrize("name", names())
def test_chips_are_told_apart(name: str) -> None:
    """Nine letters of an STM32's name: what a driver asks for."""
    board = load(name)
    chip = re.search(r"#define BOARD_CHIP_(\w+) 1", files.header(board))
    assert chip
    assert chip[1] in ("MPS2_AN500", "MPS2_AN505", "MPS3_AN547") or re.fullmatch(r"STM32[FHLU]\w{3}", chip[1])


def macros(*paths: Path) -> set[str]:
    """Names of board.h's macros in these files."""
    pattern = r"\b(BOARD_(?!CHIP_|H\b|NAME\b)[A-Z0-9_]*[A-Z0-9])\b"
    return {name for path in paths for name in re.findall(pattern, path.read_text())}


def test_the_macros_are_those_of_the_page_and_of_the_drivers(tmp_path: Path) -> None:
    for name in names():
        files.write(load(name), tmp_path / name)
    defined = macros(*tmp_path.rglob("board.h"))
    assert defined == macros(*HAL.rglob("*.[ch]")) == macros(project_root() / "docs" / "boards.md")


CAMERA = manifest("nucleo_f446re")["tinyengine"]["camera"]
CAMERA_FOLDERS = ["stm32_dcmi", "camera_sensors", "stm32_i2c_v1"]


def test_a_camera_becomes_macros() -> None:
    board = load("disco_f746ng")
    assert board.camera
    assert board.camera.title == "OV2640 or OV5640 or OV7725"
    header = files.header(board)
    for line in (
        "BOARD_HAS_DCMI 1",
        "BOARD_CAMERA_SENSORS &hal_sensor_ov2640, &hal_sensor_ov5640, &hal_sensor_ov7725",
        "BOARD_CAMERA_I2C(fact) I2C3_##fact",
        "BOARD_CAMERA_HAS_TIMER 0",
        "BOARD_CAMERA_HAS_RESET 0",
        "BOARD_CAMERA_POWER_DOWN_PORT GPIOH",
        "BOARD_CAMERA_POWER_DOWN_ACTIVE 1u",
    ):
        assert f"#define {line}\n" in header
    assert "#define BOARD_CAMERA_PINS {GPIOH, 9u}, {GPIOH, 10u}," in header
    assert "{GPIOA, 4u}, {GPIOG, 9u}, {GPIOA, 6u}\n" in header
    assert "#define BOARD_HAS_DCMI 0\n" in files.header(load("disco_f469ni"))


MODULE = manifest("nucleo_h743zi")["tinyengine"]["camera"]
MODULE_FOLDERS = ["arducam", "stm32_arducam", "camera_sensors", "stm32_i2c_v1", "stm32_spi_v3"]


def with_camera(
    checkout: Path, *without: str, camera: dict[str, Any] = CAMERA, folders: Sequence[str] = CAMERA_FOLDERS
) -> None:
    """The checkout's board with a camera, and the folders that it needs but these."""
    hal = [*json.loads(checkout.read_text())["build"]["hal"], *folders]
    for folder in folders:
        (checkout.parent.parent / "firmware" / "hal" / folder).mkdir()
    for sensor in ("sensor", *CAMERA["sensors"]):
        (checkout.parent.parent / "firmware" / "hal" / "camera_sensors" / f"{sensor}.c").touch()
    damage(checkout, "build", "hal", value=[folder for folder in hal if folder not in without])
    damage(checkout, "tinyengine", "camera", value=camera)


@pytest.mark.parametrize(
    ("keys", "value", "reason"),
    [
        (("bus",), "usb", "bus is 'usb', not one of dcmi"),
        (("sensors",), ["ov9655"], 'sensors has "ov9655", not one of ov2640, ov5640, ov7725'),
        (("sensors",), [["ov2640"]], r'sensors has \["ov2640"\], not one of'),
        (("sensors",), [], "sensors takes one or several different ones"),
        (("sensors",), ["ov2640", "ov2640"], "sensors takes one or several different ones"),
        (("data",), CAMERA["data"][1:], "camera takes 8 data pins"),
        (("data", 0), "PA4", "PA4 is the pin of two things"),
        (("data", 0), "C6", "data is 'C6', not a pin such as PA9"),
        (("data", 0), 6, "data is 6, not a text"),
        (("hsync",), "", "hsync is '', not a pin such as PA9"),
        (("place",), 1, "place is 1, not a text"),
        (("function",), 16, "function is 16, not 0 to 15"),
        (("i2c",), "I2C1", 'i2c is "I2C1", not an object'),
        (("i2c", "unit"), "I2C 1", "unit is 'I2C 1', not one of I2C1, I2C2, I2C3"),
        (("i2c", "function"), -1, "function is -1, not 0 to 15"),
        (("clock", "timer"), "TIM2", "timer is 'TIM2', not one of TIM1"),
        (("clock", "hz"), 0, "hz is 0, not a positive number"),
        (("clock", "pin"), "PA6", "PA6 is the pin of two things"),
        (("clock", "pin"), None, "camera.clock has a timer and its pin, or neither"),
        (("reset", "active"), 2, "reset takes a pin, and active 0 or 1"),
        (("power_down", "pin"), "low", "pin is 'low', not a pin"),
    ],
)
def test_a_wrong_camera_is_refused(checkout: Path, keys: tuple[str | int, ...], value: object, reason: str) -> None:
    with_camera(checkout)
    assert load("mine").camera
    damage(checkout, "tinyengine", "camera", *keys, value=value)
    with pytest.raises(BoardError, match=rf"^boards/mine.json has a field with a wrong value \({reason}") as caught:
        load("mine")
    assert "\n" not in str(caught.value)


def test_an_incomplete_camera_is_refused(checkout: Path) -> None:
    with_camera(checkout)
    damage(checkout, "tinyengine", "camera", "reset", "level", value=1)
    with pytest.raises(BoardError, match=r"has the unknown field 'level': see docs"):
        load("mine")
    damage(checkout, "tinyengine", "camera", "reset")
    assert load("mine").camera
    damage(checkout, "tinyengine", "camera", "vsync")
    with pytest.raises(BoardError, match="lacks the field 'vsync'"):
        load("mine")


@pytest.mark.parametrize("part", [(), ("i2c",), ("clock",)])
def test_pins_of_a_camera_need_their_function(checkout: Path, part: tuple[str, ...]) -> None:
    """0 is a function too, and the wrong one."""
    with_camera(checkout)
    damage(checkout, "tinyengine", "camera", *part, "function")
    with pytest.raises(BoardError, match="lacks the field 'function'"):
        load("mine")


@pytest.mark.parametrize("other", [("serial", "transmit"), ("serial", "receive"), ("led", "pin")])
def test_a_camera_leaves_the_pins_of_others(checkout: Path, other: tuple[str, str]) -> None:
    with_camera(checkout)
    damage(checkout, "tinyengine", "led", value={"pin": "PA5"})
    assert load("mine").camera
    damage(checkout, "tinyengine", *other, value=CAMERA["hsync"])
    with pytest.raises(BoardError, match=f"{CAMERA['hsync']} is the pin of two things"):
        load("mine")


@pytest.mark.parametrize("folder", CAMERA_FOLDERS)
def test_a_camera_needs_its_drivers(checkout: Path, folder: str) -> None:
    with_camera(checkout, folder)
    with pytest.raises(BoardError, match=f"camera needs the folder {folder} in build.hal"):
        load("mine")


def test_a_camera_takes_the_units_that_its_chip_s_driver_knows(checkout: Path) -> None:
    with_camera(checkout)
    damage(checkout, "tinyengine", "camera", "i2c", "unit", value="I2C4")
    with pytest.raises(BoardError, match="unit is 'I2C4', not one of I2C1, I2C2, I2C3"):
        load("mine")


def test_a_camera_needs_the_driver_of_its_chip(checkout: Path) -> None:
    with_camera(checkout, "stm32_i2c_v1", folders=(*CAMERA_FOLDERS, "stm32_i2c_v2"))  # which other chips have
    with pytest.raises(BoardError, match=r"camera needs the folder stm32_i2c_v1 in build\.hal"):
        load("mine")


def test_a_camera_with_a_memory_becomes_macros() -> None:
    board = load("nucleo_h743zi")
    assert board.camera and board.camera.title == "ArduCAM Mini 2MP Plus"
    header = files.header(board)
    for line in (
        "BOARD_HAS_DCMI 0",
        "BOARD_CAMERA_WIDTH 320u",
        "BOARD_CAMERA_SPI(fact) SPI4_##fact",
        "BOARD_CAMERA_PINS {GPIOE, 2u}, {GPIOE, 5u}, {GPIOE, 6u}",
        "BOARD_CAMERA_SELECT_PIN 4u",
        "BOARD_CAMERA_IDLE_BYTES 0u",
        "BOARD_CAMERA_I2C(fact) I2C1_##fact",
    ):
        assert f"#define {line}\n" in header


@pytest.mark.parametrize(
    ("keys", "value", "reason"),
    [
        (("spi", "unit"), "SPI 4", "unit is 'SPI 4', not a name"),
        (("spi", "data_in"), "E5", "data_in is 'E5', not a pin"),
        (("spi", "data_out"), "PE5", "PE5 is the pin of two things"),
        (("select",), "PB8", "PB8 is the pin of two things"),
        (("idle_bytes",), 2, "camera.idle_bytes is 0 or 1"),
    ],
)
def test_a_wrong_camera_with_a_memory_is_refused(
    checkout: Path, keys: tuple[str, ...], value: object, reason: str
) -> None:
    with_camera(checkout, camera=MODULE, folders=MODULE_FOLDERS)
    assert load("mine").camera
    damage(checkout, "tinyengine", "camera", *keys, value=value)
    with pytest.raises(BoardError, match=rf"^boards/mine.json has a field with a wrong value \({reason}"):
        load("mine")


def test_a_camera_with_a_memory_has_fields_of_its_own(checkout: Path) -> None:
    with_camera(checkout, camera=MODULE | {"hsync": "PA4"}, folders=MODULE_FOLDERS)
    with pytest.raises(BoardError, match=r"has the unknown field 'hsync': see docs"):
        load("mine")


@pytest.mark.parametrize("folder", MODULE_FOLDERS)
def test_a_camera_with_a_memory_needs_its_drivers(checkout: Path, folder: str) -> None:
    with_camera(checkout, folder, camera=MODULE, folders=MODULE_FOLDERS)
    with pytest.raises(BoardError, match=r"camera needs the folder \w+"):
        load("mine")


def test_the_tables_and_environments_are_those_of_the_descriptions() -> None:
    script = runpy.run_path(str(project_root() / "scripts" / "draw_boards.py"))
    for path, text in script["written"]().items():
        assert path.read_text(encoding="utf-8") == text, f"{path}: run scripts/draw_boards.py"


@pytest.mark.parametrize("name", names())
def test_budget_is_what_the_firmware_leaves(name: str) -> None:
    board = load(name)
    assert 0 < board.network_sram_bytes < board.sram_bytes
    assert 0 < board.network_flash_bytes < board.flash_bytes


@pytest.mark.parametrize("name", STORING)
def test_storage_is_the_end_of_the_flash(name: str) -> None:
    board = load(name)
    storage = board.storage
    assert storage is not None
    assert storage.address + storage.bytes == board.flash.address + board.flash_bytes
    assert f"_storage_start = {storage.address:#010x};" in files.linker_script(board)
    assert (storage.address - board.flash.address) % storage.sector_bytes == 0
    assert board.training_flash_bytes == board.network_flash_bytes - storage.bytes > 0
    assert storage.sectors[0] in str(storage)
    assert [slot["address"] for slot in storage.report()] == [storage.address, storage.address + storage.slot_bytes]


@pytest.mark.parametrize(
    ("name", "sectors", "first", "bank"),
    [
        ("sim_stm32f405", ("sector 10", "sector 11"), 10, 1),
        ("sim_cortex_m7", ("sectors 24 to 27", "sectors 28 to 31"), 24, 1),
        ("nucleo_h743zi", ("bank 2, sectors 4 and 5", "bank 2, sectors 6 and 7"), 4, 2),
        ("disco_f469ni", ("sector 22", "sector 23"), 10, 2),
        ("nucleo_u575zi_q", ("bank 2, pages 96 to 111", "bank 2, pages 112 to 127"), 96, 2),
    ],
)
def test_slots_are_called_as_in_the_reference_manual(
    name: str, sectors: tuple[str, str], first: int, bank: int
) -> None:
    board = load(name)
    assert board.storage is not None
    assert board.storage.sectors == sectors
    header = files.header(board)
    assert f"#define BOARD_FLASH_FIRST_SECTOR {first}u\n" in header
    assert f"#define BOARD_FLASH_BANK {bank}\n" in header


def test_simulators() -> None:
    board = load("sim_stm32f405")
    simulator = board.simulator("qemu")
    assert simulator is not None
    assert simulator.settings["machine"] == "netduinoplus2"
    assert board.simulator("renode") is None
    assert load("nucleo_h743zi").simulator("renode") is not None


@pytest.mark.parametrize("wrong", ["", "nucleo", "../platformio", "sim_stm32f405.json"])
def test_unknown_board_lists_the_boards(wrong: str) -> None:
    with pytest.raises(BoardError) as error:
        load(wrong)
    assert all(name in str(error.value) for name in FIRST)
    assert "\n" not in str(error.value)


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with one board, to be damaged."""
    (tmp_path / "lib" / "tinyengine").mkdir(parents=True)
    (tmp_path / "platformio.ini").touch()
    (tmp_path / "boards").mkdir()
    for folder in manifest("sim_stm32f405")["build"]["hal"]:
        (tmp_path / "firmware" / "hal" / folder).mkdir(parents=True)
    shutil.copy(project_root() / "boards" / "sim_stm32f405.json", tmp_path / "boards" / "mine.json")
    monkeypatch.setenv("TINYENGINE_ROOT", str(tmp_path))
    return tmp_path / "boards" / "mine.json"


def damage(path: Path, *keys: str | int, value: object = None) -> None:
    """Set the field at ``keys`` to ``value``; without one, remove it."""
    description = json.loads(path.read_text())
    where = description
    for key in keys[:-1]:
        where = where[key]
    if value is None:
        del where[keys[-1]]
    else:
        where[keys[-1]] = value
    path.write_text(json.dumps(description))


def test_own_board_is_found(checkout: Path) -> None:
    assert names() == ["mine"]
    assert load("mine").cpu == "cortex-m4"
    assert load("mine").file == load(str(checkout)).file == ""


def test_a_file_of_the_users(checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (own := tmp_path / "elsewhere").mkdir()
    shutil.copy(checkout, own / "yours.json")
    board = load(str(own / "yours.json"))
    assert (board.name, board.file) == ("yours", str(own / "yours.json"))
    assert names() == ["mine"]
    monkeypatch.chdir(own)
    assert load("./yours.json") == load("yours.json") == board
    shutil.copy(checkout, own / "mine.json")
    with pytest.raises(BoardError, match="has the name of one of the checkout's boards: call the file something else"):
        load("mine.json")
    shutil.copy(checkout, own / "no name.json")
    with pytest.raises(BoardError, match="use letters, digits, _ and - only"):
        load("no name.json")
    with pytest.raises(BoardError, match=r"there is no board description \./nothing.json: the boards are mine"):
        load("./nothing.json")
    damage(own / "yours.json", "build", "cpu", value="z80")
    with pytest.raises(BoardError, match=r"^yours\.json has a field with a wrong value"):
        load("yours.json")


@pytest.mark.parametrize(
    "keys",
    [("tinyengine",), ("tinyengine", "stack_bytes"), ("build",), ("upload", "protocol"), ("tinyengine", "flash")],
)
def test_missing_field_is_named(checkout: Path, keys: tuple[str, ...]) -> None:
    damage(checkout, *keys)
    with pytest.raises(BoardError, match=rf"boards/mine.json lacks the field '{keys[-1]}'"):
        load("mine")


@pytest.mark.parametrize(
    ("keys", "value"),
    [
        (("tinyengine", "stack_bytes"), "much"),
        (("tinyengine", "stack_bytes"), 1 << 30),
        (("tinyengine", "reserved_sram_bytes"), 1 << 30),
        (("tinyengine", "interrupts"), -1),
        (("build", "cpu"), "cortex-m0"),
        (("build", "cpu"), ["cortex-m4"]),
        (("build", "mcu"), 'stm32"\n#error'),
        (("build",), ["cortex-m4"]),
        (("build", "hal"), 1),
        (("build", "hal", 0), "../../lib"),
        (("build", "hal", 0), "."),
        (("upload", "protocol"), "telepathy"),
        (("tinyengine", "memories"), []),
        (("tinyengine", "memories"), [1]),
        (("tinyengine", "memories", 0, "kind"), "tape"),
        (("tinyengine", "memories", 0, "address"), 536870912),
        (("tinyengine", "memories", 0, "bytes"), 0),
        (("tinyengine", "memories", 0, "bytes"), 114689),
        (("tinyengine", "memories", 1, "address"), "0x2001BFFF"),
        (("tinyengine", "memories", 1, "address"), "0x20000000"),
        (("tinyengine", "memories", 1, "address"), "0x080FFFFF"),
        (("tinyengine", "memories", 1, "address"), "0xFFFFFFF0"),
        (("tinyengine", "memories", 1, "name"), "SRAM1"),
        (("tinyengine", "memories", 1, "name"), "A B;{"),
        (("tinyengine", "memories", 1, "name"), ""),
        (("tinyengine", "memories", 1), {"name": "RAM", "kind": "CCM", "address": "0x10000000", "bytes": 65536}),
        (("tinyengine", "memories", 1), {"name": "FLASH", "kind": "CCM", "address": "0x10000000", "bytes": 65536}),
        (("tinyengine", "clock", "core_hz"), "fast"),
        (("tinyengine", "clock", "core_hz"), 10**20),
        (("tinyengine", "clock", "core_hz"), 1 << 32),
        (("tinyengine", "clock", "signal_hz"), 8000000),
        (("tinyengine", "flash"), [1]),
        (("tinyengine", "flash", "address"), 8),
        (("tinyengine", "flash", "address"), "there"),
        (("tinyengine", "flash", "sectors"), 2),
        (("tinyengine", "flash", "sectors"), [[4]]),
        (("tinyengine", "flash", "sectors"), []),
        (("tinyengine", "flash", "banks"), 3),
        (("tinyengine", "flash", "slot_bytes"), 100),
        (("tinyengine", "flash", "slot_bytes"), 131072 * 4),
        (("tinyengine", "serial"), "USART1"),
        (("tinyengine", "serial", "baud"), {}),
        (("tinyengine", "serial", "baud"), 0),
        (("tinyengine", "serial", "uart"), "FOO)"),
        (("tinyengine", "serial", "function"), -1),
        (("tinyengine", "serial", "function"), 16),
        (("tinyengine", "serial", "transmit"), "A9"),
        (("tinyengine", "serial", "transmit"), ""),
        (("tinyengine", "led"), {"pin": "LED1"}),
        (("tinyengine", "led"), {"pin": "PA1", "lit_by": 5}),
        (("tinyengine", "price"), "cheap"),
        (("tinyengine", "watchdog_seconds"), 33),
        (("tinyengine", "simulators"), []),
        (("tinyengine", "simulators", "qemu"), 3),
        (("tinyengine", "simulators", "bochs"), {}),
    ],
)
def test_wrong_field_is_refused(checkout: Path, keys: tuple[str | int, ...], value: object) -> None:
    damage(checkout, *keys, value=value)
    with pytest.raises(BoardError, match=r"boards/mine.json has a field with a wrong value") as caught:
        load("mine")
    python = r"unhashable|__init__|argument|iterable|attribute|indices|invalid literal|'(int|str|list|dict)'"
    assert not re.search(python, str(caught.value))


@pytest.mark.parametrize(
    "keys", [("tinyengine", "sram"), ("sram",), ("build", "sram"), ("tinyengine", "flash", "sram"), ("upload", "sram")]
)
def test_an_unknown_field_is_named(checkout: Path, keys: tuple[str, ...]) -> None:
    damage(checkout, *keys, value=1)
    with pytest.raises(BoardError, match=r"boards/mine.json has the unknown field 'sram': see docs/boards.md"):
        load("mine")


def test_a_folder_that_is_not_there_is_named(checkout: Path) -> None:
    damage(checkout, "build", "hal", value=["common", "stm32_usart_v9"])
    with pytest.raises(BoardError, match=r"the folder firmware/hal/stm32_usart_v9 in build.hal, which does not exist"):
        load("mine")


@pytest.mark.parametrize("text", ["{", "[" * 100_000], ids=["cut", "deep"])
def test_not_json(checkout: Path, text: str) -> None:
    checkout.write_text(text)
    with pytest.raises(BoardError, match=r"boards/mine.json is not JSON"):
        load("mine")
