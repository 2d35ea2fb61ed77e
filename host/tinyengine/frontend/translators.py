"""TFLite operators to the IR's: one small function each where :func:`plain` does not do.

What comes out (types, shapes) follows from the operators' classes in ``tinyengine.ir.operators``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from math import prod

import numpy as np
from tflite import TensorType

from tinyengine.frontend.clipped import add_layer, clipped_weights
from tinyengine.frontend.context import DETECTION, QUANTIZE_HINT, SIGNALS, UINT8_HINT, Context
from tinyengine.frontend.detection import detection_post_process
from tinyengine.frontend.legacy import SAME_AS_INT8, rescaling_table
from tinyengine.frontend.raw import RawOperator, camel_case
from tinyengine.frontend.recurrent import svdf, unidirectional_sequence_lstm
from tinyengine.frontend.signal import signal
from tinyengine.frontend.slices import resolve_slice
from tinyengine.ir.graph import Quantization, Tensor
from tinyengine.ir.operators import DEFINITIONS
from tinyengine.ir.operators.base import MAX_SIZE, Shape
from tinyengine.ir.operators.movement import DTYPES as MOVED
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
    GatherAttrs,
    LookupAttrs,
    MatmulAttrs,
    MeanAttrs,
    NoAttrs,
    OpKind,
    PadAttrs,
    PoolAttrs,
    ResizeAttrs,
    StridedSliceAttrs,
    TableAttrs,
    TransposeAttrs,
    TransposeConvAttrs,
    Window,
    same_padding,
)

Translator = Callable[[Context, RawOperator], None]

TRANSLATORS: dict[str, Translator] = {}

_ACTIVATIONS = {0: Activation.NONE, 1: Activation.RELU, 2: Activation.RELU_N1_TO_1, 3: Activation.RELU6}
_SAME, _VALID = 0, 1
_MAX_STRIDE = 1 << 15

REBUILD_HINT = "rebuild that part of the network from other operators (docs/operators.md lists all)"
_INSTEAD = {
    "WHILE": "unroll the loop (Keras: unroll=True, a fixed number of steps, batch_size=1) and convert again",
    "IF": "convert the function with the branch that is to run",
}


def translator(*kinds: str) -> Callable[[Translator], Translator]:
    """Register the decorated function for TFLite's operators ``kinds``."""

    def register(function: Translator) -> Translator:
        for kind in kinds:
            TRANSLATORS[kind] = function
        return function

    return register


translator("UNIDIRECTIONAL_SEQUENCE_LSTM")(unidirectional_sequence_lstm)
translator("SVDF")(svdf)
translator(*SIGNALS)(signal)
translator(DETECTION)(detection_post_process)


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
    if not raw.data.size or raw.sparse:
        context.unsupported(op, "has weights that are computed or sparse", "store dense constant weights", raw.index)
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


def _axis(context: Context, op: RawOperator, axis: int, x: Tensor) -> int:
    """An axis of ``x``, which the file may count from the end."""
    rank = len(x.shape)
    if not -rank <= axis < rank:
        context.damaged(op, f"names axis {axis} of {rank}")
    return axis % rank


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
    axis = _axis(context, op, _one(context, op, context.integers(op, 1, "axis"), "axis"), x)
    context.add(op, [x], CumsumAttrs(axis, bool(op.options["Exclusive"]), bool(op.options["Reverse"])))


@translator("MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN", "REDUCE_ALL", "REDUCE_ANY")
def mean(context: Context, op: RawOperator) -> None:
    x = context.activation(op, 0)
    axes = {_axis(context, op, axis, x) for axis in context.integers(op, 1, "axes")}
    if not axes:
        context.unsupported(op, "reduces no axis", "remove it from the network")
    context.add(op, [x], MeanAttrs(tuple(sorted(axes)), bool(op.options["KeepDims"])))


@translator("PAD", "PADV2")
def pad(context: Context, op: RawOperator) -> None:
    x = context.activation(op, 0)
    pads = _paddings(context, op, x, 1)
    value = None
    if op.kind == "PADV2":
        constant = context.required(op, 2)
        if not constant.data.size or constant.dtype != context.required(op, 0).dtype:
            what = "pads with a value that is computed or of another type"
            context.unsupported(op, what, "make the value constant, of the input's type", constant.index)
        value = _one(context, op, context.values(op, constant).reshape(-1).tolist(), "value")
    zero = x.zero_point if x.quant else 0
    context.add(op, [x], PadAttrs(pads, None if value == zero else value))


