"""What a training is asked to do."""

from __future__ import annotations

from dataclasses import dataclass, field

from tinyengine.recipes.augment import Augmentation


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything that decides the result besides data and architecture."""

    epochs: float = 30.0
    batch: int = 64
    rate: float = 0.1  # peak learning rate of SGD with Nesterov momentum
    momentum: float = 0.9
    warmup: float = 0.04  # share of the steps during which the rate rises linearly
    weight_decay: float = 4e-5  # L2 penalty on convolution and classifier weights, not on depthwise ones and offsets
    soft_weight: float = 0.5  # share of the teacher in the target where a label exists too
    embedding_weight: float = 1.0  # of the squared difference to the teacher's embedding, where the data has one
    average: float = 0.999  # weight averaging: share of the old average kept at each step
    freeze: int = 0  # so many blocks, and the stem before them, stay as the training found them
    seed: int = 0
    augmentation: Augmentation = field(default_factory=Augmentation)
