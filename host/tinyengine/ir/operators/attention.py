"""ReLU linear attention (Cai et al., EfficientViT, 2023) in integers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tinyengine.ir.graph import Graph, Operator, Tensor
from tinyengine.ir.operators.base import Contradiction, Definition, Shape
from tinyengine.ir.ops import LinearAttentionAttrs, OpKind
from tinyengine.ir.quantize import INT8_MIN, quantize_multiplier

_LARGEST = 255
"""Of a query, a key, or a value, less its zero point."""
_SHIFTS = range(-8, 9)


@dataclass(frozen=True)
class LinearAttentionParams:
    """The integers of te_matmul.h: ``epsilon`` in units of queries times keys, at least 1; the values' scale by the
    output's as ``multiplier`` / 2**31 * 2**``shift``."""

    epsilon: int
    multiplier: int
    shift: int
    value_zero: int
    zero: int


class LinearAttention(Definition[LinearAttentionAttrs], kind=OpKind.LINEAR_ATTENTION):
    """Sums of products stay in 32 bits, and each pixel and head is divided once: TFLite's operators for the same
    formula round sums and quotients to 8 bits, of which little is left where divisors are small."""

    signatures = ("int8 x int8 x int8 -> int8",)
    picture = True

    def fits(self, attrs: LinearAttentionAttrs, x: Tensor) -> bool:
        return attrs.heads >= 1 and x.shape[-1] % attrs.heads == 0 and 0 < attrs.epsilon < float("inf")

    def shape(self, attrs: LinearAttentionAttrs, inputs: Sequence[Tensor], declared: Shape) -> Shape:
        if any(tensor.shape != inputs[0].shape for tensor in inputs):
            shapes = ", ".join(str(list(tensor.shape)) for tensor in inputs)
            raise Contradiction(f"has queries, keys and values of shapes {shapes}")
        return inputs[0].shape

    def check(self, op: Operator, graph: Graph) -> None:
        assert isinstance(op.attrs, LinearAttentionAttrs)
        queries, keys, _ = (graph.tensor(name) for name in op.inputs)
        if queries.zero_point != INT8_MIN or keys.zero_point != INT8_MIN:
            raise Contradiction("has queries or keys that may be negative", "put a RELU behind both and convert again")
        if queries.shape[-1] // op.attrs.heads % 2:
            raise Contradiction("has heads of an odd number of channels", "give each an even number of them")
        params = linear_attention_params(graph, op)
        _, rows, columns, channels = queries.shape
        depth = channels // op.attrs.heads
        if params.epsilon + depth * rows * columns * _LARGEST**2 >= 1 << 31 or depth * _LARGEST << 15 >= 1 << 31:
            raise Contradiction("sums so many products that 32 bits overflow", "use smaller pictures or heads")
        if params.shift not in _SHIFTS:
            raise Contradiction("has values and outputs of scales that are too different", "calibrate with other data")

    def macs(self, attrs: LinearAttentionAttrs, inputs: Sequence[Tensor], output: Tensor) -> int:
        """Keys times values, queries times their sums, and the same with 1 in the values' place."""
        return 2 * output.elements * (output.shape[-1] // attrs.heads + 1)


def linear_attention_params(graph: Graph, op: Operator) -> LinearAttentionParams:
    """From the scales."""
    assert isinstance(op.attrs, LinearAttentionAttrs)
    queries, keys, values, y = (graph.tensor(name) for name in (*op.inputs, op.outputs[0]))
    multiplier, shift = quantize_multiplier(values.scale / y.scale)
    epsilon = max(1, round(op.attrs.epsilon / (queries.scale * keys.scale)))
    return LinearAttentionParams(epsilon, multiplier, shift, values.zero_point, y.zero_point)
