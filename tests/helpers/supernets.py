"""Super-networks that nobody has trained."""

from __future__ import annotations

import numpy as np
from tinyengine.supernet.weights import Layers, by_layer
from tinyengine.zoo.table import Network, convolutions


def random_layers(network: Network, seed: int = 0) -> Layers:
    """Weights for which every channel does something else."""
    rng = np.random.default_rng(seed)
    values: list[np.ndarray] = []
    for layer in convolutions(network):
        c, o = layer.in_channels, layer.out_channels
        if layer.kind == "dense":
            values += [rng.normal(size=(c, o)), rng.normal(size=o)]
            continue
        values += [
            rng.normal(size=layer.kernel_shape) / np.sqrt(layer.weights / o),
            rng.uniform(0.3, 1.5, o),
            rng.normal(0.2, 0.3, o),
        ]
        values += [rng.normal(0, 0.2, o), rng.uniform(0.5, 1.5, o)]
    return by_layer(network, [value.astype(np.float32) for value in values])
