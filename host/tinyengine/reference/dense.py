"""FULLY_CONNECTED."""

from __future__ import annotations

import numpy as np

from tinyengine.ir import Graph, Operator, OpKind
from tinyengine.reference.registry import accumulator


@accumulator(OpKind.FULLY_CONNECTED)
def fully_connected(op: Operator, graph: Graph, inputs: list[np.ndarray]) -> np.ndarray:
    """Matrix times flattened input; float64 holds every sum exactly."""
    x, weights, bias = inputs
    centred = x.reshape(-1).astype(np.float64) - graph.tensor(op.inputs[0]).zero_point
    product = weights.astype(np.float64) @ centred
    return (product.astype(np.int64) + bias).astype(np.int32)  # wraps as the sum does
