"""What the runner's data sets may say, and the area under the curve."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tinyengine.device.errors import NoAnswerError
from tinyengine.errors import DataError, ModelError
from tinyengine.ir import OpKind
from tinyengine.mlperf.benchmarks import BENCHMARKS
from tinyengine.mlperf.client import Client
from tinyengine.mlperf.inputs import read_samples
from tinyengine.mlperf.perform import area_under_curve

from tests.helpers.graphs import GraphBuilder


def test_windows_slide_over_a_file(tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(bytes(range(10)))
    (tmp_path / "y_labels.csv").write_text("a.bin, 2, 1, 4, 2\n\nb.bin, 2, 0\n")
    first, second = read_samples(tmp_path)
    assert [data[0] for data in first.inputs()] == [0, 2, 4, 6] and first.label == 1
    with pytest.raises(DataError, match=r"b.bin cannot be read"):
        next(second.inputs())


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is empty"),
        ("a.bin", "line 1: write 'file, classes, class'"),
        ("a.bin, 2, person", "line 1: write 'file, classes, class'"),
        ("a.bin, 2, 1, 4, 0", "a stride above 0"),
        ("a.bin, 2, 1, -4, 2", "a stride above 0"),
        ("a.bin, 2, 1, 40, 2", "has 3 bytes, a window"),
    ],
)
def test_labels_that_cannot_be_used(text: str, says: str, tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(b"abc")
    (tmp_path / "y_labels.csv").write_text(text)
    with pytest.raises(DataError, match=says):
        next(read_samples(tmp_path)[0].inputs())


def test_a_folder_without_labels(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"has no y_labels.csv"):
        read_samples(tmp_path)


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=2))
def test_the_area_counts_pairs(found: list[tuple[int, bool]]) -> None:
    scores, labels = np.array([float(s) for s, _ in found]), np.array([int(a) for _, a in found])
    if labels.all() or not labels.any():
        with pytest.raises(DataError, match="only one of them"):
            area_under_curve(scores, labels)
        return
    pairs = [(a > n) + 0.5 * (a == n) for a in scores[labels == 1] for n in scores[labels == 0]]
    assert area_under_curve(scores, labels) == pytest.approx(np.mean(pairs))


@pytest.mark.parametrize(
    ("benchmark", "build", "says"),
    [
        (
            "vww",
            lambda b: b.output(b.dense(b.binary(OpKind.ADD, b.input(1, 4), b.input(1, 4)), 2)),
            "one input of int8",
        ),
        ("ad", lambda b: b.output(b.dense(b.input(1, 4), 2)), "as many values as they get"),
    ],
)
def test_networks_that_do_not_suit(benchmark: str, build: Callable[[GraphBuilder], None], says: str) -> None:
    b = GraphBuilder(1, "other")
    build(b)
    with pytest.raises(ModelError, match=says):
        BENCHMARKS[benchmark].accept(b.graph)
    b = GraphBuilder(1, "fits")
    b.output(b.dense(b.input(1, 4), 4))
    BENCHMARKS[benchmark].accept(b.graph)


def test_a_damaged_answer_is_none() -> None:
    class Damaged:
        url = "line"

        def write(self, data: bytes) -> None:
            pass

        def read(self, timeout: float) -> bytes:
            return b"m-lap-us-1x\r\nm-lap-us-9\r\nm-results-[0.1]\r\nm-ready\r\n"

    with pytest.raises(NoAnswerError, match="answers 'infer'"):
        Client(Damaged()).infer(1, 0)  # type: ignore[arg-type]
