"""Stages: the unit of scheduling.

A stage is a run of operators that execute as one piece: a ``layer`` (one operator over whole tensors, in place where
its kernel's overlap rule allows), a ``stream`` (a chain of row operators with rolling row buffers, nothing
recomputed), or a ``patch`` (a chain, some of whose operators recompute rows). Every stage is one kernel call to the
memory planner; what a chain keeps for itself is scratch memory of its call.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from tinyengine.ir import Operator
from tinyengine.kernels.base import KernelCall


class StageKind(StrEnum):
    """How the operators of a stage are executed."""

    LAYER = "layer"
    STREAM = "stream"
    PATCH = "patch"
    TRAINING = "training"


@dataclass(eq=False)
class Stage:
    """Operators that execute as one piece; ``macs_executed`` exceeds ``macs`` where a stage recomputes."""

    kind: StageKind
    calls: list[KernelCall]

    @property
    def operators(self) -> list[Operator]:
        return [op for call in self.calls for op in call.operators]

    @property
    def macs(self) -> int:
        return sum(call.macs for call in self.calls)

    @property
    def macs_executed(self) -> int:
        return self.macs + sum(call.recomputed_macs for call in self.calls)


def calls_of(stages: list[Stage]) -> list[KernelCall]:
    """All calls in execution order, views included."""
    return [call for stage in stages for call in stage.calls]
