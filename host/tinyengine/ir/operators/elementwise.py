"""ADD, SUB, MUL: two tensors, one of which may be broadcast or constant."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tinyengine.ir.graph import Graph, Operator, Tensor
from tinyengine.ir.operators.base import Contradiction, Definition, Shape
from tinyengine.ir.ops import ElementwiseAttrs, OpKind
from tinyengine.ir.requant import add_params


class Elementwise(Definition[ElementwiseAttrs]):
    """NumPy's broadcasting."""

    signatures = ("int8 x int8 -> int8",)
    elementwise = True

    def shape(self, attrs: ElementwiseAttrs, inputs: Sequence[Tensor], declared: Shape) -> Shape:
        shapes = [tensor.shape for tensor in inputs]
        try:
            return np.broadcast_shapes(*shapes)
        except ValueError:
            raise Contradiction(f"combines shapes {' and '.join(str(list(shape)) for shape in shapes)}") from None


class Add(Elementwise, kind=OpKind.ADD):
    def check(self, op: Operator, graph: Graph) -> None:
        add_params(graph, op)


class Sub(Add, kind=OpKind.SUB):
    pass


class Mul(Elementwise, kind=OpKind.MUL):
    pass
