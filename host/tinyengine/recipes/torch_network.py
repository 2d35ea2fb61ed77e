"""Networks of the zoo written with PyTorch's functions, and their weights in PyTorch's layouts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinyengine.optional import torch
from tinyengine.zoo.table import EPSILON, NORM_EPSILON, Attention, Block, Convolution, Network, convolutions

Tensors = dict[str, list[Any]]
"""By layer name of ``zoo.table.convolutions``: kernel, gamma, beta, mean, variance; of the classifier, and of layers
whose normalization is folded into them, kernel, bias."""

#: by layer name, what is added at the top, bottom, left and right
Padding = Mapping[str, tuple[int, ...]]

# Keras' default, which the zoo's models use
_KEEP_STATISTICS = 0.99

_AXES = {"conv": (3, 2, 0, 1), "depthwise": (2, 3, 0, 1), "dense": (1, 0)}
_AXES_BACK = {"conv": (2, 3, 1, 0), "depthwise": (2, 3, 0, 1), "dense": (1, 0)}


@dataclass(frozen=True, eq=False)
class Layers:
    """Convolutions with their normalization, and blocks of them, as functions of (N, C, H, W).

    In ``training`` outputs are normalized with the statistics of the batch, of which the means and variances in
    ``tensors`` (where they are not None) take the share ``momentum``. ``padding`` is SAME's by default."""

    layers: dict[str, Convolution]
    tensors: Tensors
    training: bool = True
    momentum: float = 1 - _KEEP_STATISTICS
    padding: Padding | None = None

    def normalized(self, x: Any, name: str, activation: bool = True) -> Any:
        """The layer of that name, and ReLU6."""
        functional, layer = torch("run a network").nn.functional, self.layers[name]
        kernel, *behind = self.tensors[name]
        groups = layer.in_channels if layer.kind == "depthwise" else 1
        top, bottom, left, right = 2 * _padding(layer) if self.padding is None else self.padding[name]
        even = (top, left) if (top, left) == (bottom, right) else (0, 0)
        if (top, left) != (bottom, right):  # TensorFlow's SAME puts the odd row and column at the end
            x = functional.pad(x, (left, right, top, bottom))
        x = functional.conv2d(x, kernel, behind[0] if len(behind) == 1 else None, layer.stride, even, 1, groups)
        if len(behind) > 1:
            gamma, beta, mean, variance = behind
            x = functional.batch_norm(x, mean, variance, gamma, beta, self.training, self.momentum, NORM_EPSILON)
        return functional.relu6(x, inplace=True) if activation else x

    def block(self, x: Any, index: int, block: Block | Attention) -> Any:
        """The block of that number."""
        name, start = f"block{index}", x
        if isinstance(block, Attention):
            query, key = (self.normalized(x, f"{name}_{part}") for part in ("query", "key"))
            mixed = linear_attention(query, key, self.normalized(x, f"{name}_value", activation=False), block.heads)
            return start + self.normalized(mixed, f"{name}_project", activation=False)
        if block.expansion != 1:
            x = self.normalized(x, f"{name}_expand")
        x = self.normalized(x, f"{name}_depthwise")
        x = self.normalized(x, f"{name}_project", activation=False)
        return start + x if block.stride == 1 and start.shape[1] == block.channels else x


def forward(
    network: Network,
    tensors: Tensors,
    x: Any,
    training: bool = True,
    momentum: float = 1 - _KEEP_STATISTICS,
    padding: Padding | None = None,
) -> Any:
    """Outputs (N, K) of (N, 3, R, R) pictures; see :class:`Layers`."""
    functional = torch("run a network").nn.functional
    run = Layers({layer.name: layer for layer in convolutions(network)}, tensors, training, momentum, padding)
    x = run.normalized(x, "stem")
    for index, block in enumerate(network.blocks):
        x = run.block(x, index, block)
    if network.head is not None:
        x = run.normalized(x, "head")
    weight, bias = tensors["classifier"]
    return functional.linear(x.mean(dim=(2, 3)), weight, bias)


def folded(kernel: Any, gamma: Any, beta: Any, mean: Any, variance: Any) -> list[Any]:
    """The kernel and the bias of a convolution with its normalization, the statistics as they are."""
    scale = gamma * torch("fold normalization").rsqrt(variance + NORM_EPSILON)
    return [kernel * scale[:, None, None, None], beta - mean * scale]


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
