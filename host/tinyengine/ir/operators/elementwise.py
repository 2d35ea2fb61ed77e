"""Operators on two tensors of which one may be broadcast or constant, and the integers that they compute with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinyengine.ir.graph import Graph, Operator, Tensor
from tinyengine.ir.operators.base import A, Contradiction, Definition, Shape, require_symmetric
from tinyengine.ir.ops import ElementwiseAttrs, MatmulAttrs, NoAttrs, OpKind
from tinyengine.ir.quantize import quantize_multiplier
from tinyengine.ir.requant import Requant, add_params, requant_of


def broadcast_shape(shapes: Sequence[Shape]) -> Shape:
    """NumPy's; raises Contradiction where it has none."""
    try:
        return np.broadcast_shapes(*shapes)
    except ValueError:
        raise Contradiction(f"combines shapes {' and '.join(str(list(shape)) for shape in shapes)}") from None


class Binary(Definition[A]):
    """NumPy's broadcasting."""

    signatures: ClassVar[tuple[str, ...]] = ("int8 x int8 -> int8",)
    elementwise = True

    def shape(self, attrs: A, inputs: Sequence[Tensor], declared: Shape) -> Shape:
        return broadcast_shape([tensor.shape for tensor in inputs])


class Elementwise(Binary[ElementwiseAttrs]):
    """With a fused activation, but for int32."""

    def check(self, op: Operator, graph: Graph) -> None:
        if graph.tensor(op.outputs[0]).dtype == "int32" and op.attrs != ElementwiseAttrs():
            raise Contradiction("has an activation on int32")
        require_symmetric(op, graph)


class Add(Elementwise, kind=OpKind.ADD):
    signatures = tuple(f"{dtype} x {dtype} -> {dtype}" for dtype in ("int8", "int16", "int32", "float32"))

    def check(self, op: Operator, graph: Graph) -> None:
        super().check(op, graph)
        if graph.tensor(op.outputs[0]).dtype in ("int8", "int16"):
            add_params(graph, op)


class Sub(Add, kind=OpKind.SUB):
    pass


class Mul(Elementwise, kind=OpKind.MUL):
    signatures = tuple(f"{dtype} x {dtype} -> {dtype}" for dtype in ("int8", "int16", "int32", "float32"))


class Div(Elementwise, kind=OpKind.DIV):
    """Of int32 towards zero. What TFLite refuses or leaves open, a division by zero, gives zero; of int8 such a
    divisor counts as its smallest step."""

    signatures = ("int8 x int8 -> int8", "int32 x int32 -> int32", "float32 x float32 -> float32")

    def check(self, op: Operator, graph: Graph) -> None:
        super().check(op, graph)
        divisor = graph.tensor(op.inputs[1])
        if divisor.dtype == "int32" and divisor.data is not None and not divisor.data.all():
            raise Contradiction("divides by a constant zero", "divide by something else")

    def multiplier(self, op: Operator, graph: Graph) -> Multiplier:
        """Of quotients of int8 values; in float32 up to it (CalculateOpDataDiv)."""
        a, b, y = (np.float32(graph.tensor(name).scale) for name in (*op.inputs, op.outputs[0]))
        return Multiplier.of(a / (b * y))


class FloorDiv(Binary[NoAttrs], kind=OpKind.FLOOR_DIV):
    """Rounded down; of int32 by zero: 0, where TFLite gives up."""

    signatures = ("int32 x int32 -> int32", "float32 x float32 -> float32")


class FloorMod(FloorDiv, kind=OpKind.FLOOR_MOD):
    """What FLOOR_DIV leaves, with the divisor's sign."""


ADD_N_LEFT_SHIFT = 20
"""Headroom that ADD_N and CUMSUM give their int8 inputs."""


class AddN(Definition[NoAttrs], kind=OpKind.ADD_N):
    """Of one shape, and of one quantization, but for the output's."""

    signatures = tuple(f"{dtype}... -> {dtype}" for dtype in ("int8", "int32", "float32"))

    def shape(self, attrs: NoAttrs, inputs: Sequence[Tensor], declared: Shape) -> Shape:
        if len({tensor.shape for tensor in inputs}) > 1:
            raise Contradiction("adds tensors of several shapes")
        return inputs[0].shape

    def check(self, op: Operator, graph: Graph) -> None:
        inputs, y = [graph.tensor(name) for name in op.inputs], graph.tensor(op.outputs[0])
        if y.dtype != "int8":
            return
        if any(tensor.quant != inputs[0].quant for tensor in inputs):
            raise Contradiction("adds tensors of several quantizations", "add two at a time (ADD)")
        sums_multiplier(inputs[0], y)
        if len(inputs) > 15:
            raise Contradiction("adds so many tensors that 32 bits overflow", "add two at a time (ADD)")


def sums_multiplier(x: Tensor, y: Tensor) -> Multiplier:
    """From sums of int8 inputs (ADD_N, CUMSUM), halved and with ADD_N_LEFT_SHIFT more bits, to the output."""
    factor = Multiplier.of(2.0 * x.scale / ((1 << ADD_N_LEFT_SHIFT) * y.scale))
    if factor.shift > 0:
        raise Contradiction(f"has an output '{y.name}' of a scale far below its input's")
    return factor


class LogicalAnd(Binary[NoAttrs], kind=OpKind.LOGICAL_AND):
    signatures = ("bool x bool -> bool",)


class LogicalOr(LogicalAnd, kind=OpKind.LOGICAL_OR):
    pass


