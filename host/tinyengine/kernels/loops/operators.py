"""Descriptions of the operators that are generated loops."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tinyengine.ir import Graph, Operator, OpKind
from tinyengine.ir.graph import DTYPES
from tinyengine.ir.operators import DEFINITIONS
from tinyengine.ir.operators.elementwise import (
    ADD_N_LEFT_SHIFT,
    DIFFERENCE_LEFT_SHIFT,
    Comparison,
    Div,
    Multiplier,
    Prelu,
    SquaredDifference,
    sums_multiplier,
)
from tinyengine.ir.operators.lines import log_softmax_params
from tinyengine.ir.operators.movement import bilinear_sources, gather_indices
from tinyengine.ir.operators.reductions import sum_requant
from tinyengine.ir.operators.unary import LeakyRelu
from tinyengine.ir.ops import ArgAttrs, ElementwiseAttrs, GatherAttrs, LookupAttrs, MeanAttrs, ResizeAttrs
from tinyengine.ir.quantize import activation_range, quantize_multiplier
from tinyengine.ir.requant import AddParams, MulParams, mean_params
from tinyengine.kernels.activation import lower_lut
from tinyengine.kernels.base import KernelCall, Target, lowering
from tinyengine.kernels.checks import unsupported
from tinyengine.kernels.loops.elementwise import Elementwise, elementwise
from tinyengine.kernels.loops.fill import updated
from tinyengine.kernels.loops.lookup import lookup
from tinyengine.kernels.loops.matmul import matmul
from tinyengine.kernels.loops.movement import movement, sources
from tinyengine.kernels.loops.reduction import Pass, Reduction, reduction
from tinyengine.kernels.loops.resample import resample
from tinyengine.kernels.loops.scan import Scan, scan
from tinyengine.kernels.loops.text import Array, Value
from tinyengine.kernels.view import view

FIXED = "te_fixed.h"
CLAMP = "te_clamp({}, -128, 127)"

MINIMUM = Elementwise("minimum", ("y = x0 < x1 ? x0 : x1;",))
MAXIMUM = Elementwise("maximum", ("y = x0 > x1 ? x0 : x1;",))


@lowering(OpKind.MINIMUM)
def lower_minimum(op: Operator, graph: Graph, target: Target) -> KernelCall:
    return elementwise(op, graph, MINIMUM)


@lowering(OpKind.MAXIMUM)
def lower_maximum(op: Operator, graph: Graph, target: Target) -> KernelCall:
    return elementwise(op, graph, MAXIMUM)


@lowering(OpKind.SQUARED_DIFFERENCE)
def lower_squared_difference(op: Operator, graph: Graph, target: Target) -> KernelCall:
    """On a common, finer scale."""
    definition = DEFINITIONS[op.kind]
    assert isinstance(definition, SquaredDifference)
    a, b, square = definition.multipliers(op, graph)
    body = (
        f"const int32_t a = te_scale((x0 - zero0) * {1 << DIFFERENCE_LEFT_SHIFT}, factor0, shift0);",
        f"const int32_t b = te_scale((x1 - zero1) * {1 << DIFFERENCE_LEFT_SHIFT}, factor1, shift1);",
        f"y = {CLAMP.format('te_scale((a - b) * (a - b), factor, shift) + zero')};",
    )
    values = _factor("0", a) | _factor("1", b) | _factor("", square)
    return elementwise(op, graph, Elementwise("squared_difference", body, values | _zeros(op, graph)))


@lowering(OpKind.SQUARE)
def lower_square(op: Operator, graph: Graph, target: Target) -> KernelCall:
    return elementwise(op, graph, Elementwise("square", ("y = x0 * x0;",)))


@lowering(OpKind.PRELU)
def lower_prelu(op: Operator, graph: Graph, target: Target) -> KernelCall:
    """The slopes are mostly constants, one per channel."""
    definition = DEFINITIONS[op.kind]
    assert isinstance(definition, Prelu)
    identity, product = definition.multipliers(op, graph)
    body = (
        "const int32_t v = x0 - zero0;",
        "y = v >= 0 ? te_scale(v, factor0, shift0) : te_scale(v * (x1 - zero1), factor1, shift1);",
        f"y = {CLAMP.format('y + zero')};",
    )
    values = _factor("0", identity) | _factor("1", product) | _zeros(op, graph)
    return elementwise(op, graph, Elementwise("prelu", body, values))


def lower_add_any(op: Operator, graph: Graph, p: AddParams) -> KernelCall:
    """ADD and SUB over more axes than their kernel has."""
    body = (
        f"const int32_t a = te_scale((x0 - zero0) * {1 << p.left_shift}, factor0, shift0);",
        f"const int32_t b = te_scale((x1 - zero1) * {1 << p.left_shift}, factor1, shift1);",
        "y = te_clamp(te_scale(a + b, factor, shift) + zero, low, high);",
    )
    values = _factor("0", Multiplier(p.multiplier1, p.shift1)) | _factor("1", Multiplier(p.multiplier2, p.shift2))
    values |= _factor("", Multiplier(p.multiplier, p.shift)) | _zeros(op, graph) | {"low": p.low, "high": p.high}
    return elementwise(op, graph, Elementwise("add", body, values))


def lower_mul_any(op: Operator, graph: Graph, p: MulParams) -> KernelCall:
    """MUL over more axes than its kernel has."""
    body = ("y = te_clamp(te_scale((x0 - zero0) * (x1 - zero1), factor, shift) + zero, low, high);",)
    values = _factor("", Multiplier(int(p.requant.multiplier[0]), int(p.requant.shift[0]))) | _zeros(op, graph)
    values |= {"low": p.requant.low, "high": p.requant.high}
    return elementwise(op, graph, Elementwise("mul", body, values))


def lower_add_int32(op: Operator, graph: Graph) -> KernelCall:
    """Wraps, as C's unsigned sums do."""
    sign = "+" if op.kind is OpKind.ADD else "-"
    return elementwise(op, graph, Elementwise("add_int32", (f"y = (int32_t)((uint32_t)x0 {sign} (uint32_t)x1);",)))


