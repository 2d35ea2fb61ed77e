"""A network of the table as a graph of the IR with empty weights: all that the planner needs, without TensorFlow."""

from __future__ import annotations

import numpy as np

from tinyengine.ir import Graph, Operator, OpKind, Port, Quantization, Tensor
from tinyengine.ir.ops import (
    Activation,
    Attrs,
    Conv2DAttrs,
    DepthwiseConv2DAttrs,
    ElementwiseAttrs,
    FullyConnectedAttrs,
    MeanAttrs,
    SoftmaxAttrs,
    Window,
)
from tinyengine.sizes import ceil_div
from tinyengine.zoo.table import Block, Network

_ACTIVATIONS = Quantization((float(np.float32(6 / 255)),), (-128,))
_WEIGHT_SCALE = float(np.float32(0.01))


def graph_of(network: Network) -> Graph:
    """The int8 graph that the converter makes of ``network``, with zeros for weights: same layers, sizes and shapes."""
    builder = _Builder(network.name)
    x = builder.input((1, network.resolution, network.resolution, 3))
    x = builder.convolution(x, "stem", network.stem, 3, 2)
    for index, block in enumerate(network.blocks):
        assert isinstance(block, Block)  # the space that is searched has no others
        name, start = f"block{index}", x
        if block.expansion != 1:
            x = builder.convolution(x, f"{name}_expand", builder.channels(x) * block.expansion)
        x = builder.depthwise(x, f"{name}_depthwise", block.kernel, block.stride)
        x = builder.convolution(x, f"{name}_project", block.channels, activation=Activation.NONE)
        if block.stride == 1 and builder.channels(start) == block.channels:
            attrs = ElementwiseAttrs()
            x = builder.add(OpKind.ADD, f"{name}_add", [start, x], attrs, builder.graph.tensor(x).shape)
    if network.head is not None:
        x = builder.convolution(x, "head", network.head)
    x = builder.add(OpKind.MEAN, "average", [x], MeanAttrs((1, 2)), (1, builder.channels(x)))
    x = builder.dense(x, "classifier", network.classes)
    x = builder.add(OpKind.SOFTMAX, "probability", [x], SoftmaxAttrs(), (1, network.classes), (1 / 256, -128))
    builder.graph.outputs.append(Port(x, x, "int8", builder.graph.tensor(x).quant))
    return builder.graph


class _Builder:
    def __init__(self, name: str) -> None:
        self.graph = Graph(name)

    def channels(self, name: str) -> int:
        return self.graph.tensor(name).shape[-1]

    def input(self, shape: tuple[int, ...]) -> str:
        quant = Quantization((1 / 128,), (0,))
        self.graph.tensors["image"] = Tensor("image", shape, "int8", quant)
        self.graph.inputs.append(Port("image", "image", "int8", quant))
        return "image"

    def convolution(
        self,
        x: str,
        name: str,
        channels: int,
        kernel: int = 1,
        stride: int = 1,
        activation: Activation = Activation.RELU6,
    ) -> str:
        window, size = self._same(x, kernel, stride)
        constants = self._constants(x, name, (channels, kernel, kernel, self.channels(x)), 0)
        attrs = Conv2DAttrs(window, activation)
        return self.add(OpKind.CONV_2D, name, [x, *constants], attrs, (1, *size, channels))

    def depthwise(self, x: str, name: str, kernel: int, stride: int) -> str:
        window, size = self._same(x, kernel, stride)
        channels = self.channels(x)
        constants = self._constants(x, name, (1, kernel, kernel, channels), 3)
        attrs = DepthwiseConv2DAttrs(window, 1, Activation.RELU6)
        return self.add(OpKind.DEPTHWISE_CONV_2D, name, [x, *constants], attrs, (1, *size, channels))

    def dense(self, x: str, name: str, classes: int) -> str:
        constants = self._constants(x, name, (classes, self.channels(x)), 0)
        return self.add(OpKind.FULLY_CONNECTED, name, [x, *constants], FullyConnectedAttrs(), (1, classes))

    def add(
        self,
        kind: OpKind,
        name: str,
        inputs: list[str],
        attrs: Attrs,
        shape: tuple[int, ...],
        quant: tuple[float, int] | None = None,
    ) -> str:
        quantization = Quantization((quant[0],), (quant[1],)) if quant else _ACTIVATIONS
        self.graph.tensors[name] = Tensor(name, shape, "int8", quantization)
        self.graph.operators.append(Operator(kind, name, inputs, [name], attrs))
        return name

    def _same(self, x: str, kernel: int, stride: int) -> tuple[Window, tuple[int, int]]:
        """Window and output size of SAME padding on a square picture: the odd pixel of padding comes behind."""
        size = self.graph.tensor(x).shape[1]
        out = ceil_div(size, stride)
        total = max(0, (out - 1) * stride + kernel - size)
        before, behind = total // 2, total - total // 2
        return Window((kernel, kernel), (stride, stride), pad=(before, behind, before, behind)), (out, out)

    def _constants(self, x: str, name: str, shape: tuple[int, ...], axis: int) -> list[str]:
        channels, scale = shape[axis], self.graph.tensor(x).scale
        zeros = (0,) * channels
        weights = Quantization((_WEIGHT_SCALE,) * channels, zeros, axis if channels > 1 else None)
        biases = Quantization(
            (float(np.float32(_WEIGHT_SCALE * scale)),) * channels, zeros, 0 if channels > 1 else None
        )
        names = [f"{name}_weights", f"{name}_bias"]
        self.graph.tensors[names[0]] = Tensor(names[0], shape, "int8", weights, np.zeros(shape, np.int8))
        self.graph.tensors[names[1]] = Tensor(names[1], (channels,), "int32", biases, np.zeros(channels, np.int32))
        return names
