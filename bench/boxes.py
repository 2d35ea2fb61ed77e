#!/usr/bin/env python3
"""How well a detector of persons finds them: average precision, and what its threshold means.

\b
    bench/boxes.py                               the shipped one
    bench/boxes.py mine.tflite --json

Needs TINYENGINE_SHARED, of which person_boxes_val is measured with: 505 photographs that nothing is trained on, with
boxes by hand. Boxes are those that a board makes: its C code, compiled for this computer, and its integers.
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
from tinyengine.errors import DataError
from tinyengine.paths import project_root, shared_dir
from tinyengine.recipes.average_precision import Precision, average_precision, found_and_wrong

THRESHOLDS = (0.2, 0.3, 0.4, 0.5, 0.6)
LEAST, MOST = 0.02, 100  # of the boxes that the average precision is measured on


@dataclass(frozen=True)
class Threshold:
    """Per cent of the persons that are found, and of the boxes that are right, from a score on."""

    score: float
    recall: float
    precision: float


@dataclass(frozen=True)
class Quality:
    """One network. ``precision``: AP50 in per cent, by the boxes' share of the picture too."""

    network: str
    pictures: int
    precision: Precision
    thresholds: tuple[Threshold, ...]


def measure(path: Path) -> Quality:
    """DataError where the shared folder is missing, or for a network that is no detector of pictures."""
    shared = shared_dir()
    if shared is None:
        raise DataError("the shared folder with person_boxes_val.npz is not there: set TINYENGINE_SHARED to it")
    compiled = compile_model(path, CompileOptions())
    if compiled.boxes is None:
        raise DataError(f"the boxes of {path.name} are not made on a device: give an int8 detector with its .json")
    height, width, channels = compiled.graph.tensor(compiled.graph.inputs[0].tensor).hwc()
    data = read_boxes(shared / "data" / "person_boxes_val.npz")
    pixels = data.pictures.decoded((height, width), channels).values
    network = native.build(compiled, fast=True)
    wide = replace(compiled.boxes, threshold=round(LEAST * ONE), most=MOST, capacity=10 * MOST)
    found = []
    for picture in (pixels.astype(np.int16) - 128).astype(np.int8):
        found.append(planned_boxes(wide, network.run([picture[None]])))
    classes = max(compiled.boxes.classes, 1)
    thresholds = tuple(_threshold(found, data.boxes, score) for score in THRESHOLDS)
    return Quality(path.stem, len(data), average_precision(found, data.boxes, classes), thresholds)


def _threshold(found: Sequence[Sequence[Box]], boxes: Sequence[np.ndarray], score: float) -> Threshold:
    sure = [[box for box in each if box.score >= score] for each in found]
    right, wrong, count = found_and_wrong(sure, boxes, 0)
    return Threshold(score, 100 * right / count, 100 * right / max(right + wrong, 1))


@click.command(help=__doc__)
@click.argument("networks", nargs=-1, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
def main(networks: tuple[Path, ...], as_json: bool) -> None:
    """Measure and print."""
    found = [measure(path) for path in networks or (project_root() / "models" / "person_boxes.tflite",)]
    if as_json:
        click.echo(json.dumps([asdict(each) for each in found], indent=2))
        return
    for each in found:
        ap = each.precision
        sizes = ", ".join(f"{name} {value:.1f} ({count})" for name, (value, count) in ap.by_size.items() if value)
        click.echo(f"{each.network}: AP50 {ap.ap50:.1f} of {ap.count} boxes in {each.pictures} pictures")
        click.echo(f"  by share of the picture: {sizes}")
        for line in each.thresholds:
            click.echo(
                f"  from {line.score:.1f} on: finds {line.recall:.0f} %, of its boxes right {line.precision:.0f} %"
            )


if __name__ == "__main__":
    main()
