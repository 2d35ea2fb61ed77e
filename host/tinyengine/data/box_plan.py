"""Boxes out of the integers of a detector, by integers: what a device does, and the same here, number for number.

A plan holds all that follows from a network's MODEL.json and from the quantization of its outputs: numbers, and for a
``grid`` head tables of the logistic function and the exponential. Shares of the picture, scores and overlaps are
multiples of 1 / ONE. An output's value is taken as its *level*, 0 to 255 whatever its type; real = scale * (level -
zero).

Of all candidates that are sure enough the ``capacity`` best are kept, equal ones in their order; of these, from the
best one on, each that no kept one of its class overlaps too much, until there are ``most``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from tinyengine.data.boxes import (
    HEADS,
    Box,
    BoxHead,
    found_patches,
    grid_cells,
    points_shape,
    points_width,
    say_what_it_is,
)
from tinyengine.data.numbers import Quantized
from tinyengine.errors import DataError

ONE = 1 << 15
_CANDIDATES = 10
"""For each box that is wanted: neighbours in a grid find the same object, and all but one of them are suppressed."""
_LARGEST = (1 << 31) - 1
_OF_SSD = 4
_MOST_CELLS = (1 << 16) - 1


@dataclass(frozen=True, eq=False)
class BoxPlan:
    """As te_box_head of te_boxes.h has it, with the same names; tables are empty but for a grid."""

    kind: int  # index into HEADS
    threshold: int
    overlap: int
    most: int
    capacity: int
    flip: int = 0  # a byte XOR this is its level
    zero: int = 0
    rows: int = 0
    columns: int = 0
    count: int = 0  # candidates
    classes: int = 0  # values of a candidate that are classes
    across: int = 0  # values from one candidate to the next, and
    down: int = 0  # from one value of a candidate to the next
    objectness: bool = False
    score_factor: int = 0  # of a level, in 1 / (ONE << 16)
    width_factor: int = 0
    height_factor: int = 0
    anchors: np.ndarray = field(default_factory=lambda: np.zeros((0, 2), np.uint32))  # half of width, height: 27 bits
    logistic: np.ndarray = field(default_factory=lambda: np.zeros(0, np.uint16))  # by level, as all below
    power: np.ndarray = field(default_factory=lambda: np.zeros(0, np.uint16))  # by how far below the largest one
    exponential: np.ndarray = field(default_factory=lambda: np.zeros(0, np.uint32))  # 16 fraction bits
    place_x: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int32))
    place_y: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int32))

    @property
    def cells(self) -> int:
        """What a heatmap's patches are found in: a number for each place."""
        return self.rows * self.columns if HEADS[self.kind] == "heatmap" else 0

    @property
    def nbytes(self) -> int:
        """What the device keeps while it looks for boxes: te_box has 12 bytes."""
        return 12 * self.capacity + 2 * self.cells


def plan_boxes(ports: Sequence[Quantized], head: BoxHead, size: tuple[int, int], classes: int = 0) -> BoxPlan | None:
    """The plan for outputs of 8 bits, and for those of an ``ssd`` head in float32; None for others.

    ``size``: rows and columns of the input; ``classes``: how many have names, 0 if none has. DataError where the
    outputs are not what the head says.
    """
    plan = partial(BoxPlan, HEADS.index(head.head), round(head.threshold * ONE), round(head.overlap * ONE), head.most)
    if head.head == "ssd":
        counts = [int(np.prod(port.shape)) for port in ports]
        if len(ports) != _OF_SSD or counts[0] != 4 * counts[2] or counts[1] != counts[2] or counts[3] != 1:
            raise DataError(f"an ssd head has boxes, classes, scores and their number in this order: {say_what_it_is}")
        in_float = all(port.dtype == "float32" for port in ports)
        return plan(capacity=head.most, count=counts[2]) if in_float else None
    if len(ports) != 1:
        raise DataError(
            f"boxes of a {head.head} head come in one output, this network has {len(ports)}: {say_what_it_is}"
        )
    [port] = ports
    if port.dtype not in ("int8", "uint8"):
        return None
    flip = 0x80 if port.dtype == "int8" else 0
    plan = partial(plan, flip=flip, zero=port.zero_point + flip)
    if head.head == "heatmap":
        rows, columns, depth = _three(port.shape, head)
        if rows * columns > _MOST_CELLS:
            return None
        return plan(
            capacity=head.most,
            rows=rows,
            columns=columns,
            count=rows * columns,
            classes=depth,
            across=depth,
            down=1,
            score_factor=_factor(port, 1),
        )
    if head.head == "points":
        shape = points_shape(port.shape, head, classes)
        width, first = points_width(shape, head, classes)
        lie = shape[1] == width
        count = shape[0] if lie else shape[1]
        sides = (size[1], size[0]) if head.unit == "pixel" else (1, 1)
        return plan(
            capacity=_capacity(head, count),
            count=count,
            classes=width - first,
            across=width if lie else 1,
            down=1 if lie else count,
            objectness=head.objectness,
            score_factor=_factor(port, 1),
            width_factor=_factor(port, sides[0]),
            height_factor=_factor(port, sides[1]),
        )
    rows, columns, depth = _three(port.shape, head)
    numbers = grid_cells((rows, columns, depth), head)
    count = rows * columns * len(head.anchors)
    real = port.scale * (np.arange(256) - port.zero_point - flip)
    logistic = 1 / (1 + np.exp(-real.clip(-60, 60)))
    middle = 0.5 + head.reach * (logistic - 0.5)
    return plan(
        capacity=_capacity(head, count),
        rows=rows,
        columns=columns,
        count=count,
        classes=numbers - 5,
        across=numbers,
        down=1,
        anchors=np.rint(np.array(head.anchors) * (1 << 26)).astype(np.uint32),
        logistic=np.rint(logistic * ONE).astype(np.uint16),
        power=np.rint(np.exp(-port.scale * np.arange(256)) * ONE).astype(np.uint16),
        exponential=np.rint(np.exp(real.clip(-20, 20)) * (1 << 16)).clip(0, _LARGEST).astype(np.uint32),
        place_x=np.rint(middle / columns * ONE).astype(np.int32),
        place_y=np.rint(middle / rows * ONE).astype(np.int32),
    )


