"""Operators that remember. Sigmoid and tanh are gemmlowp's of 16 bits, as in TFLite's reference kernels."""

from __future__ import annotations

import numpy as np

from tinyengine.ir import Graph, Operator, OpKind
from tinyengine.ir.curves import saturate16, sigmoid, tanh
from tinyengine.ir.operators.recurrent import GATES, lstm_params, svdf_params
from tinyengine.ir.ops import SvdfAttrs
from tinyengine.ir.quantize import multiply_by_quantized_multiplier, rounding_divide_by_pot
from tinyengine.reference.registry import oracle

INT16_MIN, INT16_MAX = -(1 << 15), (1 << 15) - 1


@oracle(OpKind.UNIDIRECTIONAL_SEQUENCE_LSTM)
def lstm(op: Operator, graph: Graph, inputs: list[np.ndarray]) -> list[np.ndarray]:
    """Gates saturate to int16 after the input's part and again after the hidden state's."""
    x, hidden, cell, *constants = (array.astype(np.int64) for array in inputs)
    weights, recurrent, biases = (constants[i : i + GATES] for i in (0, GATES, 2 * GATES))
    params = lstm_params(graph, op)
    zero, hidden_zero = (graph.tensor(name).zero_point for name in op.inputs[:2])
    hidden, cell, rows = hidden[0], cell[0], []
    for step in x.reshape(-1, x.shape[-1]):
        sums = []
        for gate in range(GATES):
            first = weights[gate] @ (step - zero) + biases[gate]
            second = recurrent[gate] @ (hidden - hidden_zero)
            value = saturate16(multiply_by_quantized_multiplier(first, *params.inputs[gate]))
            sums.append(saturate16(value + multiply_by_quantized_multiplier(second, *params.recurrent[gate])))
        new, kept, change, shown = sigmoid(sums[0]), sigmoid(sums[1]), tanh(sums[2]), sigmoid(sums[3])
        old = rounding_divide_by_pot(kept * cell, 15)
        cell = saturate16(old + rounding_divide_by_pot(new * change, 30 + params.exponent))
        if op.attrs.cell_clip:  # type: ignore[attr-defined]
            cell = np.clip(cell, -params.clip, params.clip)
        product = shown * tanh(cell, 15 + params.exponent)
        hidden = np.clip(multiply_by_quantized_multiplier(product, *params.hidden) + hidden_zero, -128, 127)
        rows.append(hidden)
    return [np.stack(rows), hidden, cell]


@oracle(OpKind.SVDF)
def svdf(op: Operator, graph: Graph, inputs: list[np.ndarray]) -> list[np.ndarray]:
    """The state's oldest row makes room for what the filters give now."""
    assert isinstance(op.attrs, SvdfAttrs)
    x, state, weights, over_time, bias = (array.astype(np.int64) for array in inputs)
    params, limits = svdf_params(graph, op), np.iinfo(inputs[1].dtype)
    zero, state_zero = (graph.tensor(name).zero_point for name in op.inputs[:2])
    new = multiply_by_quantized_multiplier(weights @ (x[0] - zero), *params.state) + state_zero
    state = np.concatenate([state[1:], np.clip(new, limits.min, limits.max)[None]])
    sums = ((state.T - state_zero) * over_time).sum(axis=1).reshape(-1, op.attrs.rank).sum(axis=1) + bias
    sums = sums.astype(np.int32).astype(np.int64)
    y = multiply_by_quantized_multiplier(sums, *params.output) + graph.tensor(op.outputs[0]).zero_point
    return [np.clip(y, -128, 127), state]
