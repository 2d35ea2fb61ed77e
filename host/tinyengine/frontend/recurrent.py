"""Operators whose variable tensors become states: UNIDIRECTIONAL_SEQUENCE_LSTM and SVDF."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tinyengine.frontend.context import QUANTIZE_HINT, Context
from tinyengine.frontend.raw import RawOperator, RawTensor
from tinyengine.ir.graph import DTYPES, Quantization, State, Tensor
from tinyengine.ir.operators.base import MAX_SIZE
from tinyengine.ir.operators.recurrent import GATES
from tinyengine.ir.ops import LstmAttrs, SvdfAttrs

_WEIGHTS, _PEEPHOLES, _BIASES, _PROJECTION, _STATES, _NORMALIZATION = 1, 9, 12, 16, 18, 20
"""Where TFLite's LSTM has them among its inputs."""
_TANH = 4
_PLAIN_HINT = "use a plain LSTM with four gates, as Keras writes it"


def unidirectional_sequence_lstm(context: Context, op: RawOperator) -> None:
    x = context.activation(op, 0)
    variants = {
        "couples its input gate to its forget gate": [_WEIGHTS],
        "has peepholes": range(_PEEPHOLES, _BIASES),
        "has a projection": range(_PROJECTION, _STATES),
        "normalizes its gates": range(_NORMALIZATION, _NORMALIZATION + GATES),
    }
    for what, positions in variants.items():
        if any((context.input_index(op, i) is None) == (i == _WEIGHTS) for i in positions):
            context.unsupported(op, what, _PLAIN_HINT)
    if x.dtype == "float32" and op.options["FusedActivationFunction"] != _TANH:  # of int8 TFLite has tanh alone
        context.unsupported(op, "has another activation than tanh", _PLAIN_HINT)
    if len(x.shape) != 3 or x.shape[0 if not op.options["TimeMajor"] else 1] != 1:
        context.unsupported(op, f"has an input of shape {list(x.shape)}", "give it one sequence (batch 1)")
    weights, biases, cells = (x.dtype,) * 3 if x.dtype == "float32" else ("int8", "int32", "int16")
    constants = [_constant(context, op, i, weights) for i in range(_WEIGHTS, _PEEPHOLES)]
    constants += [_constant(context, op, i, biases) for i in range(_BIASES, _PROJECTION)]
    hidden = _state(context, op, _STATES, x.dtype)
    cell = _state(context, op, _STATES + 1, cells)
    if len(op.intermediates) > GATES:  # with these TFLite quantizes the hidden state
        raw = context.raw_tensor(op, op.intermediates[GATES])
        if raw.scale and hidden.quant and (raw.scale, raw.zero_point) != (hidden.quant.scale, hidden.quant.zero_point):
            context.damaged(op, "quantizes its hidden state in two ways", raw.index)
    kept = tuple(_keep(context, state) for state in (hidden, cell))
    attrs = LstmAttrs(float(op.options["CellClip"]))
    context.add(op, [x, hidden, cell, *constants], attrs, kept=kept)


def svdf(context: Context, op: RawOperator) -> None:
    """The file's state is (1, filters * memory), ours (memory, filters): a step is a row, which moves as a whole."""
    x = context.activation(op, 0)
    weights = _constant(context, op, 1, "int8")
    over_time = _constant(context, op, 2, "int8", "int16")
    filters, memory = over_time.shape if len(over_time.shape) == 2 else (0, 0)
    rank = int(op.options["Rank"])
    if rank < 1 or not filters or filters % rank:
        context.damaged(op, f"has {filters} filters of rank {rank}")
    bias = _no_bias(context, op, filters // rank) if context.input_index(op, 3) is None else None
    bias = bias or _constant(context, op, 3, "int32")
    raw = context.required(op, 4)
    if raw.shape != (1, filters * memory):
        context.damaged(op, f"has a state of shape {list(raw.shape)}", raw.index)
    state = _state(context, op, 4, over_time.dtype, (memory, filters))
    context.add(op, [x, state, weights, over_time, bias], SvdfAttrs(rank), kept=(_keep(context, state),))


def _no_bias(context: Context, op: RawOperator, units: int) -> Tensor:
    name = f"{context.output(op).name}_no_bias"
    return context.invent(Tensor(name, (units,), "int32", None, np.zeros(units, np.int32)))


def _constant(context: Context, op: RawOperator, position: int, *dtypes: str) -> Tensor:
    raw = context.required(op, position)
    context.require_dtype(op, raw, dtypes)
    if not raw.data.size:
        context.unsupported(op, "has weights that are computed", "store constant weights", raw.index)
    constant = context.constant(op, raw)
    if constant.dtype == "int32" and raw.scale:  # TFLite Micro asks for it where the network is written again
        constant.quant = Quantization(raw.scale, (0,) * len(raw.scale))
    return constant


def _state(
    context: Context, op: RawOperator, position: int, dtype: str, shape: tuple[int, ...] | None = None
) -> Tensor:
    """A variable tensor as the state that it is."""
    raw: RawTensor = context.required(op, position)
    context.require_dtype(op, raw, (dtype,))
    if shape is not None:
        raw = replace(raw, shape=shape)
    if min(raw.shape, default=1) < 1:
        context.unsupported(op, "has a state without a fixed size", QUANTIZE_HINT, raw.index)
    if len(raw.shape) != 2 or max(raw.shape) > MAX_SIZE:
        context.damaged(op, f"has a state of shape {list(raw.shape)}", raw.index)
    state = context.source(op, raw)
    if state.quant is None:
        return state
    limits = np.iinfo(dtype)
    if not limits.min <= state.zero_point <= limits.max:
        context.damaged(op, f"has a state with the zero point {state.zero_point}", raw.index)
    return state


def _keep(context: Context, state: Tensor) -> Tensor:
    """The next value of ``state``, which begins with real zeros."""
    update = context.invent(Tensor(f"{state.name}_next", state.shape, state.dtype, state.quant))
    zero = np.array(state.zero_point if state.quant else 0, DTYPES[state.dtype])
    initial = np.broadcast_to(zero, state.shape)  # takes no memory for a size that nothing has agreed to yet
    context.graph.states.append(State(state.name, update.name, initial))
    return update