@lowering(OpKind.DIV, dtype="int8")
def lower_div(op: Operator, graph: Graph, target: Target) -> KernelCall:
    """By the divisor's reciprocal in fixed point."""
    definition, y = DEFINITIONS[op.kind], graph.tensor(op.outputs[0])
    assert isinstance(definition, Div) and isinstance(op.attrs, ElementwiseAttrs) and y.quant is not None
    body = (
        "int32_t a = x0 - zero0, b = x1 - zero1;",
        "if (b < 0) {",
        "    a = -a;",
        "    b = -b;",
        "}",
        "if (b == 0) b = 1;",
        "const int32_t zeros = te_leading_zeros((uint32_t)b);",
        "const int32_t inverse = te_reciprocal_of_one_plus((int32_t)(((uint32_t)b << zeros) - 0x80000000u));",
        "const int32_t room = te_leading_zeros((uint32_t)(a < 0 ? -a - 1 : a)) - 1;",
        "const int32_t quotient = te_high_mul((int32_t)((uint32_t)a << room), inverse);",
        "int32_t down = 31 - zeros + room - shift;",
        "if (down < 0) down = 0;",
        "y = down > 31 ? 0 : te_round_shift(te_high_mul(quotient, factor), down);",
        "y = te_clamp(y + zero, low, high);",
    )
    low, high = activation_range(op.attrs.activation, y.quant)
    values = _factor("", definition.multiplier(op, graph)) | _zeros(op, graph) | {"low": low, "high": high}
    return replace(elementwise(op, graph, Elementwise("div", body, values)), header=FIXED)


WHOLE = {
    OpKind.FLOOR_DIV: ("y = x0 / x1 - (x0 % x1 != 0 && (x0 < 0) != (x1 < 0));",),
    OpKind.FLOOR_MOD: ("y = x0 % x1;", "if (y != 0 && (y < 0) != (x1 < 0)) y += x1;"),
}


