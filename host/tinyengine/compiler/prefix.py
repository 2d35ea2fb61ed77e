"""Names that the symbols and files of a generated network may begin with."""

from __future__ import annotations

import re
from pathlib import Path

from tinyengine.compiler.taken import is_taken
from tinyengine.errors import ToolError

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,39}")
_FIRST = ("te_", "arduino")
"""What the names of the kernels begin with, and those of libraries that only Arduino may publish."""


def check_prefix(name: str) -> None:
    """ToolError for a name that C, the C library, the kernels, a platform or the generated code have a use for."""
    if not _NAME.fullmatch(name):
        raise ToolError(
            f"{name!r} cannot begin names in C: give --prefix a letter, followed by up to 39 letters, digits and _"
        )
    other = _free(name)
    if other != name:
        raise ToolError(f"{name} means something else where the network is to be compiled: use --prefix {other}")


def prefix_of(model: Path) -> str:
    """The prefix of a network whose user has given none: what its file is called, as far as C allows."""
    name = re.sub(r"[^A-Za-z0-9]+", "_", model.name.split(".")[0]).strip("_").lower()[:30].rstrip("_")
    if not name or not name[0].isalpha():
        name = f"network_{name}".rstrip("_")
    return _free(name)


def _free(name: str) -> str:
    """``name``, or what is closest to it and means nothing else."""
    if name.lower().startswith(_FIRST):
        return f"network_{name}"[:40]
    return f"{name}_network" if is_taken(name) else name
