"""UNIDIRECTIONAL_SEQUENCE_LSTM and SVDF on te_lstm.h and te_svdf.h."""

from __future__ import annotations

from dataclasses import replace
from math import prod

import numpy as np

from tinyengine.cores import DSP
from tinyengine.ir import Graph, Operator, OpKind
from tinyengine.ir.operators.recurrent import GATES, Multiplier, lstm_params, svdf_params
from tinyengine.ir.ops import LstmAttrs, SvdfAttrs
from tinyengine.ir.sums import sum_range
from tinyengine.kernels import access, params
from tinyengine.kernels.base import Access, CArray, CValue, KernelCall, Overlap, Target, lowering
from tinyengine.kernels.curves import curves
from tinyengine.kernels.four_sums import INPUT_MAX, PAIR_LIMIT, fits_four_sums, pack_quads, pair_biases, quads
from tinyengine.kernels.once import once_per_graph
from tinyengine.sizes import round_up

MUCH_FLASH = 256 << 10
"""From here on there is room for a table of 16 KB."""


def _words(values: np.ndarray) -> np.ndarray:
    return params.wrap_int32(values).astype("<i4").view("<u4")


def _factor(value: Multiplier) -> dict[str, CValue]:
    return {"multiplier": value[0], "shift": value[1], "half": 1 << (-value[1] - 1) if value[1] < 0 else 0}


def _down(value: Multiplier) -> dict[str, CValue]:
    multiplier, shift = value
    right, left = max(-shift, 0), max(shift, 0) + 1
    return {"m": multiplier, "c": 1 << right >> 1, "e": right, "l": left, "s": -int(right > 0)}


def _constant(op: Operator, graph: Graph, position: int) -> np.ndarray:
    data = graph.tensor(op.inputs[position]).data
    assert data is not None
    return data.astype(np.int64)


@once_per_graph
def _lstm_pairs(op: Operator, graph: Graph) -> bool:
    """Whether weights can be packed and sums of the gates be scaled by one multiplication."""
    found = lstm_params(graph, op)
    biases = np.stack([_constant(op, graph, 3 + 2 * GATES + gate) for gate in range(GATES)])
    for first, scales, bias in ((3, found.inputs, biases), (3 + GATES, found.recurrent, 0 * biases)):
        gates = _gates(op, graph, first)
        most = 2 * INPUT_MAX * np.abs(gates).sum(axis=2).T + np.abs(bias)  # zero points included
        shifts = np.array([max(shift, 0) + 1 for _, shift in scales])
        if not fits_four_sums(gates) or (most << shifts[:, None]).max() >= 1 << 31:
            return False
    return True


def _gates(op: Operator, graph: Graph, first: int) -> np.ndarray:
    """Weights of the four gates, int64 (units, 4, inputs)."""
    return np.stack([_constant(op, graph, first + gate) for gate in range(GATES)], axis=1)


@once_per_graph
def _lstm_dense(op: Operator, graph: Graph) -> bool:
    """Whether sums with their biases fit te_dense_sums_pairs, and what the hidden state is made of fits te_down."""
    if lstm_params(graph, op).hidden[1] > 0:
        return False
    x, hidden = (graph.tensor(name) for name in op.inputs[:2])
    biases = np.stack([_constant(op, graph, 3 + 2 * GATES + gate) for gate in range(GATES)], axis=1)
    for first, zero, bias in ((3, x.zero_point, biases), (3 + GATES, hidden.zero_point, 0 * biases)):
        most = np.abs(_gates(op, graph, first)).sum(axis=2) * max(127 - zero, 128 + zero) + np.abs(bias)
        if most.max() >= PAIR_LIMIT:
            return False
    return _lstm_pairs(op, graph)


def _lstm_fast(call: KernelCall, graph: Graph, steps: int, size: int, units: int) -> KernelCall:
    """``call`` on te_lstm_fast_s8."""
    op, found = call.op, lstm_params(graph, call.op)

    def pack() -> dict[str, CValue]:
        streams, biases = [], [_constant(op, graph, 3 + 2 * GATES + gate) for gate in range(GATES)]
        for first, name, bias in ((3, op.inputs[0], np.stack(biases, axis=1)), (3 + GATES, op.inputs[1], 0)):
            gates = _gates(op, graph, first)
            folded = bias - graph.tensor(name).zero_point * gates.sum(axis=2)
            streams.append(np.concatenate([_words(pair_biases(folded)), pack_quads(gates, True)], axis=1).ravel())
        return {
            "lstm": {**call.params, "weights": CArray("weights", streams[0])},
            "recurrent": CArray("recurrent", streams[1]),
            "curves": CArray("curves", curves(), shared=True),
            "input": [_down(value) for value in found.inputs],
            "state": [_down(value) for value in found.recurrent],
            "hidden": _down(found.hidden),
        }

    sums = round_up(units, 4) * 2 + units * 48
    return replace(
        call,
        function="te_lstm_fast_s8",
        params_type="te_lstm_fast_params",
        pack=pack,
        scratch_bytes=4 * round_up(size, 4) + sums,
        note="two steps of the input at a time, functions by a table of 16 KB",
    )