@lowering(*WHOLE, dtype="int32")
def lower_floor_div_int32(op: Operator, graph: Graph, target: Target) -> KernelCall:
    """C's quotient and rest; what C leaves open (by 0, and the least number by -1) apart."""
    negated = "0" if op.kind is OpKind.FLOOR_MOD else "(int32_t)(0u - (uint32_t)x0)"
    inner = (f"    {line}" for line in WHOLE[op.kind])
    body = (f"y = x1 == -1 ? {negated} : 0;", "if (x1 != 0 && x1 != -1) {", *inner, "}")
    return elementwise(op, graph, Elementwise(f"{op.kind.lower()}_int32", body))


@lowering(OpKind.ADD_N)
def lower_add_n(op: Operator, graph: Graph, target: Target) -> KernelCall:
    """With headroom, then rescaled; the sum begins with the byte 0, as TFLite Micro's does."""
    x, y, count = graph.tensor(op.inputs[0]), graph.tensor(op.outputs[0]), len(op.inputs)
    if x.dtype == "int32":
        total = " + ".join(f"(uint32_t)x{i}" for i in range(count))
        return elementwise(op, graph, Elementwise("add_n_int32", (f"y = (int32_t)({total});",)))
    total = " + ".join(f"x{i}" for i in range(count))
    scaled = f"te_scale(({total} - {count + 1} * zero0) * {1 << (ADD_N_LEFT_SHIFT - 1)}, factor, shift) + zero"
    values: dict[str, Value] = {"zero0": x.zero_point, "zero": y.zero_point, **_factor("", sums_multiplier(x, y))}
    return elementwise(op, graph, Elementwise("add_n", (f"y = {CLAMP.format(scaled)};",), values))


@lowering(OpKind.CUMSUM)
def lower_cumsum(op: Operator, graph: Graph, target: Target) -> KernelCall:
    """With headroom, then rescaled; the sum begins with the byte 0, as TFLite Micro's does, and wraps."""
    x, y = graph.tensor(op.inputs[0]), graph.tensor(op.outputs[0])
    if x.dtype == "int32":
        return scan(op, graph, Scan("cumsum_int32", "te_wrap_add(sum, x)", "sum"), "te_requant.h")
    values: dict[str, Value] = {"zero0": x.zero_point, "zero": y.zero_point, **_factor("", sums_multiplier(x, y))}
    start = f"-zero0 * {1 << (ADD_N_LEFT_SHIFT - 1)}"
    term = f"te_wrap_add(sum, (x - zero0) * {1 << (ADD_N_LEFT_SHIFT - 1)})"
    loop = Scan("cumsum", term, CLAMP.format("te_scale(sum, factor, shift) + zero"), values, start)
    return scan(op, graph, loop, "te_requant.h")


LOGICAL = {OpKind.LOGICAL_AND: "x0 && x1", OpKind.LOGICAL_OR: "x0 || x1", OpKind.LOGICAL_NOT: "!x0"}


@lowering(*LOGICAL)
def lower_logical(op: Operator, graph: Graph, target: Target) -> KernelCall:
    return elementwise(op, graph, Elementwise(op.kind.lower(), (f"y = {LOGICAL[op.kind]};",)))


@lowering(OpKind.QUANTIZE)
def lower_quantize(op: Operator, graph: Graph, target: Target) -> KernelCall:
    """A table of bytes, or between integers of other sizes a loop."""
    x, y = graph.tensor(op.inputs[0]), graph.tensor(op.outputs[0])
    if x.dtype == y.dtype == "int8" or not {x.dtype, y.dtype} <= {"int8", "int16", "int32"}:
        return lower_lut(op, graph, target)
    limits = np.iinfo(DTYPES[y.dtype])
    body = ("y = te_scale(x0 - zero0, factor, shift) + zero;",)
    if y.dtype != "int32":  # without a zero point: nothing to saturate
        body = (f"y = te_clamp({body[0][4:-1]}, {limits.min}, {limits.max});",)
    values = _factor("", Multiplier(*quantize_multiplier(x.scale / y.scale))) | _zeros(op, graph)
    return elementwise(op, graph, Elementwise("quantize", body, values))


