"""When each buffer of the arena is alive, and which buffers may share bytes although both are alive.

Time is counted in steps, one per kernel call: 0 .. n-1. Step -1 is "before the run", when the application fills the
inputs; step n is "after the run", when it reads the outputs. Bounds are inclusive on both ends, so an operator's input
and output are both alive in the operator's step and only an overlap rule lets them share bytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tinyengine.ir import Graph
from tinyengine.kernels.base import KernelCall, Overlap
from tinyengine.memory.error import PlacementError
from tinyengine.memory.states import STATELESS, TENSOR_ALIGN, StateRegion, state_region

BEFORE_RUN = -1
SCRATCH_ALIGN = 8  # whatever a kernel keeps there: int16 columns, int32 sums, structs


@dataclass(frozen=True)
class Buffer:
    """``size`` bytes at one address (a multiple of ``align``) from step ``first`` to step ``last``, both included.

    ``kind`` is for reports: "tensor", "scratch", "state" (of one, while states exchange their values).
    """

    name: str
    size: int
    align: int
    first: int
    last: int
    kind: str = "tensor"

    def alive(self, step: int) -> bool:
        return self.first <= step <= self.last

    def meets(self, other: Buffer) -> bool:
        """Whether there is a step in which both are alive."""
        return self.first <= other.last and other.first <= self.last


@dataclass(frozen=True)
class OverlapRule:
    """``after`` may share bytes with ``before`` although both are alive in some step.

    Allowed is any address(after) <= address(before) - distance, or with ``exact`` only address(after) ==
    address(before); and always disjoint bytes, on either side. See kernels.base.Overlap.
    """

    before: str
    after: str
    distance: int = 0
    exact: bool = False

    def allows(self, before_address: int, after_address: int) -> bool:
        """Whether these addresses satisfy the rule however much the bytes overlap."""
        if self.exact:
            return after_address == before_address
        return after_address <= before_address - self.distance


@dataclass(frozen=True)
class Lifetimes:
    """The placement problem of a network, and where its tensors and scratch memories went in it.

    What lies in ``region`` is no buffer of the arena.
    """

    buffers: tuple[Buffer, ...]
    rules: tuple[OverlapRule, ...]
    home: dict[str, str]  # activation tensor -> its buffer; a view lives in the buffer of what it views
    scratch: dict[int, str]  # step -> its scratch buffer, where it has one
    region: StateRegion = STATELESS


def scratch_name(index: int, call: KernelCall) -> str:
    """Name of the scratch buffer of step ``index`` (unique, and never a tensor's name in a sane graph)."""
    return f"{call.name}/scratch@{index}"


def buffer_homes(calls: Sequence[KernelCall], graph: Graph) -> dict[str, str]:
    """Which buffer holds the bytes of each activation: its own, or through a chain of views another tensor's."""
    home = {name: name for name in graph.sources() if not graph.tensor(name).is_constant}
    for index, call in enumerate(calls):
        for name in call.inputs:
            if name not in home:
                raise PlacementError(f"step {index} ({call.name}) reads {name} before any step has written it")
        if not call.is_view:
            home.update({name: name for name in call.outputs if name not in home})
            continue
        source = call.inputs[0]
        if graph.tensor(source).nbytes != graph.tensor(call.output).nbytes:
            raise PlacementError(f"step {index} ({call.name}) views {source} as {call.output}, which has another size")
        if call.output in home:
            raise PlacementError(f"step {index} ({call.name}) makes {call.output} a view, but it already has bytes")
        home[call.output] = home[source]
    return home


def lifetimes(calls: Sequence[KernelCall], graph: Graph) -> Lifetimes:
    """Buffers and overlap rules of ``calls`` executed in order. Constants live in flash and are no buffers."""
    home = buffer_homes(calls, graph)
    results = [name for name in graph.results() if not graph.tensor(name).is_constant]
    for name in results:
        if name not in home:
            raise PlacementError(f"output {name} is written by no step")

    # first write .. last read of every buffer; a buffer that several calls write lives from the first of them
    span: dict[str, tuple[int, int]] = {home[name]: (BEFORE_RUN, BEFORE_RUN) for name in graph.sources()}
    for index, call in enumerate(calls):
        if call.is_view:
            continue  # moves no byte
        for name in (home[tensor] for tensor in (*call.inputs, *call.outputs)):
            first, _ = span.get(name, (index, index))
            span[name] = (first, index)
    for name in results:
        span[home[name]] = (span[home[name]][0], len(calls))

    rules = [rule for index, call in enumerate(calls) for rule in _rules_of(index, call, home, span)]
    region = state_region(graph, home, span, {(rule.before, rule.after) for rule in rules if rule.allows(0, 0)})
    buffers = [
        Buffer(name, graph.tensor(name).nbytes, TENSOR_ALIGN, *life)
        for name, life in span.items()
        if name not in region.offsets
    ]
    after = len(calls)
    buffers += [Buffer(name, size, TENSOR_ALIGN, after, after, "state") for name, size in region.detours.items()]
    scratch: dict[int, str] = {}
    for index, call in enumerate(calls):
        if call.scratch_bytes:
            scratch[index] = scratch_name(index, call)
            buffers.append(Buffer(scratch[index], call.scratch_bytes, SCRATCH_ALIGN, index, index, "scratch"))
    rules = [rule for rule in rules if rule.before not in region.offsets and rule.after not in region.offsets]
    return Lifetimes(tuple(buffers), tuple(rules), home, scratch, region)


def _rules_of(
    index: int, call: KernelCall, home: dict[str, str], span: dict[str, tuple[int, int]]
) -> Iterator[OverlapRule]:
    """The call's overlap rules that count here.

    An input may be overlapped only if nobody reads it later (it dies in this step), and only by an output that starts
    to live in this step: one that other calls have already filled in part has met the input before.
    """
    for output, after in enumerate(home[name] for name in call.outputs):
        if call.is_view or span[after][0] != index:
            continue
        claims: dict[str, list[Overlap | None]] = {}
        for position, name in enumerate(call.inputs):
            claims.setdefault(home[name], []).append(call.overlap(position, output))
        for before, overlaps in claims.items():
            overlap = _strictest(overlaps)
            if overlap is not None and before != after and span[before][1] == index:
                yield OverlapRule(before, after, overlap.distance, overlap.exact)


def _strictest(overlaps: list[Overlap | None]) -> Overlap | None:
    """One rule that implies all of ``overlaps``: the inputs of a call may be the same buffer twice."""
    given = [overlap for overlap in overlaps if overlap is not None]
    if len(given) < len(overlaps):
        return None
    distance = max((overlap.distance for overlap in given if not overlap.exact), default=0)
    if not any(overlap.exact for overlap in given):
        return Overlap(distance)
    return Overlap(exact=True) if distance <= 0 else None
