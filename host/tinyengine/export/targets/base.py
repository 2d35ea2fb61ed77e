"""What the modules of this folder have in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tinyengine.cores import OPTIMIZATION, OPTIMIZATION_SMALL
from tinyengine.export.example import example
from tinyengine.export.library import Library
from tinyengine.export.readme import readme
from tinyengine.paths import project_root

Files = dict[str, str | bytes]
"""Contents by path in the folder."""


@dataclass(frozen=True)
class Target:
    """``files``: the whole content of the folder."""

    what: str
    files: Callable[[Library], Mapping[str, str | bytes]]


def plain(library: Library, building: str, headers: str = "include", main: str = "examples/main.c") -> Files:
    """Headers in one folder, sources in ``src``, licence, README, and an example at ``main`` ("" for none)."""
    files: Files = {f"{headers}/{name}": text for name, text in library.headers().items()}
    files |= {f"src/{name}": text for name, text in library.sources().items()}
    files["LICENSE"] = (project_root() / "LICENSE").read_text(encoding="utf-8")
    files["README.md"] = readme(library, building)
    if main:
        files[main] = example(library)
    return files


def compiled_sources(library: Library) -> list[str]:
    """What of ``src`` is compiled, sorted."""
    return sorted(f"src/{name}" for name in library.sources() if name.endswith((".c", ".S")))


def optimization(library: Library) -> str:
    return OPTIMIZATION_SMALL if library.small else OPTIMIZATION
