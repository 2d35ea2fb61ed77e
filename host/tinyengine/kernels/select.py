"""Which kernel runs an operator: the first fast candidate that applies and that the core can run, else the generic."""

from __future__ import annotations

from tinyengine.ir import Graph, Operator
from tinyengine.ir.dispatch import leading_dtype
from tinyengine.ir.requant import Requant

# The generic lowerings register themselves when their modules are imported.
from tinyengine.kernels import (  # noqa: F401
    activation,
    conv,
    detection,
    elementwise,
    floating,
    language,
    layout,
    matmul,
    normalization,
    pool,
    recurrent,
    signal,
)
from tinyengine.kernels.base import LOWERINGS, KernelCall, Target
from tinyengine.kernels.checks import unsupported
from tinyengine.kernels.fast import FAST_LOWERINGS
from tinyengine.kernels.loops import floating as float_loops  # noqa: F401
from tinyengine.kernels.loops import int16, operators, pictures  # noqa: F401
from tinyengine.kernels.loops.movement import copied
from tinyengine.kernels.once import once_per_graph


def lower(op: Operator, graph: Graph, target: Target) -> KernelCall:
    """The call for ``op``; UnsupportedOperatorError if no kernel computes it."""
    for requires, candidate in FAST_LOWERINGS.get((op.kind, leading_dtype(op, graph)), []):
        if requires <= target.features and (call := candidate(op, graph, target)) is not None:
            return call
    call = lower_generic(op, graph, target)
    if call.is_view and call.output in graph.output_tensors() and _shows_state(call.inputs[0], graph, target):
        call = copied(op, graph)  # the end of the run overwrites the state, not what the caller reads then
    for name in call.inputs:
        if graph.tensor(name).data is not None:
            raise unsupported(op, graph, f"has the constant operand '{name}'", "feed it as an input of the network")
    return call


def _shows_state(name: str, graph: Graph, target: Target) -> bool:
    """Whether a tensor is a state that changes, or a view of one."""
    if any(state.tensor == name and state.update != name for state in graph.states):
        return True
    producer = graph.producer(name)
    if producer is None:
        return False
    call = lower_generic(producer, graph, target)
    return call.is_view and _shows_state(call.inputs[0], graph, target)


@once_per_graph
def rounds_fast(op: Operator, graph: Graph, target: Target) -> bool:
    """Whether the layer's kernel rounds with one multiplication: row operators must do as it does."""
    if target.requant != "fast":
        return False
    requant = lower(op, graph, target).requant
    return requant is not None and requant.fast is not None


def roundings(graph: Graph, target: Target) -> dict[str, Requant]:
    """By output tensor, how the layers round whose kernels do not round exactly: what the oracle needs to know."""
    calls = [lower(op, graph, target) for op in graph.operators] if target.requant == "fast" else []
    return {call.output: call.requant for call in calls if call.requant is not None and call.requant.fast is not None}


def lower_generic(op: Operator, graph: Graph, target: Target) -> KernelCall:
    """The call to the portable kernel that accepts any shape."""
    generic = LOWERINGS.of(op, graph)
    if generic is None:
        raise unsupported(op, graph, "has no kernel", "leave it out of the network or run it on the host")
    return generic(op, graph, target)
