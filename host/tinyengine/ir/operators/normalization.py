"""Layer normalization as one operator, in the arithmetic of the operators that it stands for."""

from __future__ import annotations

from dataclasses import dataclass, field

from tinyengine.ir.graph import Graph, Operator
from tinyengine.ir.operators.base import DEFINITIONS, Definition
from tinyengine.ir.operators.elementwise import Multiplier, SquaredDifference
from tinyengine.ir.ops import Attrs, OpKind
from tinyengine.ir.requant import mean_params, mul_params


@dataclass(frozen=True, eq=False)
class LayerNormAttrs(Attrs):
    """``parts``: operators of TFLite's, in order, from a tensor of the operator's input's name to one of its output's,
    with gains and offsets as constants. By names of ``passes.layer_norm``: which operator is which. ``roots``: for each
    int8 variance the factor that follows; ``negated``: for each int8 mean its negative."""

    parts: Graph = field(repr=False)
    roles: dict[str, str] = field(repr=False)
    roots: tuple[int, ...] = field(repr=False)
    negated: tuple[int, ...] = field(repr=False)


class LayerNorm(Definition[LayerNormAttrs], kind=OpKind.LAYER_NORM):
    """Over the last axis; every byte is what the parts compute one after the other."""


HALF = (1 << 30, 0)
"""Multiplier and shift of 0.5: what SQUARED_DIFFERENCE gives the input with the larger scale."""
_MOST_DOWN = 22
"""Largest right shift of a rounding in one multiplication."""


@dataclass(frozen=True)
class Round:
    """A product's rounding to int8: multiplier, constant with the zero point, right shift (te_requant_fixed.h)."""

    m: int
    c: int
    e: int


@dataclass(frozen=True)
class Scaled:
    """A factor as multiplier and shift, and a zero point."""

    multiplier: int
    shift: int
    zero: int


@dataclass(frozen=True)
class LayerNormParams:
    """The integers of te_layer_norm.h but for both additions and the constants."""

    mean: Scaled
    distance: Scaled
    variance: Scaled
    x_zero: int
    spread_zero: int
    root_zero: int
    negative_zero: int
    factor_zero: int
    spread: Round
    factor: Round
    moved: Round
    scaled: Round


def part(attrs: LayerNormAttrs, role: str) -> Operator:
    """One of the parts."""
    return next(op for op in attrs.parts.operators if op.name == attrs.roles[role])


def layer_norm_params(attrs: LayerNormAttrs) -> LayerNormParams | None:
    """None where a product's multiplier, or the mean's scale, is beyond the formulas of te_layer_norm.h."""
    parts = attrs.parts
    mean, spread, variance, factor, moved, scaled = (
        part(attrs, role) for role in ("mean", "spread", "variance", "factor", "moved", "scaled")
    )
    definition = DEFINITIONS[OpKind.SQUARED_DIFFERENCE]
    assert isinstance(definition, SquaredDifference)
    first, second, square = definition.multipliers(spread, parts)
    of_x, of_mean = (first, second) if spread.inputs[0] == mean.inputs[0] else (second, first)
    zeros = {
        name: tensor.zero_point for name, tensor in parts.tensors.items() if tensor.quant and not tensor.is_constant
    }
    means = [mean_params(parts, op).requant for op in (mean, variance)]
    rounds = [_round(Multiplier(square.multiplier, square.shift), zeros[spread.outputs[0]])]
    for op in (factor, moved, scaled):
        requant = mul_params(parts, op).requant
        rounds.append(_round(Multiplier(int(requant.multiplier[0]), int(requant.shift[0])), requant.zero))
    # the mean's part of a distance is at most as large as that of the input whose scale is the larger one
    if (of_x.multiplier, of_x.shift) != HALF or None in rounds or min(of_mean.shift, of_x.shift) < -31:
        return None
    root = next(name for name in factor.inputs if name in zeros)
    negative = next(name for name in moved.inputs if name != factor.outputs[0])
    sums = [Scaled(int(r.multiplier[0]), int(r.shift[0]), r.zero) for r in means]
    return LayerNormParams(
        sums[0],
        Scaled(of_mean.multiplier, of_mean.shift, 0),
        sums[1],
        zeros[mean.inputs[0]],
        zeros[spread.outputs[0]],
        zeros[root],
        zeros[negative],
        zeros[factor.outputs[0]],
        *(r for r in rounds if r is not None),
    )


def _round(factor: Multiplier, zero: int) -> Round | None:
    down = -factor.shift
    if not 1 <= down <= _MOST_DOWN or factor.multiplier < 0:
        return None
    return Round(factor.multiplier, (1 << (down - 1)) + (zero << down), down)
