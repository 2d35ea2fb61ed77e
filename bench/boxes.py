#!/usr/bin/env python3
"""How well a detector of persons, or of faces with and without mask, finds them: average precision, and what its
threshold means.

\b
    bench/boxes.py                               the shipped ones
    bench/boxes.py mine.tflite --json

Needs TINYENGINE_SHARED. Persons are measured with person_boxes_val: 505 photographs that nothing is trained on, with
boxes by hand; faces with the 260 of face_boxes that are held out. A mask that leaves mouth or nose free counts as none.
Boxes are those that a board makes: its C code, compiled for this computer, and its integers.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import click
import numpy as np
from tinyengine import native
from tinyengine.compiler import CompileOptions, compile_model
from tinyengine.data.box_pictures import read_boxes
from tinyengine.data.box_plan import ONE, planned_boxes
from tinyengine.data.boxes import Box
from tinyengine.data.metadata import load_metadata
from tinyengine.data.numbers import open_arrays
from tinyengine.errors import DataError
from tinyengine.paths import project_root, shared_dir
from tinyengine.recipes.average_precision import (
    Precision,
    as_one,
    average_precision,
    confused,
    found_and_wrong,
)

THRESHOLDS = (0.2, 0.3, 0.4, 0.5, 0.6)
LEAST, MOST = 0.02, 100  # of the boxes that the average precision is measured on


PERSONS, FACES = ("person",), ("mask", "no_mask")
SETS: dict[tuple[str, ...], tuple[str, tuple[str, ...]]] = {
    PERSONS: ("person_boxes_val.npz", PERSONS),
    FACES: ("face_boxes.npz", ("mask=face with mask", "no_mask=face without mask,mask worn incorrectly")),
}
"""By a network's classes: pictures, and what of them it finds (as ``fit --class`` has it)."""
SHIPPED = ("person_boxes", "face_mask")


@dataclass(frozen=True)
class Threshold:
    """Per cent, from a score on: of the objects those that are found, of the boxes those that are right whatever class
    they say, and of these those that say the right class (None where there is one class, or where none is found)."""

    score: float
    recall: float
    precision: float
    class_right: float | None


@dataclass(frozen=True)
class Quality:
    """One network. ``precision``: AP50 in per cent of all classes as one, by the boxes' share of the picture too;
    ``by_class`` of each, where there are several."""

    network: str
    pictures: int
    precision: Precision
    by_class: dict[str, Precision]
    thresholds: tuple[Threshold, ...]


def measure(path: Path) -> Quality:
    """DataError where the shared folder is missing, or for a network that is no detector of pictures."""
    shared = shared_dir()
    if shared is None:
        raise DataError("the shared folder with boxed pictures is not there: set TINYENGINE_SHARED to it")
    compiled = compile_model(path, CompileOptions())
    if compiled.boxes is None:
        raise DataError(f"the boxes of {path.name} are not made on a device: give an int8 detector with its .json")
    height, width, channels = compiled.graph.tensor(compiled.graph.inputs[0].tensor).hwc()
    meaning = load_metadata(path)
    names = meaning.classes if meaning is not None else ()
    if names not in SETS:
        raise DataError(f"{path.name} finds {[*names]}: there are pictures for {' and for '.join(map(str, SETS))}")
    file, wanted = SETS[names]
    data = read_boxes(shared / "data" / file, held_out="split" in open_arrays(shared / "data" / file))
    data = data.of_classes(wanted)
    pixels = data.pictures.decoded((height, width), channels).values
    network = native.build(compiled, fast=True)
    wide = replace(compiled.boxes, threshold=round(LEAST * ONE), most=MOST, capacity=10 * MOST)
    found = []
    for picture in (pixels.astype(np.int16) - 128).astype(np.int8):
        found.append(planned_boxes(wide, network.run([picture[None]])))
    by_class = {}
    if len(names) > 1:
        for index, name in enumerate(names):
            mine = [[box for box in each if box.index == index] for each in found]
            by_class[name] = average_precision(*as_one(mine, [each[each[:, 4] == index] for each in data.boxes]), 1)
    thresholds = tuple(_threshold(found, data.boxes, score, len(names)) for score in THRESHOLDS)
    return Quality(path.stem, len(data), average_precision(*as_one(found, data.boxes), 1), by_class, thresholds)


def _threshold(found: Sequence[Sequence[Box]], boxes: Sequence[np.ndarray], score: float, classes: int) -> Threshold:
    sure = [[box for box in each if box.score >= score] for each in found]
    right, wrong, count = found_and_wrong(*as_one(sure, boxes), 0)
    table = confused(sure, boxes, classes)
    said = 100 * float(np.trace(table)) / int(table.sum()) if classes > 1 and table.any() else None
    return Threshold(score, 100 * right / count, 100 * right / max(right + wrong, 1), said)


@click.command(help=__doc__)
@click.argument("networks", nargs=-1, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
def main(networks: tuple[Path, ...], as_json: bool) -> None:
    """Measure and print."""
    found = [measure(path) for path in networks or [project_root() / "models" / f"{name}.tflite" for name in SHIPPED]]
    if as_json:
        click.echo(json.dumps([asdict(each) for each in found], indent=2))
        return
    for each in found:
        ap = each.precision
        click.echo(f"{each.network}: AP50 {ap.ap50:.1f} of {ap.count} boxes in {each.pictures} pictures")
        click.echo(f"  by share of the picture: {_sizes(ap)}")
        for name, one in each.by_class.items():
            click.echo(f"  {name}: AP50 {one.ap50:.1f} of {one.count}; by share of the picture: {_sizes(one)}")
        for line in each.thresholds:
            said = "" if line.class_right is None else f", class right of {line.class_right:.0f} % of these"
            told = f"finds {line.recall:.0f} %, of its boxes right {line.precision:.0f} %"
            click.echo(f"  from {line.score:.1f} on: {told}{said}")


def _sizes(ap: Precision) -> str:
    known = {name: each for name, each in ap.by_size.items() if each[0] is not None}
    return ", ".join(f"{name} {value:.1f} ({count})" for name, (value, count) in known.items())


if __name__ == "__main__":
    main()