def _factor(port: Quantized, side: int) -> int:
    return min(round(port.scale * (ONE << 16) / side), _LARGEST)


def _three(shape: tuple[int, ...], head: BoxHead) -> tuple[int, int, int]:
    if len(shape) == 3 and (head.head == "grid" or shape[2] >= 2):
        return shape[0], shape[1], shape[2]
    form = "(rows, columns, 1 + classes)" if head.head == "heatmap" else "(rows, columns, numbers)"
    raise DataError(f"a {head.head} is {form}, this output is {[1, *shape]}: {say_what_it_is}")


def _capacity(head: BoxHead, count: int) -> int:
    return min(count, max(head.most, min(_CANDIDATES * head.most, 0xFFFF)))


def planned_boxes(plan: BoxPlan, outputs: Sequence[np.ndarray]) -> list[Box]:
    """The boxes in a network's outputs as they are, best first: what te_boxes_find finds."""
    kind = HEADS[plan.kind]
    if kind == "ssd":
        return [_box(each) for each in _kept(_listed(plan, outputs), plan.most)]
    levels = outputs[0].reshape(-1).view(np.uint8) ^ np.uint8(plan.flip)
    values = levels.astype(np.int64)
    if kind == "heatmap":
        return [_box(each) for each in _kept(_patches(plan, values), plan.most)]
    rows = values[np.arange(plan.count)[:, None] * plan.across + np.arange(_numbers(plan)) * plan.down]
    found = (_points if kind == "points" else _grid)(plan, rows)
    return [_box(each) for each in _apart(plan, _kept(found, plan.capacity))]


def _box(found: _Found) -> Box:
    score, index, *edges = found
    return box_of(index, score, *edges)


_Found = tuple[int, int, int, int, int, int]
"""Score, class, left, top, right, bottom."""


def box_of(index: int, score: int, *edges: int) -> Box:
    """From the numbers of a te_box."""
    left, top, right, bottom = (edge / ONE for edge in edges)
    return Box(index, score / ONE, left, top, right, bottom)


def _numbers(plan: BoxPlan) -> int:
    return (4 + plan.objectness if HEADS[plan.kind] == "points" else 5) + plan.classes


def _kept(found: Sequence[_Found], most: int) -> list[_Found]:
    return sorted(found, key=lambda each: -each[0])[:most]


def _apart(plan: BoxPlan, ranked: Sequence[_Found]) -> list[_Found]:
    kept: list[_Found] = []
    for each in ranked:
        if len(kept) == plan.most:
            break
        if not any(other[1] == each[1] and _over(plan, other, each) for other in kept):
            kept.append(each)
    return kept


def _over(plan: BoxPlan, a: _Found, b: _Found) -> bool:
    wide, high = min(a[4], b[4]) - max(a[2], b[2]), min(a[5], b[5]) - max(a[3], b[3])
    if wide <= 0 or high <= 0:
        return False
    both = wide * high
    union = sum((box[4] - box[2]) * (box[5] - box[3]) for box in (a, b)) - both
    return both * ONE > plan.overlap * union


