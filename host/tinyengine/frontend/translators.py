"""TFLite operators to the IR's: one small function each where :func:`plain` does not do.

What comes out (types, shapes) follows from the operators' classes in ``tinyengine.ir.operators``.
"""

from __future__ import annotations

from dataclasses import fields, replace
from math import prod

import numpy as np
from tflite import TensorType

from tinyengine.frontend import moves  # noqa: F401  its translators register themselves
from tinyengine.frontend.arguments import axis_of, one, paddings
from tinyengine.frontend.clipped import add_layer, clipped_weights
from tinyengine.frontend.context import ATTENTION, DETECTION, QUANTIZE_HINT, SIGNALS, UINT8_HINT, Context
from tinyengine.frontend.custom import options
from tinyengine.frontend.detection import detection_post_process
from tinyengine.frontend.legacy import SAME_AS_INT8, rescaling_table
from tinyengine.frontend.raw import RawOperator, camel_case
from tinyengine.frontend.recurrent import svdf, unidirectional_sequence_lstm
from tinyengine.frontend.registry import TRANSLATORS, translator
from tinyengine.frontend.signal import signal
from tinyengine.frontend.slices import resolve_slice
from tinyengine.ir.graph import Quantization, Tensor
from tinyengine.ir.operators import DEFINITIONS
from tinyengine.ir.operators.base import MAX_SIZE
from tinyengine.ir.ops import (
    Activation,
    ActivationAttrs,
    ArgAttrs,
    ConcatAttrs,
    Conv2DAttrs,
    CumsumAttrs,
    DepthwiseConv2DAttrs,
    ElementwiseAttrs,
    FullyConnectedAttrs,
    LinearAttentionAttrs,
    MatmulAttrs,
    MeanAttrs,
    NoAttrs,
    OpKind,
    PadAttrs,
    PoolAttrs,
    ResizeAttrs,
    TableAttrs,
    TransposeAttrs,
    TransposeConvAttrs,
    Window,
    same_padding,
)

_ACTIVATIONS = {0: Activation.NONE, 1: Activation.RELU, 2: Activation.RELU_N1_TO_1, 3: Activation.RELU6}
_SAME, _VALID = 0, 1
_MAX_STRIDE = 1 << 15

REBUILD_HINT = "rebuild that part of the network from other operators (docs/operators.md lists all)"
_INSTEAD = {
    "WHILE": "unroll the loop (Keras: unroll=True, a fixed number of steps, batch_size=1) and convert again",
    "IF": "convert the function with the branch that is to run",
}


translator("UNIDIRECTIONAL_SEQUENCE_LSTM")(unidirectional_sequence_lstm)
translator("SVDF")(svdf)
translator(*SIGNALS)(signal)
translator(DETECTION)(detection_post_process)


@translator(ATTENTION)
def linear_attention(context: Context, op: RawOperator) -> None:
    """Options as a flexbuffer."""
    inputs = [context.activation(op, position) for position in range(len(op.inputs))]
    context.add(op, inputs, LinearAttentionAttrs(**options(context, op, LinearAttentionAttrs)))


def translate(context: Context, op: RawOperator) -> None:
    """Add ``op`` to the graph; UnsupportedOperatorError says what else could be done."""
    if context.definition(op) is None:
        context.unsupported(op, "is not supported", _INSTEAD.get(op.kind, REBUILD_HINT))
    if context.is_legacy(op) and op.kind not in SAME_AS_INT8:
        context.unsupported(op, "computes in uint8", UINT8_HINT)
    TRANSLATORS.get(op.kind, plain)(context, op)


def plain(context: Context, op: RawOperator) -> None:
    """All inputs are tensors, and all attributes stand in the file's table of options under the same names."""
    definition = context.definition(op)
    assert definition is not None
    values = {
        field.name: _activation_of(context, op) if field.name == "activation" else op.options[camel_case(field.name)]
        for field in fields(definition.attributes)
    }
    inputs = [context.activation(op, position) for position in range(len(op.inputs))]
    context.add(op, inputs, definition.attributes(**values))


def _activation_of(context: Context, op: RawOperator) -> Activation:
    number = op.options["FusedActivationFunction"]
    if number not in _ACTIVATIONS:
        context.unsupported(op, "has a fused TANH or SIGN_BIT", "use RELU, RELU6 or a separate LOGISTIC")
    return _ACTIVATIONS[int(number)]


