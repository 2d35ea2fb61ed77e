"""The memory plan of a network: from kernel calls in execution order to addresses, figures and a bottleneck."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tinyengine.ir import Graph
from tinyengine.kernels.base import KernelCall
from tinyengine.memory.lifetime import BEFORE_RUN, Buffer, Step, lifetimes
from tinyengine.memory.placement import Placement, place
from tinyengine.memory.replay import replay


@dataclass(frozen=True)
class Resident:
    """A buffer that is alive in some step, at its address in the arena."""

    buffer: Buffer
    address: int

    @property
    def end(self) -> int:
        return self.address + self.buffer.size


@dataclass(frozen=True)
class StepUsage:
    """What the arena holds during one step; residents sorted by address.

    ``bytes_used`` counts the bytes that belong to at least one resident (an overlapped byte once, padding and holes
    not at all), ``activation_bytes`` the same for tensors only.
    """

    index: int
    name: str
    residents: tuple[Resident, ...]
    bytes_used: int
    activation_bytes: int


@dataclass(frozen=True)
class MemoryPlan:
    """Where everything lies, and what it costs. All figures in bytes.

    ``addresses``: every activation tensor, views included (a view has the address of what it views).
    ``scratch``: per call, the address of its scratch memory, None if it needs none.
    ``arena_bytes``: the static array that the firmware reserves, everything included.
    ``activation_peak_bytes``: activations alone, as papers count: the maximum over the steps (and the moments before
    and after the run) of the number of arena bytes that belong to at least one live tensor. A byte in which an
    output lies over the input that it consumes counts once, exactly as far as this placement lets them overlap;
    scratch memory, padding and holes do not count.
    ``lower_bound``: no placement of the same buffers under the same rules is smaller; ``optimal`` if it is reached.
    ``usage``: one entry per call, in order; in between 0 and n-1, without the moments before and after the run.
    ``bottleneck``: a sentence about the step that uses the most bytes.
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


def plan(graph: Graph, calls: Sequence[KernelCall], *, budget: int | None = None, check: bool = True) -> MemoryPlan:
    """Plan the arena for ``calls`` executed in this order.

    ``budget`` limits the nodes of branch and bound (see placement.place). ``check`` replays the plan byte by byte.
    Raises PlacementError if the calls contradict the graph or, which would be a bug, the replay finds a wrong byte.
    """
    steps = [Step(call.op.name, call) for call in calls]
    alive = lifetimes(steps, graph)
    placement = place(alive.buffers, alive.rules, budget)
    if check:
        replay(steps, graph, placement)

    residents = [Resident(buffer, placement.addresses[buffer.name]) for buffer in alive.buffers]
    residents.sort(key=lambda resident: (resident.address, resident.buffer.name))
    usage = tuple(_usage(index, step.name, residents) for index, step in enumerate(steps))
    before, after = (_usage(index, "", residents) for index in (BEFORE_RUN, len(steps)))
    moments = {f"in step {entry.index} ({entry.name})": entry for entry in usage}
    moments |= {"before the run": before, "after the run": after}
    when, worst = max(moments.items(), key=lambda moment: moment[1].bytes_used)
    return MemoryPlan(
        addresses={tensor: placement.addresses[home] for tensor, home in alive.home.items()},
        scratch=tuple(
            placement.addresses[alive.scratch[index]] if index in alive.scratch else None for index in range(len(steps))
        ),
        arena_bytes=placement.total,
        activation_peak_bytes=max(entry.activation_bytes for entry in moments.values()),
        lower_bound=placement.lower_bound,
        optimal=placement.optimal,
        method=placement.method,
        usage=usage,
        bottleneck=_bottleneck(worst, when, graph, placement.total),
        placement=placement,
    )


def _usage(index: int, name: str, residents: Iterable[Resident]) -> StepUsage:
    live = tuple(resident for resident in residents if resident.buffer.alive(index))
    tensors = [resident for resident in live if resident.buffer.kind == "tensor"]
    return StepUsage(index, name, live, _covered(live), _covered(tensors))


def _covered(residents: Iterable[Resident]) -> int:
    """Bytes that belong to at least one of ``residents``, which are sorted by address."""
    covered = top = 0
    for resident in residents:
        covered += max(0, resident.end - max(resident.address, top))
        top = max(top, resident.end)
    return covered


def _bottleneck(usage: StepUsage, when: str, graph: Graph, arena_bytes: int) -> str:
    """A sentence: "44.0 KB of 45.1 KB in step 3 (project): 37.5 KB x (20x20x96), ..."."""
    largest_first = sorted(usage.residents, key=lambda resident: -resident.buffer.size)
    parts = [f"{_kb(resident.buffer.size)} {_describe(resident.buffer, graph)}" for resident in largest_first]
    shared = sum(resident.buffer.size for resident in usage.residents) - usage.bytes_used
    if shared:
        parts.append(f"of these {_kb(shared)} shared in place")
    return f"{_kb(usage.bytes_used)} of {_kb(arena_bytes)} {when}: {', '.join(parts) or 'nothing'}."


def _describe(buffer: Buffer, graph: Graph) -> str:
    if buffer.kind != "tensor":
        return buffer.kind
    return f"{buffer.name} ({'x'.join(str(size) for size in graph.tensor(buffer.name).shape[1:])})"


def _kb(size: int) -> str:
    return f"{size / 1024:.1f} KB"
