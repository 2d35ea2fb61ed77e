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
from tinyengine.recipes.engine import Engine
from tinyengine.recipes.evaluate import keras_outputs
from tinyengine.recipes.recipe import Recipe
from tinyengine.recipes.start import MEASURED_ANEW, begin, begin_detector, narrow, some_pictures
from tinyengine.recipes.train import BACKENDS, Training
from tinyengine.supernet.file import UNREADABLE
from tinyengine.zoo.build import keras_model
from tinyengine.zoo.detector import NAME, Detector, detector_model
from tinyengine.zoo.export import load_weights

MEASURED = 5
"""How often in a run the AP is measured, at most: it takes as long as a third of an epoch."""
PLAIN_END = 0.15
"""The last share of a run, whose pictures are not put together from others: like those that the network is for."""
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
        backend: str = BACKENDS[0],
        threads: int = 1,
    ) -> None:
        """``start``: weights of this detector, from another run, a .keras or a .tflite (which may have other classes);
        or of the whole backbone, of which those of the layers that the detector has are taken."""
        self.detector, self.boxes, self.mosaic = detector, data.boxes, mosaic
        super().__init__(detector.backbone, recipe, data.pictures, folder, start, backend, threads)

    def _make_targets(self) -> np.ndarray:
        most = max(len(each) for each in self.boxes)
        targets = np.zeros((len(self.boxes), most, 6), np.float32)
        for target, each in zip(targets, self.boxes, strict=True):
            target[: len(each)] = each
        return targets

    def _make_model(self) -> Any:
        return detector_model(self.detector)

    def _begin(self, start: Path) -> bytes:
        if not self.detector.narrowed:
            return self._begin_whole(self.model, start)
        wide = detector_model(replace(self.detector, narrowed=()))
        digest = self._begin_whole(wide, start)
        narrow(
            self.model, wide, some_pictures(self.data.values, MEASURED_ANEW, self.network.resolution, self.recipe.seed)
        )
        return digest

    def _begin_whole(self, model: Any, start: Path) -> bytes:
        """``model``: the detector, nothing narrowed."""
        pictures, seed = self.data.values, self.recipe.seed
        if start.suffix == ".tflite" and start.is_file() and begin_detector(model, start, pictures, seed):
            return hashlib.sha256(start.read_bytes()).digest()
        if _is_detector(start):
            load_weights(model, start)
            return hashlib.sha256(start.read_bytes()).digest()
        whole = keras_model(self.network, softmax=False)
        digest = begin(whole, self.network, start, pictures, seed)
        for layer in model.layers:
            if layer.weights and not layer.name.startswith("boxes"):
                layer.set_weights(whole.get_layer(layer.name).get_weights())
        return digest

    def _settle(self) -> None:
        raise DataError("a detector's head begins at random, so there must be passes to train it: give --epochs")

    def _settings(self) -> list[Any]:
        return [asdict(self.detector), asdict(self.recipe), self.mosaic]

    def _make_engine(self, backend: str, threads: int) -> Engine:
        model = detector_model(self.detector)
        model.set_weights(self.model.get_weights())
        until = round((1 - PLAIN_END) * self.steps)
        if backend == "pytorch":
            from tinyengine.recipes.torch_box_engine import TorchBoxEngine  # needs an extra

            return TorchBoxEngine(model, self.detector, self.recipe, self.mosaic, until, threads)
        return BoxEngine(model, self.detector, self.recipe, self.mosaic, until)

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
    try:
        with np.load(start, allow_pickle=False) as arrays:
            last = max((int(name.removeprefix("weight")) for name in arrays if name.startswith("weight")), default=0)
            return last > 0 and arrays[f"weight{last - 1}"].ndim == _OF_CONVOLUTION
    except UNREADABLE:
        return False


def precision(outputs: np.ndarray, validation: BoxArrays, head: BoxHead, classes: int) -> Precision:
    """Of a detector's real outputs (N, rows, columns, numbers) for the pictures."""
    wide = replace(head, threshold=_LEAST_SCORE, most=_SUREST)
    size = validation.pictures.values.shape[1:3]
    found: list[list[Box]] = [find_boxes([each], wide, size, classes) for each in outputs]
    return average_precision(found, validation.boxes, classes)
