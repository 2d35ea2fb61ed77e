"""Sub-networks with the weights that they inherit, run without training.

A sub-network's statistics differ from the largest one's, so its normalization is measured on some pictures.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinyengine.data.samples import Arrays
from tinyengine.optional import torch
from tinyengine.recipes.start import some_pictures
from tinyengine.recipes.torch_network import Tensors, forward, to_keras, to_torch
from tinyengine.supernet.judged import Inherited
from tinyengine.supernet.space import Space
from tinyengine.supernet.weights import Layers, cut
from tinyengine.zoo.table import Network, convolutions

BATCH = 128
MEASURED = 1024
"""Pictures on which the normalization is measured."""


class Heir:
    """The sub-networks of ``space`` with parts of ``layers``, normalized on ``pictures`` (N, S, S, 3), uint8."""

    def __init__(self, space: Space, layers: Layers, pictures: np.ndarray, count: int = MEASURED) -> None:
        self._space, self._layers = space, layers
        chosen = np.random.default_rng(0).choice(len(pictures), min(count, len(pictures)), False)
        self._pictures = pictures[np.sort(chosen)]
        # by the identity of what was resized, which is kept so that no other array gets it
        self._resized: dict[tuple[int, int], tuple[np.ndarray, np.ndarray]] = {}

    def inherit(self, network: Network) -> Layers:
        """The weights of a sub-network, its statistics measured."""
        layers: Layers = cut(self._space, network, self._layers)
        tensors = _tensors(network, layers)
        with torch("measure a sub-network").no_grad():
            pixels = self._at(self._pictures, network.resolution)
            for k, first in enumerate(range(0, len(pixels), BATCH)):
                # the mean of the batches' statistics
                forward(network, tensors, _input(pixels[first : first + BATCH]), momentum=1 / (k + 1))
        return {
            name: [*values[:3], *_statistics(tensors[name])] for name, values in layers.items() if len(values) > 3
        } | {"classifier": layers["classifier"]}

    def judge(self, network: Network, judged: Arrays, soft_weight: float) -> Inherited:
        """``judged`` may be of any size."""
        logits = run(network, self.inherit(network), self._at(judged.values, network.resolution))
        return measured(logits, judged, soft_weight)

    def _at(self, pixels: np.ndarray, size: int) -> np.ndarray:
        """Pictures of another size; those that are judged again and again are resized once."""
        key = id(pixels), size
        if key not in self._resized:
            same = pixels.shape[1] == size
            self._resized[key] = pixels, pixels if same else some_pictures(pixels, len(pixels), size, 0)
        return self._resized[key][1]


def run(network: Network, layers: Layers, pixels: np.ndarray) -> np.ndarray:
    """Logits (N, K) of uint8 pictures of the network's size."""
    tensors = _tensors(network, layers)
    with torch("run a sub-network").no_grad():
        batches = (pixels[first : first + BATCH] for first in range(0, len(pixels), BATCH))
        return np.concatenate([forward(network, tensors, _input(batch), training=False).numpy() for batch in batches])


def measured(logits: np.ndarray, judged: Arrays, soft_weight: float) -> Inherited:
    """What logits (N, K) say of the samples."""
    known = judged.labels >= 0
    right = 100 * float((logits.argmax(1) == judged.labels)[known].mean()) if known.any() else float("nan")
    log_sum = np.logaddexp.reduce(logits.astype(np.float64), axis=1, keepdims=True)
    entropy = float(-(judged.targets(soft_weight) * (logits - log_sum)).sum(axis=1).mean())
    return Inherited(right, entropy)


def _tensors(network: Network, layers: Layers) -> Tensors:
    kinds = {layer.name: layer.kind for layer in convolutions(network)}
    return {
        name: [to_torch(kernel, kinds[name]), *(to_torch(vector, "vector") for vector in vectors)]
        for name, (kernel, *vectors) in layers.items()
    }


def _statistics(tensors: list[Any]) -> list[np.ndarray]:
    return [to_keras(tensor, "vector") for tensor in tensors[3:]]


def _input(pixels: np.ndarray) -> Any:
    return torch("run a sub-network").from_numpy(pixels.astype(np.float32) / 128 - 1).permute(0, 3, 1, 2)