def _paddings(context: Context, op: RawOperator, x: Tensor, position: int) -> tuple[tuple[int, int], ...]:
    numbers = context.integers(op, position, "paddings")
    if len(numbers) != 2 * len(x.shape) or min(numbers, default=0) < 0:
        context.damaged(op, f"has paddings {numbers} for {len(x.shape)} axes")
    return tuple(zip(numbers[::2], numbers[1::2], strict=True))


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
    axes = {_axis(context, op, axis, x) for axis in op.options["SqueezeDims"]}
    axes = axes or {i for i, n in enumerate(x.shape) if n == 1}
    if any(x.shape[a] != 1 for a in axes):
        context.damaged(op, f"squeezes axes {sorted(axes)} of {list(x.shape)}")
    context.add(op, [x], declared=tuple(n for i, n in enumerate(x.shape) if i not in axes))


@translator("TRANSPOSE")
def transpose(context: Context, op: RawOperator) -> None:
    x = context.activation(op, 0)
    axes = context.integers(op, 1, "permutation")
    context.add(op, [x], TransposeAttrs(tuple(_axis(context, op, axis, x) for axis in axes)))


# --- one operator as others that only move bytes ---


@translator("EXPAND_DIMS")
def expand_dims(context: Context, op: RawOperator) -> None:
    x = context.activation(op, 0)
    axis = _one(context, op, context.integers(op, 1, "axis"), "axis")
    context.add(op, [x], declared=_inserted(context, op, x.shape, axis))


def _inserted(context: Context, op: RawOperator, shape: Shape, axis: int) -> Shape:
    """``shape`` with a new axis of size 1."""
    if not -len(shape) - 1 <= axis <= len(shape):
        context.damaged(op, f"inserts axis {axis} into {list(shape)}")
    axis %= len(shape) + 1
    return (*shape[:axis], 1, *shape[axis:])


def _one(context: Context, op: RawOperator, numbers: list[int], what: str) -> int:
    if len(numbers) != 1:
        context.damaged(op, f"has {len(numbers)} numbers as {what}")
    return numbers[0]


@translator("PACK")
def pack(context: Context, op: RawOperator) -> None:
    parts = [context.activation(op, i) for i in range(len(op.inputs))]
    if not parts:
        context.damaged(op, "joins nothing")
    shape = _inserted(context, op, parts[0].shape, int(op.options["Axis"]))
    if len(parts) == 1:
        context.add(op, parts, declared=shape, kind=OpKind.RESHAPE)
        return
    parts = [context.step(op, OpKind.RESHAPE, x, declared=shape) for x in parts]
    context.add(op, parts, ConcatAttrs(int(op.options["Axis"]) % len(shape)))


@translator("UNPACK")
def unpack(context: Context, op: RawOperator) -> None:
    x = context.activation(op, 0)
    axis = _axis(context, op, int(op.options["Axis"]), x)
    if x.shape[axis] != len(op.outputs):
        context.damaged(op, f"unpacks {x.shape[axis]} parts into {len(op.outputs)}")
    _split(context, op, x, axis, [1] * len(op.outputs), (*x.shape[:axis], *x.shape[axis + 1 :]))


