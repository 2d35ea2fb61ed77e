"""Where TFLite's own kernels are no reference: they lack an operator, are wrong, or depend on the machine."""

from __future__ import annotations

import numpy as np
from tinyengine.ir import Graph, OpKind

from tests.helpers.cases import OpCase

# Where the reference kernels of TensorFlow 2.21 are no reference.
NOT_IN_TFLITE = {
    "legacy": "see test_legacy.py",
    "signal": "see test_signal.py",
    "linear_attention": "is ours: see test_attention.py",
}
"""Families of the kernels' cases that no .tflite says, or that TFLite has not."""
NOT_LIKE_TFLITE = {
    **dict.fromkeys((OpKind.ELU, OpKind.CEIL, OpKind.ROUND), "is not among them"),
}
NOT_LIKE_TFLITE_IN_INT8 = {
    OpKind.SUM: "takes int8 for uint8; TFLite's optimized kernel and Micro do not",
    **dict.fromkeys((OpKind.DIV, OpKind.ADD_N, OpKind.CUMSUM), "knows other types only"),
}


def stops_tflite(one: OpCase) -> bool:
    """A division by zero, which TFLite refuses at run time, or of -2^31 by -1, at which the machine stops it."""
    [op] = one.graph.operators
    if op.kind is not OpKind.DIV or one.graph.tensor("y").dtype != "int32":
        return False
    given = {port.tensor: value for port, value in zip(one.graph.inputs, one.inputs, strict=True)}
    a, b = (given.get(name, one.graph.tensor(name).data) for name in op.inputs)
    return bool((b == 0).any() or ((b == -1) & (a == -(1 << 31))).any())


def beyond_int32(graph: Graph) -> np.ndarray:
    """Channels of a fully connected layer for which TFLite casts a double to int32 that need not fit: undefined."""
    [op] = graph.operators
    if op.kind is not OpKind.FULLY_CONNECTED:
        return np.zeros(1, bool)
    bias = graph.tensor(op.inputs[2]).data
    assert bias is not None
    return np.abs(bias.astype(np.int64)) >= (1 << 31) - 1
