"""CONV_2D, DEPTHWISE_CONV_2D and FULLY_CONNECTED for cores without DSP extension, on te_scalar.h."""

from __future__ import annotations

from dataclasses import replace
from math import prod

import numpy as np

from tinyengine.cores import DSP, REGISTERS
from tinyengine.ir import Graph, Operator
from tinyengine.ir.ops import Conv2DAttrs, DepthwiseConv2DAttrs
from tinyengine.kernels import access, params
from tinyengine.kernels.base import LOWERINGS, CValue, KernelCall, Target
from tinyengine.kernels.conv import bias_of, channel_weights
from tinyengine.kernels.layer import layer_of

HEADER = "te_scalar.h"
MAX_TAPS = 49
"""TE_SCALAR_TAPS"""


def lower_scalar(op: Operator, graph: Graph, target: Target) -> KernelCall | None:
    """The generic call, with constants prepared for the loops of te_scalar.h. None on cores with DSP extension, whose
    own kernels are faster and whose generic ones are rare; where flash is what counts, of which their constants take
    seven bytes more per output channel; for groups; for depthwise convolutions with dilation,
    multiplier or large kernel; where the fixed-point formulas do not reach; and where the values under a window would
    need memory and SRAM is what counts."""
    if target.features >= DSP or target.optimize == "flash":
        return None
    window, name, column = None, "dense", 0
    if isinstance(op.attrs, Conv2DAttrs):
        window, name = op.attrs.window, "conv"
        column = graph.tensor(op.inputs[1]).elements // graph.tensor(op.outputs[0]).shape[3]
        if window.kernel == (1, 1) and not any(window.pad):
            name, column = "pointwise", 0
        if op.attrs.groups > 1 or (column and target.optimize == "sram"):
            return None
        if column and target.features >= REGISTERS:
            name, column = "conv_pairs", 2 * column
    elif isinstance(op.attrs, DepthwiseConv2DAttrs):
        window, name = op.attrs.window, "depthwise"
        if op.attrs.multiplier != 1 or window.dilation != (1, 1) or prod(window.kernel) > MAX_TAPS:
            return None
    lowering = LOWERINGS.of(op, graph)
    assert lowering is not None
    generic = lowering(op, graph, target)
    layer = layer_of(op, graph, "exact")
    if layer is None or layer.rounding.wide:
        return None
    rounding = layer.rounding
    touched, overlaps = generic.access, generic.overlaps
    if name == "pointwise" and window and window.stride == (1, 1) and target.features >= REGISTERS:
        x, y = graph.tensor(op.inputs[0]), graph.tensor(op.outputs[0])
        touched = access.pairs_of_pixels(prod(y.shape[:3]), x.shape[3], y.shape[3])
        overlaps = (access.overlap(touched, 0, y.nbytes),)

    def pack() -> dict[str, CValue]:
        weights = channel_weights(op, graph)
        start = rounding.bias(bias_of(op, graph, len(weights)) - layer.zero * weights.sum(axis=1))
        values: dict[str, CValue] = {
            "weights": params.array("weights", weights, "int8"),
            "outputs": params.array(
                "outputs", np.stack([params.wrap_int32(start), rounding.m, rounding.c, rounding.e], axis=1), "int32"
            ),
            "min": layer.requant.low,
            "max": layer.requant.high,
        }
        if window is None:
            return {**{key: generic.params[key] for key in ("rows", "in", "out")}, **values}
        return {**{key: generic.params[key] for key in ("in", "out", "window", "in_zero")}, **values}

    call = replace(
        generic,
        function=f"te_{name}_scalar_s8",
        header=HEADER,
        params_type="te_dense_scalar_params" if window is None else "te_scalar_params",
        pack=pack,
        scratch_bytes=generic.scratch_bytes or column,
        access=touched,
        overlaps=overlaps,
        note="channel by channel" if name == "depthwise" else "four outputs at a time",
    )
    if generic.weight_rows is not None:
        call.weight_rows = replace(generic.weight_rows, array=lambda: call.params["weights"])
    return call
