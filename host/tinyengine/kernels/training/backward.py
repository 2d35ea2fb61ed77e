"""Calls of the backward pass (te_backward.h): what the forward pass keeps, the loss, and each step's gradients."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np

from tinyengine.ir import Graph, Operator, OpKind, Tensor
from tinyengine.ir.ops import Conv2DAttrs, DepthwiseConv2DAttrs, ElementwiseAttrs, MeanAttrs, PoolAttrs, Window
from tinyengine.kernels import params
from tinyengine.kernels.base import CArray, CStruct, CValue, KernelCall, Overlap, Packer
from tinyengine.kernels.conv import is_pointwise, weights_of
from tinyengine.kernels.params import state_pointer
from tinyengine.sizes import ceil_div, round_up
from tinyengine.training.autodiff import BackwardStep
from tinyengine.training.factors import (
    Multiplier,
    bias_limit,
    clamp_range,
    headroom,
    layer_multiplier,
    multiplier_of,
    pool_counts,
    scaling,
)
from tinyengine.training.layers import TrainableLayer
from tinyengine.training.state import StateLayout, TrainedConstant

HEADER = "te_backward.h"
LEAST_BLOCK = 4
"""Pixels that a pointwise gradient computes at a time, at least."""

PIXELS_IN_INT32 = 258
"""From this many pixels on, a weight's gradient may not fit 32 bits."""


def gradient_tensor(name: str, x: Tensor) -> Tensor:
    """Mantissas and exponents of the gradient of an activation."""
    return Tensor(name, x.shape, "int16", exponents=True)


