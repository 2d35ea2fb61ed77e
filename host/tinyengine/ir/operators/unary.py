"""Functions of single values, nearly all of them tables of 256 results; SOFTMAX; DEQUANTIZE."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable
from typing import ClassVar

import numpy as np

from tinyengine.errors import ModelError
from tinyengine.ir.graph import DTYPES, Graph, Operator, Tensor
from tinyengine.ir.int16 import sigmoid_input
from tinyengine.ir.operators.base import DEFINITIONS, A, Contradiction, Definition, require_symmetric
from tinyengine.ir.ops import ActivationAttrs, GeluAttrs, LeakyReluAttrs, NoAttrs, OpKind, SoftmaxAttrs, TableAttrs
from tinyengine.ir.quantize import (
    INT8_MAX,
    INT8_MIN,
    inverse_sqrt,
    multiply_by_quantized_multiplier,
    quantize_multiplier,
    round_half_away,
    rounding_divide_by_pot,
    rounding_high_mul,
)
from tinyengine.ir.requant import Requant, requant_of, softmax_params

EITHER = ("int8 -> int8", "float32 -> float32")
WITH_INT16 = (*EITHER, "int16 -> int16")


class Table(Definition[A]):
    """A function of one int8 value: a table says everything, to the oracle and to the kernel."""

    elementwise = True

    @abstractmethod
    def table(self, op: Operator, x: Tensor, output: Tensor, values: np.ndarray) -> np.ndarray:
        """int8 results (256,) for ``values``: -128 .. 127 less the input's zero point, int64."""


class RealTable(Table[A]):
    """A function computed in float32 (LUTPopulate). Between float32 tensors a pass makes a table of it and of the
    conversions around it, if there are any; in a float32 network a loop computes it (``ir.floating``)."""

    signatures: ClassVar[tuple[str, ...]] = EITHER

    @abstractmethod
    def real(self, op: Operator, x: np.ndarray, output: Tensor) -> np.ndarray:
        """float32 results for float32 values."""

    def table(self, op: Operator, x: Tensor, output: Tensor, values: np.ndarray) -> np.ndarray:
        """Rounded halves away from zero."""
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):  # infinity is right: it saturates
            result = self.real(op, np.float32(x.scale) * values.astype(np.float32), output)
            rescaled = round_half_away(result * (np.float32(1.0) / np.float32(output.scale)))
        return np.clip(rescaled + np.float32(output.zero_point), INT8_MIN, INT8_MAX).astype(np.int8)


def _rounded(function: Callable[[np.ndarray], np.ndarray], x: np.ndarray) -> np.ndarray:
    """In float64, then rounded: what a correctly rounded function of the C library gives."""
    return function(x.astype(np.float64)).astype(np.float32)


class Logistic(RealTable[NoAttrs], kind=OpKind.LOGISTIC):
    signatures = WITH_INT16

    def check(self, op: Operator, graph: Graph) -> None:
        if graph.tensor(op.outputs[0]).dtype == "int8":
            _verify_unit_output(graph.tensor(op.outputs[0]), 0.0)
        _verify_sigmoid(op, graph)

    def real(self, op: Operator, x: np.ndarray, output: Tensor) -> np.ndarray:
        return np.float32(1.0) / (np.float32(1.0) + _rounded(np.exp, -x))


class Tanh(RealTable[NoAttrs], kind=OpKind.TANH):
    signatures = WITH_INT16

    def check(self, op: Operator, graph: Graph) -> None:
        _verify_sigmoid(op, graph)

    def real(self, op: Operator, x: np.ndarray, output: Tensor) -> np.ndarray:
        return _rounded(np.tanh, x)


class Elu(RealTable[NoAttrs], kind=OpKind.ELU):
    def real(self, op: Operator, x: np.ndarray, output: Tensor) -> np.ndarray:
        return np.where(x < 0, _rounded(np.expm1, x), x)


class Gelu(RealTable[GeluAttrs], kind=OpKind.GELU):
    def real(self, op: Operator, x: np.ndarray, output: Tensor) -> np.ndarray:
        assert isinstance(op.attrs, GeluAttrs)
        one, half = np.float32(1.0), np.float32(0.5)
        if op.attrs.approximate:
            inner = np.float32(math.sqrt(2 / math.pi)) * (x + np.float32(0.044715) * x * x * x)
            return half * x * (one + _rounded(np.tanh, inner))
        erfc = np.array([math.erfc(v) for v in (x * np.float32(-math.sqrt(0.5))).tolist()])
        return half * x * erfc.astype(np.float32)


