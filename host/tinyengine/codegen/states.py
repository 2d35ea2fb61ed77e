"""The part of the generated code that keeps states between runs: their bytes, initial values, and what is copied."""

from __future__ import annotations

import numpy as np

from tinyengine.codegen.storage import Storage
from tinyengine.codegen.values import scalar
from tinyengine.ir import Graph
from tinyengine.kernels.base import C_TYPES, CArray
from tinyengine.memory.plan import MemoryPlan

STATES_ALIGNMENT = 8


def initial_arrays(graph: Graph) -> dict[str, CArray]:
    """By state, its initial values; none where they are all the same, which needs no array."""
    return {
        state.tensor: CArray(f"initial_{state.tensor}", np.ravel(state.initial))
        for state in graph.states
        if state.initial.tobytes() != state.initial.flat[0].tobytes() * state.initial.size
    }


def states_definition(graph: Graph, plan: MemoryPlan, symbols: dict[str, str], own: Storage) -> str:
    """The array of states, ``reset_states`` and ``keep_states``; ``symbols``: names of the initial values."""
    reset: list[str] = []
    for state in graph.states:
        tensor, place = graph.tensor(state.tensor), f"{own.states} + {plan.states[state.tensor]}"
        if state.tensor in symbols:
            reset.append(f"memcpy({place}, {symbols[state.tensor]}, {tensor.nbytes});")
        else:
            item, value = f"(({C_TYPES[tensor.dtype]} *)({place}))[i]", scalar(state.initial.flat[0])
            reset.append(f"for (uint32_t i = 0; i < {tensor.elements}u; i++) {item} = {value};")
    offsets = {name: f"{own.arena} + {address}" for name, address in plan.placement.addresses.items()}
    offsets |= {name: f"{own.states} + {offset}" for name, offset in plan.region.offsets.items()}
    keep = [f"memcpy({offsets[copy.target]}, {offsets[copy.source]}, {copy.size});" for copy in plan.region.copies]
    functions = {"reset_states": reset} | ({"keep_states": keep} if keep else {})
    text = own.kept(f"uint8_t {own.states}[{plan.region.size}]", STATES_ALIGNMENT)
    for name, statements in functions.items():
        text += f"\nstatic void {name}(void) {{\n" + "".join(f"    {line}\n" for line in statements) + "}\n"
    return text
