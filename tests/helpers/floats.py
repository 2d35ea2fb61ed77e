"""A network of float32."""

from __future__ import annotations

import numpy as np
from tinyengine.ir import Graph, OpKind
from tinyengine.ir.ops import (
    Activation,
    Attrs,
    Conv2DAttrs,
    DepthwiseConv2DAttrs,
    ElementwiseAttrs,
    FullyConnectedAttrs,
    NoAttrs,
    PoolAttrs,
    SoftmaxAttrs,
    Window,
)
from tinyengine.ir.verify import verify

from tests.helpers.graphs import GraphBuilder

SAME = Window((3, 3), pad=(1, 1, 1, 1))


def float_network(seed: int = 0, softmax: bool = True) -> Graph:
    """A residual block, a depthwise one, a pool, a classifier."""
    b = GraphBuilder(seed, "real")

    def constant(*shape: int) -> str:
        return b.constant((b.rng.normal(size=shape) / np.prod(shape[1:]) ** 0.5).astype(np.float32))

    def op(kind: OpKind, inputs: list[str], attrs: Attrs, shape: tuple[int, ...] | None = None) -> str:
        return b.op(kind, inputs, attrs, shape, dtype="float32")

    x = b.input(1, 9, 8, 3, dtype="float32")
    x = op(OpKind.CONV_2D, [x, constant(6, 3, 3, 3), constant(6)], Conv2DAttrs(SAME, Activation.RELU))
    y = op(OpKind.CONV_2D, [x, constant(6, 3, 3, 6), constant(6)], Conv2DAttrs(SAME))
    x = op(OpKind.ADD, [x, y], ElementwiseAttrs(Activation.RELU6))
    x = op(OpKind.DEPTHWISE_CONV_2D, [x, constant(1, 3, 3, 6), constant(6)], DepthwiseConv2DAttrs(SAME))
    x = op(OpKind.CONV_2D, [x, constant(5, 1, 1, 6), constant(5)], Conv2DAttrs(Window((1, 1)), Activation.RELU))
    x = op(OpKind.AVERAGE_POOL_2D, [x], PoolAttrs(Window((3, 2), (3, 2))))
    x = op(OpKind.RESHAPE, [x], NoAttrs(), (1, 60))
    x = op(OpKind.FULLY_CONNECTED, [x, constant(7, 60), constant(7)], FullyConnectedAttrs())
    b.output(op(OpKind.SOFTMAX, [x], SoftmaxAttrs()) if softmax else x)
    verify(b.graph)
    return b.graph
