"""The camera in a board's description: at the chip's camera interface, or a module with a memory of its own."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from tinyengine.boards.board import Camera, CameraClock, I2c, Spi, SpiCamera, Switch
from tinyengine.boards.fields import (
    field_of,
    name_of,
    needed_function,
    needed_pin,
    one_of,
    only_known,
    optional,
    part_of,
    positive,
)
from tinyengine.paths import project_root

CAMERA_BUSES = ("dcmi", "arducam")
CAMERA_DATA_PINS = 8
CAMERA_FOLDERS = {
    "dcmi": ("stm32_dcmi", "camera_sensors"),
    "arducam": ("arducam", "stm32_arducam", "camera_sensors"),
}
"""Of firmware/hal, what drives a camera, by its bus; besides folders with the units of I2C and SPI."""
I2C_UNITS = {
    "stm32f4": ("stm32_i2c_v1", ("I2C1", "I2C2", "I2C3")),
    "stm32f7": ("stm32_i2c_v2", ("I2C1", "I2C2", "I2C3")),
    "stm32h7": ("stm32_i2c_v2", ("I2C1", "I2C2")),
}
"""By a family's folder of firmware/hal, the folder that drives its I2C, and the units whose clock that one turns on."""


def _switch(entry: dict[str, Any], key: str, of: str) -> Switch | None:
    if key not in entry:
        return None
    part = part_of(entry, key, of)
    switch = Switch(needed_pin(part, "pin"), field_of(part, "active", int))
    if switch.active not in (0, 1):
        raise ValueError(f"{key} takes a pin, and active 0 or 1")
    return switch


def camera_of(entry: dict[str, Any], hal: Sequence[str]) -> Camera | SpiCamera:
    """What drives it must be in ``hal``, the folders of firmware/hal."""
    bus = one_of(entry, "bus", CAMERA_BUSES)
    for folder in CAMERA_FOLDERS[bus]:
        if folder not in hal:
            raise ValueError(f"camera needs the folder {folder} in build.hal")
    family = next((folder for folder in I2C_UNITS if folder in hal), None)
    if family is None:
        raise ValueError(f"camera needs one of the folders {', '.join(I2C_UNITS)} in build.hal")
    driver, units = I2C_UNITS[family]
    if driver not in hal:
        raise ValueError(f"camera needs the folder {driver} in build.hal")
    one_of(part_of(entry, "i2c", "camera"), "unit", units)
    return _spi_camera(entry, hal) if bus == "arducam" else _parallel_camera(entry)


def _spi_camera(entry: dict[str, Any], hal: Sequence[str]) -> SpiCamera:
    only_known(entry, "camera of arducam")
    if not any(folder.startswith("stm32_spi_") for folder in hal):
        raise ValueError("camera needs the folder stm32_spi_v3 in build.hal")
    spi = part_of(entry, "spi", "camera")
    camera = SpiCamera(
        place=field_of(entry, "place", str),
        spi=Spi(
            unit=name_of(spi, "unit"),
            clock=needed_pin(spi, "clock"),
            data_in=needed_pin(spi, "data_in"),
            data_out=needed_pin(spi, "data_out"),
            function=needed_function(spi),
        ),
        select=needed_pin(entry, "select"),
        i2c=_camera_i2c(entry),
        idle_bytes=optional(entry, "idle_bytes", 0),
    )
    if camera.idle_bytes not in (0, 1):
        raise ValueError("camera.idle_bytes is 0 or 1")
    return camera


def _camera_i2c(entry: dict[str, Any]) -> I2c:
    bus = part_of(entry, "i2c", "camera")
    return I2c(name_of(bus, "unit"), needed_pin(bus, "clock"), needed_pin(bus, "data"), needed_function(bus))


def _parallel_camera(entry: dict[str, Any]) -> Camera:
    only_known(entry, "camera")
    known = sorted(
        path.stem
        for path in (project_root() / "firmware" / "hal" / "camera_sensors").glob("*.c")
        if path.stem != "sensor"
    )
    sensors = field_of(entry, "sensors", list)
    for sensor in sensors:
        if sensor not in known:
            raise ValueError(f"sensors has {json.dumps(sensor)}, not one of {', '.join(known)}")
    if not sensors or len(set(sensors)) < len(sensors):
        raise ValueError("sensors takes one or several different ones")
    data = [needed_pin({"data": pin}, "data") for pin in field_of(entry, "data", list)]
    clock = part_of(entry, "clock", "camera")
    driven = "timer" in clock
    if driven != ("pin" in clock):
        raise ValueError("camera.clock has a timer and its pin, or neither where an oscillator does it")
    camera = Camera(
        place=field_of(entry, "place", str),
        sensors=tuple(sensors),
        data=tuple(data),
        **{key: needed_pin(entry, key) for key in ("hsync", "vsync", "pixel_clock")},
        function=needed_function(entry),
        i2c=_camera_i2c(entry),
        clock=CameraClock(
            positive(clock, "hz"),
            one_of(clock, "timer", ("TIM1",)) if driven else "",
            needed_pin(clock, "pin") if driven else "",
            needed_function(clock) if driven else 0,
        ),
        reset=_switch(entry, "reset", "camera"),
        power_down=_switch(entry, "power_down", "camera"),
    )
    if len(data) != CAMERA_DATA_PINS:
        raise ValueError(f"camera takes {CAMERA_DATA_PINS} data pins")
    return camera
