"""Gradients in float64: the definition that everything else is measured by.

Gradients of activations are taken by the *quantized* value: g_y = dL/dq_y. With acc = sum Wq (q_x - z_x) + bq and
q_y = clamp(round(s_eff acc) + z_y), rounding counted as the identity (straight through):

    g_acc = g_y s_eff, and 0 where q_y sits at a rail of its clamp
    g_bq  = sum over pixels of g_acc            g_Wq = correlation of (q_x - z_x) with g_acc
    g_x   = transposed convolution of g_acc     residual: g_a = g_y s_a / s_y     mean of n: g_x = g_y s_x / (s_y n)

The classifier is not masked, as the loss looks at its sums. Source of the formulas: "On-Device Training Under 256KB
Memory" (Lin et al., NeurIPS 2022).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tinyengine.ir import Graph, Operator
from tinyengine.ir.operators import WEIGHTED
from tinyengine.ir.ops import (
    ElementwiseAttrs,
    MeanAttrs,
    PoolAttrs,
)
from tinyengine.reference.backward.linear import (
    bias_gradient,
    input_gradient,
    pool_gradient,
    weight_gradient,
)
from tinyengine.training.autodiff import BackwardPlan, BackwardStep
from tinyengine.training.factors import clamp_range, effective_scales, pool_counts


def backward(
    graph: Graph, plan: BackwardPlan, values: Mapping[str, np.ndarray], seed: np.ndarray
) -> dict[str, np.ndarray]:
    """Gradients of the trained constants (by their integers) and of all activations on the way, by tensor name.

    ``values``: every tensor of one forward pass (``reference.run(..., keep_all=True)``); ``seed``: gradient of the loss
    by the integers of the logits tensor.
    """
    gradients: dict[str, np.ndarray] = {plan.logits: seed.astype(np.float64).reshape(graph.tensor(plan.logits).shape)}
    for step in plan.steps:
        g = gradients[step.op.outputs[0]]
        if step.masked:
            g = g * clamp_mask(step.op, graph, values[step.op.outputs[0]])
        for name, value in _rule(step, graph, values, g):
            gradients[name] = gradients[name] + value if name in gradients else value
    return gradients


def clamp_mask(op: Operator, graph: Graph, y: np.ndarray) -> np.ndarray:
    """True where the output ``y`` is not at a rail of its clamp, so that its gradient passes."""
    low, high = clamp_range(op, graph)
    return (y > low) & (y < high)


def _rule(
    step: BackwardStep, graph: Graph, values: Mapping[str, np.ndarray], g: np.ndarray
) -> list[tuple[str, np.ndarray]]:
    """(tensor, gradient) pairs that a step adds."""
    op = step.op
    x, y = graph.tensor(op.inputs[0]), graph.tensor(op.outputs[0])
    if op.kind in WEIGHTED:
        return _weighted(step, graph, values, g * effective_scales(op, graph))
    match op.attrs:
        case ElementwiseAttrs():
            return [(name, g * (graph.tensor(name).scale / y.scale)) for name in op.inputs if name in step.inputs]
        case PoolAttrs():
            return [(x.name, pool_gradient(op, graph, g / pool_counts(op, graph)[..., None]))]
        case MeanAttrs():
            count = x.shape[1] * x.shape[2]
            spread = g.reshape(1, 1, 1, -1) * (x.scale / y.scale / count)
            return [(x.name, np.broadcast_to(spread, x.shape))]
        case _:
            return [(x.name, g.reshape(x.shape))]


def _weighted(
    step: BackwardStep, graph: Graph, values: Mapping[str, np.ndarray], g: np.ndarray
) -> list[tuple[str, np.ndarray]]:
    op = step.op
    x, weights, bias = op.inputs
    result: list[tuple[str, np.ndarray]] = []
    if bias in step.parameters:
        result.append((bias, bias_gradient(g)))
    if weights in step.parameters:
        centred = values[x].astype(np.float64) - graph.tensor(x).zero_point
        result.append((weights, weight_gradient(op, graph, centred, g)))
    if x in step.inputs:
        result.append((x, input_gradient(op, graph, values[weights], g)))
    return result
