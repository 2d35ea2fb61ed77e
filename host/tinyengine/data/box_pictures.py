"""Pictures in which objects have been boxed: what a detector learns from, and how people's files of it are read.

An ``.npz`` of this project: ``jpeg``, ``offset``, ``src`` and ``src_names`` as in ``data.reader``; ``boxes`` ((M, 4):
left, top, right, bottom as shares of the picture), ``box_class``, ``box_image`` (the picture's number),
``class_names``, and where present ``box_ignore`` (0: the box counts) and ``split`` (0: to learn from, others held out).

COCO: a ``.json`` with ``images``, ``annotations`` and ``categories``; its pictures lie beside it, or below. YOLO: a
folder of pictures with a ``.txt`` for each, beside it or in ``labels`` in place of ``images``; a line is a class and
centre x, y, width, height as shares; ``classes.txt`` names the classes. VOC: a folder of ``.xml``; the pictures
anywhere below it.
"""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from tinyengine.data.images import SUFFIXES, Picture
from tinyengine.data.numbers import open_arrays
from tinyengine.data.reader import files_within, read_pictures
from tinyengine.data.samples import Pictures, Samples
from tinyengine.errors import DataError

COUNTS, IGNORED = 1.0, -1.0
"""Of a box: whether it is to be found, or neither that nor background (a crowd, what annotators called difficult)."""


@dataclass(frozen=True, eq=False)
class BoxPictures:
    """N pictures, and the boxes of each: (K, 6) float32, left, top, right, bottom as shares of the picture, class,
    COUNTS or IGNORED."""

    pictures: Pictures
    boxes: tuple[np.ndarray, ...]

    def __len__(self) -> int:
        return len(self.boxes)

    @property
    def classes(self) -> tuple[str, ...]:
        return self.pictures.classes

    def take(self, indices: np.ndarray) -> BoxPictures:
        """Some of the pictures, in this order."""
        return BoxPictures(self.pictures.take(indices), tuple(self.boxes[k] for k in indices))

    def of_classes(self, wanted: Sequence[str]) -> BoxPictures:
        """With the boxes of these classes only, numbered in this order; ``"mine=cat,dog"`` makes one of several.
        DataError for a name that there is not, or that stands for two."""
        number: dict[int, int] = {}
        names = []
        for k, each in enumerate(wanted):
            name, _, parts = each.partition("=")
            for part in parts.split(",") if parts else [name]:
                if part not in self.classes:
                    raise DataError(f"no box is a {part!r}: the classes of this data are {', '.join(self.classes)}")
                if number.setdefault(self.classes.index(part), k) != k:
                    raise DataError(f"{part!r} would be of two classes: name it once")
            names.append(name)
        boxes = []
        for rows in self.boxes:
            mine = rows[np.isin(rows[:, 4], list(number))]
            mine[:, 4] = [number[int(index)] for index in mine[:, 4]]
            boxes.append(mine)
        return BoxPictures(replace(self.pictures, classes=tuple(names)), tuple(boxes))

    def background(self, classes: Sequence[str]) -> BoxPictures:
        """The pictures in which nothing is boxed, for a set that boxes ``classes``. DataError where there are none."""
        empty = self.take(np.flatnonzero([not len(each) for each in self.boxes]))
        if not len(empty):
            raise DataError("in every picture that should be background something is boxed: leave --background out")
        return BoxPictures(replace(empty.pictures, classes=tuple(classes)), empty.boxes)


def read_boxes(path: Path, limit: int | None = None, held_out: bool = False) -> BoxPictures:
    """Boxed pictures of a file or a folder (see the module); DataError where there are none.

    Of more than ``limit`` an evenly spread part. ``held_out``: of an .npz with a split, those that are held out.
    """
    if path.suffix == ".npz":
        found = _of_archive(path, held_out)
    elif path.suffix == ".json":
        found = _of_coco(path)
    elif path.is_dir():
        notes = files_within(path, frozenset({".xml"}))
        found = _of_voc(path, notes) if notes else _of_yolo(path)
    else:
        raise DataError(f"there are no boxes in {path}: give an .npz, a .json (COCO) or a folder (YOLO, VOC)")
    if limit is not None and limit < len(found):
        found = found.take(np.linspace(0, len(found) - 1, limit).astype(int))
    return found


