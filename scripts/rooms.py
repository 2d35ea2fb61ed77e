#!/usr/bin/env python3
"""The rooms of host/tinyengine: which exist, what each may import, and what each does import.

A room is a folder or a loose file of host/tinyengine. docs/architecture.md has one table with a row per room: its name,
what belongs there, and the rooms that it may import. The rooms of the first row are the ground, which everybody may
import; the others stand below all rooms that they import. tests/unit/test_architecture.py holds the code to the table.
"""

from __future__ import annotations

import ast
import functools
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "host" / "tinyengine"
TABLE = ROOT / "docs" / "architecture.md"

LATE = {
    "cli/main.py": "the module of the command that runs",
    "recipes/teacher.py": "packages of weights, none of them ours",
}
"""Files that may import by names which only the run can tell, and what they import so."""

IMPORTERS = ("import_module", "__import__")


@dataclass(frozen=True)
class Import:
    """One import between files of the package, both as paths relative to it."""

    importer: str
    line: int
    imported: str

    @property
    def rooms(self) -> tuple[str, str]:
        return room_of(self.importer), room_of(self.imported)

    def __str__(self) -> str:
        return f"{self.importer}:{self.line} imports {self.imported}"


def room_of(file: str) -> str:
    """``ir`` for ``ir/graph.py``, ``errors`` for ``errors.py``."""
    return file.split("/")[0].removesuffix(".py")


def files(package: Path) -> list[str]:
    """Python files of the package, relative to it."""
    return sorted(path.relative_to(package).as_posix() for path in package.rglob("*.py"))


def imports(package: Path) -> list[Import]:
    """Every import of one file of the package by another, inside functions and under TYPE_CHECKING too."""
    modules = {_module(package.name, file): file for file in files(package)}
    found = []
    for module, file in modules.items():
        inside = module if file.endswith("__init__.py") else module.rpartition(".")[0]
        for node in _importing((package / file).read_text(encoding="utf-8")):
            for name in _imported(node, inside, modules):
                if modules[name] != file:
                    found.append(Import(file, getattr(node, "lineno", 0), modules[name]))
        found += _reached(package, file, modules)
    return found


