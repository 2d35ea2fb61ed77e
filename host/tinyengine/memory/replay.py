"""The debug oracle of memory plans: executes the reads and writes of every step on an arena of labelled bytes.

Every byte of the arena remembers which byte of which buffer was last written there, and when. A read that finds
anything else than the byte it came for raises PlacementError with the step, the buffer, the byte, and who destroyed it.
The oracle does not look at lifetimes and does not trust overlap rules: where a call's input and output share bytes,
it follows the call's declared accesses block by block.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np

from tinyengine.ir import Graph
from tinyengine.kernels.base import Access, KernelCall
from tinyengine.memory.error import PlacementError
from tinyengine.memory.lifetime import (
    BEFORE_RUN,
    SCRATCH_ALIGN,
    TENSOR_ALIGN,
    Step,
    buffer_homes,
    scratch_name,
    usable_overlap,
)


class Addresses(Protocol):
    """What replay needs of a Placement: an address for every tensor that is no view, and for every scratch buffer."""

    @property
    def addresses(self) -> Mapping[str, int]: ...
    @property
    def total(self) -> int: ...


class Arena:
    """``size`` bytes that know what they hold: (buffer, offset within it), or nothing."""

    def __init__(self, size: int) -> None:
        self._holds = np.full(size, -1, np.int64)  # buffer number << 32 | offset
        self._written_in = np.full(size, BEFORE_RUN, np.int32)
        self._names: list[str] = []
        self._bases: dict[str, tuple[int, int]] = {}  # name -> (label of byte 0, address)
        self.now = BEFORE_RUN
        self.doing = "before the run"

    def add(self, name: str, address: int, size: int, align: int) -> None:
        """Announce a buffer. Raises PlacementError if it does not lie in the arena, or not on its alignment."""
        if not 0 <= address <= len(self._holds) - size:
            raise PlacementError(
                f"{name}, {size} bytes at {address}, does not lie in the arena of {len(self._holds)} bytes"
            )
        if address % align:
            raise PlacementError(f"{name} at address {address} is not aligned to {align} bytes")
        self._bases[name] = (len(self._names) << 32, address)
        self._names.append(name)

    def write(self, name: str, low: int, high: int) -> None:
        """Bytes low .. high-1 of the buffer become its own."""
        label, address = self._bases[name]
        self._holds[address + low : address + high] = np.arange(label + low, label + high)
        self._written_in[address + low : address + high] = self.now

    def read(self, name: str, low: int, high: int) -> None:
        """Raises PlacementError unless bytes low .. high-1 of the buffer are all there."""
        label, address = self._bases[name]
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


def replay(steps: Sequence[Step], graph: Graph, placement: Addresses) -> None:
    """Execute ``steps`` on labelled bytes. Returns if every read found its bytes and the outputs survive."""
    home = buffer_homes(steps, graph)
    arena = Arena(placement.total)
    for name in dict.fromkeys(home.values()):
        arena.add(name, placement.addresses[name], graph.tensor(name).nbytes, TENSOR_ALIGN)
    for index, step in enumerate(steps):
        if step.call.scratch_bytes:
            name = scratch_name(index, step)
            arena.add(name, placement.addresses[name], step.call.scratch_bytes, SCRATCH_ALIGN)

    for name in graph.input_tensors():
        arena.write(home[name], 0, graph.tensor(name).nbytes)
    writers = [home[step.call.output] for step in steps if not step.call.is_view]
    for index, step in enumerate(steps):
        if not step.call.is_view:
            arena.now, arena.doing = index, step.name
            output = home[step.call.output]
            _execute(arena, step, index, graph, home, placement.addresses, whole=writers.count(output) == 1)
    arena.now, arena.doing = len(steps), "after the run"
    for name in graph.output_tensors():
        if name in home:
            arena.read(home[name], 0, graph.tensor(name).nbytes)


def _execute(
    arena: Arena,
    step: Step,
    index: int,
    graph: Graph,
    home: Mapping[str, str],
    addresses: Mapping[str, int],
    whole: bool,
) -> None:
    """One call. ``whole``: it alone writes its output, which must be complete afterwards."""
    call = step.call
    output, size = home[call.output], graph.tensor(call.output).nbytes
    access = call.access or _all_at_once(call, graph)
    scratch = scratch_name(index, step)
    if call.scratch_bytes:  # may be written at any time during the call, so from its first moment to its last
        arena.write(scratch, 0, call.scratch_bytes)

    shared = []  # inputs that share bytes with the output: order matters
    for position, name in enumerate(call.inputs):
        low, high = access.reads[position]
        if _shares(addresses[home[name]], graph.tensor(name).nbytes, addresses[output], size):
            _check_claim(step, index, position, addresses[home[name]] == addresses[output], home[name] == output)
            shared.append((home[name], low, high))
        for start, end in _merged(low, high):
            arena.read(home[name], start, end)

    low, high = access.write
    if not shared:
        for start, end in _merged(low, high):
            arena.write(output, start, end)
    else:
        for block in range(len(low)):
            for name, read_low, read_high in shared:
                arena.read(name, int(read_low[block]), int(read_high[block]))
            arena.write(output, int(low[block]), int(high[block]))
    if whole:
        arena.read(output, 0, size)
    if call.scratch_bytes:
        arena.read(scratch, 0, call.scratch_bytes)


def _all_at_once(call: KernelCall, graph: Graph) -> Access:
    """The accesses of a call that declares none: one block that reads all inputs and writes all of the output."""

    def everything(name: str) -> tuple[np.ndarray, np.ndarray]:
        return np.array([0]), np.array([graph.tensor(name).nbytes])

    return Access(tuple(everything(name) for name in call.inputs), everything(call.output))


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


def _check_claim(step: Step, index: int, position: int, same_address: bool, same_buffer: bool) -> None:
    """An input shares bytes with the output: the call must have said that it can stand that."""
    call = step.call
    overlap = call.overlaps[position] if position < len(call.overlaps) else None
    overlap = usable_overlap(call, overlap)
    if same_buffer:
        return  # a call that updates a tensor
    if overlap is None:
        raise PlacementError(
            f"step {index} ({step.name}) writes {call.output} over its input {call.inputs[position]}, which it must not"
        )
    if overlap.exact and not same_address:
        raise PlacementError(
            f"step {index} ({step.name}) works in place, but {call.output} and {call.inputs[position]} "
            "share bytes at different addresses"
        )
