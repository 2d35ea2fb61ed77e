"""Operators that remember: UNIDIRECTIONAL_SEQUENCE_LSTM and SVDF."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from tinyengine.ir.graph import Graph, Operator, Tensor
from tinyengine.ir.operators.base import Contradiction, Definition, Shape
from tinyengine.ir.ops import LstmAttrs, OpKind, SvdfAttrs
from tinyengine.ir.quantize import quantize_multiplier

GATES = 4
GATE_SCALE = 2.0**-12
"""Of what a gate's sigmoid or tanh is taken of: int16 with 12 fraction bits."""
CELL_EXPONENTS = range(-15, -8)
"""Of the scale of a cell, a power of two: TFLite has a tanh for 0 to 6 integer bits."""

Multiplier = tuple[int, int]
"""(multiplier, shift), as ``quantize_multiplier`` gives them."""


class Lstm(Definition[LstmAttrs], kind=OpKind.UNIDIRECTIONAL_SEQUENCE_LSTM):
    """One step after the other; the time may be any of the axes in front, since all others are 1."""

    signatures = (
        "int8 x int8 x int16" + 2 * GATES * " x int8" + GATES * " x int32" + " -> int8 x int8 x int16",
        " x ".join(["float32"] * (3 + 3 * GATES)) + " -> float32 x float32 x float32",
    )
    constants = tuple(range(3, 3 + 3 * GATES))

    def shapes(self, attrs: LstmAttrs, inputs: Sequence[Tensor], declared: Sequence[Shape]) -> list[Shape]:
        x, hidden, cell = inputs[:3]
        return [(*x.shape[:-1], hidden.shape[-1]), hidden.shape, cell.shape]

    def fits(self, attrs: LstmAttrs, x: Tensor) -> bool:
        return len(x.shape) == 3 and 1 in x.shape[:2] and math.isfinite(attrs.cell_clip) and attrs.cell_clip >= 0

    def check(self, op: Operator, graph: Graph) -> None:
        x, hidden, cell, *constants = (graph.tensor(name) for name in op.inputs)
        units = hidden.shape[-1]
        expected = [(units, x.shape[-1])] * GATES + [(units, units)] * GATES + [(units,)] * GATES
        if hidden.shape != (1, units) or cell.shape != hidden.shape or [t.shape for t in constants] != expected:
            raise Contradiction(f"has weights or states whose shapes do not fit {units} units")
        if x.dtype == "float32":
            if not all(t.data is not None and np.isfinite(t.data).all() for t in constants):
                raise Contradiction("has weights that are infinite or no numbers")
            return
        if any(weights.quant is None or any(weights.quant.zero_point) for weights in constants[: 2 * GATES]):
            raise Contradiction("has weights with a zero point", "quantize the weights symmetrically")
        output, hidden_next, cell_next = (graph.tensor(name) for name in op.outputs)
        if not output.quant == hidden.quant == hidden_next.quant or cell_next.quant != cell.quant:
            raise Contradiction("quantizes its states otherwise than its output")
        if cell.quant is None or cell.zero_point or _exponent(cell.scale) not in CELL_EXPONENTS:
            raise Contradiction(
                f"has a cell '{cell.name}' whose scale is no power of two from 2^-15 to 2^-9 or that has a zero point",
                "convert the model again with TensorFlow's own quantizer",
            )
        lstm_params(graph, op)

    def macs(self, attrs: LstmAttrs, inputs: Sequence[Tensor], output: Tensor) -> int:
        steps = prod(inputs[0].shape[:-1])
        return steps * sum(t.elements for t in inputs[3 : 3 + 2 * GATES])