class LogicalNot(Definition[NoAttrs], kind=OpKind.LOGICAL_NOT):
    signatures = ("bool -> bool",)
    elementwise = True


class Minimum(Binary[NoAttrs], kind=OpKind.MINIMUM):
    """Of the bytes, as they are: TFLite looks at no scale."""

    scaleless = True
    signatures = tuple(f"{dtype} x {dtype} -> {dtype}" for dtype in ("int8", "int16", "int32", "float32"))


class Maximum(Minimum, kind=OpKind.MAXIMUM):
    pass


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
    signatures = ("int8 x int8 -> int8", "float32 x float32 -> float32")

    def multipliers(self, op: Operator, graph: Graph) -> tuple[Multiplier, Multiplier, Multiplier]:
        """Of both inputs (to twice the larger scale), and of the square (SquaredDifferencePrepare)."""
        a, b, y = (graph.tensor(name).scale for name in (*op.inputs, op.outputs[0]))
        twice = 2.0 * max(a, b)
        square = twice * twice / ((1 << 2 * DIFFERENCE_LEFT_SHIFT) * y)
        return Multiplier.of(a / twice), Multiplier.of(b / twice), Multiplier.of(square)


class Prelu(Binary[NoAttrs], kind=OpKind.PRELU):
    """Input 1: what negative values are multiplied by."""

    signatures = ("int8 x int8 -> int8", "float32 x float32 -> float32")

    def multipliers(self, op: Operator, graph: Graph) -> tuple[Multiplier, Multiplier]:
        """Of values, and of products with slopes; in float32 throughout (PreluPrepare)."""
        x, slope, y = (np.float32(graph.tensor(name).scale) for name in (*op.inputs, op.outputs[0]))
        return Multiplier.of(x / y), Multiplier.of(x * slope / y)


class Comparison(Binary[NoAttrs]):
    signatures = tuple(f"{dtype} x {dtype} -> bool" for dtype in ("int8", "int32", "float32"))

    def multipliers(self, op: Operator, graph: Graph) -> list[Multiplier]:
        """Of both int8 inputs, to real values with 8 more bits (ComparisonPrepareCommon)."""
        return [Multiplier.of(graph.tensor(name).scale) for name in op.inputs]

    def check(self, op: Operator, graph: Graph) -> None:
        if graph.tensor(op.inputs[0]).dtype == "int8" and any(graph.tensor(name).scale >= 1 for name in op.inputs):
            raise Contradiction("compares int8 values of a scale of 1 or more")


class Equal(Comparison, kind=OpKind.EQUAL):
    signatures = (*Comparison.signatures, "bool x bool -> bool")


class NotEqual(Equal, kind=OpKind.NOT_EQUAL):
    pass


class Less(Comparison, kind=OpKind.LESS):
    pass


class LessEqual(Comparison, kind=OpKind.LESS_EQUAL):
    pass


class Greater(Comparison, kind=OpKind.GREATER):
    pass


class GreaterEqual(Comparison, kind=OpKind.GREATER_EQUAL):
    pass


class Select(Binary[NoAttrs], kind=OpKind.SELECT_V2):
    """Input 1 where input 0 is true, else input 2; of bytes as they are."""

    scaleless = True
    signatures = tuple(
        f"bool x {dtype} x {dtype} -> {dtype}" for dtype in ("int8", "int16", "int32", "float32", "bool")
    )


class Cast(Definition[NoAttrs], kind=OpKind.CAST):
    """Of numbers as they are; fractions are cut off."""

    scaleless = True
    signatures = tuple(
        f"{x} -> {y}"
        for x in ("int8", "int16", "int32", "float32", "bool")
        for y in ("int8", "int16", "int32", "float32", "bool")
        if x != y and not (x == "float32" and y in ("int8", "int16"))
    )
    signatures += ("int32 -> uint32", "uint32 -> int32")
    elementwise = True


class BatchMatmul(Definition[MatmulAttrs], kind=OpKind.BATCH_MATMUL):
    """Products of matrices that the network computes; those of one operand may serve several of the other."""

    signatures = ("int8 x int8 -> int8", "float32 x float32 -> float32")

    def shape(self, attrs: MatmulAttrs, inputs: Sequence[Tensor], declared: Shape) -> Shape:
        a, b = (tensor.shape for tensor in inputs)
        if min(len(a), len(b)) >= 2:
            rows, depth = a[-2:][:: -1 if attrs.adj_x else 1]
            other, columns = b[-2:][:: -1 if attrs.adj_y else 1]
            if depth == other:
                return (*broadcast_shape([a[:-2], b[:-2]]), rows, columns)
        raise Contradiction(f"multiplies matrices of shapes {list(a)} and {list(b)}")

    def check(self, op: Operator, graph: Graph) -> None:
        a = graph.tensor(op.inputs[0])
        if a.dtype == "int8" and max(a.shape[-2:]) * 255**2 >= 1 << 31:
            raise Contradiction("sums so many products that 32 bits overflow")

    def macs(self, attrs: MatmulAttrs, inputs: Sequence[Tensor], output: Tensor) -> int:
        return output.elements * (inputs[0].shape[-1] * inputs[0].shape[-2] // output.shape[-2])


def matmul_requant(graph: Graph, op: Operator) -> Requant:
    """From a sum of products to the output (BatchMatMul's Prepare)."""
    a, b, y = (graph.tensor(name) for name in (*op.inputs, op.outputs[0]))
    return requant_of([a.scale * b.scale / y.scale], y)