def _window(context: Context, op: RawOperator, x: Tensor, kernel: tuple[int, int], dilated: bool) -> Window:
    """Window with TFLite's SAME or VALID as explicit numbers."""
    stride = (int(op.options["StrideH"]), int(op.options["StrideW"]))
    dilation = (int(op.options["DilationHFactor"]), int(op.options["DilationWFactor"])) if dilated else (1, 1)
    if not all(0 < n < _MAX_STRIDE for n in (*kernel, *stride, *dilation)):
        context.damaged(op, f"has kernel {kernel}, stride {stride}, dilation {dilation}")
    padding = op.options["Padding"]
    if padding not in (_SAME, _VALID):
        context.damaged(op, f"has padding code {padding}")
    pad = (0, 0, 0, 0)
    if padding == _SAME:
        pad = same_padding(kernel, stride, dilation, x.shape[1], x.shape[2])
    return Window(kernel, stride, dilation, pad)


def _weights(context: Context, op: RawOperator, rank: int, axis: int, dtype: str) -> Tensor:
    """Input 1: constant weights of ``rank`` axes for an input of ``dtype``: int8 (also of an int16
    one), per tensor or along ``axis``; or float32."""
    raw = context.required(op, 1)
    if dtype == "int16":
        dtype = "int8"
    if dtype == "float32" and raw.dtype in ("INT8", "UINT8"):
        context.unsupported(op, f"has {raw.dtype.lower()} weights but computes in float32", QUANTIZE_HINT, raw.index)
    context.require_dtype(op, raw, (dtype,))
    if not raw.data.size:
        context.unsupported(op, "has weights that are computed", "store constant weights", raw.index)
    if len(raw.shape) != rank:
        context.damaged(op, f"has weights of shape {list(raw.shape)}", raw.index)
    return clipped_weights(context, op, axis) if raw.legacy else context.constant(op, raw, axis)


def _bias(context: Context, op: RawOperator, x: Tensor, weights: Tensor, channels: int, position: int = 2) -> Tensor:
    """Input ``position``: biases, int32, of an int16 input also int64, or, as all else, float32; zeros where the file
    leaves them out."""
    index = context.input_index(op, position)
    if index is None:
        if x.dtype == "float32":
            data = np.zeros(channels, np.float32)
            return context.invent(Tensor(f"{weights.name}_no_bias", (channels,), "float32", data=data))
        assert x.quant is not None and weights.quant is not None
        scales = tuple(x.quant.scale[0] * s for s in weights.quant.scale)
        quant = Quantization(scales, (0,) * len(scales), 0 if len(scales) > 1 else None)
        name = f"{weights.name}_no_bias"
        dtype = "int64" if x.dtype == "int16" and op.options.get("QuantizedBiasType") != TensorType.INT32 else "int32"
        return context.invent(Tensor(name, (channels,), dtype, quant, np.zeros(channels, dtype)))
    raw = context.raw_tensor(op, index)
    wanted = {"float32": ("float32",), "int16": ("int32", "int64")}.get(x.dtype, ("int32",))
    context.require_dtype(op, raw, wanted)
    if not raw.data.size or prod(raw.shape) != channels:
        context.damaged(op, f"has biases of shape {list(raw.shape)} for {channels} channels", raw.index)
    bias = context.constant(op, raw)
    if raw.scale and x.dtype != "float32":
        zeros = (0,) * len(raw.scale)
        bias.quant = Quantization(raw.scale, zeros, 0 if len(raw.scale) > 1 else None)
    return bias


