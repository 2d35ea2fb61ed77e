"""A folder of C for any build system."""

from __future__ import annotations

from tinyengine.export.library import Library
from tinyengine.export.targets.base import Files, plain

BUILDING = """
Compile everything in `src` (`.c` and `.S`; the assembly is empty where a core has no DSP extension) with `include` on
the include path, as C11 or newer. `examples/main.c` is a program in C and C++.
"""


def files(library: Library) -> Files:
    return plain(library, BUILDING)