@lowering(OpKind.LEAKY_RELU, dtype="int16")
def lower_leaky_relu(op: Operator, graph: Graph, target: Target) -> KernelCall:
    definition, x, y = DEFINITIONS[op.kind], graph.tensor(op.inputs[0]), graph.tensor(op.outputs[0])
    assert isinstance(definition, LeakyRelu)
    identity, slope = definition.multipliers(op, x, y)
    body = (
        "y = x0 >= 0 ? te_scale(x0, factor0, shift0) : te_scale(x0, factor1, shift1);",
        "y = te_clamp(y, INT16_MIN, INT16_MAX);",
    )
    values = _factor("0", Multiplier(*identity)) | _factor("1", Multiplier(*slope))
    return elementwise(op, graph, Elementwise("leaky_relu", body, values))


@lowering(OpKind.MUL, dtype="int32")
def lower_mul_int32(op: Operator, graph: Graph, target: Target) -> KernelCall:
    """Wraps, as C's unsigned products do."""
    return elementwise(op, graph, Elementwise("mul_int32", ("y = (int32_t)((uint32_t)x0 * (uint32_t)x1);",)))


@lowering(OpKind.DIV, dtype="int32")
def lower_div_int32(op: Operator, graph: Graph, target: Target) -> KernelCall:
    """What C leaves open wraps, or is zero; by most constants nothing is open."""
    divisor = graph.tensor(op.inputs[1]).data
    plain = divisor is not None and bool(((divisor != 0) & (divisor != -1)).all())
    body = "x0 / x1" if plain else "x1 == -1 ? (int32_t)(0u - (uint32_t)x0) : x1 ? x0 / x1 : 0"
    return elementwise(op, graph, Elementwise("div_int32", (f"y = {body};",)))


SIGNS = {
    OpKind.EQUAL: "==",
    OpKind.NOT_EQUAL: "!=",
    OpKind.LESS: "<",
    OpKind.LESS_EQUAL: "<=",
    OpKind.GREATER: ">",
    OpKind.GREATER_EQUAL: ">=",
}


@lowering(*SIGNS)
def lower_comparison(op: Operator, graph: Graph, target: Target) -> KernelCall:
    """Of numbers as they are; of int8 on a common, finer scale."""
    definition, what = DEFINITIONS[op.kind], op.kind.lower()
    assert isinstance(definition, Comparison)
    if graph.tensor(op.inputs[0]).dtype != "int8":
        return elementwise(op, graph, Elementwise(what, (f"y = x0 {SIGNS[op.kind]} x1;",)))
    a, b = definition.multipliers(op, graph)
    body = (
        "const int32_t a = te_scale((x0 - zero0) * 256, factor0, shift0);",
        "const int32_t b = te_scale((x1 - zero1) * 256, factor1, shift1);",
        f"y = a {SIGNS[op.kind]} b;",
    )
    zeros: dict[str, Value] = {f"zero{i}": graph.tensor(name).zero_point for i, name in enumerate(op.inputs)}
    return elementwise(op, graph, Elementwise(what, body, _factor("0", a) | _factor("1", b) | zeros))


@lowering(OpKind.SELECT_V2)
def lower_select(op: Operator, graph: Graph, target: Target) -> KernelCall:
    return elementwise(op, graph, Elementwise("select", ("y = x0 ? x1 : x2;",)))


@lowering(OpKind.CAST)
def lower_cast(op: Operator, graph: Graph, target: Target) -> KernelCall:
    """C's conversion; saturated where C leaves it open. Between int32 and uint32 the bytes stay."""
    x, y = graph.tensor(op.inputs[0]).dtype, graph.tensor(op.outputs[0]).dtype
    if "uint32" in (x, y):
        return view(op, graph.tensor(op.inputs[0]), graph.tensor(op.outputs[0]))
    body: tuple[str, ...] = ("y = x0;",)
    if y == "bool":
        body = ("y = x0 != 0;",)
    elif y == "float32":
        body = ("y = (float)x0;",)
    elif x == "float32":
        body = ("y = x0 != x0 ? 0 : x0 >= 2147483648.0f ? INT32_MAX : x0 <= -2147483648.0f ? INT32_MIN : (int32_t)x0;",)
    return elementwise(op, graph, Elementwise("cast", body))