@translator("CONV_2D")
def conv_2d(context: Context, op: RawOperator) -> None:
    """With groups of as many channels as the weights have; of single channels it is a depthwise one."""
    x = context.activation(op, 0)
    weights = _weights(context, op, 4, 0, x.dtype)
    channels, depth = weights.shape[0], weights.shape[3]
    groups = x.shape[3] // depth if depth else 0
    if not groups or groups * depth != x.shape[3] or channels % groups:
        context.damaged(op, f"has weights of shape {list(weights.shape)} for {x.shape[3]} channels")
    window = _window(context, op, x, (weights.shape[1], weights.shape[2]), dilated=True)
    bias, activation = _bias(context, op, x, weights, channels), _activation_of(context, op)
    if depth == 1 and groups > 1:
        attrs = DepthwiseConv2DAttrs(window, channels // groups, activation)
        add_layer(context, op, [x, _channels_last(context, weights), bias], attrs, 0)
        return
    add_layer(context, op, [x, weights, bias], Conv2DAttrs(window, activation, groups), 0)


def _channels_last(context: Context, weights: Tensor) -> Tensor:
    """Weights (O,KH,KW,1) of a convolution as those of a depthwise one."""
    assert weights.data is not None
    quant = weights.quant and replace(weights.quant, axis=None if weights.quant.axis is None else 3)
    data = np.ascontiguousarray(weights.data.transpose(3, 1, 2, 0))
    return context.invent(Tensor(f"{weights.name}_depthwise", data.shape, weights.dtype, quant, data))


@translator("TRANSPOSE_CONV")
def transpose_conv(context: Context, op: RawOperator) -> None:
    """Inputs: the output's shape, weights, what is convolved, perhaps biases."""
    sizes = context.integers(op, 0, "shape of the output")
    dtypes = DEFINITIONS[OpKind.TRANSPOSE_CONV].input_dtypes(0)
    x = context.activation(op, 2, dtypes)
    weights = _weights(context, op, 4, 0, x.dtype)
    if len(x.shape) != 4 or len(sizes) != 4 or sizes[0] != 1 or any(not 1 <= n <= MAX_SIZE for n in sizes):
        context.damaged(op, f"makes an output of shape {sizes} of {list(x.shape)}")
    kernel, stride = (weights.shape[1], weights.shape[2]), (int(op.options["StrideH"]), int(op.options["StrideW"]))
    if not all(0 < n < _MAX_STRIDE for n in (*kernel, *stride)) or op.options["Padding"] not in (_SAME, _VALID):
        context.damaged(op, f"has kernel {kernel}, stride {stride}, padding code {op.options['Padding']}")
    pad = [0, 0]
    if op.options["Padding"] == _SAME:  # of the convolution that would make the input of the output
        pad = list(same_padding(kernel, stride, (1, 1), sizes[1], sizes[2])[::2])
    behind = [
        (n - 1) * s + k - before - size
        for n, s, k, before, size in zip(x.shape[1:3], stride, kernel, pad, sizes[1:3], strict=True)
    ]
    window = Window(kernel, stride, pad=(pad[0], behind[0], pad[1], behind[1]))
    bias = _bias(context, op, x, weights, weights.shape[0], position=3)
    context.add(op, [x, weights, bias], TransposeConvAttrs(window, _activation_of(context, op)), tuple(sizes))


@translator("DEPTHWISE_CONV_2D")
def depthwise_conv_2d(context: Context, op: RawOperator) -> None:
    x = context.activation(op, 0)
    weights = _weights(context, op, 4, 3, x.dtype)
    channels = weights.shape[3]
    if weights.shape[0] != 1 or channels % x.shape[3]:
        context.damaged(op, f"has weights of shape {list(weights.shape)} for {x.shape[3]} channels")
    window = _window(context, op, x, (weights.shape[1], weights.shape[2]), dilated=True)
    bias = _bias(context, op, x, weights, channels)
    attrs = DepthwiseConv2DAttrs(window, channels // x.shape[3], _activation_of(context, op))
    add_layer(context, op, [x, weights, bias], attrs, 3)


@translator("FULLY_CONNECTED")
def fully_connected(context: Context, op: RawOperator) -> None:
    x = context.activation(op, 0)
    if x.dtype == "float32" and context.required(op, 1).dtype == "FLOAT32" and context.is_computed(op, 1):
        _fully_connected_by_computed(context, op, x)
        return
    weights = _weights(context, op, 2, 0, x.dtype)
    if op.options["WeightsFormat"]:
        context.unsupported(op, "has shuffled weights", "convert the model without shuffled weights")
    outputs, inputs = weights.shape
    if not inputs or x.elements % inputs:
        context.damaged(op, f"has weights of shape {list(weights.shape)} for {x.elements} inputs")
    bias = _bias(context, op, x, weights, outputs)
    add_layer(context, op, [x, weights, bias], FullyConnectedAttrs(_activation_of(context, op)), 0)


def _fully_connected_by_computed(context: Context, op: RawOperator, x: Tensor) -> None:
    """Products of two float32 tensors that the network computes, then the biases and the activation."""
    weights = context.activation(op, 1, ("float32",))
    if len(weights.shape) != 2 or x.elements % weights.shape[1]:
        context.damaged(op, f"has weights of shape {list(weights.shape)} for {x.elements} inputs")
    outputs, inputs = weights.shape
    rows = context.step(op, OpKind.RESHAPE, x, declared=(x.elements // inputs, inputs))
    product = context.part(op, OpKind.BATCH_MATMUL, [rows, weights], MatmulAttrs(adj_y=True), dtype="float32")
    bias = _bias(context, op, x, weights, outputs)
    sums = ElementwiseAttrs(_activation_of(context, op))
    product = context.part(op, OpKind.ADD, [product, bias], sums, dtype="float32")
    shape = (*x.shape[:-1], outputs) if op.options["KeepNumDims"] else product.shape
    context.add(op, [product], declared=shape, kind=OpKind.RESHAPE)


@translator("BATCH_MATMUL")
def batch_matmul(context: Context, op: RawOperator) -> None:
    """One combination gives wrong products in TFLite's reference kernel (and right ones in TFLite Micro)."""
    a, b = context.activation(op, 0), context.activation(op, 1)
    if op.options["AdjX"] and prod(a.shape[:-2]) > prod(b.shape[:-2]):
        what = "transposes matrices and multiplies several of them by the same one"
        context.unsupported(op, what, "repeat that one before (BROADCAST_TO)")
    plain(context, op)


@translator("ADD", "SUB")
def add(context: Context, op: RawOperator) -> None:
    """Of int16 with the arithmetic of general scales, as TFLite has it since 2.4."""
    if op.options["PotScaleInt16"] and context.required(op, 0).dtype == "INT16":
        context.unsupported(op, "shifts int16 values by powers of two", "convert the model with a current TensorFlow")
    plain(context, op)


@translator("AVERAGE_POOL_2D", "MAX_POOL_2D")
def pool(context: Context, op: RawOperator) -> None:
    x = context.activation(op, 0)
    kernel = (int(op.options["FilterHeight"]), int(op.options["FilterWidth"]))
    window = _window(context, op, x, kernel, dilated=False)
    half_up = context.is_legacy(op) and op.kind == "AVERAGE_POOL_2D"
    context.add(op, [x], PoolAttrs(window, _activation_of(context, op), half_up))


@translator("L2_POOL_2D")
def l2_pool(context: Context, op: RawOperator) -> None:
    """The root of the average of squares."""
    x = context.activation(op, 0, ("float32",))
    kernel = (int(op.options["FilterHeight"]), int(op.options["FilterWidth"]))
    window = _window(context, op, x, kernel, dilated=False)
    activation = _activation_of(context, op)
    x = context.part(op, OpKind.SQUARE, [x], NoAttrs(), dtype="float32")
    x = context.part(op, OpKind.AVERAGE_POOL_2D, [x], PoolAttrs(window), dtype="float32")
    if activation is Activation.NONE:
        context.add(op, [x], kind=OpKind.SQRT)
        return
    x = context.part(op, OpKind.SQRT, [x], NoAttrs(), dtype="float32")
    context.add(op, [x], ActivationAttrs(activation), kind=OpKind.RELU)


@translator("POW")
def power(context: Context, op: RawOperator) -> None:
    """By a constant exponent that is a square, a root, or one of their reciprocals."""
    x, exponent = context.activation(op, 0, ("float32",)), context.required(op, 1)
    values = context.values(op, exponent) if exponent.data.size else np.zeros(0)
    kinds = {2.0: OpKind.SQUARE, 0.5: OpKind.SQRT, -0.5: OpKind.RSQRT}
    if values.size and (values == values.flat[0]).all() and float(values.flat[0]) in kinds:
        context.add(op, [x], kind=kinds[float(values.flat[0])])
        return
    context.unsupported(op, "raises to another power than 2, 0.5 or -0.5", "multiply, or take a square root (SQRT)")


@translator("CUMSUM")
def cumsum(context: Context, op: RawOperator) -> None:
    x = context.activation(op, 0)
    axis = axis_of(context, op, one(context, op, context.integers(op, 1, "axis"), "axis"), x)
    context.add(op, [x], CumsumAttrs(axis, bool(op.options["Exclusive"]), bool(op.options["Reverse"])))


@translator("MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN", "REDUCE_ALL", "REDUCE_ANY")
def mean(context: Context, op: RawOperator) -> None:
    x = context.activation(op, 0)
    axes = {axis_of(context, op, axis, x) for axis in context.integers(op, 1, "axes")}
    if not axes:
        context.unsupported(op, "reduces no axis", "remove it from the network")
    context.add(op, [x], MeanAttrs(tuple(sorted(axes)), bool(op.options["KeepDims"])))


@translator("PAD", "PADV2")
def pad(context: Context, op: RawOperator) -> None:
    x = context.activation(op, 0)
    pads = paddings(context, op, x, 1)
    value = None
    if op.kind == "PADV2":
        constant = context.required(op, 2)
        if not constant.data.size or constant.dtype != context.required(op, 0).dtype:
            what = "pads with a value that is computed or of another type"
            context.unsupported(op, what, "make the value constant, of the input's type", constant.index)
        value = one(context, op, context.values(op, constant).reshape(-1).tolist(), "value")
    zero = x.zero_point if x.quant else 0
    context.add(op, [x], PadAttrs(pads, None if value == zero else value))


@translator("RESHAPE")
def reshape(context: Context, op: RawOperator) -> None:
    x = context.activation(op, 0)
    if context.input_index(op, 1) is not None:
        sizes = context.integers(op, 1, "shape")
    else:
        sizes = list(op.options["NewShape"]) or list(context.output(op).shape)
    if sizes.count(-1) == 1:
        rest = prod(n for n in sizes if n != -1)
        sizes[sizes.index(-1)] = x.elements // rest if rest > 0 else 0
    if any(n < 0 for n in sizes) or prod(sizes) != x.elements:
        context.damaged(op, f"reshapes {list(x.shape)} to {sizes}")
    context.add(op, [x], declared=tuple(sizes))


@translator("SQUEEZE")
def squeeze(context: Context, op: RawOperator) -> None:
    x = context.activation(op, 0)
    axes = {axis_of(context, op, axis, x) for axis in op.options["SqueezeDims"]}
    axes = axes or {i for i, n in enumerate(x.shape) if n == 1}
    if any(x.shape[a] != 1 for a in axes):
        context.damaged(op, f"squeezes axes {sorted(axes)} of {list(x.shape)}")
    context.add(op, [x], declared=tuple(n for i, n in enumerate(x.shape) if i not in axes))


@translator("TRANSPOSE")
def transpose(context: Context, op: RawOperator) -> None:
    x = context.activation(op, 0)
    axes = context.integers(op, 1, "permutation")
    context.add(op, [x], TransposeAttrs(tuple(axis_of(context, op, axis, x) for axis in axes)))


@translator("CONCATENATION")
def concatenation(context: Context, op: RawOperator) -> None:
    parts = [context.activation(op, i) for i in range(len(op.inputs))]
    if not parts:
        context.damaged(op, "joins nothing")
    if _activation_of(context, op) is not Activation.NONE:
        context.unsupported(op, "has a fused activation", "put the activation before the concatenation")
    if context.is_legacy(op):
        quant = context.quantization(op, context.output(op))
        parts = [x if x.quant == quant else _rescaled(context, op, x, quant) for x in parts]
    context.add(op, parts, ConcatAttrs(axis_of(context, op, int(op.options["Axis"]), parts[0])))


def _rescaled(context: Context, op: RawOperator, x: Tensor, quant: Quantization | None) -> Tensor:
    assert x.quant is not None and quant is not None
    return context.part(op, OpKind.TABLE, [x], TableAttrs(rescaling_table(x.quant, quant)), quant)


@translator("ARG_MAX", "ARG_MIN")
def arg_max(context: Context, op: RawOperator) -> None:
    x = context.activation(op, 0)
    axis = axis_of(context, op, one(context, op, context.integers(op, 1, "axis"), "axis"), x)
    context.add(op, [x], ArgAttrs(axis))


@translator("RESIZE_NEAREST_NEIGHBOR", "RESIZE_BILINEAR")
def resize(context: Context, op: RawOperator) -> None:
    x = context.activation(op, 0)
    size = context.integers(op, 1, "size")
    if len(size) != 2 or min(size) < 1:
        context.damaged(op, f"resizes to {size}")
    attrs = ResizeAttrs(bool(op.options["AlignCorners"]), bool(op.options["HalfPixelCenters"]))
    context.add(op, [x], attrs, (1, size[0], size[1], x.shape[3]))


@translator("STRIDED_SLICE")
def strided_slice(context: Context, op: RawOperator) -> None:
    x = context.activation(op, 0)
    attrs, shape = resolve_slice(context, op, x.shape)
    context.add(op, [x], attrs, shape)


@translator("RELU", "RELU6", "RELU_N1_TO_1")
def relu(context: Context, op: RawOperator) -> None:
    context.add(op, [context.activation(op, 0)], ActivationAttrs(Activation(op.kind.lower())))


@translator("QUANTIZE", "DEQUANTIZE")
def quantize(context: Context, op: RawOperator) -> None:
    x = context.activation(op, 0)
    if x.is_constant:
        context.unsupported(op, "converts constant weights at run time", QUANTIZE_HINT, op.inputs[0])
    context.add(op, [x])
