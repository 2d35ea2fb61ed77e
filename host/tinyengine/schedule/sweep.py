"""What SRAM costs in work: schedules under a row of caps, and of them those that no other beats."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tinyengine.ir import Graph
from tinyengine.kernels.base import Target
from tinyengine.schedule.search import Schedule, below, fastest, planned, smallest_of_each, space_of

CAPS = 6
"""Caps that are tried between the smallest arena and that of the fastest schedule."""


@dataclass(frozen=True)
class FrontPoint:
    """One schedule. ``extra_cycles``: of the target's core, estimated, beyond those of the layers with the fastest
    kernels."""

    arena_bytes: int
    activation_peak_bytes: int
    macs: int
    macs_executed: int
    extra_cycles: int

    @property
    def recomputation(self) -> float:
        """Executed over nominal MACs."""
        return self.macs_executed / self.macs if self.macs else 1.0

    def beats(self, other: FrontPoint) -> bool:
        """At least as good in everything, and better in something."""
        mine = self.arena_bytes, self.macs_executed, self.extra_cycles
        others = other.arena_bytes, other.macs_executed, other.extra_cycles
        return mine != others and all(a <= b for a, b in zip(mine, others, strict=True))


def sweep(
    graph: Graph,
    target: Target,
    *,
    rows: bool = False,
    caps: int = CAPS,
    recompute: Sequence[float] = (),
) -> list[FrontPoint]:
    """The front of ``graph`` (after its passes), the smallest arena first; ``rows`` as in :func:`schedule`.

    ``recompute``: caps on executed over nominal multiply-accumulates; of each the smallest arena is a point too.
    """
    fast, small = (space_of(graph, replace(target, optimize=goal), rows) for goal in ("time", "sram"))
    top = _point(planned(fast, fastest(fast)))
    bottom, *smaller = (_point(found) for found in smallest_of_each(small, [1.0, *recompute]))
    points = [top, bottom, *smaller]
    ratio = top.arena_bytes / max(bottom.arena_bytes, 1)
    if ratio > 1:
        for index in range(caps, -1, -1):  # from above: what a space lists below one cap serves all lower ones
            found = below(fast, small, round(bottom.arena_bytes * ratio ** (index / (caps + 1))))
            points += [_point(found)] if found else []
    kept = {point for point in points if not any(other.beats(point) for other in points)}
    return sorted(kept, key=lambda point: (point.arena_bytes, point.macs_executed))


def _point(found: Schedule) -> FrontPoint:
    return FrontPoint(
        found.plan.arena_bytes,
        found.plan.activation_peak_bytes,
        sum(call.macs for call in found.calls),
        sum(call.macs_executed for call in found.calls),
        found.cost,
    )
