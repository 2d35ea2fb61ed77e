"""What the outputs of an object detector mean: boxes.

A MODEL.json whose ``task`` is ``detection`` says under ``boxes`` how its outputs are read. ``head``:

- ``heatmap`` (FOMO): one output (rows, columns, 1 + classes) of probabilities, the first that nothing is there. Cells
  that touch and in which the same class is found are one object.
- ``points`` (YOLOv8 and its like): one output (4 + classes, N) or (N, 4 + classes): centre, size, a score per class;
  with ``"objectness": true`` (YOLOv5) 5 + classes, each score times the fifth. ``unit``: ``input`` if centre and
  size are shares of the input's sides, or ``pixel``.
- ``grid`` (YOLOv2 and its like, and ``fit --task detection``): one output (rows, columns, anchors * (5 + classes)) of
  logits: where in its cell the centre is, logarithm of the size over that of the anchor, objectness, classes, which may
  be left out where there is only one. ``anchors``: their widths and heights as shares of the input's sides. ``reach``:
  the width, in cells, of the part around its cell's middle in which a centre may lie (1: the cell itself).
- ``ssd``: the four outputs of TFLite_Detection_PostProcess.

``threshold`` is the least score, ``overlap`` how much of their union two boxes of a class may share, ``most`` how many
boxes there are at most.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from math import prod
from typing import Any

import numpy as np

from tinyengine.data.keys import check_keys, listed
from tinyengine.errors import DataError

HEADS = ("heatmap", "points", "grid", "ssd")
UNITS = ("input", "pixel")
MOST = 1000
"""Boxes of a picture."""
MOST_REACH = 16
"""Cells."""


@dataclass(frozen=True)
class BoxHead:
    """How a detector's outputs are read; see the module."""

    head: str
    threshold: float = 0.25
    overlap: float = 0.45
    most: int = 20
    unit: str = "input"
    objectness: bool = False
    anchors: tuple[tuple[float, float], ...] = ()
    reach: float = 1.0

    def to_data(self) -> dict[str, Any]:
        """As a MODEL.json has it."""
        plain = BoxHead(self.head)
        said = {key: value for key, value in asdict(self).items() if value != getattr(plain, key)}
        return {"head": self.head} | said


@dataclass(frozen=True)
class Box:
    """An object: its class, how sure that is, and where it is, as shares of the picture's width and height."""

    index: int
    score: float
    left: float
    top: float
    right: float
    bottom: float

    def within(self, part: tuple[int, int, int, int], whole: tuple[int, int]) -> Box:
        """The same box for the whole picture (width, height), of which the network saw ``part`` (left, top, right,
        bottom)."""
        left, top, right, bottom = part

        def across(share: float) -> float:
            return (left + share * (right - left)) / whole[0]

        def down(share: float) -> float:
            return (top + share * (bottom - top)) / whole[1]

        edges = across(self.left), down(self.top), across(self.right), down(self.bottom)
        return Box(self.index, self.score, *edges)


KNOWN = tuple(each.name for each in fields(BoxHead))


def parse_boxes(data: Any, origin: str, lenient: bool = False) -> BoxHead:
    """``boxes`` of a MODEL.json; DataError, except if ``lenient`` also for keys that we do not know."""
    if not isinstance(data, dict) or data.get("head") not in HEADS:
        raise DataError(f'{origin}: "boxes" must be an object with a head, one of {listed(HEADS)}')
    if not lenient:
        check_keys(data, KNOWN, f'{origin}: "boxes"')
    anchors = data.get("anchors", [])
    pairs = anchors if isinstance(anchors, list) else [anchors]
    fit = all(isinstance(pair, list) and len(pair) == 2 and all(map(_share, pair)) for pair in pairs)
    if not fit or (data["head"] == "grid") != bool(pairs):
        raise DataError(f"{origin}: anchors are pairs of width and height, and only a grid head has them")
    values = {key: value for key, value in data.items() if key in KNOWN}
    for key, fits, what in (
        ("threshold", _share, "a number from 0 to 1"),
        ("overlap", _share, "a number from 0 to 1"),
        ("most", _count, f"a number from 1 to {MOST}"),
        ("reach", lambda reach: _number(reach) and 0 < reach <= MOST_REACH, f"a number up to {MOST_REACH}, above 0"),
        ("unit", lambda unit: unit in UNITS, " or ".join(UNITS)),
        ("objectness", lambda flag: isinstance(flag, bool), "true or false"),
    ):
        if key in values and not fits(values[key]):
            raise DataError(f"{origin}: {key} of boxes is {values[key]!r}, but must be {what}")
    return BoxHead(**values | {"anchors": tuple((float(width), float(height)) for width, height in pairs)})


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _share(value: Any) -> bool:
    return _number(value) and 0 <= value <= 1


