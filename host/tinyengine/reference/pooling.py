"""AVERAGE_POOL_2D, MAX_POOL_2D; reductions over axes."""

from __future__ import annotations

import numpy as np

from tinyengine.ir import Graph, Operator, OpKind
from tinyengine.ir.operators.reductions import sum_requant
from tinyengine.ir.ops import MeanAttrs, PoolAttrs
from tinyengine.ir.requant import mean_params, pool_range
from tinyengine.reference.registry import oracle
from tinyengine.reference.windows import pad_picture, taps


@oracle(OpKind.AVERAGE_POOL_2D)
def average_pool_2d(op: Operator, graph: Graph, inputs: list[np.ndarray]) -> np.ndarray:
    """Mean of the pixels inside the picture, halves away from zero (of the quantized values, zero point included)."""
    assert isinstance(op.attrs, PoolAttrs)
    window = op.attrs.window
    x = inputs[0][0].astype(np.int64)
    rows, columns = window.output_size(*x.shape[:2])
    total = sum(pixels for _, _, pixels in taps(pad_picture(x, window, 0), window, rows, columns))
    inside = pad_picture(np.ones((*x.shape[:2], 1), np.int64), window, 0)
    count = sum(pixels for _, _, pixels in taps(inside, window, rows, columns))
    if op.attrs.half_up:
        return np.clip((total + count // 2) // count, *pool_range(graph, op)).astype(inputs[0].dtype)
    magnitude = (np.abs(total) + count // 2) // count
    return np.clip(np.where(total > 0, magnitude, -magnitude), *pool_range(graph, op)).astype(inputs[0].dtype)


@oracle(OpKind.MAX_POOL_2D)
def max_pool_2d(op: Operator, graph: Graph, inputs: list[np.ndarray]) -> np.ndarray:
    """Largest of the pixels inside the picture."""
    assert isinstance(op.attrs, PoolAttrs)
    window = op.attrs.window
    x = inputs[0][0]
    rows, columns = window.output_size(*x.shape[:2])
    least = np.iinfo(x.dtype).min
    result = np.full((rows, columns, x.shape[2]), least, x.dtype)
    for _, _, pixels in taps(pad_picture(x, window, least), window, rows, columns):
        np.maximum(result, pixels, out=result)
    return np.clip(result, *pool_range(graph, op)).astype(x.dtype)


@oracle(OpKind.MEAN)
def mean(op: Operator, graph: Graph, inputs: list[np.ndarray]) -> np.ndarray:
    """Sum over the axes, requantized with 1 / count inside the multiplier."""
    assert isinstance(op.attrs, MeanAttrs)
    p = mean_params(graph, op)
    total = inputs[0].astype(np.int64).sum(axis=op.attrs.axes) - p.zero * p.count
    return p.requant.apply(total)


@oracle(OpKind.REDUCE_ALL, OpKind.REDUCE_ANY)
def reduce_all(op: Operator, graph: Graph, inputs: list[np.ndarray]) -> np.ndarray:
    """Whether all are true, or any."""
    assert isinstance(op.attrs, MeanAttrs)
    return np.asarray((np.all if op.kind is OpKind.REDUCE_ALL else np.any)(inputs[0], axis=op.attrs.axes))


@oracle(OpKind.SUM)
def total(op: Operator, graph: Graph, inputs: list[np.ndarray]) -> np.ndarray:
    """Sum over the axes, requantized."""
    assert isinstance(op.attrs, MeanAttrs)
    if inputs[0].dtype == np.int32:
        return np.asarray(inputs[0].sum(axis=op.attrs.axes, dtype=np.int32))
    x = inputs[0].astype(np.int64) - graph.tensor(op.inputs[0]).zero_point
    return sum_requant(graph, op).apply(x.sum(axis=op.attrs.axes))


@oracle(OpKind.REDUCE_MAX)
def reduce_max(op: Operator, graph: Graph, inputs: list[np.ndarray]) -> np.ndarray:
    """The largest along the axes."""
    assert isinstance(op.attrs, MeanAttrs)
    return np.asarray(inputs[0].max(axis=op.attrs.axes))


@oracle(OpKind.REDUCE_MIN)
def reduce_min(op: Operator, graph: Graph, inputs: list[np.ndarray]) -> np.ndarray:
    """The smallest along the axes."""
    assert isinstance(op.attrs, MeanAttrs)
    return np.asarray(inputs[0].min(axis=op.attrs.axes))