def _scaled(levels: np.ndarray, zero: int, factor: int, bits: int = 16) -> np.ndarray:
    return ((levels - zero) * factor + (1 << (bits - 1))) >> bits


def _edges(x: np.ndarray, y: np.ndarray, half_x: np.ndarray, half_y: np.ndarray) -> np.ndarray:
    return np.stack([x - half_x, y - half_y, x + half_x, y + half_y], axis=1).clip(0, ONE)


def _sure(plan: BoxPlan, score: np.ndarray, best: np.ndarray, edges: np.ndarray) -> list[_Found]:
    chosen = np.flatnonzero(score >= plan.threshold)
    return [(int(score[i]), int(best[i]), *map(int, edges[i])) for i in chosen]  # type: ignore[misc]


def _points(plan: BoxPlan, rows: np.ndarray) -> list[_Found]:
    first = 4 + plan.objectness
    best = rows[:, first:].argmax(1)
    score = _scaled(rows[np.arange(plan.count), first + best], plan.zero, plan.score_factor).clip(0, ONE)
    if plan.objectness:
        there = _scaled(rows[:, 4], plan.zero, plan.score_factor).clip(0, ONE)
        score = (score * there + ONE // 2) >> 15
    x, y = _scaled(rows[:, 0], plan.zero, plan.width_factor), _scaled(rows[:, 1], plan.zero, plan.height_factor)
    half_x, half_y = (
        _scaled(rows[:, k], plan.zero, factor, 17).clip(0)
        for k, factor in ((2, plan.width_factor), (3, plan.height_factor))
    )
    return _sure(plan, score, best, _edges(x, y, half_x, half_y))


def _grid(plan: BoxPlan, rows: np.ndarray) -> list[_Found]:
    place, anchor = np.divmod(np.arange(plan.count), len(plan.anchors))
    row, column = np.divmod(place, plan.columns)
    x = _edge(column, plan.columns) + plan.place_x[rows[:, 0]]
    y = _edge(row, plan.rows) + plan.place_y[rows[:, 1]]
    half = plan.exponential[rows[:, 2:4]].astype(np.int64) * plan.anchors[anchor]
    half = (half + (1 << 27)) >> 28
    score = plan.logistic[rows[:, 4]].astype(np.int64)
    best = np.zeros(plan.count, np.int64)
    if plan.classes:
        best = rows[:, 5:].argmax(1)
        total = plan.power[rows[:, 5:].max(1, keepdims=True) - rows[:, 5:]].astype(np.int64).sum(1)
        score = (score * ((ONE * ONE + total // 2) // total) + ONE // 2) >> 15
    return _sure(plan, score, best, _edges(x, y, half[:, 0], half[:, 1]))


def _edge(number: np.ndarray | int, of: int) -> np.ndarray:
    """The beginning of row or column ``number``, as a share."""
    return np.asarray((number * ONE + of // 2) // of)


def _patches(plan: BoxPlan, values: np.ndarray) -> list[_Found]:
    cells = values.reshape(plan.rows, plan.columns, plan.classes)
    scores = _scaled(cells, plan.zero, plan.score_factor).clip(0, ONE)
    found = []
    for index, patch in found_patches(cells, scores >= plan.threshold):
        rows, columns = (np.array(each) for each in zip(*patch, strict=True))
        edges = (
            _edge(columns.min(), plan.columns),
            _edge(rows.min(), plan.rows),
            _edge(columns.max() + 1, plan.columns),
            _edge(rows.max() + 1, plan.rows),
        )
        found.append((int(scores[rows, columns, index].max()), index - 1, *map(int, edges)))
    return found  # type: ignore[return-value]


def _listed(plan: BoxPlan, outputs: Sequence[np.ndarray]) -> list[_Found]:
    corners, classes, scores, count = (np.asarray(values, np.float32).reshape(-1) for values in outputs)
    there = int(min(count[0], plan.count)) if count[0] > 0 else 0
    found = []
    for i in range(there):
        score = _share(scores[i])
        if score >= plan.threshold:
            top, left, bottom, right = map(_share, corners[4 * i : 4 * i + 4])
            index = int(classes[i]) if 0 < classes[i] < 0xFFFF else 0
            found.append((score, index, left, top, right, bottom))
    return found


def _share(value: np.float32) -> int:
    """In single precision; what is no number is 0."""
    return ONE if value >= 1 else int(value * np.float32(ONE) + np.float32(0.5)) if value > 0 else 0
