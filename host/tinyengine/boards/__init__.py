"""Boards: what each has, read from boards/<name>.json or a file of the user's, and what a build is given of it."""

from tinyengine.boards.board import (
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
    Storage,
    Switch,
    Upload,
)
from tinyengine.boards.registry import load, names, read

__all__ = [
    "Board",
    "Camera",
    "CameraClock",
    "Clock",
    "Flash",
    "I2c",
    "Led",
    "Memory",
    "Serial",
    "Simulator",
    "Spi",
    "SpiCamera",
    "Storage",
    "Switch",
    "Upload",
    "load",
    "names",
    "read",
]
