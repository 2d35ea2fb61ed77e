"""Training of a super-network: the loop of ``recipes.train`` with steps that train all sub-networks."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from tinyengine.data.samples import Arrays
from tinyengine.errors import ModelError
from tinyengine.recipes.inherit import Heir
from tinyengine.recipes.recipe import Recipe
from tinyengine.recipes.start import begin
from tinyengine.recipes.supernet_engine import SupernetEngine
from tinyengine.recipes.train import Training
from tinyengine.supernet.file import UNREADABLE, is_supernet, load_supernet
from tinyengine.supernet.space import Space, grown
from tinyengine.supernet.weights import Layers, by_importance, by_layer, grow, in_order
from tinyengine.zoo.build import keras_model
from tinyengine.zoo.export import load_weights
from tinyengine.zoo.table import Network

_FORM = "super-network"
_JUDGED_ON = 256
"""Pictures on which normalizations are measured at the end of an epoch."""


class SupernetTraining(Training):
    """One run; ``model`` is the largest sub-network of ``space``, whose weights all others inherit."""

    form = _FORM
    figure = "mean of the largest and the smallest"

    def __init__(
        self,
        base: Network,
        resolutions: tuple[int, ...],
        recipe: Recipe,
        data: Arrays,
        folder: Path,
        start: Path | None = None,
        threads: int = 1,
    ) -> None:
        """``start``: a super-network's file, the checkpoint of another run, or weights of ``base`` as
        ``recipes.start.begin`` reads them: its channels are put in the order of their importance, and its kernels
        grown."""
        base = replace(base, resolution=resolutions[-1])
        self.base, self.space = base, Space(grown(base), resolutions)
        super().__init__(self.space.network, recipe, data, folder, start, "pytorch", threads)

    @property
    def layers(self) -> Layers:
        return by_layer(self.space.network, [weight.numpy() for weight in self.model.weights])

    def _begin(self, start: Path) -> bytes:
        if is_supernet(start):
            layers, digest = self._layers_of(start), hashlib.sha256(start.read_bytes()).digest()
        elif _is_checkpoint(start):
            load_weights(self.model, start)
            return hashlib.sha256(start.read_bytes()).digest()
        else:
            model = keras_model(self.base, softmax=False)
            digest = begin(model, self.base, start, self.data.values, self.recipe.seed)
            of_base = by_layer(self.base, [weight.numpy() for weight in model.weights])
            layers = by_importance(self.space, grow(of_base, self.space.network))
        self.model.set_weights(in_order(layers))
        return digest

    def _layers_of(self, start: Path) -> Layers:
        """Those of another super-network, whose classes and resolutions may be others."""
        known, network = load_supernet(start), self.space.network
        theirs = known.space.network
        if (theirs.stem, theirs.blocks, theirs.head) != (network.stem, network.blocks, network.head):
            raise ModelError(
                f"the super-network {start} was trained with --arch {theirs.name}, whose parts are not those of "
                f"{network.name}: give its own --arch"
            )
        if len(known.classes) == network.classes:
            return known.layers
        return known.layers | {"classifier": self.layers["classifier"]}

    def _settings(self) -> list[Any]:
        return [*super()._settings(), self.space.resolutions]

    def _make_engine(self, backend: str, threads: int) -> SupernetEngine:
        return SupernetEngine(self.model, self.space, self.recipe, self.network.classes, threads)

    def _measure(self, validation: Any, epoch: int) -> float | None:
        heir = Heir(self.space, self.layers, self.data.values, _JUDGED_ON)
        ends = self.space.largest(), self.space.smallest()
        return float(np.mean([heir.judge(end, validation, self.recipe.soft_weight).accuracy for end in ends]))


def _is_checkpoint(start: Path) -> bool:
    """Whether ``start`` is the checkpoint of a super-network's run, whose channels have their order."""
    if start.suffix != ".npz" or not start.is_file():
        return False
    try:
        with np.load(start, allow_pickle=False) as arrays:
            return "form" in arrays and str(arrays["form"]) == _FORM
    except UNREADABLE:  # judged where it is read
        return False