def _count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value <= MOST


def find_boxes(outputs: Sequence[np.ndarray], head: BoxHead, size: tuple[int, int], classes: int = 0) -> list[Box]:
    """The boxes in a network's ``outputs`` (real values), best first. ``size``: rows and columns of its input;
    ``classes``: how many have names, 0 if none has. DataError where the outputs are not what the head says."""
    if head.head == "ssd":
        return _listed(outputs, head)
    if len(outputs) != 1:
        raise DataError(
            f"boxes of a {head.head} head come in one output, this network has {len(outputs)}: {say_what_it_is}"
        )
    if head.head == "heatmap":
        return _objects(outputs[0], head)
    corners, scores = _points(outputs[0], head, size, classes) if head.head == "points" else _grid(outputs[0], head)
    return suppress(corners, scores, head)


say_what_it_is = "write what it has into its MODEL.json (docs/detection.md)"


def suppress(corners: np.ndarray, scores: np.ndarray, head: BoxHead) -> list[Box]:
    """Of candidates (N, 4: left, top, right, bottom) with ``scores`` (N, classes), those that no better one of the same
    class overlaps. Equal ones keep their order."""
    best = scores.argmax(1)
    score = scores[np.arange(len(scores)), best]
    order = [int(i) for i in np.argsort(-score, kind="stable") if score[i] >= head.threshold]
    corners = corners.clip(0, 1)
    kept: list[int] = []
    for i in order:
        if len(kept) == head.most:
            break
        mine = [k for k in kept if best[k] == best[i]]
        if not (overlaps_with(corners[i], corners[mine]) > head.overlap).any():
            kept.append(i)
    return [Box(int(best[i]), float(score[i]), *map(float, corners[i])) for i in kept]


