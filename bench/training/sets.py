"""The transfer sets of the accuracy experiments: labelled pictures in a training, a validation and a test part.

As a script: ``sets.py transfer_NAME.npz OUT.npz`` writes the training part alone, for ``tinyengine search-scheme``.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tinyengine.data.reader import read_pictures

SIDE = 128
VALIDATION = 0.2  # of the training pictures, for choosing learning rates
PERSON_TRAIN, PERSON_TEST = 2400, 1600
TRANSFER = ("flowers5", "signdigits10", "facemask2", "catdog2")
NAMES = ("person", *TRANSFER)
EPOCHS = {"person": 5, "flowers5": 8, "signdigits10": 6, "facemask2": 4, "catdog2": 5}


@dataclass(frozen=True, eq=False)
class TransferSet:
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


def tuning_parts(train: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The training part, divided to choose learning rates: to train with and to measure on."""
    cut = round(len(train) * (1 - VALIDATION))
    return train[:cut], train[cut:]


def open_set(name: str, data: Path) -> TransferSet:
    """One of NAMES from the folder of data sets."""
    if name == "person":
        train = read_pictures(data / "vww_train.npz", PERSON_TRAIN).decoded(SIDE)
        test = read_pictures(data / "vww_val.npz", PERSON_TEST).decoded(SIDE)
        pixels = np.concatenate([train.values, test.values])
        labels = np.concatenate([train.labels, test.labels])
        is_test = np.arange(len(labels)) >= len(train.labels)
    else:
        path = data / f"transfer_{name}.npz"
        pictures = read_pictures(path).decoded(SIDE)
        pixels, labels = pictures.values, pictures.labels
        with np.load(path) as archive:
            is_test = archive["split"] == 1
    order = np.random.default_rng(0).permutation(len(labels))
    return TransferSet(name, pixels, labels, int(labels.max()) + 1, order[~is_test[order]], order[is_test[order]])


def write_training_part(source: Path, target: Path) -> None:
    """A transfer set without its test pictures: what search-scheme may see."""
    with np.load(source) as archive:
        chosen = np.flatnonzero(archive["split"] == 0)
        jpeg, offset = archive["jpeg"], archive["offset"]
        files = [jpeg[offset[i] : offset[i + 1]] for i in chosen]
        ends = np.concatenate([[0], np.cumsum([len(file) for file in files])])
        labels, names = archive["y"][chosen], archive["class_names"]
    np.savez(target, jpeg=np.concatenate(files), offset=ends.astype(np.int64), y=labels, class_names=names)


if __name__ == "__main__":
    write_training_part(Path(sys.argv[1]), Path(sys.argv[2]))
