"""What computes the steps of a training: the contract that TensorFlow's and PyTorch's engine keep."""

from __future__ import annotations

from typing import Protocol

import numpy as np

#: ``weight`` and ``average`` in the order and layout of ``keras_model(network).weights``, ``velocity`` in those of its
#: ``trainable_variables``; all float32
State = dict[str, list[np.ndarray]]


class Engine(Protocol):
    """What the training loop needs; engines differ in speed and in the last bits, not in what they compute.

    The network has K + D outputs: the logits of K ``classes``, and where a teacher's embedding is learned too (D > 0)
    D numbers that approach it. The loss is the mean cross entropy plus the recipe's ``embedding_weight`` times the mean
    squared difference of the rest.
    """

    def step(self, pixels: np.ndarray, targets: np.ndarray, rate: float, keep: float, seed: tuple[int, int]) -> float:
        """One step of SGD with Nesterov momentum on (N, S, S, 3) uint8 pictures with (N, K + D) targets; the mean loss.

        ``keep`` is the share of the old average in the new one, ``seed`` decides the augmentation.
        """

    def state(self) -> State:
        """Copies of everything that a later step depends on."""

    def restore(self, state: State) -> None:
        """Take over what :meth:`state` of any engine gave."""


def decays(path: str, shape: tuple[int, ...]) -> bool:
    """Whether the L2 penalty counts a weight: those of convolutions and the classifier, not depthwise ones."""
    return len(shape) >= 2 and "depthwise" not in path