@lowering(OpKind.UNIDIRECTIONAL_SEQUENCE_LSTM)
def lower_lstm(op: Operator, graph: Graph, target: Target) -> KernelCall:
    """Any number of steps, inputs and units."""
    assert isinstance(op.attrs, LstmAttrs)
    x, hidden, cell = (graph.tensor(name) for name in op.inputs[:3])
    steps, size, units = prod(x.shape[:-1]), x.shape[-1], hidden.shape[-1]
    clip, pairs = op.attrs.cell_clip, _lstm_pairs(op, graph)

    def pack() -> dict[str, CValue]:
        found = lstm_params(graph, op)
        parts = []
        for first, zero in ((3, x.zero_point), (3 + GATES, hidden.zero_point)):
            parts.append((_gates(op, graph, first), zero))
        biases = np.stack([_constant(op, graph, 3 + 2 * GATES + gate) for gate in range(GATES)], axis=1)
        offsets = [-zero * weights.sum(axis=2) for weights, zero in parts]
        stream = [_words(biases + offsets[0]), _words(offsets[1])]
        stream += [pack_quads(weights, pairs) for weights, _ in parts]
        return {
            "steps": steps,
            "in": size,
            "units": units,
            "rows": int(not pairs),
            "weights": CArray("weights", np.concatenate(stream, axis=1).ravel()),
            "input": [_factor(value) for value in found.inputs],
            "recurrent": [_factor(value) for value in found.recurrent],
            "hidden": _factor(found.hidden),
            "zero": hidden.zero_point,
            "cell_bits": 15 + found.exponent,
            "clip": found.clip if clip else 0,
        }

    touched = _lstm_access(steps, size, units)
    in_place = Overlap(0)
    over_x = access.overlap(touched, 0, steps * units)
    call = KernelCall(
        op,
        "te_lstm_s8",
        "te_lstm.h",
        "te_lstm_params",
        pack,
        inputs=[x.name, hidden.name, cell.name],
        outputs=list(op.outputs),
        scratch_bytes=2 * (round_up(size, 4) + round_up(units, 4)),
        overlaps=(over_x, None, None, None, in_place, None, None, None, in_place),
        access=touched,
        macs=steps * GATES * units * (size + units),
        note="four gates at a time" if pairs else "four gates at a time, weights one by one",
    )
    able = target.optimize == "time" and target.features >= DSP and _lstm_dense(op, graph)
    if not able or (target.flash is not None and target.flash < MUCH_FLASH):
        return call
    return _lstm_fast(call, graph, steps, size, units)


def _lstm_access(steps: int, size: int, units: int) -> Access:
    """The states are read first; then each step reads its row and writes the hidden state behind it."""
    step = np.arange(-1, steps)
    begin, run, end = step < 0, step >= 0, step == steps - 1
    none = np.zeros(steps + 1, np.int64)
    return access.blocks(
        [(step * size * run, (step + 1) * size * run), (none, units * begin), (none, 2 * units * begin)],
        (step * units * run, (step + 1) * units * run),
        (none, units * end),
        (none, none + 2 * units),
    )


@once_per_graph
def _svdf_pairs(op: Operator, graph: Graph) -> bool:
    return fits_four_sums(quads(_constant(op, graph, 2)))


def _svdf_dense(op: Operator, graph: Graph) -> bool:
    """Whether sums of pairs fit te_dense_sums_pairs, which adds zero points to them before it takes them apart."""
    sums = sum_range(_constant(op, graph, 2), np.zeros(1), graph.tensor(op.inputs[0]).zero_point)
    return bool(sums.magnitude.max() < PAIR_LIMIT)


@lowering(OpKind.SVDF)
def lower_svdf(op: Operator, graph: Graph, target: Target) -> KernelCall:
    """Any rank, memory and number of filters."""
    assert isinstance(op.attrs, SvdfAttrs)
    x, state, y = (graph.tensor(name) for name in (*op.inputs[:2], op.outputs[0]))
    rank, (memory, filters), size = op.attrs.rank, state.shape, x.elements
    pairs = _svdf_pairs(op, graph)
    by_dense = target.optimize == "time" and target.features >= DSP and (not pairs or _svdf_dense(op, graph))

    def pack() -> dict[str, CValue]:
        found = svdf_params(graph, op)
        weights, over_time, bias = (_constant(op, graph, i) for i in (2, 3, 4))
        offsets = quads(-x.zero_point * weights.sum(axis=1, keepdims=True))[:, :, 0]
        if by_dense and pairs:
            offsets = pair_biases(offsets)
        stream = np.concatenate([_words(offsets), pack_quads(quads(weights), pairs)], axis=1)
        less = state.zero_point * over_time.sum(axis=1).reshape(-1, rank).sum(axis=1)
        return {
            "in": size,
            "filters": filters,
            "memory": memory,
            "rank": rank,
            "rows": int(not pairs),
            "sums": f"te_dense_sums{'_pairs' * pairs}" if by_dense else "NULL",
            "weights": CArray("weights", stream.ravel()),
            "over_time": params.array("over_time", quads(over_time).transpose(0, 2, 1), state.dtype),
            "bias": CArray("bias", params.wrap_int32(bias - less)),
            "to_state": _factor(found.state),
            "to_output": _factor(found.output),
            "state_zero": state.zero_point,
            "zero": y.zero_point,
        }

    touched = access.blocks(
        [(np.array([0]), np.array([size])), (np.array([0]), np.array([state.nbytes]))],
        (np.array([0]), np.array([y.nbytes])),
        (np.array([0]), np.array([state.nbytes])),
    )
    return KernelCall(
        op,
        f"te_svdf_s{8 * state.nbytes // state.elements}",
        "te_svdf.h",
        "te_svdf_params",
        pack,
        inputs=[x.name, state.name],
        outputs=list(op.outputs),
        scratch_bytes=2 * round_up(size, 4) + 4 * round_up(filters, 4),
        overlaps=(access.overlap(touched, 0, y.nbytes), None, None, Overlap(0, exact=True)),
        access=touched,
        macs=filters * (size + memory),
        note="four filters at a time" if pairs else "four filters at a time, weights one by one",
    )
