"""Windows over pictures and sums of products: convolutions, FULLY_CONNECTED, pools."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from math import prod
from typing import ClassVar, TypeVar

import numpy as np

from tinyengine.ir.graph import Graph, Operator, Tensor
from tinyengine.ir.int16 import LARGEST_FACTOR, factors
from tinyengine.ir.operators.base import MAX_SIZE, A, Contradiction, Definition, Shape, require_symmetric, up_to_ones
from tinyengine.ir.ops import (
    Conv2DAttrs,
    ConvChannelsAttrs,
    DepthwiseConv2DAttrs,
    FullyConnectedAttrs,
    OpKind,
    PoolAttrs,
    TransposeConvAttrs,
    WindowAttrs,
)

W = TypeVar("W", bound=WindowAttrs)


class Windowed(Definition[W]):
    picture = True

    def channels(self, inputs: Sequence[Tensor]) -> int:
        """Channels of the output."""
        return inputs[0].shape[3]

    def fits(self, attrs: W, x: Tensor) -> bool:
        window = attrs.window
        positive = (*window.kernel, *window.stride, *window.dilation)
        return all(1 <= n <= MAX_SIZE for n in positive) and all(0 <= n <= MAX_SIZE for n in window.pad)

    def shape(self, attrs: W, inputs: Sequence[Tensor], declared: Shape) -> Shape:
        _, height, width, _ = inputs[0].shape
        kernel, (rows, columns) = attrs.window.kernel, attrs.window.output_size(height, width)
        if rows < 1 or columns < 1:
            raise Contradiction(f"slides a window of {kernel[0]}x{kernel[1]} over a picture of {height}x{width}")
        return (1, rows, columns, self.channels(inputs))


INTEGERS = ("int8 x int8 x int32 -> int8", *(f"int16 x int8 x {sums} -> int16" for sums in ("int32", "int64")))


class Weighted(Definition[A]):
    """Input, weights, biases; the sums are of the biases' type."""

    signatures: ClassVar[tuple[str, ...]] = (*INTEGERS, "float32 x float32 x float32 -> float32")
    constants = (1, 2)
    channel_axis: ClassVar[int] = 0
    """Axis of the weights along which the output's channels lie."""

    @abstractmethod
    def weights_shape(self, attrs: A, x: Tensor, channels: int) -> Shape:
        """What the weights' shape must be for so many output channels."""

    def channels(self, inputs: Sequence[Tensor]) -> int:
        """Channels of the output."""
        return inputs[1].shape[self.channel_axis]

    def shapes(self, attrs: A, inputs: Sequence[Tensor], declared: Sequence[Shape]) -> list[Shape]:
        x, weights, bias = inputs
        shape = self.weights_shape(attrs, x, bias.elements)
        if weights.shape != shape:
            what = f"{list(weights.shape)} and {bias.elements} biases for input {list(x.shape)}"
            raise Contradiction(f"has weights of shape {what}")
        return super().shapes(attrs, inputs, declared)

    def check(self, op: Operator, graph: Graph) -> None:
        x, weights, bias = (graph.tensor(name) for name in op.inputs)
        axis = self.channel_axis
        assert weights.data is not None and bias.data is not None
        if x.dtype == "float32":
            if not (np.isfinite(weights.data).all() and np.isfinite(bias.data).all()):
                raise Contradiction(f"has weights '{weights.name}' that are infinite or no numbers")
            return
        assert weights.quant is not None
        if any(weights.quant.zero_point):
            raise Contradiction(f"has weights '{weights.name}' with a zero point, but int8 weights are symmetric")
        if weights.quant.per_channel and weights.quant.axis != axis:
            raise Contradiction(
                f"has weights '{weights.name}' quantized along axis {weights.quant.axis} instead of {axis}"
            )
        _verify_bias_scale(x, weights, bias, graph.tensor(op.outputs[0]))
        # whatever the input is, sums of products stay in int32 (a saturated bias may make them wrap: so does TFLite)
        others = tuple(i for i in range(weights.data.ndim) if i != axis)
        largest, bits = (255, 31) if x.dtype == "int8" else (1 << 15, 31 if bias.dtype == "int32" else 46)
        if (np.abs(weights.data.astype(np.int32)).sum(axis=others, dtype=np.int64) * largest).max() >= 1 << bits:
            raise Contradiction(f"sums so many products that {bits + 1} bits overflow")
        if x.dtype == "int16":
            require_symmetric(op, graph)
            if np.abs(bias.data.astype(np.float64)).max() >= 1 << bits:
                raise Contradiction(f"has biases '{bias.name}' of more than {bits + 1} bits")
            _verify_rescale(op, graph)

    def macs(self, attrs: A, inputs: Sequence[Tensor], output: Tensor) -> int:
        weights = inputs[1]
        return output.elements * (weights.elements // weights.shape[self.channel_axis])


class Conv2D(Weighted[Conv2DAttrs], Windowed[Conv2DAttrs], kind=OpKind.CONV_2D):
    def fits(self, attrs: Conv2DAttrs, x: Tensor) -> bool:
        return super().fits(attrs, x) and 1 <= attrs.groups <= x.shape[3] and x.shape[3] % attrs.groups == 0

    def weights_shape(self, attrs: Conv2DAttrs, x: Tensor, channels: int) -> Shape:
        if channels % attrs.groups:
            raise Contradiction(f"divides {channels} output channels into {attrs.groups} groups")
        return (channels, *attrs.window.kernel, x.shape[3] // attrs.groups)


class DepthwiseConv2D(Weighted[DepthwiseConv2DAttrs], Windowed[DepthwiseConv2DAttrs], kind=OpKind.DEPTHWISE_CONV_2D):
    channel_axis = 3

    def weights_shape(self, attrs: DepthwiseConv2DAttrs, x: Tensor, channels: int) -> Shape:
        return (1, *attrs.window.kernel, x.shape[3] * attrs.multiplier)


class TransposeConv(Weighted[TransposeConvAttrs], kind=OpKind.TRANSPOSE_CONV):
    picture = True

    def fits(self, attrs: TransposeConvAttrs, x: Tensor) -> bool:
        window = attrs.window
        positive, before = (*window.kernel, *window.stride), (window.pad[0], window.pad[2])
        bounded = all(1 <= n <= MAX_SIZE for n in positive) and all(0 <= n <= MAX_SIZE for n in before)
        return bounded and window.dilation == (1, 1) and all(abs(n) <= MAX_SIZE for n in window.pad)

    def weights_shape(self, attrs: TransposeConvAttrs, x: Tensor, channels: int) -> Shape:
        return (channels, *attrs.window.kernel, x.shape[3])

    def shape(self, attrs: TransposeConvAttrs, inputs: Sequence[Tensor], declared: Shape) -> Shape:
        rows, columns = (
            (n - 1) * s + k - before - behind
            for n, s, k, before, behind in zip(
                inputs[0].shape[1:3],
                attrs.window.stride,
                attrs.window.kernel,
                attrs.window.pad[::2],
                attrs.window.pad[1::2],
                strict=True,
            )
        )
        if rows < 1 or columns < 1:
            raise Contradiction(f"has paddings {attrs.window.pad} around nothing")
        return (1, rows, columns, self.channels(inputs))

    def macs(self, attrs: TransposeConvAttrs, inputs: Sequence[Tensor], output: Tensor) -> int:
        return inputs[0].elements * (inputs[1].elements // inputs[0].shape[3])


class ConvChannels(Definition[ConvChannelsAttrs], kind=OpKind.CONV_CHANNELS):
    picture = True
    signatures = ("int8 x int8 x int16 x int32 -> int8",)
    constants = (2, 3)

    def check(self, op: Operator, graph: Graph) -> None:
        y, x, weights, bias = (graph.tensor(name) for name in op.inputs)
        attrs, output = op.attrs, graph.tensor(op.outputs[0])
        assert isinstance(attrs, ConvChannelsAttrs) and weights.data is not None
        count, window, depth = len(attrs.channels), attrs.window, weights.shape[-1]
        shapes = [(count, *window.kernel, depth), (count,), (1, *window.output_size(*x.shape[1:3]), y.shape[3])]
        if not count or [weights.shape, bias.shape, y.shape] != shapes or len(attrs.first) != count:
            raise Contradiction(f"has weights of shape {list(weights.shape)} for {count} channels of {list(y.shape)}")
        if max(attrs.channels) >= y.shape[3] or max(attrs.first) + depth > x.shape[3]:
            raise Contradiction("replaces or reads channels that there are not")
        if y.quant != output.quant or weights.quant is None or any(weights.quant.zero_point):
            raise Contradiction("has weights with a zero point, or an output with another scale")
        sums = np.abs(weights.data.astype(np.int64)).reshape(count, -1).sum(axis=1)
        if (sums * 255).max() >= 1 << 31:
            raise Contradiction("sums so many products that 32 bits overflow")

    def macs(self, attrs: ConvChannelsAttrs, inputs: Sequence[Tensor], output: Tensor) -> int:
        return 0  # beyond those of its layer


class FullyConnected(Weighted[FullyConnectedAttrs], kind=OpKind.FULLY_CONNECTED):
    """On each row of as many values as the weights take; the output is (rows, channels), or has rows on more axes."""

    def shapes(self, attrs: FullyConnectedAttrs, inputs: Sequence[Tensor], declared: Sequence[Shape]) -> list[Shape]:
        x, weights, bias = inputs
        if len(weights.shape) != 2 or weights.shape[0] != bias.elements or x.elements % weights.shape[1]:
            what = f"{list(weights.shape)} and {bias.elements} biases for input {list(x.shape)}"
            raise Contradiction(f"has weights of shape {what}")
        return [self.shape(attrs, inputs, declared[0])]

    def weights_shape(self, attrs: FullyConnectedAttrs, x: Tensor, channels: int) -> Shape:
        return (channels, x.elements)

    def shape(self, attrs: FullyConnectedAttrs, inputs: Sequence[Tensor], declared: Shape) -> Shape:
        x, channels = inputs[0], self.channels(inputs)
        rows = x.elements // inputs[1].shape[1]
        if declared and declared[-1] == channels and prod(declared) == rows * channels:
            return declared
        return up_to_ones((rows, channels), declared)


def _verify_rescale(op: Operator, graph: Graph) -> None:
    """Sums of int16 inputs are made smaller, not larger beyond what TFLite's formula bears."""
    if max(factors(graph, op)) >= LARGEST_FACTOR:
        output = graph.tensor(op.outputs[0])
        raise Contradiction(f"has an output '{output.name}' whose scale is too small beside its input's and weights'")


def _verify_bias_scale(x: Tensor, weights: Tensor, bias: Tensor, output: Tensor) -> None:
    """Bias scale = input scale * weight scale, up to 2 % of an output step (the tolerance of TFLite)."""
    if bias.quant is None:
        return
    assert weights.quant is not None
    scales, expected = np.array(bias.quant.scale), x.scale * np.array(weights.quant.scale)
    if scales.size not in (1, expected.size) or np.abs(scales - expected).max() > 0.02 * output.scale:
        raise Contradiction(f"has biases '{bias.name}' whose scale is not input scale times weight scale")


class Pool(Windowed[PoolAttrs]):
    same_quantization = True
    signatures = ("int8 -> int8", "int16 -> int16", "float32 -> float32")


class AveragePool2D(Pool, kind=OpKind.AVERAGE_POOL_2D):
    pass


class MaxPool2D(Pool, kind=OpKind.MAX_POOL_2D):
    pass
