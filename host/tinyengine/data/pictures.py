"""Labelled pictures of one size in memory."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from tinyengine.data.album import Album, read_album
from tinyengine.data.images import upright_rgb
from tinyengine.errors import DataError
from tinyengine.progress import Progress, silent

#: side of a square, or height and width
Size = int | tuple[int, int]


@dataclass(slots=True)
class Pictures:
    """N RGB pictures of one size with what is known about them."""

    pixels: np.ndarray  # (N, H, W, 3) uint8
    labels: np.ndarray  # (N,) int32, -1 where a picture has no label
    soft: np.ndarray  # (N, K) float32 probabilities by a teacher, NaN where there is none
    classes: list[str]
    sources: np.ndarray  # (N,) int32 into source_names
    source_names: list[str]
    embedding: np.ndarray | None = None  # (N, D) float32, what a teacher saw, in units of its standard deviations

    def __len__(self) -> int:
        return len(self.pixels)

    def targets(self, soft_weight: float) -> np.ndarray:
        """(N, K) distributions to learn: label and teacher averaged where both exist, else the one that does.

        Raises DataError where a picture has neither."""
        hard = np.eye(len(self.classes), dtype=np.float32)[np.maximum(self.labels, 0)]
        has_label, has_soft = self.labels >= 0, ~np.isnan(self.soft).any(axis=1)
        if neither := int((~has_label & ~has_soft).sum()):
            raise DataError(
                f"{neither} pictures have neither a label nor a teacher's answer, so there is nothing to learn from "
                "them: run tinyengine teach on them together with labelled pictures"
            )
        weight = np.where(has_label, np.where(has_soft, soft_weight, 0.0), 1.0).astype(np.float32)[:, None]
        return (1 - weight) * hard + weight * np.nan_to_num(self.soft)


def resize(image: Image.Image, size: Size) -> np.ndarray:
    """The whole picture, upright, resized bilinearly (with antialiasing) to RGB: (height, width, 3) uint8."""
    height, width = _height_width(size)
    image = upright_rgb(image)
    if image.size != (width, height):
        image = image.resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(image)


def load(
    path: Path, size: Size, progress: Progress = silent, limit: int | None = None, labelled: bool = True
) -> Pictures:
    """The pictures of a folder or an .npz file (:func:`read_album`); raises :class:`DataError`."""
    return decode(read_album(path, limit, labelled), size, progress)


def decode(album: Album, size: Size, progress: Progress = silent) -> Pictures:
    """All pictures of an album, resized as a whole; raises :class:`DataError` for one that cannot be decoded."""
    pixels = np.empty((len(album), *_height_width(size), 3), np.uint8)
    for k in range(len(album)):
        pixels[k] = decode_one(album, k, size)
        if k % 64 == 0:
            progress(k, len(album))
    return Pictures(pixels, album.labels, album.soft, album.classes, album.sources, album.source_names, album.embedding)


def decode_one(album: Album, k: int, size: Size) -> np.ndarray:
    """Picture ``k``: (height, width, 3) uint8."""
    try:
        with Image.open(io.BytesIO(album.content(k))) as image:
            return resize(image, size)
    except (OSError, ValueError, UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise DataError(f"{album.names[k]} cannot be decoded: {error}") from error


def _height_width(size: Size) -> tuple[int, int]:
    return (size, size) if isinstance(size, int) else size


def shrink(pixels: np.ndarray, size: int) -> np.ndarray:
    """One picture (S, S, 3) uint8 resized to (size, size, 3)."""
    return resize(Image.fromarray(pixels), size)
