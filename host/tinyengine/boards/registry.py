"""Reading a board's description: PlatformIO's manifest, with our fields under ``tinyengine``.

A board is one of the checkout's boards/<name>.json, or any such file, named by its path. PlatformIO's builder imports
this room in an interpreter that may have none of tinyengine's dependencies: it needs the standard library alone.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

from tinyengine.boards.board import (
    SPEED,
    Board,
    Camera,
    CameraClock,
    Clock,
    Flash,
    I2c,
    Led,
    Memory,
    Serial,
    Simulator,
    Spi,
    SpiCamera,
    Switch,
    Upload,
    largest,
    regions,
)
from tinyengine.cores import CORES
from tinyengine.errors import BoardError
from tinyengine.paths import project_root

T = TypeVar("T")

SIZES = ("reserved_sram_bytes", "reserved_flash_bytes", "stack_bytes")
KINDS = {int: "a whole number", str: "a text", dict: "an object", list: "a list"}
FIELDS = {
    "": {"name", "url", "vendor", "build", "upload", "tinyengine"},
    "build": {"cpu", "mcu", "hal"},
    "upload": {"protocol", "openocd_target", "pyocd_target"},
    "tinyengine": {
        *SIZES,
        *("interrupts", "clock", "memories", "flash", "serial", "simulators"),
        *("led", "camera", "price", "watchdog_seconds"),
    },
    "clock": {"core_hz", "crystal_hz", "signal_hz"},
    "memories": {"name", "kind", "address", "bytes"},
    "flash": {"address", "banks", "sectors", "numbered", "called", "unit_bytes", "slot_bytes"},
    "serial": {"port", "uart", "transmit", "receive", "function", "baud", "max_baud"},
    "led": {"pin", "lit_by"},
    "camera": {
        *("place", "bus", "sensors", "data", "hsync", "vsync", "pixel_clock", "function"),
        *("i2c", "clock", "reset", "power_down"),
    },
    "camera of arducam": {"place", "bus", "spi", "select", "i2c", "idle_bytes"},
    "camera.spi": {"unit", "clock", "data_in", "data_out", "function"},
    "camera.i2c": {"unit", "clock", "data", "function"},
    "camera.clock": {"hz", "timer", "pin", "function"},
    "camera.reset": {"pin", "active"},
    "camera.power_down": {"pin", "active"},
}
"""What a description may say, by object."""

PROTOCOLS = ("openocd", "pyocd", "dfu", "custom", "none")
SIMULATORS = ("qemu", "renode")
PRICES = ("low", "middle", "high")
LONGEST_WATCHDOG_SECONDS = 32  # 12 bits of 125 Hz
NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)
"""Of what becomes part of C or of the linker script."""
HIGHEST_FUNCTION = 15
CAMERA_BUSES = ("dcmi", "arducam")
CAMERA_DATA_PINS = 8
CAMERA_FOLDERS = {
    "dcmi": ("stm32_dcmi", "camera_sensors"),
    "arducam": ("arducam", "stm32_arducam", "camera_sensors"),
}
"""Of firmware/hal, what drives a camera, by its bus; besides folders with the units of I2C and SPI."""
ADDRESSES = 1 << 32
"""What no address and no number of a board reaches."""


def boards_dir() -> Path:
    """boards/ of the checkout."""
    return project_root() / "boards"


def names() -> list[str]:
    """All boards of the checkout, sorted."""
    return sorted(path.stem for path in boards_dir().glob("*.json"))


def is_file_name(board: str) -> bool:
    """Whether this is meant as the path of a description, rather than as the name of a board."""
    return board.endswith(".json") or "/" in board or "\\" in board


def load(board: str) -> Board:
    """The board called ``board``, or described in the file of that path.

    Raises BoardError when there is none, or its description is damaged.
    """
    if is_file_name(board):
        path = Path(board).expanduser().resolve()
        if path.parent == boards_dir().resolve() and path.is_file():
            return _read(path, f"boards/{path.name}")
        if not path.is_file():
            raise BoardError(f"there is no board description {board}: the boards are {', '.join(names())}")
        if path.stem in names():
            raise BoardError(f"{board} has the name of one of the checkout's boards: call the file something else")
        if not re.fullmatch(r"[A-Za-z0-9_-]+", path.stem):
            raise BoardError(f"the name of {board} becomes the board's: use letters, digits, _ and - only")
        return _read(path, board, str(path))
    known = names()
    if board not in known:
        close = difflib.get_close_matches(board, known, n=1)
        hint = f"did you mean {close[0]}? " if close else ""
        raise BoardError(
            f"there is no board called '{board}': {hint}the boards are {', '.join(known)}, or give your own file "
            "(--board ./myboard.json)"
        )
    path = boards_dir() / f"{board}.json"
    return _read(path, f"boards/{path.name}")


def read(path: Path) -> Board:
    """The board described in this file, whatever else has its name: PlatformIO has chosen it. Raises BoardError."""
    return _read(path, path.name, str(path))


def _read(path: Path, told: str, own: str = "") -> Board:
    try:
        return _parse(path.stem, json.loads(path.read_text(encoding="utf-8")), own)
    except json.JSONDecodeError as error:
        raise BoardError(f"{told} is not JSON ({error.msg}, line {error.lineno}): repair it") from error
    except RecursionError as error:
        raise BoardError(f"{told} is not JSON (nested too deeply): repair it") from error
    except OSError as error:
        raise BoardError(f"{told} cannot be read ({error.strerror or error}): make it readable") from error
    except _Unknown as error:
        raise BoardError(f"{told} has the unknown field '{error}': see docs/boards.md") from error
    except _NoFolder as error:
        raise BoardError(
            f"{told} names the folder firmware/hal/{error} in build.hal, which does not exist: see docs/boards.md"
        ) from error
    except KeyError as error:
        raise BoardError(f"{told} lacks the field {error}: see docs/boards.md") from error
    except (TypeError, ValueError, AttributeError) as error:
        raise BoardError(f"{told} has a field with a wrong value ({error}): see docs/boards.md") from error


class _Unknown(Exception):
    """A field that no description has."""


class _NoFolder(Exception):
    """A folder of the HAL that does not exist."""


def _parse(name: str, manifest: dict[str, Any], own: str) -> Board:
    _only(manifest, "")
    build, upload, ours = (_object(manifest, key) for key in ("build", "upload", "tinyengine"))
    hal = tuple(map(str, _field(build, "hal", list)))
    for folder in hal:
        if not re.fullmatch(r"\w+", folder):
            raise ValueError(f"build.hal has '{folder}', not the name of a folder of firmware/hal")
        if not (project_root() / "firmware" / "hal" / folder).is_dir():
            raise _NoFolder(folder)
    if _field(build, "cpu", str) not in CORES:
        raise ValueError(f"cpu is {build['cpu']}, not one of {', '.join(CORES)}")
    chip = _field(build, "mcu", str)
    if not re.fullmatch(r"\w[\w-]*", chip):
        raise ValueError(f"mcu is '{chip}', not the name of a chip")
    memories = tuple(_memory(entry) for entry in _field(ours, "memories", list))
    if not memories:
        raise ValueError("memories is empty")
    flash = _flash(_object(ours, "flash"))
    _check_apart(memories, flash)
    found = regions(memories)
    simulators = _object(ours, "simulators")
    for kind in simulators.keys() - set(SIMULATORS):
        raise ValueError(f"simulators has '{kind}', not one of {', '.join(SIMULATORS)}")
    board = Board(
        name=name,
        title=_field(manifest, "name", str),
        cpu=build["cpu"],
        chip=chip.lower(),
        hal=hal,
        interrupts=_positive(ours, "interrupts"),
        clock=_clock(_object(ours, "clock")),
        memories=memories,
        flash=flash,
        sram_bytes=largest(found).bytes,
        flash_bytes=flash.bytes,
        **{key: _positive(ours, key) for key in SIZES},
        stack_shares_sram=largest(found) == found[0],
        serial=_serial(_object(ours, "serial")),
        upload=_upload(upload),
        storage=flash.storage(),
        simulators=tuple(Simulator(kind, _field(simulators, kind, dict)) for kind in simulators),
        led=_led(_object(ours, "led")) if "led" in ours else None,
        camera=_camera(_field(ours, "camera", dict), hal) if "camera" in ours else None,
        price=_one_of(ours, "price", ("", *PRICES), ""),
        watchdog_seconds=_optional(ours, "watchdog_seconds", 0),
        file=own,
    )
    if board.network_sram_bytes <= 0 or board.training_flash_bytes <= 0 or board.stack_bytes > found[0].bytes:
        raise ValueError("the firmware's reserve is larger than the memory")
    if not 0 <= board.watchdog_seconds <= LONGEST_WATCHDOG_SECONDS:
        raise ValueError(f"watchdog_seconds is {board.watchdog_seconds}, not 0 to {LONGEST_WATCHDOG_SECONDS}")
    if board.watchdog_seconds and "stm32" not in hal:
        raise ValueError("watchdog_seconds is for boards with an STM32")
    if "stm32" in hal and not (board.serial.transmit and board.serial.receive):
        raise ValueError("serial has no pins: transmit and receive")
    _check_pins(board)
    return board


def _check_pins(board: Board) -> None:
    """ValueError where two things are at one pin."""
    pins = [board.serial.transmit, board.serial.receive, board.led.pin if board.led else ""]
    pins += board.camera.wires if board.camera else ()
    for pin in filter(None, pins):
        if pins.count(pin) > 1:
            raise ValueError(f"{pin} is the pin of two things")


def _field(entry: Any, key: str, kind: type[T]) -> T:
    if type(entry) is not dict:
        raise ValueError(f"what should have {key} is no object")
    value = entry[key]
    if type(value) is not kind:
        raise ValueError(f"{key} is {json.dumps(value)}, not {KINDS[kind]}")
    return value


def _optional(entry: dict[str, Any], key: str, default: T) -> T:
    return _field(entry, key, type(default)) if key in entry else default


def _positive(entry: dict[str, Any], key: str) -> int:
    value = _field(entry, key, int)
    if not 0 < value < ADDRESSES:
        raise ValueError(f"{key} is {value}, not a positive number of 32 bits")
    return value


def _one_of(entry: dict[str, Any], key: str, choices: tuple[str, ...], default: str | None = None) -> str:
    value = _field(entry, key, str) if default is None else _optional(entry, key, default)
    if value not in choices:
        raise ValueError(f"{key} is '{value}', not one of {', '.join(filter(None, choices))}")
    return value


def _only(entry: Any, what: str) -> None:
    if type(entry) is not dict:
        raise ValueError(f"{what or 'the description'} is no object")
    for unknown in entry.keys() - FIELDS[what]:
        raise _Unknown(unknown)


def _object(entry: Any, key: str) -> dict[str, Any]:
    """An object whose fields are all known."""
    value = _field(entry, key, dict)
    if key in FIELDS:
        _only(value, key)
    return value


def _address(entry: dict[str, Any]) -> int:
    text = _field(entry, "address", str)
    if not re.fullmatch("0x[0-9A-Fa-f]{8}", text):
        raise ValueError(f"address is {text}, not a number such as 0x08000000")
    return int(text, 16)


def _pin(entry: dict[str, Any], key: str) -> str:
    pin = _optional(entry, key, "")
    if pin and not re.fullmatch(r"P[A-K](\d|1[0-5])", pin):
        raise ValueError(f"{key} is '{pin}', not a pin such as PA9")
    return pin


def _needed_pin(entry: dict[str, Any], key: str) -> str:
    pin = _pin({key: _field(entry, key, str)}, key)
    if not pin:
        raise ValueError(f"{key} is '', not a pin such as PA9")
    return pin


def _needed_function(entry: dict[str, Any]) -> int:
    _field(entry, "function", int)
    return _function(entry)


def _function(entry: dict[str, Any]) -> int:
    """An alternate function of pins; 0 where there is none."""
    function = _optional(entry, "function", 0)
    if not 0 <= function <= HIGHEST_FUNCTION:
        raise ValueError(f"function is {function}, not 0 to {HIGHEST_FUNCTION}")
    return function


def _name(entry: dict[str, Any], key: str) -> str:
    name = _field(entry, key, str)
    if not NAME.fullmatch(name):
        raise ValueError(f"{key} is '{name}', not a name of letters, digits and _")
    return name


def _memory(entry: Any) -> Memory:
    _only(entry, "memories")
    return Memory(_name(entry, "name"), _one_of(entry, "kind", SPEED), _address(entry), _positive(entry, "bytes"))


def _check_apart(memories: Sequence[Memory], flash: Flash) -> None:
    """ValueError where two of them have a name or an address in common, or the linker script would give them one."""
    names = [memory.name for memory in memories]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"two memories are called {name}")
    everything = [*memories, Memory("the flash", "SRAM", flash.address, flash.bytes)]
    everything.sort(key=lambda memory: memory.address)
    for before, behind in pairwise(everything):
        if behind.address < before.end:
            raise ValueError(f"{before.name} and {behind.name} overlap at {behind.address:#010x}")
    if everything[-1].end > ADDRESSES:
        raise ValueError(f"{everything[-1].name} ends behind the last address, 0xffffffff")
    found = regions(memories)
    if any(region.name in ("FLASH", "RAM") for region in found if region != largest(found)):
        raise ValueError("FLASH and RAM are names that the linker script gives itself")


def _clock(entry: dict[str, Any]) -> Clock:
    if "crystal_hz" in entry and "signal_hz" in entry:
        raise ValueError("clock has both a crystal and a signal")
    source = next((key for key in ("crystal_hz", "signal_hz") if key in entry), None)
    external = _positive(entry, source) if source else 0
    return Clock(_positive(entry, "core_hz"), external, source == "signal_hz")


def _flash(entry: dict[str, Any]) -> Flash:
    sectors = _field(entry, "sectors", list)
    for group in sectors:
        if type(group) is not list or [type(number) for number in group] != [int, int] or min(group) <= 0:
            raise ValueError(f"sectors has {json.dumps(group)}, not [how many, bytes of each]")
    flash = Flash(
        address=_address(entry),
        sectors=tuple((count, size) for count, size in sectors),
        unit_bytes=_positive(entry, "unit_bytes"),
        slot_bytes=_optional(entry, "slot_bytes", 0),
        banks=_optional(entry, "banks", 1),
        through=_one_of(entry, "numbered", ("by bank", "through"), "by bank") == "through",
        word=_one_of(entry, "called", ("sector", "page"), "sector"),
    )
    if not sectors or flash.banks not in (1, 2):
        raise ValueError("flash takes one or two banks of sectors")
    count, size = flash.sectors[-1]
    if flash.slot_bytes % size or flash.slot_bytes < 0 or 2 * flash.slot_bytes > count * size:
        raise ValueError("slot_bytes takes two slots of whole sectors at the end of the flash")
    return flash


def _serial(entry: dict[str, Any]) -> Serial:
    return Serial(
        port=_field(entry, "port", str),
        uart=_name(entry, "uart"),
        transmit=_pin(entry, "transmit"),
        receive=_pin(entry, "receive"),
        function=_function(entry),
        **{key: _positive(entry, key) for key in ("baud", "max_baud") if key in entry},
    )


def _led(entry: dict[str, Any]) -> Led:
    led = Led(_pin(entry, "pin"), _optional(entry, "lit_by", 1))
    if not led.pin or led.lit_by not in (0, 1):
        raise ValueError("led takes a pin, and lit_by 0 or 1")
    return led


def _part(entry: dict[str, Any], key: str, of: str) -> dict[str, Any]:
    """An object inside of the object ``of``, whose fields are all known."""
    value = _field(entry, key, dict)
    _only(value, f"{of}.{key}")
    return value


def _switch(entry: dict[str, Any], key: str, of: str) -> Switch | None:
    if key not in entry:
        return None
    part = _part(entry, key, of)
    switch = Switch(_needed_pin(part, "pin"), _field(part, "active", int))
    if switch.active not in (0, 1):
        raise ValueError(f"{key} takes a pin, and active 0 or 1")
    return switch


def _camera(entry: dict[str, Any], hal: Sequence[str]) -> Camera | SpiCamera:
    bus = _one_of(entry, "bus", CAMERA_BUSES)
    for folder in CAMERA_FOLDERS[bus]:
        if folder not in hal:
            raise ValueError(f"camera needs the folder {folder} in build.hal")
    if not any(folder.startswith("stm32_i2c_") for folder in hal):
        raise ValueError("camera needs the folder stm32_i2c_v1 or stm32_i2c_v2 in build.hal")
    return _spi_camera(entry, hal) if bus == "arducam" else _parallel_camera(entry)


def _spi_camera(entry: dict[str, Any], hal: Sequence[str]) -> SpiCamera:
    _only(entry, "camera of arducam")
    if not any(folder.startswith("stm32_spi_") for folder in hal):
        raise ValueError("camera needs the folder stm32_spi_v3 in build.hal")
    spi = _part(entry, "spi", "camera")
    camera = SpiCamera(
        place=_field(entry, "place", str),
        spi=Spi(
            unit=_name(spi, "unit"),
            clock=_needed_pin(spi, "clock"),
            data_in=_needed_pin(spi, "data_in"),
            data_out=_needed_pin(spi, "data_out"),
            function=_needed_function(spi),
        ),
        select=_needed_pin(entry, "select"),
        i2c=_camera_i2c(entry),
        idle_bytes=_optional(entry, "idle_bytes", 0),
    )
    if camera.idle_bytes not in (0, 1):
        raise ValueError("camera.idle_bytes is 0 or 1")
    return camera


def _camera_i2c(entry: dict[str, Any]) -> I2c:
    bus = _part(entry, "i2c", "camera")
    return I2c(_name(bus, "unit"), _needed_pin(bus, "clock"), _needed_pin(bus, "data"), _needed_function(bus))


def _parallel_camera(entry: dict[str, Any]) -> Camera:
    _only(entry, "camera")
    known = sorted(
        path.stem
        for path in (project_root() / "firmware" / "hal" / "camera_sensors").glob("*.c")
        if path.stem != "sensor"
    )
    sensors = _field(entry, "sensors", list)
    for sensor in sensors:
        if sensor not in known:
            raise ValueError(f"sensors has {json.dumps(sensor)}, not one of {', '.join(known)}")
    if not sensors or len(set(sensors)) < len(sensors):
        raise ValueError("sensors takes one or several different ones")
    data = [_needed_pin({"data": pin}, "data") for pin in _field(entry, "data", list)]
    clock = _part(entry, "clock", "camera")
    driven = "timer" in clock
    if driven != ("pin" in clock):
        raise ValueError("camera.clock has a timer and its pin, or neither where an oscillator does it")
    camera = Camera(
        place=_field(entry, "place", str),
        sensors=tuple(sensors),
        data=tuple(data),
        **{key: _needed_pin(entry, key) for key in ("hsync", "vsync", "pixel_clock")},
        function=_needed_function(entry),
        i2c=_camera_i2c(entry),
        clock=CameraClock(
            _positive(clock, "hz"),
            _one_of(clock, "timer", ("TIM1",)) if driven else "",
            _needed_pin(clock, "pin") if driven else "",
            _needed_function(clock) if driven else 0,
        ),
        reset=_switch(entry, "reset", "camera"),
        power_down=_switch(entry, "power_down", "camera"),
    )
    if len(data) != CAMERA_DATA_PINS:
        raise ValueError(f"camera takes {CAMERA_DATA_PINS} data pins")
    return camera


def _upload(entry: dict[str, Any]) -> Upload:
    targets = (_optional(entry, key, "") or None for key in ("openocd_target", "pyocd_target"))
    return Upload(_one_of(entry, "protocol", PROTOCOLS), *targets)