def mask_tensor(name: str, y: Tensor) -> Tensor:
    """The clamp mask of an output: 8 elements in a byte, whole words."""
    return Tensor(name, (1, round_up(y.elements, 32) // 8), "uint8")


def saved_tensor(name: str, x: Tensor, channels: int) -> Tensor:
    """``channels`` planes of an input, each of whole words."""
    height, width, _ = x.hwc()
    return Tensor(name, (1, channels, round_up(height * width, 4)), "int8", x.quant)


@dataclass(frozen=True)
class Kept:
    """Names of the tensors that a step of the backward pass reads and writes; None where there is no such thing.

    ``output``: the gradient that it gives. ``known``: what that has already; ``output`` is then the sum.
    """

    gradient: str
    output: str | None
    mask: str | None = None
    saved: str | None = None
    known: str | None = None

    @property
    def inputs(self) -> list[str]:
        return [name for name in (self.gradient, self.mask, self.saved, self.known) if name is not None]

    @property
    def outputs(self) -> list[str]:
        return [] if self.output is None else [self.output]

    @property
    def flags(self) -> dict[str, CValue]:
        given = {"masked": self.mask, "saved": self.saved, "joins": self.known}
        return {key: int(name is not None) for key, name in given.items()}

    def overlaps(self, gradient: bool) -> tuple[Overlap | None, ...]:
        """In place of what is known; with ``gradient`` also in place of the gradient that is read."""
        here = Overlap(0, exact=True)
        able = {self.known: here, self.gradient: here if gradient else None}
        return tuple(able.get(name) for name in self.inputs)


def mask_call(op: Operator, graph: Graph, mask: str) -> KernelCall:
    """One bit per output element of ``op``."""
    y = graph.tensor(op.outputs[0])
    low, high = clamp_range(op, graph)
    values: dict[str, CValue] = {"count": y.elements, "low": low, "high": high}
    return KernelCall(
        op,
        "te_clamp_mask",
        HEADER,
        "te_clamp_mask_params",
        lambda: values,
        [y.name],
        [mask],
        note="clamp mask",
        role="keep",
    )


def save_call(op: Operator, graph: Graph, channels: np.ndarray, saved: str) -> KernelCall:
    """The ``channels`` of the input of ``op``, plane by plane."""
    x = graph.tensor(op.inputs[0])
    height, width, depth = x.hwc()
    return KernelCall(
        op,
        "te_save_channels",
        HEADER,
        "te_save_params",
        lambda: {
            "pixels": height * width,
            "channels": depth,
            "count": len(channels),
            "selected": CArray("saved_channels", channels.astype(np.uint16)),
        },
        [x.name],
        [saved],
        note="input saved",
        role="keep",
    )


def loss_call(layer: TrainableLayer, layout: StateLayout, gradient: str) -> KernelCall:
    """Softmax cross-entropy from the classifier's input."""
    weights, bias = layout.part(layer.weights.name), layout.part(layer.bias.name)
    assert weights is not None and bias is not None and layer.weights.quant is not None
    scales = np.float64(layer.x.scale) * np.array(layer.weights.quant.scale)
    return KernelCall(
        layer.op,
        "te_loss",
        HEADER,
        "te_loss_params",
        lambda: {
            "in": layer.x.elements,
            "classes": layer.out_channels,
            "in_zero": layer.x.zero_point,
            "weights": state_pointer(weights),
            "bias": state_pointer(bias),
            "scale": CArray("logit_scale", np.broadcast_to(scales.astype(np.float32), (layer.out_channels,)).copy()),
            "out_scale": float(layer.y.scale),
        },
        [layer.x.name],
        [gradient],
        scratch_bytes=4 * layer.out_channels,
        note="softmax cross-entropy",
        role="loss",
    )


def layer_call(
    step: BackwardStep,
    graph: Graph,
    kept: Kept,
    layout: StateLayout,
    trained: dict[str, TrainedConstant],
    forward: KernelCall,
    block_bytes: int,
) -> KernelCall:
    """A layer with weights: gradient of its input, and updates of its constants.

    ``forward``: its call of the forward pass, whose weights serve here too where possible; ``block_bytes``: for the
    sums of pixels that are computed at a time.
    """
    op = step.op
    shape, outputs, window, multiplier = geometry(op, graph)
    weights, bias = trained.get(op.inputs[1]), trained.get(op.inputs[2])
    wanted, channels, pixels = bool(step.inputs), shape[2], outputs[0] * outputs[1]
    kind = "depthwise" if op.kind is OpKind.DEPTHWISE_CONV_2D else "conv"
    input_gradient, weight_gradient = f"te_{kind}_input_gradient", f"te_{kind}_weight_gradient"
    scratch = round_up(6 * channels, 4) + (4 * len(input_channels(weights)) if weights is not None else 0)
    rows, block = None, 0
    if is_pointwise(window) and op.kind is OpKind.CONV_2D and channels % 4 == 0 and outputs[2] % 8 == 0:
        rows = _weight_rows(forward, weights, layout) if wanted else None
        if rows is not None:
            block = _block(pixels, max(LEAST_BLOCK, block_bytes // (4 * channels)))
            input_gradient = "te_pointwise_input_gradient"
            scratch = 8 * outputs[2] + 4 * channels * block + 2 * channels
        if weights is not None and pixels < PIXELS_IN_INT32:
            weight_gradient = "te_pointwise_weight_gradient"
            scratch = max(scratch if wanted else 0, 32 * ceil_div(pixels, 4))
    if kind == "conv" and shape[:2] == window.kernel == (1, 1):
        weight_gradient = "te_dense_weight_gradient"
    in_place = False
    if kind == "depthwise" and wanted and weights is None and multiplier == 1 and channels % 4 == 0:
        input_gradient = "te_depthwise_fast_input_gradient"
        scratch = 6 * channels + 4 * outputs[0] + 16 * prod(window.kernel)
        in_place = shape == outputs and window.stride == (1, 1)
        if in_place:
            kept_rows = (window.kernel[0] - 1) * window.dilation[0] - window.pad[0] + 1
            scratch += kept_rows * 2 * outputs[1] * outputs[2]

    def read_weights() -> CValue:
        if not wanted or rows is not None:
            return "NULL"
        if weights is not None and len(weights.channels) == weights.layer.in_channels and kind == "conv":
            part = layout.part(weights.name)  # every weight lies in the state
            assert part is not None
            return state_pointer(part)
        return params.array("weights", weights_of(op, graph), "int8")

    def pack() -> dict[str, CValue]:
        factor = layer_multiplier(op, graph)
        values: dict[str, CValue] = {
            "in": params.extent(shape),
            "out": params.extent(outputs),
            "window": params.window(window),
            "multiplier": multiplier,
            "in_zero": graph.tensor(op.inputs[0]).zero_point,
            "headroom": headroom(op, graph),
            "exponent": factor.exponent,
            "factor": CArray("factor", factor.value.astype(np.int16)),
            "weights": read_weights(),
            "bias": "NULL" if bias is None else trained_bias(bias, graph, layout),
            "trained": "NULL" if weights is None else trained_weights(weights, layout, input_channels(weights)),
            "input_gradient": input_gradient if wanted else "NULL",
            "weight_gradient": weight_gradient if weights is not None else "NULL",
            **kept.flags,
        }
        return values if rows is None else {**values, "rows": rows(), "block": block}

    products, all_channels = graph.tensor(op.inputs[1]).elements * pixels, graph.tensor(op.inputs[1]).shape[-1]
    share = len(weights.channels) / all_channels if weights is not None else 0
    return KernelCall(
        op,
        "te_layer_gradient",
        HEADER,
        "te_layer_gradient_params",
        pack,
        kept.inputs,
        kept.outputs,
        scratch_bytes=scratch,
        overlaps=kept.overlaps(gradient=in_place),
        macs=int(products * (wanted + share)),
        variadic=True,
        note=layer_note(wanted, weights is not None, bias is not None),
        role="backward",
    )


def _block(pixels: int, most: int) -> int:
    """Pixels at a time, ``most`` or fewer (4 at least): even, for they are computed in pairs, in blocks of one size."""
    if pixels <= most:
        return pixels
    return min(round_up(ceil_div(pixels, ceil_div(pixels, most)), 2), most // 2 * 2)


def _weight_rows(forward: KernelCall, weights: TrainedConstant | None, layout: StateLayout) -> Packer | None:
    """te_weight_rows: in the state if all weights are trained, else those that the forward kernel reads, if it can."""
    if weights is not None and len(weights.channels) == weights.layer.in_channels:
        part, depth = layout.part(weights.name), weights.layer.in_channels
        assert part is not None
        base = state_pointer(part)
        return lambda: {
            "base": base,
            "offset": 0,
            "pair": 2 * depth,
            "quad": 4,
            "second": depth,
            "whole": 1,
            "fours": 0,
        }
    rows = forward.weight_rows
    if rows is None:
        return None
    places: dict[str, CValue] = {"offset": rows.offset, "pair": rows.pair, "quad": rows.quad, "second": rows.second}
    return lambda: {"base": rows.array(), **places, "whole": 0, "fours": int(rows.fours)}


def layer_note(wanted: bool, weights: bool, bias: bool) -> str:
    parts = ["gradient of the input"] * wanted + ["weights updated"] * weights + ["biases updated"] * bias
    return ", ".join(parts)


def view_call(op: Operator, kept: Kept) -> KernelCall:
    """RESHAPE: the same pixels."""
    return KernelCall(op, "", "", None, inputs=[kept.gradient], outputs=kept.outputs, role="backward")


def backward_call(step: BackwardStep, graph: Graph, name: str, kept: Kept) -> KernelCall:
    """The gradient of activation ``name`` by an operator without weights."""
    op, in_place = step.op, False
    x, y = graph.tensor(name), graph.tensor(op.outputs[0])
    height, width, channels = x.hwc()
    scratch = 6 * channels
    match op.attrs:
        case ElementwiseAttrs():
            what, in_place, factor = "residual", True, multiplier_of(np.array([x.scale / y.scale]))
            values: dict[str, CValue] = {"pixels": height * width, "channels": channels, **_factor(factor)}
        case MeanAttrs():
            what, factor = "mean", multiplier_of(np.array([x.scale / y.scale / (height * width)]))
            values = {"in": params.hwc(x), **_factor(factor)}
            scratch = round_up(scratch, 4) + 2 * channels
        case PoolAttrs(window=window):
            what, values = "pool", {"in": params.hwc(x), "out": params.hwc(y), "window": params.window(window)}
        case _:
            return view_call(op, kept)

    def pack() -> dict[str, CValue]:
        return values | (_pool_factors(op, graph) if what == "pool" else {}) | kept.flags

    return KernelCall(
        op,
        f"te_{what}_gradient",
        HEADER,
        f"te_{what}_gradient_params",
        pack,
        kept.inputs,
        kept.outputs,
        scratch_bytes=scratch,
        overlaps=kept.overlaps(gradient=in_place),
        variadic=True,
        note="gradient of the input",
        role="backward",
    )


def _factor(factor: Multiplier) -> dict[str, CValue]:
    return {"factor": int(factor.value[0]), "exponent": factor.exponent}


def _pool_factors(op: Operator, graph: Graph) -> dict[str, CValue]:
    factor = multiplier_of(1.0 / pool_counts(op, graph).reshape(-1))
    return {"exponent": factor.exponent, "factor": CArray("factor", factor.value.astype(np.int16))}


def geometry(op: Operator, graph: Graph) -> tuple[tuple[int, ...], tuple[int, ...], Window, int]:
    """Input and output (rows, columns, channels), window, multiplier; a fully connected layer is a convolution whose
    kernel is the whole picture."""
    x, y = graph.tensor(op.inputs[0]), graph.tensor(op.outputs[0])
    match op.attrs:
        case Conv2DAttrs(window=window):
            return x.hwc(), y.hwc(), window, 1
        case DepthwiseConv2DAttrs(window=window, multiplier=multiplier):
            return x.hwc(), y.hwc(), window, multiplier
        case _:
            return x.hwc(), (1, 1, y.elements), Window(x.hwc()[:2]), 1


def trained_bias(constant: TrainedConstant, graph: Graph, layout: StateLayout) -> CStruct:
    part = layout.part(constant.name)
    assert part is not None
    return CStruct(
        "trained_bias",
        "te_trained_bias",
        (
            {
                "values": state_pointer(part, constant=False),
                "scaling": CArray("bias_scaling", scaling(constant.layer, True)),
                "first": constant.first,
                "limit": bias_limit(graph, constant.layer),
            },
        ),
    )


def input_channels(constant: TrainedConstant) -> np.ndarray:
    """Channels of the layer's input (seen as a picture) that the trained weights read; of a depthwise layer its output
    channels."""
    if constant.layer.op.kind is OpKind.FULLY_CONNECTED:
        return np.arange(constant.layer.x.hwc()[2])
    return constant.channels


def trained_weights(constant: TrainedConstant, layout: StateLayout, channels: np.ndarray) -> CStruct:
    part, residual = layout.part(constant.name), layout.part(constant.name, residual=True)
    assert part is not None
    return CStruct(
        "trained_weights",
        "te_trained_weights",
        (
            {
                "values": state_pointer(part, constant=False),
                "residuals": "NULL" if residual is None else state_pointer(residual, constant=False),
                "channels": CArray("trained_channels", channels.astype(np.uint16)),
                "scaling": CArray("weight_scaling", scaling(constant.layer, False)),
                "first": constant.first,
                "count": len(channels),
            },
        ),
    )
