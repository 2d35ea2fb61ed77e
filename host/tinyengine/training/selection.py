"""Which channels of a layer are trained: the heavy ones, and no dead ones.

A *dead* channel is an output channel whose weights vanish in training before quantization: its scale is next to zero
and its biases large integers. Quantization-aware scaling divides by the square of that scale, so such channels must be
frozen; nothing is lost, since their output is constant.
"""

from __future__ import annotations

import numpy as np

from tinyengine.training.layers import TrainableLayer

DEAD_WEIGHT_SCALE = 1e-6
"""Weight scales below this are those of dead channels (in published networks 2**-28; living ones are above 1e-5)."""


def weight_scales(layer: TrainableLayer) -> np.ndarray:
    """Scale of every output channel, float64 (O)."""
    assert layer.weights.quant is not None
    return np.broadcast_to(np.array(layer.weights.quant.scale), (layer.out_channels,))


def dead_channels(layer: TrainableLayer) -> np.ndarray:
    """Mask of the output channels to freeze: bool (O)."""
    return weight_scales(layer) < DEAD_WEIGHT_SCALE


def channel_norms(layer: TrainableLayer) -> np.ndarray:
    """L2 norm of the real weights that read each input channel, dead outputs left out: float64 (input channels)."""
    assert layer.weights.data is not None
    scales = np.where(dead_channels(layer), 0.0, weight_scales(layer))
    real = layer.weights.data * (
        scales if layer.depthwise else scales.reshape(-1, *[1] * (layer.weights.data.ndim - 1))
    )
    return np.sqrt((real.reshape(-1, layer.in_channels) ** 2).sum(axis=0))


def selected_channels(layer: TrainableLayer, count: int) -> np.ndarray:
    """The ``count`` input channels with the largest norm, in ascending order; equal norms: the lower channel first.

    For a depthwise layer (multiplier 1) the dead channels come last, so they are only chosen with a ratio that wants
    them.
    """
    order = np.argsort(-channel_norms(layer), kind="stable")
    return np.sort(order[:count])
