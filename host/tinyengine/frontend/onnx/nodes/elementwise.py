"""Nodes that compute element by element."""

from __future__ import annotations

from dataclasses import replace
from math import prod

import numpy as np

from tinyengine.frontend.onnx.builder import REPLACE_HINT, Builder, Node, Value, identity
from tinyengine.frontend.onnx.nodes.scales import alias, quantized
from tinyengine.frontend.onnx.registry import translator
from tinyengine.ir.graph import Quantization
from tinyengine.ir.ops import (
    Activation,
    ActivationAttrs,
    Attrs,
    ElementwiseAttrs,
    GeluAttrs,
    LeakyReluAttrs,
    NoAttrs,
    OpKind,
    SoftmaxAttrs,
)

UNIT = Quantization((1 / 256,), (-128,))
"""What TFLite's int8 SOFTMAX and LOGISTIC write."""

_BINARY = {"Add": OpKind.ADD, "Sub": OpKind.SUB, "Mul": OpKind.MUL, "Sum": OpKind.ADD}


_EXTREMES = {"Max": OpKind.MAXIMUM, "Min": OpKind.MINIMUM, "PRelu": OpKind.PRELU}


@translator("Add", "Sub", "Mul", "Sum", "Div")
def binary(b: Builder, node: Node) -> None:
    if len(node.inputs) != 2:
        b.unsupported(node, f"has {len(node.inputs)} inputs", "combine two at a time")
    x, y = b.required(node, 0), b.required(node, 1)
    kind = _BINARY.get(node.kind, OpKind.MUL)
    if node.kind == "Div":
        if y.array is None:  # of reals, as nothing else is divided in ONNX
            kind, x, y = OpKind.DIV, x if x.array is not None else b.real(x), b.real(y)
        else:
            y = Value((1 / y.array.astype(np.float64)).astype(np.float32))
    activation, output = b.activation(node)
    b.values[output] = combine(b, node, kind, x, y, activation, output)


@translator("Max", "Min", "PRelu")
def extreme(b: Builder, node: Node) -> None:
    if len(node.inputs) != 2:
        b.unsupported(node, f"has {len(node.inputs)} inputs", "combine two at a time")
    x, y = b.required(node, 0), b.required(node, 1)
    b.values[node.outputs[0]] = combine(b, node, _EXTREMES[node.kind], x, y, None, node.outputs[0])


def combine(
    b: Builder, node: Node, kind: OpKind, x: Value, y: Value, activation: Activation | None, output: str
) -> Value:
    computed = [value for value in (x, y) if value.array is None]
    rank = max(len(b.shape(value)) for value in (x, y))
    first = max(computed, key=lambda value: len(value.order))
    order = first.order if len(first.order) == rank else identity(rank)
    quant = b.target(output)
    if kind in (OpKind.MAXIMUM, OpKind.MINIMUM) and quant is not None:  # of bytes as they are
        quant = b.tensor(computed[0]).quant if len({b.tensor(v).quant for v in computed}) == 1 else None
    exact = quant is not None and all(b.is_int8(value) for value in computed)
    names = []
    for value in (x, y):
        if value.array is not None:
            names.append(_operand(b, value, order, quant if exact else None, kind, output))
            continue
        value = value if exact else b.real(value)
        shape = b.shape(value)
        if len(shape) < rank:
            value = b.reshaped(value, (1,) * (rank - len(shape)) + shape)
        names.append(b.ordered(value, order).tensor)
    attrs = NoAttrs() if activation is None else ElementwiseAttrs(activation)
    b.emit(node, kind, names, attrs, quant if exact else None, order, output)
    return b.values[output]


def _operand(
    b: Builder, value: Value, order: tuple[int, ...], quant: Quantization | None, kind: OpKind, output: str
) -> str:
    """A constant in the order of the tensor beside it, with as many axes."""
    assert value.array is not None

    def turn(array: np.ndarray) -> np.ndarray:
        return array.reshape((1,) * (len(order) - array.ndim) + array.shape).transpose(order)

    if quant is None:
        return b.add_constant(f"{output}quantized", turn(value.array).astype(np.float32))
    bytewise = kind in (OpKind.MAXIMUM, OpKind.MINIMUM)
    stored = quantized(value.array, quant).stored if bytewise else value.stored
    if stored is None or stored[1].per_channel:
        low, high = min(float(value.array.min()), 0.0), max(float(value.array.max()), 0.0)
        scale = float(np.float32(max(high - low, 1e-9) / 255))
        zero = int(np.clip(-128 - np.rint(low / scale), -128, 127))
        stored = quantized(value.array, Quantization((scale,), (zero,))).stored
    assert stored is not None
    return b.add_constant(f"{output}quantized", turn(stored[0]), stored[1])


@translator("Erf")
def gelu(b: Builder, node: Node) -> None:
    """The Erf of a GELU that is written out: x / sqrt(2), erf, + 1, times x, times 0.5."""
    chain = b.gelu(node)
    if chain is None:
        b.unsupported(node, "is no part of a GELU, x * (1 + erf(x / sqrt(2))) * 0.5", REPLACE_HINT)
    x, output = chain
    b.values[output] = b.real(x)
    b.emit(node, OpKind.GELU, [b.values[output].tensor], GeluAttrs(), None, x.order, output)


