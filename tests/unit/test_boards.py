"""Board descriptions: complete, consistent with linker scripts and platformio.ini, damage named in one sentence."""

from __future__ import annotations

import configparser
import json
import re
import shutil
from pathlib import Path

import pytest
from tinyengine.boards import load, names
from tinyengine.errors import BoardError
from tinyengine.paths import project_root

FIRST = ["disco_f746ng", "nucleo_h743zi", "sim_cortex_m7", "sim_stm32f405"]
STORING = [name for name in names() if load(name).storage]


def manifest(name: str) -> dict:
    return json.loads((project_root() / "boards" / f"{name}.json").read_text())


def regions(name: str) -> dict[str, int]:
    """Memories in the linker script of a board: name and bytes."""
    script = (project_root() / "boards" / "linker" / manifest(name)["build"]["ldscript"]).read_text()
    found = re.findall(r"^\s*(\w+)\s*\(\w+\)\s*:\s*ORIGIN = \w+, LENGTH = (\d+)K", script, re.MULTILINE)
    return {region: int(size) * 1024 for region, size in found}


def test_the_first_boards_are_there() -> None:
    assert set(FIRST) <= set(names())
    assert set(FIRST) <= set(STORING)


@pytest.mark.parametrize("name", names())
def test_description_agrees_with_linker_script(name: str) -> None:
    board, memories = load(name), regions(name)
    assert board.sram_bytes == memories["RAM"]
    assert board.flash_bytes == memories["FLASH"]
    assert board.stack_shares_sram == ("STACK_RAM" not in memories)
    upload = manifest(name)["upload"]
    assert upload["maximum_size"] == memories["FLASH"]
    assert upload["maximum_ram_size"] == memories["RAM"] + memories.get("STACK_RAM", 0)


@pytest.mark.parametrize("name", names())
def test_description_agrees_with_the_build(name: str) -> None:
    build, board = manifest(name)["build"], load(name)
    firmware = project_root() / "firmware" / "hal"
    assert all((firmware / folder).is_dir() for folder in build["hal"])
    assert (firmware / "boards" / f"{name}.h").is_file()
    assert ("HAL_SIMULATED=1" in build["defines"]) == board.is_simulated_only
    assert board.count_unit == ("instructions" if board.is_simulated_only else "cycles")
    config = configparser.ConfigParser()
    config.read(project_root() / "platformio.ini")
    assert config[f"env:{board.environment}"]["board"] == name


def macros(*paths: Path, before: str = "") -> set[str]:
    """Names of a board header's macros in these files."""
    pattern = before + r"\b(BOARD_(?!HEADER|NAME|CONFIG_H)[A-Z0-9_]*[A-Z0-9])\b"
    return {name for path in paths for name in re.findall(pattern, path.read_text())}


def test_the_drivers_of_one_maker_read_the_same_macros() -> None:
    """Whatever differs between their boards stands in the board header; docs/boards.md has a table of all macros."""
    hal = project_root() / "firmware" / "hal"
    first, *others = (macros(hal / name / f"hal_{name}.c") for name in ("stm32f4", "stm32f7", "stm32h7"))
    assert {"BOARD_HSE_BYPASS", "BOARD_UART_ENABLE_REGISTER", "BOARD_UART_CLOCK_HZ", "BOARD_UART_TX_PORT"} <= first
    assert all(other == first for other in others)
    headers = set((hal / "boards").glob("*.h"))
    defined = macros(*headers, before="#define ")
    assert macros(*(set(hal.rglob("*.[ch]")) - headers)) == defined == macros(project_root() / "docs" / "boards.md")


@pytest.mark.parametrize("name", names())
def test_budget_is_what_the_firmware_leaves(name: str) -> None:
    board = load(name)
    assert 0 < board.network_sram_bytes < board.sram_bytes
    assert 0 < board.network_flash_bytes < board.flash_bytes


