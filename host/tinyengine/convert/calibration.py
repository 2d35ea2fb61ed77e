"""Calibration data: the inputs that set the ranges of the activations and that the report measures errors on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tinyengine.data.metadata import PixelMapping
from tinyengine.data.pictures import Pictures, load
from tinyengine.errors import DataError

# ITU-R BT.601 luma in 16-bit fixed point
_LUMA = np.array([19595, 38470, 7471])


@dataclass(slots=True)
class Calibration:
    """``values`` (N, ...) float32 as the model takes them; ``pictures`` where they come from pictures."""

    values: np.ndarray
    pictures: Pictures | None = None

    def __len__(self) -> int:
        return len(self.values)

    def labels(self, classes: int) -> np.ndarray | None:
        """(N,) class indices if every sample has one and the network tells as many classes apart, else None."""
        if self.pictures is None or (self.pictures.labels < 0).any() or len(self.pictures.classes) != classes:
            return None
        return self.pictures.labels


def load_calibration(path: Path, shape: tuple[int, ...], mapping: PixelMapping, limit: int) -> Calibration:
    """Up to ``limit`` samples of ``shape`` (without batch) from a folder of pictures, an .npz of pictures or an .npy.

    Pictures are resized to the network's input and mapped with ``mapping``; an .npy file holds the values themselves.
    Raises DataError where the data does not fit.
    """
    if path.suffix == ".npy":
        return Calibration(_load_array(path, shape, limit))
    if len(shape) != 3 or shape[2] not in (1, 3):
        sizes = "x".join(map(str, shape))
        raise DataError(f"the network's input is {sizes}, which is no picture: calibrate it with an .npy of N samples")
    pictures = load(path, (shape[0], shape[1]), limit=limit, labelled=False)
    pixels = pictures.pixels
    if shape[2] == 1:
        pixels = ((pixels @ _LUMA + 0x8000) >> 16).astype(np.uint8)[..., None]
    values = (mapping.scale * pixels.astype(np.float64) + mapping.offset).astype(np.float32)
    # black and white occur once, so that the input's range is that of the mapping whatever the pictures contain
    values[0, 0, 0, :] = np.float32(mapping.offset)
    values[0, -1, -1, :] = np.float32(mapping.scale * 255 + mapping.offset)
    return Calibration(values, pictures)


def _load_array(path: Path, shape: tuple[int, ...], limit: int) -> np.ndarray:
    try:
        values = np.load(path, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise DataError(f"{path} is not a NumPy array file: {error}") from error
    if values.shape[1:] != shape or len(values) == 0:
        wanted = "x".join(map(str, shape))
        raise DataError(f"{path} holds an array of shape {values.shape} instead of N samples of {wanted}")
    if not np.isfinite(values).all():
        raise DataError(f"{path} contains values that are not finite")
    return values[:limit].astype(np.float32)
