"""Contribution analysis and the search for schemes, on made-up networks whose best scheme is known."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import pytest
from tinyengine.errors import DataError
from tinyengine.finetune.schemes.choose import choose, choose_within
from tinyengine.finetune.schemes.contribution import Contributions, measure, weight_candidates
from tinyengine.training.layers import TrainableLayers, trainable_layers
from tinyengine.training.scheme import UpdateScheme
from tinyengine.zoo.table import Network, parse_blocks

from tests.helpers.tiny_networks import tiny_graph

NETWORK = Network("tiny", 16, 8, parse_blocks("e1c8k3 e4c12k3s2 e3c12k3"), classes=3)
COUNT = 9


@pytest.fixture(scope="module")
def layers() -> TrainableLayers:
    return trainable_layers(tiny_graph(NETWORK, 3))


def truth(scheme: UpdateScheme) -> float:
    """What training is worth, in a world where gains add up; later convolutions give more by biases."""
    return 0.5 + 0.02 * min(scheme.bias_last, 4) + sum(0.01 * (i % 4 + 1) * r for i, r in scheme.weights.items())


def test_gains_are_measured_one_by_one(layers: TrainableLayers) -> None:
    asked: list[UpdateScheme] = []

    def probe(scheme: UpdateScheme) -> float:
        scheme.check(layers)
        asked.append(scheme)
        return truth(scheme)

    found = measure(layers, probe, deepest=5, ratios=(0.5, 1.0))
    assert found.base == 0.5
    assert found.biases == pytest.approx({1: 0.02, 2: 0.04, 3: 0.06, 4: 0.08, 5: 0.08})
    assert sorted(found.weights) == weight_candidates(layers, 5) == [5, 6, 8]
    assert found.weights[6] == pytest.approx({0.5: 0.015, 1.0: 0.03})
    assert len(asked) == 1 + 5 + 2 * 3
    assert found.score(UpdateScheme("s", 4, {6: 1.0, 8: 0.5})) == pytest.approx(0.08 + 0.03 + 0.005)


def test_a_measurement_goes_on_where_it_stopped(layers: TrainableLayers, tmp_path: Path) -> None:
    checkpoint = tmp_path / "search.json"
    done = 0

    def failing(scheme: UpdateScheme) -> float:
        nonlocal done
        if done == 4:
            raise KeyboardInterrupt
        done += 1
        return truth(scheme)

    with pytest.raises(KeyboardInterrupt):
        measure(layers, failing, deepest=4, checkpoint=checkpoint)
    again: list[str] = []

    def probe(scheme: UpdateScheme) -> float:
        again.append(scheme.name)
        return truth(scheme)

    resumed = measure(layers, probe, deepest=4, checkpoint=checkpoint)
    assert resumed == measure(layers, truth, deepest=4)
    assert len(again) == 1 + 4 + 4 * len(resumed.weights) - 4
    checkpoint.write_text("[1]")
    with pytest.raises(DataError, match="no checkpoint"):
        measure(layers, truth, deepest=4, checkpoint=checkpoint)


def size(scheme: UpdateScheme) -> int:
    """Grows with everything that is trained, not in proportion."""
    return (
        100 + 7 * scheme.bias_last + sum(int(40 * ratio) + 3 * (index % 5) for index, ratio in scheme.weights.items())
    )


@pytest.mark.parametrize("limit", [100, 130, 160, 190, 240])
def test_the_search_finds_what_exhaustive_search_finds(limit: int) -> None:
    rng = np.random.default_rng(limit)
    ratios = (0.25, 0.5, 1.0)
    gains = {}
    for index in (3, 5, 6, 8):
        gains[index] = dict(zip(ratios, np.sort(rng.uniform(-0.01, 0.05, 3)).tolist(), strict=True))
    contributions = Contributions(0.5, {k: 0.01 * min(k, 5) for k in range(1, 7)}, gains)
    best = 0.0
    for genes in product((0.0, *ratios), repeat=4):
        weights = {index: ratio for index, ratio in zip(gains, genes, strict=True) if ratio}
        needed = COUNT - min(weights) if weights else 0
        for depth in range(needed, 7):
            scheme = UpdateScheme("s", depth, weights)
            if size(scheme) <= limit:
                best = max(best, contributions.score(scheme))
    found = choose(contributions, COUNT, size, limit)
    assert found.score == pytest.approx(best)
    assert found.sram_bytes == size(found.scheme) <= limit
    assert found == choose(contributions, COUNT, size, limit)


@pytest.mark.parametrize("limit", [100, 130, 160, 240])
def test_by_an_estimate_the_winner_still_fits(limit: int) -> None:
    gains = {index: {0.5: 0.02, 1.0: 0.03} for index in (3, 5, 6, 8)}
    contributions = Contributions(0.5, {k: 0.01 * min(k, 5) for k in range(1, 7)}, gains)
    planned: list[UpdateScheme] = []

    def plan(scheme: UpdateScheme) -> int:
        planned.append(scheme)
        return size(scheme)

    def estimate(scheme: UpdateScheme) -> int:  # off by a constant, and a little by scheme
        return size(scheme) - 100 + 2 * len(scheme.weights)

    found = choose_within(contributions, COUNT, estimate, plan, limit)
    assert found.sram_bytes == size(found.scheme) <= limit
    assert found.planned == len(planned) <= 9
    exact = choose(contributions, COUNT, size, limit)
    assert exact.score - 0.02 <= found.score <= exact.score
    with pytest.raises(DataError, match="the classifier alone takes 100 bytes"):
        choose_within(contributions, COUNT, estimate, plan, 99)


def test_too_little_sram_for_anything_is_one_sentence() -> None:
    with pytest.raises(DataError, match="the classifier alone takes 100 bytes"):
        choose(Contributions(0.5, {1: 0.1}, {}), COUNT, size, 99)
