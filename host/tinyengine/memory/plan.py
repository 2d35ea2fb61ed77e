"""The memory plan of a network: from kernel calls in execution order to addresses, figures and a bottleneck."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from tinyengine.ir import Graph
from tinyengine.kernels.base import KernelCall
from tinyengine.memory.bottleneck import bottleneck_phrase
from tinyengine.memory.lifetime import BEFORE_RUN, Lifetimes, lifetimes
from tinyengine.memory.placement import Placement, place, place_around
from tinyengine.memory.replay import replay
from tinyengine.memory.states import STATELESS, StateRegion
from tinyengine.memory.usage import Resident, StepUsage


@dataclass(frozen=True)
class MemoryPlan:
    """Where everything lies, and what it costs. All figures in bytes.

    ``addresses``: every activation tensor that lies in the arena, views included (a view has the address of what it
    views). ``states``: likewise those that lie in the states' region, by their offset in it.
    ``scratch``: per call, the address of its scratch memory, None if it needs none.
    ``arena_bytes``: the static array that the firmware reserves, everything included but the states.
    ``activation_peak_bytes``: activations alone, as papers count: the maximum over the steps (and the moments before
    and after the run) of the number of arena bytes that belong to at least one live tensor, or to a ring of rows, a
    window of a patch or a running sum inside a chain. A byte in which an output lies over the input that it consumes
    counts once, exactly as far as this placement lets them overlap; other scratch memory (columns that a kernel widens,
    rounding tables, counters), padding and holes do not count.
    ``lower_bound``: no placement of the same buffers under the same rules is smaller; ``optimal`` if it is reached.
    ``usage``: one entry per call, in order; in between 0 and n-1, without the moments before and after the run.
    ``bottleneck``: a phrase about the step that uses the most bytes.
    """

    addresses: Mapping[str, int]
    scratch: tuple[int | None, ...]
    arena_bytes: int
    activation_peak_bytes: int
    lower_bound: int
    optimal: bool
    method: str
    usage: tuple[StepUsage, ...]
    bottleneck: str
    placement: Placement
    states: Mapping[str, int] = field(default_factory=dict)
    region: StateRegion = STATELESS


def plan(graph: Graph, calls: Sequence[KernelCall], *, budget: int | None = None, check: bool = True) -> MemoryPlan:
    """Plan the arena for ``calls`` executed in this order.

    ``budget`` limits the nodes of branch and bound (see placement.place). ``check`` replays the plan byte by byte.
    Raises PlacementError if the calls contradict the graph or, which would be a bug, the replay finds a wrong byte.
    """
    alive = lifetimes(calls, graph)
    placement = min(_placements(alive, budget), key=lambda p: (p.total, _activation_peak(_moments(calls, alive, p))))
    if check:
        replay(calls, graph, placement, alive.region)

    moments = _moments(calls, alive, placement)
    worst = max(moments, key=lambda usage: usage.bytes_used)
    return MemoryPlan(
        addresses=_located(alive.home, placement.addresses),
        scratch=tuple(
            placement.addresses[alive.scratch[index]] if index in alive.scratch else None for index in range(len(calls))
        ),
        arena_bytes=placement.total,
        activation_peak_bytes=_activation_peak(moments),
        lower_bound=placement.lower_bound,
        optimal=placement.optimal,
        method=placement.method,
        usage=tuple(moments[1:-1]),
        bottleneck=bottleneck_phrase(worst, graph, calls, placement.total),
        placement=placement,
        states=_located(alive.home, alive.region.offsets),
        region=alive.region,
    )


def _located(home: Mapping[str, str], addresses: Mapping[str, int]) -> dict[str, int]:
    """Addresses of the tensors whose buffers are among those of ``addresses``."""
    return {tensor: addresses[buffer] for tensor, buffer in home.items() if buffer in addresses}


def _placements(alive: Lifetimes, budget: int | None) -> Iterator[Placement]:
    """The smallest arena that can be found, and one that begins with the smallest arena for the tensors alone.

    Where scratch memory decides the size of the arena, the first may waste bytes on tensors elsewhere. The second may
    be larger, or as small and then better.
    """
    first = place(alive.buffers, alive.rules, budget)
    yield first
    tensors = [buffer for buffer in alive.buffers if buffer.kind == "tensor"]
    names = {buffer.name for buffer in tensors}
    rules = [rule for rule in alive.rules if rule.before in names and rule.after in names]
    addresses, total = place_around(alive.buffers, alive.rules, place(tensors, rules, budget).addresses)
    yield replace(first, addresses=addresses, total=total, optimal=total == first.lower_bound)


def _moments(calls: Sequence[KernelCall], alive: Lifetimes, placement: Placement) -> list[StepUsage]:
    """The moment before the run, every step, and the moment after the run."""
    residents = [Resident(buffer, placement.addresses[buffer.name]) for buffer in alive.buffers]
    residents.sort(key=lambda resident: (resident.address, resident.buffer.name))
    names = ["the moment before the run", *(call.name for call in calls), "the moment after the run"]
    inside = [0, *(call.activation_scratch_bytes for call in calls), 0]
    return [
        _usage(index, name, residents, extra)
        for index, (name, extra) in enumerate(zip(names, inside, strict=True), BEFORE_RUN)
    ]


def _activation_peak(moments: Iterable[StepUsage]) -> int:
    return max(usage.activation_bytes for usage in moments)


def _usage(index: int, name: str, residents: Iterable[Resident], inside: int) -> StepUsage:
    live = tuple(resident for resident in residents if resident.buffer.alive(index))
    tensors = [resident for resident in live if resident.buffer.kind == "tensor"]
    return StepUsage(index, name, live, _covered(live), _covered(tensors) + inside)


def _covered(residents: Iterable[Resident]) -> int:
    """Bytes that belong to at least one of ``residents``, which are sorted by address."""
    covered = top = 0
    for resident in residents:
        covered += max(0, resident.end - max(resident.address, top))
        top = max(top, resident.end)
    return covered
