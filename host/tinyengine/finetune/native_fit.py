"""Training on this computer with the device's arithmetic: epochs over pictures in memory, learning rates, accuracy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from tinyengine.finetune.session import TuneOptions
from tinyengine.native import NativeTrainer

Progress = Callable[[int, int, float], None]
"""Told of steps done, of all, and of the mean loss so far in this epoch."""


@dataclass(frozen=True)
class Recipe:
    """``rate``: the highest learning rate; it rises over the first steps and falls to 0 along a cosine."""

    rate: float
    epochs: float
    seed: int = 0


def fit(
    trainer: NativeTrainer,
    variants: Sequence[np.ndarray],
    labels: np.ndarray,
    recipe: Recipe,
    progress: Progress | None = None,
    classes: int | None = None,
) -> None:
    """Train, one sample a step, in an order shuffled anew each epoch.

    ``variants``: the same int8 inputs (N, ...) in several forms, plain and mirrored say, of which each step takes one
    at random. ``classes``: how many outputs of the classifier take part, None: all. The same seed gives the same bytes.
    """
    rng = np.random.default_rng(recipe.seed)
    steps = round(recipe.epochs * len(labels))
    order = np.empty(0, np.int64)
    total = 0.0
    schedule = TuneOptions(classes or trainer.classes, rate=recipe.rate)
    for step in range(steps):
        place = step % len(labels)
        if place == 0:
            order, total = rng.permutation(len(labels)), 0.0
        index = order[place]
        x = variants[int(rng.integers(len(variants)))][index]
        rate = schedule.rate_at(step, steps)
        total += trainer.step(x, int(labels[index]), rate, seed=recipe.seed, step=step, classes=classes).loss
        if progress and (place == len(labels) - 1 or step == steps - 1):
            progress(step + 1, steps, total / (place + 1))


def accuracy(trainer: NativeTrainer, inputs: np.ndarray, labels: np.ndarray, classes: int | None = None) -> float:
    """Share of int8 ``inputs`` (N, ...) whose label is predicted, by the first ``classes`` outputs (None: all)."""
    pairs = zip(inputs, labels, strict=True)
    right = sum(trainer.evaluate(x, classes=classes).predicted == label for x, label in pairs)
    return right / len(labels)
