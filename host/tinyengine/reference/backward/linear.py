"""The linear part of gradients: transposed convolutions and correlations, in float64.

Exact for integers too as long as every sum stays below 2**53, which both the float and the integer oracle rely on.
Gradients have the shape of their tensors.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tinyengine.ir import Graph, Operator
from tinyengine.ir.ops import Conv2DAttrs, DepthwiseConv2DAttrs, PoolAttrs, Window
from tinyengine.reference.windows import pad_picture, taps


def bias_gradient(g: np.ndarray) -> np.ndarray:
    """Sum over the pixels of the gradient of the accumulators: (O)."""
    return g.reshape(-1, g.shape[-1]).sum(axis=0)


def weight_gradient(op: Operator, graph: Graph, centred: np.ndarray, g: np.ndarray) -> np.ndarray:
    """Correlation of the input (less its zero point) with the gradient ``g`` of the accumulators."""
    result = np.zeros(graph.tensor(op.inputs[1]).shape)
    match op.attrs:
        case Conv2DAttrs(window=window):
            for ky, kx, pixels in _pixels(centred, g, window):
                result[:, ky, kx] = np.tensordot(g[0], pixels, ([0, 1], [0, 1]))
        case DepthwiseConv2DAttrs(window=window, multiplier=multiplier):
            for ky, kx, pixels in _pixels(np.repeat(centred, multiplier, axis=-1), g, window):
                result[0, ky, kx] = (g[0] * pixels).sum(axis=(0, 1))
        case _:
            result[:] = np.outer(g.reshape(-1), centred.reshape(-1))
    return result


def input_gradient(op: Operator, graph: Graph, weights: np.ndarray, g: np.ndarray) -> np.ndarray:
    """Transposed convolution of the gradient ``g`` of the accumulators: the gradient of the input."""
    shape = graph.tensor(op.inputs[0]).shape
    w = weights.astype(np.float64)
    match op.attrs:
        case Conv2DAttrs(window=window):
            padded, result = _padded(shape, window)
            for ky, kx, pixels in taps(padded, window, *g.shape[1:3]):
                pixels += g[0] @ w[:, ky, kx]
            return result
        case DepthwiseConv2DAttrs(window=window, multiplier=multiplier):
            padded, result = _padded(shape, window)
            for ky, kx, pixels in taps(padded, window, *g.shape[1:3]):
                pixels += (g[0] * w[0, ky, kx]).reshape(*g.shape[1:3], -1, multiplier).sum(axis=-1)
            return result
        case _:
            return (g.reshape(-1) @ w).reshape(shape)


def pool_gradient(op: Operator, graph: Graph, g: np.ndarray) -> np.ndarray:
    """``g``, divided already by the pixels under each window, given to every pixel of the window."""
    assert isinstance(op.attrs, PoolAttrs)
    padded, result = _padded(graph.tensor(op.inputs[0]).shape, op.attrs.window)
    for _, _, pixels in taps(padded, op.attrs.window, *g.shape[1:3]):
        pixels += g[0]
    return result


def _pixels(centred: np.ndarray, g: np.ndarray, window: Window) -> Iterator[tuple[int, int, np.ndarray]]:
    return taps(pad_picture(centred[0].astype(np.float64), window, 0), window, *g.shape[1:3])


def _padded(shape: tuple[int, ...], window: Window) -> tuple[np.ndarray, np.ndarray]:
    """Zeros for a padded picture, and the view of them that is the picture (1, H, W, C)."""
    top, bottom, left, right = window.pad
    _, rows, columns, channels = shape
    padded = np.zeros((rows + top + bottom, columns + left + right, channels))
    return padded, padded[None, top : top + rows, left : left + columns]
