"""Generated loops of float32: functions of single values and of pairs, reductions, lines."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tinyengine.ir import Graph, Operator, OpKind
from tinyengine.ir.floating import clamp_range
from tinyengine.ir.ops import (
    Activation,
    ActivationAttrs,
    ArgAttrs,
    ElementwiseAttrs,
    GeluAttrs,
    LeakyReluAttrs,
    MeanAttrs,
    SoftmaxAttrs,
)
from tinyengine.kernels.base import KernelCall, Target, lowering
from tinyengine.kernels.checks import unsupported
from tinyengine.kernels.loops.elementwise import Elementwise, elementwise
from tinyengine.kernels.loops.reduction import Pass, Reduction, reduction
from tinyengine.kernels.loops.scan import Scan, scan
from tinyengine.kernels.loops.text import Value

HEADER = "te_float.h"
LOWEST = "-3.402823466e+38f"
CLAMP = "y = te_clamp_f32({}, low, high);"

UNARY = {
    OpKind.TANH: "y = te_tanh_f32(x0);",
    OpKind.LOGISTIC: "y = te_logistic_f32(x0);",
    OpKind.EXP: "y = te_exp_f32(x0);",
    OpKind.LOG: "y = te_log_f32(x0);",
    OpKind.SQRT: "y = te_sqrt_f32(x0);",
    OpKind.RSQRT: "y = 1.0f / te_sqrt_f32(x0);",
    OpKind.SQUARE: "y = x0 * x0;",
    OpKind.ABS: "y = te_absolute_f32(x0);",
    OpKind.NEG: "y = -x0;",
    OpKind.ELU: "y = x0 < 0.0f ? te_expm1_f32(x0) : x0;",
    OpKind.HARD_SWISH: "y = x0 * te_clamp_f32(x0 + 3.0f, 0.0f, 6.0f) / 6.0f;",
    OpKind.FLOOR: "y = te_floor_f32(x0);",
    OpKind.CEIL: "y = te_ceil_f32(x0);",
    OpKind.ROUND: "y = te_round_f32(x0);",
    OpKind.SIGN: "y = x0 > 0.0f ? 1.0f : x0 < 0.0f ? -1.0f : x0 == 0.0f ? 0.0f : x0;",
    OpKind.SIN: "y = te_sin_f32(x0);",
    OpKind.COS: "y = te_cos_f32(x0);",
}
BINARY = {OpKind.ADD: "x0 + x1", OpKind.SUB: "x0 - x1", OpKind.MUL: "x0 * x1", OpKind.DIV: "x0 / x1"}


def _loop(op: Operator, graph: Graph, body: tuple[str, ...], values: dict[str, Value] | None = None) -> KernelCall:
    call = elementwise(op, graph, Elementwise(f"{op.kind.lower()}_f32", body, values or {}))
    return replace(call, header=HEADER)


@lowering(*UNARY, dtype="float32")
def lower_unary(op: Operator, graph: Graph, target: Target) -> KernelCall:
    return _loop(op, graph, (UNARY[op.kind],))


@lowering(OpKind.RELU, dtype="float32")
def lower_relu(op: Operator, graph: Graph, target: Target) -> KernelCall:
    """Infinity stays, as in TFLite."""
    assert isinstance(op.attrs, ActivationAttrs)
    if op.attrs.activation is Activation.RELU:
        return _loop(op, graph, ("y = x0 < 0.0f ? 0.0f : x0;",))
    low, high = clamp_range(op.attrs.activation)
    return _loop(op, graph, (CLAMP.format("x0"),), {"low": low, "high": high})


@lowering(OpKind.LEAKY_RELU, dtype="float32")
def lower_leaky_relu(op: Operator, graph: Graph, target: Target) -> KernelCall:
    assert isinstance(op.attrs, LeakyReluAttrs)
    return _loop(op, graph, ("y = x0 > 0.0f ? x0 : x0 * alpha;",), {"alpha": float(np.float32(op.attrs.alpha))})


@lowering(OpKind.GELU, dtype="float32")
def lower_gelu(op: Operator, graph: Graph, target: Target) -> KernelCall:
    """By a hyperbolic tangent, or by the error function."""
    assert isinstance(op.attrs, GeluAttrs)
    if not op.attrs.approximate:
        return _loop(op, graph, ("y = 0.5f * x0 * te_erfc_f32(x0 * -0.70710678118654752440f);",))
    body = (
        "const float inner = 0x1.988454p-1f * (x0 + 0.044715f * x0 * x0 * x0);",
        "y = 0.5f * x0 * (1.0f + te_tanh_f32(inner));",
    )
    return _loop(op, graph, body)


@lowering(*BINARY, dtype="float32")
def lower_binary(op: Operator, graph: Graph, target: Target) -> KernelCall:
    assert isinstance(op.attrs, ElementwiseAttrs)
    low, high = clamp_range(op.attrs.activation)
    return _loop(op, graph, (CLAMP.format(BINARY[op.kind]),), {"low": low, "high": high})


@lowering(OpKind.FLOOR_DIV, OpKind.FLOOR_MOD, dtype="float32")
def lower_floor_div(op: Operator, graph: Graph, target: Target) -> KernelCall:
    return _loop(op, graph, (f"y = te_{op.kind.lower()}_f32(x0, x1);",))


@lowering(OpKind.ADD_N, dtype="float32")
def lower_add_n(op: Operator, graph: Graph, target: Target) -> KernelCall:
    """From zero, as TFLite: -0 + -0 is 0 so."""
    return _loop(op, graph, ("y = 0.0f;", *(f"y += x{i};" for i in range(len(op.inputs)))))


@lowering(OpKind.CUMSUM, dtype="float32")
def lower_cumsum(op: Operator, graph: Graph, target: Target) -> KernelCall:
    return scan(op, graph, Scan("cumsum_f32", "sum + x", "sum", start="0.0f"), HEADER)


@lowering(OpKind.SQUARED_DIFFERENCE, dtype="float32")
def lower_squared_difference(op: Operator, graph: Graph, target: Target) -> KernelCall:
    return _loop(op, graph, ("const float d = x0 - x1;", "y = d * d;"))


@lowering(OpKind.PRELU, dtype="float32")
def lower_prelu(op: Operator, graph: Graph, target: Target) -> KernelCall:
    return _loop(op, graph, ("y = x0 >= 0.0f ? x0 : x0 * x1;",))


@lowering(OpKind.QUANTIZE, dtype="float32")
def lower_quantize(op: Operator, graph: Graph, target: Target) -> KernelCall:
    """Halves away from zero, saturated."""
    y = graph.tensor(op.outputs[0])
    body = (
        "const float v = te_clamp_f32(x0 / scale, -131072.0f, 131072.0f);",
        "const int32_t whole = v == v ? (int32_t)v : 0;",
        "const float rest = v - (float)whole;",
        "y = whole + (rest >= 0.5f) - (rest <= -0.5f) + zero;",
        "y = y < least ? least : y > most ? most : y;",
    )
    limits = np.iinfo(y.dtype)
    values: dict[str, Value] = {"scale": float(np.float32(y.scale)), "zero": y.zero_point}
    return _loop(op, graph, body, values | {"least": int(limits.min), "most": int(limits.max)})


# --- over axes ---


@lowering(OpKind.MEAN, OpKind.SUM, dtype="float32")
def lower_sum(op: Operator, graph: Graph, target: Target) -> KernelCall:
    """In the order of memory, from zero; a mean is the sum divided by the number of values."""
    assert isinstance(op.attrs, MeanAttrs)
    x, y = graph.tensor(op.inputs[0]), graph.tensor(op.outputs[0])
    mean = op.kind is OpKind.MEAN
    values: dict[str, Value] = {"count": float(x.elements // y.elements)} if mean else {}
    result = "y = sum / count;" if mean else "y = sum;"
    loop = Reduction(f"{op.kind.lower()}_f32", ("float sum = 0.0f;",), (Pass(("sum += x;",), (result,)),), values)
    return replace(reduction(op, graph, op.attrs.axes, loop), header=HEADER)


@lowering(OpKind.REDUCE_MAX, OpKind.REDUCE_MIN, dtype="float32")
def lower_reduce_max(op: Operator, graph: Graph, target: Target) -> KernelCall:
    assert isinstance(op.attrs, MeanAttrs)
    sign, start = (">", LOWEST) if op.kind is OpKind.REDUCE_MAX else ("<", LOWEST[1:])
    each = Pass((f"if (x {sign} best) best = x;",), ("y = best;",))
    loop = Reduction(f"{op.kind.lower()}_f32", (f"float best = {start};",), (each,))
    return replace(reduction(op, graph, op.attrs.axes, loop), header=HEADER)


@lowering(OpKind.ARG_MAX, OpKind.ARG_MIN, dtype="float32")
def lower_arg_max(op: Operator, graph: Graph, target: Target) -> KernelCall:
    """The first of several extremes."""
    assert isinstance(op.attrs, ArgAttrs)
    sign = ">" if op.kind is OpKind.ARG_MAX else "<"
    each = (f"if (i == 0 || x {sign} best) {{", "    best = x;", "    y = i;", "}", "i++;")
    loop = Reduction(f"{op.kind.lower()}_f32", ("float best = 0.0f;", "int32_t i = 0;", "y = 0;"), (Pass(each),))
    return replace(reduction(op, graph, (op.attrs.axis,), loop), header=HEADER)


FIND_LARGEST = Pass(("if (x > largest) largest = x;",))


@lowering(OpKind.SOFTMAX, dtype="float32")
def lower_softmax(op: Operator, graph: Graph, target: Target) -> KernelCall:
    """The largest, the sum of exponentials, the exponentials again over it."""
    assert isinstance(op.attrs, SoftmaxAttrs)
    exponential = "te_exp_f32((x - largest) * beta)"
    passes = (
        FIND_LARGEST,
        Pass((f"sum += {exponential};",)),
        Pass((f"y = {exponential} / sum;",), writes=True),
    )
    values: dict[str, Value] = {"beta": float(np.float32(op.attrs.beta))}
    loop = Reduction("softmax_f32", (f"float largest = {LOWEST}, sum = 0.0f;",), passes, values)
    return replace(reduction(op, graph, (len(graph.tensor(op.inputs[0]).shape) - 1,), loop), header=HEADER)


@lowering(OpKind.LOG_SOFTMAX, dtype="float32")
def lower_log_softmax(op: Operator, graph: Graph, target: Target) -> KernelCall:
    total = Pass(("sum += te_exp_f32(x - largest);",), ("const float log = te_log_f32(sum);",))
    passes = (FIND_LARGEST, total, Pass(("y = x - largest - log;",), writes=True))
    loop = Reduction("log_softmax_f32", (f"float largest = {LOWEST}, sum = 0.0f;",), passes)
    return replace(reduction(op, graph, (len(graph.tensor(op.inputs[0]).shape) - 1,), loop), header=HEADER)


@lowering(OpKind.L2_NORMALIZATION, dtype="float32")
def lower_l2_normalization(op: Operator, graph: Graph, target: Target) -> KernelCall:
    """By the root of the sum of squares, or by 1e-6 if that is less."""
    if op.attrs != ElementwiseAttrs():
        raise unsupported(op, graph, "has a fused activation", "put a RELU behind it")
    after = ("float norm = te_sqrt_f32(sum);", "if (norm < 1e-6f) norm = 1e-6f;")
    passes = (Pass(("sum += x * x;",), after), Pass(("y = x / norm;",), writes=True))
    loop = Reduction("l2_normalization_f32", ("float sum = 0.0f;",), passes)
    return replace(reduction(op, graph, (len(graph.tensor(op.inputs[0]).shape) - 1,), loop), header=HEADER)
