"""What a build of a board's firmware is given of its description: the header for the HAL and the linker script.

PlatformIO's builder, our own (project.firmware) and the tests take them from here: nothing about a board stands twice.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from tinyengine.boards.board import Board, Camera, I2c, Memory, SpiCamera, Switch
from tinyengine.paths import project_root

HEADER = "board.h"
SCRIPT = "board.ld"


def write(board: Board, folder: Path, arena_bytes: int | None = None) -> None:
    """Both files into ``folder``; one that would stay as it is keeps its date.

    ``arena_bytes``: of the network, which decides the memory that the arena goes to. None: where variables lie.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in ((HEADER, header(board)), (SCRIPT, linker_script(board, arena_bytes))):
        path = folder / name
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def header(board: Board) -> str:
    """board.h: what differs between the boards of one family, as macros (docs/boards.md has a table of them)."""
    chip = re.match(r"stm32[a-z]\w\d\d|stm32[a-z]\d\w\d", board.chip)
    name = re.sub(r"\W", "_", chip[0] if chip else board.chip).upper()
    lines = [
        f"/* Written from the description of {board.name} (docs/boards.md): change that. */",
        "#ifndef BOARD_H",
        "#define BOARD_H",
        "",
        f'#define BOARD_NAME "{board.name}"',
        f"#define BOARD_CHIP_{name} 1",
        f"#define BOARD_IRQ_COUNT {board.interrupts}",
        f"#define BOARD_CORE_HZ {board.clock.core_hz}u",
        f"#define BOARD_HSE_HZ {board.clock.external_hz}u",
        f"#define BOARD_HSE_BYPASS {int(board.clock.bypass)}",
        f"#define BOARD_WATCHDOG_SECONDS {board.watchdog_seconds}u",
        f"#define HAL_SIMULATED {int(board.is_simulated_only)}",
        "",
        f"#define BOARD_UART(fact) {board.serial.uart}_##fact",
        *_pin("UART_TX", board.serial.transmit),
        *_pin("UART_RX", board.serial.receive),
        f"#define BOARD_UART_FUNCTION {board.serial.function}u",
    ]
    if board.led is not None:
        lines += ["#define BOARD_HAS_LED 1", *_pin("LED", board.led.pin), f"#define BOARD_LED_LIT {board.led.lit_by}"]
    else:
        lines.append("#define BOARD_HAS_LED 0")
    if board.camera_width:
        lines.append(f"#define BOARD_CAMERA_WIDTH {board.camera_width}u")
    lines.append(f"#define BOARD_HAS_DCMI {int(isinstance(board.camera, Camera))}")
    if board.camera is not None:
        macros = _camera(board.camera) if isinstance(board.camera, Camera) else _spi_camera(board.camera)
        lines += ["", *macros, *_camera_i2c(board.camera.i2c)]
    if board.storage is not None:
        lines += [
            "",
            f"#define BOARD_FLASH_ADDRESS {board.storage.address:#010x}u",
            f"#define BOARD_FLASH_SLOT_BYTES {board.storage.slot_bytes:#x}u",
            f"#define BOARD_FLASH_SECTOR_BYTES {board.storage.sector_bytes:#x}u",
            f"#define BOARD_FLASH_UNIT {board.storage.unit_bytes}u",
            f"#define BOARD_FLASH_FIRST_SECTOR {board.flash.first_sector}u",
            f"#define BOARD_FLASH_BANK {board.flash.banks}",
        ]
    lines += ["", *_families(board), "", "#endif"]
    return "\n".join(lines) + "\n"


def _pin(macro: str, pin: str) -> list[str]:
    """PA9 as port and number."""
    return [f"#define BOARD_{macro}_PORT GPIO{pin[1]}", f"#define BOARD_{macro}_PIN {pin[2:]}u"] if pin else []


