"""Pictures as files with what is known about them, from a folder per class or from the project's npz layout.

The npz layout: ``jpeg`` (uint8, all files concatenated), ``offset`` (N + 1), and where present ``y`` (N labels, -1 for
none), ``class_names``, ``src`` and ``src_names`` (where a picture comes from), ``soft`` ((N, K) probabilities according
to a stronger network; for two classes ``p_person``, the second one's, will do) and ``embedding`` ((N, D), what that
network saw, see ``recipes.teach``).
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tinyengine.errors import DataError

_SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".webp", ".ppm", ".gif"}


@dataclass(slots=True)
class Album:
    """N encoded pictures, of any sizes."""

    files: list[bytes | Path]
    names: list[str]  # what to call each in an error message
    labels: np.ndarray  # (N,) int32, -1 where a picture has no label
    soft: np.ndarray  # (N, K) float32 probabilities by a teacher, NaN where there is none
    classes: list[str]
    sources: np.ndarray  # (N,) int32 into source_names
    source_names: list[str]
    embedding: np.ndarray | None = None  # (N, D) float32, what a teacher saw, in units of its standard deviations

    def __len__(self) -> int:
        return len(self.files)

    def content(self, k: int) -> bytes:
        """The bytes of file ``k``."""
        file = self.files[k]
        if isinstance(file, bytes):
            return file
        try:
            return file.read_bytes()
        except OSError as error:
            raise DataError(f"{file} cannot be read: {error.strerror}") from error


def read_album(path: Path, limit: int | None = None, labelled: bool = True) -> Album:
    """Read a folder (one subfolder per class) or an .npz file; raises :class:`DataError` if it is neither.

    Of more than ``limit`` pictures an evenly spread part is taken. Unless they must be ``labelled``, pictures may also
    lie in the folder itself.
    """
    if path.is_dir():
        return _read_folder(path, limit, labelled)
    if path.suffix == ".npz" and path.is_file():
        return _read_npz(path, limit)
    raise DataError(f"{path} holds no pictures: give a folder with one subfolder per class, or an .npz file")


def join(albums: list[Album]) -> Album:
    """All pictures of several albums, which must agree on the classes (those without labels agree with everybody)."""
    classes = next((a.classes for a in albums if (a.labels >= 0).any()), albums[0].classes)
    for album in albums:
        if (album.labels >= 0).any() and album.classes != classes:
            raise DataError(f"the data sets name different classes: {classes} and {album.classes}")
        if album.soft.shape[1] != len(classes):
            raise DataError(f"a data set without labels has {album.soft.shape[1]} classes instead of {len(classes)}")
        if _width(album) != _width(albums[0]):
            raise DataError("the data sets have embeddings of different lengths: run tinyengine teach with all of them")
    source_names: list[str] = []
    sources = []
    for album in albums:
        sources.append(album.sources + len(source_names))
        source_names += album.source_names
    return Album(
        [file for album in albums for file in album.files],
        [name for album in albums for name in album.names],
        np.concatenate([a.labels for a in albums]),
        np.concatenate([a.soft for a in albums]),
        classes,
        np.concatenate(sources),
        source_names,
        np.concatenate([a.embedding for a in albums if a.embedding is not None]) if _width(albums[0]) else None,
    )


def _width(album: Album) -> int:
    return 0 if album.embedding is None else album.embedding.shape[1]


def _spread(count: int, limit: int | None) -> np.ndarray:
    """``limit`` indices (or all) spread evenly over ``count``, so that a part has every class and source."""
    if limit is None or limit >= count:
        return np.arange(count)
    return np.linspace(0, count - 1, max(limit, 1)).astype(int)


def _read_npz(path: Path, limit: int | None) -> Album:
    try:
        with np.load(path, allow_pickle=False) as archive:
            data = {key: archive[key] for key in archive.files}
        jpeg, offset = data["jpeg"], data["offset"]
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise DataError(f"{path} is not an image archive: it needs the arrays jpeg and offset ({error})") from error
    chosen = _spread(len(offset) - 1, limit)
    count = len(chosen)
    labels = data["y"][chosen].astype(np.int32) if "y" in data else np.full(count, -1, np.int32)
    if "class_names" in data:
        classes = [str(name) for name in data["class_names"]]
    else:
        classes = ["no_person", "person"] if "p_person" in data else [str(k) for k in range(labels.max() + 1)]
    soft = np.full((count, len(classes)), np.nan, np.float32)
    if "soft" in data:
        soft = data["soft"][chosen].astype(np.float32)
    elif "p_person" in data and len(classes) == 2:
        person = data["p_person"][chosen].astype(np.float32)
        soft = np.stack([1 - person, person], axis=1)
    has_source = "src" in data and "src_names" in data
    return Album(
        [jpeg[offset[k] : offset[k + 1]].tobytes() for k in chosen],
        [f"picture {k} of {path}" for k in chosen],
        labels,
        soft,
        classes,
        data["src"][chosen].astype(np.int32) if has_source else np.zeros(count, np.int32),
        [str(name) for name in data["src_names"]] if has_source else [path.stem],
        data["embedding"][chosen].astype(np.float32) if "embedding" in data else None,
    )


def _read_folder(path: Path, limit: int | None, labelled: bool) -> Album:
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
    return Album(
        [file for file, _ in files],
        [str(file) for file, _ in files],
        np.array([label for _, label in files], np.int32),
        np.full((len(files), len(classes)), np.nan, np.float32),
        classes,
        np.zeros(len(files), np.int32),
        [path.name],
    )