class Exp(RealTable[NoAttrs], kind=OpKind.EXP):
    def real(self, op: Operator, x: np.ndarray, output: Tensor) -> np.ndarray:
        return _rounded(np.exp, x)


class Log(RealTable[NoAttrs], kind=OpKind.LOG):
    def real(self, op: Operator, x: np.ndarray, output: Tensor) -> np.ndarray:
        """Of what is not positive, the smallest int8 output."""
        if output.dtype == "float32":
            return _rounded(np.log, x)
        least = np.float32(INT8_MIN - output.zero_point) * np.float32(output.scale)
        return np.where(x > 0, _rounded(np.log, x), least)


class Square(RealTable[NoAttrs], kind=OpKind.SQUARE):
    signatures = ("float32 -> float32",)

    def real(self, op: Operator, x: np.ndarray, output: Tensor) -> np.ndarray:
        return x * x


class RealOnly(RealTable[NoAttrs]):
    """For which TFLite knows float32 alone."""

    signatures = ("float32 -> float32",)
    function: ClassVar[np.ufunc]

    def real(self, op: Operator, x: np.ndarray, output: Tensor) -> np.ndarray:
        return _rounded(self.function, x)


class Floor(RealOnly, kind=OpKind.FLOOR):
    function = np.floor


class Ceil(RealOnly, kind=OpKind.CEIL):
    function = np.ceil


class Round(RealOnly, kind=OpKind.ROUND):
    """Halves to even."""

    function = np.rint


class Sign(RealOnly, kind=OpKind.SIGN):
    function = np.sign


class Sin(RealOnly, kind=OpKind.SIN):
    function = np.sin


class Cos(RealOnly, kind=OpKind.COS):
    function = np.cos


class Lookup(Table[TableAttrs], kind=OpKind.TABLE):
    def fits(self, attrs: TableAttrs, x: Tensor) -> bool:
        return len(attrs.values) == 256 and all(INT8_MIN <= value <= INT8_MAX for value in attrs.values)

    def table(self, op: Operator, x: Tensor, output: Tensor, values: np.ndarray) -> np.ndarray:
        assert isinstance(op.attrs, TableAttrs)
        return np.array(op.attrs.values, np.int8)


class Sqrt(Table[NoAttrs], kind=OpKind.SQRT):
    signatures = EITHER

    def table(self, op: Operator, x: Tensor, output: Tensor, values: np.ndarray) -> np.ndarray:
        """Rounded towards zero (SqrtEvalQuantized); TFLite refuses negative values, here they count as zero."""
        real = np.sqrt(np.float32(x.scale) * np.maximum(values, 0).astype(np.float32))
        result = np.trunc(real / np.float32(output.scale)) + output.zero_point
        return np.clip(result, INT8_MIN, INT8_MAX).astype(np.int8)


RSQRT_SHIFT = 20
"""Fractional bits of an inverse root before it is scaled."""


class Rsqrt(Table[NoAttrs], kind=OpKind.RSQRT):
    signatures = EITHER

    def table(self, op: Operator, x: Tensor, output: Tensor, values: np.ndarray) -> np.ndarray:
        """In fixed point (RsqrtEvalQuantizedInt8); TFLite refuses negative values, here they count as zero."""
        root = np.sqrt(np.float32(x.scale))
        multiplier, shift = quantize_multiplier(float(1.0 / np.float64(root * np.float32(output.scale))))
        inverse = [inverse_sqrt(max(int(v), 0)) for v in values]
        data = [int(multiply_by_quantized_multiplier(np.array(1), m, s + RSQRT_SHIFT)) for m, s in inverse]
        result = multiply_by_quantized_multiplier(np.array(data), multiplier, shift - RSQRT_SHIFT) + output.zero_point
        return np.where(values <= 0, INT8_MAX, np.clip(result, INT8_MIN, INT8_MAX)).astype(np.int8)


class Abs(Table[NoAttrs], kind=OpKind.ABS):
    signatures = EITHER

    def table(self, op: Operator, x: Tensor, output: Tensor, values: np.ndarray) -> np.ndarray:
        magnitude = np.abs(values)
        if x.scale != output.scale:
            real = float(np.float32(x.scale) / np.float32(output.scale))
            magnitude = multiply_by_quantized_multiplier(magnitude, *quantize_multiplier(real))
        return np.clip(magnitude + output.zero_point, INT8_MIN, INT8_MAX).astype(np.int8)


class Neg(Table[NoAttrs], kind=OpKind.NEG):
    signatures = EITHER

    def table(self, op: Operator, x: Tensor, output: Tensor, values: np.ndarray) -> np.ndarray:
        """Of the byte as it is: TFLite looks at no quantization, and -128 stays."""
        return (-(values + x.zero_point)).astype(np.int8)