def _camera(camera: Camera) -> list[str]:
    """Macros of a camera: where it is, which sensors it may have."""
    sensors = ", ".join(f"&hal_sensor_{sensor}" for sensor in camera.sensors)
    lines = [
        f"#define BOARD_CAMERA_SENSORS {sensors}",
        f"#define BOARD_CAMERA_PINS {_pins(camera.pins)}",
        f"#define BOARD_CAMERA_FUNCTION {camera.function}u",
        f"#define BOARD_CAMERA_CLOCK_HZ {camera.clock.hz}u",
        f"#define BOARD_CAMERA_HAS_TIMER {int(bool(camera.clock.timer))}",
    ]
    if camera.clock.timer:
        lines += [
            *_pin("CAMERA_CLOCK", camera.clock.pin),
            f"#define BOARD_CAMERA_CLOCK_FUNCTION {camera.clock.function}u",
        ]
    return [*lines, *_switch("CAMERA_RESET", camera.reset), *_switch("CAMERA_POWER_DOWN", camera.power_down)]


def _spi_camera(camera: SpiCamera) -> list[str]:
    """Macros of a camera with a memory."""
    return [
        f"#define BOARD_CAMERA_SPI(fact) {camera.spi.unit}_##fact",
        f"#define BOARD_CAMERA_PINS {_pins(camera.spi.pins)}",
        f"#define BOARD_CAMERA_FUNCTION {camera.spi.function}u",
        *_pin("CAMERA_SELECT", camera.select),
        f"#define BOARD_CAMERA_IDLE_BYTES {camera.idle_bytes}u",
    ]


def _camera_i2c(bus: I2c) -> list[str]:
    """Macros of the bus of a camera's sensor."""
    return [
        f"#define BOARD_CAMERA_I2C(fact) {bus.unit}_##fact",
        *_pin("CAMERA_SCL", bus.clock),
        *_pin("CAMERA_SDA", bus.data),
        f"#define BOARD_CAMERA_I2C_FUNCTION {bus.function}u",
    ]


def _pins(pins: Sequence[str]) -> str:
    """Ports and numbers, as the elements of an array."""
    return ", ".join(f"{{GPIO{pin[1]}, {pin[2:]}u}}" for pin in pins)


def _switch(macro: str, switch: Switch | None) -> list[str]:
    """A pin that is driven, and the level at which it does something."""
    has = macro.replace("CAMERA_", "CAMERA_HAS_")
    if switch is None:
        return [f"#define BOARD_{has} 0"]
    return [f"#define BOARD_{has} 1", *_pin(macro, switch.pin), f"#define BOARD_{macro}_ACTIVE {switch.active}u"]


def _families(board: Board) -> list[str]:
    """The facts of the chip's family, from the folder of the HAL that has them."""
    hal = project_root() / "firmware" / "hal"
    return [f'#include "{folder}/family.h"' for folder in board.hal if (hal / folder / "family.h").is_file()]


def linker_script(board: Board, arena_bytes: int | None = None) -> str:
    """board.ld: the memories, what lies in which of them, and then boards/linker/sections.ld."""
    data = board.data_region
    arena = data if arena_bytes is None else board.arena_region(arena_bytes)
    flash = Memory("FLASH", "SRAM", board.flash.address, board.flash.bytes)

    def called(region: Memory) -> str:
        return "RAM" if region == data else region.name

    memories = [_memory_line("FLASH", "rx", flash)]
    memories += [_memory_line(called(region), "rwx", region) for region in board.regions]
    lines = [
        f"/* Written from the description of {board.name} (docs/boards.md): change that. */",
        "MEMORY",
        "{",
        *memories,
        "}",
        f'REGION_ALIAS("STACK_RAM", {called(board.stack_region)})',
        f'REGION_ALIAS("ARENA_RAM", {called(arena)})',
        f"_stack_size = {board.stack_bytes};",
    ]
    # The slots of trained states, to the end of the flash; there is nothing to keep off where there are none.
    end = board.storage.address if board.storage else board.flash.address + board.flash.bytes
    lines += [f"_storage_start = {end:#010x};", "INCLUDE sections.ld"]
    return "\n".join(lines) + "\n"


def _memory_line(name: str, access: str, memory: Memory) -> str:
    return f"  {name} ({access}) : ORIGIN = {memory.address:#010x}, LENGTH = {memory.bytes}"


def arena_bytes(network: Path) -> int | None:
    """What network.h in the folder ``network`` says of its arena; None where it says nothing."""
    path = network / "network.h"
    found = re.search(r"#define NETWORK_ARENA_BYTES (\d+)u", path.read_text("utf-8")) if path.is_file() else None
    return int(found[1]) if found else None
