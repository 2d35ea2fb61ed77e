"""Classes of the data and of the device are matched by name, or refused with a sentence whose ways out work."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from tinyengine.data.answers import classify
from tinyengine.data.metadata import ModelMetadata
from tinyengine.data.samples import Arrays, Samples
from tinyengine.errors import DataError
from tinyengine.finetune.classes import Outputs, Wish, parse_wish

HERE = Path("data")


def samples(*classes: str, named: bool = True) -> Arrays:
    """One of each class, and one without a label."""
    labels = np.append(np.arange(len(classes)), -1).astype(np.int32)
    return Samples(np.zeros((len(labels), 1, 1, 3), np.int8), labels, classes, named)


def learned(
    outputs: Outputs, data: Arrays, classes: str | None = None, renamed: Sequence[str] = (), learn: bool = True
) -> tuple[tuple[str, ...], list[int]]:
    """The names afterwards and the labels of the data."""
    wish = parse_wish(classes, renamed)
    after = outputs.wished(wish, data, HERE, learn)
    return after.names, after.matched(data, wish, HERE, learn).labels.tolist()


def test_a_new_classifier_takes_the_names_of_the_data() -> None:
    assert learned(Outputs((), 3), samples("cup", "tea")) == (("cup", "tea"), [0, 1, -1])
    assert learned(Outputs((), 3), samples("cup", "tea"), "tea,tin,cup") == (("tea", "tin", "cup"), [2, 0, -1])
    assert learned(Outputs((), 3), samples("0", "1", "2", named=False)) == (("0", "1", "2"), [0, 1, 2, -1])


def test_whatever_order_or_part_comes_next_names_decide() -> None:
    known = Outputs(("cup", "tea", "tin"), 4)
    for learn in (False, True):
        assert learned(known, samples("tea", "tin"), learn=learn) == (known.names, [1, 2, -1])
        assert learned(known, samples("zinn", "tea"), renamed=["zinn=tin"], learn=learn) == (known.names, [2, 1, -1])
        both = ["a=tin", "b=tin"]
        assert learned(known, samples("a", "b", "cup"), renamed=both, learn=learn) == (known.names, [2, 2, 0, -1])
        assert learned(known, samples("0", "1", named=False), learn=learn) == (known.names, [0, 1, -1])
        assert learned(known, samples("x", "z"), "x,y,z", learn=learn) == (("x", "y", "z"), [0, 2, -1])


def test_a_single_class_can_be_judged_and_not_learned() -> None:
    known = Outputs(("cup", "tea", "tin"), 4)
    assert learned(known, samples("tin"), learn=False) == (known.names, [2, -1])
    for data, renamed in ((samples("tin"), ()), (samples("tin", "zinn"), ["zinn=tin"])):
        with pytest.raises(DataError, match="pictures of tin alone"):
            learned(known, data, renamed=renamed)


def test_ways_out_keep_what_both_have() -> None:
    with pytest.raises(DataError) as told:
        learned(Outputs(("cup", "tea"), 2), samples("bag", "cup"))
    assert "--map bag=tea)" in str(told.value) and "--classes cup,bag)" in str(told.value)
    with pytest.raises(DataError) as told:
        learned(Outputs(("cup", "tea"), 3), samples("cup", "tea", "tin"))
    assert "--map" not in str(told.value) and "(--classes cup,tea,tin)" in str(told.value)


def test_a_class_is_added_when_it_is_said() -> None:
    known = Outputs(("cup", "tea"), 3)
    with pytest.raises(DataError, match=r"has the classes pen, tea, but the device has learned cup, tea") as told:
        learned(known, samples("pen", "tea"))
    way = re.search(r"--classes ([a-z,]+)", str(told.value))
    assert way is not None
    assert learned(known, samples("pen", "tea"), way[1]) == (("cup", "tea", "pen"), [2, 1, -1])


@pytest.mark.parametrize("learn", [False, True])
@pytest.mark.parametrize("count", [2, 3])
def test_every_way_out_is_accepted(learn: bool, count: int) -> None:
    known, data = Outputs(("cup", "tea"), count), samples("pen", "tea")
    with pytest.raises(DataError) as told:
        learned(known, data, learn=learn)
    text = str(told.value)
    mapped = re.search(r"--map (\S+)=(\w+)", text)
    assert mapped is not None
    learned(known, data, renamed=[f"{mapped[1]}={mapped[2]}"], learn=learn)
    if learn and count == 2:
        assert "build the firmware with --classes 3" in text
        learned(Outputs((), 3), data)
    for names in re.findall(r"\(--classes ([a-z,]+)\)", text):
        learned(known, data, names, learn=learn)
    assert ("leave them out of the data" in text) == (not learn)


def test_what_is_refused() -> None:
    known = Outputs(("cup", "tea"), 2)
    for wrong, word in (
        (lambda: learned(Outputs((), 2), samples("a", "b", "c")), "build it with --classes 3"),
        (lambda: learned(known, samples("0", "1", "2", named=False)), "labels up to 2"),
        (lambda: learned(known, samples("cup"), "a,b,c", learn=False), "as many names"),
        (lambda: learned(Outputs((), 2), samples("a")), "names no classes"),
        (lambda: parse_wish("a", ()), "commas between them"),
        (lambda: known.taking_part(Wish(count=3)), "--classes 3"),
        (lambda: Outputs(("a", "b", "c"), 3).taking_part(Wish(count=2)), "leave --classes out"),
    ):
        with pytest.raises(DataError, match=word):
            wrong()
    assert known.taking_part(Wish()) == 2
    assert Outputs(("a", "b"), 4).taking_part(Wish(count=3)) == 3


def test_outputs_that_were_not_taught_give_no_answer() -> None:
    metadata = ModelMetadata(classes=("cup", "tea"))
    logits = np.array([10, 20, 90], np.int8)
    assert classify(logits, 0.1, 0, metadata, 2).name == "tea"
    found = classify(np.array([-28, -78, 72], np.int8), 1 / 256, -128, metadata, 2)  # 100, 50 and 200 of 256
    assert found.name == "cup" and found.probabilities == pytest.approx((2 / 3, 1 / 3))
    nothing = classify(np.array([-128, -128, 127], np.int8), 1 / 256, -128, metadata, 2)
    assert max(nothing.probabilities) == 0.0
