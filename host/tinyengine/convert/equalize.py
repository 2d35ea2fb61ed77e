"""Cross-layer equalization (Nagel et al. 2019) of a Keras model, for weights with one scale per output channel.

Between two layers with nothing but ReLU, pooling or padding, a channel may be divided by any s > 0 if the next layer's
weights for it are multiplied by s. The float network stays what it is; the int8 one, whose activations share one scale
over all channels, gains where channels differ in size. The paper balances the ranges of two weights. Here the first
ones have a scale for each output channel, so nothing is gained there; what is balanced are the ranges that share a
scale: the activation between the layers (its largest value on the calibration data, per channel) and the second
layer's weights (per input channel, relative to the largest of their output channel). A depthwise layer has a scale per
channel too: there the activation alone decides.

A ReLU6 is kept: channels that reach 6 are not scaled, and no other one is scaled until it does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tinyengine.optional import tensorflow

if TYPE_CHECKING:
    import keras

_LIMIT = 64.0
"""Largest change of a channel in either direction: biases and multipliers keep their precision."""

_ROOM = 0.9
"""Share of a ReLU's maximum that scaled channels reach at most."""

_BATCH = 16


@dataclass(frozen=True, slots=True)
class Equalized:
    """One pair of layers. ``before``, ``after``: the largest channel's range over the median one's, between them."""

    first: str
    second: str
    before: float
    after: float


@dataclass(slots=True)
class _Pair:
    first: Any
    normalization: Any | None
    second: Any
    between: Any  # the KerasTensor that the second layer reads
    maximum: float | None  # of a ReLU6 on the way


def equalize(model: keras.Model, samples: np.ndarray) -> list[Equalized]:
    """Change the weights of ``model``; ``samples`` (N, ...) float32 tell the activations' ranges."""
    pairs = _pairs(model)
    if not pairs:
        return []
    ranges = _ranges(model, [pair.between for pair in pairs], samples)
    done = []
    for pair, largest in zip(pairs, ranges, strict=True):
        scales = _scales(pair, largest)
        _divide(pair, scales)
        kernel, *rest = pair.second.get_weights()
        # (height, width, inputs, outputs), depthwise (height, width, channels, multiplier), dense (inputs, outputs)
        pair.second.set_weights([kernel * scales[:, None], *rest])
        spread = [float(each.max() / np.median(each[each > 0])) for each in (largest, largest / scales)]
        done.append(Equalized(pair.first.name, pair.second.name, *spread))
    return done


def _scales(pair: _Pair, largest: np.ndarray) -> np.ndarray:
    """(C,) divisors of the channels, from their ranges (C,); the largest range stays what it is."""
    if _is_depthwise(pair.second):
        target = np.full_like(largest, largest.max())
    else:
        kernel = np.abs(pair.second.get_weights()[0])
        kernel = kernel.reshape(-1, *kernel.shape[-2:])  # (positions, inputs, outputs)
        relative = (kernel / np.maximum(kernel.max(axis=(0, 1)), 1e-12)).max(axis=(0, 2))
        target = np.sqrt(largest * relative)
        target *= largest.max() / max(target.max(), 1e-12)
    if pair.maximum is not None:
        target = np.minimum(target, _ROOM * pair.maximum)
    scales = np.ones_like(largest)
    alive = (largest > 1e-6 * largest.max()) & (target > 0)
    if pair.maximum is not None:
        alive &= largest < _ROOM * pair.maximum
    scales[alive] = largest[alive] / target[alive]
    return scales.clip(1 / _LIMIT, _LIMIT).astype(np.float32)


def _divide(pair: _Pair, scales: np.ndarray) -> None:
    """The first layer's outputs by ``scales``: in the normalization behind it, where there is one."""
    if pair.normalization is not None:
        gamma, beta, *rest = pair.normalization.get_weights()
        pair.normalization.set_weights([gamma / scales, beta / scales, *rest])
        return
    kernel, *bias = pair.first.get_weights()
    flat = kernel.reshape(*kernel.shape[:2], -1) if _is_depthwise(pair.first) else kernel  # channel * multiplier
    pair.first.set_weights([(flat / scales).reshape(kernel.shape), *(value / scales for value in bias)])