def _reached(package: Path, file: str, modules: Mapping[str, str]) -> Iterator[Import]:
    """Modules that a file names from the package down, as after ``import package``."""
    nodes = _importing((package / file).read_text(encoding="utf-8"))
    aliases = [alias for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    bound = {package.name: package.name, **{alias.asname: alias.name for alias in aliases if alias.asname}}
    inner: set[ast.AST] = set()  # of longer names: each is walked from the whole to its parts
    for node in nodes:
        if isinstance(node, ast.Attribute) and node not in inner:
            chain = _chain(node)
            first = chain[-1]
            if isinstance(first, ast.Name) and first.id in bound:
                rest = [part.attr for part in reversed(chain) if isinstance(part, ast.Attribute)]
                name = ".".join([bound[first.id], *rest])
                if name in modules:
                    inner.update(chain)
                    if modules[name] != file:
                        yield Import(file, node.lineno, modules[name])


def _chain(node: ast.AST) -> list[ast.AST]:
    """``a.b.c``, ``a.b``, ``a``."""
    chain = [node]
    while isinstance(chain[-1], ast.Attribute):
        chain.append(chain[-1].value)
    return chain


def untold(package: Path) -> list[str]:
    """Sentences: imports by names that are no constants, or by another name of the function that imports."""
    found = []
    for file in files(package):
        for node in _importing((package / file).read_text(encoding="utf-8")):
            match node:
                case ast.Call(args=[ast.Constant(), *_]):
                    told = True
                case ast.Call(func=ast.Attribute(attr=name) | ast.Name(id=name)):
                    told = name not in IMPORTERS
                case ast.ImportFrom(module="importlib"):
                    told = all(alias.asname is None for alias in node.names)
                case _:
                    told = True
            if not told and file not in LATE:
                found.append(f"{file}:{getattr(node, 'lineno', 0)} imports what only the run can tell")
    return found


@functools.cache
def _importing(text: str) -> list[ast.AST]:
    """Whatever in a file may import something, or name something imported."""
    kinds = (ast.Import, ast.ImportFrom, ast.Call, ast.Attribute)
    return [node for node in ast.walk(ast.parse(text)) if isinstance(node, kinds)]


def _module(package: str, file: str) -> str:
    parts = [package, *file.removesuffix(".py").split("/")]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imported(node: ast.AST, inside: str, modules: Mapping[str, str]) -> Iterator[str]:
    """Modules of the package that a statement or call imports; ``inside``: the package that relative names begin at."""
    match node:
        case ast.Import():
            names = [alias.name for alias in node.names]
        case ast.ImportFrom():
            parents = inside.split(".")[: len(inside.split(".")) + 1 - node.level] if node.level else []
            base = ".".join([*parents, *([node.module] if node.module else [])])
            names = [f"{base}.{alias.name}" for alias in node.names]
            names = [name if name in modules else base for name in names]
        case ast.Call(func=ast.Attribute(attr=how) | ast.Name(id=how), args=[ast.Constant(value=str(name)), *_]):
            level = len(name) - len(name.lstrip("."))
            parents = inside.split(".")[: len(inside.split(".")) + 1 - level] if level else []
            names = [".".join([*parents, name.lstrip(".")])] if how in IMPORTERS else []
        case _:
            names = []
    return (name for name in dict.fromkeys(names) if name in modules)


def allowed(table: Path) -> dict[str, set[str]]:
    """Per room, in the order of the table, the rooms that it may import, the ground included."""
    rows = re.findall(r"^\| *(`[^|]*) *\|[^|]*\|([^|]*)\|$", table.read_text(encoding="utf-8"), re.MULTILINE)
    rooms = [(re.findall(r"`(\w+)`", names), set(re.findall(r"`(\w+)`", others))) for names, others in rows]
    ground = set(rooms[0][0])
    return {name: (others | ground) - {name} for names, others in rooms for name in names}


def violations(package: Path, may: Mapping[str, Set[str]]) -> list[str]:
    """Sentences: rooms that the table does not have, and imports that it does not allow."""
    rooms = dict.fromkeys(room_of(file) for file in files(package))
    unknown = [f"{room} is a room that the table does not have" for room in rooms if room not in may]
    gone = [f"the table has a room {room} that does not exist" for room in may if room not in rooms]
    found = []
    for each in imports(package):
        importer, imported = each.rooms
        if importer != imported and imported not in may.get(importer, {imported}):
            found.append(f"{each}: {importer} may not import {imported}")
    return [*unknown, *gone, *found, *untold(package)]


def upward(may: Mapping[str, Set[str]]) -> list[str]:
    """Rooms of the table that may import one below them, or one that it does not have."""
    order = {room: index for index, room in enumerate(may)}
    ground = set.intersection(*(others | {room} for room, others in may.items()))
    pairs = [(room, other) for room, others in may.items() for other in sorted(others - ground)]
    return [
        f"{room} may import {other}, which is not above it"
        for room, other in pairs
        if other not in order or order[other] >= order[room]
    ]


def arrows(package: Path) -> dict[str, set[str]]:
    """Per room the other rooms that it imports."""
    result: dict[str, set[str]] = {room_of(file): set() for file in files(package)}
    for each in imports(package):
        importer, imported = each.rooms
        if importer != imported:
            result[importer].add(imported)
    return result


def file_arrows(package: Path) -> dict[str, set[str]]:
    """Per file the others that it imports."""
    result: dict[str, set[str]] = defaultdict(set)
    for each in imports(package):
        result[each.importer].add(each.imported)
    return dict(result)


def circles(arrows: Mapping[str, Set[str]]) -> list[list[str]]:
    """Groups of names that reach each other along arrows, each sorted."""
    beyond = {name: reached(name, arrows) for name in arrows}
    found = {tuple(sorted(n for n in ahead if name in beyond.get(n, ()))) for name, ahead in beyond.items()}
    return [list(names) for names in sorted(found) if names]


def reached(start: str, arrows: Mapping[str, Set[str]]) -> set[str]:
    """Everything that ``start`` reaches along arrows."""
    found: set[str] = set()
    todo = [start]
    while todo:
        fresh = arrows.get(todo.pop(), set()) - found
        found |= fresh
        todo += fresh
    return found
