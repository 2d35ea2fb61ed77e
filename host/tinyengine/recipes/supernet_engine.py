"""One step of training a super-network, by PyTorch.

Each step teaches three networks with the same pictures of one size: the largest sub-network learns the targets, the
smallest one and a random one learn what the largest one answers (the sandwich rule with in-place distillation). Their
gradients add up in the weights that they share.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinyengine.recipes.augment import augment
from tinyengine.recipes.recipe import Recipe
from tinyengine.recipes.torch_engine import TorchEngine
from tinyengine.recipes.torch_network import Tensors, forward
from tinyengine.supernet.space import Space
from tinyengine.supernet.weights import cut
from tinyengine.zoo.table import Network

FOLLOWER = 0.5
"""Weight of the loss of each network that learns from the largest one."""


class SupernetEngine(TorchEngine):
    """A :class:`recipes.engine.Engine` whose steps train all sub-networks of ``space``."""

    def __init__(self, model: Any, space: Space, recipe: Recipe, classes: int, threads: int) -> None:
        """``model`` is the Keras model of the largest sub-network."""
        super().__init__(model, space.network, recipe, classes, threads)
        self._space, how, tf = space, recipe.augmentation, self._tf

        def augmenting(size: int) -> Any:
            return tf.function(lambda pixels, targets, seed: augment(pixels, targets, size, how, seed))

        self._augment_at = {size: augmenting(size) for size in space.resolutions}

    def step(self, pixels: np.ndarray, targets: np.ndarray, rate: float, keep: float, seed: tuple[int, int]) -> float:
        torch, tf, space = self._torch, self._tf, self._space
        rng = np.random.default_rng([*seed, 1])
        resolution = space.resolutions[int(rng.integers(len(space.resolutions)))]
        arguments = (tf.constant(value) for value in (pixels, targets, np.array(seed, np.int32)))
        images, answers = (torch.from_numpy(t.numpy()) for t in self._augment_at[resolution](*arguments))
        x, weights = images.permute(0, 3, 1, 2), [self._weights[k] for k in self._trained]
        cross_entropy = torch.nn.functional.cross_entropy
        logits = forward(space.largest(resolution), self._by_layer, x)
        loss = cross_entropy(logits, answers)
        gradients = list(torch.autograd.grad(loss, weights))
        taught = torch.softmax(logits.detach(), 1)
        for network in (space.smallest(resolution), space.random(rng, resolution)):
            follower = FOLLOWER * cross_entropy(forward(network, self._part(network), x), taught)
            for k, found in enumerate(torch.autograd.grad(follower, weights, allow_unused=True)):
                if found is not None:
                    gradients[k] = gradients[k] + found
        self._update(gradients, rate, keep)
        return float(loss.detach())

    def _part(self, network: Network) -> Tensors:
        """A sub-network's weights without moving statistics, which are those of the largest one."""
        parts: Tensors = cut(self._space, network, self._by_layer, pytorch=True)
        return {name: [*part[:3], None, None] if len(part) > 3 else part for name, part in parts.items()}
