"""Operators along one axis: LOG_SOFTMAX, L2_NORMALIZATION, ARG_MAX, ARG_MIN, CUMSUM."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tinyengine.ir.graph import Graph, Operator, Tensor
from tinyengine.ir.operators.base import Contradiction, Definition, Shape
from tinyengine.ir.operators.elementwise import sums_multiplier
from tinyengine.ir.ops import ArgAttrs, CumsumAttrs, ElementwiseAttrs, NoAttrs, OpKind
from tinyengine.ir.quantize import quantize_multiplier, rounding_divide_by_pot
from tinyengine.ir.requant import SoftmaxParams, softmax_params

MAX_DEPTH = 1 << 12
"""Longest line whose sum of exponentials is safe in Q12.19."""


class LogSoftmax(Definition[NoAttrs], kind=OpKind.LOG_SOFTMAX):
    """Over the last axis."""

    signatures = ("int8 -> int8", "float32 -> float32")

    def fits(self, attrs: NoAttrs, x: Tensor) -> bool:
        return len(x.shape) >= 1

    def check(self, op: Operator, graph: Graph) -> None:
        x, y = graph.tensor(op.inputs[0]), graph.tensor(op.outputs[0])
        if y.dtype == "float32":
            return
        if y.zero_point != 127 or y.scale != 1 / 16:
            raise Contradiction(f"must write '{y.name}' with scale 1/16 and zero point 127")
        if x.shape[-1] >= MAX_DEPTH:
            raise Contradiction(f"sums {x.shape[-1]} exponentials, more than {MAX_DEPTH - 1}")
        log_softmax_params(graph, op)


@dataclass(frozen=True, eq=False)
class LogSoftmaxParams:
    """``exp``: exp_table of SoftmaxParams with 19 fraction bits, int32 (256,). ``reverse``, ``reverse_shift``: from
    Q5.26 back to differences of inputs."""

    softmax: SoftmaxParams
    exp: np.ndarray
    reverse: int
    reverse_shift: int


def log_softmax_params(graph: Graph, op: Operator) -> LogSoftmaxParams:
    """Constants of LOG_SOFTMAX (PreprocessLogSoftmaxScalingExp)."""
    p = softmax_params(graph, op)
    reverse, shift = quantize_multiplier((1 << (31 - p.left_shift)) / p.multiplier)
    return LogSoftmaxParams(p, rounding_divide_by_pot(p.exp_table, 12).astype(np.int32), reverse, shift)


class L2Normalization(Definition[ElementwiseAttrs], kind=OpKind.L2_NORMALIZATION):
    """Over the last axis."""

    signatures = ("int8 -> int8", "float32 -> float32")

    def fits(self, attrs: ElementwiseAttrs, x: Tensor) -> bool:
        return len(x.shape) >= 1

    def check(self, op: Operator, graph: Graph) -> None:
        x, y = graph.tensor(op.inputs[0]), graph.tensor(op.outputs[0])
        if y.dtype == "float32":
            return
        if y.zero_point != 0 or y.scale != 1 / 128:
            raise Contradiction(f"must write '{y.name}' with scale 1/128 and zero point 0")
        if x.shape[-1] * 255**2 >= 1 << 31:
            raise Contradiction("sums so many squares that 32 bits overflow")


class ArgMax(Definition[ArgAttrs], kind=OpKind.ARG_MAX):
    """The first index of the largest value."""

    signatures = ("int8 -> int32", "float32 -> int32")

    def fits(self, attrs: ArgAttrs, x: Tensor) -> bool:
        return 0 <= attrs.axis < len(x.shape)

    def shape(self, attrs: ArgAttrs, inputs: Sequence[Tensor], declared: Shape) -> Shape:
        shape = inputs[0].shape
        return (*shape[: attrs.axis], *shape[attrs.axis + 1 :])


class ArgMin(ArgMax, kind=OpKind.ARG_MIN):
    pass


class Cumsum(Definition[CumsumAttrs], kind=OpKind.CUMSUM):
    """Sums of int8 and int32 wrap in 32 bits, as TFLite's do."""

    signatures = ("int8 -> int8", "int32 -> int32", "float32 -> float32")

    def fits(self, attrs: CumsumAttrs, x: Tensor) -> bool:
        return 0 <= attrs.axis < len(x.shape)

    def check(self, op: Operator, graph: Graph) -> None:
        x, y = graph.tensor(op.inputs[0]), graph.tensor(op.outputs[0])
        if y.dtype == "int8":
            sums_multiplier(x, y)
