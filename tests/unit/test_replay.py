"""What is kept of former trainings, and what is shown again."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tinyengine.data.samples import Arrays, Samples
from tinyengine.errors import DataError
from tinyengine.finetune.replay import Reservoir, mixed, read_reservoir, without, write_reservoir

CLASSES = ("cup", "tea", "tin")


def samples(counts: tuple[int, ...], first: int = 0, classes: tuple[str, ...] = CLASSES) -> Arrays:
    """So many of each class; sample ``first + k`` holds that number."""
    labels = np.repeat(np.arange(len(counts)), counts).astype(np.int32)
    values = np.arange(first, first + len(labels), dtype=np.int16).reshape(-1, 1, 1)
    return Samples(values, labels, classes, names=tuple(str(int(v)) for v in values.ravel()))


def nothing(of: Arrays) -> Reservoir:
    return Reservoir(of.take(np.empty(0, np.int64)), (0,) * len(of.classes))


def counts(kept: Arrays) -> list[int]:
    return np.bincount(kept.labels, minlength=len(kept.classes)).tolist()


def npy() -> bytes:
    np.save(content := io.BytesIO(), np.zeros(3))
    return content.getvalue()


def test_every_class_keeps_as_much_as_the_others() -> None:
    first = samples((50, 30, 0))
    kept = nothing(first).taking(first, 10, seed=0)
    assert counts(kept.samples) == [5, 5, 0] and kept.seen == (50, 30, 0)
    later = samples((0, 0, 40), first=100)
    kept = kept.taking(later, 10, seed=1)
    assert counts(kept.samples) == [4, 3, 3] and kept.seen == (50, 30, 40)
    assert all(value < 100 for value in kept.samples.values[kept.samples.labels < 2].ravel())
    assert [int(name) for name in kept.samples.names] == kept.samples.values.ravel().tolist()


def test_of_a_class_that_comes_again_old_and_new_ones_stay() -> None:
    first, later = samples((60, 20)), samples((20, 60), first=1000)
    kept = nothing(first).taking(first, 40, seed=0).taking(later, 40, seed=1)
    new = kept.samples.values.ravel() >= 1000
    assert [int(new[kept.samples.labels == label].sum()) for label in (0, 1)] == [5, 15]


@given(
    st.lists(st.tuples(*[st.integers(0, 9)] * 3).filter(any), min_size=1, max_size=4),
    st.integers(1, 20),
    st.integers(0, 99),
)
def test_no_more_than_there_is_room_for_and_nothing_twice(
    trainings: list[tuple[int, ...]], capacity: int, seed: int
) -> None:
    kept = nothing(samples((0, 0, 0)))
    for number, each in enumerate(trainings):
        new = samples(each, first=1000 * number)
        kept = kept.taking(new, capacity, seed).taking(new, capacity, seed)  # the same ones again add none
        assert len(kept.samples) <= capacity
        assert len(set(kept.samples.values.ravel().tolist())) == len(kept.samples)
        present = [n for n in np.sum(trainings[: number + 1], axis=0) if n]
        if capacity >= len(present):
            assert np.count_nonzero(counts(kept.samples)) == len(present)
        if len(trainings) == 1:
            assert len(kept.samples) == sum(
                min(n, capacity // len(present) + (k < capacity % len(present))) for k, n in enumerate(present)
            )


def test_half_of_what_is_shown_is_old() -> None:
    new, old = samples((10, 0, 0)), samples((0, 2, 1), first=100)
    both = mixed(new, old, seed=3)
    assert len(both) == 20 and both.classes == CLASSES
    assert both.values[:10].tolist() == new.values.tolist()
    times = np.bincount(both.values[10:].ravel())[100:]
    assert sorted(times.tolist()) == [3, 3, 4]
    assert (both.labels[both.values.ravel() == 102] == 2).all()
    assert mixed(new, old.take(np.empty(0, np.int64)), seed=3) is new
    assert len(mixed(samples((2, 0, 0)), samples((9, 9, 9), first=50), seed=0)) == 4


def test_what_judges_is_not_shown() -> None:
    old, held_out = samples((3, 3, 3)), samples((2, 0, 0))
    assert without(old, held_out).values.ravel().tolist() == [2, 3, 4, 5, 6, 7, 8]
    assert len(without(old, samples((0, 0, 0)))) == 9


def test_a_file_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "runs" / "replay.npz"
    assert read_reservoir(path, "pictures", CLASSES) is None
    first = samples((4, 4, 0))
    kept = nothing(first).taking(first, 6, seed=0)
    write_reservoir(kept, path, "pictures")
    found = read_reservoir(path, "pictures", ("new", "tea", "cup"))
    assert found is not None and found.seen == (4, 4, 0)
    assert found.samples.values.dtype == np.int16 and found.samples.names == kept.samples.names
    assert found.known_as(("new", "tea", "cup")).labels.tolist() == [2, 2, 2, 1, 1, 1]
    with pytest.raises(DataError, match=r"other inputs.*--reservoir"):
        read_reservoir(path, "numbers", CLASSES)
    with pytest.raises(DataError, match=r"cup, tea, but those here are tea, tin: .*--classes tea,tin,cup") as told:
        read_reservoir(path, "pictures", ("tea", "tin"))
    assert read_reservoir(path, "pictures", str(told.value).split("--classes ")[1].split(")")[0].split(",")) is not None


@pytest.mark.parametrize("content", [b"", b"rubbish", npy(), None])
def test_a_file_that_is_none(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "replay.npz"
    np.savez(path, values=np.zeros(3), labels=np.zeros(2))
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match="holds no samples for --replay"):
        read_reservoir(path, "pictures", CLASSES)
    path.unlink()
    path.mkdir()
    with pytest.raises(DataError, match="cannot be written"):
        write_reservoir(nothing(samples((1,))), path, "pictures")
