"""Checks of one operator: attributes, dtypes, constants, shapes and quantizations that its kind allows."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NoReturn

import numpy as np

from tinyengine.errors import ModelError
from tinyengine.ir.graph import Graph, Operator, Tensor
from tinyengine.ir.ops import (
    ATTRS_OF,
    Activation,
    ConcatAttrs,
    Conv2DAttrs,
    DepthwiseConv2DAttrs,
    MeanAttrs,
    OpKind,
    PadAttrs,
    PoolAttrs,
    SoftmaxAttrs,
    StridedSliceAttrs,
    TransposeAttrs,
    Window,
)
from tinyengine.ir.requant import add_params, softmax_params, unary_lut
from tinyengine.ir.shapes import infer_shape, same_elements, squeezed

MAX_SIZE = 65535
"""Largest size of one axis: kernels hold sizes in 16 bits."""

_CONVOLUTIONS = (OpKind.CONV_2D, OpKind.DEPTHWISE_CONV_2D, OpKind.FULLY_CONNECTED)
_MOVES = (
    OpKind.RESHAPE,
    OpKind.TRANSPOSE,
    OpKind.PAD,
    OpKind.CONCATENATION,
    OpKind.RESIZE_NEAREST_NEIGHBOR,
    OpKind.STRIDED_SLICE,
    OpKind.AVERAGE_POOL_2D,
    OpKind.MAX_POOL_2D,
)
_ARITY = {
    **dict.fromkeys(OpKind, 1),
    **dict.fromkeys(_CONVOLUTIONS, 3),
    **dict.fromkeys((OpKind.ADD, OpKind.SUB, OpKind.MUL), 2),
}
_PICTURES = (
    OpKind.CONV_2D,
    OpKind.DEPTHWISE_CONV_2D,
    OpKind.AVERAGE_POOL_2D,
    OpKind.MAX_POOL_2D,
    OpKind.RESIZE_NEAREST_NEIGHBOR,
)


def fail(op: Operator, what: str) -> NoReturn:
    """ModelError about ``op``; ``what`` goes on after its name."""
    raise ModelError(f"{op.kind} '{op.name}' {what}: convert the model again")


def verify_operator(op: Operator, graph: Graph) -> None:
    """Raise ModelError unless ``op`` computes what its kind may, from tensors that ``verify`` has checked before."""
    if not isinstance(op.attrs, ATTRS_OF[op.kind]):
        fail(op, f"has attributes of type {type(op.attrs).__name__}")
    if op.kind is OpKind.CONCATENATION:
        if not op.inputs:
            fail(op, "joins nothing")
    elif len(op.inputs) != _ARITY[op.kind]:
        fail(op, f"has {len(op.inputs)} inputs instead of {_ARITY[op.kind]}")
    x, output = graph.tensor(op.inputs[0]), graph.tensor(op.outputs[0])
    if op.kind in _PICTURES and (len(x.shape) != 4 or x.shape[0] != 1):
        fail(op, f"has an input of shape {list(x.shape)}, not (1, rows, columns, channels)")
    _verify_dtypes(op, graph)
    _verify_attrs(op, x)
    if op.kind in _CONVOLUTIONS:
        _verify_weights(op, graph)
    _verify_shape(op, graph, output)
    if op.kind in _MOVES:
        for name in op.inputs:
            _verify_same_quantization(op, graph.tensor(name), output)
    check = _EXTRA.get(op.kind)
    if check is not None:
        check(op, graph)


def _verify_dtypes(op: Operator, graph: Graph) -> None:
    inputs: tuple[str, ...] = ("int8",)
    outputs: tuple[str, ...] = ("int8",)
    if op.kind is OpKind.QUANTIZE:
        inputs, outputs = ("int8", "uint8", "float32"), ("int8", "uint8")
    elif op.kind is OpKind.DEQUANTIZE:
        inputs, outputs = ("int8",), ("float32",)
    activations = op.inputs[:1] if op.kind in _CONVOLUTIONS else op.inputs
    for name, allowed in [*((n, inputs) for n in activations), (op.outputs[0], outputs)]:
        tensor = graph.tensor(name)
        if tensor.dtype not in allowed:
            fail(op, f"has tensor '{name}' in {tensor.dtype}, not {' or '.join(allowed)}")
        if tensor.quant is not None and tensor.quant.per_channel:
            fail(op, f"has activations '{name}' quantized per channel")


def _verify_attrs(op: Operator, x: Tensor) -> None:
    rank = len(x.shape)
    good = True
    match op.attrs:
        case Conv2DAttrs(window=window) | DepthwiseConv2DAttrs(window=window) | PoolAttrs(window=window):
            good = _window_is_sane(window)
        case MeanAttrs(axes=axes):
            good = bool(axes) and list(axes) == sorted(set(axes)) and set(axes) <= set(range(rank))
        case PadAttrs(pads=pads):
            good = len(pads) == rank and all(0 <= n <= MAX_SIZE for pair in pads for n in pair)
        case TransposeAttrs(perm=perm):
            good = sorted(perm) == list(range(rank))
        case ConcatAttrs(axis=axis, activation=activation):
            good = 0 <= axis < rank and activation is Activation.NONE
        case StridedSliceAttrs(begin=begin, stride=stride, count=count):
            good = len(begin) == len(stride) == len(count) == rank and all(
                c >= 1 and 0 <= b < n and 0 <= b + (c - 1) * s < n
                for n, b, s, c in zip(x.shape, begin, stride, count, strict=True)
            )
        case SoftmaxAttrs(beta=beta):
            good = rank >= 1 and math.isfinite(beta) and 1e-6 <= beta <= 1e6
    if not good:
        fail(op, f"has attributes that do not fit its input of shape {list(x.shape)} ({op.attrs})")


def _window_is_sane(window: Window) -> bool:
    positive = (*window.kernel, *window.stride, *window.dilation)
    return all(1 <= n <= MAX_SIZE for n in positive) and all(0 <= n <= MAX_SIZE for n in window.pad)


def _verify_shape(op: Operator, graph: Graph, output: Tensor) -> None:
    expected = infer_shape(op, graph)
    x = graph.tensor(op.inputs[0])
    match op.kind:
        case OpKind.RESHAPE:
            good = same_elements(x.shape, output.shape)
        case OpKind.RESIZE_NEAREST_NEIGHBOR:
            good = len(output.shape) == 4 and output.shape[0] == 1 and output.shape[3] == x.shape[3]
        case OpKind.FULLY_CONNECTED | OpKind.STRIDED_SLICE:  # axes of size 1 may come and go
            good = expected is not None and squeezed(output.shape) == squeezed(expected)
        case _:
            good = output.shape == expected
    if not good:
        fail(op, f"writes '{output.name}' of shape {list(output.shape)}, which does not follow from its inputs")


def _verify_weights(op: Operator, graph: Graph) -> None:
    x, weights, bias = (graph.tensor(name) for name in op.inputs)
    if weights.data is None or weights.dtype != "int8" or bias.data is None or bias.dtype != "int32":
        fail(op, f"needs constant int8 weights ('{weights.name}') and int32 biases ('{bias.name}')")
    depthwise = op.kind is OpKind.DEPTHWISE_CONV_2D
    axis = 3 if depthwise else 0
    fits = len(weights.shape) == (2 if op.kind is OpKind.FULLY_CONNECTED else 4)
    if fits:
        match op.attrs:
            case Conv2DAttrs(window=window):
                fits = weights.shape[1:] == (*window.kernel, x.shape[3])
            case DepthwiseConv2DAttrs(window=window, multiplier=multiplier):
                fits = weights.shape == (1, *window.kernel, x.shape[3] * multiplier)
            case _:
                fits = weights.shape[1] == x.elements
    if not fits or bias.elements != weights.shape[axis]:
        fail(op, f"has weights of shape {list(weights.shape)} and {bias.elements} biases for input {list(x.shape)}")
    assert weights.quant is not None
    if any(weights.quant.zero_point):
        fail(op, f"has weights '{weights.name}' with a zero point, but int8 weights are symmetric")
    if weights.quant.per_channel and weights.quant.axis != axis:
        fail(op, f"has weights '{weights.name}' quantized along axis {weights.quant.axis} instead of {axis}")
    _verify_bias_scale(op, x, weights, bias, graph.tensor(op.outputs[0]))
    _verify_sums(op, weights.data, axis)


def _verify_bias_scale(op: Operator, x: Tensor, weights: Tensor, bias: Tensor, output: Tensor) -> None:
    """Bias scale = input scale * weight scale, up to 2 % of an output step (the tolerance of TFLite)."""
    if bias.quant is None:
        return
    assert weights.quant is not None
    scales, expected = np.array(bias.quant.scale), x.scale * np.array(weights.quant.scale)
    if scales.size not in (1, expected.size) or np.abs(scales - expected).max() > 0.02 * output.scale:
        fail(op, f"has biases '{bias.name}' whose scale is not input scale times weight scale")


def _verify_sums(op: Operator, weights: np.ndarray, axis: int) -> None:
    """No sum of products may leave int32, whatever the input is (a saturated bias may make it wrap: so does TFLite)."""
    others = tuple(i for i in range(weights.ndim) if i != axis)
    if (np.abs(weights.astype(np.int32)).sum(axis=others, dtype=np.int64) * 255).max() >= 1 << 31:
        fail(op, "sums so many products that 32 bits overflow")


def _verify_same_quantization(op: Operator, x: Tensor, output: Tensor) -> None:
    """These operators copy or compare quantized values, which only has a meaning if both sides agree."""
    if x.zero_point != output.zero_point or abs(x.scale - output.scale) > 1e-5 * output.scale:
        fail(op, f"needs the same quantization on '{x.name}' and '{output.name}'")


def _verify_unit_output(op: Operator, graph: Graph) -> None:
    """SOFTMAX and LOGISTIC answer in 1/256 steps from -128."""
    output = graph.tensor(op.outputs[0])
    tolerance = 0.0 if op.kind is OpKind.LOGISTIC else 1e-3 / 256
    if output.zero_point != -128 or abs(output.scale - 1 / 256) > tolerance:
        fail(op, f"must write '{output.name}' with scale 1/256 and zero point -128")
    if op.kind is OpKind.SOFTMAX:
        softmax_params(graph, op)


_EXTRA: dict[OpKind, Callable[[Operator, Graph], object]] = {
    OpKind.SOFTMAX: _verify_unit_output,
    OpKind.LOGISTIC: _verify_unit_output,
    OpKind.HARD_SWISH: lambda op, graph: unary_lut(graph, op),
    OpKind.ADD: lambda op, graph: add_params(graph, op),
    OpKind.SUB: lambda op, graph: add_params(graph, op),
}
