"""Files of numbers become the inputs of any network, or are refused with a sentence."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tinyengine.data.numbers import Windows, is_numbers, read_numbers, real_values
from tinyengine.device import TensorInfo
from tinyengine.errors import DataError
from tinyengine.ir import Quantization
from tinyengine.ir.ports import quantize_array

SERIES = TensorInfo("series", (4, 2), 0.5, 3, 8)
NUMBER = TensorInfo("angle", (1,), 0.1, -128, 1)
FLOATS = TensorInfo("features", (3,), 0.0, 0, 12, "float32")


def saved(path: Path, **arrays: np.ndarray) -> Path:
    if path.suffix == ".npy":
        np.save(path, next(iter(arrays.values())))
    else:
        np.savez(path, **arrays)
    return path


def only(path: Path, *ports: TensorInfo, hop: int | None = None) -> list[list]:
    return [[array.tolist() for array in sample.arrays] for sample in read_numbers(path, ports, Windows(hop))]


def test_an_array_of_one_sample_or_of_many(tmp_path: Path) -> None:
    own = np.arange(16, dtype=np.int8).reshape(2, 4, 2)
    for values, count in ((own, 2), (own[0], 1), (own.reshape(2, 8), 2)):
        found = read_numbers(saved(tmp_path / "x.npy", x=values), [SERIES])
        assert [sample.arrays[0].dtype for sample in found] == ["int8"] * count
        assert found[0].arrays[0].tolist() == own[0].tolist()
    assert [sample.name for sample in found] == [f"{tmp_path}/x.npy#0", f"{tmp_path}/x.npy#1"]
    assert only(saved(tmp_path / "x.npy", x=np.array([0.0, 1.0, 25.55, 99.0])), NUMBER) == [
        [[-128]], [[-118]], [[127]], [[127]],
    ]  # fmt: skip
    assert only(saved(tmp_path / "x.npy", x=np.float64(1.0)), NUMBER) == [[[-118]]]
    assert only(saved(tmp_path / "x.npy", x=np.array([[1, 2, 3]])), FLOATS) == [[[1.0, 2.0, 3.0]]]


@given(
    st.lists(st.floats(-1e6, 1e6, width=32), min_size=3, max_size=3),
    st.floats(2**-10, 10, width=32),
    st.integers(-128, 127),
)
def test_real_values_are_quantized_as_everywhere(
    tmp_path_factory: pytest.TempPathFactory, values: list[float], scale: float, zero_point: int
) -> None:
    port = TensorInfo("x", (3,), float(np.float32(scale)), zero_point, 3)
    path = saved(tmp_path_factory.getbasetemp() / "numbers.npy", x=np.array(values, np.float32))
    ours = read_numbers(path, [port])[0].arrays[0]
    theirs = quantize_array(np.array(values, np.float32), Quantization((port.scale,), (zero_point,)), "int8")
    assert ours.tolist() == theirs.tolist()


def test_several_inputs_by_name(tmp_path: Path) -> None:
    arrays = {"angle": np.array([[1.0], [2.0]]), "series": np.zeros((2, 4, 2), np.int8)}
    for order in (arrays, dict(reversed(arrays.items()))):
        found = only(saved(tmp_path / "x.npz", **order), SERIES, NUMBER)
        assert found == [[[[0, 0]] * 4, [-118]], [[[0, 0]] * 4, [-108]]]
    assert only(saved(tmp_path / "one.npz", whatever=np.zeros((1, 3))), FLOATS) == [[[0.0] * 3]]


def test_lines_of_text(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("left,right\n" + "".join(f"{k}, {k + 0.5}\n" for k in range(10)))
    whole = only(path, SERIES)
    assert len(whole) == 2 and whole[0][0] == [[3, 4], [5, 6], [7, 8], [9, 10]]
    assert [sample[0][0][0] for sample in only(path, SERIES, hop=1)] == [3, 5, 7, 9, 11, 13, 15]
    path.write_text("".join(",".join(["1"] * 8 + [str(k)]) + "\n" for k in range(3)))
    assert [sample[1] for sample in only(path, SERIES, NUMBER)] == [[-128], [-118], [-108]]


@pytest.mark.parametrize(
    ("name", "content", "ports", "word"),
    [
        ("x.npy", np.zeros((2, 3)), (SERIES,), "holds float64 2x3, but the network's input series is 4x2"),
        ("x.npy", np.array(["a"]), (NUMBER,), "give numbers of that shape"),
        ("x.npy", np.array([np.nan]), (NUMBER,), "not finite"),
        ("x.npy", np.zeros(1), (NUMBER, FLOATS), "give an .npz with the arrays angle, features"),
        ("x.npz", {"other": np.zeros(1), "b": np.zeros(1)}, (NUMBER,), "no array 'angle'"),
        ("x.npz", {"angle": np.zeros(2), "features": np.zeros((3, 3))}, (NUMBER, FLOATS), "2 of angle, 3 of features"),
        ("x.csv", "1,2,3\n", (SERIES,), "3 columns, but the network takes 8 values"),
        ("x.csv", "1,2\n3,4\n", (SERIES,), "4 of them make a sample"),
        ("x.csv", "1,2\n3\n", (SERIES,), "line 2"),
        ("x.csv", "a,b\n1,2\n3,x\n", (SERIES,), "line 3"),
        ("x.csv", "a,b\n", (SERIES,), "no numbers"),
        ("x.csv", "1;2\n3;4\n", (SERIES,), "write a,b,c"),
        ("x.npy", np.zeros((0, 1)), (NUMBER,), "at least one sample"),
        ("x.csv", "", (SERIES,), "no numbers"),
        ("x.csv", "1,inf\n1,2\n", (SERIES,), "line 1"),
    ],
)  # fmt: skip
def test_what_does_not_fit(
    tmp_path: Path, name: str, content: np.ndarray | dict | str, ports: tuple[TensorInfo, ...], word: str
) -> None:
    path = tmp_path / name
    if isinstance(content, str):
        path.write_text(content)
    else:
        saved(path, **content) if isinstance(content, dict) else saved(path, x=content)
    with pytest.raises(DataError) as told:
        read_numbers(path, ports)
    assert word in str(told.value)


def test_damaged_files(tmp_path: Path) -> None:
    for name, reads in (("x.npy", True), ("x.npz", False), ("x.csv", True)):
        path = tmp_path / name
        path.write_bytes(b"\xff\xfe\x00rubbish")
        assert is_numbers(path) == reads
        with pytest.raises(DataError):
            read_numbers(path, [SERIES])
        path.unlink()
        with pytest.raises(DataError, match="no file"):
            read_numbers(path, [SERIES])
    assert not is_numbers(saved(tmp_path / "pictures.npz", jpeg=np.zeros(1), offset=np.zeros(2)))


def test_the_suffix_of_another_kind(tmp_path: Path) -> None:
    array, archive, other = tmp_path / "array.npz", tmp_path / "archive.npy", tmp_path / "other.npz"
    with array.open("wb") as file:
        np.save(file, np.zeros(3))
    with archive.open("wb") as file:
        np.savez(file, x=np.zeros(3))
    with zipfile.ZipFile(other, "w") as file:
        file.writestr("notes.txt", "no array")
    assert not is_numbers(array)
    for path, word in ((array, "it is an .npy"), (archive, "it is an .npz"), (other, r"notes\.txt in it is no array")):
        with pytest.raises(DataError, match=f"is not a NumPy .*{word}"):
            read_numbers(path, [FLOATS])


def test_what_outputs_stand_for() -> None:
    assert real_values(np.array([3, 5], np.int8), SERIES).tolist() == [0.0, 1.0]
    assert real_values(np.array([0.25], np.float32), FLOATS).tolist() == [0.25]
    assert real_values(np.array([7], np.int32), TensorInfo("index", (1,), 0.0, 0, 4, "int32")).tolist() == [7.0]
