"""How sub-networks do without training."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Inherited:
    """With inherited weights, on pictures that were never trained on: per cent right of those with a label, and the
    mean cross entropy in nats with what ``fit`` would have it learn (label and teacher averaged)."""

    accuracy: float
    cross_entropy: float


@dataclass(frozen=True, slots=True)
class Judged:
    """A sub-network: what it costs, and how it does (None where there are no pictures to judge with)."""

    arch: str
    resolution: int
    macs: int
    parameters: int
    inherited: Inherited | None
