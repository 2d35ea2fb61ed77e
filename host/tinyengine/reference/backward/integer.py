"""Gradients as the device computes them: int16 block floating point, exact integer sums. The C code equals this.

Gradients of activations are ``BlockFloat`` tensors. A layer with weights works in four steps:

1. *Scale*: masked elements become 0; each channel is multiplied by its effective scale s_eff = s_x s_w / s_y, held as
   15 bits relative to the largest of the layer, and all pixels are brought to one exponent: one rounding, see
   ``block_float.scale_aligned``. Dead channels count as s_eff = 0. ``headroom`` bits are left free so that the sums of
   step 4 fit int32 whatever the weights are; they depend on the layer's shape only.
2. *Bias gradient*: sum over the pixels; exact.
3. *Weight gradient*: sum over the pixels of (q_x - z_x) times it; exact, in 64 bits where 258 pixels or more meet.
4. *Input gradient*: sum of weight times it, exact in int32; each pixel is normalized to 15 bits: one rounding.

A residual multiplies by s_a / s_y and an average by s_x / (s_y n) as a 15-bit multiplier: one rounding. Gradients that
meet in one tensor are added in the order of the backward steps, see ``block_float.add``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tinyengine.ir import Graph, Operator, OpKind
from tinyengine.ir.operators import WEIGHTED
from tinyengine.ir.ops import ElementwiseAttrs, MeanAttrs, PoolAttrs
from tinyengine.reference.backward.block_float import (
    BlockFloat,
    add,
    align,
    from_float,
    normalize,
    scale,
    scale_aligned,
    shift_right,
)
from tinyengine.reference.backward.linear import (
    bias_gradient,
    input_gradient,
    pool_gradient,
    weight_gradient,
)
from tinyengine.reference.backward.real import clamp_mask
from tinyengine.training.autodiff import BackwardPlan, BackwardStep
from tinyengine.training.factors import headroom, layer_multiplier, multiplier_of, pool_counts


@dataclass(frozen=True, eq=False)
class ParameterGradient:
    """Gradient of a constant by its integers: ``total`` (int64, shaped like the constant) times 2**exponent."""

    total: np.ndarray
    exponent: int

    def real(self) -> np.ndarray:
        return np.ldexp(self.total.astype(np.float64), self.exponent)


@dataclass(frozen=True)
class Gradients:
    """What a backward pass gives: gradients of trained constants, and of the activations on the way."""

    parameters: dict[str, ParameterGradient]
    activations: dict[str, BlockFloat]


def backward(graph: Graph, plan: BackwardPlan, values: Mapping[str, np.ndarray], seed: np.ndarray) -> Gradients:
    """As ``real.backward`` in integers; ``seed`` is float32, the gradient of the loss by the logits' integers."""
    seed_gradient = from_float(seed.reshape(graph.tensor(plan.logits).shape))
    result = Gradients({}, {plan.logits: seed_gradient})
    for step in plan.steps:
        g = result.activations[step.op.outputs[0]]
        if step.masked:
            mask = clamp_mask(step.op, graph, values[step.op.outputs[0]])
            g = BlockFloat(np.where(mask, g.mantissa, 0), g.exponent)
        parameters, activations = _rule(step, graph, values, g)
        result.parameters.update(parameters)
        for name, value in activations:
            known = result.activations.get(name)
            result.activations[name] = value if known is None else add(known, value)
    return result


_Rule = tuple[dict[str, ParameterGradient], list[tuple[str, BlockFloat]]]


def _rule(step: BackwardStep, graph: Graph, values: Mapping[str, np.ndarray], g: BlockFloat) -> _Rule:
    """Gradients of constants and activations that a step gives for the (masked) gradient ``g`` of its output."""
    op = step.op
    x, y = graph.tensor(op.inputs[0]), graph.tensor(op.outputs[0])
    if op.kind in WEIGHTED:
        return _weighted(step, graph, values, g)
    match op.attrs:
        case ElementwiseAttrs():
            inputs = [graph.tensor(name) for name in op.inputs if name in step.inputs]
            return {}, [(t.name, scale(g, multiplier_of(np.array([t.scale / y.scale])))) for t in inputs]
        case PoolAttrs():
            return {}, [(x.name, _average(op, graph, g))]
        case MeanAttrs():
            factor = multiplier_of(np.array([x.scale / y.scale / (x.shape[1] * x.shape[2])]))
            scaled = scale(g.reshape((1, 1, 1, x.shape[3])), factor)
            whole = BlockFloat(
                np.broadcast_to(scaled.mantissa, x.shape), np.broadcast_to(scaled.exponent, x.shape[:-1])
            )
            return {}, [(x.name, whole)]
        case _:
            assert op.kind is OpKind.RESHAPE
            return {}, [(x.name, g.reshape(x.shape))]


def _weighted(step: BackwardStep, graph: Graph, values: Mapping[str, np.ndarray], g: BlockFloat) -> _Rule:
    op = step.op
    x, weights, bias = op.inputs
    scaled, exponent = scale_aligned(g, layer_multiplier(op, graph), headroom(op, graph))
    parameters: dict[str, ParameterGradient] = {}
    activations: list[tuple[str, BlockFloat]] = []
    real_scaled = scaled.astype(np.float64)
    if bias in step.parameters:
        parameters[bias] = ParameterGradient(bias_gradient(scaled), exponent)
    if weights in step.parameters:
        centred = values[x].astype(np.float64) - graph.tensor(x).zero_point
        total = weight_gradient(op, graph, centred, real_scaled)
        parameters[weights] = ParameterGradient(total.astype(np.int64), exponent)
    if x in step.inputs:
        total = input_gradient(op, graph, values[weights], real_scaled).astype(np.int64)
        activations.append((x, normalize(total, exponent)))
    return parameters, activations


def _average(op: Operator, graph: Graph, g: BlockFloat) -> BlockFloat:
    """Each window's gradient times 1 / pixels under it; windows that overlap are summed at one exponent."""
    counts = pool_counts(op, graph)
    factor = multiplier_of(1.0 / counts.reshape(-1))
    values = factor.value.reshape(1, *counts.shape, 1)
    scaled = BlockFloat(shift_right(g.mantissa * values, 15), g.exponent + factor.exponent)
    aligned, exponent = align(scaled)
    return normalize(pool_gradient(op, graph, aligned.astype(np.float64)).astype(np.int64), exponent)
