"""Files of numbers that say what they are become samples with labels, or are refused with a sentence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tinyengine.data.number_sets import holds_numbers, inputs_of, read_number_set
from tinyengine.data.numbers import Windows, short_name
from tinyengine.device import TensorInfo
from tinyengine.errors import DataError

SERIES = TensorInfo("serving_default_acc:0", (4, 2), 0.5, 3, 8)
ROW = TensorInfo("row", (1, 4, 2), 0.5, 3, 8)
SEVEN = TensorInfo("seven", (7,), 1.0, 0, 7)
LEFT, RIGHT = TensorInfo("serving_default_ecg:0", (3,), 1.0, 0, 3), TensorInfo("right", (2,), 0.0, 0, 8, "float32")


def save(path: Path, **arrays: object) -> Path:
    np.savez(path, **{name: np.array(values) for name, values in arrays.items()})
    return path


def folder_of_series(path: Path) -> Path:
    for name, value in (("rest", 1.0), ("wave", 2.0)):
        (path / name).mkdir(parents=True)
        np.save(path / name / "a.npy", np.full((10, 2), value))
        np.savetxt(path / name / "b.csv", np.full((4, 2), value), delimiter=",")
    (path / "rest" / ".DS_Store").write_bytes(b"x")
    return path


def test_a_folder_per_class(tmp_path: Path) -> None:
    path = folder_of_series(tmp_path / "d")
    assert holds_numbers(path)
    for port in (SERIES, ROW):
        found = read_number_set(path, [port], Windows(hop=3))
        assert (found.classes, found.labels.tolist()) == (("rest", "wave"), [0] * 4 + [1] * 4)  # 3 windows and 1
        assert found.labelled(path).values[:, ..., 0].reshape(8, 4).tolist() == [[5] * 4] * 4 + [[7] * 4] * 4
        assert found.samples[1].name == f"{path}/rest/a.npy#1"
    assert len(read_number_set(path, [SERIES]).samples) == 2 * (2 + 1)
    (path / "none").mkdir()
    with pytest.raises(DataError, match="none holds no samples"):
        read_number_set(path, [SERIES])
    (path / "none" / "0.png").write_bytes(b"x")
    with pytest.raises(DataError, match=r"numbers \(.*\) and pictures \(0\.png\)"):
        holds_numbers(path)


@pytest.mark.parametrize("where", [".ipynb_checkpoints", "rest/.ipynb_checkpoints"])
def test_what_is_hidden_is_none(tmp_path: Path, where: str) -> None:
    (tmp_path / where).mkdir(parents=True)
    np.save(tmp_path / where / "a.npy", np.zeros((4, 2)))
    assert not holds_numbers(tmp_path)
    for labelled in (True, False):
        with pytest.raises(DataError, match="holds no numbers"):
            read_number_set(tmp_path, [SERIES], labelled=labelled)
    (tmp_path / where / "0.png").write_bytes(b"x")
    np.save(tmp_path / "b.npy", np.zeros((4, 2)))
    assert holds_numbers(tmp_path)


def test_files_beside_each_other_have_no_classes(tmp_path: Path) -> None:
    path = folder_of_series(tmp_path / "d")
    flat = read_number_set(path / "rest", [SERIES])
    assert flat.labels.tolist() == [-1] * 3
    with pytest.raises(DataError, match="names no classes"):
        flat.labelled(path / "rest")
    np.save(path / "loose.npy", np.zeros((4, 2)))
    with pytest.raises(DataError, match=r"loose\.npy beside them"):
        read_number_set(path, [SERIES])


def test_where_classes_do_not_matter_any_folder_will_do(tmp_path: Path) -> None:
    path = folder_of_series(tmp_path / "d")
    (path / "none").mkdir()
    assert len(read_number_set(path, [SERIES], labelled=False).samples) == 6
    np.save(path / "loose.npy", np.zeros((4, 2)))
    assert [each.name for each in read_number_set(path, [SERIES], labelled=False).samples] == [f"{path}/loose.npy"]


def test_a_sample_per_line_has_no_hop(tmp_path: Path) -> None:
    """What a MODEL.json says of series does not leave out samples."""
    np.savetxt(tmp_path / "x.csv", np.arange(70).reshape(10, 7), delimiter=",")
    assert len(read_number_set(tmp_path / "x.csv", [SEVEN], Windows(hop=4)).samples) == 10


@pytest.mark.parametrize(
    ("arrays", "labels", "classes", "named"),
    [
        ({"y": [1, 0, -1]}, [1, 0], ("0", "1"), False),
        ({"y": [[1], [0], [-1]]}, [1, 0], ("0", "1"), False),
        ({"y": [1, 0, 1], "class_names": ["no", "yes"]}, [1, 0, 1], ("no", "yes"), True),
        ({"y": ["tea", "cup", "tea"]}, [1, 0, 1], ("cup", "tea"), True),
    ],
)
def test_an_archive_says_the_classes(
    tmp_path: Path, arrays: dict[str, list], labels: list[int], classes: tuple[str, ...], named: bool
) -> None:
    path = save(tmp_path / "x.npz", x=np.arange(21).reshape(3, 7), **arrays)
    samples = read_number_set(path, [SEVEN]).labelled(path)
    assert (samples.labels.tolist(), samples.classes, samples.named) == (labels, classes, named)
    assert samples.values[0].tolist() == [0, 1, 2, 3, 4, 5, 6]
    assert samples.names[1] == f"{path}#1"


def test_an_archive_says_the_numbers(tmp_path: Path) -> None:
    for y in ([0.5, 1.5, 2.5], [[1, 2], [3, 4], [5, 6]]):
        path = save(tmp_path / "x.npz", x=np.zeros((3, 7)), y=y)
        found = read_number_set(path, [SEVEN])
        assert found.targets is not None and found.targets.tolist() == y
        with pytest.raises(DataError, match="one for each sample"):
            found.labelled(path)


def test_several_inputs_by_the_name_that_their_author_gave(tmp_path: Path) -> None:
    assert [short_name(port) for port in (LEFT, RIGHT)] == ["ecg", "right"]
    left, right = np.array([[1, 2, 3], [4, 5, 6]]), np.array([[0.5, 1.5], [2.5, 3.5]])
    for name in ("ecg", "serving_default_ecg:0"):
        path = save(tmp_path / "x.npz", **{name: left}, right=right, y=[1, 0])
        samples = read_number_set(path, [LEFT, RIGHT]).labelled(path)
        assert samples.values.shape == (2, 3 + 8) and samples.values.dtype == np.uint8
        for k in range(2):
            first, second = inputs_of(samples.values[k], [LEFT, RIGHT])
            assert first.dtype == np.int8 and first.tolist() == left[k].tolist()
            assert second.dtype == np.float32 and second.tolist() == right[k].tolist()
    alone = np.zeros(3, np.int8)
    assert inputs_of(alone, [LEFT])[0] is alone


@pytest.mark.parametrize(
    ("arrays", "word"),
    [
        ({"y": [1, 0]}, "3 samples and 2 of y"),
        ({"y": 1}, "3 samples and one number of y"),
        ({"y": [0, 1, -2]}, "between -1"),
        ({"y": [0, 1, 2], "class_names": ["a", "b"]}, "between -1 .* and 1"),
        ({"y": [0.0, np.nan, 1.0]}, "not finite"),
        ({"y": [True, False, True]}, "y holds bool"),
        ({"y": [0, 1, 1], "class_names": "mug"}, "class_names is one name"),
    ],
)
def test_labels_that_do_not_fit(tmp_path: Path, arrays: dict[str, object], word: str) -> None:
    with pytest.raises(DataError, match=word):
        read_number_set(save(tmp_path / "x.npz", x=np.zeros((3, 7)), **arrays), [SEVEN])


def test_a_series_is_cut_where_it_is_one(tmp_path: Path) -> None:
    values = np.arange(20.0).reshape(10, 2)
    np.save(tmp_path / "x.npy", values)
    cut = read_number_set(tmp_path / "x.npy", [SERIES], Windows(hop=5))
    assert [sample.arrays[0][0].tolist() for sample in cut.samples] == [[3, 5], [23, 25]]
    assert len(read_number_set(tmp_path / "x.npy", [SERIES], Windows(lines=4)).samples) == 2
    with pytest.raises(DataError, match=r"takes 4 lines at once.*say 4"):
        read_number_set(tmp_path / "x.npy", [SERIES], Windows(lines=5))
    np.save(tmp_path / "x.npy", np.arange(14.0))
    with pytest.raises(DataError, match="holds float64 14, but the network's input seven is 7"):
        read_number_set(tmp_path / "x.npy", [SEVEN])  # two samples in a row, or a series?
    assert len(read_number_set(tmp_path / "x.npy", [SEVEN], Windows(hop=1)).samples) == 8
