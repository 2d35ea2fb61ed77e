"""Calibration data: the inputs that set the ranges of the activations and that the report measures errors on."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tinyengine.data.metadata import PixelMapping
from tinyengine.data.reader import read_array, read_pictures
from tinyengine.data.samples import Arrays
from tinyengine.errors import DataError


def load_calibration(path: Path, shape: tuple[int, ...], mapping: PixelMapping, limit: int) -> Arrays:
    """Up to ``limit`` samples (N, *shape) float32 as the model takes them, from pictures or an .npy.

    Pictures are resized to the network's input and mapped with ``mapping``; an .npy file holds the values themselves.
    Raises DataError where the data does not fit.
    """
    if path.suffix.lower() == ".npy":
        return read_array(path, shape, limit)
    if len(shape) != 3 or shape[2] not in (1, 3):
        sizes = "x".join(map(str, shape))
        raise DataError(f"the network's input is {sizes}, which is no picture: calibrate it with an .npy of N samples")
    pictures = read_pictures(path, limit, labelled=False).decoded(shape[:2], shape[2])
    values = (mapping.scale * pictures.values.astype(np.float64) + mapping.offset).astype(np.float32)
    # black and white occur once, so that the input's range is that of the mapping whatever the pictures contain
    values[0, 0, 0, :] = np.float32(mapping.offset)
    values[0, -1, -1, :] = np.float32(mapping.scale * 255 + mapping.offset)
    return pictures.with_values(values)
