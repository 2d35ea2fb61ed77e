"""Labelled pictures in memory, from a folder per class or from the project's npz layout.

The npz layout: ``jpeg`` (uint8, all files concatenated), ``offset`` (N + 1), and where present ``y`` (N labels),
``class_names``, ``src`` and ``src_names`` (where a picture comes from) and ``p_person`` (probability of a person
according to a stronger network).
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from tinyengine.data import upright_rgb
from tinyengine.errors import DataError

_SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".webp", ".ppm", ".gif"}

Progress = Callable[[int, int], None]
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

    def __len__(self) -> int:
        return len(self.pixels)

    def targets(self, soft_weight: float) -> np.ndarray:
        """(N, K) distributions to learn: label and teacher averaged where both exist, else the one that does."""
        hard = np.eye(len(self.classes), dtype=np.float32)[np.maximum(self.labels, 0)]
        has_label, has_soft = self.labels >= 0, ~np.isnan(self.soft[:, 0])
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
    path: Path, size: Size, progress: Progress | None = None, limit: int | None = None, labelled: bool = True
) -> Pictures:
    """Read a folder (one subfolder per class) or an .npz file; raises :class:`DataError` if it is neither.

    Of more than ``limit`` pictures an evenly spread part is read. Unless they must be ``labelled``, pictures may also
    lie in the folder itself.
    """
    if path.is_dir():
        return _load_folder(path, size, progress, limit, labelled)
    if path.suffix == ".npz" and path.is_file():
        return _load_npz(path, size, progress, limit)
    raise DataError(f"{path} holds no pictures: give a folder with one subfolder per class, or an .npz file")


def join(sets: list[Pictures]) -> Pictures:
    """All pictures of several sets, which must agree on the classes (sets without labels agree with everybody)."""
    classes = next((s.classes for s in sets if (s.labels >= 0).any()), sets[0].classes)
    for pictures in sets:
        if (pictures.labels >= 0).any() and pictures.classes != classes:
            raise DataError(f"the data sets name different classes: {classes} and {pictures.classes}")
        if pictures.soft.shape[1] != len(classes):
            raise DataError(f"a data set without labels has {pictures.soft.shape[1]} classes instead of {len(classes)}")
    names: list[str] = []
    sources = []
    for pictures in sets:
        sources.append(pictures.sources + len(names))
        names += pictures.source_names
    return Pictures(
        np.concatenate([s.pixels for s in sets]),
        np.concatenate([s.labels for s in sets]),
        np.concatenate([s.soft for s in sets]),
        classes,
        np.concatenate(sources),
        names,
    )


def _height_width(size: Size) -> tuple[int, int]:
    return (size, size) if isinstance(size, int) else size


def _spread(count: int, limit: int | None) -> np.ndarray:
    """``limit`` indices (or all) spread evenly over ``count``, so that a part has every class and source."""
    if limit is None or limit >= count:
        return np.arange(count)
    return np.linspace(0, count - 1, max(limit, 1)).astype(int)


def _load_npz(path: Path, size: Size, progress: Progress | None, limit: int | None) -> Pictures:
    try:
        with np.load(path, allow_pickle=False) as archive:
            data = {key: archive[key] for key in archive.files}
        jpeg, offset = data["jpeg"], data["offset"]
    except (OSError, ValueError, KeyError) as error:
        raise DataError(f"{path} is not an image archive: it needs the arrays jpeg and offset ({error})") from error
    chosen = _spread(len(offset) - 1, limit)
    count = len(chosen)
    pixels = np.empty((count, *_height_width(size), 3), np.uint8)
    for done, k in enumerate(chosen):
        try:
            pixels[done] = resize(Image.open(io.BytesIO(jpeg[offset[k] : offset[k + 1]].tobytes())), size)
        except (OSError, UnidentifiedImageError) as error:
            raise DataError(f"picture {k} of {path} cannot be decoded: {error}") from error
        if progress and done % 256 == 0:
            progress(done, count)
    labels = data["y"][chosen].astype(np.int32) if "y" in data else np.full(count, -1, np.int32)
    if "class_names" in data:
        classes = [str(name) for name in data["class_names"]]
    else:
        classes = ["no_person", "person"] if "p_person" in data else [str(k) for k in range(labels.max() + 1)]
    soft = np.full((count, len(classes)), np.nan, np.float32)
    if "p_person" in data and len(classes) == 2:
        person = data["p_person"][chosen].astype(np.float32)
        soft = np.stack([1 - person, person], axis=1)
    has_source = "src" in data and "src_names" in data
    sources = data["src"][chosen].astype(np.int32) if has_source else np.zeros(count, np.int32)
    names = [str(name) for name in data["src_names"]] if has_source else [path.stem]
    return Pictures(pixels, labels, soft, classes, sources, names)


def _load_folder(path: Path, size: Size, progress: Progress | None, limit: int | None, labelled: bool) -> Pictures:
    classes = sorted(p.name for p in path.iterdir() if p.is_dir() and not p.name.startswith("."))
    files = [
        (file, label)
        for label, name in enumerate(classes)
        for file in sorted((path / name).rglob("*"))
        if file.suffix.lower() in _SUFFIXES
    ]
    if not labelled and not files:
        files = [(file, -1) for file in sorted(path.iterdir()) if file.suffix.lower() in _SUFFIXES]
        classes = ["unknown"]
    if not files or (labelled and len(classes) < 2):
        wanted = "at least two subfolders, one per class, with pictures in them" if labelled else "pictures"
        raise DataError(f"{path} needs {wanted} ({', '.join(sorted(_SUFFIXES))})")
    files = [files[k] for k in _spread(len(files), limit)]
    pixels = np.empty((len(files), *_height_width(size), 3), np.uint8)
    for k, (file, _) in enumerate(files):
        try:
            with Image.open(file) as image:
                pixels[k] = resize(image, size)
        except (OSError, UnidentifiedImageError) as error:
            raise DataError(f"{file} cannot be decoded: {error}") from error
        if progress and k % 64 == 0:
            progress(k, len(files))
    labels = np.array([label for _, label in files], np.int32)
    soft = np.full((len(files), len(classes)), np.nan, np.float32)
    return Pictures(pixels, labels, soft, classes, np.zeros(len(files), np.int32), [path.name])


def shrink(pixels: np.ndarray, size: int) -> np.ndarray:
    """One picture (S, S, 3) uint8 resized to (size, size, 3)."""
    return resize(Image.fromarray(pixels), size)