_UNARY = {
    "Sigmoid": OpKind.LOGISTIC, "Tanh": OpKind.TANH, "HardSwish": OpKind.HARD_SWISH, "LeakyRelu": OpKind.LEAKY_RELU,
    "Elu": OpKind.ELU, "Gelu": OpKind.GELU, "Exp": OpKind.EXP, "Log": OpKind.LOG, "Sqrt": OpKind.SQRT,
    "Abs": OpKind.ABS, "Neg": OpKind.NEG, "Softmax": OpKind.SOFTMAX,
    "LogSoftmax": OpKind.LOG_SOFTMAX, "Floor": OpKind.FLOOR, "Ceil": OpKind.CEIL, "Round": OpKind.ROUND,
    "Sign": OpKind.SIGN, "Sin": OpKind.SIN, "Cos": OpKind.COS,
}  # fmt: skip


_OF_REALS = ("LogSoftmax", "Floor", "Ceil", "Round", "Sign", "Sin", "Cos")


@translator(*_UNARY)
def unary(b: Builder, node: Node) -> None:
    x, kind = b.required(node, 0), _UNARY[node.kind]
    attrs: Attrs = NoAttrs()
    if node.kind == "LeakyRelu":
        attrs = LeakyReluAttrs(float(node.attributes.get("alpha", 0.01)))
    elif node.kind == "Gelu":
        attrs = GeluAttrs(node.attributes.get("approximate", "none") == "tanh")
    elif node.kind == "Elu" and node.attributes.get("alpha", 1.0) != 1.0:
        b.unsupported(node, f"has alpha {node.attributes['alpha']}", "use alpha 1")
    elif node.kind in ("Softmax", "LogSoftmax"):
        attrs, shape = SoftmaxAttrs() if node.kind == "Softmax" else NoAttrs(), b.shape(x)
        old = b.opset < 13  # over all axes from ``axis`` on
        axis = int(node.attributes.get("axis", 1 if old else -1)) % len(shape)
        if old and axis != len(shape) - 1:
            flat = b.reshaped(x, (prod(shape[:axis]), prod(shape[axis:])))
            softmax = replace(node, attributes={"axis": 1})
            b.values[f"{node.outputs[0]}_flat"] = flat
            unary(b, replace(softmax, inputs=[f"{node.outputs[0]}_flat"]))
            b.values[node.outputs[0]] = b.ordered(b.reshaped(b.values[node.outputs[0]], shape), x.order)
            return
        x = b.ordered(x, (*(a for a in x.order if a != axis), axis))
    output, quant = node.outputs[0], b.target(node.outputs[0])
    unit = kind in (OpKind.SOFTMAX, OpKind.LOGISTIC)
    if b.is_int8(x) and unit:
        between = output if quant in (None, UNIT) else f"{output}_unit"
        b.emit(node, kind, [x.tensor], attrs, UNIT, x.order, between)
        if between != output:
            x = b.values[between]
            b.emit(node, OpKind.QUANTIZE, [x.tensor], NoAttrs(), quant, x.order, output)
        return
    x = x if quant is not None and b.is_int8(x) and node.kind not in _OF_REALS else b.real(x)
    b.emit(node, kind, [x.tensor], attrs, quant if b.is_int8(x) else None, x.order)


@translator("Relu", "Clip")
def relu(b: Builder, node: Node) -> None:
    """Those that no operator before them has taken along."""
    x, limits = b.required(node, 0), b.limits(node)
    if limits is None:
        b.unsupported(node, "takes its limits from the running network", "make the limits constant")
    low, high = limits
    kinds = {(0.0, None): Activation.RELU, (0.0, 6.0): Activation.RELU6, (-1.0, 1.0): Activation.RELU_N1_TO_1}
    if limits in kinds:
        quant = b.target(node.outputs[0]) or b.tensor(x).quant
        b.emit(node, OpKind.RELU, [x.tensor], ActivationAttrs(kinds[limits]), quant if b.is_int8(x) else None, x.order)
        return
    if low is None and high is None:
        alias(b, node)
        return
    steps = [(OpKind.MAXIMUM, low), (OpKind.MINIMUM, high)]
    for kind, limit in steps:
        if limit is not None:
            tensor = b.tensor(x)
            constant = _operand(
                b,
                Value(np.full((1,) * len(x.order), limit, np.float32)),
                identity(len(x.order)),
                tensor.quant,
                kind,
                node.outputs[0],
            )
            b.emit(node, kind, [x.tensor, constant], NoAttrs(), tensor.quant, x.order)
            x = b.values[node.outputs[0]]


@translator("HardSigmoid")
def hard_sigmoid(b: Builder, node: Node) -> None:
    """RELU6(6 alpha x + 6 beta) / 6."""
    x, output = b.real(b.required(node, 0)), node.outputs[0]
    alpha, beta = (float(node.attributes.get(key, default)) for key, default in (("alpha", 0.2), ("beta", 0.5)))
    x = combine(b, node, OpKind.MUL, x, Value(np.array(6 * alpha, np.float32)), Activation.NONE, f"{output}_slope")
    x = combine(b, node, OpKind.ADD, x, Value(np.array(6 * beta, np.float32)), Activation.RELU6, f"{output}_clamped")
    b.values[output] = combine(b, node, OpKind.MUL, x, Value(np.array(1 / 6, np.float32)), Activation.NONE, output)
