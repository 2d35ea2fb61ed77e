"""Generic CONV_2D, DEPTHWISE_CONV_2D, FULLY_CONNECTED: any shape, on te_conv.h."""

from __future__ import annotations

import numpy as np

from tinyengine.ir import Graph, Operator, OpKind, Tensor
from tinyengine.ir.ops import Conv2DAttrs, DepthwiseConv2DAttrs, FullyConnectedAttrs, TransposeConvAttrs, Window
from tinyengine.ir.requant import conv_requant
from tinyengine.kernels import access, params
from tinyengine.kernels.base import CValue, KernelCall, Overlap, Target, WeightRows, lowering
from tinyengine.kernels.checks import require_image, require_int8, unsupported
from tinyengine.kernels.loops.convolution import convolution
from tinyengine.kernels.once import once_per_graph

HEADER = "te_conv.h"
ACCUMULATOR_MAX = (1 << 31) - 1


def weights_of(op: Operator, graph: Graph) -> np.ndarray:
    """The weights as int64; they must be constant and symmetric, and their sums must fit 32 bits."""
    tensor = graph.tensor(op.inputs[1])
    if tensor.data is None:
        raise unsupported(op, graph, f"takes its weights '{tensor.name}' from another operator", "make them constant")
    if tensor.dtype != "int8":
        raise unsupported(op, graph, f"has {tensor.dtype} weights '{tensor.name}'", "quantize the weights to int8")
    assert tensor.quant is not None
    if any(tensor.quant.zero_point):
        raise unsupported(
            op, graph, f"has weights '{tensor.name}' with a zero point", "quantize the weights symmetrically"
        )
    return tensor.data.astype(np.int64)


def bias_of(op: Operator, graph: Graph, outputs: int) -> np.ndarray:
    """The bias as int64 (outputs,); zeros where the operator has none."""
    if len(op.inputs) < 3:
        return np.zeros(outputs, np.int64)
    tensor = graph.tensor(op.inputs[2])
    if tensor.data is None:
        raise unsupported(op, graph, f"takes its bias '{tensor.name}' from another operator", "make it constant")
    return tensor.data.astype(np.int64).ravel()


def channel_weights(op: Operator, graph: Graph) -> np.ndarray:
    """The weights, int64 (output channels, taps)."""
    weights = weights_of(op, graph)
    if op.kind is OpKind.DEPTHWISE_CONV_2D:
        weights = np.moveaxis(weights, -1, 0)
    return weights.reshape(len(weights), -1)


@once_per_graph
def check_constants(op: Operator, graph: Graph) -> None:
    """The products of one output must fit 32 bits; beyond that TFLite is undefined too."""
    weights = channel_weights(op, graph)
    bias_of(op, graph, len(weights))
    if (np.abs(weights).sum(axis=1) * 255).max(initial=0) > ACCUMULATOR_MAX:
        raise unsupported(op, graph, "may overflow a 32-bit accumulator", "split its inputs over several operators")


def is_pointwise(window: Window) -> bool:
    """1x1, stride 1, no padding: every pixel stands alone."""
    return window.kernel == (1, 1) and window.stride == (1, 1) and not any(window.pad)


@lowering(OpKind.CONV_2D)
def lower_conv2d(op: Operator, graph: Graph, target: Target) -> KernelCall:
    """Any kernel, stride, dilation, padding, number of channels."""
    assert isinstance(op.attrs, Conv2DAttrs)
    x, y = graph.tensor(op.inputs[0]), graph.tensor(op.outputs[0])
    require_int8(op, graph, x, y)
    require_image(op, graph, x, y)
    weights = graph.tensor(op.inputs[1])
    check_constants(op, graph)
    window = op.attrs.window
    if op.attrs.groups > 1:
        return convolution(op, graph, window, weights_of(op, graph), groups=op.attrs.groups)
    touched = access.window_access(x, y, window)
    call = KernelCall(
        op,
        "te_conv2d_s8",
        HEADER,
        "te_conv2d_params",
        lambda: {
            "in": params.hwc(x),
            "out": params.hwc(y),
            "window": params.window(window),
            "in_zero": x.zero_point,
            "weights": params.array("weights", weights_of(op, graph), "int8"),
            "bias": params.array("bias", bias_of(op, graph, y.shape[3]), "int32"),
            "requant": params.requant(conv_requant(graph, op)),
        },
        inputs=[x.name],
        outputs=[y.name],
        overlaps=(access.overlap(touched, 0, y.nbytes),),
        access=touched,
        macs=y.elements * weights.elements // weights.shape[0],
        note="generic",
    )
    depth = x.shape[3]
    call.weight_rows = WeightRows(lambda: call.params["weights"], offset=0, pair=2 * depth, quad=4, second=depth)
    return call


