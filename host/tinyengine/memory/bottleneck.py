"""What takes the bytes of a step, in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tinyengine.ir import Graph
from tinyengine.kernels.base import KernelCall
from tinyengine.memory.usage import StepUsage
from tinyengine.sizes import format_size

NAMED_PARTS = 5
"""How many things the phrase about the bottleneck names."""

WORTH_NAMING = 0.05
"""Share of the arena from which on a thing gets a sentence of its own."""


@dataclass(frozen=True)
class Held:
    """``size`` bytes of a step, and what they are for."""

    size: int
    what: str


def held(usage: StepUsage, graph: Graph, calls: Sequence[KernelCall]) -> list[Held]:
    """Everything that is alive in a step, the largest first; scratch memory in its parts. ``calls``: one per step."""
    makers = {name: call.name for call in calls for name in call.outputs}
    parts: list[Held] = []
    for buffer in (resident.buffer for resident in usage.residents):
        if buffer.kind == "tensor":
            shape = "x".join(str(size) for size in graph.tensor(buffer.name).shape[1:])
            maker = makers.get(buffer.name)
            parts.append(Held(buffer.size, f"{f'output of {maker}' if maker else f'input {buffer.name}'} ({shape})"))
        elif buffer.kind == "scratch" and (scratch := calls[usage.index].scratch_parts):
            parts += [Held(part.size, part.what) for part in scratch]
        else:
            parts.append(Held(buffer.size, buffer.kind))
    return sorted(parts, key=lambda part: -part.size)


def bottleneck_phrase(usage: StepUsage, graph: Graph, calls: Sequence[KernelCall], arena_bytes: int) -> str:
    """Without full stop: "44.0 KB of 45.1 KB in step 3 (add): 37.5 KB output of expand (20x20x96), ..."."""
    everything = held(usage, graph, calls)
    parts = [f"{format_size(part.size)} {part.what}" for part in everything[:NAMED_PARTS]]
    if len(everything) > NAMED_PARTS:
        parts.append(f"{len(everything) - NAMED_PARTS} smaller")
    if shared := shared_bytes(usage):
        parts.append(f"of these {format_size(shared)} shared in place")
    when = f"step {usage.index} ({usage.name})" if 0 <= usage.index < len(calls) else usage.name
    return f"{format_size(usage.bytes_used)} of {format_size(arena_bytes)} in {when}: {', '.join(parts) or 'nothing'}"


def bottleneck_sentences(usage: StepUsage, graph: Graph, calls: Sequence[KernelCall], arena_bytes: int) -> list[str]:
    """One per thing that takes a share of the arena worth naming: "22.1 KB of 53.8 KB: row buffer of expand (...)."."""
    sentences = [
        f"{format_size(part.size)} of {format_size(arena_bytes)}: {part.what}."
        for part in held(usage, graph, calls)
        if part.size >= WORTH_NAMING * arena_bytes
    ]
    shared = shared_bytes(usage)
    if shared >= WORTH_NAMING * arena_bytes:
        sentences.append(
            f"{format_size(shared)} of these are counted twice: the output lies over the input that it consumes."
        )
    return sentences


def shared_bytes(usage: StepUsage) -> int:
    """Bytes of things that lie over other things alive in the same step."""
    return sum(resident.buffer.size for resident in usage.residents) - usage.bytes_used
