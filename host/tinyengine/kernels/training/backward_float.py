"""Calls of the backward pass in single precision (te_backward_float.h); gradients are float32 tensors."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tinyengine.ir import Graph, Operator, OpKind, Tensor
from tinyengine.ir.ops import ElementwiseAttrs, MeanAttrs, PoolAttrs
from tinyengine.kernels import params
from tinyengine.kernels.base import CArray, CValue, KernelCall, Overlap, Packer
from tinyengine.kernels.conv import weights_of
from tinyengine.kernels.training import backward
from tinyengine.kernels.training.backward import Kept
from tinyengine.training.autodiff import BackwardStep
from tinyengine.training.factors import alive_scales, pool_counts
from tinyengine.training.layers import TrainableLayer
from tinyengine.training.state import StateLayout, TrainedConstant

HEADER = "te_backward_float.h"


def gradient_tensor(name: str, x: Tensor) -> Tensor:
    """A float32 per element of an activation."""
    return Tensor(name, x.shape, "float32")


def loss_call(layer: TrainableLayer, layout: StateLayout, gradient: str) -> KernelCall:
    """Softmax cross-entropy from the classifier's input."""
    call = backward.loss_call(layer, layout, gradient)
    return replace(call, function=f"{call.function}_float", header=HEADER, headers=(backward.HEADER,))


def layer_call(
    step: BackwardStep,
    graph: Graph,
    kept: Kept,
    layout: StateLayout,
    trained: dict[str, TrainedConstant],
    forward: KernelCall,
    block_bytes: int,
) -> KernelCall:
    """A layer with weights. ``forward``, ``block_bytes``: for faster kernels than these."""
    op = step.op
    shape, outputs, window, multiplier = backward.geometry(op, graph)
    weights, bias = trained.get(op.inputs[1]), trained.get(op.inputs[2])
    wanted = bool(step.inputs)
    kind = "depthwise" if op.kind is OpKind.DEPTHWISE_CONV_2D else "conv"
    tensor = graph.tensor(op.inputs[1])

    def pack() -> dict[str, CValue]:
        return {
            "in": params.extent(shape),
            "out": params.extent(outputs),
            "window": params.window(window),
            "multiplier": multiplier,
            "in_zero": graph.tensor(op.inputs[0]).zero_point,
            "factor": CArray("factor", alive_scales(op, graph).astype(np.float32)),
            "weights": params.array("weights", weights_of(op, graph), "int8") if wanted else "NULL",
            "bias": "NULL" if bias is None else backward.trained_bias(bias, graph, layout),
            "trained": "NULL"
            if weights is None
            else backward.trained_weights(weights, layout, backward.input_channels(weights)),
            "input_gradient": f"te_{kind}_input_gradient_float" if wanted else "NULL",
            "weight_gradient": f"te_{kind}_weight_gradient_float" if weights is not None else "NULL",
            **kept.flags,
        }

    products = tensor.elements * outputs[0] * outputs[1]
    share = len(weights.channels) / tensor.shape[-1] if weights is not None else 0
    note = backward.layer_note(wanted, weights is not None, bias is not None)
    return _call(op, "layer", pack, kept, kept.overlaps(gradient=False), note, int(products * (wanted + share)))


def backward_call(step: BackwardStep, graph: Graph, name: str, kept: Kept) -> KernelCall:
    """The gradient of activation ``name`` by an operator without weights."""
    op = step.op
    x, y = graph.tensor(name), graph.tensor(op.outputs[0])
    match op.attrs:
        case ElementwiseAttrs():
            values: dict[str, CValue] = {"count": y.elements, "factor": x.scale / y.scale}
            return _call(op, "residual", lambda: values | kept.flags, kept, kept.overlaps(gradient=True))
        case MeanAttrs():
            values = {"in": params.hwc(x), "factor": x.scale / y.scale / (x.shape[1] * x.shape[2])}
            return _call(op, "mean", lambda: values | kept.flags, kept, kept.overlaps(gradient=False))
        case PoolAttrs(window=window):

            def pack() -> dict[str, CValue]:
                factor = CArray("factor", (1.0 / pool_counts(op, graph).reshape(-1)).astype(np.float32))
                shapes: dict[str, CValue] = {"in": params.hwc(x), "out": params.hwc(y)}
                return shapes | {"window": params.window(window), "factor": factor} | kept.flags

            return _call(op, "pool", pack, kept, kept.overlaps(gradient=False))
        case _:
            return backward.view_call(op, kept)


def _call(
    op: Operator,
    what: str,
    pack: Packer,
    kept: Kept,
    overlaps: tuple[Overlap | None, ...],
    note: str = "gradient of the input",
    macs: int = 0,
) -> KernelCall:
    return KernelCall(
        op,
        f"te_{what}_gradient_float",
        HEADER,
        f"te_{what}_gradient_float_params",
        pack,
        kept.inputs,
        kept.outputs,
        overlaps=overlaps,
        macs=macs,
        variadic=True,
        note=f"{note}, float32",
        role="backward",
    )
