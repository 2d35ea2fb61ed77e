"""Stages: the unit of scheduling.

A stage is a run of operators that execute as one piece. Today there is one kind, ``layer``: one operator over whole
tensors, in place where its kernel's overlap rule allows. Patch and stream stages (halos recomputed, rolling row
buffers) are further kinds of the same thing: they bring calls with buffers of their own to the same memory planner.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from tinyengine.ir import Graph
from tinyengine.kernels.base import KernelCall, Target
from tinyengine.kernels.select import lower


class StageKind(StrEnum):
    """How the operators of a stage are executed."""

    LAYER = "layer"


@dataclass(eq=False)
class Stage:
    """Operators that execute as one piece; ``macs_executed`` exceeds ``macs`` where a stage recomputes."""

    kind: StageKind
    calls: list[KernelCall]

    @property
    def macs(self) -> int:
        return sum(call.macs for call in self.calls)

    @property
    def macs_executed(self) -> int:
        return self.macs


def schedule(graph: Graph, target: Target) -> list[Stage]:
    """Lower every operator and put each in a layer stage, in the graph's order."""
    return [Stage(StageKind.LAYER, [lower(op, graph, target)]) for op in graph.operators]


def calls_of(stages: list[Stage]) -> list[KernelCall]:
    """All calls in execution order, views included."""
    return [call for stage in stages for call in stage.calls]
