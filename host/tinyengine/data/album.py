"""Pictures as files with what is known about them, from a folder per class or from the project's npz layout.

The npz layout: ``jpeg`` (uint8, all files concatenated), ``offset`` (N + 1), and where present ``y`` (N labels, -1 for
none), ``class_names``, ``src`` and ``src_names`` (where a picture comes from), ``soft`` ((N, K) probabilities according
to a stronger network; for two classes ``p_person``, the second one's, will do) and what ``recipes.teach`` adds:
``embedding`` ((N, D), what that network saw) and ``teacher`` (which one it was).
"""

from __future__ import annotations

import zipfile
import zlib
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
    named: bool = False  # whether the data says what its classes are called
    teacher: str = ""  # the run of ``tinyengine teach`` that wrote ``soft`` and ``embedding``

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
    softs = []
    for album in albums:
        soft = album.soft
        if (album.labels >= 0).any():
            if album.classes != classes:
                raise DataError(
                    f"the data sets name different classes: {classes} and {album.classes} (the subfolders of a folder "
                    "are its classes; pictures without labels lie in the folder itself)"
                )
        elif np.isnan(soft).all():  # neither labels nor answers: its classes mean nothing
            soft = np.full((len(album), len(classes)), np.nan, np.float32)
        elif soft.shape[1] != len(classes) or (album.named and album.classes != classes):
            raise DataError(f"a data set without labels has answers for {album.classes} and the others for {classes}")
        if _embedding_kind(album) != _embedding_kind(albums[0]):
            raise DataError(
                "the data sets have embeddings that do not belong together: run tinyengine teach with all of them, "
                "or leave the embeddings out (tinyengine fit --embedding-weight 0)"
            )
        softs.append(soft)
    source_names: list[str] = []
    sources = []
    for album in albums:
        sources.append(album.sources + len(source_names))
        source_names += album.source_names
    return Album(
        [file for album in albums for file in album.files],
        [name for album in albums for name in album.names],
        np.concatenate([a.labels for a in albums]),
        np.concatenate(softs),
        classes,
        np.concatenate(sources),
        source_names,
        None if albums[0].embedding is None else np.concatenate([a.embedding for a in albums]),
        any(a.named for a in albums),
        next((a.teacher for a in albums if a.teacher), ""),
    )


def _embedding_kind(album: Album) -> tuple[int, str] | None:
    return None if album.embedding is None else (album.embedding.shape[1], album.teacher)


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
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(f"{path} is not an image archive: it needs the arrays jpeg and offset ({error})") from error
    _check(path, data)
    chosen = _spread(len(offset) - 1, limit)
    count = len(chosen)
    labels = data["y"][chosen].astype(np.int32) if "y" in data else np.full(count, -1, np.int32)
    classes = _classes(data)
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
        "class_names" in data,
        str(data.get("teacher", "")),
    )


def _classes(data: dict[str, np.ndarray]) -> list[str]:
    if "class_names" in data:
        return [str(name) for name in data["class_names"]]
    if "p_person" in data:
        return ["no_person", "person"]
    count = data["soft"].shape[1] if "soft" in data else data["y"].max(initial=-1) + 1 if "y" in data else 0
    return [str(k) for k in range(count)]


def _check(path: Path, data: dict[str, np.ndarray]) -> None:
    """Raise DataError where an array does not fit the others."""
    offset, jpeg = data["offset"], data["jpeg"]
    if offset.dtype.kind not in "iu" or offset.ndim != 1 or len(offset) < 2 or jpeg.dtype != np.uint8:
        raise DataError(f"{path} is damaged: jpeg must hold bytes and offset where each picture's begin")
    if (np.diff(offset.astype(np.int64)) < 0).any() or offset[0] < 0 or offset[-1] > jpeg.size:
        raise DataError(f"{path} is damaged: its offsets do not lie within its {jpeg.size} bytes of pictures")
    count = len(offset) - 1
    for name, dimensions in (("y", 1), ("p_person", 1), ("src", 1), ("soft", 2), ("embedding", 2)):
        if name in data and (data[name].ndim != dimensions or len(data[name]) != count):
            shape = "x".join(map(str, data[name].shape))
            raise DataError(f"{path} is damaged: {name} has the shape {shape} with {count} pictures")
    classes = len(_classes(data))
    if "y" in data and not (data["y"].min() >= -1 and data["y"].max() < classes):
        raise DataError(f"{path} is damaged: its labels y must lie between -1 (none) and {classes - 1}")
    if "soft" in data and data["soft"].shape[1] != classes:
        raise DataError(f"{path} is damaged: soft has {data['soft'].shape[1]} columns and there are {classes} classes")
    if (
        "src" in data
        and "src_names" in data
        and not (data["src"].min() >= 0 and data["src"].max() < len(data["src_names"]))
    ):
        raise DataError(f"{path} is damaged: src names a source that src_names does not have")
    for name in ("p_person", "soft"):
        if name in data and not (np.isnan(data[name]) | ((data[name] >= 0) & (data[name] <= 1))).all():
            raise DataError(
                f"{path} is damaged: {name} must hold probabilities from 0 to 1, or NaN where there are none"
            )
    if "soft" in data and (np.abs(data["soft"].astype(np.float32).sum(1) - 1) > 0.02).any():
        raise DataError(f"{path} is damaged: the probabilities soft of a picture do not add up to 1")
    if "embedding" in data and not np.isfinite(data["embedding"]).all():
        raise DataError(f"{path} is damaged: its embedding holds numbers that are not finite")


def _read_folder(path: Path, limit: int | None, labelled: bool) -> Album:
    classes = sorted(p.name for p in path.iterdir() if p.is_dir() and not p.name.startswith("."))
    files = [
        (file, label)
        for label, name in enumerate(classes)
        for file in sorted((path / name).rglob("*"))
        if file.suffix.lower() in _SUFFIXES
    ]
    loose = [file for file in sorted(path.iterdir()) if file.suffix.lower() in _SUFFIXES]
    if loose and files:
        raise DataError(
            f"{path} has pictures in subfolders, which are their classes, and {loose[0].name} beside them: move the "
            "pictures without a class to another folder"
        )
    if not labelled and not files:
        files, classes = [(file, -1) for file in loose], ["unknown"]
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
