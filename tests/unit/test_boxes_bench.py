"""bench/boxes.py: a detector as the board computes it."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from click.testing import CliRunner
from tinyengine.errors import DataError
from tinyengine.frontend.tflite_writer import write_tflite
from tinyengine.ir.ops import Window

from tests.helpers import bench_script
from tests.helpers.boxed_squares import boxed_squares
from tests.helpers.graphs import GraphBuilder


@pytest.fixture(scope="module")
def bench() -> ModuleType:
    return bench_script.load("boxes")


def detector(path: Path, boxes: dict[str, object] | None, classes: tuple[str, ...] = ("square",)) -> Path:
    b = GraphBuilder(4, "finder")
    numbers = 5 + (len(classes) if len(classes) > 1 else 0)
    b.output(b.conv(b.input(1, 48, 48, 3), numbers, Window((8, 8), (8, 8))))
    write_tflite(b.graph, path)
    if boxes is not None:
        meaning = {"task": "detection", "classes": classes, "boxes": boxes}
        path.with_suffix(".json").write_text(json.dumps(meaning))
    return path


def test_a_detector_is_measured(bench: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "data").mkdir()
    boxed_squares(tmp_path / "data" / "squares.npz", 12, 3)
    monkeypatch.setitem(bench.SETS, ("square",), ("squares.npz", ("square",)))
    monkeypatch.setattr(bench, "shared_dir", lambda: tmp_path)
    head = {"head": "grid", "anchors": [[0.4, 0.4]], "threshold": 0.9, "most": 1, "reach": 2}
    found = bench.measure(detector(tmp_path / "net.tflite", head))
    assert found.pictures == found.precision.count == 12
    assert 0 <= found.precision.ap50 <= 100  # whatever the head's own threshold is
    recalls = [line.recall for line in found.thresholds]
    assert recalls == sorted(recalls, reverse=True) and recalls[0] >= found.precision.ap50 * 0.5
    assert sum(count for _, count in found.precision.by_size.values()) == 12
    assert not found.by_class and all(line.class_right is None for line in found.thresholds)
    monkeypatch.delitem(bench.SETS, ("square",))
    with pytest.raises(DataError, match=r"finds \['square'\]: there are pictures for"):
        bench.measure(tmp_path / "net.tflite")
    with pytest.raises(DataError, match="not made on a device"):
        bench.measure(detector(tmp_path / "plain.tflite", None))
    monkeypatch.setattr(bench, "shared_dir", lambda: None)
    with pytest.raises(DataError, match="TINYENGINE_SHARED"):
        bench.measure(tmp_path / "net.tflite")


def test_a_threshold_counts_what_is_right(bench: ModuleType) -> None:
    boxes = [np.array([[0, 0, 0.5, 0.5, 0, 1], [0.5, 0.5, 1, 1, 0, 1]], np.float32)]
    found = [[bench.Box(0, 0.9, 0, 0, 0.5, 0.5), bench.Box(0, 0.4, 0.6, 0.0, 0.9, 0.3)]]
    assert bench._threshold(found, boxes, 0.3, 1) == bench.Threshold(0.3, 50.0, 50.0, None)
    assert bench._threshold(found, boxes, 0.5, 1) == bench.Threshold(0.5, 50.0, 100.0, None)
    assert bench._threshold(found, boxes, 0.95, 1) == bench.Threshold(0.95, 0.0, 0.0, None)
    both = [[*found[0], bench.Box(1, 0.6, 0.5, 0.5, 1, 1)]]  # there, but of another class
    assert bench._threshold(both, boxes, 0.5, 2) == bench.Threshold(0.5, 100.0, 100.0, 50.0)


def test_faces_are_measured_as_one_and_by_class(
    bench: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "data").mkdir()
    path = boxed_squares(tmp_path / "data" / "face_boxes.npz", 12, 3)
    names = np.array(["face without mask", "face with mask", "mask worn incorrectly"])
    archive = dict(np.load(path))
    held_out = {"split": (np.arange(12) >= 3).astype(np.uint8), "box_class": np.arange(12) % 3, "class_names": names}
    np.savez(path, **{**archive, **held_out})
    monkeypatch.setattr(bench, "shared_dir", lambda: tmp_path)
    head = {"head": "grid", "anchors": [[0.4, 0.4]], "reach": 2}
    found = bench.measure(detector(tmp_path / "net.tflite", head, bench.FACES))
    line = bench._threshold([[bench.Box(1, 0.9, 0, 0, 1, 1)]], [np.array([[0, 0, 1, 1, 1, 1]], np.float32)], 0.5, 2)
    assert line == bench.Threshold(0.5, 100.0, 100.0, 100.0)
    monkeypatch.setattr(bench, "_threshold", lambda *_: line)
    assert found.pictures == found.precision.count == 9
    assert {name: each.count for name, each in found.by_class.items()} == {"mask": 3, "no_mask": 6}
    said = CliRunner().invoke(bench.main, [str(tmp_path / "net.tflite")])
    assert said.exit_code == 0 and "no_mask: AP50" in said.output and "class right of" in said.output
