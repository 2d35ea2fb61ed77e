"""One step of training a detector, by TensorFlow."""

from __future__ import annotations

from typing import Any

from tinyengine.recipes.augment import augment_boxes
from tinyengine.recipes.box_loss import BoxLoss
from tinyengine.recipes.recipe import Recipe
from tinyengine.recipes.tensorflow_engine import KerasEngine
from tinyengine.zoo.detector import Detector


class BoxEngine(KerasEngine):
    """Targets are boxes (N, K, 6), as ``data.box_pictures`` has them with zeros behind.

    ``mosaic``: the share of pictures that are put together from four, up to the step ``until``.
    """

    def __init__(self, model: Any, detector: Detector, recipe: Recipe, mosaic: float, until: int) -> None:
        super().__init__(model, recipe)
        self._detector, self._mosaic, self._until = detector, mosaic, until
        self._boxes = BoxLoss(detector.classes)

    def _augmented(self, pixels: Any, targets: Any, seed: Any) -> tuple[Any, Any]:
        size, share = self._detector.backbone.resolution, mosaic_share(self._mosaic, self._until, seed)
        return augment_boxes(pixels, targets, size, self._recipe.augmentation, share, seed)

    def _loss(self, outputs: Any, targets: Any) -> Any:
        return self._boxes.of(outputs, targets)


def mosaic_share(mosaic: float, until: int, seed: Any) -> Any:
    """That of a step, which is the second number of its ``seed``."""
    import tensorflow as tf  # inside a graph of whoever has it

    return tf.where(seed[1] < until, mosaic, 0.0)
