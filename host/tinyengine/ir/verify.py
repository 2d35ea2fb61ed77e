"""Checks that a graph is well formed before anybody relies on it.

Behind ``verify`` every later part of the compiler may assume: names resolve, operators are in execution order, shapes
follow from inputs and attributes, constants have the right size, quantization is present and sane, sums fit int32.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NoReturn

import numpy as np

from tinyengine.errors import ModelError
from tinyengine.ir.graph import DTYPES, Graph, Operator, Port, Quantization, Tensor
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

MAX_ELEMENTS = 1 << 26
"""Most elements of one tensor: far beyond any microcontroller, small enough for the host."""

SCALE_RANGE = (1e-12, 1e12)
"""Scales outside are nonsense, and their products and quotients would leave float32."""

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


def verify(graph: Graph) -> None:
    """Raise ModelError, naming operator and tensor, if ``graph`` is not one that the compiler may trust."""
    if not graph.operators or not graph.inputs or not graph.outputs:
        raise ModelError("the network has no operators, no inputs or no outputs: convert the model again")
    for name, tensor in graph.tensors.items():
        _verify_tensor(name, tensor)
    _verify_order(graph)
    for op in graph.operators:
        _verify_operator(op, graph)
    _verify_border(graph)


def _fail(op: Operator, what: str) -> NoReturn:
    raise ModelError(f"{op.kind} '{op.name}' {what}: convert the model again")


# --- tensors ---


def _verify_tensor(name: str, tensor: Tensor) -> None:
    if name != tensor.name or tensor.dtype not in DTYPES:
        raise ModelError(f"tensor '{name}' is filed under another name or has the unknown type {tensor.dtype}")
    if any(n < 1 for n in tensor.shape) or tensor.elements > MAX_ELEMENTS:
        raise ModelError(f"tensor '{name}' has the impossible shape {list(tensor.shape)}")
    if tensor.data is not None:
        if tensor.data.shape != tensor.shape or tensor.data.dtype != DTYPES[tensor.dtype]:
            raise ModelError(f"constant '{name}' holds {tensor.data.dtype}{list(tensor.data.shape)}, not what it says")
    elif any(n > MAX_SIZE for n in tensor.shape):
        raise ModelError(f"tensor '{name}' of shape {list(tensor.shape)} is longer than {MAX_SIZE} along an axis")
    if tensor.quant is not None:
        _verify_quantization(name, tensor, tensor.quant)
    elif tensor.dtype in ("int8", "uint8"):
        raise ModelError(f"tensor '{name}' has no quantization: convert the model with full integer quantization")


def _verify_quantization(name: str, tensor: Tensor, quant: Quantization) -> None:
    if len(quant.scale) != len(quant.zero_point) or not quant.scale:
        raise ModelError(f"tensor '{name}' has {len(quant.scale)} scales and {len(quant.zero_point)} zero points")
    # a bias has the product of two scales, but nothing is computed with it
    low, high = SCALE_RANGE if tensor.dtype in ("int8", "uint8") else (0.0, math.inf)
    for scale in quant.scale:
        if not (math.isfinite(scale) and scale > 0.0 and low <= scale <= high):
            raise ModelError(f"tensor '{name}' has the impossible scale {scale:g}: quantize the model again")
    limits = np.iinfo(DTYPES[tensor.dtype]) if tensor.dtype != "float32" else np.iinfo(np.int8)
    if any(not limits.min <= zero <= limits.max for zero in quant.zero_point):
        raise ModelError(f"tensor '{name}' has a zero point outside {tensor.dtype}: quantize the model again")
    if quant.per_channel:
        axis = quant.axis
        if axis is None or not 0 <= axis < len(tensor.shape) or tensor.shape[axis] != len(quant.scale):
            raise ModelError(f"tensor '{name}' of shape {list(tensor.shape)} has {len(quant.scale)} scales")


# --- structure ---


def _verify_order(graph: Graph) -> None:
    known = {t.name for t in graph.constants()}
    for port in graph.inputs:
        if port.tensor not in graph.tensors or port.tensor in known:
            raise ModelError(f"the network's input '{port.name}' is missing, constant or named twice")
        known.add(port.tensor)
    for op in graph.operators:
        for name in op.inputs:
            if name not in known:
                raise ModelError(f"{op.kind} '{op.name}' reads tensor '{name}' before any operator has written it")
        if len(op.outputs) != 1 or op.outputs[0] not in graph.tensors:
            _fail(op, f"writes {op.outputs} instead of one tensor of the network")
        if op.outputs[0] in known:
            _fail(op, f"writes tensor '{op.outputs[0]}', which has a value already")
        known.add(op.outputs[0])
    constants = {t.name for t in graph.constants()}
    for port in graph.outputs:
        if port.tensor not in known or port.tensor in constants:
            raise ModelError(f"the network's output '{port.name}' is not computed by any operator")


def _verify_border(graph: Graph) -> None:
    """Only QUANTIZE and DEQUANTIZE at the border see anything but int8."""
    ins, outs = set(graph.input_tensors()), set(graph.output_tensors())
    for op in graph.operators:
        for name in op.inputs:
            tensor = graph.tensor(name)
            if not tensor.is_constant and tensor.dtype != "int8" and name not in ins:
                _fail(op, f"reads '{name}' in {tensor.dtype} inside the network; only its border may be {tensor.dtype}")
        if graph.tensor(op.outputs[0]).dtype != "int8" and op.outputs[0] not in outs:
            tensor = graph.tensor(op.outputs[0])
            _fail(
                op, f"writes '{tensor.name}' in {tensor.dtype} inside the network, which must stay int8 up to its end"
            )
    for port in (*graph.inputs, *graph.outputs):
        _verify_port(port, graph.tensor(port.tensor))


def _verify_port(port: Port, tensor: Tensor) -> None:
    inside_fits = tensor.dtype in ("int8", port.dtype)
    if port.dtype not in ("float32", "int8", "uint8") or not inside_fits:
        raise ModelError(
            f"port '{port.name}' is {port.dtype} outside and {tensor.dtype} inside: convert the model again"
        )
    if port.dtype == "uint8" and (port.quant is None or port.quant.per_channel):
        raise ModelError(f"port '{port.name}' is uint8 without a quantization: convert the model again")


# --- operators ---


def _verify_operator(op: Operator, graph: Graph) -> None:
    if not isinstance(op.attrs, ATTRS_OF[op.kind]):
        _fail(op, f"has attributes of type {type(op.attrs).__name__}")
    if op.kind is OpKind.CONCATENATION:
        if not op.inputs:
            _fail(op, "joins nothing")
    elif len(op.inputs) != _ARITY[op.kind]:
        _fail(op, f"has {len(op.inputs)} inputs instead of {_ARITY[op.kind]}")
    x, output = graph.tensor(op.inputs[0]), graph.tensor(op.outputs[0])
    if op.kind in _PICTURES and (len(x.shape) != 4 or x.shape[0] != 1):
        _fail(op, f"has an input of shape {list(x.shape)}, not (1, rows, columns, channels)")
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
            _fail(op, f"has tensor '{name}' in {tensor.dtype}, not {' or '.join(allowed)}")
        if tensor.quant is not None and tensor.quant.per_channel:
            _fail(op, f"has activations '{name}' quantized per channel")


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
        _fail(op, f"has attributes that do not fit its input of shape {list(x.shape)} ({op.attrs})")


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
        _fail(op, f"writes '{output.name}' of shape {list(output.shape)}, which does not follow from its inputs")


def _verify_weights(op: Operator, graph: Graph) -> None:
    x, weights, bias = (graph.tensor(name) for name in op.inputs)
    if weights.data is None or weights.dtype != "int8" or bias.data is None or bias.dtype != "int32":
        _fail(op, f"needs constant int8 weights ('{weights.name}') and int32 biases ('{bias.name}')")
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
        _fail(op, f"has weights of shape {list(weights.shape)} and {bias.elements} biases for input {list(x.shape)}")
    assert weights.quant is not None
    if any(weights.quant.zero_point):
        _fail(op, f"has weights '{weights.name}' with a zero point, but int8 weights are symmetric")
    if weights.quant.per_channel and weights.quant.axis != axis:
        _fail(op, f"has weights '{weights.name}' quantized along axis {weights.quant.axis} instead of {axis}")
    _verify_bias_scale(op, x, weights, bias, graph.tensor(op.outputs[0]))
    _verify_sums(op, weights.data, axis)


def _verify_bias_scale(op: Operator, x: Tensor, weights: Tensor, bias: Tensor, output: Tensor) -> None:
    """Bias scale = input scale * weight scale, up to 2 % of an output step (the tolerance of TFLite)."""
    if bias.quant is None:
        return
    assert weights.quant is not None
    scales, expected = np.array(bias.quant.scale), x.scale * np.array(weights.quant.scale)
    if scales.size not in (1, expected.size) or np.abs(scales - expected).max() > 0.02 * output.scale:
        _fail(op, f"has biases '{bias.name}' whose scale is not input scale times weight scale")


def _verify_sums(op: Operator, weights: np.ndarray, axis: int) -> None:
    """No sum of products may leave int32, whatever the input is (a saturated bias may make it wrap: so does TFLite)."""
    others = tuple(i for i in range(weights.ndim) if i != axis)
    if (np.abs(weights.astype(np.int32)).sum(axis=others, dtype=np.int64) * 255).max() >= 1 << 31:
        _fail(op, "sums so many products that 32 bits overflow")


def _verify_same_quantization(op: Operator, x: Tensor, output: Tensor) -> None:
    """These operators copy or compare quantized values, which only has a meaning if both sides agree."""
    if x.zero_point != output.zero_point or abs(x.scale - output.scale) > 1e-5 * output.scale:
        _fail(op, f"needs the same quantization on '{x.name}' and '{output.name}'")


def _verify_unit_output(op: Operator, graph: Graph) -> None:
    """SOFTMAX and LOGISTIC answer in 1/256 steps from -128."""
    output = graph.tensor(op.outputs[0])
    tolerance = 0.0 if op.kind is OpKind.LOGISTIC else 1e-3 / 256
    if output.zero_point != -128 or abs(output.scale - 1 / 256) > tolerance:
        _fail(op, f"must write '{output.name}' with scale 1/256 and zero point -128")
    if op.kind is OpKind.SOFTMAX:
        softmax_params(graph, op)


_EXTRA: dict[OpKind, Callable[[Operator, Graph], object]] = {
    OpKind.SOFTMAX: _verify_unit_output,
    OpKind.LOGISTIC: _verify_unit_output,
    OpKind.HARD_SWISH: lambda op, graph: unary_lut(graph, op),
    OpKind.ADD: lambda op, graph: add_params(graph, op),
    OpKind.SUB: lambda op, graph: add_params(graph, op),
}
