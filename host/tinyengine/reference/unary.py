"""Functions of one int8 value, of which a table says everything."""

from __future__ import annotations

import numpy as np

from tinyengine.ir import Graph, Operator, OpKind
from tinyengine.ir.operators.unary import TABLES, unary_lut
from tinyengine.reference.registry import oracle


@oracle(*(kind for kind in TABLES if kind is not OpKind.QUANTIZE))
def unary(op: Operator, graph: Graph, inputs: list[np.ndarray]) -> np.ndarray:
    """Table lookup."""
    return unary_lut(graph, op)[inputs[0].astype(np.int64) + 128]
