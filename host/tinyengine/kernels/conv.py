"""Generic CONV_2D, DEPTHWISE_CONV_2D, FULLY_CONNECTED: any shape, on te_conv.h."""

from __future__ import annotations

import numpy as np

from tinyengine.ir import Graph, Operator, OpKind, Tensor
from tinyengine.ir.ops import Conv2DAttrs, DepthwiseConv2DAttrs, FullyConnectedAttrs, Window
from tinyengine.ir.requant import conv_requant
from tinyengine.kernels import access, params
from tinyengine.kernels.base import KernelCall, Overlap, Target, WeightRows, lowering
from tinyengine.kernels.checks import require_image, require_int8, unsupported

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


def check_range(op: Operator, graph: Graph, weights: np.ndarray, axes: tuple[int, ...]) -> None:
    """The products of one output (summed over ``axes``) must fit 32 bits; beyond that TFLite is undefined too."""
    if (np.abs(weights).sum(axis=axes) * 255).max(initial=0) > ACCUMULATOR_MAX:
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
    weights = weights_of(op, graph)
    if weights.shape[3] != x.shape[3]:
        raise unsupported(
            op,
            graph,
            f"has {x.shape[3]} input channels but weights for {weights.shape[3]} (a grouped convolution)",
            "use one ungrouped or depthwise convolution instead",
        )
    check_range(op, graph, weights, (1, 2, 3))
    bias, window = bias_of(op, graph, y.shape[3]), op.attrs.window
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
            "weights": params.array("weights", weights, "int8"),
            "bias": params.array("bias", bias, "int32"),
            "requant": params.requant(conv_requant(graph, op)),
        },
        inputs=[x.name],
        outputs=[y.name],
        overlaps=(access.overlap(touched, 0, y.nbytes),),
        access=touched,
        macs=y.elements * weights[0].size,
        note="generic",
    )
    depth = x.shape[3]
    call.weight_rows = WeightRows(lambda: call.params["weights"], offset=0, pair=2 * depth, quad=4, second=depth)
    return call


@lowering(OpKind.DEPTHWISE_CONV_2D)
def lower_depthwise(op: Operator, graph: Graph, target: Target) -> KernelCall:
    """Multiplier 1: in place, channel by channel; other multipliers: row by row."""
    assert isinstance(op.attrs, DepthwiseConv2DAttrs)
    x, y = graph.tensor(op.inputs[0]), graph.tensor(op.outputs[0])
    require_int8(op, graph, x, y)
    require_image(op, graph, x, y)
    weights = weights_of(op, graph)[0]  # (KH, KW, O)
    check_range(op, graph, weights, (0, 1))
    window, multiplier = op.attrs.window, op.attrs.multiplier
    planar = multiplier == 1
    bias = bias_of(op, graph, y.shape[3])
    if planar:
        weights = weights.transpose(2, 0, 1)
        bias = params.wrap_int32(bias - x.zero_point * weights.sum(axis=(1, 2)))
    touched = access.whole(x.nbytes, y.nbytes) if planar else access.window_access(x, y, window)
    return KernelCall(
        op,
        "te_depthwise_planar_s8" if planar else "te_depthwise_s8",
        HEADER,
        "te_depthwise_params",
        lambda: {
            "in": params.hwc(x),
            "out": params.hwc(y),
            "window": params.window(window),
            "multiplier": multiplier,
            "in_zero": x.zero_point,
            "weights": params.array("weights", weights, "int8"),
            "bias": params.array("bias", bias, "int32"),
            "requant": params.requant(conv_requant(graph, op)),
        },
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


@lowering(OpKind.FULLY_CONNECTED)
def lower_fully_connected(op: Operator, graph: Graph, target: Target) -> KernelCall:
    """Any number of inputs and outputs, and of rows sharing the weights."""
    assert isinstance(op.attrs, FullyConnectedAttrs)
    x, y = graph.tensor(op.inputs[0]), graph.tensor(op.outputs[0])
    require_int8(op, graph, x, y)
    weights = weights_of(op, graph)
    check_range(op, graph, weights, (1,))
    outputs, inputs = weights.shape
    rows = x.elements // inputs
    bias = params.wrap_int32(bias_of(op, graph, outputs) - x.zero_point * weights.sum(axis=1))
    row, column = np.divmod(np.arange(rows * outputs), outputs)
    touched = access.blocks([(row * inputs, (row + 1) * inputs)], (row * outputs + column, row * outputs + column + 1))
    return KernelCall(
        op,
        "te_fully_connected_s8",
        HEADER,
        "te_fully_connected_params",
        lambda: {
            "rows": rows,
            "in": inputs,
            "out": outputs,
            "weights": params.array("weights", weights, "int8"),
            "bias": params.array("bias", bias, "int32"),
            "requant": params.requant(conv_requant(graph, op)),
        },
        inputs=[x.name],
        outputs=[y.name],
        overlaps=(access.overlap(touched, 0, y.nbytes),),
        access=touched,
        macs=rows * inputs * outputs,
        note="generic",
    )