def _is_depthwise(layer: Any) -> bool:
    return type(layer).__name__ == "DepthwiseConv2D"


def _ranges(model: keras.Model, tensors: list[Any], samples: np.ndarray) -> list[np.ndarray]:
    """Largest magnitude of every channel of ``tensors`` over ``samples``."""
    tf = tensorflow("equalize a network")
    inner = tf.keras.Model(model.inputs, tensors)
    ranges: list[np.ndarray] = []
    for start in range(0, len(samples), _BATCH):
        outputs = inner(tf.constant(samples[start : start + _BATCH]), training=False)
        outputs = outputs if isinstance(outputs, (list, tuple)) else [outputs]
        seen = [np.abs(out.numpy()).reshape(-1, out.shape[-1]).max(axis=0) for out in outputs]
        ranges = [np.maximum(*both) for both in zip(ranges, seen, strict=True)] if ranges else seen
    return ranges


def _pairs(model: keras.Model) -> list[_Pair]:
    """Pairs of layers whose tensors in between have one reader each, in the order of the model."""
    readers: dict[int, list[Any]] = {}
    for layer in model.layers:
        for tensor in _tensors(layer, "input"):
            readers.setdefault(id(tensor), []).append(layer)
    outputs = {id(tensor) for tensor in model.outputs}
    pairs = []
    for first in model.layers:
        if _kind(first) in _WEIGHTED and len(_tensors(first, "output")) == 1 and _reads_once(first):
            found = _follow(first, readers, outputs)
            if found is not None:
                pairs.append(found)
    return pairs


_WEIGHTED = ("Conv2D", "DepthwiseConv2D", "Dense")
_PASSING = ("ZeroPadding2D", "MaxPooling2D", "AveragePooling2D", "GlobalAveragePooling2D", "Dropout", "ReLU")


def _follow(first: Any, readers: dict[int, list[Any]], outputs: set[int]) -> _Pair | None:
    """From ``first`` to the next layer with weights, as long as every channel stays by itself and scales along."""
    maximum, normalization = None, None
    activation = getattr(first, "activation", None)
    if not _homogeneous(activation):
        return None
    if getattr(activation, "__name__", "") == "relu6":
        maximum = 6.0
    layer = first
    while True:
        tensor = _tensors(layer, "output")[0]
        following = readers.get(id(tensor), [])
        if len(following) != 1 or id(tensor) in outputs or not _reads_once(following[0]):
            return None
        layer = following[0]
        kind = _kind(layer)
        if kind in _WEIGHTED:
            return _Pair(first, normalization, layer, tensor, maximum) if getattr(layer, "groups", 1) == 1 else None
        if kind == "BatchNormalization" and layer is not first and normalization is None and maximum is None:
            if not (layer.scale and layer.center) or not _is_linear(first):
                return None
            normalization = layer
        elif kind == "ReLU" and not layer.negative_slope and not layer.threshold:
            maximum = layer.max_value if layer.max_value is not None else maximum
        elif kind == "Activation" and _homogeneous(layer.activation):
            maximum = 6.0 if layer.activation.__name__ == "relu6" else maximum
        elif kind not in _PASSING or kind == "ReLU":
            return None


def _homogeneous(activation: Any) -> bool:
    """Activations that scale along; relu6 does up to its maximum."""
    return activation is None or getattr(activation, "__name__", "") in ("linear", "relu", "relu6")


def _is_linear(layer: Any) -> bool:
    return getattr(getattr(layer, "activation", None), "__name__", "linear") == "linear"


def _kind(layer: Any) -> str:
    return type(layer).__name__


def _reads_once(layer: Any) -> bool:
    return len(_tensors(layer, "input")) == 1


def _tensors(layer: Any, which: str) -> list[Any]:
    """The layer's inputs or outputs; none for a layer that is used several times."""
    try:
        found = getattr(layer, which)
    except (AttributeError, ValueError):
        return []
    return list(found) if isinstance(found, (list, tuple)) else [found]