class LeakyRelu(Table[LeakyReluAttrs], kind=OpKind.LEAKY_RELU):
    """Of int16 (symmetric) the same arithmetic without a table."""

    signatures = WITH_INT16

    def check(self, op: Operator, graph: Graph) -> None:
        require_symmetric(op, graph)

    def fits(self, attrs: LeakyReluAttrs, x: Tensor) -> bool:
        return math.isfinite(attrs.alpha)

    def table(self, op: Operator, x: Tensor, output: Tensor, values: np.ndarray) -> np.ndarray:
        return self.results(op, x, output, values).astype(np.int8)

    def multipliers(self, op: Operator, x: Tensor, output: Tensor) -> tuple[tuple[int, int], tuple[int, int]]:
        """(multiplier, shift) from zero upwards and below; in float32 up to them (LeakyReluPrepare)."""
        assert isinstance(op.attrs, LeakyReluAttrs)
        scale, out_scale = np.float32(x.scale), np.float32(output.scale)
        slope = quantize_multiplier(float(scale * np.float32(op.attrs.alpha) / out_scale))
        return quantize_multiplier(float(scale / out_scale)), slope

    def results(self, op: Operator, x: Tensor, output: Tensor, values: np.ndarray) -> np.ndarray:
        """int64, within the output's type, for ``values`` less the input's zero point (QuantizeLeakyRelu)."""
        pairs = self.multipliers(op, x, output)
        positive, negative = (multiply_by_quantized_multiplier(values, *pair) for pair in pairs)
        limits = np.iinfo(DTYPES[output.dtype])
        return np.clip(np.where(values >= 0, positive, negative) + output.zero_point, limits.min, limits.max)


class Relu(Table[ActivationAttrs], kind=OpKind.RELU):
    signatures = WITH_INT16

    def check(self, op: Operator, graph: Graph) -> None:
        require_symmetric(op, graph)

    def table(self, op: Operator, x: Tensor, output: Tensor, values: np.ndarray) -> np.ndarray:
        return self.requant(op, x, output).apply(values)

    def requant(self, op: Operator, x: Tensor, output: Tensor) -> Requant:
        """From a value less the input's zero point (ReluPrepare)."""
        assert isinstance(op.attrs, ActivationAttrs)
        real = float(np.float32(x.scale) / np.float32(output.scale))
        return requant_of([real], output, op.attrs.activation)


class HardSwish(Table[NoAttrs], kind=OpKind.HARD_SWISH):
    signatures = EITHER

    def check(self, op: Operator, graph: Graph) -> None:
        if graph.tensor(op.inputs[0]).dtype == "int8":
            unary_lut(graph, op)

    def table(self, op: Operator, x: Tensor, output: Tensor, values: np.ndarray) -> np.ndarray:
        """x * relu6(x + 3) / 6 in 16-bit fixed point (HardSwishPrepare and reference_ops::HardSwish)."""
        hires_scale = np.float32(1.0 / 128.0) * np.float32(x.scale)
        out_multiplier, out_exponent = quantize_multiplier(float(hires_scale / np.float32(output.scale)))
        if out_exponent > 0:
            raise ModelError(
                f"{op.kind} '{op.name}': the scale of output '{output.name}' ({output.scale:g}) is too small beside "
                f"its input's ({x.scale:g}); quantize the model again with representative data"
            )
        relu_scale = np.float32(3.0) / np.float32(32768.0)
        relu_multiplier, relu_exponent = quantize_multiplier(float(hires_scale / relu_scale))
        hires = values << 7
        preshift = rounding_high_mul(hires, _to_int16(out_multiplier), bits=16)
        relu = hires
        if relu_exponent > 0:
            relu = _saturate16(relu << (relu_exponent - 1))
        relu = rounding_high_mul(relu, _to_int16(relu_multiplier), bits=16)
        if relu_exponent > 0:
            relu = _saturate16(relu << 1)
        elif relu_exponent < 0:
            relu = rounding_divide_by_pot(relu, -relu_exponent)
        relu = (relu + (1 << 15)) >> 1
        product = relu * preshift
        truncated = np.where(product >= 0, product >> 15, -((-product) >> 15))
        result = rounding_divide_by_pot(truncated, -out_exponent) + output.zero_point
        return np.clip(result, INT8_MIN, INT8_MAX).astype(np.int8)


