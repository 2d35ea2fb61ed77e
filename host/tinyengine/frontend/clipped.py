"""Layers with uint8 weights: int8 where those less their zero point fit, and a second operator for the other channels.

Trained weights reach from 0 to 255, so one or two of a layer, the largest, do not fit: few channels are computed twice.
"""

from __future__ import annotations

import numpy as np

from tinyengine.frontend.context import Context
from tinyengine.frontend.legacy import LegacyWeights, legacy_weights
from tinyengine.frontend.raw import RawOperator
from tinyengine.ir.graph import Tensor
from tinyengine.ir.ops import (
    Conv2DAttrs,
    ConvChannelsAttrs,
    DepthwiseConv2DAttrs,
    FullyConnectedAttrs,
    OpKind,
    Window,
)
from tinyengine.ir.quantize import INT8_MAX, INT8_MIN

_KINDS = {Conv2DAttrs: OpKind.CONV_2D, DepthwiseConv2DAttrs: OpKind.DEPTHWISE_CONV_2D}
LayerAttrs = Conv2DAttrs | DepthwiseConv2DAttrs | FullyConnectedAttrs


def clipped_weights(context: Context, op: RawOperator, axis: int) -> Tensor:
    """Input 1 of a layer, uint8 in the file, as int8 without zero point; output channels along ``axis``."""
    found = _legacy(context, op, axis)
    name = f"{context.required(op, 1).name}_clipped"
    return context.invent(Tensor(name, found.clipped.shape, "int8", found.quant, found.clipped))


def _legacy(context: Context, op: RawOperator, axis: int) -> LegacyWeights:
    x, raw = context.activation(op, 0), context.required(op, 1)
    if len(raw.scale) != 1 or len(raw.zero_point) != 1 or not INT8_MIN <= raw.zero_point[0] <= INT8_MAX:
        context.damaged(op, f"has uint8 weights with {len(raw.scale)} scales or an impossible zero point", raw.index)
    if not (0 < raw.scale[0] < np.inf and 0 < x.scale < np.inf):
        context.damaged(op, "has an impossible scale", raw.index)
    return legacy_weights(context.values(op, raw), raw, axis, x)


def add_layer(context: Context, op: RawOperator, inputs: list[Tensor], attrs: LayerAttrs, axis: int) -> None:
    """Append the layer of input, weights and biases; of uint8 also what replaces channels with clipped weights.

    ``axis``: of the file's weights, along which the output channels lie."""
    found = _legacy(context, op, axis) if context.required(op, 1).legacy else None
    if found is None or not found.channels:
        context.add(op, inputs, attrs, kind=_KINDS.get(type(attrs)))
    elif isinstance(attrs, FullyConnectedAttrs):
        _repair_rows(context, op, inputs, attrs, found)
    else:
        quant = context.quantization(op, context.output(op))
        y = context.part(op, _KINDS[type(attrs)], inputs, attrs, quant)
        exact = found.exact if axis == 0 else found.exact.transpose(0, 2, 3, 1)
        if isinstance(attrs, DepthwiseConv2DAttrs):
            first = tuple(channel // attrs.multiplier for channel in found.channels)
        else:
            outputs, depth = y.shape[3] // attrs.groups, exact.shape[3]
            first = tuple(channel // outputs * depth for channel in found.channels)
        repair = ConvChannelsAttrs(attrs.window, found.channels, first, attrs.activation)
        constants = _constants(context, inputs[2], found, exact)
        context.add(op, [y, inputs[0], *constants], repair, kind=OpKind.CONV_CHANNELS)


def _repair_rows(
    context: Context, op: RawOperator, inputs: list[Tensor], attrs: FullyConnectedAttrs, found: LegacyWeights
) -> None:
    """FULLY_CONNECTED, whose rows become pixels."""
    (x, _, bias), output = inputs, context.output(op)
    quant, (count, depth) = context.quantization(op, output), found.exact.shape
    y = context.part(op, OpKind.FULLY_CONNECTED, inputs, attrs, quant)
    x = context.step(op, OpKind.RESHAPE, x, declared=(1, 1, x.elements // depth, depth))
    y = context.step(op, OpKind.RESHAPE, y, declared=(1, 1, x.shape[2], bias.elements))
    constants = _constants(context, bias, found, found.exact.reshape(count, 1, 1, depth))
    repair = ConvChannelsAttrs(Window((1, 1)), found.channels, (0,) * count, attrs.activation, once=True)
    y = context.part(op, OpKind.CONV_CHANNELS, [y, x, *constants], repair, quant)
    context.add(op, [y], declared=output.shape, kind=OpKind.RESHAPE)


def _constants(context: Context, bias: Tensor, found: LegacyWeights, exact: np.ndarray) -> tuple[Tensor, Tensor]:
    """Weights and biases of the channels that are computed again."""
    assert bias.data is not None
    chosen = bias.data.ravel()[list(found.channels)]
    weights = Tensor(f"{bias.name}_exact_weights", exact.shape, "int16", found.quant, np.ascontiguousarray(exact))
    return context.invent(weights), context.invent(Tensor(f"{bias.name}_exact", chosen.shape, "int32", None, chosen))
