"""One step of training, by PyTorch: on x86 processors in two thirds of TensorFlow's time for networks of this kind.

The pictures are augmented by the same TensorFlow graph, so both engines see the same batches. Weights are held in
PyTorch's layouts and cross the border in Keras' (``State``).
"""

from __future__ import annotations

import ctypes
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from tinyengine.optional import tensorflow, torch
from tinyengine.recipes.augment import augment
from tinyengine.recipes.engine import State, decays
from tinyengine.recipes.online_teacher import OnlineTeacher
from tinyengine.recipes.recipe import Recipe
from tinyengine.recipes.torch_network import Tensors, folded, forward, to_keras, to_torch
from tinyengine.zoo.table import Convolution, Network, convolutions


class TorchSteps(ABC):
    """Steps of a network, whatever its loss is; activations in channels-last order."""

    def __init__(
        self, model: Any, layers: Iterable[Convolution], recipe: Recipe, threads: int, frozen: Sequence[str] = ()
    ) -> None:
        """``model`` is the Keras model whose weights it begins with, ``layers`` are those with weights, of which
        ``frozen`` keep theirs."""
        self._torch = torch("train a network with --backend pytorch")
        self._torch.set_num_threads(threads)
        _keep_memory()
        self._tf = tensorflow("augment pictures", threads)
        self._augment = self._tf.function(self._augmented)
        self._recipe = recipe
        self._layers = {layer.name: layer for layer in layers}
        names = [weight.path for weight in model.weights]
        trainable = {variable.path for variable in model.trainable_variables}
        moving = [name in trainable and _layer_of(name) not in frozen for name in names]
        self._trained = [k for k, moves in enumerate(moving) if moves]
        self._kinds = [self._kind(name) for name in names]
        self._decayed = {k for k in self._trained if decays(names[k], tuple(model.weights[k].shape))}
        self._weights = [to_torch(w.numpy(), kind) for w, kind in zip(model.weights, self._kinds, strict=True)]
        for k in self._trained:
            self._weights[k].requires_grad_()
        self._average = [w.detach().clone() for w in self._weights]
        self._velocity = [self._torch.zeros_like(self._weights[k]) for k in self._trained]
        self._by_layer: Tensors = {}
        for name, weight in zip(names, self._weights, strict=True):
            self._by_layer.setdefault(_layer_of(name), []).append(weight)
        self._frozen = {name: self._by_layer[name] for name in frozen}
        self._fold()

    def step(self, pixels: np.ndarray, targets: np.ndarray, rate: float, keep: float, seed: tuple[int, int]) -> float:
        torch = self._torch
        arguments = (self._tf.constant(value) for value in (pixels, targets, np.array(seed, np.int32)))
        images, answers = (torch.from_numpy(t.numpy()) for t in self._augment(*arguments))
        weights = [self._weights[k] for k in self._trained]
        loss, gradients = self._gradients(images.permute(0, 3, 1, 2), answers, weights)
        self._update(gradients, rate, keep)
        return loss

    @abstractmethod
    def _augmented(self, pixels: Any, targets: Any, seed: Any) -> tuple[Any, Any]:
        """The pictures (N, R, R, 3), float32, and their targets, by TensorFlow."""

    @abstractmethod
    def _gradients(self, images: Any, targets: Any, weights: list[Any]) -> tuple[float, list[Any]]:
        """The loss of (N, 3, R, R) pictures, and its gradient by each of the weights."""

    def _update(self, gradients: list[Any], rate: float, keep: float) -> None:
        """SGD with Nesterov momentum on the trained weights, then the average of all."""
        torch, weights = self._torch, [self._weights[k] for k in self._trained]
        with torch.no_grad():
            for k, position in enumerate(self._trained):
                if position in self._decayed:
                    gradients[k] = gradients[k] + self._recipe.weight_decay * weights[k]
            torch._foreach_mul_(self._velocity, self._recipe.momentum)
            torch._foreach_add_(self._velocity, gradients)
            torch._foreach_add_(weights, gradients, alpha=-rate)
            torch._foreach_add_(weights, self._velocity, alpha=-rate * self._recipe.momentum)
            torch._foreach_lerp_(self._average, self._weights, 1 - keep)

    def state(self) -> State:
        kinds = [self._kinds[k] for k in self._trained]
        return {
            "weight": [to_keras(w, kind) for w, kind in zip(self._weights, self._kinds, strict=True)],
            "average": [to_keras(w, kind) for w, kind in zip(self._average, self._kinds, strict=True)],
            "velocity": [to_keras(w, kind) for w, kind in zip(self._velocity, kinds, strict=True)],
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
                    tensor.copy_(to_torch(value, kind))
        self._fold()

    def _fold(self) -> None:
        """Frozen layers need their normalization no more."""
        self._by_layer.update({name: folded(*tensors) for name, tensors in self._frozen.items()})

    def _kind(self, path: str) -> str:
        layer = self._layers.get(path.split("/")[0])
        return layer.kind if layer is not None and path.endswith("kernel") else "vector"


class TorchEngine(TorchSteps):
    """Of a classifier, and of the embedding that it learns beside."""

    def __init__(
        self,
        model: Any,
        network: Network,
        recipe: Recipe,
        classes: int,
        threads: int,
        teacher: OnlineTeacher | None = None,
    ) -> None:
        """``model`` is the Keras model whose weights it begins with; see :class:`Engine` for ``classes``. ``teacher``
        completes the targets of each step."""
        self._network, self._classes, self._teacher = network, classes, teacher
        super().__init__(model, convolutions(network), recipe, threads, _first_layers(network, recipe.freeze))

    def _augmented(self, pixels: Any, targets: Any, seed: Any) -> tuple[Any, Any]:
        return augment(pixels, targets, self._network.resolution, self._recipe.augmentation, seed)

    def _gradients(self, images: Any, targets: Any, weights: list[Any]) -> tuple[float, list[Any]]:
        torch, classes = self._torch, self._classes
        if self._teacher is not None:
            targets = self._teacher.complete(images, targets)
        outputs = forward(self._network, self._by_layer, images)
        loss = torch.nn.functional.cross_entropy(outputs[:, :classes], targets[:, :classes])
        if outputs.shape[1] > classes:
            difference = torch.nn.functional.mse_loss(outputs[:, classes:], targets[:, classes:])
            loss = loss + self._recipe.embedding_weight * difference
        return float(loss.detach()), list(torch.autograd.grad(loss, weights))


def _layer_of(path: str) -> str:
    """The convolution that a weight belongs to, by itself or by the normalization behind it."""
    return path.split("/")[0].removesuffix("_bn")


def _first_layers(network: Network, blocks: int) -> list[str]:
    """The names of the stem's and the first ``blocks``' layers; of none where ``blocks`` is 0."""
    parts = ["stem", *(f"block{k}" for k in range(blocks))] if blocks else []
    return [layer.name for layer in convolutions(network) if layer.name.split("_")[0] in parts]


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
