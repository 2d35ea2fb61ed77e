"""ONNX's operators, one function each, to those of the IR."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import prod

import numpy as np

from tinyengine.frontend.onnx.builder import LAST, REPLACE_HINT, Builder, Node, Value, identity
from tinyengine.ir.graph import Quantization
from tinyengine.ir.ops import (
    Activation,
    ActivationAttrs,
    Attrs,
    ConcatAttrs,
    Conv2DAttrs,
    DepthwiseConv2DAttrs,
    ElementwiseAttrs,
    FullyConnectedAttrs,
    GatherAttrs,
    GeluAttrs,
    LeakyReluAttrs,
    MeanAttrs,
    NoAttrs,
    OpKind,
    PadAttrs,
    PoolAttrs,
    ResizeAttrs,
    SoftmaxAttrs,
    StridedSliceAttrs,
    TransposeConvAttrs,
    Window,
    same_padding,
)

Translate = Callable[[Builder, Node], None]
TRANSLATORS: dict[str, Translate] = {}
UNIT = Quantization((1 / 256,), (-128,))
"""What TFLite's int8 SOFTMAX and LOGISTIC write."""


def translator(*kinds: str) -> Callable[[Translate], Translate]:
    """Register the function for nodes of these kinds."""

    def register(function: Translate) -> Translate:
        TRANSLATORS.update(dict.fromkeys(kinds, function))
        return function

    return register


# --- quantization, and nodes that compute nothing ---


@translator("Identity", "Dropout")
def alias(b: Builder, node: Node) -> None:
    b.values[node.outputs[0]] = b.required(node, 0)


@translator("QuantizeLinear")
def quantize_linear(b: Builder, node: Node) -> None:
    x, quant = b.required(node, 0), b.quantization(node)
    if x.array is not None:
        b.values[node.outputs[0]] = _constant(x.array, quant)
        return
    tensor = b.tensor(x)
    if tensor.quant == quant:
        b.values[node.outputs[0]] = x
        return
    b.emit(node, OpKind.QUANTIZE, [tensor.name], NoAttrs(), quant, x.order)


def _constant(real: np.ndarray, quant: Quantization) -> Value:
    shape = [1] * real.ndim
    if quant.per_channel:
        shape[quant.axis or 0] = -1
    scale, zero = np.array(quant.scale).reshape(shape), np.array(quant.zero_point).reshape(shape)
    levels = np.clip(np.rint(real / scale) + zero, -128, 127).astype(np.int8)
    return Value(((levels - zero) * scale).astype(np.float32), (levels, quant))


@translator("DequantizeLinear")
def dequantize_linear(b: Builder, node: Node) -> None:
    x = b.required(node, 0)
    if x.array is None or x.stored is not None:
        b.values[node.outputs[0]] = x
        return
    quant, array = b.quantization(node), x.array
    if quant.axis is not None:
        quant = replace(quant, axis=quant.axis % max(array.ndim, 1))
    levels = array.astype(np.int64) - (128 if array.dtype == np.uint8 else 0)
    shape = [1] * array.ndim
    if quant.per_channel:
        shape[quant.axis or 0] = -1
    real = (levels - np.array(quant.zero_point).reshape(shape)) * np.array(quant.scale).reshape(shape)
    stored = (levels.astype(np.int8), quant) if array.dtype in (np.int8, np.uint8) else None
    b.values[node.outputs[0]] = Value(real, stored)


@translator("Shape")
def shape_of(b: Builder, node: Node) -> None:
    sizes = b.shape(b.required(node, 0))[node.attributes.get("start", 0) : node.attributes.get("end")]
    b.values[node.outputs[0]] = Value(np.array(sizes, np.int64))


# --- layers with weights ---


