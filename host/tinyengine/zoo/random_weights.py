"""Random weights that keep a network alive: for benchmarks and tests of networks that nobody has trained.

Instruction counts do not depend on the weights, but bugs hide where activations sit at one end of their range. So the
weights are scaled by their fan-in, channels differ in magnitude (their int8 scales then differ too), and batch
normalization gets the statistics that its own input really has, slightly disturbed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tinyengine.optional import tensorflow
from tinyengine.sizes import ceil_div

if TYPE_CHECKING:
    import keras


def random_samples(shape: tuple[int, ...], count: int, rng: np.random.Generator) -> np.ndarray:
    """(count, *shape) float32 inputs in [-1, 127/128] that differ in brightness and coarse structure as pictures do.

    White noise alone would leave every spatial mean the same. Both ends of the range occur, which makes the input's
    scale 1/128 and its zero point 0, the int8 value being pixel - 128.
    """
    values = rng.normal(0.0, 0.5, (count, *(ceil_div(size, 8) for size in shape[:-1]), shape[-1]))
    for axis, size in enumerate(shape[:-1], start=1):
        values = np.repeat(values, 8, axis=axis).take(np.arange(size), axis=axis)
    values = values + rng.normal(0.0, 0.3, (count, *shape)) + rng.normal(0.0, 0.3, (count, *[1] * len(shape)))
    values.flat[:2] = -1.0, 1.0
    return values.clip(-1.0, 127 / 128).astype(np.float32)


def randomize(model: keras.Model, samples: np.ndarray, rng: np.random.Generator) -> None:
    """Give ``model`` random weights and, from one pass over ``samples``, batch-norm statistics that fit them."""
    keras = tensorflow("build a network").keras
    normalizations = []
    for layer in model.layers:
        if isinstance(layer, (keras.layers.Conv2D, keras.layers.DepthwiseConv2D, keras.layers.Dense)):
            weights = layer.get_weights()
            shape = weights[0].shape
            fan_in = np.prod(shape[:2]) if isinstance(layer, keras.layers.DepthwiseConv2D) else np.prod(shape[:-1])
            spread = rng.uniform(0.3, 1.7, shape[-1])
            weights[0] = (rng.normal(size=shape) * spread * np.sqrt(1.5 / fan_in)).astype(np.float32)
            if len(weights) > 1:
                weights[1] = rng.normal(0.0, 0.3, weights[1].shape).astype(np.float32)
            layer.set_weights(weights)
        elif isinstance(layer, keras.layers.BatchNormalization):
            scale, _, mean, variance = layer.get_weights()
            channels = len(scale)
            layer.set_weights([rng.uniform(0.5, 1.5, channels), rng.normal(0.3, 0.7, channels), mean, variance])
            normalizations.append((layer, layer.momentum))
            layer.momentum = 0.0
    # without momentum one pass in training mode leaves every layer with the statistics of its own input
    model(samples, training=True)
    for layer, momentum in normalizations:
        layer.momentum = momentum
        scale, offset, mean, variance = layer.get_weights()
        mean = mean + 0.1 * np.sqrt(variance) * rng.normal(size=len(mean))
        layer.set_weights([scale, offset, mean, variance * rng.uniform(0.7, 1.4, len(mean)) + 1e-3])
