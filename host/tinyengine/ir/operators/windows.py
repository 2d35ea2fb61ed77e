"""Operators that slide a window over a picture: the convolutions' common rules, AVERAGE_POOL_2D, MAX_POOL_2D; MEAN."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from tinyengine.ir.graph import Tensor
from tinyengine.ir.operators.base import MAX_SIZE, Contradiction, Definition, Shape
from tinyengine.ir.ops import MeanAttrs, OpKind, PoolAttrs, WindowAttrs

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


class Pool(Windowed[PoolAttrs]):
    same_quantization = True


class AveragePool2D(Pool, kind=OpKind.AVERAGE_POOL_2D):
    pass


class MaxPool2D(Pool, kind=OpKind.MAX_POOL_2D):
    pass


class Mean(Definition[MeanAttrs], kind=OpKind.MEAN):
    def fits(self, attrs: MeanAttrs, x: Tensor) -> bool:
        axes = set(attrs.axes)
        return bool(axes) and list(attrs.axes) == sorted(axes) and axes <= set(range(len(x.shape)))

    def shape(self, attrs: MeanAttrs, inputs: Sequence[Tensor], declared: Shape) -> Shape:
        kept = [
            (1 if i in attrs.axes else n)
            for i, n in enumerate(inputs[0].shape)
            if attrs.keep_dims or i not in attrs.axes
        ]
        return tuple(kept)
