"""Windows over time: a state, joined with what is new, without what is oldest, becomes the state again."""

from __future__ import annotations

import numpy as np

from tinyengine.ir.graph import Graph, Operator, State, Tensor
from tinyengine.ir.ops import ConcatAttrs, NoAttrs, OpKind, StridedSliceAttrs
from tinyengine.passes.rewrite import add_tensor, graph_pass, only_reader, same_quantization


@graph_pass
def shift_windows(graph: Graph) -> None:
    """Such a window becomes one SHIFT, which runs in the bytes of the state: nothing is moved twice.

    Files write it in two ways. Either the state is the window, of which a run takes all but the oldest, and joins that
    with what is new. Or the state lacks what is new, and layers read both joined: then the state grows by the oldest
    indices that nobody reads any more, and the layers read the state.
    """
    for index, state in enumerate(graph.states):
        if graph.tensor(state.tensor).dtype == "int8":
            graph.states[index] = _shortened(graph, state) or _joined(graph, state) or state


def _shortened(graph: Graph, state: State) -> State | None:
    """SHIFT in place of slice and concatenation."""
    shortened = only_reader(graph, state.tensor)
    if shortened is None or shortened.kind is not OpKind.STRIDED_SLICE:
        return None
    joined = only_reader(graph, shortened.outputs[0])
    if joined is None or joined.outputs != [state.update]:
        return None
    news = _news(graph, joined, shortened.outputs[0])
    if news is None or not _is_end(graph, shortened, _axis(joined)):
        return None
    _shift(joined, state.tensor, news)
    return state


def _joined(graph: Graph, state: State) -> State | None:
    """SHIFT in place of concatenation and slice."""
    joined, shortened = only_reader(graph, state.tensor), graph.producer(state.update)
    news = None if joined is None else _news(graph, joined, state.tensor)
    if joined is None or news is None or shortened is None or shortened.inputs != joined.outputs:
        return None
    window, axis = joined.outputs[0], _axis(joined)
    if shortened.kind is not OpKind.STRIDED_SLICE or not _is_end(graph, shortened, axis):
        return None
    old, new = graph.tensor(state.tensor), graph.tensor(news)
    if only_reader(graph, window) is shortened and new.shape[axis] < old.shape[axis]:
        _shift(shortened, state.tensor, news)  # nobody reads the window as a whole
        return state
    if graph.results().count(state.update) > 1 or not same_quantization(graph, state.tensor, window):
        return None
    whole = graph.tensor(window)
    name = add_tensor(graph, Tensor(f"{state.tensor}_window", whole.shape, whole.dtype, whole.quant))
    _shift(joined, name, news)
    oldest = np.full(new.shape, state.initial.flat[0], state.initial.dtype)
    return State(name, window, np.concatenate([oldest, state.initial], axis))


def _news(graph: Graph, joined: Operator, old: str) -> str | None:
    """What ``joined`` appends to ``old``; None if it is not a concatenation of these two."""
    if joined.kind is not OpKind.CONCATENATION or len(joined.inputs) != 2 or joined.inputs[0] != old:
        return None
    news = joined.inputs[1]
    return None if news == old or graph.tensor(news).is_constant else news


def _axis(joined: Operator) -> int:
    assert isinstance(joined.attrs, ConcatAttrs)
    return joined.attrs.axis


def _is_end(graph: Graph, shortened: Operator, axis: int) -> bool:
    """Whether the slice takes everything but the first indices of ``axis``."""
    attrs, x, y = shortened.attrs, graph.tensor(shortened.inputs[0]), graph.tensor(shortened.outputs[0])
    assert isinstance(attrs, StridedSliceAttrs)
    begin = [n - m for n, m in zip(x.shape, attrs.count, strict=True)]
    return (
        attrs.count == y.shape
        and list(attrs.begin) == begin
        and all(step == 1 or count == 1 for step, count in zip(attrs.stride, attrs.count, strict=True))
        and [a for a, n in enumerate(begin) if n] == [axis]
    )


def _shift(op: Operator, window: str, news: str) -> None:
    """Let ``op`` be the SHIFT of ``window``."""
    op.kind, op.inputs, op.attrs = OpKind.SHIFT, [window, news], NoAttrs()
