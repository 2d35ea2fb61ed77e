"""How well a detector finds what has been boxed by hand: average precision at an overlap of one half (AP50)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tinyengine.data.box_pictures import COUNTS
from tinyengine.data.boxes import Box, overlaps_with

SIZES = {"below 1 %": (0.0, 0.01), "1-5 %": (0.01, 0.05), "5-20 %": (0.05, 0.2), "above 20 %": (0.2, 1.01)}
"""Shares of the picture."""
_ALL = (0.0, 1.01)
OVERLAP = 0.5


@dataclass(slots=True)
class Precision:
    """In per cent, the mean over the classes; None where there is nothing to find. ``count``: boxes to be found."""

    ap50: float | None
    count: int
    by_size: dict[str, tuple[float | None, int]]


def average_precision(found: Sequence[Sequence[Box]], boxes: Sequence[np.ndarray], classes: int) -> Precision:
    """``found``: of each picture, whatever score they have; ``boxes``: as ``BoxPictures`` has them.

    The area below the curve of precision over recall, precision being the best at this or a higher recall (as VOC
    since 2010). Each found box takes the box of its class that it overlaps most, among those that nothing better has
    taken. What overlaps an ignored box by half of its own area counts neither way, nor does, in a class of sizes, what
    meets a box of another size, or meets none and has another size itself.
    """

    def mean(limits: tuple[float, float]) -> tuple[float | None, int]:
        values = [_of_class(found, boxes, index, limits) for index in range(classes)]
        known = [value for value, _ in values if value is not None]
        return (float(np.mean(known)) if known else None), sum(count for _, count in values)

    ap50, count = mean(_ALL)
    return Precision(ap50, count, {name: mean(limits) for name, limits in SIZES.items()})


def found_and_wrong(found: Sequence[Sequence[Box]], boxes: Sequence[np.ndarray], index: int) -> tuple[int, int, int]:
    """Of a class: how many found boxes are right, how many are wrong, how many there are to be found."""
    _, right, count = _matched(found, boxes, index, _ALL)
    return sum(right), len(right) - sum(right), count


def _of_class(
    found: Sequence[Sequence[Box]], boxes: Sequence[np.ndarray], index: int, limits: tuple[float, float]
) -> tuple[float | None, int]:
    scores, right, count = _matched(found, boxes, index, limits)
    if not count:
        return None, 0
    hits = np.array(right, bool)[np.argsort(-np.array(scores), kind="stable")] if scores else np.zeros(0, bool)
    recall = np.cumsum(hits) / count
    precision = np.cumsum(hits) / np.arange(1, len(hits) + 1)
    precision = np.maximum.accumulate(precision[::-1])[::-1]
    steps = np.diff(recall, prepend=0.0)
    return 100 * float((steps * precision).sum()), count


def _matched(
    found: Sequence[Sequence[Box]], boxes: Sequence[np.ndarray], index: int, limits: tuple[float, float]
) -> tuple[list[float], list[bool], int]:
    """The scores of found boxes that count, whether each is right, and how many there are to be found."""
    scores: list[float] = []
    right: list[bool] = []
    count = 0
    for mine, each in zip(found, boxes, strict=True):
        truth = each[each[:, 4] == index]
        area = (truth[:, 2] - truth[:, 0]) * (truth[:, 3] - truth[:, 1])
        counts = (truth[:, 5] == COUNTS) & (area >= limits[0]) & (area < limits[1])
        count += int(counts.sum())
        for box, best in _paired([box for box in mine if box.index == index], truth):
            if best is not None:
                if counts[best]:
                    scores.append(box.score)
                    right.append(True)
                continue
            edges = _edges(box)
            own = float((edges[2:] - edges[:2]).prod())
            if limits[0] <= own < limits[1] and not _hidden(edges, truth[truth[:, 5] != COUNTS]):
                scores.append(box.score)
                right.append(False)
    return scores, right, count


def confused(found: Sequence[Sequence[Box]], boxes: Sequence[np.ndarray], classes: int) -> np.ndarray:
    """(classes, classes) int: of boxes of each class that are found, whatever class that says, as how many of which."""
    table = np.zeros((classes, classes), int)
    for mine, truth in zip(found, boxes, strict=True):
        for box, best in _paired(mine, truth):
            if best is not None:
                table[int(truth[best, 4]), box.index] += 1
    return table


def as_one(found: Sequence[Sequence[Box]], boxes: Sequence[np.ndarray]) -> tuple[list[list[Box]], list[np.ndarray]]:
    """The same, all of class 0."""
    columns = np.array([1, 1, 1, 1, 0, 1], np.float32)
    return [[replace(box, index=0) for box in each] for each in found], [each * columns for each in boxes]


def _paired(found: Sequence[Box], truth: np.ndarray) -> Iterator[tuple[Box, int | None]]:
    """Found boxes, best first, and of the ``truth`` (K, 6) the one that each takes."""
    free = truth[:, 5] == COUNTS
    for box in sorted(found, key=lambda box: -box.score):
        overlaps = np.where(free, overlaps_with(_edges(box), truth[:, :4]), -1.0)
        best = int(overlaps.argmax()) if len(overlaps) else None
        if best is not None and overlaps[best] < OVERLAP:
            best = None
        if best is not None:
            free[best] = False
        yield box, best


def _edges(box: Box) -> np.ndarray:
    return np.array([box.left, box.top, box.right, box.bottom])


def _hidden(edges: np.ndarray, ignored: np.ndarray) -> bool:
    """Whether half of a box lies in one that is ignored."""
    sides = (np.minimum(edges[2:], ignored[:, 2:4]) - np.maximum(edges[:2], ignored[:, :2])).clip(0)
    return bool((sides.prod(1) >= OVERLAP * max(float((edges[2:] - edges[:2]).prod()), 1e-12)).any())
