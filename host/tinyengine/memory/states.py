"""Where states lie: in a region of their own beside the arena, whose bytes outlive the run.

The next value of a state is computed right where the state lies, if nobody needs the old value when its producer
begins, or if its producer may work in place. Otherwise it lies in the arena and is copied at the end of the run.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

from tinyengine.errors import ModelError
from tinyengine.ir import Graph
from tinyengine.sizes import round_up

TENSOR_ALIGN = 4
"""Tensors, in the arena and beside it, begin at multiples of this: kernels load words."""


@dataclass(frozen=True)
class Copy:
    """At the end of a run ``size`` bytes of buffer ``source`` become those of buffer ``target``."""

    source: str
    target: str
    size: int


@dataclass(frozen=True)
class StateRegion:
    """``offsets``: of states, and of next values that are computed in the bytes of their state. ``copies`` in order;
    ``detours``: buffers of the arena through which they go where states exchange their values, with their sizes."""

    offsets: Mapping[str, int] = field(default_factory=dict)
    size: int = 0
    copies: tuple[Copy, ...] = ()
    detours: Mapping[str, int] = field(default_factory=dict)


STATELESS = StateRegion()


def state_region(
    graph: Graph, home: Mapping[str, str], span: Mapping[str, tuple[int, int]], in_place: Collection[tuple[str, str]]
) -> StateRegion:
    """``home``: buffer of each tensor; ``span``: first and last step of each buffer, in which an update or an output is
    read at the end of the run; ``in_place``: pairs of buffers of which the second may be written over the first.

    ModelError for an output that shows a state itself, which the end of the run overwrites.
    """
    offsets: dict[str, int] = {}
    size = 0
    for name, taken in _sizes(graph).items():
        offsets[name] = size
        size += taken
    copies: list[Copy] = []
    for state in graph.states:
        old, new = state.tensor, home[state.update]
        if old == new:
            continue
        born, dies = span[new][0], span[old][1]
        if new not in offsets and born >= 0 and (dies < born or (dies == born and (old, new) in in_place)):
            offsets[new] = offsets[old]
        else:
            copies.append(Copy(new, old, graph.tensor(old).nbytes))
    overwritten = {copy.target for copy in copies}
    for port in graph.outputs:
        if home[port.tensor] in overwritten:
            raise ModelError(
                f"the network's output '{port.name}' is its state '{home[port.tensor]}', which the end of each run "
                "overwrites: let an operator compute the output"
            )
    return StateRegion(offsets, size, *_ordered(copies))


def states_bytes(graph: Graph) -> int:
    """Size of the region."""
    return sum(_sizes(graph).values())


def _sizes(graph: Graph) -> dict[str, int]:
    return {state.tensor: round_up(graph.tensor(state.tensor).nbytes, TENSOR_ALIGN) for state in graph.states}


def _ordered(copies: list[Copy]) -> tuple[tuple[Copy, ...], dict[str, int]]:
    """``copies`` such that none overwrites what a later one reads, and the detours that this takes."""
    ordered: list[Copy] = []
    detours: dict[str, int] = {}
    while copies:
        free = next((copy for copy in copies if all(other.source != copy.target for other in copies)), None)
        if free is None:  # each overwrites what another one reads
            state = copies[0].target
            detour = f"{state}/before"
            ordered.append(Copy(state, detour, copies[0].size))
            detours[detour] = copies[0].size
            copies = [replace(copy, source=detour) if copy.source == state else copy for copy in copies]
        else:
            ordered.append(free)
            copies = [copy for copy in copies if copy is not free]
    return tuple(ordered), detours