def join_boxes(sets: Sequence[BoxPictures]) -> BoxPictures:
    """All pictures of sets with the same classes."""
    first = sets[0]
    for each in sets:
        if each.classes != first.classes:
            raise DataError(
                f"the data sets box different classes: {[*first.classes]} and {[*each.classes]}; choose some by --class"
            )
    pictures = Samples(
        tuple(picture for each in sets for picture in each.pictures.values),
        np.concatenate([each.pictures.labels for each in sets]),
        first.classes,
    )
    return BoxPictures(pictures, tuple(box for each in sets for box in each.boxes))


def _of_archive(path: Path, held_out: bool) -> BoxPictures:
    pictures = read_pictures(path)
    data = open_arrays(path)
    needed = ("boxes", "box_class", "box_image", "class_names")
    if missing := [name for name in needed if name not in data]:
        raise DataError(f"{path} holds no boxes: it lacks {missing[0]}")
    edges, classes, images = (data[name] for name in needed[:3])
    if edges.ndim != 2 or edges.shape[1] != 4 or not len(edges) == classes.size == images.size:
        raise DataError(
            f"{path} is damaged: boxes must be (M, 4), and box_class and box_image have one number for each"
        )
    if edges.size and not (
        min(images.min(), classes.min()) >= 0
        and images.max() < len(pictures)
        and classes.max() < len(data["class_names"])
    ):
        raise DataError(f"{path} is damaged: a box names a picture or a class that is not there")
    ignored = data["box_ignore"] if "box_ignore" in data else np.zeros(len(edges))
    rows = np.column_stack([edges, classes, np.where(ignored, IGNORED, COUNTS)])
    found = _gathered(path, pictures, [rows[images == k] for k in range(len(pictures))])
    if "split" in data:
        found = found.take(np.flatnonzero((data["split"] != 0) == held_out))
    return found


def _of_coco(path: Path) -> BoxPictures:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        names = {entry["id"]: str(entry["name"]) for entry in data["categories"]}
        number = {key: k for k, key in enumerate(names)}
        rows: dict[Any, list[list[float]]] = {entry["id"]: [] for entry in data["images"]}
        sizes = {entry["id"]: (float(entry["width"]), float(entry["height"])) for entry in data["images"]}
        for note in data["annotations"]:
            (left, top, width, height), (wide, high) = note["bbox"], sizes[note["image_id"]]
            edges = [left / wide, top / high, (left + width) / wide, (top + height) / high]
            rows[note["image_id"]].append(
                [*edges, number[note["category_id"]], IGNORED if note.get("iscrowd") else COUNTS]
            )
        files = _files(path.parent, [str(entry["file_name"]) for entry in data["images"]])
    except (OSError, ValueError, KeyError, TypeError, ZeroDivisionError) as error:
        raise DataError(f"{path} is not COCO's form of boxes: {type(error).__name__} {error}") from error
    return _gathered(path, _pictures(files, tuple(names.values())), [rows[entry["id"]] for entry in data["images"]])


def _files(folder: Path, names: Sequence[str]) -> list[Path]:
    """Pictures beside the notes, or anywhere below them, which are looked through once. DataError where one is not."""
    beside = [folder / name for name in names]
    if all(path.is_file() for path in beside):
        return beside
    below = {path.name: path for path in sorted(folder.rglob("*"), reverse=True) if path.is_file()}  # the first counts
    found = []
    for name, path in zip(names, beside, strict=True):
        place = path if path.is_file() else below.get(Path(name).name)
        if place is None:
            raise DataError(f"the picture {name} is neither in {folder} nor below it")
        found.append(place)
    return found