@pytest.mark.parametrize("name", STORING)
def test_storage_agrees_with_the_board_header(name: str) -> None:
    board = load(name)
    storage = board.storage
    assert storage is not None
    header = (project_root() / "firmware" / "hal" / "boards" / f"{name}.h").read_text()
    found = {key: int(value.rstrip("u"), 0) for key, value in re.findall(r"#define BOARD_FLASH_(\w+) (\w+)", header)}
    assert found["ADDRESS"] == storage.address
    assert found["SLOT_BYTES"] == storage.slot_bytes
    assert found["SECTOR_BYTES"] == storage.sector_bytes
    assert found["UNIT"] == storage.unit_bytes
    per_slot = storage.slot_bytes // storage.sector_bytes
    for number, sector in enumerate(storage.sectors):
        first = found["FIRST_SECTOR"] + number * per_slot
        named = re.fullmatch(r"(?:bank 2, )?sectors? (\d+)(?: (?:and|to) (\d+))?", sector)
        assert named
        assert int(named[1]) == first
        assert int(named[2] or named[1]) == first + per_slot - 1


@pytest.mark.parametrize("name", STORING)
def test_storage_is_the_end_of_the_flash(name: str) -> None:
    board = load(name)
    storage = board.storage
    assert storage is not None
    script = (project_root() / "boards" / "linker" / manifest(name)["build"]["ldscript"]).read_text()
    start = re.search(r"FLASH\s*\(rx\)\s*:\s*ORIGIN = (\w+)", script)
    assert start
    assert storage.address + storage.bytes == int(start[1], 0) + board.flash_bytes
    assert re.search(rf"_storage_start = 0x{storage.address:08X};", script)
    assert storage.address % storage.sector_bytes == 0
    assert board.training_flash_bytes == board.network_flash_bytes - storage.bytes > 0
    assert storage.sectors[0] in str(storage)
    assert [slot["address"] for slot in storage.report()] == [storage.address, storage.address + storage.slot_bytes]


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


def damage(path: Path, *keys: str, value: object = None) -> None:
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


@pytest.mark.parametrize("keys", [("tinyengine",), ("tinyengine", "sram_bytes"), ("build",), ("upload", "protocol")])
def test_missing_field_is_named(checkout: Path, keys: tuple[str, ...]) -> None:
    damage(checkout, *keys)
    with pytest.raises(BoardError, match=rf"boards/mine.json lacks the field '{keys[-1]}'"):
        load("mine")


@pytest.mark.parametrize(
    ("keys", "value"),
    [
        (("tinyengine", "sram_bytes"), "much"),
        (("tinyengine", "serial", "speed"), 9600),
        (("tinyengine", "reserved_sram_bytes"), 1 << 30),
        (("build", "cpu"), "cortex-m0"),
        (("build", "cpu"), ["cortex-m4"]),
        (("build",), ["cortex-m4"]),
        (("build", "hal"), 1),
        (("tinyengine", "flash_bytes"), [1]),
        (("tinyengine", "serial"), "USART1"),
        (("tinyengine", "serial", "baud"), {}),
        (("tinyengine", "simulators"), []),
        (("tinyengine", "simulators", "qemu"), 3),
        (("tinyengine", "storage", "address"), 8),
        (("tinyengine", "storage", "address"), "there"),
        (("tinyengine", "storage", "sectors"), 2),
    ],
)
def test_wrong_field_is_refused(checkout: Path, keys: tuple[str, ...], value: object) -> None:
    damage(checkout, *keys, value=value)
    with pytest.raises(BoardError, match=r"boards/mine.json has a field with a wrong value") as caught:
        load("mine")
    python = r"unhashable|__init__|argument|iterable|attribute|indices|invalid literal|'(int|str|list|dict)'"
    assert not re.search(python, str(caught.value))


def test_unknown_field_and_folder_are_named(checkout: Path) -> None:
    damage(checkout, "tinyengine", "sram", value=1)
    with pytest.raises(BoardError, match=r"boards/mine.json has the unknown field 'sram': see docs/boards.md"):
        load("mine")
    damage(checkout, "tinyengine", "sram")
    damage(checkout, "build", "hal", value=["common", "stm32_usart_v9"])
    with pytest.raises(BoardError, match=r"the folder firmware/hal/stm32_usart_v9 in build.hal, which does not exist"):
        load("mine")


def test_not_json(checkout: Path) -> None:
    checkout.write_text("{")
    with pytest.raises(BoardError, match=r"boards/mine.json is not JSON"):
        load("mine")
