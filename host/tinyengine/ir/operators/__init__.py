"""A class per operator: what is true of it whatever kernel computes it (dtypes, shapes, checks, MACs)."""

from tinyengine.ir.graph import Graph, Operator
from tinyengine.ir.operators import (  # noqa: F401 - importing them fills DEFINITIONS
    attention,
    detection,
    elementwise,
    language,
    lines,
    movement,
    normalization,
    recurrent,
    reductions,
    signal,
    unary,
)
from tinyengine.ir.operators.base import DEFINITIONS as DEFINITIONS
from tinyengine.ir.operators.windows import Weighted

WEIGHTED = tuple(definition.kind for definition in DEFINITIONS.values() if isinstance(definition, Weighted))
"""The kinds that multiply with constant weights: convolutions and fully connected layers."""


def macs(op: Operator, graph: Graph) -> int:
    """Nominal multiply-accumulates of ``op`` (0 unless it has weights); taps that meet padding count."""
    return DEFINITIONS[op.kind].macs(op.attrs, [graph.tensor(name) for name in op.inputs], graph.tensor(op.outputs[0]))


def total_macs(graph: Graph) -> int:
    """Multiply-accumulates of the whole network."""
    return sum(macs(op, graph) for op in graph.operators)
