"""Forward calls of layers with trained constants, which lie in the state (SRAM) instead of flash.

Layers with trained constants always round exactly. Weights that are not trained stay in flash; where only some input
channels are trained, the kernel puts both together again. Fast kernels are asked first (``kernels.training.fast``).
"""

from __future__ import annotations

from dataclasses import replace
from math import prod

import numpy as np

from tinyengine.cores import DSP
from tinyengine.ir import Graph, Operator, OpKind
from tinyengine.ir.ops import DepthwiseConv2DAttrs
from tinyengine.ir.requant import conv_requant
from tinyengine.kernels import params
from tinyengine.kernels.base import CArray, CValue, KernelCall, Target
from tinyengine.kernels.checks import require_image, require_int8, unsupported
from tinyengine.kernels.conv import lower_conv2d, weights_of
from tinyengine.kernels.training.fast import trained_conv, trained_depthwise
from tinyengine.training.state import StateLayout, StatePart

HEADER = "te_trained.h"
MAX_PRODUCTS = (1 << 29) // (128 * 255)
"""Products of one output that leave room for the largest trained bias (training.factors.bias_limit)."""


def lower_trained(op: Operator, graph: Graph, layout: StateLayout, target: Target) -> KernelCall | None:
    """The call for a layer with trained constants; None for every other operator."""
    if op.kind not in (OpKind.CONV_2D, OpKind.DEPTHWISE_CONV_2D, OpKind.FULLY_CONNECTED) or len(op.inputs) < 3:
        return None
    weights, bias = layout.part(op.inputs[1]), layout.part(op.inputs[2])
    if weights is None and bias is None:
        return None
    assert bias is not None  # weights are only trained together with biases
    x, y = graph.tensor(op.inputs[0]), graph.tensor(op.outputs[0])
    require_int8(op, graph, x, y)
    _check_products(op, graph)
    if op.kind is OpKind.FULLY_CONNECTED:
        assert weights is not None  # the classifier
        return _dense(op, graph, weights, bias)
    require_image(op, graph, x, y)
    able = target.features >= DSP
    if op.kind is OpKind.CONV_2D:
        fast = trained_conv(op, graph, target, weights, bias) if able else None
        return fast or _conv(op, graph, weights, bias)
    fast = trained_depthwise(op, graph, weights, bias) if able else None
    return fast or _depthwise(op, graph, weights, bias)


def _check_products(op: Operator, graph: Graph) -> None:
    shape = graph.tensor(op.inputs[1]).shape
    products = prod(shape[1:3] if op.kind is OpKind.DEPTHWISE_CONV_2D else shape[1:])
    if products > MAX_PRODUCTS:
        raise unsupported(
            op, graph, f"sums {products} products, which leaves no room for trained biases", "train later layers only"
        )


def _part(part: StatePart) -> dict[str, CValue]:
    """te_trained_part."""
    return {
        "values": params.state_pointer(part),
        "channels": CArray("trained_channels", part.channels.astype(np.uint16)),
        "count": len(part.channels),
    }


def _conv(op: Operator, graph: Graph, weights: StatePart | None, bias: StatePart) -> KernelCall:
    call = lower_conv2d(op, graph, Target())

    def values() -> dict[str, CValue]:
        return {**call.params, "bias": params.state_pointer(bias)}

    if weights is None:
        return replace(call, pack=values, note="generic, trained biases")
    if len(weights.channels) == graph.tensor(op.inputs[1]).shape[-1]:
        return replace(
            call,
            pack=lambda: {**values(), "weights": params.state_pointer(weights)},
            note="generic, trained weights",
        )
    return replace(
        call,
        function="te_conv2d_trained_s8",
        header=HEADER,
        params_type="te_conv2d_trained_params",
        pack=lambda: {"conv": values(), "trained": _part(weights)},
        scratch_bytes=prod(graph.tensor(op.inputs[1]).shape[1:]),
        overlaps=(None,),
        access=None,
        note="generic, trained weights",
    )


def _depthwise(op: Operator, graph: Graph, weights: StatePart | None, bias: StatePart) -> KernelCall:
    assert isinstance(op.attrs, DepthwiseConv2DAttrs)
    x, y, window, multiplier = (
        graph.tensor(op.inputs[0]),
        graph.tensor(op.outputs[0]),
        op.attrs.window,
        op.attrs.multiplier,
    )

    def values() -> dict[str, CValue]:
        return {
            "in": params.hwc(x),
            "out": params.hwc(y),
            "window": params.window(window),
            "multiplier": multiplier,
            "in_zero": x.zero_point,
            "weights": params.array("weights", weights_of(op, graph), "int8"),
            "bias": params.state_pointer(bias),
            "requant": params.requant(conv_requant(graph, op)),
        }

    call = KernelCall(
        op,
        "te_depthwise_s8",
        "te_conv.h",
        "te_depthwise_params",
        values,
        inputs=[x.name],
        outputs=[y.name],
        overlaps=(None,),
        macs=y.elements * prod(window.kernel),
        note="generic, trained biases",
    )
    if weights is None:
        return call
    return replace(
        call,
        function="te_depthwise_trained_s8",
        header=HEADER,
        params_type="te_depthwise_trained_params",
        pack=lambda: {"depthwise": values(), "trained": _part(weights)},
        scratch_bytes=graph.tensor(op.inputs[1]).elements,
        note="generic, trained weights",
    )


def _dense(op: Operator, graph: Graph, weights: StatePart, bias: StatePart) -> KernelCall:
    x, y = graph.tensor(op.inputs[0]), graph.tensor(op.outputs[0])
    if x.elements != graph.tensor(op.inputs[1]).shape[1]:
        raise unsupported(op, graph, "classifies more than one vector", "give it one")
    return KernelCall(
        op,
        "te_dense_trained_s8",
        HEADER,
        "te_dense_trained_params",
        lambda: {
            "in": x.elements,
            "out": y.elements,
            "in_zero": x.zero_point,
            "weights": params.state_pointer(weights),
            "bias": params.state_pointer(bias),
            "requant": params.requant(conv_requant(graph, op)),
        },
        inputs=[x.name],
        outputs=[y.name],
        overlaps=(None,),
        macs=x.elements * y.elements,
        note="generic, trained weights",
    )
