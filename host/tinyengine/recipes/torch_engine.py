"""One step of training, by PyTorch: on x86 processors in two thirds of TensorFlow's time for networks of this kind.

The pictures are augmented by the same TensorFlow graph, so both engines see the same batches. Weights are held in
PyTorch's layouts and cross the border in Keras' (``State``).
"""

from __future__ import annotations

import ctypes
import sys
from typing import Any

import numpy as np

from tinyengine.optional import tensorflow, torch
from tinyengine.recipes.augment import augment
from tinyengine.recipes.engine import State, decays
from tinyengine.recipes.recipe import Recipe
from tinyengine.zoo.table import EPSILON, Attention, Convolution, Network, convolutions

# Keras' defaults, which the zoo's models use
_EPSILON, _KEEP_STATISTICS = 1e-3, 0.99


class TorchEngine:
    """Steps of the network written with PyTorch's functions, activations in channels-last order."""

    def __init__(self, model: Any, network: Network, recipe: Recipe, classes: int, threads: int) -> None:
        """``model`` is the Keras model whose weights it begins with; see :class:`Engine` for ``classes``."""
        self._torch = torch("train a network with --backend pytorch")
        self._torch.set_num_threads(threads)
        _keep_memory()
        self._tf = tf = tensorflow("augment pictures", threads)
        how, size = recipe.augmentation, network.resolution
        self._augment = tf.function(lambda pixels, targets, seed: augment(pixels, targets, size, how, seed))
        self._network, self._recipe, self._classes = network, recipe, classes
        self._layers = {layer.name: layer for layer in convolutions(network)}
        names = [weight.path for weight in model.weights]
        trainable = {variable.path for variable in model.trainable_variables}
        self._trained = [k for k, name in enumerate(names) if name in trainable]
        self._kinds = [self._kind(name) for name in names]
        self._decayed = {k for k in self._trained if decays(names[k], tuple(model.weights[k].shape))}
        self._weights = [self._to_torch(w.numpy(), kind) for w, kind in zip(model.weights, self._kinds, strict=True)]
        for k in self._trained:
            self._weights[k].requires_grad_()
        self._average = [w.detach().clone() for w in self._weights]
        self._velocity = [self._torch.zeros_like(self._weights[k]) for k in self._trained]
        self._by_layer: dict[str, list[Any]] = {}
        for name, weight in zip(names, self._weights, strict=True):
            self._by_layer.setdefault(name.split("/")[0], []).append(weight)

    def step(self, pixels: np.ndarray, targets: np.ndarray, rate: float, keep: float, seed: tuple[int, int]) -> float:
        torch = self._torch
        arguments = (self._tf.constant(value) for value in (pixels, targets, np.array(seed, np.int32)))
        images, answers = (torch.from_numpy(t.numpy()) for t in self._augment(*arguments))
        outputs, classes = self._forward(images.permute(0, 3, 1, 2)), self._classes
        loss = torch.nn.functional.cross_entropy(outputs[:, :classes], answers[:, :classes])
        if outputs.shape[1] > classes:
            difference = torch.nn.functional.mse_loss(outputs[:, classes:], answers[:, classes:])
            loss = loss + self._recipe.embedding_weight * difference
        weights = [self._weights[k] for k in self._trained]
        gradients = list(torch.autograd.grad(loss, weights))
        with torch.no_grad():
            for k, position in enumerate(self._trained):
                if position in self._decayed:
                    gradients[k] = gradients[k] + self._recipe.weight_decay * weights[k]
            torch._foreach_mul_(self._velocity, self._recipe.momentum)
            torch._foreach_add_(self._velocity, gradients)
            torch._foreach_add_(weights, gradients, alpha=-rate)
            torch._foreach_add_(weights, self._velocity, alpha=-rate * self._recipe.momentum)
            torch._foreach_lerp_(self._average, self._weights, 1 - keep)
        return float(loss.detach())

    def state(self) -> State:
        kinds = [self._kinds[k] for k in self._trained]
        return {
            "weight": [_to_keras(w, kind) for w, kind in zip(self._weights, self._kinds, strict=True)],
            "average": [_to_keras(w, kind) for w, kind in zip(self._average, self._kinds, strict=True)],
            "velocity": [_to_keras(w, kind) for w, kind in zip(self._velocity, kinds, strict=True)],
        }

    def restore(self, state: State) -> None:
        kinds = [self._kinds[k] for k in self._trained]
        with self._torch.no_grad():
            for tensors, values, their in (
                (self._weights, state["weight"], self._kinds),
                (self._average, state["average"], self._kinds),
                (self._velocity, state["velocity"], kinds),
            ):
                for tensor, value, kind in zip(tensors, values, their, strict=True):
                    tensor.copy_(self._to_torch(value, kind))

    def _forward(self, x: Any) -> Any:
        """Outputs (N, K + D) of (N, 3, R, R) pictures, with the statistics of the batch; updates the moving ones."""
        x = self._normalized(x, "stem")
        channels = self._network.stem
        for index, block in enumerate(self._network.blocks):
            name, start = f"block{index}", x
            if isinstance(block, Attention):
                query, key = (self._normalized(x, f"{name}_{part}") for part in ("query", "key"))
                mixed = _attention(query, key, self._normalized(x, f"{name}_value", activation=False), block.heads)
                x = start + self._normalized(mixed, f"{name}_project", activation=False)
                continue
            if block.expansion != 1:
                x = self._normalized(x, f"{name}_expand")
            x = self._normalized(x, f"{name}_depthwise")
            x = self._normalized(x, f"{name}_project", activation=False)
            if block.stride == 1 and channels == block.channels:
                x = start + x
            channels = block.channels
        if self._network.head is not None:
            x = self._normalized(x, "head")
        weight, bias = self._by_layer["classifier"]
        return self._torch.nn.functional.linear(x.mean(dim=(2, 3)), weight, bias)

    def _normalized(self, x: Any, name: str, activation: bool = True) -> Any:
        functional, layer = self._torch.nn.functional, self._layers[name]
        groups = layer.in_channels if layer.kind == "depthwise" else 1
        before, after = _padding(layer)
        if before != after:  # TensorFlow's SAME puts the odd row and column at the end
            x, before = functional.pad(x, (before, after, before, after)), 0
        x = functional.conv2d(x, self._by_layer[name][0], None, layer.stride, before, 1, groups)
        gamma, beta, mean, variance = self._by_layer[f"{name}_bn"]
        x = functional.batch_norm(x, mean, variance, gamma, beta, True, 1 - _KEEP_STATISTICS, _EPSILON)
        return functional.relu6(x, inplace=True) if activation else x

    def _kind(self, path: str) -> str:
        layer = self._layers.get(path.split("/")[0])
        return layer.kind if layer is not None and path.endswith("kernel") else "vector"

    def _to_torch(self, value: np.ndarray, kind: str) -> Any:
        axes = {"conv": (3, 2, 0, 1), "depthwise": (2, 3, 0, 1), "dense": (1, 0)}.get(kind)
        tensor = self._torch.from_numpy(np.ascontiguousarray(value if axes is None else value.transpose(axes)))
        tensor = tensor.clone()
        return tensor.contiguous(memory_format=self._torch.channels_last) if tensor.dim() == 4 else tensor