def _weighted(
    b: Builder,
    node: Node,
    x: str,
    kernel: Value,
    to_ir: Callable[[np.ndarray], np.ndarray],
    axis: int,
    channel: int,
    bias: np.ndarray | None,
    output: str,
) -> tuple[list[str], Quantization | None]:
    """Inputs of a layer, and the quantization of its output; weights turned by ``to_ir``, their output channels along
    ``axis`` of the IR's layout and ``channel`` of the file's."""
    assert kernel.array is not None
    quant, tensor = b.target(output), b.graph.tensor(x)
    channels = to_ir(kernel.array).shape[axis]
    real = np.zeros(channels) if bias is None else np.asarray(bias, np.float64).reshape(-1)
    if quant is None or tensor.dtype != "int8":
        if tensor.dtype == "int8":
            x = b.tensor(b.real(Value(tensor=x, order=identity(len(tensor.shape))))).name
        weights = b.add_constant(f"{output}_weights", to_ir(kernel.array).astype(np.float32))
        return [x, weights, b.add_constant(f"{output}_bias", real.astype(np.float32))], None
    if kernel.stored is None:
        largest = max(float(np.abs(kernel.array).max(initial=0)), 1e-9)
        kernel = _constant(kernel.array, Quantization((largest / 127,), (0,)))
    assert kernel.stored is not None
    levels, of_weights = kernel.stored
    if any(of_weights.zero_point):
        b.unsupported(
            node,
            "has weights with a zero point",
            "quantize the network with weight_type=QuantType.QInt8",
        )
    if of_weights.per_channel and of_weights.axis != channel:
        b.unsupported(node, f"has weights quantized along axis {of_weights.axis}", "quantize it again")
    scales = np.array(of_weights.scale, np.float32)
    quantization = Quantization(of_weights.scale, of_weights.zero_point, axis if of_weights.per_channel else None)
    weights = b.add_constant(f"{output}_weights", to_ir(levels), quantization)
    product = np.float32(tensor.scale) * scales
    limits = np.iinfo(np.int32)
    sums = np.rint(real / product.astype(np.float64)).clip(limits.min, limits.max).astype(np.int32)
    of_bias = Quantization(tuple(product.tolist()), (0,) * len(product), 0 if len(product) > 1 else None)
    return [x, weights, b.add_constant(f"{output}_bias", sums, of_bias)], quant


