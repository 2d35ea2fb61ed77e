"""Which of several functions is responsible for an operator: by its kind, and by type where a type needs its own."""

from __future__ import annotations

from typing import Generic, TypeVar

from tinyengine.ir.graph import Graph, Operator
from tinyengine.ir.ops import OpKind

T = TypeVar("T")


def leading_dtype(op: Operator, graph: Graph) -> str:
    """The type by which ``op`` is told apart: that of its first input that is no constant, or else of its output."""
    tensors = graph.activations(op) or [graph.tensor(name) for name in op.outputs]
    return tensors[0].dtype


class ByType(Generic[T]):
    """One entry per kind for all types, and further ones for (kind, dtype) that are preferred to it."""

    def __init__(self, what: str) -> None:
        self.what = what
        self.entries: dict[tuple[OpKind, str | None], T] = {}

    def add(self, entry: T, kinds: tuple[OpKind, ...], dtype: str | None) -> None:
        for kind in kinds:
            name = kind if dtype is None else f"{kind} in {dtype}"
            assert (kind, dtype) not in self.entries, f"{name} has a second {self.what}"
            self.entries[kind, dtype] = entry

    def find(self, kind: OpKind, dtype: str) -> T | None:
        return self.entries.get((kind, dtype), self.entries.get((kind, None)))

    def of(self, op: Operator, graph: Graph) -> T | None:
        """The entry for ``op``."""
        return self.find(op.kind, leading_dtype(op, graph))
