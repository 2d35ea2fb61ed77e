"""The accuracy that a scheme reaches, by training it on this computer with the device's arithmetic."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tinyengine.compiler import CompileOptions, compile_graph
from tinyengine.finetune.features import features
from tinyengine.finetune.native_fit import Recipe, accuracy, fit
from tinyengine.ir import Graph
from tinyengine.native import NativeTrainer
from tinyengine.progress import Progress, silent
from tinyengine.training.scheme import UpdateScheme
from tinyengine.training.split import split

MEMORY = 1 << 24
"""Room for the arena on this computer: a plan that need not be tight is found sooner, and gives the same bytes."""


@dataclass(frozen=True, eq=False)
class Samples:
    """int8 inputs (N, h, w, c) and labels (N,)."""

    inputs: np.ndarray
    labels: np.ndarray


class NativeProbe:
    """A ``contribution.Probe``. What no scheme of the search trains is computed once, for all of them."""

    def __init__(
        self,
        graph: Graph,
        classes: int,
        train: Samples,
        held_out: Samples,
        deepest: int,
        recipe: Recipe,
        seeds: int = 1,
        progress: Progress = silent,
    ) -> None:
        """``deepest``: trailing convolutions that schemes may train. ``seeds``: trainings that are averaged."""
        self._parts = split(graph, deepest)
        both = features(self._parts.front, np.concatenate([train.inputs, held_out.inputs]), progress)
        self._inputs, self._held_out = both[: len(train.labels)], both[len(train.labels) :]
        self._labels, self._answers = train.labels, held_out.labels
        self._classes, self._recipe, self._seeds = classes, recipe, seeds
        self._count = 0

    def __call__(self, scheme: UpdateScheme) -> float:
        self._count += 1
        options = CompileOptions(
            prefix=f"probe_{self._count}",
            train=self._parts.scheme(scheme),
            classes=self._classes,
            sram=MEMORY,
        )
        trainer = NativeTrainer(compile_graph(self._parts.tail, options), fast=True)
        return float(np.mean([self._one(trainer, seed) for seed in range(self._seeds)]))

    def _one(self, trainer: NativeTrainer, seed: int) -> float:
        trainer.reset()
        variants: Sequence[np.ndarray] = [self._inputs]
        fit(trainer, variants, self._labels, Recipe(self._recipe.rate, self._recipe.epochs, seed))
        return accuracy(trainer, self._held_out, self._answers)
