"""A small network that is trained in part, and random pictures for it."""

from __future__ import annotations

import numpy as np
from tinyengine.ir import Graph
from tinyengine.training.scheme import UpdateScheme
from tinyengine.zoo.table import Network, parse_blocks

from tests.helpers.tiny_networks import tiny_graph

NETWORK = Network("tiny", 16, 8, parse_blocks("e1c8k3 e4c12k3s2 e3c12k5 e3c15k3"), classes=4)
SCHEME = UpdateScheme("mixed", 7, {5: 1.0, 6: 0.3, 7: 0.4, 8: 0.5, 9: 0.1})


def network() -> Graph:
    return tiny_graph(NETWORK, 4, gain=2.0)


def pictures(count: int, seed: int) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.integers(-128, 128, (1, 16, 16, 3), np.int8) for _ in range(count)]
