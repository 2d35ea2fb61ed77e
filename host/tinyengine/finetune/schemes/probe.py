"""The accuracy that a scheme reaches, by training it on this computer with the device's arithmetic."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tinyengine.compiler import CompileOptions, compile_graph
from tinyengine.data.samples import Arrays
from tinyengine.finetune.features import features
from tinyengine.finetune.session import TuneOptions, evaluate, train
from tinyengine.ir import Graph
from tinyengine.native import NativeTrainer
from tinyengine.progress import Progress, silent
from tinyengine.training.scheme import UpdateScheme
from tinyengine.training.split import split

MEMORY = 1 << 24
"""Room for the arena on this computer: a plan that need not be tight is found sooner, and gives the same bytes."""


class NativeProbe:
    """A ``contribution.Probe``. What no scheme of the search trains is computed once, for all of them."""

    def __init__(
        self,
        graph: Graph,
        samples: Arrays,
        held_out: Arrays,
        deepest: int,
        options: TuneOptions,
        seeds: int = 1,
        progress: Progress = silent,
    ) -> None:
        """``deepest``: trailing convolutions that schemes may train. ``seeds``: trainings that are averaged."""
        self._parts = split(graph, deepest)
        both = features(self._parts.front, np.concatenate([samples.values, held_out.values]), progress)
        self._train = replace(samples, values=both[: len(samples)])
        self._held_out = replace(held_out, values=both[len(samples) :])
        self._options, self._seeds = options, seeds
        self._count = 0

    def __call__(self, scheme: UpdateScheme) -> float:
        self._count += 1
        options = CompileOptions(
            prefix=f"probe_{self._count}",
            train=self._parts.scheme(scheme),
            classes=self._options.classes,
            sram=MEMORY,
        )
        trainer = NativeTrainer(compile_graph(self._parts.tail, options), fast=True)
        return float(np.mean([self._one(trainer, seed) for seed in range(self._seeds)]))

    def _one(self, trainer: NativeTrainer, seed: int) -> float:
        trainer.reset()
        for _ in train(trainer, [self._train.values], self._train.labels, replace(self._options, seed=seed)):
            pass
        return evaluate(trainer, self._held_out, self._options.classes).accuracy
