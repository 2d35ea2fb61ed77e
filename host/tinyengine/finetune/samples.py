"""Labelled pictures as the int8 input of one network, split into those to learn from and those to judge with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tinyengine.data.images import open_pictures, to_input
from tinyengine.data.metadata import ModelMetadata
from tinyengine.errors import DataError
from tinyengine.progress import Activity, silent


@dataclass(frozen=True)
class InputForm:
    """What the network wants: shape (rows, columns, channels), quantization, meaning of a pixel."""

    shape: tuple[int, ...]
    scale: float
    zero_point: int
    metadata: ModelMetadata


@dataclass(frozen=True, eq=False)
class Samples:
    """``values``: (N, rows, columns, channels) int8, or with 1 channel that stands for all; ``labels``: (N,) indices
    into ``classes``."""

    values: np.ndarray
    labels: np.ndarray
    classes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, indices: np.ndarray) -> Samples:
        return Samples(self.values[indices], self.labels[indices], self.classes)


def load_samples(path: Path, form: InputForm, activity: Activity = silent) -> Samples:
    """Decode and resize the pictures of a folder with one subfolder per class, or of an archive with labels.

    DataError where there are no labels or fewer than two classes.
    """
    pictures = open_pictures(path)
    labelled = [picture for picture in pictures if picture.label is not None]
    classes = pictures.classes
    if not labelled or len(classes) < 2:
        raise DataError(
            f"{path} names no classes: give a folder with one subfolder of pictures per class, at least two, or an "
            ".npz with labels"
        )
    values = []
    for number, picture in enumerate(labelled):
        activity(f"reading {path.name}", number, len(labelled))
        values.append(to_input(picture.rgb(), form.shape, form.scale, form.zero_point, form.metadata))
    return Samples(np.stack(values), np.array([picture.label for picture in labelled]), classes)


def split(samples: Samples, share: float, seed: int) -> tuple[Samples, Samples]:
    """(to learn from, held out): of every class ``share`` of the pictures, drawn by ``seed``, are held out, at least
    one and never all. DataError for a class with a single picture."""
    rng = np.random.default_rng(seed)
    held: list[int] = []
    for label, name in enumerate(samples.classes):
        mine = np.flatnonzero(samples.labels == label)
        if len(mine) == 1:
            raise DataError(f"class '{name}' has a single picture, and one has to be held out: add more")
        count = min(max(round(share * len(mine)), 1), len(mine) - 1) if len(mine) else 0
        held += rng.permutation(mine)[:count].tolist()
    mask = np.zeros(len(samples), bool)
    mask[held] = True
    return samples.take(np.flatnonzero(~mask)), samples.take(np.flatnonzero(mask))