class Svdf(Definition[SvdfAttrs], kind=OpKind.SVDF):
    """A filter per row of weights, and what it gave in the last runs weighted over time."""

    signatures = (
        "int8 x int16 x int8 x int16 x int32 -> int8 x int16",
        "int8 x int8 x int8 x int8 x int32 -> int8 x int8",
    )
    constants = (2, 3, 4)

    def shapes(self, attrs: SvdfAttrs, inputs: Sequence[Tensor], declared: Sequence[Shape]) -> list[Shape]:
        _, state, weights = inputs[:3]
        if attrs.rank < 1 or weights.shape[0] % attrs.rank:
            raise Contradiction(f"makes outputs of {attrs.rank} filters each, but has {weights.shape[0]}")
        return [(1, weights.shape[0] // attrs.rank), state.shape]

    def fits(self, attrs: SvdfAttrs, x: Tensor) -> bool:
        return len(x.shape) == 2 and x.shape[0] == 1

    def check(self, op: Operator, graph: Graph) -> None:
        x, state, weights, over_time, bias = (graph.tensor(name) for name in op.inputs)
        filters, memory = over_time.shape if len(over_time.shape) == 2 else (0, 0)
        units = graph.tensor(op.outputs[0]).elements
        shapes = state.shape, weights.shape, bias.shape
        if shapes != ((memory, filters), (filters, x.shape[1]), (units,)):
            raise Contradiction(f"has weights or a state whose shapes do not fit {filters} filters")
        if any(t.quant is None or any(t.quant.zero_point) for t in (weights, over_time)):
            raise Contradiction("has weights with a zero point", "quantize the weights symmetrically")
        if state.quant is None or (state.dtype == "int16" and state.zero_point):
            raise Contradiction("has a state of int16 with a zero point", "quantize the state symmetrically")
        if graph.tensor(op.outputs[1]).quant != state.quant:
            raise Contradiction("quantizes its next state otherwise than its state")
        svdf_params(graph, op)

    def macs(self, attrs: SvdfAttrs, inputs: Sequence[Tensor], output: Tensor) -> int:
        return inputs[2].elements + inputs[3].elements


@dataclass(frozen=True)
class LstmParams:
    """``inputs``, ``recurrent``: from sums to gates, one per gate; ``hidden``: from products of a gate and a tanh to
    the hidden state. ``exponent`` of the cell's scale; ``clip``: largest magnitude of a cell."""

    inputs: tuple[Multiplier, ...]
    recurrent: tuple[Multiplier, ...]
    hidden: Multiplier
    exponent: int
    clip: int


def lstm_params(graph: Graph, op: Operator) -> LstmParams:
    """The integers of the kernel: all scales in float32, as in TFLite's Prepare."""
    assert isinstance(op.attrs, LstmAttrs)
    x, hidden, cell, *constants = (graph.tensor(name) for name in op.inputs)

    def gate(source: Tensor, weights: Tensor) -> Multiplier:
        scale = np.float32(weights.scale) * np.float32(source.scale) / np.float32(GATE_SCALE)
        return _multiplier(scale)

    exponent = _exponent(cell.scale)
    assert exponent is not None  # checked before
    clip = np.float32(op.attrs.cell_clip) / np.float32(cell.scale) if op.attrs.cell_clip else np.float32(32767)
    return LstmParams(
        tuple(gate(x, weights) for weights in constants[:GATES]),
        tuple(gate(hidden, weights) for weights in constants[GATES : 2 * GATES]),
        _multiplier(np.float32(2.0**-15) / np.float32(hidden.scale) * np.float32(2.0**-15)),
        exponent,
        int(min(clip, np.float32(32767))),
    )


@dataclass(frozen=True)
class SvdfParams:
    """``state``: from sums to the state; ``output``: from sums over time to the output."""

    state: Multiplier
    output: Multiplier


def svdf_params(graph: Graph, op: Operator) -> SvdfParams:
    """The integers of the kernel: all scales in float32, as in TFLite's Prepare."""
    x, state, weights, over_time, _ = (np.float32(graph.tensor(name).scale) for name in op.inputs[:4] + op.inputs[:1])
    y = np.float32(graph.tensor(op.outputs[0]).scale)
    return SvdfParams(_multiplier(x * weights / state), _multiplier(state * over_time / y))


def _multiplier(scale: np.float32) -> Multiplier:
    """ModelError free: scales that no multiplier expresses are a contradiction of the file."""
    if not 2.0**-31 < float(scale) < 2.0**30:
        raise Contradiction(f"has scales whose quotient {float(scale):g} is far from 1", "quantize the model again")
    return quantize_multiplier(float(scale))


def _exponent(scale: float) -> int | None:
    """e of ``scale`` = 2^e; None if there is none."""
    mantissa, exponent = math.frexp(scale)
    return exponent - 1 if mantissa == 0.5 else None