class Quantize(Table[NoAttrs], kind=OpKind.QUANTIZE):
    """Inside the network between int8, int16 (symmetric) and int32; at its border also from and to the user's types."""

    signatures = (
        *(f"{x} -> {y}" for x in ("int8", "uint8", "float32") for y in ("int8", "uint8")),
        *(f"{x} -> {y}" for x, y in (("int8", "int16"), ("int8", "int32"), ("float32", "int16"))),
        *(f"{x} -> {y}" for x in ("int16", "int32") for y in ("int8", "int16", "int32")),
    )

    def check(self, op: Operator, graph: Graph) -> None:
        _verify_symmetric(op, graph)

    def table(self, op: Operator, x: Tensor, output: Tensor, values: np.ndarray) -> np.ndarray:
        return requant_of([x.scale / output.scale], output).apply(values)


class Dequantize(Definition[NoAttrs], kind=OpKind.DEQUANTIZE):
    signatures = ("int8 -> float32", "int16 -> float32")


class Softmax(Definition[SoftmaxAttrs], kind=OpKind.SOFTMAX):
    signatures = (*WITH_INT16, "int8 -> int16")

    def fits(self, attrs: SoftmaxAttrs, x: Tensor) -> bool:
        return len(x.shape) >= 1 and math.isfinite(attrs.beta) and 1e-6 <= attrs.beta <= 1e6

    def check(self, op: Operator, graph: Graph) -> None:
        output = graph.tensor(op.outputs[0])
        if output.dtype == "float32":
            return
        if graph.tensor(op.inputs[0]).dtype == "int16":
            require_symmetric(op, graph)
            _verify_fraction(output)
            return
        _verify_unit_output(output, 1e-3 / 256, 16 if output.dtype == "int16" else 8)
        softmax_params(graph, op)


FUNCTIONS = tuple(definition.kind for definition in DEFINITIONS.values() if isinstance(definition, Table))
"""The kinds that are functions of one value."""

TABLES = tuple(kind for kind in FUNCTIONS if "int8" in DEFINITIONS[kind].input_dtypes(0))
"""Those of one int8 value."""


def unary_lut(graph: Graph, op: Operator) -> np.ndarray:
    """int8 table (256,) of an operator of TABLES, from int8 to int8: y = table[x + 128]."""
    definition, x = DEFINITIONS[op.kind], graph.tensor(op.inputs[0])
    assert isinstance(definition, Table), f"{op.kind} is not a function of one value"
    values = np.arange(INT8_MIN, INT8_MAX + 1, dtype=np.int64) - x.zero_point
    return definition.table(op, x, graph.tensor(op.outputs[0]), values)


def _verify_sigmoid(op: Operator, graph: Graph) -> None:
    """LOGISTIC and TANH of int16 answer in 1/32768, and scale their input by at most 17 bits."""
    x, output = graph.tensor(op.inputs[0]), graph.tensor(op.outputs[0])
    if output.dtype != "int16":
        return
    require_symmetric(op, graph)
    _verify_fraction(output)
    if sigmoid_input(op.kind, x.scale).multiplier > 65535:
        raise Contradiction(f"has an input '{x.name}' of a scale of more than 5")


def _verify_fraction(output: Tensor) -> None:
    if output.scale != 1.0 / 32768.0:
        raise Contradiction(f"must write '{output.name}' with scale 1/32768")


def _verify_unit_output(output: Tensor, tolerance: float, bits: int = 8) -> None:
    """SOFTMAX and LOGISTIC answer in 1/256 steps from -128, SOFTMAX also in 1/65536 from -32768."""
    steps = 1 << bits
    if output.zero_point != -steps // 2 or abs(output.scale * steps - 1) > tolerance * 256:
        raise Contradiction(f"must write '{output.name}' with scale 1/{steps} and zero point {-steps // 2}")


def _verify_symmetric(op: Operator, graph: Graph) -> None:
    """Tensors of int16 and int32 have one scale, and zero means zero, but for what a SOFTMAX wrote."""
    for tensor in (graph.tensor(name) for name in (*op.inputs, *op.outputs)):
        shares = op.kind is OpKind.QUANTIZE and tensor.name in op.inputs and tensor.dtype == "int16"
        if tensor.dtype in ("int16", "int32") and (tensor.quant is None or (tensor.zero_point and not shares)):
            remedy = "quantize the model again with a current TensorFlow"
            raise Contradiction(f"has '{tensor.name}' of {tensor.dtype} without a scale or with a zero point", remedy)


def _to_int16(multiplier: int) -> int:
    """DownScaleInt32ToInt16Multiplier: Q0.31 to Q0.15, rounded, saturated."""
    return min((multiplier + (1 << 15)) >> 16, (1 << 15) - 1)


def _saturate16(x: np.ndarray) -> np.ndarray:
    return np.clip(x, -(1 << 15), (1 << 15) - 1)