def overlaps_with(box: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Intersection over union of a box and each of (N, 4) others; 0 where both are empty."""
    both = (np.minimum(box[2:], others[:, 2:]) - np.maximum(box[:2], others[:, :2])).clip(0).prod(1)
    union = (box[2:] - box[:2]).prod() + (others[:, 2:] - others[:, :2]).prod(1) - both
    return np.where(union > 0, both / np.where(union > 0, union, 1), 0.0)


def points_shape(shape: tuple[int, ...], head: BoxHead, classes: int) -> tuple[int, ...]:
    """An output's shape without axes of 1, and two of them where the places still lie in rows and columns, as where the
    compiler has found a last RESHAPE to change nothing."""
    shape = tuple(n for n in shape if n != 1) or (1,)
    if len(shape) <= 2:
        return shape
    of_one = (5 if head.objectness else 4) + classes
    last = shape[-1] == of_one if classes else shape[-1] < shape[0]
    return (prod(shape[:-1]), shape[-1]) if last else (shape[0], prod(shape[1:]))


def points_width(shape: tuple[int, ...], head: BoxHead, classes: int) -> tuple[int, int]:
    """How many values a candidate of a ``points`` head has, and the first of those that are classes.

    The axis of the candidates is the one that does not have 4 (or 5) values and the classes; without names the longer
    one."""
    first = 5 if head.objectness else 4
    if len(shape) != 2 or min(shape) <= first:
        raise DataError(f"a points head is (N, {first} + classes), this output is {list(shape)}: {say_what_it_is}")
    width = first + classes if classes else min(shape)
    if width not in shape:
        raise DataError(f"the output {list(shape)} has no axis of {first} + {classes} classes: {say_what_it_is}")
    return width, first


def _points(values: np.ndarray, head: BoxHead, size: tuple[int, int], classes: int) -> tuple[np.ndarray, np.ndarray]:
    values = values.reshape(points_shape(values.shape, head, classes))
    width, first = points_width(values.shape, head, classes)
    rows = values if values.shape[1] == width else values.T
    centre, half = rows[:, :2], rows[:, 2:4].clip(0) / 2
    corners = np.concatenate([centre - half, centre + half], axis=1)
    if head.unit == "pixel":
        corners = corners / [size[1], size[0], size[1], size[0]]
    scores = rows[:, first:]
    return corners, scores * rows[:, 4:5] if head.objectness else scores


def grid_cells(shape: tuple[int, ...], head: BoxHead) -> int:
    """How many numbers an anchor has in an output (rows, columns, numbers) of a ``grid`` head."""
    count = len(head.anchors)
    if len(shape) != 3 or not count or shape[2] % count or shape[2] // count < 5:
        raise DataError(
            f"a grid head of {count} anchors is (rows, columns, {count} * (5 + classes)), this output is "
            f"{list(shape)}: {say_what_it_is}"
        )
    return shape[2] // count


def _grid(output: np.ndarray, head: BoxHead) -> tuple[np.ndarray, np.ndarray]:
    values = output.reshape(output.shape[-3:]) if output.ndim >= 3 else output
    grid_cells(values.shape, head)
    rows, columns = values.shape[:2]
    cells = values.reshape(rows, columns, len(head.anchors), -1)
    place = np.stack(np.meshgrid(np.arange(columns), np.arange(rows)), axis=-1)[:, :, None]
    centre = (place + 0.5 + head.reach * (_logistic(cells[..., :2]) - 0.5)) / [columns, rows]
    half = np.exp(cells[..., 2:4].clip(-20, 20)) * np.array(head.anchors) / 2
    scores = _logistic(cells[..., 4:5])
    if cells.shape[-1] > 5:
        powers = np.exp(cells[..., 5:] - cells[..., 5:].max(-1, keepdims=True))
        scores = scores * powers / powers.sum(-1, keepdims=True)
    return np.concatenate([centre - half, centre + half], axis=-1).reshape(-1, 4), scores.reshape(-1, scores.shape[-1])


def _objects(output: np.ndarray, head: BoxHead) -> list[Box]:
    values = output.reshape(output.shape[-3:]) if output.ndim >= 3 else output
    if values.ndim != 3 or values.shape[2] < 2:
        raise DataError(
            f"a heatmap is (rows, columns, 1 + classes), this output is {list(output.shape)}: {say_what_it_is}"
        )
    rows, columns, _ = values.shape
    found = []
    for index, cells in found_patches(values, values >= head.threshold):
        score = float(max(values[row, column, index] for row, column in cells))
        top, bottom = min(row for row, _ in cells), max(row for row, _ in cells) + 1
        left, right = min(column for _, column in cells), max(column for _, column in cells) + 1
        found.append(Box(index - 1, score, left / columns, top / rows, right / columns, bottom / rows))
    return sorted(found, key=lambda box: -box.score)[: head.most]


def found_patches(values: np.ndarray, sure: np.ndarray) -> Iterator[tuple[int, list[tuple[int, int]]]]:
    """Of a heatmap's ``values`` (rows, columns, 1 + classes) the classes that are found and the patches of cells where
    they are the likeliest and ``sure`` (of the same shape)."""
    best = values.argmax(-1)
    for index in range(1, values.shape[2]):
        for cells in _patches((best == index) & sure[..., index]):
            yield index, cells


def _patches(marked: np.ndarray) -> Iterator[list[tuple[int, int]]]:
    """Marked cells that hang together by sides or corners, as (row, column), in the order of their first cells."""
    left = dict.fromkeys((int(row), int(column)) for row, column in np.argwhere(marked))
    while left:
        patch = [next(iter(left))]
        del left[patch[0]]
        for row, column in patch:
            for near in ((row + down, column + across) for down in (-1, 0, 1) for across in (-1, 0, 1)):
                if near in left:
                    del left[near]
                    patch.append(near)
        yield patch


def _listed(outputs: Sequence[np.ndarray], head: BoxHead) -> list[Box]:
    if len(outputs) != 4:
        raise DataError(f"an ssd head has four outputs, this network has {len(outputs)}: {say_what_it_is}")
    corners, classes, scores, count = (np.asarray(values, np.float64).reshape(-1) for values in outputs)
    if corners.size != 4 * scores.size or classes.size != scores.size or count.size != 1:
        raise DataError(f"an ssd head has boxes, classes, scores and their number in this order: {say_what_it_is}")
    found = []
    for i in range(min(int(count[0]), scores.size)):
        top, left, bottom, right = corners[4 * i : 4 * i + 4].clip(0, 1)
        if scores[i] >= head.threshold:
            found.append(Box(int(classes[i]), float(scores[i]), float(left), float(top), float(right), float(bottom)))
    return sorted(found, key=lambda box: -box.score)[: head.most]


def _logistic(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x.clip(-60, 60)))
