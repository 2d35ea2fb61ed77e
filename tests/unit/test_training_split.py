"""A network in two parts computes and learns what the whole one does."""

from __future__ import annotations

import numpy as np
import pytest
from tinyengine.errors import ModelError
from tinyengine.ir.verify import verify
from tinyengine.reference import run
from tinyengine.reference.backward.step import Trainer
from tinyengine.step import Sample, Update
from tinyengine.training.scheme import UpdateScheme
from tinyengine.training.split import split
from tinyengine.zoo.table import Network, parse_blocks

from tests.helpers.tiny_networks import tiny_graph

NETWORK = Network("tiny", 16, 8, parse_blocks("e1c8k3 e4c12k3s2 e3c12k3"), classes=3)


@pytest.mark.parametrize("bias_last", range(10))
def test_the_parts_compute_what_the_whole_does(bias_last: int) -> None:
    graph = tiny_graph(NETWORK, 3, gain=2.0)
    parts = split(graph, bias_last)
    verify(parts.tail)
    x = np.random.default_rng(bias_last).integers(-128, 128, (1, 16, 16, 3)).astype(np.int8)
    features = x
    if parts.front is not None:
        verify(parts.front)
        [features] = run(parts.front, [x])
    np.testing.assert_array_equal(run(parts.tail, [features])[0], run(graph, [x])[0])
    assert (parts.front is None) == (bias_last == 9)


def test_a_residual_moves_the_cut_to_its_beginning() -> None:
    """The last block has a residual: training its projection alone needs the block's input as well."""
    graph = tiny_graph(NETWORK, 3, gain=2.0)
    assert split(graph, 1).convolutions == split(graph, 3).convolutions == 6
    assert split(graph, 4).convolutions == 5
    assert split(graph, 0).convolutions == 9


def test_the_tail_learns_the_same_bytes() -> None:
    graph = tiny_graph(NETWORK, 3, gain=2.0)
    scheme = UpdateScheme("s", 2, {7: 0.5})
    parts = split(graph, scheme.bias_last)
    assert parts.front is not None
    whole, tail = Trainer(graph, scheme), Trainer(parts.tail, parts.scheme(scheme))
    rng = np.random.default_rng(1)
    for label in (0, 1, 2):
        x = rng.integers(-128, 128, (1, 16, 16, 3)).astype(np.int8)
        whole.train(x, Sample(label, 3), Update(0.1, 4, label))
        tail.train(run(parts.front, [x])[0], Sample(label, 3), Update(0.1, 4, label))
    for constant in whole.constants:
        trained = tail.graph.tensor(constant.name).data
        np.testing.assert_array_equal(whole.graph.tensor(constant.name).data, trained)


def test_a_scheme_in_front_of_the_tail_is_refused() -> None:
    parts = split(tiny_graph(NETWORK, 3), 2)
    with pytest.raises(ModelError, match="in front of the tail"):
        parts.scheme(UpdateScheme("s", 2, {0: 1.0}))
