"""Operators that make one element of many: MEAN, SUM, REDUCE_MAX, REDUCE_MIN, REDUCE_ALL, REDUCE_ANY."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from tinyengine.ir.graph import Graph, Operator, Tensor
from tinyengine.ir.operators.base import Contradiction, Definition, Shape, require_symmetric
from tinyengine.ir.ops import MeanAttrs, OpKind
from tinyengine.ir.requant import Requant, requant_of


class Reduce(Definition[MeanAttrs]):
    """Over any axes."""

    signatures: ClassVar[tuple[str, ...]] = ("int8 -> int8", "float32 -> float32")

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


class Mean(Reduce, kind=OpKind.MEAN):
    signatures = ("int8 -> int8", "int16 -> int16", "float32 -> float32")

    def check(self, op: Operator, graph: Graph) -> None:
        x, y = graph.tensor(op.inputs[0]), graph.tensor(op.outputs[0])
        require_symmetric(op, graph)
        if x.dtype == "int16" and x.elements // y.elements > 1 << 16:
            raise Contradiction("sums so many values that 32 bits overflow")


class Sum(Reduce, kind=OpKind.SUM):
    """Of int32 it wraps."""

    signatures = (*Reduce.signatures, "int32 -> int32")

    def check(self, op: Operator, graph: Graph) -> None:
        x, y = graph.tensor(op.inputs[0]), graph.tensor(op.outputs[0])
        if x.dtype == "int8" and x.elements // y.elements >= 1 << 23:
            raise Contradiction("sums so many values that 32 bits overflow")


class ReduceMax(Reduce, kind=OpKind.REDUCE_MAX):
    signatures = (*Reduce.signatures, "int32 -> int32")
    same_quantization = True


class ReduceMin(ReduceMax, kind=OpKind.REDUCE_MIN):
    pass


class ReduceAll(Reduce, kind=OpKind.REDUCE_ALL):
    signatures = ("bool -> bool",)


class ReduceAny(ReduceAll, kind=OpKind.REDUCE_ANY):
    pass


def sum_requant(graph: Graph, op: Operator) -> Requant:
    """From the sum of what stands for real values (zero points taken off) to the output (PrepareMeanOrSum)."""
    x, y = graph.tensor(op.inputs[0]), graph.tensor(op.outputs[0])
    return requant_of([x.scale / y.scale], y)
