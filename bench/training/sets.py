"""The transfer sets of the accuracy experiments: labelled pictures in a training, a validation and a test part."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tinyengine.recipes.pictures import load

SIDE = 128
VALIDATION = 0.2  # of the training pictures, for choosing learning rates
PERSON_TRAIN, PERSON_TEST = 2400, 1600
TRANSFER = ("flowers5", "signdigits10", "facemask2", "catdog2")
NAMES = ("person", *TRANSFER)
EPOCHS = {"person": 5, "flowers5": 8, "signdigits10": 6, "facemask2": 4, "catdog2": 5}


@dataclass(frozen=True, eq=False)
class PictureSet:
    """uint8 pictures (N, 128, 128, 3), labels (N,), and the indices of both parts, in a fixed shuffled order."""

    name: str
    pixels: np.ndarray
    labels: np.ndarray
    classes: int
    train: np.ndarray
    test: np.ndarray

    def inputs(self, mirrored: bool) -> np.ndarray:
        """int8 inputs: pixel - 128, as the network's scale of 2 / 255 has it."""
        pixels = self.pixels[:, :, ::-1] if mirrored else self.pixels
        return (pixels.astype(np.int16) - 128).astype(np.int8)

    def parts(self, tuning: bool) -> tuple[np.ndarray, np.ndarray]:
        """Indices to train and to measure on; while ``tuning`` the test part is left alone."""
        if not tuning:
            return self.train, self.test
        cut = round(len(self.train) * (1 - VALIDATION))
        return self.train[:cut], self.train[cut:]


def open_set(name: str, data: Path) -> PictureSet:
    """One of NAMES from the folder of data sets."""
    if name == "person":
        train = load(data / "vww_train.npz", SIDE, limit=PERSON_TRAIN)
        test = load(data / "vww_val.npz", SIDE, limit=PERSON_TEST)
        pixels = np.concatenate([train.pixels, test.pixels])
        labels = np.concatenate([train.labels, test.labels])
        is_test = np.arange(len(labels)) >= len(train.labels)
    else:
        path = data / f"transfer_{name}.npz"
        pictures = load(path, SIDE)
        pixels, labels = pictures.pixels, pictures.labels
        with np.load(path) as archive:
            is_test = archive["split"] == 1
    order = np.random.default_rng(0).permutation(len(labels))
    return PictureSet(name, pixels, labels, int(labels.max()) + 1, order[~is_test[order]], order[is_test[order]])
