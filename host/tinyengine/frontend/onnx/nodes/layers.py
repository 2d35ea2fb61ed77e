"""Layers with weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import prod

import numpy as np

from tinyengine.frontend.onnx.builder import LAST, REPLACE_HINT, Builder, Node, Value, identity
from tinyengine.frontend.onnx.nodes.elementwise import combine
from tinyengine.frontend.onnx.nodes.movement import cut
from tinyengine.frontend.onnx.nodes.scales import quantized
from tinyengine.frontend.onnx.nodes.windows import as_line, window_of
from tinyengine.frontend.onnx.registry import translator
from tinyengine.ir.graph import Quantization
from tinyengine.ir.ops import (
    Activation,
    Conv2DAttrs,
    DepthwiseConv2DAttrs,
    ElementwiseAttrs,
    FullyConnectedAttrs,
    MatmulAttrs,
    MeanAttrs,
    NoAttrs,
    OpKind,
    TransposeConvAttrs,
    Window,
)


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
        kernel = quantized(kernel.array, Quantization((largest / 127,), (0,)))
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
    window = window_of(b, node, kernel_size, (view[1], view[2]), line)
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
    as_line(b, output, line)


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
    window = window_of(b, node, (sizes[0], sizes[1]), (shape[1], shape[2]), False)
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
    cut(b, node, b.values[f"{output}_whole"], [range(1), range(whole[3]), rows, columns], output)


@translator("Gemm", "MatMul")
def dense(b: Builder, node: Node) -> None:
    x, kernel = b.required(node, 0), b.required(node, 1)
    if node.kind == "MatMul" and x.array is None and kernel.array is None:
        _matmul(b, node, x, kernel)
        return
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
        added = others[0].array if others and others[0] is not None else None
        if added is not None and added.size == outputs and added.shape[-1:] == (outputs,):
            bias = added
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


def _matmul(b: Builder, node: Node, x: Value, y: Value) -> None:
    """Matrices that the network computes, with as many axes."""
    rank, quant = len(b.shape(x)), b.target(node.outputs[0])
    if len(b.shape(y)) != rank or rank < 2:
        b.unsupported(node, "multiplies values of different ranks", "reshape them to as many axes")
    exact = quant is not None and b.is_int8(x) and b.is_int8(y)
    names = [b.ordered(value if exact else b.real(value)).tensor for value in (x, y)]
    b.emit(node, OpKind.BATCH_MATMUL, names, MatmulAttrs(), quant if exact else None, identity(rank))


@translator("LayerNormalization")
def layer_normalization(b: Builder, node: Node) -> None:
    """In float32: the difference to the mean over the root of its mean square, then factors and offsets."""
    x, scale, shift = b.ordered(b.real(b.required(node, 0))), b.constant(node, 1, "scale"), b.constant(node, 2, "bias")
    shape, rank = b.tensor(x).shape, len(x.order)
    axes = tuple(range(int(node.attributes.get("axis", -1)) % rank, rank))
    one = tuple(1 if axis in axes else n for axis, n in enumerate(shape))

    def mean(name: str) -> str:
        return b.append(OpKind.MEAN, [name], MeanAttrs(axes, True), one, None)

    def pair(kind: OpKind, name: str, other: str, size: tuple[int, ...] = shape, output: str = "") -> str:
        return b.append(kind, [name, other], ElementwiseAttrs(), size, None, output)

    apart = pair(OpKind.SUB, x.tensor, mean(x.tensor))
    variance = mean(b.append(OpKind.SQUARE, [apart], NoAttrs(), shape, None))
    least = b.add_constant(f"{variance}_epsilon", np.full((1,), node.attributes.get("epsilon", 1e-5), np.float32))
    root = b.append(OpKind.RSQRT, [pair(OpKind.ADD, variance, least, one)], NoAttrs(), one, None)
    result = pair(OpKind.MUL, apart, root)
    for kind, constant in ((OpKind.MUL, scale), (OpKind.ADD, shift)):
        if constant is not None:
            result = pair(kind, result, b.add_constant(f"{result}_factor", constant.astype(np.float32)))
    b.values[node.outputs[0]] = Value(tensor=result, order=identity(rank))


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
    b.values[between] = combine(
        b, node, OpKind.MUL, x, Value(factor.reshape(shape).astype(np.float32)), Activation.NONE, between
    )
    offset = Value((shift - mean * factor).reshape(shape).astype(np.float32))
    b.values[output] = combine(b, node, OpKind.ADD, b.values[between], offset, activation, output)
