"""The debug oracle of memory plans: executes the reads and writes of every call on an arena of labelled bytes.

Every byte of the arena remembers which byte of which buffer was last written there, and when. A read that finds
anything else than the byte it came for raises PlacementError with the step, the buffer, the byte, and who destroyed it.
The oracle does not look at lifetimes and does not trust overlap rules: where a call's input and output share bytes,
it follows the call's declared accesses block by block.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from tinyengine.ir import Graph
from tinyengine.kernels.base import Access, KernelCall
from tinyengine.memory.error import PlacementError
from tinyengine.memory.lifetime import BEFORE_RUN, SCRATCH_ALIGN, buffer_homes, scratch_name
from tinyengine.memory.placement import Placement
from tinyengine.memory.states import STATELESS, TENSOR_ALIGN, StateRegion
from tinyengine.sizes import round_up


class Arena:
    """``size`` bytes that know what they hold: (buffer, offset within it), or nothing."""

    def __init__(self, size: int) -> None:
        self._holds = np.full(size, -1, np.int64)  # buffer number << 32 | offset
        self._written_in = np.full(size, BEFORE_RUN, np.int32)
        self._names: list[str] = []
        self._bases: dict[str, tuple[int, int]] = {}  # name -> (label of byte 0, address)
        self.now = BEFORE_RUN
        self.doing = "before the run"

    def add(self, name: str, address: int, size: int, align: int, limit: int) -> None:
        """Announce a buffer. Raises PlacementError if it reaches beyond ``limit``, or lies not on its alignment."""
        if not 0 <= address <= limit - size:
            raise PlacementError(f"{name}, {size} bytes at {address}, does not lie in the arena of {limit} bytes")
        if address % align:
            raise PlacementError(f"{name} at address {address} is not aligned to {align} bytes")
        self._bases[name] = (len(self._names) << 32, address)
        self._names.append(name)

    def write(self, name: str, low: int, high: int) -> None:
        """Bytes low .. high-1 of the buffer become its own."""
        label, address = self._bases[name]
        self._holds[address + low : address + high] = np.arange(label + low, label + high)
        self._written_in[address + low : address + high] = self.now

    def forget(self, low: int, high: int) -> None:
        """Somebody else has written bytes low .. high-1 of the arena."""
        self._holds[low:high] = -1

    def copy(self, source: str, target: str, size: int) -> None:
        """The first ``size`` bytes of one buffer, whatever they are, to where another one lies."""
        (_, old), (_, new) = self._bases[source], self._bases[target]
        self._holds[new : new + size] = self._holds[old : old + size]
        self._written_in[new : new + size] = self.now

    def read(self, name: str, low: int, high: int, at: str | None = None) -> None:
        """Raises PlacementError unless bytes low .. high-1 of the buffer are all there; ``at``: where that buffer lies
        instead."""
        label = self._bases[name][0]
        _, address = self._bases[at or name]
        found = self._holds[address + low : address + high]
        wrong = found != np.arange(label + low, label + high)
        if wrong.any():
            self._complain(name, low + int(wrong.argmax()), address)

    def _complain(self, name: str, offset: int, address: int) -> None:
        holds, when = int(self._holds[address + offset]), int(self._written_in[address + offset])
        if holds < 0:
            finds = "a byte that nobody has written"
        else:
            finds = f"byte {holds & 0xFFFFFFFF} of {self._names[holds >> 32]}, written in step {when}"
        raise PlacementError(
            f"step {self.now} ({self.doing}) needs byte {offset} of {name} at address {address + offset} "
            f"and finds {finds}"
        )


def replay(calls: Sequence[KernelCall], graph: Graph, placement: Placement, region: StateRegion = STATELESS) -> None:
    """Execute ``calls`` on labelled bytes: once, or with states in ``region`` twice in a row. Returns if every read
    found its bytes, the outputs survive, and the second run began with what the first one left in the states."""
    home = buffer_homes(calls, graph)
    behind = round_up(placement.total, SCRATCH_ALIGN)  # the region, so that no buffer of the arena may reach into it
    addresses = {**placement.addresses, **{name: behind + offset for name, offset in region.offsets.items()}}
    arena = Arena(behind + region.size)
    for name in dict.fromkeys(home.values()):
        limit = behind + region.size if name in region.offsets else placement.total
        arena.add(name, addresses[name], graph.tensor(name).nbytes, TENSOR_ALIGN, limit)
    for index, call in enumerate(calls):
        if call.scratch_bytes:
            name = scratch_name(index, call)
            arena.add(name, addresses[name], call.scratch_bytes, SCRATCH_ALIGN, placement.total)
    for name, size in region.detours.items():
        arena.add(name, addresses[name], size, TENSOR_ALIGN, placement.total)
    for state in graph.states:
        arena.write(state.tensor, 0, graph.tensor(state.tensor).nbytes)

    for _ in range(2 if graph.states else 1):
        _run(arena, calls, graph, home, addresses)
        _end(arena, len(calls), graph, home, region)
        arena.forget(0, placement.total)  # whoever calls the network may use the arena in between


def _run(
    arena: Arena, calls: Sequence[KernelCall], graph: Graph, home: Mapping[str, str], addresses: Mapping[str, int]
) -> None:
    arena.now, arena.doing = BEFORE_RUN, "before the run"
    for name in graph.input_tensors():
        arena.write(home[name], 0, graph.tensor(name).nbytes)
    writers = Counter(home[name] for call in calls if not call.is_view for name in call.outputs)
    for index, call in enumerate(calls):
        if not call.is_view:
            arena.now, arena.doing = index, call.name
            _execute(arena, call, index, graph, home, addresses)
            for name in call.outputs:
                if writers[home[name]] == 1:  # complete with this call
                    arena.read(home[name], 0, graph.tensor(name).nbytes)


def _end(arena: Arena, step: int, graph: Graph, home: Mapping[str, str], region: StateRegion) -> None:
    """The end of a run: states are copied, outputs read; each state must hold its next value, which is its value from
    now on."""
    arena.now, arena.doing = step, "after the run"
    for copy in region.copies:
        arena.copy(copy.source, copy.target, copy.size)
    for name in graph.output_tensors():
        if name in home:
            arena.read(home[name], 0, graph.tensor(name).nbytes)
    for state in graph.states:
        arena.read(home[state.update], 0, graph.tensor(state.tensor).nbytes, at=state.tensor)
    for state in graph.states:
        arena.write(state.tensor, 0, graph.tensor(state.tensor).nbytes)


def _execute(
    arena: Arena,
    call: KernelCall,
    index: int,
    graph: Graph,
    home: Mapping[str, str],
    addresses: Mapping[str, int],
) -> None:
    """One call."""
    access = call.access or _all_at_once(call, graph)
    scratch = scratch_name(index, call)
    if call.scratch_bytes:  # may be written at any time during the call, so from its first moment to its last
        arena.write(scratch, 0, call.scratch_bytes)

    shared = []  # inputs that share bytes with an output: order matters
    for position, name in enumerate(call.inputs):
        low, high = access.reads[position]
        source = addresses[home[name]], graph.tensor(name).nbytes
        over = [k for k, y in enumerate(call.outputs) if _shares(*source, addresses[home[y]], graph.tensor(y).nbytes)]
        for output in over:
            _check_claim(call, index, (position, output), home, addresses)
        if over:
            shared.append((home[name], low, high))
        for start, end in _merged(low, high):
            arena.read(home[name], start, end)

    if not shared:
        for name, (low, high) in zip(call.outputs, access.writes, strict=True):
            for start, end in _merged(low, high):
                arena.write(home[name], start, end)
    else:
        for block in range(len(access.writes[0][0])):
            for name, low, high in shared:
                arena.read(name, int(low[block]), int(high[block]))
            for name, (low, high) in zip(call.outputs, access.writes, strict=True):
                arena.write(home[name], int(low[block]), int(high[block]))
    if call.scratch_bytes:
        arena.read(scratch, 0, call.scratch_bytes)


def _all_at_once(call: KernelCall, graph: Graph) -> Access:
    """The accesses of a call that declares none: one block that reads all inputs and writes all outputs."""

    def everything(name: str) -> tuple[np.ndarray, np.ndarray]:
        return np.array([0]), np.array([graph.tensor(name).nbytes])

    return Access(*(tuple(everything(name) for name in names) for names in (call.inputs, call.outputs)))


def _merged(low: np.ndarray, high: np.ndarray) -> list[tuple[int, int]]:
    """The union of ranges as sorted ranges with gaps between them."""
    order = np.argsort(low, kind="stable")
    order = order[(high > low)[order]]
    if not len(order):
        return []
    low, reach = low[order], np.maximum.accumulate(high[order])
    starts = np.flatnonzero(np.append(True, low[1:] > reach[:-1]))
    ends = np.append(starts[1:], len(low)) - 1
    return [(int(a), int(b)) for a, b in zip(low[starts], reach[ends], strict=True)]


def _shares(a: int, a_size: int, b: int, b_size: int) -> bool:
    return a < b + b_size and b < a + a_size


def _check_claim(
    call: KernelCall, index: int, pair: tuple[int, int], home: Mapping[str, str], addresses: Mapping[str, int]
) -> None:
    """An input shares bytes with an output: the call must have said that it can stand that."""
    x, y = call.inputs[pair[0]], call.outputs[pair[1]]
    if home[x] == home[y]:
        return  # a call that updates a tensor
    overlap = call.overlap(*pair)
    if overlap is None:
        raise PlacementError(f"step {index} ({call.name}) writes {y} over its input {x}, which it must not")
    if overlap.exact and addresses[home[x]] != addresses[home[y]]:
        raise PlacementError(
            f"step {index} ({call.name}) works in place, but {y} and {x} share bytes at different addresses"
        )
