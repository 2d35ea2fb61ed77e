"""LOGISTIC, HARD_SWISH and RELU: functions of one int8 value, so a table says everything."""

from __future__ import annotations

import numpy as np

from tinyengine.ir import Graph, Operator, OpKind
from tinyengine.ir.requant import unary_lut
from tinyengine.reference.registry import oracle


@oracle(OpKind.LOGISTIC, OpKind.HARD_SWISH, OpKind.RELU)
def unary(op: Operator, graph: Graph, inputs: list[np.ndarray]) -> np.ndarray:
    """Table lookup."""
    return unary_lut(graph, op)[inputs[0].astype(np.int64) + 128]
