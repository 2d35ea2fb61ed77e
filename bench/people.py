#!/usr/bin/env python3
"""How right person detectors are, with which thresholds, and whether their probability can be believed.

\b
    bench/people.py                              the shipped ones
    bench/people.py mine.tflite --json

Needs TINYENGINE_SHARED. Three sets of pictures, none of which is trained on:

\b
    val    vww_val: what the labels say, which are partly wrong
    clean  those of val whose label the network mcunet-vww1 shares
    voc    photographs of VOC2007 with boxes drawn by hand (in person_boxes and person_boxes_val): a person is there if
           the largest box takes more than 0.5 % of the picture. 83 % show one, so "balanced" is what counts. They are
           made as small as those of val first (104x104); "whole" are the same as they are (up to 224 pixels)

Answers are those of the C code that a board runs, compiled for the host, with exact rounding.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import click
import numpy as np
from PIL import Image
from rich import box
from rich.console import Console
from rich.table import Table
from tinyengine import native
from tinyengine.compiler import CompileOptions, compile_model
from tinyengine.data.images import to_pixels
from tinyengine.data.reader import read_pictures
from tinyengine.data.samples import Pictures, Samples
from tinyengine.errors import DataError
from tinyengine.frontend import load_tflite
from tinyengine.paths import project_root, shared_dir

SHIPPED = ("person_tiny", "person_small", "person_best")
SIDE = 104  # of the pictures of vww_val
SMALLEST = 0.005  # share of the picture that a person's box takes at least
WISHES = (0.95, 0.99)
BINS = 5


@dataclass(frozen=True)
class Threshold:
    """What "person from this probability on" means, had half of the pictures a person."""

    probability: float
    recall: float
    precision: float


@dataclass(frozen=True)
class Quality:
    """One network on one set. Percentages; ``balanced`` is the mean of both classes'.

    ``by_source``: (percentage, pictures) by where a picture comes from, if that is known.
    ``recall``, ``precision``: by wish, the threshold that reaches it with the most of the other; ``calibration``: per
    fifth of the answers 0..1 (pictures, mean answer, share that shows a person).
    """

    pictures: int
    accuracy: float
    balanced: float
    recall: dict[str, Threshold]
    precision: dict[str, Threshold | None]
    calibration: list[tuple[int, float, float]]
    by_source: dict[str, tuple[float, int]] = field(default_factory=dict)


def voc(folder: Path) -> tuple[Pictures, np.ndarray]:
    """The pictures of VOC2007 in the box files, and whether each shows a person (N,) bool.

    Left out are those with nothing but smaller persons, or nothing but persons that the annotators marked difficult.
    """
    pictures, truths = [], []
    for name in ("person_boxes_val", "person_boxes"):
        path = folder / f"{name}.npz"
        found = read_pictures(path, labelled=False)
        with np.load(path) as archive:
            boxes, image, ignored = archive["boxes"], archive["box_image"], archive["box_ignore"] != 0
            here = archive["src"] == list(archive["src_names"]).index("voc2007")
        area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
        largest, doubtful = np.zeros(len(found)), np.zeros(len(found), bool)
        np.maximum.at(largest, image[~ignored], area[~ignored])
        doubtful[image[ignored]] = True
        person = largest > SMALLEST
        sure = person | ((largest == 0) & ~doubtful)
        chosen = np.flatnonzero(here & sure)
        pictures.append(found.take(chosen))
        truths.append(person[chosen])
    values = tuple(picture for each in pictures for picture in each.values)
    return Samples(values, np.full(len(values), -1, np.int32)), np.concatenate(truths)


def probabilities(path: Path, pixels: np.ndarray) -> np.ndarray:
    """(N,) probabilities of a person, for uint8 pictures of the network's size."""
    compiled = compile_model(path, CompileOptions(requant="exact"))
    quant = compiled.graph.tensor(compiled.graph.output_tensors()[0])
    network = native.build(compiled, fast=True)
    inputs = (pixels.astype(np.int16) - 128).astype(np.int8)
    outputs = np.array([network.run([x[None]])[0].ravel()[1] for x in inputs], np.float64)
    return quant.scale * (outputs - quant.zero_point)


