"""Fields of a board's description: which there are, and their values, checked. ValueError for a wrong one, KeyError for
one that is missing, UnknownField for one that no description has.

It needs the standard library alone, as registry.py says.
"""

from __future__ import annotations

import json
import re
from typing import Any, TypeVar

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

NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)
"""Of what becomes part of C or of the linker script."""
HIGHEST_FUNCTION = 15
ADDRESSES = 1 << 32
"""What no address and no number of a board reaches."""


class UnknownField(Exception):
    """A field that no description has."""


def field_of(entry: Any, key: str, kind: type[T]) -> T:
    if type(entry) is not dict:
        raise ValueError(f"what should have {key} is no object")
    value = entry[key]
    if type(value) is not kind:
        raise ValueError(f"{key} is {json.dumps(value)}, not {KINDS[kind]}")
    return value


def optional(entry: dict[str, Any], key: str, default: T) -> T:
    return field_of(entry, key, type(default)) if key in entry else default


def positive(entry: dict[str, Any], key: str) -> int:
    value = field_of(entry, key, int)
    if not 0 < value < ADDRESSES:
        raise ValueError(f"{key} is {value}, not a positive number of 32 bits")
    return value


def one_of(entry: dict[str, Any], key: str, choices: tuple[str, ...], default: str | None = None) -> str:
    value = field_of(entry, key, str) if default is None else optional(entry, key, default)
    if value not in choices:
        raise ValueError(f"{key} is '{value}', not one of {', '.join(filter(None, choices))}")
    return value


def only_known(entry: Any, what: str) -> None:
    if type(entry) is not dict:
        raise ValueError(f"{what or 'the description'} is no object")
    for unknown in entry.keys() - FIELDS[what]:
        raise UnknownField(unknown)


def object_of(entry: Any, key: str) -> dict[str, Any]:
    """An object whose fields are all known."""
    value = field_of(entry, key, dict)
    if key in FIELDS:
        only_known(value, key)
    return value


def address_of(entry: dict[str, Any]) -> int:
    text = field_of(entry, "address", str)
    if not re.fullmatch("0x[0-9A-Fa-f]{8}", text):
        raise ValueError(f"address is {text}, not a number such as 0x08000000")
    return int(text, 16)


def pin_of(entry: dict[str, Any], key: str) -> str:
    pin = optional(entry, key, "")
    if pin and not re.fullmatch(r"P[A-K](\d|1[0-5])", pin):
        raise ValueError(f"{key} is '{pin}', not a pin such as PA9")
    return pin


def needed_pin(entry: dict[str, Any], key: str) -> str:
    pin = pin_of({key: field_of(entry, key, str)}, key)
    if not pin:
        raise ValueError(f"{key} is '', not a pin such as PA9")
    return pin


def needed_function(entry: dict[str, Any]) -> int:
    field_of(entry, "function", int)
    return function_of(entry)


def function_of(entry: dict[str, Any]) -> int:
    """An alternate function of pins; 0 where there is none."""
    function = optional(entry, "function", 0)
    if not 0 <= function <= HIGHEST_FUNCTION:
        raise ValueError(f"function is {function}, not 0 to {HIGHEST_FUNCTION}")
    return function


def name_of(entry: dict[str, Any], key: str) -> str:
    name = field_of(entry, key, str)
    if not NAME.fullmatch(name):
        raise ValueError(f"{key} is '{name}', not a name of letters, digits and _")
    return name


def part_of(entry: dict[str, Any], key: str, of: str) -> dict[str, Any]:
    """An object inside of the object ``of``, whose fields are all known."""
    value = field_of(entry, key, dict)
    only_known(value, f"{of}.{key}")
    return value
