"""Networks for little flash say so in their header, so that whoever builds them optimizes everything for size."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

SMALL_MARK = "_COMPILED_FOR_SIZE"
"""What the name of the macro ends with."""


def is_small(sources: Iterable[Path]) -> bool:
    """Whether there are generated networks beside ``sources`` and all of them are for little flash."""
    weights = [path for folder in {path.parent for path in sources} for path in folder.glob("*_weights.c")]
    headers = [path.with_name(path.name.removesuffix("_weights.c") + ".h") for path in weights]
    return bool(headers) and all(header.is_file() and SMALL_MARK in header.read_text() for header in headers)
