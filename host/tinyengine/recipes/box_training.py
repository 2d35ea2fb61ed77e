"""Training of a detector: the loop of ``recipes.train`` with boxes for targets."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from tinyengine.data.box_pictures import BoxPictures
from tinyengine.data.boxes import Box, BoxHead, find_boxes
from tinyengine.data.samples import Arrays
from tinyengine.errors import DataError
from tinyengine.optional import tensorflow
from tinyengine.recipes.average_precision import Precision, average_precision
from tinyengine.recipes.box_engine import BoxEngine
from tinyengine.recipes.evaluate import keras_outputs
from tinyengine.recipes.recipe import Recipe
from tinyengine.recipes.start import begin
from tinyengine.recipes.train import Training
from tinyengine.zoo.build import keras_model
from tinyengine.zoo.detector import NAME, Detector, detector_model
from tinyengine.zoo.export import load_weights

MEASURED = 12
"""How often in a run the AP is measured, at most: it takes as long as a third of an epoch."""
_SUREST = 100
"""Boxes of a picture that the AP is measured on, whatever their score, down to this one:"""
_LEAST_SCORE = 0.02
_OF_CONVOLUTION = 4


@dataclass(frozen=True, eq=False)
class BoxArrays:
    """Decoded pictures, (N, S, S, 3) uint8, and the boxes of each."""

    pictures: Arrays
    boxes: tuple[np.ndarray, ...]

    @staticmethod
    def of(data: BoxPictures, size: int, progress: Any) -> BoxArrays:
        """Every picture as a whole made a square of ``size``; shares remain what they are."""
        return BoxArrays(data.pictures.decoded(size, progress=progress), data.boxes)


class BoxTraining(Training):
    """One run; ``model`` is the detector."""

    figure = "AP50"

    def __init__(
        self,
        detector: Detector,
        recipe: Recipe,
        data: BoxArrays,
        folder: Path,
        start: Path | None = None,
        mosaic: float = 0.0,
    ) -> None:
        """``start``: weights of this detector, from another run or a .keras; or of the whole backbone, of which those
        of the layers that the detector has are taken."""
        self.detector, self.boxes, self.mosaic = detector, data.boxes, mosaic
        super().__init__(detector.backbone, recipe, data.pictures, folder, start)

    def _make_targets(self) -> np.ndarray:
        most = max(len(each) for each in self.boxes)
        targets = np.zeros((len(self.boxes), most, 6), np.float32)
        for target, each in zip(targets, self.boxes, strict=True):
            target[: len(each)] = each
        return targets

    def _make_model(self) -> Any:
        return detector_model(self.detector)

    def _begin(self, start: Path) -> bytes:
        if _is_detector(start):
            load_weights(self.model, start)
            return hashlib.sha256(start.read_bytes()).digest()
        whole = keras_model(self.network, softmax=False)
        digest = begin(whole, self.network, start, self.data.values, self.recipe.seed)
        for layer in self.model.layers:
            if layer.weights and not layer.name.startswith("boxes"):
                layer.set_weights(whole.get_layer(layer.name).get_weights())
        return digest

    def _settle(self) -> None:
        raise DataError("a detector's head begins at random, so there must be passes to train it: give --epochs")

    def _settings(self) -> list[Any]:
        return [asdict(self.detector), asdict(self.recipe), self.mosaic]

    def _make_engine(self, backend: str, threads: int) -> BoxEngine:
        model = detector_model(self.detector)
        model.set_weights(self.model.get_weights())
        return BoxEngine(model, self.detector, self.recipe, self.mosaic)

    def _measure(self, validation: BoxArrays, epoch: int) -> float | None:
        epochs = -(-self.steps // self.steps_per_epoch)
        if (epochs - 1 - epoch) % max(1, epochs // MEASURED):
            return None
        outputs = keras_outputs(self.model, validation.pictures.values)
        return precision(outputs, validation, self.detector.head, self.detector.classes).ap50


def _is_detector(start: Path) -> bool:
    """Whether weights are those of a detector: its last kernel is a convolution's. Others are judged where they are
    read."""
    if start.suffix == ".keras" and start.is_file():
        return bool(tensorflow("read weights").keras.models.load_model(start, compile=False).name == NAME)
    if start.suffix != ".npz" or not start.is_file():
        return False
    with np.load(start, allow_pickle=False) as arrays:
        last = max((int(name.removeprefix("weight")) for name in arrays if name.startswith("weight")), default=0)
        return last > 0 and arrays[f"weight{last - 1}"].ndim == _OF_CONVOLUTION


def precision(outputs: np.ndarray, validation: BoxArrays, head: BoxHead, classes: int) -> Precision:
    """Of a detector's real outputs (N, rows, columns, numbers) for the pictures."""
    wide = replace(head, threshold=_LEAST_SCORE, most=_SUREST)
    size = validation.pictures.values.shape[1:3]
    found: list[list[Box]] = [find_boxes([each], wide, size, classes) for each in outputs]
    return average_precision(found, validation.boxes, classes)