@lowering(OpKind.DEQUANTIZE)
def lower_dequantize(op: Operator, graph: Graph, target: Target) -> KernelCall:
    """Inside the network, before a CAST; elsewhere a pass has made it the host's, or part of a table."""
    x = graph.tensor(op.inputs[0])
    values: dict[str, Value] = {"scale": float(x.scale), "zero0": x.zero_point}
    return elementwise(op, graph, Elementwise("dequantize", ("y = scale * (float)(x0 - zero0);",), values))


@lowering(OpKind.DYNAMIC_UPDATE_SLICE)
def lower_dynamic_update_slice(op: Operator, graph: Graph, target: Target) -> KernelCall:
    """The whole, then the part over it."""
    return updated(op, graph)


@lowering(OpKind.EMBEDDING_LOOKUP)
def lower_embedding_lookup(op: Operator, graph: Graph, target: Target) -> KernelCall:
    """Runs of a table by computed indices."""
    assert isinstance(op.attrs, LookupAttrs)
    return lookup(op, graph, op.attrs.axis)


def _factor(suffix: str, factor: Multiplier) -> dict[str, Value]:
    return {f"factor{suffix}": factor.multiplier, f"shift{suffix}": factor.shift}


def _zeros(op: Operator, graph: Graph) -> dict[str, Value]:
    """The zero points of all inputs, and of the output."""
    zeros: dict[str, Value] = {f"zero{i}": graph.tensor(name).zero_point for i, name in enumerate(op.inputs)}
    return zeros | {"zero": graph.tensor(op.outputs[0]).zero_point}


LARGEST = Reduction("reduce_max", ("int32_t best = INT32_MIN;",), (Pass(("if (x > best) best = x;",), ("y = best;",)),))
SMALLEST = Reduction(
    "reduce_min", ("int32_t best = INT32_MAX;",), (Pass(("if (x < best) best = x;",), ("y = best;",)),)
)


@lowering(OpKind.REDUCE_MAX, OpKind.REDUCE_MIN)
def lower_reduce_max(op: Operator, graph: Graph, target: Target) -> KernelCall:
    """The extreme byte."""
    assert isinstance(op.attrs, MeanAttrs)
    return reduction(op, graph, op.attrs.axes, LARGEST if op.kind is OpKind.REDUCE_MAX else SMALLEST)


@lowering(OpKind.REDUCE_ALL, OpKind.REDUCE_ANY)
def lower_reduce_all(op: Operator, graph: Graph, target: Target) -> KernelCall:
    assert isinstance(op.attrs, MeanAttrs)
    start, sign = ("1", "&=") if op.kind is OpKind.REDUCE_ALL else ("0", "|=")
    loop = Reduction(op.kind.lower(), (f"int32_t truth = {start};",), (Pass((f"truth {sign} x;",), ("y = truth;",)),))
    return reduction(op, graph, op.attrs.axes, loop)


@lowering(OpKind.SUM, dtype="int32")
def lower_sum_int32(op: Operator, graph: Graph, target: Target) -> KernelCall:
    """Wraps."""
    assert isinstance(op.attrs, MeanAttrs)
    passes = (Pass(("sum = te_wrap_add(sum, x);",), ("y = sum;",)),)
    return reduction(op, graph, op.attrs.axes, Reduction("sum_int32", ("int32_t sum = 0;",), passes))


@lowering(OpKind.SUM)
def lower_sum(op: Operator, graph: Graph, target: Target) -> KernelCall:
    """SUM, and MEAN, which has another factor. Zero points are taken off one by one."""
    assert isinstance(op.attrs, MeanAttrs)
    requant = sum_requant(graph, op) if op.kind is OpKind.SUM else mean_params(graph, op).requant
    values = {"zero0": graph.tensor(op.inputs[0]).zero_point, "zero": requant.zero}
    values |= {"factor": int(requant.multiplier[0]), "shift": int(requant.shift[0])}
    result = f"y = {CLAMP.format('te_scale(sum, factor, shift) + zero')};"
    loop = Reduction("sum", ("int32_t sum = 0;",), (Pass(("sum += x - zero0;",), (result,)),), values)
    return reduction(op, graph, op.attrs.axes, loop)


