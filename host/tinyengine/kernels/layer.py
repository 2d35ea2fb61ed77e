"""What the constants of a layer allow; the sizes of its kernels need no more of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinyengine.ir import Graph, Operator
from tinyengine.ir.requant import Requant, conv_requant
from tinyengine.ir.sums import fast_requant, sum_range
from tinyengine.kernels.conv import bias_of, channel_weights
from tinyengine.kernels.fixed import FixedRounding, fixed_rounding
from tinyengine.kernels.once import once_per_graph


@dataclass(frozen=True, eq=False)
class Layer:
    """How a layer computes on a fast kernel: zero point of its input, how it rounds, and the constants for that.
    ``paired``: whether the weights of any two channels fit the trick of te_conv_quads.h."""

    zero: int
    requant: Requant
    rounding: FixedRounding
    paired: bool = False


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
    return None if rounding is None else Layer(zero, constants, rounding, fits_pairs(weights))


def fits_pairs(weights: np.ndarray) -> bool:
    """Of ``weights`` (channels, taps): the sum of a channel's products is below 2**23, and no weight is -128."""
    return bool(weights.min(initial=0) > -128 and (np.abs(weights).sum(axis=1) < (1 << 23) // 128).all())
