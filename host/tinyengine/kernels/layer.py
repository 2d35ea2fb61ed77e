"""What the constants of a layer allow, found out once: sizes are asked for thousands of times while a schedule is
searched, and none of them needs the weights again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar
from weakref import WeakKeyDictionary

import numpy as np

from tinyengine.ir import Graph, Operator, OpKind
from tinyengine.ir.requant import Requant, conv_requant
from tinyengine.ir.sums import fast_requant, sum_range
from tinyengine.kernels.conv import bias_of, weights_of
from tinyengine.kernels.fixed import FixedRounding, fixed_rounding

P = ParamSpec("P")
Result = TypeVar("Result")


def once_per_graph(
    analysis: Callable[Concatenate[Operator, Graph, P], Result],
) -> Callable[Concatenate[Operator, Graph, P], Result]:
    """Remember what ``analysis(op, graph, ...)`` finds as long as the graph exists, which must not change any more.

    What it finds must not refer to the graph, or the graph would exist for ever.
    """
    known: WeakKeyDictionary[Graph, dict[object, Result]] = WeakKeyDictionary()

    @wraps(analysis)
    def remembered(op: Operator, graph: Graph, /, *args: P.args, **kwargs: P.kwargs) -> Result:
        found = known.setdefault(graph, {})
        key = op.outputs[0], args, *kwargs.values()
        if key not in found:
            found[key] = analysis(op, graph, *args, **kwargs)
        return found[key]

    return remembered


@dataclass(frozen=True, eq=False)
class Layer:
    """How a layer computes on a fast kernel: zero point of its input, how it rounds, and the constants for that."""

    zero: int
    requant: Requant
    rounding: FixedRounding


@once_per_graph
def layer_of(op: Operator, graph: Graph, requant: str) -> Layer | None:
    """The layer ``op`` with ``requant`` (exact, fast) rounding; None where the formulas do not reach."""
    weights = channel_weights(op, graph)
    zero = graph.tensor(op.inputs[0]).zero_point
    sums = sum_range(weights, bias_of(op, graph, len(weights)), zero)
    constants = conv_requant(graph, op)
    if requant == "fast":
        constants = fast_requant(constants, sums)
    rounding = fixed_rounding(constants, sums)
    return None if rounding is None else Layer(zero, constants, rounding)


def channel_weights(op: Operator, graph: Graph) -> np.ndarray:
    """The weights, int64 (output channels, taps)."""
    weights = weights_of(op, graph)
    if op.kind is OpKind.DEPTHWISE_CONV_2D:
        weights = np.moveaxis(weights, -1, 0)
    return weights.reshape(len(weights), -1)
