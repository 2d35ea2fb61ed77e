"""FULLY_CONNECTED, and convolutions of a single pixel, on te_dense_fast.h."""

from __future__ import annotations

import numpy as np

from tinyengine.ir import Graph, Operator, Tensor
from tinyengine.ir.fast import layer_requant, sum_range
from tinyengine.ir.ops import Conv2DAttrs
from tinyengine.ir.requant import Requant
from tinyengine.kernels import access
from tinyengine.kernels.base import CArray, KernelCall, Target
from tinyengine.kernels.checks import require_int8
from tinyengine.kernels.conv import bias_of, weights_of
from tinyengine.kernels.fixed import FixedRounding, fixed_rounding, words

HEADER = "te_dense_fast.h"


def pack_weights(weights: np.ndarray, bias: np.ndarray, rounding: FixedRounding) -> np.ndarray:
    """The stream of te_dense_fast.h as uint32; ``weights`` (outputs, inputs), ``bias`` (outputs,)."""
    outputs, inputs = weights.shape
    missing = -outputs % 4
    padded = np.pad(weights, ((0, missing), (0, -inputs % 4))).astype(np.int8)
    body = np.ascontiguousarray(padded).view("<u4")  # (outputs, groups)
    body = body.reshape(-1, 4, body.shape[1]).transpose(0, 2, 1)  # (quads, groups, 4)
    biases = np.pad(words(bias)[:, 0], (0, missing)).reshape(-1, 4)
    rounds = np.pad(words(*_rounding_columns(rounding)), ((0, missing), (0, 0))).reshape(len(biases), -1)
    return np.concatenate([biases, body.reshape(len(biases), -1), rounds], axis=1).ravel()


def _rounding_columns(rounding: FixedRounding) -> list[np.ndarray]:
    """Constants per output."""
    if rounding.fast:  # the formula multiplies the doubled sum: here the multiplier is doubled instead
        return [2 * rounding.m, rounding.c]
    return [rounding.m, rounding.c, rounding.e, *([rounding.l, rounding.s] if rounding.wide else [])]


def lower_dense_fast(op: Operator, graph: Graph, target: Target) -> KernelCall | None:
    """FULLY_CONNECTED on one vector; None where sums or multipliers exceed the fixed-point formulas."""
    x, y = graph.tensor(op.inputs[0]), graph.tensor(op.outputs[0])
    require_int8(op, graph, x, y)
    weights = weights_of(op, graph)
    if x.elements != weights.shape[1]:
        return None
    return dense_call(op, (x, y), weights, bias_of(op, graph, len(weights)), layer_requant(graph, op, target.requant))


def lower_single_pixel(op: Operator, graph: Graph, target: Target) -> KernelCall | None:
    """CONV_2D whose input and output are one pixel, without padding; None for all others."""
    assert isinstance(op.attrs, Conv2DAttrs)
    x, y = graph.tensor(op.inputs[0]), graph.tensor(op.outputs[0])
    require_int8(op, graph, x, y)
    weights = weights_of(op, graph)
    if any(op.attrs.window.pad) or weights[0].size != x.elements or len(weights) != y.elements:
        return None
    weights = weights.reshape(len(weights), -1)
    return dense_call(op, (x, y), weights, bias_of(op, graph, len(weights)), layer_requant(graph, op, target.requant))


def dense_call(
    op: Operator, tensors: tuple[Tensor, Tensor], weights: np.ndarray, bias: np.ndarray, requant: Requant
) -> KernelCall | None:
    """The call for ``weights`` (outputs, inputs) on the flattened tensors."""
    x, y = tensors
    outputs, inputs = weights.shape
    rounding = fixed_rounding(requant, sum_range(weights, bias, x.zero_point))
    if rounding is None:
        return None
    folded = rounding.bias(bias - x.zero_point * weights.sum(axis=1))
    variant = "fast" if rounding.fast else f"{'once' if requant.once else 'exact'}{'_wide' * rounding.wide}"
    touched = access.blocks([(np.array([0]), np.array([inputs]))], (np.array([0]), np.array([outputs])))
    return KernelCall(
        op,
        "te_dense_fast_s8",
        HEADER,
        "te_dense_fast_params",
        lambda: {
            "in": inputs,
            "out": outputs,
            "min": requant.low,
            "max": requant.high,
            "round_words": 4 * len(_rounding_columns(rounding)),
            "quads": f"te_dense_{variant}",
            "weights": CArray("weights", pack_weights(weights, folded, rounding)),
        },
        inputs=[x.name],
        outputs=[y.name],
        scratch_bytes=8 * -(-inputs // 4),
        overlaps=(access.overlap(touched, 0, y.nbytes),),
        access=touched,
        macs=inputs * outputs,
        note=f"four outputs at a time, {variant.replace('_', ', ')}",
    )