def quality(answers: np.ndarray, truth: np.ndarray) -> Quality:
    """Judge (N,) probabilities by (N,) truths."""
    right = (answers > 0.5) == truth
    levels = np.unique(answers)
    recall = np.array([(answers[truth] >= level).mean() for level in levels])
    alarms = np.array([(answers[~truth] >= level).mean() for level in levels])
    precision = recall / np.maximum(recall + alarms, 1e-12)

    def threshold(k: int) -> Threshold:
        return Threshold(float(levels[k]), 100 * float(recall[k]), 100 * float(precision[k]))

    sensitive = {f"{wish:.0%}": threshold(int(np.flatnonzero(recall >= wish)[-1])) for wish in WISHES}
    careful = {
        f"{wish:.0%}": threshold(int(np.flatnonzero(precision >= wish)[0])) if (precision >= wish).any() else None
        for wish in WISHES
    }
    fifth = np.minimum((answers * BINS).astype(int), BINS - 1)
    bins = [(int((fifth == k).sum()), answers[fifth == k], truth[fifth == k]) for k in range(BINS)]
    calibration = [(n, 100 * float(a.mean()), 100 * float(t.mean())) for n, a, t in bins if n]
    balanced = 50 * float(right[truth].mean() + right[~truth].mean())
    return Quality(len(truth), 100 * float(right.mean()), balanced, sensitive, careful, calibration)


def measure(path: Path, folder: Path) -> dict[str, Quality]:
    """By set, the quality of the person detector ``path``."""
    graph = load_tflite(path)
    size = graph.tensor(graph.input_tensors()[0]).shape[1]
    val = read_pictures(folder / "vww_val.npz").decoded(size)
    others, persons = voc(folder)
    small = others.decoded(SIDE)
    shrunk = np.stack([to_pixels(Image.fromarray(pixels), size, size, 3) for pixels in small.values])
    answers, truth = probabilities(path, val.values), val.labels == 1
    clean, right = (val.answers[:, 1] > 0.5) == truth, (answers > 0.5) == truth
    assert val.sources is not None
    here = {name: right[val.sources == k] for k, name in enumerate(val.source_names) if (val.sources == k).any()}
    by_source = {name: (100 * float(values.mean()), len(values)) for name, values in here.items()}
    return {
        "val": replace(quality(answers, truth), by_source=by_source),
        "clean": quality(answers[clean], truth[clean]),
        "voc": quality(probabilities(path, shrunk), persons),
        "whole": quality(probabilities(path, others.decoded(size).values), persons),
    }


def show(found: dict[str, dict[str, Quality]]) -> None:
    """Tables for people."""
    console = Console(highlight=False)
    table = Table(
        "network", "set", "pictures", "right", "balanced", "recall 95 % from", "precision 95 % from", box=box.SIMPLE
    )
    for name, sets in found.items():
        for each, q in sets.items():
            sensitive, careful = q.recall["95%"], q.precision["95%"]
            table.add_row(
                name,
                each,
                f"{q.pictures:,}",
                f"{q.accuracy:.1f} %",
                f"{q.balanced:.1f} %",
                f"{sensitive.probability:.2f}: precision {sensitive.precision:.0f} %",
                f"{careful.probability:.2f}: recall {careful.recall:.0f} %" if careful else "",
            )
    console.print(table)
    for name, sets in found.items():
        for each, q in sets.items():
            cells = [f"{answer:.0f} -> {share:.0f} % ({count})" for count, answer, share in q.calibration]
            console.print(f"{name}, {each}: answered -> true {', '.join(cells)}")


@click.command(help=__doc__)
@click.argument("models", nargs=-1, type=click.Path(path_type=Path, exists=True))
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
def main(models: tuple[Path, ...], as_json: bool) -> None:
    shared = shared_dir()
    if shared is None:
        raise click.ClickException("the pictures are not there: set TINYENGINE_SHARED")
    shipped = [project_root() / "models" / f"{name}.tflite" for name in SHIPPED]
    try:
        found = {path.stem: measure(path, shared / "data") for path in models or shipped}
    except DataError as error:
        raise click.ClickException(str(error)) from error
    if as_json:
        click.echo(json.dumps({n: {s: asdict(q) for s, q in sets.items()} for n, sets in found.items()}, indent=2))
    else:
        show(found)


if __name__ == "__main__":
    main()
