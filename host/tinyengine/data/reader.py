"""The one place where files become samples.

Sources of pictures: a picture file; a folder of pictures; a folder with one subfolder per class; the project's npz
layout: ``jpeg`` (uint8, all files one after the other), ``offset`` (N + 1), and where present ``y`` (N labels, -1 for
none), ``class_names``, ``src`` and ``src_names`` (where a picture comes from), ``soft`` ((N, K) probabilities according
to a stronger network; for two classes ``p_person``, the second one's, will do) and what ``recipes.teach`` adds:
``embedding`` ((N, D), what that network saw) and ``teacher`` (which one it was).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tinyengine.data.images import SUFFIXES, Picture
from tinyengine.data.numbers import open_arrays
from tinyengine.data.samples import Pictures, Samples, no_classes
from tinyengine.errors import DataError


def read_pictures(path: Path, limit: int | None = None, labelled: bool = True, mixed: bool = False) -> Pictures:
    """The pictures of a file, a folder or an .npz; DataError where there are none.

    Of more than ``limit`` an evenly spread part is taken. ``labelled``: a folder must have a subfolder for each of at
    least two classes. ``mixed``: where pictures lie beside subfolders with others, those count and the others do not.
    """
    if path.is_dir():
        found = _folder(path, mixed)
    elif path.suffix == ".npz" and path.exists():
        found = _archive(path)
    elif path.is_file():
        found = _without_labels([path], path.stem)
    else:
        raise _missing(path)
    if labelled and path.suffix != ".npz" and len(found.classes) < 2:
        raise no_classes(path)
    return found.spread(limit)


def check_pictures(path: Path) -> None:
    """Raise DataError, before any long work, where there is nothing to read."""
    if not path.exists():
        raise _missing(path)


def _missing(path: Path) -> DataError:
    return DataError(f"there is no picture, folder or archive {path}")


def read_all(paths: Sequence[Path]) -> list[Picture]:
    """The pictures of several files, folders and archives, in order, whatever their labels."""
    return [picture for path in paths for picture in read_pictures(path, labelled=False, mixed=True).values]


def _folder(path: Path, mixed: bool) -> Pictures:
    loose = sorted(p for p in path.iterdir() if p.suffix.lower() in SUFFIXES and p.is_file() and p.name[0] != ".")
    classes = class_folders(path, SUFFIXES, refuse=not mixed)
    if loose and classes and not mixed:
        raise DataError(
            f"{path} has pictures in subfolders, which are their classes, and {loose[0].name} beside them: move the "
            "pictures without a class to another folder"
        )
    if loose:
        return _without_labels(loose, path.name)
    if not classes:
        raise DataError(f"{path} holds no pictures ({', '.join(sorted(SUFFIXES))}), neither itself nor in subfolders")
    return Samples(
        tuple(Picture(str(file), file) for _, files in classes for file in files),
        np.repeat(np.arange(len(classes), dtype=np.int32), [len(files) for _, files in classes]),
        tuple(name for name, _ in classes),
        source_names=(path.name,),
    )


_PARTS = frozenset({"train", "training", "test", "testing", "val", "valid", "validate", "validation", "held_out"})
"""Names of folders that hold a part of the data, with the classes one level below."""


def class_folders(path: Path, suffixes: frozenset[str], refuse: bool = True) -> list[tuple[str, list[Path]]]:
    """The subfolders of ``path`` that hold files with these suffixes, by name, with the files.

    ``refuse``: DataError where, of subfolders with such files, some are empty or not what classes are.
    """
    folders = sorted(p for p in path.iterdir() if p.is_dir() and not p.name.startswith("."))
    found = [(folder, files_within(folder, suffixes)) for folder in folders]
    if refuse and any(files for _, files in found):
        _check_folders(path, found)
    return [(folder.name, files) for folder, files in found if files]


def _check_folders(path: Path, found: Sequence[tuple[Path, list[Path]]]) -> None:
    """DataError where the subfolders of ``path`` are not what its classes are taken for."""
    parts = [
        folder for folder, _ in found if folder.name.lower() in _PARTS and any(p.is_dir() for p in folder.iterdir())
    ]
    if parts and len(parts) == len(found):
        names = " and ".join(part.name for part in parts)
        raise DataError(
            f"the subfolders of {path} are parts of the data ({names}), not classes: give --data {parts[0]}"
            + (f" (and --validate {parts[1]} where the command takes it)" if len(parts) > 1 else "")
        )
    empty = [folder.name for folder, files in found if not files]
    if empty:
        raise DataError(
            f"the class folder {path / empty[0]} holds no samples, so that class cannot be told from the others: put "
            "some into it, or remove it"
        )


def files_within(folder: Path, suffixes: frozenset[str]) -> list[Path]:
    """The files with these suffixes at any depth, but for what is hidden or in a hidden folder."""
    return sorted(
        p
        for p in folder.rglob("*")
        if p.suffix.lower() in suffixes
        and p.is_file()
        and not any(part.startswith(".") for part in p.relative_to(folder).parts)
    )


def _without_labels(files: Sequence[Path], source: str) -> Pictures:
    pictures = tuple(Picture(str(file), file) for file in files)
    return Samples(pictures, np.full(len(files), -1, np.int32), named=False, source_names=(source,))


def _archive(path: Path) -> Pictures:
    try:
        data = open_arrays(path)
        jpeg, offset = data["jpeg"], data["offset"]
    except (DataError, KeyError) as error:
        raise DataError(f"{path} is not an image archive: it needs the arrays jpeg and offset ({error})") from error
    _check(path, data)
    soft = data["soft"].astype(np.float32) if "soft" in data else None
    if soft is None and "p_person" in data and len(_classes(data)) == 2:
        person = data["p_person"].astype(np.float32)
        soft = np.stack([1 - person, person], axis=1)
    count, has_source = len(offset) - 1, "src" in data and "src_names" in data
    return Samples(
        tuple(Picture(f"{path}#{k}", jpeg[offset[k] : offset[k + 1]]) for k in range(count)),
        data["y"].astype(np.int32) if "y" in data else np.full(count, -1, np.int32),
        tuple(_classes(data)),
        "class_names" in data,
        soft,
        data["embedding"].astype(np.float32) if "embedding" in data else None,
        str(data.get("teacher", "")),
        data["src"].astype(np.int32) if has_source else None,
        tuple(str(name) for name in data["src_names"]) if has_source else (path.stem,),
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
    for name in ("class_names", "src_names"):
        if name in data and data[name].ndim != 1:
            raise DataError(f"{path} is damaged: {name} is no list of names")
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
