"""Convolutions and FULLY_CONNECTED: their sums."""

from __future__ import annotations

import numpy as np

from tinyengine.ir import Graph, Operator, OpKind
from tinyengine.ir.ops import Conv2DAttrs, ConvChannelsAttrs, DepthwiseConv2DAttrs, TransposeConvAttrs
from tinyengine.ir.requant import conv_channels_requant
from tinyengine.reference.registry import oracle
from tinyengine.reference.windows import pad_picture, taps


@oracle(OpKind.CONV_2D, sums=True)
def conv_2d(op: Operator, graph: Graph, inputs: list[np.ndarray]) -> np.ndarray:
    """Convolution, group by group, as one matrix product: (pixels, taps * C) x (taps * C, O).

    The product runs in float64, which holds every partial sum exactly (they stay far below 2**53).
    """
    assert isinstance(op.attrs, Conv2DAttrs)
    x, weights, bias = inputs
    window = op.attrs.window
    rows, columns = window.output_size(x.shape[1], x.shape[2])
    centred = x[0].astype(np.float64) - graph.tensor(op.inputs[0]).zero_point
    padded = pad_picture(centred, window, 0)
    products = []
    for part, filters in zip(
        *(np.split(a, op.attrs.groups, axis) for a, axis in ((padded, 2), (weights, 0))), strict=True
    ):
        patches = np.concatenate([pixels for _, _, pixels in taps(part, window, rows, columns)], axis=-1)
        products.append(patches @ filters.reshape(len(filters), -1).T.astype(np.float64))
    return np.concatenate(products, axis=-1).astype(np.int64) + bias


@oracle(OpKind.CONV_CHANNELS)
def conv_channels(op: Operator, graph: Graph, inputs: list[np.ndarray]) -> np.ndarray:
    """Channel by channel."""
    attrs = op.attrs
    assert isinstance(attrs, ConvChannelsAttrs)
    y, x, weights, bias = inputs
    result, depth = y.copy(), weights.shape[-1]
    padded = pad_picture(x[0].astype(np.int64) - graph.tensor(op.inputs[1]).zero_point, attrs.window, 0)
    requant = conv_channels_requant(graph, op)
    for channel, first, kernel, start in zip(attrs.channels, attrs.first, weights.astype(np.int64), bias, strict=True):
        total = np.full(y.shape[1:3], int(start), np.int64)
        for ky, kx, pixels in taps(padded[..., first : first + depth], attrs.window, *y.shape[1:3]):
            total += pixels @ kernel[ky, kx]
        result[0, :, :, channel] = requant.apply(total.astype(np.int32).astype(np.int64))
    return result


@oracle(OpKind.TRANSPOSE_CONV, sums=True)
def transpose_conv(op: Operator, graph: Graph, inputs: list[np.ndarray]) -> np.ndarray:
    """Each input pixel is added to the outputs under its window."""
    assert isinstance(op.attrs, TransposeConvAttrs)
    x, weights, bias = inputs
    _, height, width, _ = graph.tensor(op.outputs[0]).shape
    (kh, kw), (sh, sw), (top, _, left, _) = op.attrs.window.kernel, op.attrs.window.stride, op.attrs.window.pad
    centred = x[0].astype(np.int64) - graph.tensor(op.inputs[0]).zero_point
    total = np.zeros((top + height + kh + x.shape[1] * sh, left + width + kw + x.shape[2] * sw, len(bias)), np.int64)
    for i in range(x.shape[1]):
        for j in range(x.shape[2]):
            total[i * sh : i * sh + kh, j * sw : j * sw + kw] += (weights @ centred[i, j]).transpose(1, 2, 0)
    return total[top : top + height, left : left + width] + bias


@oracle(OpKind.DEPTHWISE_CONV_2D, sums=True)
def depthwise_conv_2d(op: Operator, graph: Graph, inputs: list[np.ndarray]) -> np.ndarray:
    """Each output channel o filters input channel o // multiplier."""
    assert isinstance(op.attrs, DepthwiseConv2DAttrs)
    x, weights, bias = inputs
    window = op.attrs.window
    rows, columns = window.output_size(x.shape[1], x.shape[2])
    centred = x[0].astype(np.int64) - graph.tensor(op.inputs[0]).zero_point
    padded = pad_picture(np.repeat(centred, op.attrs.multiplier, axis=-1), window, 0)
    total = np.zeros((rows, columns, weights.shape[-1]), np.int64)
    for ky, kx, pixels in taps(padded, window, rows, columns):
        total += pixels * weights[0, ky, kx]
    return total + bias


@oracle(OpKind.FULLY_CONNECTED, sums=True)
def fully_connected(op: Operator, graph: Graph, inputs: list[np.ndarray]) -> np.ndarray:
    """Matrix times each row of the input; float64 holds every sum exactly."""
    x, weights, bias = inputs
    centred = x.reshape(-1, weights.shape[1]).astype(np.float64) - graph.tensor(op.inputs[0]).zero_point
    product = centred @ weights.T.astype(np.float64)
    return (product.astype(np.int64) + bias).astype(bias.dtype)  # wraps as the sum does
