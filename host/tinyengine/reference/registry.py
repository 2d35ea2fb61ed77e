"""Which function executes which operator."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tinyengine.ir import Graph, Operator, OpKind

Oracle = Callable[[Operator, Graph, list[np.ndarray]], Any]
"""Computes an operator's output (an array), or a list of its outputs, from its inputs (constants included), each shaped
like its tensor."""

ORACLES: dict[OpKind, Oracle] = {}

ACCUMULATORS: dict[OpKind, Oracle] = {}
"""Layers of which only the sums are computed, int64 with channels last; the executor makes outputs of them."""


def oracle(*kinds: OpKind, sums: bool = False) -> Callable[[Oracle], Oracle]:
    """Register the decorated function as the oracle of ``kinds``, or of their ``sums``."""
    table = ACCUMULATORS if sums else ORACLES

    def register(function: Oracle) -> Oracle:
        for kind in kinds:
            assert kind not in table, f"{kind} has a second oracle {function.__name__}"
            table[kind] = function
        return function

    return register
