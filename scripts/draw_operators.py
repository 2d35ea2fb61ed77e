#!/usr/bin/env python3
"""Write the table of all operators in docs/operators.md, between its two markers, from the code as it is.

scripts/draw_operators.py
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))

from tinyengine.frontend import tflite_micro
from tinyengine.frontend.context import CUSTOM, KINDS, SIGNALS
from tinyengine.ir import OpKind
from tinyengine.ir.floating import APPROXIMATE
from tinyengine.ir.operators import DEFINITIONS, WEIGHTED
from tinyengine.ir.operators.unary import TABLES
from tinyengine.kernels import select  # noqa: F401 - importing it registers the lowerings
from tinyengine.kernels.base import LOWERINGS
from tinyengine.kernels.fast import FAST_LOWERINGS
from tinyengine.kernels.streaming.rows import BUILDERS
from tinyengine.training.autodiff import differentiable

PAGE = Path(__file__).resolve().parents[1] / "docs" / "operators.md"
BEGIN = "<!-- written by scripts/draw_operators.py: begin -->\n"
END = "<!-- written by scripts/draw_operators.py: end -->\n"
HEAD = ("operator", "types", "exact", "computed by", "fast", "rows", "trainable", "TFLite Micro")


ONLY = dict.fromkeys(("L2_POOL_2D", "POW"), "float32")
"""Names that become another operator of one of its types alone."""


def types(kind: OpKind) -> str:
    """dtypes of the first input, in the order of the class; of the output, where that input only chooses."""
    first = DEFINITIONS[kind].input_dtypes(0)
    outputs = dict.fromkeys(text.split(" -> ")[1] for text in DEFINITIONS[kind].signatures)
    return ", ".join(outputs if first in (("bool",), ("int32",)) else first)


def exact(kind: OpKind) -> str:
    """Whether outputs are TFLite's to the bit, or, of float32, near it."""
    if kind not in APPROXIMATE:
        return "yes"
    others = [dtype for dtype in DEFINITIONS[kind].input_dtypes(0) if dtype != "float32"]
    return f"{', '.join(others)}; float32: bound" if others else "bound"


def way(kind: OpKind, dtype: str) -> str:
    """How the generic lowering of a type computes: by a table, a generated loop, or the library."""
    found = LOWERINGS.find(kind, dtype)
    if found is None:
        return "host"
    module = found.__module__.removeprefix("tinyengine.kernels.")
    if module.startswith("loops"):
        return "loop"
    if kind in TABLES and found is LOWERINGS.find(kind, "int8"):
        return "table"
    return f"`{module}.py`"


def computed_by(kind: OpKind) -> str:
    """The ways, each with its types where they differ."""
    by_way: dict[str, list[str]] = {}
    for dtype in DEFINITIONS[kind].input_dtypes(0):
        by_way.setdefault(way(kind, dtype), []).append(dtype)
    if len(by_way) == 1:
        return next(iter(by_way))
    return "; ".join(f"{', '.join(dtypes)}: {name}" for name, dtypes in by_way.items())


def fast(kind: OpKind) -> str:
    """Types with a fast candidate, and the features of cores that it needs."""
    cells = []
    for (other, dtype), candidates in FAST_LOWERINGS.items():
        if other is kind:
            features = sorted({name for requires, _ in candidates for name in requires})
            cells.append(f"{dtype} ({', '.join(features) or 'any core'})")
    return "; ".join(cells)


def with_gradient() -> set[OpKind]:
    """The kinds that ``differentiable`` names in a case."""
    return {OpKind[name] for name in _named(differentiable)}


def _named(function: Callable[..., object]) -> Iterable[str]:
    for case in ast.walk(ast.parse(inspect.getsource(function))):
        if isinstance(case, ast.match_case):
            yield from (node.attr for node in ast.walk(case.pattern) if isinstance(node, ast.Attribute))


def trainable(kind: OpKind) -> str:
    """How the backward pass knows it."""
    if kind not in with_gradient():
        return ""
    return "weights" if kind in WEIGHTED else "gradient passes"


def table() -> str:
    """All rows; behind them TFLite's operators that become another one."""
    rows = [HEAD, ("---",) * len(HEAD)]
    by_rows = {kind for kinds in BUILDERS for kind in kinds}
    for kind in OpKind:
        micro = types(kind) if kind in SIGNALS.values() else ", ".join(tflite_micro.OPERATORS.get(kind, ()))
        if kind is OpKind.DETECTION_POST_PROCESS:
            micro = "float32"
        in_rows = "yes" if kind in by_rows else ""
        rows.append((kind, types(kind), exact(kind), computed_by(kind), fast(kind), in_rows, trainable(kind), micro))
    for name, kind in KINDS.items():
        if name.startswith(CUSTOM):
            continue
        micro = ", ".join(tflite_micro.OPERATORS.get(name, ()))
        rows.append((name, ONLY.get(name, types(kind)), "", f"as {kind}", "", "", "", micro))
    return "".join(re.sub(" +", " ", f"| {' | '.join(row)} |\n") for row in rows)


def written(page: str) -> str:
    """``page`` with the table as it should be. ValueError without the markers."""
    before, rest = page.split(BEGIN)
    _, behind = rest.split(END)
    return before + BEGIN + table() + END + behind


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
