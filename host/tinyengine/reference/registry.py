"""Which function executes which operator."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tinyengine.ir import Graph, Operator, OpKind

Oracle = Callable[[Operator, Graph, list[np.ndarray]], np.ndarray]
"""Computes an operator's output from its inputs (constants included), each shaped like its tensor."""

ORACLES: dict[OpKind, Oracle] = {}


def oracle(*kinds: OpKind) -> Callable[[Oracle], Oracle]:
    """Register the decorated function as the oracle of ``kinds``."""

    def register(function: Oracle) -> Oracle:
        for kind in kinds:
            ORACLES[kind] = function
        return function

    return register
