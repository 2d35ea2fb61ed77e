"""Which files of the kernel library a network uses: those that define the functions it calls, whole files, as a linker
takes them from an archive. Of a network whose input is a picture those of te_image.h and te_answer.h, too.

Found in the text of the files, so that no compiler is needed and all builds of a folder find what they call: a file of
portable C and its twin in assembly define the same names, and both are taken.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tinyengine.project.toolchain import included, library_dir, library_sources

_COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*|^[ \t]*@[^\n]*", re.DOTALL | re.MULTILINE)
_NAME = re.compile(r"\bte_\w+")
_MAPS = re.compile(r"^#define TE_DEPTHWISE_MAPS_(\d+)\(ONE, BY_2\)((?:.*\\\n)*.*)", re.MULTILINE)
_MAP = re.compile(r"(ONE|BY_2)\((\d+), (\d+)(?:, (\d+))?\)")


@dataclass(frozen=True)
class Kernels:
    """Files of the library: ``sources`` to compile, ``headers`` that these and the networks include."""

    sources: tuple[Path, ...]
    headers: tuple[Path, ...]


def kernels_of(folder: Path) -> Kernels:
    """The files that the generated sources in ``folder`` need."""
    definers: dict[str, list[Path]] = {}
    for source in library_sources():
        for name in defined(source):
            definers.setdefault(name, []).append(source)
    include = (library_dir() / "include", folder)
    headers: set[Path] = set()
    taken: set[Path] = set()
    todo = sorted(folder.glob("*.c"))
    if any(folder.glob("*_image.h")):  # the application makes inputs of pictures, and reads the answer
        taken.update((library_dir() / "src" / "image").glob("*.c"))
        todo += sorted(taken)
    while todo:
        source = todo.pop()
        own = included(source, include)
        headers.update(own)
        for name in called(source, own):
            for definer in [*definers.get(name, ()), *definers.get(_family(name), ())]:
                if definer not in taken:
                    taken.add(definer)
                    todo.append(definer)
    library = library_dir().resolve()
    return Kernels(tuple(sorted(taken)), tuple(sorted(path for path in headers if library in path.parents)))


def _family(name: str) -> str:
    """What an assembly file has of names that macros complete: te_run_3_fast is defined where te_run_ is."""
    return re.sub(r"\d\w*$", "", name)


@cache
def _text(path: Path) -> str:
    return _COMMENT.sub("", path.read_text(encoding="utf-8"))


@cache
def defined(source: Path) -> frozenset[str]:
    """Functions that a file of the library defines: names at the beginning of a line that is not indented, in C also
    as the first argument of a macro."""
    found: set[str] = set()
    maps = _maps()
    for line in _text(source).splitlines():
        if source.suffix == ".S":
            found.update(name for name in _NAME.findall(line) if not re.match(r"\s*(bl?|ldr|\.word|#)\b", line))
        elif not line.startswith((" ", "\t", "#", "}", "static", "typedef", "TE_INLINE", "extern", "enum", "struct")):
            found.update(_NAME.findall(line.partition("(")[0])[-1:] or _NAME.findall(line)[:1])
    for width in re.findall(r"\bTE_DEPTHWISE_MAPS(?:_(\d+))?\(", _text(source)):
        found.update(*(names for key, names in maps.items() if key == width or not width))
    return frozenset(found)


@cache
def _maps() -> Mapping[str, frozenset[str]]:
    """By width, the functions of te_depthwise_map_list.h, whose names macros put together."""
    text = (library_dir() / "include" / "tinyengine" / "te_depthwise_map_list.h").read_text(encoding="utf-8")
    out: dict[str, frozenset[str]] = {}
    for width, lines in _MAPS.findall(text):
        names = set()
        for _, kernel, columns, padding in _MAP.findall(lines):
            name = f"te_depthwise_map_{kernel}_{columns}" + (f"_by_2_{padding}" if padding else "")
            names |= {name, f"{name}_fast"}
        out[width] = frozenset(names)
    return out


def called(source: Path, headers: Iterable[Path]) -> set[str]:
    """Names that a file, and what is inline in its headers, may call: all but those of declarations."""
    names = set(_NAME.findall(_text(source)))
    for header in headers:
        for line in _text(header).splitlines():
            if line.startswith((" ", "\t", "#define")):
                names.update(_NAME.findall(line))
    return names