@lowering(OpKind.GATHER)
def lower_gather(op: Operator, graph: Graph, target: Target) -> KernelCall:
    """Loops where the indices are regular, tables where they are not."""
    assert isinstance(op.attrs, GatherAttrs)
    x = graph.tensor(op.inputs[0])
    return movement(op, graph, *sources(x, gather_indices(op.attrs, x.shape)))


@lowering(OpKind.RESIZE_BILINEAR)
def lower_resize_bilinear(op: Operator, graph: Graph, target: Target) -> KernelCall:
    """Tables of rows and columns."""
    assert isinstance(op.attrs, ResizeAttrs)
    x, y = graph.tensor(op.inputs[0]), graph.tensor(op.outputs[0])
    rows, columns = (bilinear_sources(op.attrs, x.shape[axis], y.shape[axis]) for axis in (1, 2))
    return resample(op, graph, rows, columns)


@lowering(OpKind.ARG_MAX, OpKind.ARG_MIN)
def lower_arg_max(op: Operator, graph: Graph, target: Target) -> KernelCall:
    """The first of several extremes."""
    assert isinstance(op.attrs, ArgAttrs)
    what, better, start = ("arg_max", ">", "INT32_MIN") if op.kind is OpKind.ARG_MAX else ("arg_min", "<", "INT32_MAX")
    each = (f"if (x {better} best) {{", "    best = x;", "    y = i;", "}", "i++;")
    loop = Reduction(what, (f"int32_t best = {start}, i = 0;", "y = 0;"), (Pass(each),))
    return reduction(op, graph, (op.attrs.axis,), loop)


FIND_LARGEST = Pass(("if (x > largest) largest = x;",))


@lowering(OpKind.LOG_SOFTMAX)
def lower_log_softmax(op: Operator, graph: Graph, target: Target) -> KernelCall:
    """The largest, the logarithm of the sum of exponentials, the results."""
    p = log_softmax_params(graph, op)
    x = graph.tensor(op.inputs[0])
    total = Pass(
        ("sum = te_wrap_add(sum, exp[largest - x]);",),
        (
            "const int32_t log = te_log(sum);",
            "int32_t least = te_scale(te_wrap_add(log, INT32_MIN), reverse, reverse_shift);",
            "if (least < diff_min - 1) least = diff_min - 1;",
        ),
    )
    each = (
        "y = -128;",
        "if (x - largest > least) {",
        "    y = te_round_shift(te_scale(x - largest, factor, shift) - log, 22) + 127;",
        f"    y = {CLAMP.format('y')};",
        "}",
    )
    values: dict[str, Value] = _factor("", Multiplier(p.softmax.multiplier, p.softmax.left_shift))
    values |= {"reverse": p.reverse, "reverse_shift": p.reverse_shift, "diff_min": p.softmax.diff_min}
    values["exp"] = Array("int32", lambda: p.exp)
    start = ("int32_t largest = INT32_MIN, sum = 0;",)
    loop = Reduction("log_softmax", start, (FIND_LARGEST, total, Pass(each, writes=True)), values)
    return replace(reduction(op, graph, (len(x.shape) - 1,), loop), header=FIXED)


@lowering(OpKind.L2_NORMALIZATION)
def lower_l2_normalization(op: Operator, graph: Graph, target: Target) -> KernelCall:
    """The sum of squares, the results."""
    if op.attrs != ElementwiseAttrs():
        raise unsupported(op, graph, "has a fused activation", "put a RELU behind it")
    x = graph.tensor(op.inputs[0])
    squares = Pass(
        ("sum += (x - zero0) * (x - zero0);",),
        ("int32_t shift;", "const int32_t factor = te_inverse_sqrt(sum, &shift);"),
    )
    result = Pass((f"y = {CLAMP.format('te_scale(x - zero0, factor, shift + 7)')};",), writes=True)
    loop = Reduction("l2_normalization", ("int32_t sum = 0;",), (squares, result), {"zero0": x.zero_point})
    return replace(reduction(op, graph, (len(x.shape) - 1,), loop), header=FIXED)


@lowering(OpKind.BATCH_MATMUL)
def lower_batch_matmul(op: Operator, graph: Graph, target: Target) -> KernelCall:
    """Products of matrices."""
    return matmul(op, graph)
