"""Energies outside their range are zero already: nobody has to cut the range out and put zeros around it again."""

from __future__ import annotations

from tinyengine.ir.graph import Graph, Operator
from tinyengine.ir.ops import OpKind, SignalEnergyAttrs, StridedSliceAttrs
from tinyengine.passes.rewrite import graph_pass, replace_reads


@graph_pass
def keep_zero_ends(graph: Graph) -> None:
    """CONCATENATION of zeros around a slice of SIGNAL_ENERGY becomes what was cut."""
    for op in graph.operators:
        if op.kind is OpKind.CONCATENATION and op.outputs[0] not in graph.results():
            whole = _whole(graph, op)
            if whole is not None:
                replace_reads(graph, op.outputs[0], whole)


def _whole(graph: Graph, op: Operator) -> str | None:
    """The tensor that ``op`` puts together again from a slice of it and zeros."""
    parts = [graph.tensor(name) for name in op.inputs]
    given = [i for i, part in enumerate(parts) if part.data is None]
    if len(given) != 1 or any(part.data is not None and part.data.any() for part in parts):
        return None
    cut = graph.producer(parts[given[0]].name)
    if cut is None or not isinstance(cut.attrs, StridedSliceAttrs) or cut.attrs.stride != (1,):
        return None
    whole, begin, end = cut.inputs[0], cut.attrs.begin[0], cut.attrs.begin[0] + cut.attrs.count[0]
    in_place = begin == sum(part.elements for part in parts[: given[0]])
    if not in_place or graph.tensor(whole).shape != graph.tensor(op.outputs[0]).shape:
        return None
    energies = graph.producer(whole)
    while energies is not None and energies.kind is OpKind.CAST:
        energies = graph.producer(energies.inputs[0])
    if energies is None or not isinstance(energies.attrs, SignalEnergyAttrs):
        return None
    return whole if begin <= energies.attrs.start_index and energies.attrs.end_index <= end else None