@translator("SPLIT")
def split(context: Context, op: RawOperator) -> None:
    x = context.activation(op, 1)
    axis = _axis(context, op, _one(context, op, context.integers(op, 0, "axis"), "axis"), x)
    parts = len(op.outputs)
    if not parts or x.shape[axis] % parts:
        context.damaged(op, f"splits {x.shape[axis]} indices into {parts} parts")
    _split(context, op, x, axis, [x.shape[axis] // parts] * parts)


@translator("SPLIT_V")
def split_v(context: Context, op: RawOperator) -> None:
    x, sizes = context.activation(op, 0), context.integers(op, 1, "sizes")
    axis = _axis(context, op, _one(context, op, context.integers(op, 2, "axis"), "axis"), x)
    if sizes.count(-1) == 1:
        sizes[sizes.index(-1)] = x.shape[axis] - sum(sizes) - 1
    if len(sizes) != len(op.outputs) or min(sizes, default=0) < 1 or sum(sizes) != x.shape[axis]:
        context.damaged(op, f"splits {x.shape[axis]} indices into parts of {sizes}")
    _split(context, op, x, axis, sizes)


def _split(
    context: Context, op: RawOperator, x: Tensor, axis: int, sizes: list[int], declared: Shape | None = None
) -> None:
    """One slice per output."""
    for i, size in enumerate(sizes):
        count = (*x.shape[:axis], size, *x.shape[axis + 1 :])
        shape = count if declared is None else declared
        if size == x.shape[axis]:
            context.add(op, [x], declared=shape, kind=OpKind.RESHAPE, result=i)
            continue
        begin = tuple(sum(sizes[:i]) if a == axis else 0 for a in range(len(x.shape)))
        context.add(op, [x], StridedSliceAttrs(begin, (1,) * len(begin), count), shape, result=i)


@translator("SLICE")
def slice_(context: Context, op: RawOperator) -> None:
    x = context.activation(op, 0)
    begin, sizes = context.integers(op, 1, "begin"), context.integers(op, 2, "size")
    if len(begin) != len(x.shape) or len(sizes) != len(x.shape):
        context.damaged(op, f"has begin {begin} and size {sizes} for {len(x.shape)} axes")
    count = [n - b if s == -1 else s for n, b, s in zip(x.shape, begin, sizes, strict=True)]
    context.add(op, [x], StridedSliceAttrs(tuple(begin), (1,) * len(begin), tuple(count)), tuple(count))


@translator("REVERSE_V2")
def reverse(context: Context, op: RawOperator) -> None:
    x = context.activation(op, 0)
    axes = {_axis(context, op, axis, x) for axis in context.integers(op, 1, "axes")}
    begin = tuple(n - 1 if i in axes else 0 for i, n in enumerate(x.shape))
    stride = tuple(-1 if i in axes else 1 for i in range(len(x.shape)))
    context.add(op, [x], StridedSliceAttrs(begin, stride, x.shape), x.shape)


@translator("GATHER")
def gather(context: Context, op: RawOperator) -> None:
    x = context.activation(op, 0)
    axis = _axis(context, op, int(op.options["Axis"]), x)
    if op.options["BatchDims"]:
        context.unsupported(op, "gathers batch by batch", "gather along one axis, without batch_dims")
    if context.is_computed(op, 1):
        kind = OpKind.EMBEDDING_LOOKUP
        context.add(op, [context.activation(op, 1, ("int32",)), x], LookupAttrs(axis), kind=kind)
        return
    indices = context.integers(op, 1, "indices", MAX_SIZE)
    shape = context.required(op, 1).shape
    declared = (*x.shape[:axis], *shape, *x.shape[axis + 1 :])
    chosen = GatherAttrs(tuple(tuple(indices) if i == axis else None for i in range(len(x.shape))))
    if len(shape) < 2:
        context.add(op, [x], chosen, declared)
        return
    flat = (*x.shape[:axis], len(indices), *x.shape[axis + 1 :])
    context.add(op, [context.step(op, OpKind.GATHER, x, chosen, flat)], declared=declared, kind=OpKind.RESHAPE)


def _gather_axes(context: Context, op: RawOperator, x: Tensor, indices: list[list[int]]) -> None:
    """``indices`` per axis of the output, which has as many as ``x``."""
    attrs = GatherAttrs(
        tuple(None if index == [*range(n)] else tuple(index) for n, index in zip(x.shape, indices, strict=True))
    )
    context.add(op, [x], attrs, tuple(map(len, indices)))


@translator("TILE")
def tile(context: Context, op: RawOperator) -> None:
    x, multiples = context.activation(op, 0), context.integers(op, 1, "multiples")
    if len(multiples) != len(x.shape) or min(multiples, default=1) < 1:
        context.damaged(op, f"repeats {len(x.shape)} axes {multiples} times")
    _require_size(context, op, [n * m for n, m in zip(x.shape, multiples, strict=True)])
    _gather_axes(context, op, x, [[*range(n)] * m for n, m in zip(x.shape, multiples, strict=True)])


@translator("BROADCAST_TO")
def broadcast_to(context: Context, op: RawOperator) -> None:
    x, shape = context.activation(op, 0), context.integers(op, 1, "shape")
    _require_size(context, op, shape)
    padded = (1,) * (len(shape) - len(x.shape)) + x.shape
    if len(padded) != len(shape) or any(n not in (1, m) for n, m in zip(padded, shape, strict=True)):
        context.damaged(op, f"broadcasts {list(x.shape)} to {shape}")
    if padded != x.shape:
        x = context.step(op, OpKind.RESHAPE, x, declared=padded)
    _gather_axes(context, op, x, [[0] * m if n == 1 else [*range(m)] for n, m in zip(padded, shape, strict=True)])


def _require_size(context: Context, op: RawOperator, shape: list[int]) -> None:
    if any(not 1 <= n <= MAX_SIZE for n in shape):
        context.damaged(op, f"has an output of shape {shape}")


@translator("MIRROR_PAD")
def mirror_pad(context: Context, op: RawOperator) -> None:
    x = context.activation(op, 0)
    symmetric = op.options["Mode"] == 1
    indices = []
    for size, (before, after) in zip(x.shape, _paddings(context, op, x, 1), strict=True):
        if max(before, after) > (size if symmetric else size - 1):
            context.damaged(op, f"mirrors {max(before, after)} of {size} indices")
        walk = np.arange(size)
        indices.append(np.pad(walk, (before, after), "symmetric" if symmetric else "reflect").tolist())
    _gather_axes(context, op, x, indices)


@translator("SPACE_TO_DEPTH", "DEPTH_TO_SPACE")
def space_and_depth(context: Context, op: RawOperator) -> None:
    """Blocks of pixels become channels, or the other way round: one transposition of six axes."""
    x, block = context.activation(op, 0), int(op.options["BlockSize"])
    if len(x.shape) != 4 or not 1 <= block <= MAX_SIZE:
        context.damaged(op, f"has a block of {block} for an input of shape {list(x.shape)}")
    n, rows, columns, channels = x.shape
    if op.kind == "SPACE_TO_DEPTH":
        if rows % block or columns % block:
            context.damaged(op, f"has a block of {block} for an input of shape {list(x.shape)}")
        rows, columns = rows // block, columns // block
        apart, perm = (n, rows, block, columns, block, channels), (0, 1, 3, 2, 4, 5)
        shape = (n, rows, columns, channels * block * block)
    else:
        channels //= block * block
        if channels * block * block != x.shape[3]:
            context.damaged(op, f"has a block of {block} for an input of shape {list(x.shape)}")
        apart, perm = (n, rows, columns, block, block, channels), (0, 1, 3, 2, 4, 5)
        shape = (n, rows * block, columns * block, channels)
    x = context.step(op, OpKind.RESHAPE, x, declared=apart)
    x = context.step(op, OpKind.TRANSPOSE, x, TransposeAttrs(perm))
    context.add(op, [x], declared=shape, kind=OpKind.RESHAPE)


@translator("SPACE_TO_BATCH_ND", "BATCH_TO_SPACE_ND")
def space_and_batch(context: Context, op: RawOperator) -> None:
    """Those that stand around no convolution (``dilation``): blocks of pixels become pictures of a batch, behind a PAD,
    or the other way round, before a crop."""
    x, blocks = context.activation(op, 0), context.integers(op, 1, "block")
    margins = context.integers(op, 2, "paddings")
    axes, rest = len(blocks), x.shape[1 + len(blocks) :]
    wrong = not axes or len(x.shape) <= axes or len(margins) != 2 * axes or min(margins) < 0
    if wrong or any(not 1 <= n <= MAX_SIZE for n in blocks):
        context.damaged(op, f"has blocks of {blocks} and margins of {margins} for an input of shape {list(x.shape)}")
    sides = tuple(zip(margins[::2], margins[1::2], strict=True))
    if op.kind == "SPACE_TO_BATCH_ND":
        if any(margins):
            x = context.step(op, OpKind.PAD, x, PadAttrs(((0, 0), *sides, *((0, 0) for _ in rest))))
        sizes = x.shape[1 : 1 + axes]
        if any(n % block for n, block in zip(sizes, blocks, strict=True)):
            context.damaged(op, f"has blocks of {blocks} for {list(sizes)} pixels")
        each = [n // block for n, block in zip(sizes, blocks, strict=True)]
        apart = [n for pair in zip(each, blocks, strict=True) for n in pair]
        x = context.step(op, OpKind.RESHAPE, x, declared=(x.shape[0], *apart, *rest))
        inside = [2 + 2 * i for i in range(axes)]
        perm = (*inside, 0, *(n - 1 for n in inside), *range(1 + 2 * axes, len(x.shape)))
        batch = x.shape[0] * prod(blocks)
        x = context.step(op, OpKind.TRANSPOSE, x, TransposeAttrs(perm))
        context.add(op, [x], declared=(batch, *each, *rest), kind=OpKind.RESHAPE)
        return
    if x.shape[0] % prod(blocks):
        context.damaged(op, f"has blocks of {blocks} for a batch of {x.shape[0]}")
    batch, each = x.shape[0] // prod(blocks), list(x.shape[1 : 1 + axes])
    x = context.step(op, OpKind.RESHAPE, x, declared=(*blocks, batch, *each, *rest))
    pairs = [n for i in range(axes) for n in (axes + 1 + i, i)]
    x = context.step(op, OpKind.TRANSPOSE, x, TransposeAttrs((axes, *pairs, *range(1 + 2 * axes, len(x.shape)))))
    whole = (batch, *(n * block for n, block in zip(each, blocks, strict=True)), *rest)
    if not any(margins):
        context.add(op, [x], declared=whole, kind=OpKind.RESHAPE)
        return
    x = context.step(op, OpKind.RESHAPE, x, declared=whole)
    begin = (0, *(before for before, _ in sides), *(0 for _ in rest))
    count = tuple(
        n - (before + after)
        for n, (before, after) in zip(whole, ((0, 0), *sides, *((0, 0) for _ in rest)), strict=True)
    )
    context.add(op, [x], StridedSliceAttrs(begin, (1,) * len(begin), count), count, OpKind.STRIDED_SLICE)


@translator("FILL")
def fill(context: Context, op: RawOperator) -> None:
    """With a value that the network computes; of a constant it is one itself (``constants``)."""
    x, shape = context.activation(op, 1, MOVED), context.integers(op, 0, "shape")
    _require_size(context, op, shape)
    if x.elements != 1:
        context.damaged(op, f"fills with {x.elements} values")
    x = context.step(op, OpKind.RESHAPE, x, declared=(1,) * len(shape))
    _gather_axes(context, op, x, [[0] * n for n in shape])


@translator("GATHER_ND")
def gather_nd(context: Context, op: RawOperator) -> None:
    """A GATHER along the axes that an index names, as one."""
    x, raw = context.activation(op, 0), context.required(op, 1)
    shape = raw.shape if raw.data.size else context.activation(op, 1, ("int32",)).shape
    named = shape[-1] if shape else 0
    if not 1 <= named <= len(x.shape):
        context.damaged(op, f"has indices of shape {list(shape)} for {list(x.shape)}")
    sizes, rest = x.shape[:named], x.shape[named:]
    steps = np.array([prod(sizes[i + 1 :]) for i in range(named)], np.int32)
    declared = (*shape[:-1], *rest)
    flat = context.step(op, OpKind.RESHAPE, x, declared=(prod(sizes), *rest))
    if raw.data.size:
        numbers = context.values(op, raw).reshape(-1, named)
        if (numbers < 0).any() or (numbers >= sizes).any():
            context.damaged(op, f"has indices beyond {list(sizes)}")
        chosen = GatherAttrs((tuple((numbers @ steps).tolist()), *(None for _ in rest)))
        flat = context.step(op, OpKind.GATHER, flat, chosen, (len(numbers), *rest))
        context.add(op, [flat], declared=declared, kind=OpKind.RESHAPE)
        return
    index = context.activation(op, 1, ("int32",))
    if named > 1:
        factors = context.invent(Tensor(f"{index.name}_steps", steps.shape, "int32", None, steps))
        index = context.part(op, OpKind.MUL, [index, factors], ElementwiseAttrs(), dtype="int32")
        index = context.part(op, OpKind.SUM, [index], MeanAttrs((len(shape) - 1,)), dtype="int32")
    else:
        index = context.step(op, OpKind.RESHAPE, index, declared=shape[:-1])
    context.add(op, [index, flat], LookupAttrs(0), kind=OpKind.EMBEDDING_LOOKUP)


@translator("DYNAMIC_UPDATE_SLICE")
def dynamic_update_slice(context: Context, op: RawOperator) -> None:
    x, part = context.activation(op, 0), context.activation(op, 1)
    if context.is_computed(op, 2):
        start = context.activation(op, 2)
    else:
        first = np.array(context.integers(op, 2, "start"), np.int32)
        start = context.invent(Tensor(f"{part.name}_start_{op.index}", first.shape, "int32", None, first))
    context.add(op, [x, part, start])


@translator("EMBEDDING_LOOKUP")
def embedding_lookup(context: Context, op: RawOperator) -> None:
    context.add(op, [context.activation(op, 0), context.activation(op, 1)], LookupAttrs(0))


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
    context.add(op, parts, ConcatAttrs(_axis(context, op, int(op.options["Axis"]), parts[0])))


def _rescaled(context: Context, op: RawOperator, x: Tensor, quant: Quantization | None) -> Tensor:
    assert x.quant is not None and quant is not None
    return context.part(op, OpKind.TABLE, [x], TableAttrs(rescaling_table(x.quant, quant)), quant)


@translator("ARG_MAX", "ARG_MIN")
def arg_max(context: Context, op: RawOperator) -> None:
    x = context.activation(op, 0)
    axis = _axis(context, op, _one(context, op, context.integers(op, 1, "axis"), "axis"), x)
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
