"""LINEAR_ATTENTION: the formulas of te_matmul.h."""

from __future__ import annotations

import numpy as np

from tinyengine.ir import Graph, Operator, OpKind
from tinyengine.ir.operators.attention import linear_attention_params
from tinyengine.ir.ops import LinearAttentionAttrs
from tinyengine.ir.quantize import INT8_MAX, INT8_MIN
from tinyengine.reference.registry import oracle

INT16_MAX = (1 << 15) - 1


@oracle(OpKind.LINEAR_ATTENTION)
def linear_attention(op: Operator, graph: Graph, inputs: list[np.ndarray]) -> np.ndarray:
    """Head by head; all arrays are int64 and hold what 32 bits hold."""
    assert isinstance(op.attrs, LinearAttentionAttrs)
    p = linear_attention_params(graph, op)
    shape = inputs[0].shape
    queries, keys, values = (x.astype(np.int64).reshape(-1, op.attrs.heads, shape[3] // op.attrs.heads) for x in inputs)
    queries, keys, values = queries - INT8_MIN, keys - INT8_MIN, values - p.value_zero
    y = np.empty_like(queries)
    for head in range(op.attrs.heads):
        q, k, v = (x[:, head] for x in (queries, keys, values))
        mixed = k.T @ v
        shift = max(0, int(np.bitwise_or.reduce((mixed ^ mixed >> 31).ravel())).bit_length() - 15)
        mixed = np.minimum((mixed + (1 << shift >> 1)) >> shift, INT16_MAX)
        sums, divisors = q @ mixed, p.epsilon + q @ k.sum(axis=0)
        for pixel, divisor in enumerate(divisors):
            zeros = 32 - int(divisor).bit_length()
            inverse = (1 << 31) // ((int(divisor) << zeros) >> 16)
            factor = inverse * p.multiplier >> 17
            exact = 61 - shift - zeros - p.shift
            down = min(max(exact, 33), 63)
            high = ((sums[pixel] << max(0, 33 - exact)) * factor) >> 32
            y[pixel, head] = (high + (1 << (down - 33))) >> (down - 32)
    return np.clip(y + p.zero, INT8_MIN, INT8_MAX).astype(np.int8).reshape(shape)
