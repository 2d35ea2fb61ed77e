"""Which function executes which operator."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinyengine.ir import Graph, Operator, OpKind
from tinyengine.ir.dispatch import ByType

Oracle = Callable[[Operator, Graph, list[np.ndarray]], Any]
"""Computes an operator's output (an array), or a list of its outputs, from its inputs (constants included), each shaped
like its tensor."""


@dataclass(frozen=True)
class Entry:
    """``sums``: the function computes only a layer's sums, int64 with channels last; the executor makes outputs of
    them."""

    function: Oracle
    sums: bool


ORACLES: ByType[Entry] = ByType("oracle")


def oracle(*kinds: OpKind, dtype: str | None = None, sums: bool = False) -> Callable[[Oracle], Oracle]:
    """Register the decorated function as the oracle of ``kinds``, or of their ``sums``; with ``dtype`` only for
    operators that it leads (``ir.dispatch.leading_dtype``), for which it is preferred to the one for all types."""

    def register(function: Oracle) -> Oracle:
        ORACLES.add(Entry(function, sums), kinds, dtype)
        return function

    return register
