"""Boxes of the heads that people's detectors have, against decoders written the slow way."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tinyengine.data.boxes import Box, BoxHead, find_boxes, overlaps_with, suppress
from tinyengine.data.images import InputForm
from tinyengine.data.metadata import ModelMetadata, parse_metadata
from tinyengine.errors import DataError

SEEDS = st.integers(0, 1 << 30)


def close(box: Box, index: int, score: float, *edges: float) -> None:
    assert box.index == index
    assert [box.score, box.left, box.top, box.right, box.bottom] == pytest.approx([score, *edges], abs=1e-6)


@settings(max_examples=60, deadline=None)
@given(SEEDS)
def test_nothing_that_is_kept_overlaps_and_nothing_else_is_lost(seed: int) -> None:
    r = np.random.default_rng(seed)
    middle, size = r.random((12, 2)), r.random((12, 2)) / 2
    corners = np.concatenate([middle - size / 2, middle + size / 2], axis=1)
    scores = r.integers(0, 8, (12, 3)) / 8
    head = BoxHead("points", threshold=0.3, overlap=0.4, most=int(r.integers(1, 13)))
    found = suppress(corners, scores, head)
    assert [box.score for box in found] == sorted((box.score for box in found), reverse=True)
    edges = [np.array([box.left, box.top, box.right, box.bottom]) for box in found]
    for i, first in enumerate(found):
        assert first.score >= 0.3
        for k, second in enumerate(found[:i]):
            assert first.index != second.index or overlaps_with(edges[i], edges[k][None])[0] <= 0.4
    if len(found) < head.most:
        for corner, score in zip(corners.clip(0, 1), scores, strict=True):
            index = int(score.argmax())
            kept = any(box.index == index and np.allclose(edge, corner) for box, edge in zip(found, edges, strict=True))
            covered = any(
                box.index == index and box.score >= score[index] and overlaps_with(edge, corner[None])[0] > 0.4
                for box, edge in zip(found, edges, strict=True)
            )
            assert kept or covered or score[index] < 0.3


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("unit", ["input", "pixel"])
def test_points(turned: bool, unit: str) -> None:
    rows = np.zeros((30, 6))
    rows[4] = [0.5, 0.25, 0.2, 0.1, 0.1, 0.9]
    rows[7] = [0.52, 0.25, 0.2, 0.1, 0.2, 0.7]  # the same object
    rows[9] = [0.1, 0.9, 0.4, 0.1, 0.6, 0.3]
    if unit == "pixel":
        rows[:, :4] *= [96, 64, 96, 64]
    found = find_boxes([rows.T[None] if turned else rows[None]], BoxHead("points", unit=unit), (64, 96), 2)
    assert len(found) == 2
    close(found[0], 1, 0.9, 0.4, 0.2, 0.6, 0.3)
    close(found[1], 0, 0.6, 0.0, 0.85, 0.3, 0.95)  # what lies outside of the picture is cut off


def test_points_with_objectness() -> None:
    rows = np.zeros((1, 20, 7))
    rows[0, 3] = [0.5, 0.5, 0.2, 0.2, 0.5, 0.2, 0.8]
    (box,) = find_boxes([rows], BoxHead("points", objectness=True), (32, 32), 2)
    close(box, 1, 0.4, 0.4, 0.4, 0.6, 0.6)


@settings(max_examples=40, deadline=None)
@given(SEEDS)
def test_grid(seed: int) -> None:
    r = np.random.default_rng(seed)
    anchors = ((0.1, 0.3), (0.5, 0.4))
    values = r.normal(0, 2, (1, 3, 4, 2 * 7))
    head = BoxHead("grid", threshold=0.2, overlap=1.0, most=99, anchors=anchors)
    expected = []
    for row in range(3):
        for column in range(4):
            for anchor, (w, h) in enumerate(anchors):
                x, y, width, height, there, *classes = values[0, row, column, 7 * anchor : 7 * anchor + 7]
                powers = np.exp(classes)
                scores = powers / powers.sum() / (1 + np.exp(-there))
                if scores.max() >= 0.2:
                    cx, cy = (column + 1 / (1 + np.exp(-x))) / 4, (row + 1 / (1 + np.exp(-y))) / 3
                    half = w * np.exp(width) / 2, h * np.exp(height) / 2
                    edges = np.clip([cx - half[0], cy - half[1], cx + half[0], cy + half[1]], 0, 1)
                    expected.append((scores.max(), int(scores.argmax()), *edges))
    found = find_boxes([values], head, (96, 96))
    assert len(found) == len(expected)
    for box, (score, index, *edges) in zip(found, sorted(expected, key=lambda each: -each[0]), strict=True):
        close(box, index, score, *edges)


def test_a_heatmap_joins_cells_that_touch() -> None:
    values = np.zeros((1, 6, 8, 3))
    values[..., 0] = 1
    for row, column, index, score in ((1, 1, 1, 0.6), (2, 2, 1, 0.8), (4, 6, 1, 0.7), (0, 5, 2, 0.9), (5, 0, 2, 0.2)):
        values[0, row, column] = [1 - score, 0, 0]
        values[0, row, column, index] = score
    found = find_boxes([values], BoxHead("heatmap", threshold=0.5), (48, 64))
    assert len(found) == 3
    close(found[0], 1, 0.9, 5 / 8, 0, 6 / 8, 1 / 6)
    close(found[1], 0, 0.8, 1 / 8, 1 / 6, 3 / 8, 3 / 6)
    close(found[2], 0, 0.7, 6 / 8, 4 / 6, 7 / 8, 5 / 6)


def test_ssd_lists_as_many_as_it_says() -> None:
    corners = np.array([[[0.1, 0.2, 0.3, 0.4], [0, 0, 1.2, 0.5], [0, 0, 1, 1]]])
    outputs = [corners, np.array([[2.0, 0, 0]]), np.array([[0.5, 0.9, 0.8]]), np.array([2.0])]
    found = find_boxes(outputs, BoxHead("ssd"), (96, 96))
    assert len(found) == 2
    close(found[0], 0, 0.9, 0, 0, 0.5, 1)
    close(found[1], 2, 0.5, 0.2, 0.1, 0.4, 0.3)


@pytest.mark.parametrize(
    ("head", "outputs", "says"),
    [
        (BoxHead("ssd"), [np.zeros((1, 3, 4))], "four outputs"),
        (BoxHead("ssd"), [np.zeros((1, 3, 4)), np.zeros(3), np.zeros(2), np.zeros(1)], "in this order"),
        (BoxHead("points"), [np.zeros((1, 3)), np.zeros(3)], "in one output"),
        (BoxHead("points"), [np.zeros((1, 20, 4))], "4 . classes"),
        (BoxHead("points"), [np.zeros((1, 20, 8))], "no axis of 4 . 3 classes"),
        (BoxHead("heatmap"), [np.zeros((1, 5))], "rows, columns, 1 . classes"),
        (BoxHead("grid", anchors=((1, 1), (2, 2))), [np.zeros((1, 3, 3, 9))], "2 . .5 . classes."),
    ],
)
def test_outputs_of_another_head(head: BoxHead, outputs: list[np.ndarray], says: str) -> None:
    with pytest.raises(DataError, match=says):
        find_boxes(outputs, head, (96, 96), 3)


def test_a_head_survives_the_firmware() -> None:
    meaning = {
        "task": "detection",
        "classes": ["a"],
        "boxes": {"head": "grid", "anchors": [[0.1, 0.2], [0.5, 1]], "threshold": 0.5, "most": 3},
    }
    metadata = parse_metadata(json.dumps(meaning), "net.json")
    assert metadata.boxes == BoxHead("grid", threshold=0.5, most=3, anchors=((0.1, 0.2), (0.5, 1.0)))
    assert parse_metadata(metadata.to_json(), "firmware") == metadata
    assert json.loads(metadata.to_json())["boxes"] == meaning["boxes"]


@pytest.mark.parametrize(
    ("boxes", "says"),
    [
        ("points", "must be an object with a head"),
        ({"threshold": 0.5}, "must be an object with a head"),
        ({"head": "yolo"}, "with a head, one of heatmap, points, grid and ssd"),
        ({"head": "points", "treshold": 0.5}, "do you mean 'threshold'"),
        ({"head": "points", "threshold": 2}, "a number from 0 to 1"),
        ({"head": "points", "most": 0}, "from 1 to 1000"),
        ({"head": "points", "objectness": 1}, "true or false"),
        ({"head": "points", "unit": "meter"}, "unit of boxes is 'meter'"),
        ({"head": "grid"}, "only a grid head has them"),
        ({"head": "grid", "anchors": 3}, "pairs of width and height"),
        ({"head": "ssd", "anchors": [[0.1, 0.1]]}, "only a grid head has them"),
    ],
)
def test_a_head_that_makes_no_sense(boxes: object, says: str) -> None:
    with pytest.raises(DataError, match=says):
        parse_metadata(json.dumps({"task": "detection", "boxes": boxes}), "net.json")


def test_boxes_of_a_part_count_for_the_picture() -> None:
    form = InputForm((10, 10, 3), 1.0, 0, ModelMetadata(crop="center"))
    assert form.part((40, 20)) == (10, 0, 30, 20)
    box = Box(0, 0.5, 0.0, 0.25, 0.5, 1.0).within(form.part((40, 20)), (40, 20))
    assert (box.left, box.top, box.right, box.bottom) == (0.25, 0.25, 0.5, 1.0)
    assert InputForm((10, 10, 3), 1.0, 0, ModelMetadata()).part((40, 20)) == (0, 0, 40, 20)
