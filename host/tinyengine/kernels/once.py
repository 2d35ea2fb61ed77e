"""Analyses of operators that are made once: sizes are asked for thousands of times while a schedule is searched."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar
from weakref import WeakKeyDictionary

from tinyengine.ir import Graph, Operator

P = ParamSpec("P")
Result = TypeVar("Result")


def once_per_graph(
    analysis: Callable[Concatenate[Operator, Graph, P], Result],
) -> Callable[Concatenate[Operator, Graph, P], Result]:
    """Remember what ``analysis(op, graph, ...)`` finds as long as the graph exists.

    The operator and its tensors must not change any more; constants cannot, for they are made read-only. What it finds
    must not refer to the graph, or the graph would exist for ever.
    """
    known: WeakKeyDictionary[Graph, dict[object, tuple[object, Result]]] = WeakKeyDictionary()

    @wraps(analysis)
    def remembered(op: Operator, graph: Graph, /, *args: P.args, **kwargs: P.kwargs) -> Result:
        found = known.setdefault(graph, {})
        key = op.outputs[0], args, tuple(sorted(kwargs.items()))
        if key not in found:
            for constant in (graph.tensor(name).data for name in op.inputs):
                if constant is not None:
                    constant.setflags(write=False)
            found[key] = _facts(op, graph), analysis(op, graph, *args, **kwargs)
        facts, result = found[key]
        assert facts == _facts(op, graph), f"{op.kind} '{op.name}' has changed since it was analysed"
        return result

    return remembered


def _facts(op: Operator, graph: Graph) -> object:
    tensors = [graph.tensor(name) for name in (*op.inputs, *op.outputs)]
    return op.attrs, [(tensor.shape, tensor.quant, id(tensor.data)) for tensor in tensors]
