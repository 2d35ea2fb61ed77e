"""The weights of a super-network, and the parts of them that sub-networks inherit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from tinyengine.supernet.space import Space
from tinyengine.zoo.table import NORM_EPSILON, Convolution, Network, convolutions

Layers = dict[str, list[np.ndarray]]
"""By layer name of ``zoo.table.convolutions``, in Keras' layouts: kernel, gamma, beta, mean and variance of a
convolution with its normalization; kernel and bias of the classifier. float32."""


def by_layer(network: Network, weights: Sequence[np.ndarray]) -> Layers:
    """``weights`` in the order of ``zoo.build.keras_model(network).weights``."""
    rest = iter(weights)
    return {
        layer.name: [next(rest) for _ in range(2 if layer.kind == "dense" else 5)] for layer in convolutions(network)
    }


def in_order(layers: Layers) -> list[np.ndarray]:
    """What :func:`by_layer` took apart."""
    return [value for values in layers.values() for value in values]


def cut(space: Space, network: Network, layers: Mapping[str, Sequence[Any]], pytorch: bool = False) -> dict[str, Any]:
    """The parts of ``layers`` (of the largest network; arrays in Keras' layouts or tensors in PyTorch's) that belong to
    the sub-network ``network``, by its own layer names, as views."""
    origins = space.match(network)
    parts: dict[str, Any] = {}
    for layer in convolutions(network):
        block, _, part = layer.name.partition("_")
        origin = f"block{origins[int(block.removeprefix('block'))]}_{part}" if part else layer.name
        kernel, *vectors = layers[origin]
        # the number of classes may be another; then the classifier is useless, and whole
        outputs = slice(layer.out_channels if layer.kind != "dense" else None)
        parts[layer.name] = [kernel[_inside(layer, kernel.shape, pytorch)], *(v[outputs] for v in vectors)]
    return parts


def _inside(layer: Convolution, shape: Sequence[int], pytorch: bool) -> tuple[slice, ...]:
    """The first channels and the middle of a kernel."""
    inputs, outputs = slice(layer.in_channels), slice(layer.out_channels)
    if layer.kind == "dense":
        return (slice(None), inputs) if pytorch else (inputs,)
    side = shape[2] if pytorch else shape[0]
    edge = (side - layer.kernel) // 2
    middle = slice(edge, side - edge)
    if layer.kind == "depthwise":
        return (outputs, slice(None), middle, middle) if pytorch else (middle, middle, inputs)
    return (outputs, inputs, middle, middle) if pytorch else (middle, middle, inputs, outputs)


def grow(layers: Layers, network: Network) -> Layers:
    """The same function with the kernels of ``network``, larger ones being 0 outside."""
    larger = {layer.name: layer.kernel for layer in convolutions(network)}
    result: Layers = {}
    for name, (kernel, *vectors) in layers.items():
        edge = (larger[name] - kernel.shape[0]) // 2 if kernel.ndim == 4 else 0
        padding = [(edge, edge)] * 2 + [(0, 0)] * (kernel.ndim - 2)
        result[name] = [np.pad(kernel, padding) if edge else kernel, *vectors]
    return result


def by_importance(space: Space, layers: Layers) -> Layers:
    """The same function of the largest network with its channels in the order of their importance.

    That of a channel is its standard deviation (what its normalization makes it, gamma) times the norm of the weights
    that read it, each seen through the normalization behind it. Channels that all blocks of a stage add to are ordered
    by the deviations of all of them together.
    """
    result = {name: list(values) for name, values in layers.items()}
    for index in range(len(space.network.blocks)):
        if f"block{index}_expand" not in result:
            continue
        read = _read_by(result, [f"block{index}_project"])
        order = np.argsort(-np.abs(result[f"block{index}_depthwise"][1]) * read, kind="stable")
        for name in (f"block{index}_expand", f"block{index}_depthwise"):
            result[name] = _outputs(result[name], order)
        result[f"block{index}_project"] = _inputs(result[f"block{index}_project"], order)
    after = "classifier" if space.network.head is None else "head"
    for number, indices in enumerate(space.stages):
        if len(space.widths(number)) == 1:
            continue  # whole in every sub-network
        writers = [f"block{index}_project" for index in indices]
        following = indices[-1] + 1
        readers = [f"block{index}_expand" for index in indices[1:]]
        readers.append(f"block{following}_expand" if following < len(space.network.blocks) else after)
        spread = np.sqrt(sum(np.square(result[name][1]) for name in writers))
        order = np.argsort(-spread * _read_by(result, readers), kind="stable")
        for name in writers:
            result[name] = _outputs(result[name], order)
        for name in readers:
            result[name] = _inputs(result[name], order)
    return result


def _read_by(layers: Layers, names: Iterable[str]) -> np.ndarray:
    """(I,) norms of what convolutions or the classifier make of each of their inputs."""
    total: Any = 0.0
    for name in names:
        kernel = layers[name][0]
        scale = layers[name][1] / np.sqrt(layers[name][4] + NORM_EPSILON) if len(layers[name]) == 5 else 1.0
        total = total + np.square(kernel.reshape(-1, kernel.shape[-1]) * scale).sum(axis=1)
    return np.asarray(np.sqrt(total))


def _outputs(layer: list[np.ndarray], order: np.ndarray) -> list[np.ndarray]:
    kernel, *vectors = layer
    axis = 2 if kernel.shape[3] == 1 and kernel.shape[2] == len(order) else 3  # depthwise, or not
    return [np.take(kernel, order, axis), *(v[order] for v in vectors)]


def _inputs(layer: list[np.ndarray], order: np.ndarray) -> list[np.ndarray]:
    return [np.take(layer[0], order, layer[0].ndim - 2), *layer[1:]]
