"""bench/rivals.py: which architecture is better, and by how much more than chance."""

from __future__ import annotations

import json
from dataclasses import replace
from types import ModuleType

import numpy as np
import pytest
from tinyengine.recipes.recipe import Recipe
from tinyengine.search.cost import estimate
from tinyengine.zoo.table import find

from tests.helpers import bench_script


@pytest.fixture(scope="module")
def rivals() -> ModuleType:
    pytest.importorskip("tensorflow", reason="the extra convert is not installed")
    return bench_script.load("rivals")


def test_the_rival_takes_as_many_cycles(rivals: ModuleType) -> None:
    ours = replace(find("person-found"), classes=2)
    theirs = rivals.equal_mobilenet(ours)
    assert abs(theirs.resolution - ours.resolution) <= 8
    assert estimate(theirs).work == pytest.approx(estimate(ours).work, rel=0.02)


def test_a_difference_counts_pictures_and_seeds(rivals: ModuleType) -> None:
    rng = np.random.default_rng(0)
    theirs = rng.random((3, 2000)) < 0.7
    ours = theirs | (rng.random((3, 2000)) < 0.2)  # right on a fifth of what the others miss: 6 points
    found = rivals.difference("x", "y", ours, theirs)
    assert found.mean == pytest.approx(100 * (ours.mean() - theirs.mean()))
    assert 4 < found.low < found.mean < found.high < 8
    # the same answers: no difference and no doubt about it
    same = rivals.difference("x", "y", ours, ours)
    assert (same.low, same.mean, same.high) == (0, 0, 0)
    # seeds that disagree widen the interval beyond what the pictures alone say
    flipped = np.stack([ours[0], theirs[1], ours[2]]), np.stack([theirs[0], ours[1], theirs[2]])
    unsure = rivals.difference("x", "y", *flipped)
    assert unsure.low < 0 < unsure.high
    # one seed: the normal interval of 2000 pictures
    one = rivals.difference("x", "y", ours[:1], theirs[:1])
    sigma = 100 * (ours[0].astype(float) - theirs[0]).std() / np.sqrt(2000)
    assert one.high - one.mean == pytest.approx(1.96 * sigma, rel=0.002)
    # 3 seeds that decide everything: Student's t with 2 degrees of freedom
    right = np.zeros((3, 2000), bool)
    for seed, count in enumerate((100, 200, 300)):
        right[seed, :count] = True
    few = rivals.difference("x", "y", right, np.zeros_like(right))
    assert few.mean == pytest.approx(10)
    assert few.high - few.mean > 4.303 * 5 / np.sqrt(3) * 0.9


def test_every_two_are_compared(rivals: ModuleType, capsys: pytest.CaptureFixture) -> None:
    networks = [replace(find("person-found"), name=name, classes=2) for name in "abc"]
    rivals.report(networks, [np.arange(20).reshape(2, 10) % k == 0 for k in (1, 2, 3)], as_json=True)
    pairs = [(d["name"], d["other"], d["mean"]) for d in json.loads(capsys.readouterr().out)["differences"]]
    assert pairs == [("a", "b", 50.0), ("a", "c", 65.0), ("b", "c", 15.0)]


def test_another_setting_is_another_training(rivals: ModuleType, tmp_path) -> None:
    network, recipe, val = find("person-found"), Recipe(epochs=3), tmp_path / "val.npz"
    one = rivals.key(network, recipe, [tmp_path / "a.npz"], val, None)
    assert one == rivals.key(replace(network, name="other"), recipe, [tmp_path / "a.npz"], val, None)
    others = {
        rivals.key(replace(network, resolution=80), recipe, [tmp_path / "a.npz"], val, None),
        rivals.key(network, replace(recipe, seed=1), [tmp_path / "a.npz"], val, None),
        rivals.key(network, recipe, [tmp_path / "b.npz"], val, None),
        rivals.key(network, recipe, [tmp_path / "a.npz"], val, 100),
        rivals.key(network, recipe, [tmp_path / "a.npz"], tmp_path / "other.npz", None),
    }
    assert len(others | {one}) == 6