@lowering(OpKind.TRANSPOSE_CONV)
def lower_transpose_conv(op: Operator, graph: Graph, target: Target) -> KernelCall:
    """A convolution, by the turned kernel, of the input with ``stride - 1`` empty pixels between two of its own."""
    assert isinstance(op.attrs, TransposeConvAttrs)
    x, y = graph.tensor(op.inputs[0]), graph.tensor(op.outputs[0])
    require_int8(op, graph, x, y)
    require_image(op, graph, x, y)
    check_constants(op, graph)
    kernel, stride, (top, _, left, _) = op.attrs.window.kernel, op.attrs.window.stride, op.attrs.window.pad
    window = Window(kernel, pad=(kernel[0] - 1 - top, 0, kernel[1] - 1 - left, 0))
    return convolution(op, graph, window, weights_of(op, graph)[:, ::-1, ::-1], spread=stride)


@lowering(OpKind.DEPTHWISE_CONV_2D)
def lower_depthwise(op: Operator, graph: Graph, target: Target) -> KernelCall:
    """Multiplier 1: in place, channel by channel; other multipliers: row by row."""
    assert isinstance(op.attrs, DepthwiseConv2DAttrs)
    x, y = graph.tensor(op.inputs[0]), graph.tensor(op.outputs[0])
    require_int8(op, graph, x, y)
    require_image(op, graph, x, y)
    check_constants(op, graph)
    window, multiplier = op.attrs.window, op.attrs.multiplier
    planar = multiplier == 1
    touched = access.whole(x.nbytes, y.nbytes) if planar else access.window_access(x, y, window)

    def pack() -> dict[str, CValue]:
        weights, bias = weights_of(op, graph)[0], bias_of(op, graph, y.shape[3])  # (KH, KW, O), (O,)
        if planar:
            weights = weights.transpose(2, 0, 1)
            bias = params.wrap_int32(bias - x.zero_point * weights.sum(axis=(1, 2)))
        return {
            "in": params.hwc(x),
            "out": params.hwc(y),
            "window": params.window(window),
            "multiplier": multiplier,
            "in_zero": x.zero_point,
            "weights": params.array("weights", weights, "int8"),
            "bias": params.array("bias", bias, "int32"),
            "requant": params.requant(conv_requant(graph, op)),
        }

    return KernelCall(
        op,
        "te_depthwise_planar_s8" if planar else "te_depthwise_s8",
        HEADER,
        "te_depthwise_params",
        pack,
        inputs=[x.name],
        outputs=[y.name],
        scratch_bytes=_plane_bytes(window, y) if planar else 0,
        overlaps=(Overlap(0, exact=True) if planar else access.overlap(touched, 0, y.nbytes),),
        access=touched,
        macs=y.elements * window.kernel[0] * window.kernel[1],
        note="generic, channel by channel" if planar else "generic",
    )


def _plane_bytes(window: Window, y: Tensor) -> int:
    """One padded channel of the input, as far as the windows reach."""
    rows = (y.shape[1] - 1) * window.stride[0] + (window.kernel[0] - 1) * window.dilation[0] + 1
    columns = (y.shape[2] - 1) * window.stride[1] + (window.kernel[1] - 1) * window.dilation[1] + 1
    return rows * columns


def dense_constants(op: Operator, graph: Graph) -> dict[str, CValue]:
    """Weights (outputs, inputs) as they are, biases for inputs as they are, rounding of a FULLY_CONNECTED."""
    weights, zero = weights_of(op, graph), graph.tensor(op.inputs[0]).zero_point
    bias = params.wrap_int32(bias_of(op, graph, len(weights)) - zero * weights.sum(axis=1))
    return {
        "weights": params.array("weights", weights, "int8"),
        "bias": params.array("bias", bias, "int32"),
        "requant": params.requant(conv_requant(graph, op)),
    }


@lowering(OpKind.FULLY_CONNECTED)
def lower_fully_connected(op: Operator, graph: Graph, target: Target) -> KernelCall:
    """Any number of inputs and outputs, and of rows sharing the weights."""
    assert isinstance(op.attrs, FullyConnectedAttrs)
    x, y = graph.tensor(op.inputs[0]), graph.tensor(op.outputs[0])
    require_int8(op, graph, x, y)
    check_constants(op, graph)
    outputs, inputs = graph.tensor(op.inputs[1]).shape
    rows = x.elements // inputs
    row, column = np.divmod(np.arange(rows * outputs), outputs)
    touched = access.blocks([(row * inputs, (row + 1) * inputs)], (row * outputs + column, row * outputs + column + 1))

    return KernelCall(
        op,
        "te_fully_connected_s8",
        HEADER,
        "te_fully_connected_params",
        lambda: {"rows": rows, "in": inputs, "out": outputs, **dense_constants(op, graph)},
        inputs=[x.name],
        outputs=[y.name],
        overlaps=(access.overlap(touched, 0, y.nbytes),),
        access=touched,
        macs=rows * inputs * outputs,
        note="generic",
    )
