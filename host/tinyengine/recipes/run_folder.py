"""What all trainings of this room share: the rate of a step, and files that are whole."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Protocol

import numpy as np

from tinyengine.paths import replacing


class Schedule(Protocol):
    """The part of a recipe that decides the rate. ``warmup``: a share of the steps."""

    @property
    def rate(self) -> float: ...
    @property
    def warmup(self) -> float: ...


def learning_rate(recipe: Schedule, step: int, steps: int) -> float:
    """Linear warm-up, then half a cosine to 0."""
    warmup = max(1, round(recipe.warmup * steps))
    if step < warmup:
        return recipe.rate * (step + 1) / warmup
    return recipe.rate * 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))


def write_npz(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """A reader sees the old file or the new one, never half of one."""
    with replacing(path) as partial:
        np.savez(partial, allow_pickle=False, **arrays)
