"""Operators on two tensors of which one may be broadcast or constant, and the integers that they compute with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tinyengine.ir.graph import Graph, Operator, Tensor
from tinyengine.ir.operators.base import A, Contradiction, Definition, Shape
from tinyengine.ir.ops import ElementwiseAttrs, NoAttrs, OpKind
from tinyengine.ir.quantize import quantize_multiplier
from tinyengine.ir.requant import add_params


class Binary(Definition[A]):
    """NumPy's broadcasting."""

    signatures = ("int8 x int8 -> int8",)
    elementwise = True

    def shape(self, attrs: A, inputs: Sequence[Tensor], declared: Shape) -> Shape:
        shapes = [tensor.shape for tensor in inputs]
        try:
            return np.broadcast_shapes(*shapes)
        except ValueError:
            raise Contradiction(f"combines shapes {' and '.join(str(list(shape)) for shape in shapes)}") from None


class Elementwise(Binary[ElementwiseAttrs]):
    """With a fused activation."""


class Add(Elementwise, kind=OpKind.ADD):
    def check(self, op: Operator, graph: Graph) -> None:
        add_params(graph, op)


class Sub(Add, kind=OpKind.SUB):
    pass


class Mul(Elementwise, kind=OpKind.MUL):
    pass


class Minimum(Binary[NoAttrs], kind=OpKind.MINIMUM):
    """Of the bytes, as they are: TFLite looks at no scale."""


class Maximum(Binary[NoAttrs], kind=OpKind.MAXIMUM):
    """As MINIMUM."""


@dataclass(frozen=True)
class Multiplier:
    """A real factor as ``multiplier`` / 2^31 * 2^``shift``."""

    multiplier: int
    shift: int

    @classmethod
    def of(cls, real: float | np.floating) -> Multiplier:
        return cls(*quantize_multiplier(float(real)))


DIFFERENCE_LEFT_SHIFT = 7
"""Headroom that SQUARED_DIFFERENCE gives its int8 inputs before it rescales them to a common scale."""


class SquaredDifference(Binary[NoAttrs], kind=OpKind.SQUARED_DIFFERENCE):
    def multipliers(self, op: Operator, graph: Graph) -> tuple[Multiplier, Multiplier, Multiplier]:
        """Of both inputs (to twice the larger scale), and of the square (SquaredDifferencePrepare)."""
        a, b, y = (graph.tensor(name).scale for name in (*op.inputs, op.outputs[0]))
        twice = 2.0 * max(a, b)
        square = twice * twice / ((1 << 2 * DIFFERENCE_LEFT_SHIFT) * y)
        return Multiplier.of(a / twice), Multiplier.of(b / twice), Multiplier.of(square)


class Prelu(Binary[NoAttrs], kind=OpKind.PRELU):
    """Input 1: what negative values are multiplied by."""

    def multipliers(self, op: Operator, graph: Graph) -> tuple[Multiplier, Multiplier]:
        """Of values, and of products with slopes; in float32 throughout (PreluPrepare)."""
        x, slope, y = (np.float32(graph.tensor(name).scale) for name in (*op.inputs, op.outputs[0]))
        return Multiplier.of(x / y), Multiplier.of(x * slope / y)