@translator("Conv")
def conv(b: Builder, node: Node) -> None:
    x, kernel, bias = b.required(node, 0), b.required(node, 1), b.constant(node, 2, "biases")
    if kernel.array is None:
        b.unsupported(node, "computes its weights", "make the weights constant")
    if kernel.array.ndim not in (3, 4):
        b.unsupported(node, f"slides over {kernel.array.ndim - 2} axes", "use a convolution over one or two axes")
    line = kernel.array.ndim == 3
    x = b.ordered(x, (0, 2, 1) if line else LAST)
    shape = b.tensor(x).shape
    name = b.viewed(x, (shape[0], 1, *shape[1:])) if line else x.tensor
    group, inputs = int(node.attributes.get("group", 1)), shape[-1]
    shown = (*kernel.array.shape[:2], *((1,) if line else ()), *kernel.array.shape[2:])
    kernel_size, view = (shown[2], shown[3]), b.graph.tensor(name).shape
    window = _window(b, node, kernel_size, (view[1], view[2]), line)
    activation, output = b.activation(node)
    depthwise = group == inputs and group > 1
    if depthwise:
        kind, axis, perm = OpKind.DEPTHWISE_CONV_2D, 3, (1, 2, 3, 0)
        attrs: Conv2DAttrs | DepthwiseConv2DAttrs = DepthwiseConv2DAttrs(window, shown[0] // group, activation)
    else:
        kind, axis, perm = OpKind.CONV_2D, 0, (0, 2, 3, 1)
        attrs = Conv2DAttrs(window, activation, group)
    operands, quant = _weighted(
        b, node, name, kernel, lambda w: w.reshape(shown).transpose(perm), axis, 0, bias, output
    )
    b.emit(node, kind, operands, attrs, quant, LAST, output)
    _line(b, output, line)


@translator("ConvTranspose")
def conv_transpose(b: Builder, node: Node) -> None:
    """Without paddings, of which TFLite has SAME only, and a slice of that."""
    kernel, bias = b.required(node, 1), b.constant(node, 2, "biases")
    if kernel.array is None or kernel.array.ndim != 4 or int(node.attributes.get("group", 1)) != 1:
        b.unsupported(node, "computes its weights, slides over no picture or has groups", REPLACE_HINT)
    if "output_shape" in node.attributes or node.attributes.get("auto_pad", "NOTSET") != "NOTSET":
        b.unsupported(node, "leaves its paddings open", "give it pads and output_padding")
    x = b.ordered(b.required(node, 0), LAST)
    shape, sizes = b.tensor(x).shape, kernel.array.shape[2:]
    window = _window(b, node, (sizes[0], sizes[1]), (shape[1], shape[2]), False)
    if window.dilation != (1, 1):
        b.unsupported(node, "is dilated", REPLACE_HINT)
    more = node.attributes.get("output_padding", [0, 0])
    reach = [(n - 1) * s + k for n, s, k in zip(shape[1:3], window.stride, sizes, strict=True)]
    before, behind = window.pad[::2], window.pad[1::2]
    out = [r - p - q + m for r, p, q, m in zip(reach, before, behind, more, strict=True)]
    extra = [max(p + n - r, 0) for p, n, r in zip(before, out, reach, strict=True)]
    activation, output = b.activation(node)
    operands, quant = _weighted(b, node, x.tensor, kernel, lambda w: w.transpose(1, 2, 3, 0), 0, 1, bias, output)
    whole = (1, reach[0] + extra[0], reach[1] + extra[1], kernel.array.shape[1])
    attrs = TransposeConvAttrs(replace(window, pad=(0, -extra[0], 0, -extra[1])), activation)
    b.emit(node, OpKind.TRANSPOSE_CONV, operands, attrs, quant, LAST, f"{output}_whole", whole)
    rows, columns = (range(p, p + n) for p, n in zip(before, out, strict=True))
    _cut(b, node, b.values[f"{output}_whole"], [range(1), range(whole[3]), rows, columns], output)


def _line(b: Builder, output: str, line: bool) -> None:
    """A picture of one row back to what it was: (N, W, C)."""
    if line:
        value = b.values[output]
        shape = b.tensor(value).shape
        b.values[output] = Value(tensor=b.viewed(value, (shape[0], *shape[2:])), order=(0, 2, 1))


def _window(b: Builder, node: Node, kernel: tuple[int, int], size: tuple[int, int], line: bool) -> Window:
    def pair(key: str) -> tuple[int, int]:
        values = [1, *node.attributes.get(key, [1])] if line else node.attributes.get(key, [1, 1])
        return int(values[0]), int(values[1])

    stride, dilation = pair("strides"), pair("dilations")
    auto = node.attributes.get("auto_pad", "NOTSET")
    if auto.startswith("SAME"):
        top, bottom, left, right = same_padding(kernel, stride, dilation, *size)
        pad = (bottom, top, right, left) if auto == "SAME_LOWER" else (top, bottom, left, right)
        return Window(kernel, stride, dilation, pad)
    given = [int(n) for n in node.attributes.get("pads", [0] * (2 if line else 4))]
    given = [0, given[0], 0, given[1]] if line else given
    if min(given) < 0:
        b.unsupported(node, "has negative paddings", "slice its input instead")
    return Window(kernel, stride, dilation, (given[0], given[2], given[1], given[3]))


@translator("Gemm", "MatMul")
def dense(b: Builder, node: Node) -> None:
    x, kernel = b.required(node, 0), b.required(node, 1)
    if x.array is not None or kernel.array is None or kernel.array.ndim != 2:
        b.unsupported(node, "multiplies two values of the running network", "use constant weights of two axes")
    get = node.attributes.get
    if get("transA", 0) or get("alpha", 1.0) != 1.0 or get("beta", 1.0) != 1.0:
        b.unsupported(node, "has transA, alpha or beta", "fold them into the weights")
    turned = bool(get("transB", 0))
    x = b.ordered(x)
    tensor = b.tensor(x)
    name, rows = x.tensor, prod(tensor.shape[:-1])
    bias = b.constant(node, 2, "biases") if node.kind == "Gemm" else None
    activation, output = b.activation(node)
    adding = b.only_reader(output, "Add") if node.kind == "MatMul" and activation is Activation.NONE else None
    if adding is not None:
        others = [b.values.get(each) for each in adding.inputs if each != output]
        outputs = kernel.array.shape[1]
        if others and others[0] is not None and others[0].array is not None and others[0].array.size == outputs:
            bias = others[0].array
            b.done.add(adding.index)
            activation, output = b.activation(adding)
    outputs = kernel.array.shape[0 if turned else 1]
    bias = None if bias is None else np.broadcast_to(np.asarray(bias).reshape(-1), (outputs,))
    channel = 0 if turned else 1

    def to_ir(w: np.ndarray) -> np.ndarray:
        w = w if turned else w.T
        return w if rows == 1 else w.reshape(outputs, 1, 1, -1)

    kind = OpKind.FULLY_CONNECTED if rows == 1 else OpKind.CONV_2D
    if rows != 1:  # a fully connected layer on every position
        name = b.viewed(x, (1, 1, rows, tensor.shape[-1]))
    operands, quant = _weighted(b, node, name, kernel, to_ir, 0, channel, bias, output)
    final = (*tensor.shape[:-1], outputs)
    if rows == 1:
        declared = final if len(final) != 1 else (1, outputs)
        b.emit(node, kind, operands, FullyConnectedAttrs(activation), quant, identity(len(declared)), output, declared)
    else:
        b.emit(node, kind, operands, Conv2DAttrs(Window((1, 1)), activation), quant, identity(4), output)
    if b.tensor(b.values[output]).shape != final:
        b.values[output] = Value(tensor=b.viewed(b.values[output], final), order=identity(len(final)))


@translator("BatchNormalization")
def batch_normalization(b: Builder, node: Node) -> None:
    scale, shift, mean, variance = (b.constant(node, i, "statistics") for i in range(1, 5))
    if scale is None or shift is None or mean is None or variance is None:
        b.unsupported(node, "lacks statistics", "export the network in evaluation mode")
    factor = scale / np.sqrt(variance + node.attributes.get("epsilon", 1e-5))
    x = b.required(node, 0)
    shape = (1, -1, *([1] * (len(b.shape(x)) - 2)))
    activation, output = b.activation(node)
    between = f"{node.outputs[0]}_scaled"
    b.values[between] = _binary(
        b, node, OpKind.MUL, x, Value(factor.reshape(shape).astype(np.float32)), Activation.NONE, between
    )
    offset = Value((shift - mean * factor).reshape(shape).astype(np.float32))
    b.values[output] = _binary(b, node, OpKind.ADD, b.values[between], offset, activation, output)


# --- element by element ---

_BINARY = {"Add": OpKind.ADD, "Sub": OpKind.SUB, "Mul": OpKind.MUL, "Sum": OpKind.ADD}
_EXTREMES = {"Max": OpKind.MAXIMUM, "Min": OpKind.MINIMUM, "PRelu": OpKind.PRELU}


@translator("Add", "Sub", "Mul", "Sum", "Div")
def binary(b: Builder, node: Node) -> None:
    if len(node.inputs) != 2:
        b.unsupported(node, f"has {len(node.inputs)} inputs", "combine two at a time")
    x, y = b.required(node, 0), b.required(node, 1)
    kind = _BINARY.get(node.kind, OpKind.MUL)
    if node.kind == "Div":
        if y.array is None:
            b.unsupported(node, "divides by a value of the running network", "make the divisor constant")
        y = Value((1 / y.array.astype(np.float64)).astype(np.float32))
    activation, output = b.activation(node)
    b.values[output] = _binary(b, node, kind, x, y, activation, output)


@translator("Max", "Min", "PRelu")
def extreme(b: Builder, node: Node) -> None:
    if len(node.inputs) != 2:
        b.unsupported(node, f"has {len(node.inputs)} inputs", "combine two at a time")
    x, y = b.required(node, 0), b.required(node, 1)
    b.values[node.outputs[0]] = _binary(b, node, _EXTREMES[node.kind], x, y, None, node.outputs[0])


def _binary(
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
        return b.add_constant(f"{output}_constant", turn(value.array).astype(np.float32))
    bytewise = kind in (OpKind.MAXIMUM, OpKind.MINIMUM)
    stored = _constant(value.array, quant).stored if bytewise else value.stored
    if stored is None or stored[1].per_channel:
        low, high = min(float(value.array.min()), 0.0), max(float(value.array.max()), 0.0)
        scale = float(np.float32(max(high - low, 1e-9) / 255))
        zero = int(np.clip(-128 - np.rint(low / scale), -128, 127))
        stored = _constant(value.array, Quantization((scale,), (zero,))).stored
    assert stored is not None
    return b.add_constant(f"{output}_constant", turn(stored[0]), stored[1])


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
}  # fmt: skip


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
    elif node.kind == "Softmax":
        attrs = SoftmaxAttrs()
        rank = len(b.shape(x))
        axis = int(node.attributes.get("axis", -1)) % rank
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
    x = x if quant is not None and b.is_int8(x) else b.real(x)
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
    x = _binary(b, node, OpKind.MUL, x, Value(np.array(6 * alpha, np.float32)), Activation.NONE, f"{output}_slope")
    x = _binary(b, node, OpKind.ADD, x, Value(np.array(6 * beta, np.float32)), Activation.RELU6, f"{output}_clamped")
    b.values[output] = _binary(b, node, OpKind.MUL, x, Value(np.array(1 / 6, np.float32)), Activation.NONE, output)


# --- windows and reductions without weights ---


@translator("MaxPool", "AveragePool")
def pool(b: Builder, node: Node) -> None:
    if len(node.outputs) > 1 or node.attributes.get("storage_order", 0):
        b.unsupported(node, "gives the indices of its maxima", "use the maxima alone")
    kernel = [int(n) for n in node.attributes["kernel_shape"]]
    if len(kernel) not in (1, 2) or max(node.attributes.get("dilations", [1])) > 1:
        b.unsupported(node, "slides over three axes or is dilated", "pool over one or two axes without dilation")
    line = len(kernel) == 1
    x = b.ordered(b.required(node, 0), (0, 2, 1) if line else LAST)
    tensor = b.tensor(x)
    shape = (tensor.shape[0], 1, *tensor.shape[1:]) if line else tensor.shape
    name = b.viewed(x, shape)
    sizes = (1, kernel[0]) if line else (kernel[0], kernel[1])
    window = _window(b, node, sizes, (shape[1], shape[2]), line)
    if node.attributes.get("ceil_mode", 0):
        spare = [
            (n + before + after - k) % s
            for n, before, after, k, s in zip(
                shape[1:3], window.pad[::2], window.pad[1::2], window.kernel, window.stride, strict=True
            )
        ]
        if any(spare):
            b.unsupported(node, "has a last window beyond the picture (ceil_mode)", "pad its input, or use ceil_mode=0")
    same = same_padding(window.kernel, window.stride, (1, 1), shape[1], shape[2])
    if any(window.pad) and window.pad != same:
        top, bottom, left, right = window.pad
        if node.kind == "MaxPool":  # the edges again, which their windows have in any case: no maximum changes
            rows = np.pad(np.arange(shape[1]), (top, bottom), "edge").tolist()
            columns = np.pad(np.arange(shape[2]), (left, right), "edge").tolist()
            attrs = GatherAttrs((None, tuple(rows), tuple(columns), None))
            padded = (shape[0], len(rows), len(columns), shape[3])
            name = b.append(OpKind.GATHER, [name], attrs, padded, tensor.quant)
            window = replace(window, pad=(0, 0, 0, 0))
    if node.kind == "AveragePool" and any(window.pad):
        if node.attributes.get("count_include_pad", 0):
            top, bottom, left, right = window.pad
            padded = (shape[0], shape[1] + top + bottom, shape[2] + left + right, shape[3])
            pads = PadAttrs(((0, 0), (top, bottom), (left, right), (0, 0)))
            name = b.append(OpKind.PAD, [name], pads, padded, tensor.quant)
            window = replace(window, pad=(0, 0, 0, 0))
        elif window.pad != same:
            b.unsupported(node, "has paddings that TFLite's average lacks", "use count_include_pad=1, or no paddings")
    kind = OpKind.MAX_POOL_2D if node.kind == "MaxPool" else OpKind.AVERAGE_POOL_2D
    b.emit(node, kind, [name], PoolAttrs(window), tensor.quant, LAST)
    _line(b, node.outputs[0], line)


_REDUCTIONS = {
    "ReduceMean": OpKind.MEAN, "ReduceSum": OpKind.SUM, "ReduceMax": OpKind.REDUCE_MAX, "ReduceMin": OpKind.REDUCE_MIN,
    "GlobalAveragePool": OpKind.MEAN, "GlobalMaxPool": OpKind.REDUCE_MAX,
}  # fmt: skip


@translator(*_REDUCTIONS)
def reduce(b: Builder, node: Node) -> None:
    x, kind = b.required(node, 0), _REDUCTIONS[node.kind]
    rank, keep = len(b.shape(x)), bool(node.attributes.get("keepdims", 1))
    if node.kind.startswith("Global"):
        axes: list[int] = [*range(2, rank)]
    else:
        axes = b.integers(node, "axes", 1) or [*range(rank)]
    axes = sorted(axis % rank for axis in axes)
    quant, tensor = b.target(node.outputs[0]), b.tensor(x)
    if b.is_int8(x) and (kind in (OpKind.REDUCE_MAX, OpKind.REDUCE_MIN) or (quant is None and kind is OpKind.MEAN)):
        quant = tensor.quant
    x = x if quant is not None and b.is_int8(x) else b.real(x)
    within = tuple(sorted(x.order.index(axis) for axis in axes))
    order = x.order if keep else tuple(axis for axis in x.order if axis not in axes)
    left = sorted(order)
    attrs = MeanAttrs(within, keep)
    b.emit(node, kind, [x.tensor], attrs, quant if b.is_int8(x) else None, [left.index(a) for a in order])


# --- movement ---


@translator("Reshape", "Flatten", "Squeeze", "Unsqueeze")
def reshape(b: Builder, node: Node) -> None:
    x = b.required(node, 0)
    shape = b.shape(x)
    if node.kind == "Flatten":
        axis = int(node.attributes.get("axis", 1))
        wanted = [prod(shape[:axis]), prod(shape[axis:])]
    elif node.kind == "Reshape":
        wanted = b.integers(node, "shape", 1) or []
        wanted = [shape[i] if n == 0 and i < len(shape) else n for i, n in enumerate(wanted)]
        if -1 in wanted:
            wanted[wanted.index(-1)] = prod(shape) // max(prod(n for n in wanted if n != -1), 1)
    elif node.kind == "Squeeze":
        axes = [axis % len(shape) for axis in b.integers(node, "axes", 1) or []]
        wanted = [n for i, n in enumerate(shape) if (i not in axes if axes else n != 1)]
    else:
        axes = b.integers(node, "axes", 1) or []
        rank = len(shape) + len(axes)
        left = iter(shape)
        inserted = {axis % rank for axis in axes}
        wanted = [1 if i in inserted else next(left) for i in range(rank)]
    if prod(wanted) != prod(shape):
        b.unsupported(node, f"makes {wanted} of {list(shape)}", "export the network with batch 1")
    b.values[node.outputs[0]] = b.reshaped(x, wanted)


@translator("Transpose")
def transpose(b: Builder, node: Node) -> None:
    x = b.required(node, 0)
    perm = node.attributes.get("perm") or [*range(len(x.order))][::-1]
    b.values[node.outputs[0]] = replace(x, order=tuple(perm.index(axis) for axis in x.order))


@translator("Concat")
def concat(b: Builder, node: Node) -> None:
    parts = [b.required(node, i) for i in range(len(node.inputs))]
    first = next(part for part in parts if part.array is None)
    order, quant = first.order, b.target(node.outputs[0])
    exact = quant is not None and all(part.array is not None or b.is_int8(part) for part in parts)
    axis = int(node.attributes["axis"]) % len(order)
    names = []
    for part in parts:
        if part.array is not None:
            stored = _constant(part.array, quant).stored if exact and quant is not None else None
            data, of = (part.array.astype(np.float32), None) if stored is None else stored
            names.append(b.add_constant(f"{node.outputs[0]}_part", data.transpose(order), of))
            continue
        tensor = b.tensor(b.ordered(part if exact else b.real(part), order))
        if exact and tensor.quant != quant:
            names.append(b.append(OpKind.QUANTIZE, [tensor.name], NoAttrs(), tensor.shape, quant))
        else:
            names.append(tensor.name)
    b.emit(node, OpKind.CONCATENATION, names, ConcatAttrs(order.index(axis)), quant if exact else None, order)


@translator("Slice")
def slice_(b: Builder, node: Node) -> None:
    x = b.required(node, 0)
    shape = b.shape(x)
    starts, ends = b.integers(node, "starts", 1) or [], b.integers(node, "ends", 2) or []
    axes = b.integers(node, "axes", 3) or [*range(len(starts))]
    steps = b.integers(node, "steps", 4) or [1] * len(starts)
    ranges = [range(n) for n in shape]
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        ranges[axis % len(shape)] = range(shape[axis % len(shape)])[start:end:step]
    _cut(b, node, x, ranges, node.outputs[0])


@translator("Split")
def split(b: Builder, node: Node) -> None:
    x = b.required(node, 0)
    shape = b.shape(x)
    axis, parts = int(node.attributes.get("axis", 0)) % len(shape), len(node.outputs)
    each = -(-shape[axis] // parts)
    sizes = b.integers(node, "split", 1) or [min(each, shape[axis] - i * each) for i in range(parts)]
    start = 0
    for size, output in zip(sizes, node.outputs, strict=True):
        ranges = [range(n) for n in shape]
        ranges[axis] = range(start, start + size)
        _cut(b, node, x, ranges, output)
        start += size


def _cut(b: Builder, node: Node, x: Value, ranges: list[range], output: str) -> None:
    if any(not len(r) for r in ranges):
        b.unsupported(node, "leaves nothing", "remove it from the network")
    inside = [ranges[axis] for axis in x.order]
    count = tuple(len(r) for r in inside)
    attrs = StridedSliceAttrs(tuple(r.start for r in inside), tuple(r.step for r in inside), count)
    b.emit(node, OpKind.STRIDED_SLICE, [x.tensor], attrs, b.tensor(x).quant, x.order, output, count)


@translator("Pad")
def pad(b: Builder, node: Node) -> None:
    x = b.required(node, 0)
    rank, pads = len(x.order), b.integers(node, "pads", 1) or []
    if len(pads) != 2 * rank:
        axes = b.integers(node, "axes", 3) or []
        full = [0] * (2 * rank)
        for i, axis in enumerate(axes):
            full[axis % rank], full[rank + axis % rank] = pads[i], pads[len(axes) + i]
        pads = full
    value = b.constant(node, 2, "value")
    filled = float(value.item()) if value is not None and value.size else float(node.attributes.get("value", 0.0))
    mode = node.attributes.get("mode", "constant")
    if min(pads, default=0) < 0 or (mode == "constant" and filled) or mode == "wrap":
        b.unsupported(node, "pads by less than nothing, by another value than 0, or around", "pad with zeros")
    sides = [(pads[axis], pads[rank + axis]) for axis in x.order]
    tensor = b.tensor(x)
    if mode == "constant":
        b.emit(node, OpKind.PAD, [x.tensor], PadAttrs(tuple(sides)), tensor.quant, x.order)
        return
    walks = [np.arange(n) for n in tensor.shape]
    if mode == "edge":
        indices = [np.pad(walk, side, "edge").tolist() for walk, side in zip(walks, sides, strict=True)]
    else:
        indices = [np.pad(walk, side, "reflect").tolist() for walk, side in zip(walks, sides, strict=True)]
    attrs = GatherAttrs(tuple(tuple(i) if any(s) else None for i, s in zip(indices, sides, strict=True)))
    b.emit(node, OpKind.GATHER, [x.tensor], attrs, tensor.quant, x.order, declared=tuple(map(len, indices)))


@translator("Resize", "Upsample")
def resize(b: Builder, node: Node) -> None:
    x = b.ordered(b.required(node, 0), LAST)
    shape, tensor = b.shape(x), b.tensor(x)
    last = 1 if node.kind == "Upsample" or len(node.inputs) == 2 else 2
    scales, sizes = b.constant(node, last, "scales"), b.integers(node, "sizes", 3)
    if scales is None or not scales.size:
        scales = np.array(node.attributes.get("scales", []))
    if len(shape) != 4 or not (sizes or scales.size == 4):
        b.unsupported(node, "resizes no picture by constant factors", "resize (N, C, H, W) by constant factors")
    sizes = sizes or [int(np.floor(n * s)) for n, s in zip(shape, scales, strict=True)]
    if sizes[:2] != list(shape[:2]):
        b.unsupported(node, "resizes channels", "resize rows and columns only")
    default = "asymmetric" if node.kind == "Upsample" else "half_pixel"
    mode, how = node.attributes.get("mode", "nearest"), node.attributes.get("coordinate_transformation_mode", default)
    whole = all(big % small == 0 for big, small in zip(sizes[2:], shape[2:], strict=True))
    declared = (1, sizes[2], sizes[3], shape[1])
    if mode == "nearest" and whole:  # every pixel several times, whatever the rounding
        attrs, kind = ResizeAttrs(), OpKind.RESIZE_NEAREST_NEIGHBOR
        if how not in ("asymmetric", "half_pixel"):
            b.unsupported(node, f"places pixels by '{how}'", "use asymmetric or half_pixel")
    elif mode == "linear" and how in ("half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric"):
        kind = OpKind.RESIZE_BILINEAR
        attrs = ResizeAttrs(how == "align_corners", how.endswith("half_pixel"))
    else:
        b.unsupported(node, f"resizes by '{mode}', '{how}'", "use nearest by whole factors, or linear")
    b.emit(node, kind, [x.tensor], attrs, tensor.quant, LAST, declared=declared)
