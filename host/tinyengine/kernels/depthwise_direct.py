"""DEPTHWISE_CONV_2D of the shapes and weights for which no other fast kernel serves, on te_depthwise_direct.h."""

from __future__ import annotations

from math import prod

from tinyengine.ir import Graph, Operator
from tinyengine.ir.ops import DepthwiseConv2DAttrs
from tinyengine.kernels import access, params
from tinyengine.kernels.base import CArray, CValue, KernelCall, Packer, Target
from tinyengine.kernels.checks import require_image, require_int8
from tinyengine.kernels.conv import bias_of, weights_of
from tinyengine.kernels.depthwise_column import channel_constants, pack_weights
from tinyengine.kernels.depthwise_fast import Shape, layer_way
from tinyengine.kernels.layer import layer_of
from tinyengine.kernels.work import Step, Work

HEADER = "te_depthwise_direct.h"
PARAMS_TYPE = "te_depthwise_direct_params"
NOTE = "four channels at a time"


def is_direct(op: Operator, graph: Graph, target: Target, turned: bool = False) -> bool:
    """Whether the kernel serves, and te_depthwise_fast.h could do no better than to compute all channels plainly. It
    always rounds exactly. ``turned``: rows and columns are exchanged: the range checks depend on that."""
    way = layer_way(op, graph, target.requant, turned)
    return (way is None or bool(way.plain.all())) and layer_of(op, graph, "exact") is not None


def lower_depthwise_direct(op: Operator, graph: Graph, target: Target) -> KernelCall | None:
    """None as ``is_direct``."""
    assert isinstance(op.attrs, DepthwiseConv2DAttrs)
    x, y = graph.tensor(op.inputs[0]), graph.tensor(op.outputs[0])
    require_int8(op, graph, x, y)
    require_image(op, graph, x, y)
    if not is_direct(op, graph, target):
        return None
    touched = access.window_access(x, y, op.attrs.window, channelwise=op.attrs.multiplier == 1)
    return KernelCall(
        op,
        "te_depthwise_direct_s8",
        HEADER,
        PARAMS_TYPE,
        direct_params(op, graph, (x.hwc(), y.hwc())),
        inputs=[x.name],
        outputs=[y.name],
        scratch_bytes=scratch_bytes(op),
        overlaps=(access.overlap(touched, 0, y.nbytes),),
        access=touched,
        macs=y.elements * prod(op.attrs.window.kernel),
        note=NOTE,
        work=Work({Step.BATCH: 1}) + work(op, y.hwc(), y.hwc()[0]),
    )


def work(op: Operator, out_shape: Shape, rows: int) -> Work:
    """That of a batch of ``rows`` output rows."""
    assert isinstance(op.attrs, DepthwiseConv2DAttrs)
    outputs = rows * prod(out_shape[1:])
    return Work({Step.DIRECT_PRODUCT: outputs * prod(op.attrs.window.kernel), Step.DIRECT_OUTPUT: outputs})


def scratch_bytes(op: Operator) -> int:
    """A list of the taps."""
    assert isinstance(op.attrs, DepthwiseConv2DAttrs)
    return 8 * prod(op.attrs.window.kernel)


def direct_params(op: Operator, graph: Graph, shapes: tuple[Shape, Shape], turned: bool = False) -> Packer:
    """te_depthwise_direct_params for pictures of ``shapes`` (input, output); ``turned``: rows and columns of the window
    are exchanged."""
    attrs = op.attrs
    assert isinstance(attrs, DepthwiseConv2DAttrs)
    window = attrs.window.turned() if turned else attrs.window
    layer = layer_of(op, graph, "exact")
    assert layer is not None

    def pack() -> dict[str, CValue]:
        weights = weights_of(op, graph)[0]  # (KH, KW, channels)
        weights = (weights.transpose(1, 0, 2) if turned else weights).reshape(-1, weights.shape[2])
        bias = bias_of(op, graph, weights.shape[1])
        return {
            "in": params.extent(shapes[0]),
            "out": params.extent(shapes[1]),
            "window": params.window(window),
            "multiplier": attrs.multiplier,
            "in_zero": layer.zero,
            "min": layer.requant.low,
            "max": layer.requant.high,
            "weights": CArray("weights", pack_weights(weights)),
            "constants": CArray("constants", channel_constants(layer, weights, bias)),
        }

    return pack