def _attention(query: Any, key: Any, value: Any, heads: int) -> Any:
    """``zoo.build.linear_attention`` of (N, C, H, W)."""
    queries, keys, values = (x.unflatten(1, (heads, -1)).flatten(3) for x in (query, key, value))  # (N, heads, D, H W)
    mixed = (values @ keys.transpose(2, 3)) @ queries
    total = keys.sum(3, keepdim=True).transpose(2, 3) @ queries
    return (mixed / (total + EPSILON)).flatten(1, 2).unflatten(2, value.shape[2:])


def _to_keras(tensor: Any, kind: str) -> np.ndarray:
    axes = {"conv": (2, 3, 1, 0), "depthwise": (2, 3, 0, 1), "dense": (1, 0)}.get(kind)
    value = tensor.detach().numpy()
    return np.array(value if axes is None else value.transpose(axes), np.float32, order="C")


def _padding(layer: Convolution) -> tuple[int, int]:
    """Rows above and below (columns left and right) that SAME adds."""
    total = max((layer.out_size - 1) * layer.stride + layer.kernel - layer.in_size, 0)
    return total // 2, total - total // 2


def _keep_memory() -> None:
    """Let glibc keep what is freed: each step asks for the same megabytes, and fetching them from the system anew
    costs more than the arithmetic of some layers (measured: 5.9 against 4.1 ms a picture)."""
    if not sys.platform.startswith("linux"):
        return
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # not glibc
        return
    m_trim_threshold, m_mmap_max, never = -1, -4, 2**31 - 1
    mallopt(m_mmap_max, 0)
    mallopt(m_trim_threshold, never)
