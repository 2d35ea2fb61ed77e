"""What an int8 network of the zoo's kind means in real numbers."""

from __future__ import annotations

import numpy as np
from tinyengine.ir import Graph, OpKind
from tinyengine.ir.ops import Conv2DAttrs, DepthwiseConv2DAttrs
from tinyengine.reference.windows import pad_picture, taps


def real_features(graph: Graph, picture: np.ndarray) -> np.ndarray:
    """The averaged features of an int8 network in real numbers, nothing rounded and nothing but ReLU6 clamped."""
    values = {graph.input_tensors()[0]: (picture - 128.0) * graph.tensor(graph.input_tensors()[0]).scale}
    for op in graph.operators:
        inputs = [values[name] for name in op.inputs if name in values]
        if op.kind is OpKind.AVERAGE_POOL_2D:
            return inputs[0].mean((0, 1))
        if op.kind is OpKind.ADD:
            values[op.outputs[0]] = inputs[0] + inputs[1]
            continue
        x, weights, bias = (graph.tensor(name) for name in op.inputs)
        assert isinstance(op.attrs, Conv2DAttrs | DepthwiseConv2DAttrs) and weights.quant and weights.data is not None
        window, scales, y = op.attrs.window, np.array(weights.quant.scale), graph.tensor(op.outputs[0])
        sums = np.zeros(y.shape[1:])
        for ky, kx, pixels in taps(pad_picture(inputs[0], window, 0), window, *y.shape[1:3]):
            w = weights.data[0, ky, kx] if op.kind is OpKind.DEPTHWISE_CONV_2D else weights.data[:, ky, kx].T
            sums += pixels * w if op.kind is OpKind.DEPTHWISE_CONV_2D else pixels @ w.astype(float)
        real = sums * scales + bias.data * (scales * x.scale)
        values[op.outputs[0]] = real.clip(0, 6) if y.zero_point == -128 else real
    raise AssertionError("no average")
