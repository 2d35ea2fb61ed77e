"""Networks of the zoo written with PyTorch's functions, and their weights in PyTorch's layouts."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinyengine.optional import torch
from tinyengine.zoo.table import EPSILON, Attention, Convolution, Network, convolutions

Tensors = dict[str, list[Any]]
"""By layer name of ``zoo.table.convolutions``: kernel, gamma, beta, mean, variance; of the classifier kernel, bias."""

# Keras' defaults, which the zoo's models use
_EPSILON, _KEEP_STATISTICS = 1e-3, 0.99

_AXES = {"conv": (3, 2, 0, 1), "depthwise": (2, 3, 0, 1), "dense": (1, 0)}
_AXES_BACK = {"conv": (2, 3, 1, 0), "depthwise": (2, 3, 0, 1), "dense": (1, 0)}


def forward(
    network: Network, tensors: Tensors, x: Any, training: bool = True, momentum: float = 1 - _KEEP_STATISTICS
) -> Any:
    """Outputs (N, K) of (N, 3, R, R) pictures. In ``training`` they are normalized with the statistics of the batch,
    of which the means and variances in ``tensors`` (where they are not None) take the share ``momentum``."""
    functional = torch("run a network").nn.functional
    layers = {layer.name: layer for layer in convolutions(network)}

    def normalized(x: Any, name: str, activation: bool = True) -> Any:
        layer = layers[name]
        kernel, gamma, beta, mean, variance = tensors[name]
        groups = layer.in_channels if layer.kind == "depthwise" else 1
        before, after = _padding(layer)
        if before != after:  # TensorFlow's SAME puts the odd row and column at the end
            x, before = functional.pad(x, (before, after, before, after)), 0
        x = functional.conv2d(x, kernel, None, layer.stride, before, 1, groups)
        x = functional.batch_norm(x, mean, variance, gamma, beta, training, momentum, _EPSILON)
        return functional.relu6(x, inplace=True) if activation else x

    x = normalized(x, "stem")
    channels = network.stem
    for index, block in enumerate(network.blocks):
        name, start = f"block{index}", x
        if isinstance(block, Attention):
            query, key = (normalized(x, f"{name}_{part}") for part in ("query", "key"))
            mixed = linear_attention(query, key, normalized(x, f"{name}_value", activation=False), block.heads)
            x = start + normalized(mixed, f"{name}_project", activation=False)
            continue
        if block.expansion != 1:
            x = normalized(x, f"{name}_expand")
        x = normalized(x, f"{name}_depthwise")
        x = normalized(x, f"{name}_project", activation=False)
        if block.stride == 1 and channels == block.channels:
            x = start + x
        channels = block.channels
    if network.head is not None:
        x = normalized(x, "head")
    weight, bias = tensors["classifier"]
    return functional.linear(x.mean(dim=(2, 3)), weight, bias)


def linear_attention(query: Any, key: Any, value: Any, heads: int) -> Any:
    """``zoo.build.linear_attention`` of (N, C, H, W)."""
    queries, keys, values = (x.unflatten(1, (heads, -1)).flatten(3) for x in (query, key, value))  # (N, heads, D, H W)
    mixed = (values @ keys.transpose(2, 3)) @ queries
    total = keys.sum(3, keepdim=True).transpose(2, 3) @ queries
    return (mixed / (total + EPSILON)).flatten(1, 2).unflatten(2, value.shape[2:])


def to_torch(value: np.ndarray, kind: str) -> Any:
    """A copy of a weight in Keras' layout; ``kind``: conv, depthwise or dense of kernels, another of vectors."""
    library, axes = torch("run a network"), _AXES.get(kind)
    tensor = library.from_numpy(np.ascontiguousarray(value if axes is None else value.transpose(axes))).clone()
    return tensor.contiguous(memory_format=library.channels_last) if tensor.dim() == 4 else tensor


def to_keras(tensor: Any, kind: str) -> np.ndarray:
    """The opposite of :func:`to_torch`."""
    axes, value = _AXES_BACK.get(kind), tensor.detach().numpy()
    return np.array(value if axes is None else value.transpose(axes), np.float32, order="C")


def _padding(layer: Convolution) -> tuple[int, int]:
    """Rows above and below (columns left and right) that SAME adds."""
    total = max((layer.out_size - 1) * layer.stride + layer.kernel - layer.in_size, 0)
    return total // 2, total - total // 2
