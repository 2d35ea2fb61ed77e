"""Calibration data: the inputs that set the ranges of the activations and that the report measures errors on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tinyengine.data.metadata import PixelMapping
from tinyengine.data.number_sets import holds_numbers, read_number_set
from tinyengine.data.numbers import RealInput
from tinyengine.data.reader import read_pictures
from tinyengine.data.samples import Arrays, Samples
from tinyengine.errors import DataError


@dataclass(frozen=True, eq=False)
class Calibration:
    """``samples``: (N, *shape) float32 as the model takes them. ``task``: what the data is for, as a MODEL.json has it;
    none where it does not say."""

    samples: Arrays
    pictures: bool
    task: str = ""


def load_calibration(path: Path, shape: tuple[int, ...], mapping: PixelMapping, limit: int) -> Calibration:
    """Up to ``limit`` samples, evenly over all, from pictures or from numbers.

    Pictures are resized to the network's input and mapped with ``mapping``; numbers are the values themselves. Raises
    DataError where the data does not fit.
    """
    if holds_numbers(path):
        found = read_number_set(path, [RealInput("input", shape)])
        values = np.stack([sample.arrays[0] for sample in found.samples])
        regression = found.targets is not None and found.targets.dtype.kind == "f"
        classes = found.classes if found.named and not regression else ()
        samples = Samples(values, found.labels, classes).spread(limit)
        return Calibration(samples, False, "regression" if regression else "classification" if classes else "")
    if len(shape) != 3 or shape[2] not in (1, 3):
        sizes = "x".join(map(str, shape))
        raise DataError(
            f"the network's input is {sizes}, which is no picture: calibrate it with numbers, an .npy of N samples say"
        )
    pictures = read_pictures(path, limit, labelled=False).decoded(shape[:2], shape[2])
    values = (mapping.scale * pictures.values.astype(np.float64) + mapping.offset).astype(np.float32)
    # black and white occur once, so that the input's range is that of the mapping whatever the pictures contain
    values[0, 0, 0, :] = np.float32(mapping.offset)
    values[0, -1, -1, :] = np.float32(mapping.scale * 255 + mapping.offset)
    return Calibration(pictures.with_values(values), True, "classification")
