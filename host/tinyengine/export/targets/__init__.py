"""What ``export --for`` offers: one module for each kind of project that a network can become a part of."""

from __future__ import annotations

from tinyengine.export.targets import arduino, c, cmake, micropython, mpy, platformio, zephyr
from tinyengine.export.targets.base import Target

TARGETS: dict[str, Target] = {
    "c": Target("C sources, for any build system", c.files),
    "cmake": Target("a CMake library, with a toolchain file", cmake.files),
    "platformio": Target("a PlatformIO library", platformio.files),
    "arduino": Target("an Arduino library", arduino.files),
    "zephyr": Target("a Zephyr module", zephyr.files),
    "micropython": Target("a user module for MicroPython firmware", micropython.files),
    "mpy": Target("native modules that MicroPython loads", mpy.files),
}
