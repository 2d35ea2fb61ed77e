"""The ways out that sentences of the compiler name, read from its source."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tinyengine.paths import project_root

ROOMS = ("frontend", "ir", "kernels", "convert", "compiler", "language", "supernet", "search", "recipes")
PACKAGE = project_root() / "host" / "tinyengine"

AGAIN = re.compile(r"(convert|quantize) (the model|it) again( with representative data)?$")
"""For files that contradict themselves."""


def ways_out() -> dict[str, str]:
    """Every way out and where it stands: what a refusal names behind its problem, or behind the last colon.

    Fields of f-strings are written as {}. Sentences that end in a message of somebody else (``: {}``) name none.
    """
    found: dict[str, str] = {}
    for room in ROOMS:
        for path in sorted((PACKAGE / room).rglob("*.py")):
            if "training" in path.relative_to(PACKAGE).parts:
                continue
            for line, way in _in_file(path):
                found.setdefault(way, f"{path.relative_to(PACKAGE)}:{line}")
    return found


def _in_file(path: Path) -> Iterator[tuple[int, str]]:
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign | ast.AnnAssign):
            names = [
                n.id
                for n in (node.targets if isinstance(node, ast.Assign) else [node.target])
                if isinstance(n, ast.Name)
            ]
            if any(name.endswith("_HINT") or name == "HOW" for name in names) and node.value is not None:
                yield node.lineno, _text(node.value)
            elif "_INSTEAD" in names and node.value is not None:
                for value in _strings(node.value):
                    yield value.lineno, value.value
        elif isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name == "unsupported":
                remedy = next((k.value for k in node.keywords if k.arg in ("instead", "remedy")), None)
                remedy = remedy or (node.args[2] if isinstance(node.func, ast.Attribute) else node.args[3])
                if _text(remedy) != "{}":
                    yield node.lineno, _text(remedy)
            elif re.fullmatch(r"(Model|UnsupportedOperator|Budget|Data|Tool)Error", name) and node.args:
                _, colon, way = _text(node.args[0]).rpartition(": ")
                if colon and not way.startswith("{}"):
                    yield node.lineno, way


def _strings(node: ast.expr) -> Iterator[ast.Constant]:
    """The values of a dictionary, also of ``**dict.fromkeys(names, value)``."""
    assert isinstance(node, ast.Dict)
    for value in node.values:
        constant = value.args[1] if isinstance(value, ast.Call) else value
        assert isinstance(constant, ast.Constant), ast.unparse(value)
        yield constant


def _text(node: ast.expr) -> str:
    """A literal with {} for whatever is not known before it runs."""
    match node:
        case ast.Constant(value=str(value)):
            return value
        case ast.JoinedStr(values=values):
            return "".join(_text(value) for value in values)
        case ast.BinOp(left=left, right=right):
            return _text(left) + _text(right)
    return "{}"
