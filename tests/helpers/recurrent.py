"""LSTM and SVDF layers with random weights, which keep their states."""

from __future__ import annotations

import numpy as np
from tinyengine.ir import Operator, OpKind, Quantization
from tinyengine.ir.graph import State
from tinyengine.ir.ops import LstmAttrs, SvdfAttrs

from tests.helpers.graphs import GraphBuilder


def _state(b: GraphBuilder, shape: tuple[int, int], dtype: str, quant: Quantization) -> tuple[str, str]:
    """A state that begins with real zeros, and the tensor of its next value."""
    state = b.tensor(shape, dtype, quant)
    update = b.tensor(shape, dtype, quant, f"{state}_next")
    b.graph.states.append(State(state, update, np.full(shape, quant.zero_point[0], dtype)))
    return state, update


def _weights(b: GraphBuilder, *shape: int, scale: float, low: int = -127, dtype: str = "int8") -> str:
    data = b.rng.integers(low, 128, shape).astype(dtype)
    if dtype == "int16":
        data = (data * 200).astype(dtype)
    return b.constant(data, Quantization((float(np.float32(scale)),), (0,)))


def lstm(b: GraphBuilder, x: str, units: int, exponent: int = -12, clip: float = 0.0, low: int = -127) -> str:
    """``exponent`` of the cell's scale; ``low``: smallest weight, -128 for weights that cannot be packed."""
    size, shape = b.shape(x)[-1], (*b.shape(x)[:-1], units)
    scale = b.rng.uniform(1, 6) / (127 * np.sqrt(size) * 74 * b.graph.tensor(x).scale)
    constants = [_weights(b, units, size, scale=scale * f, low=low) for f in b.rng.uniform(0.7, 1.4, 4)]
    constants += [_weights(b, units, units, scale=f / (74 * np.sqrt(units)), low=low) for f in b.rng.uniform(0.5, 2, 4)]
    constants += [b.constant(b.rng.integers(-4000, 4000, units).astype(np.int32)) for _ in range(4)]
    for name in constants[8:]:
        b.graph.tensor(name).quant = None
    quant = Quantization((float(np.float32(b.rng.uniform(0.004, 0.009))),), b.quant().zero_point)
    hidden, hidden_next = _state(b, (1, units), "int8", quant)
    cell, cell_next = _state(b, (1, units), "int16", Quantization((2.0**exponent,), (0,)))
    y = b.tensor(shape, "int8", quant)
    outputs = [y, hidden_next, cell_next]
    kind, name = OpKind.UNIDIRECTIONAL_SEQUENCE_LSTM, f"lstm_{len(b.graph.operators)}"
    b.graph.operators.append(Operator(kind, name, [x, hidden, cell, *constants], outputs, LstmAttrs(clip)))
    return y


def lstm_float(b: GraphBuilder, x: str, units: int, clip: float = 0.0) -> str:
    """Of float32, with states that matter."""
    size, shape = b.shape(x)[-1], (*b.shape(x)[:-1], units)
    sizes = [(units, size)] * 4 + [(units, units)] * 4 + [(units,)] * 4
    constants = [b.constant((b.rng.normal(size=n) * 1.5 / n[-1] ** 0.5).astype(np.float32)) for n in sizes]
    states, updates = [], []
    for _ in range(2):
        states.append(b.tensor((1, units), "float32"))
        updates.append(b.tensor((1, units), "float32"))
        b.graph.states.append(State(states[-1], updates[-1], np.zeros((1, units), np.float32)))
    for name in constants:
        b.graph.tensor(name).quant = None
    outputs = [b.tensor(shape, "float32"), *updates]
    kind, name = OpKind.UNIDIRECTIONAL_SEQUENCE_LSTM, f"lstm_{len(b.graph.operators)}"
    b.graph.operators.append(Operator(kind, name, [x, *states, *constants], outputs, LstmAttrs(clip)))
    return outputs[0]


def svdf(
    b: GraphBuilder, x: str, units: int, rank: int = 1, memory: int = 5, dtype: str = "int16", low: int = -127
) -> str:
    """``dtype`` of the state and of the weights over time."""
    size, filters = b.shape(x)[-1], units * rank
    limit = float(np.iinfo(dtype).max)
    weights = _weights(b, filters, size, scale=0.01, low=low)
    over_time = _weights(b, filters, memory, scale=0.01, dtype=dtype)
    largest = 74 * 74 * np.sqrt(size) * 0.01 * b.graph.tensor(x).scale
    zero = int(b.rng.integers(-128, 128)) if dtype == "int8" and b.rng.integers(2) else 0
    quant = Quantization((float(np.float32(largest * b.rng.uniform(1, 4) / limit)),), (zero,))
    state, update = _state(b, (memory, filters), dtype, quant)
    bias = b.constant(b.rng.integers(-4000, 4000, units).astype(np.int32))
    b.graph.tensor(bias).quant = Quantization(
        (float(np.float32(quant.scale[0] * b.graph.tensor(over_time).scale)),), (0,)
    )
    spread = 0.3 * largest * 0.01 * 74 * (200 if dtype == "int16" else 1) * np.sqrt(memory * rank)
    y = b.tensor((1, units), "int8", Quantization((float(np.float32(spread / 60)),), b.quant().zero_point))
    inputs, name = [x, state, weights, over_time, bias], f"svdf_{len(b.graph.operators)}"
    b.graph.operators.append(Operator(OpKind.SVDF, name, inputs, [y, update], SvdfAttrs(rank)))
    return y


def lstm_layers(b: GraphBuilder) -> None:
    """Two layers of sizes that are no multiples of four, weights of both kinds; a classifier behind."""
    x = b.input(1, 3, 7)
    y = lstm(b, lstm(b, x, 10), 5, exponent=-11, clip=4.0, low=-128)
    b.output(b.dense(b.reshape(y, 1, 15), 4))


def svdf_layers(b: GraphBuilder) -> None:
    """States of both types, ranks 1 and 2, odd and even numbers of filters, weights of both kinds."""
    y = svdf(b, b.input(1, 11), 8, memory=6)
    y = svdf(b, y, 5, rank=2, memory=3, dtype="int8", low=-128)
    y = svdf(b, y, 3, memory=4, low=-128)
    b.output(svdf(b, y, 8, memory=2, dtype="int8"))
