"""bench/people.py: which pictures of the box files count, thresholds, calibration."""

from __future__ import annotations

import io
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

from tests.helpers import bench_script


@pytest.fixture(scope="module")
def people() -> ModuleType:
    return bench_script.load("people")


def boxes_file(path: Path, sources: list[int], boxes: list[tuple[int, float, int]]) -> None:
    """Pictures of ``sources`` with square boxes (picture, area, ignored)."""
    buffer = io.BytesIO()
    Image.new("RGB", (12, 8)).save(buffer, "JPEG")
    jpeg = np.frombuffer(buffer.getvalue(), np.uint8)
    corners = [(0.1, 0.2, 0.1 + area**0.5, 0.2 + area**0.5) for _, area, _ in boxes]
    np.savez(
        path,
        jpeg=np.tile(jpeg, len(sources)),
        offset=np.arange(len(sources) + 1) * len(jpeg),
        src=np.array(sources),
        src_names=np.array(["coco", "voc2007"]),
        boxes=np.array(corners, np.float32).reshape(-1, 4),
        box_image=np.array([picture for picture, _, _ in boxes], int),
        box_ignore=np.array([ignored for _, _, ignored in boxes], int),
    )


def test_a_picture_counts_where_its_boxes_say_for_sure_whether_a_person_is_there(
    people: ModuleType, tmp_path: Path
) -> None:
    # 0: another source; 1: large; 2: none; 3: small only; 4: ignored only; 5: large beside ignored
    found = [(0, 0.3, 0), (1, 0.3, 0), (1, 0.001, 0), (3, 0.004, 0), (4, 0.3, 1), (5, 0.1, 0), (5, 0.2, 1)]
    boxes_file(tmp_path / "person_boxes_val.npz", [0, 1, 1, 1, 1, 1], found)
    boxes_file(tmp_path / "person_boxes.npz", [1], [])
    pictures, persons = people.voc(tmp_path)
    assert [picture.name.split("/")[-1] for picture in pictures.values] == [
        "person_boxes_val.npz#1",
        "person_boxes_val.npz#2",
        "person_boxes_val.npz#5",
        "person_boxes.npz#0",
    ]
    assert persons.tolist() == [True, False, True, False]


def test_thresholds_keep_what_they_promise(people: ModuleType) -> None:
    rng = np.random.default_rng(0)
    truth = np.arange(4000) % 4 != 0  # 75 % persons
    answers = np.round(1 / (1 + np.exp(-rng.normal(np.where(truth, 2, -2), 1.5))) * 256) / 256
    found = people.quality(answers, truth)
    assert found.pictures == 4000
    assert found.accuracy == pytest.approx(100 * ((answers > 0.5) == truth).mean())
    sensitive, careful = found.recall["95%"], found.precision["95%"]
    assert sensitive.recall >= 95 > 100 * (answers[truth] > sensitive.probability).mean()
    assert careful.precision >= 95
    hits, alarms = (answers[truth] >= careful.probability).mean(), (answers[~truth] >= careful.probability).mean()
    assert careful.precision == pytest.approx(100 * hits / (hits + alarms))  # as if half of the pictures had one
    assert careful.recall == pytest.approx(100 * hits)
    assert found.recall["99%"].probability < sensitive.probability
    assert sum(count for count, _, _ in found.calibration) == 4000
    assert found.balanced == pytest.approx(50 * ((answers[truth] > 0.5).mean() + (answers[~truth] <= 0.5).mean()))


def test_a_precision_that_no_threshold_reaches_is_none(people: ModuleType) -> None:
    truth = np.arange(100) % 2 == 0
    found = people.quality(np.where(truth, 0.4, 0.6), truth)
    assert found.precision == {"95%": None, "99%": None}
    assert found.accuracy == 0