def _of_yolo(path: Path) -> BoxPictures:
    files, rows, most = [], [], -1
    for file in files_within(path, SUFFIXES):
        parts = ["labels" if part == "images" else part for part in file.relative_to(path).parts]
        notes = [file.with_suffix(".txt"), path.joinpath(*parts).with_suffix(".txt")]
        note = next((each for each in notes if each.is_file()), None)
        if note is None:
            continue
        files.append(file)
        try:
            numbers = [[float(word) for word in line.split()] for line in note.read_text().splitlines() if line.strip()]
            of_one = [
                [x - wide / 2, y - high / 2, x + wide / 2, y + high / 2, int(index), COUNTS]
                for index, x, y, wide, high in numbers
            ]
            if any(row[4] < 0 for row in of_one):
                raise ValueError("a class is below 0")
        except ValueError as error:
            raise DataError(f"{note} is not YOLO's form of boxes (class, x, y, width, height): {error}") from error
        most = max([most, *(int(row[4]) for row in of_one)])
        rows.append(of_one)
    if not files:
        raise DataError(f"{path} holds no boxes: no picture in it has a .txt (YOLO), and there is no .xml (VOC)")
    listing = path / "classes.txt"
    names = listing.read_text(encoding="utf-8").split("\n") if listing.is_file() else [str(k) for k in range(most + 1)]
    names = [name.strip() for name in names if name.strip()]
    if most >= len(names):
        raise DataError(f"{listing} names {len(names)} classes, and a box is of class {most}")
    return _gathered(path, _pictures(files, tuple(names)), rows)


def _of_voc(path: Path, notes: Sequence[Path]) -> BoxPictures:
    pictures, rows = [], []
    names: list[str] = []
    for note in notes:
        try:
            root = ElementTree.parse(note).getroot()
            wide, high = (float(root.findtext(f"size/{key}", "")) for key in ("width", "height"))
            of_one = []
            for thing in root.iter("object"):
                name = thing.findtext("name", "")
                if name not in names:
                    names.append(name)
                edges = [float(thing.findtext(f"bndbox/{key}", "")) for key in ("xmin", "ymin", "xmax", "ymax")]
                ignored = thing.findtext("difficult", "0").strip() == "1"
                edges = [edge / side for edge, side in zip(edges, (wide, high, wide, high), strict=True)]
                of_one.append([*edges, float(names.index(name)), IGNORED if ignored else COUNTS])
        except (ElementTree.ParseError, ValueError, ZeroDivisionError) as error:
            raise DataError(f"{note} is not VOC's form of boxes: {error}") from error
        pictures.append(root.findtext("filename", note.with_suffix(".jpg").name))
        rows.append(of_one)
    order = sorted(range(len(names)), key=names.__getitem__)
    for of_one in rows:
        for row in of_one:
            row[4] = order.index(int(row[4]))
    return _gathered(path, _pictures(_files(path, pictures), tuple(names[k] for k in order)), rows)


def _pictures(files: Sequence[Path], classes: tuple[str, ...]) -> Pictures:
    return Samples(tuple(Picture(str(file), file) for file in files), np.full(len(files), -1, np.int32), classes)


def _gathered(path: Path, pictures: Pictures, rows: Sequence[Any]) -> BoxPictures:
    boxes = [np.array(each, np.float32).reshape(-1, 6) for each in rows]
    every = np.concatenate(boxes) if boxes else np.zeros((0, 6))
    if not len(every):
        raise DataError(f"{path} holds pictures but no boxes")
    if not np.isfinite(every).all():
        raise DataError(f"{path} is damaged: a box has numbers that are not finite")
    for each in boxes:
        each[:, :4] = each[:, :4].clip(0, 1)
    return BoxPictures(pictures, tuple(each[(each[:, 2:4] > each[:, :2]).all(1)] for each in boxes))
