"""The Pareto front: SRAM from left to right, what it costs from bottom to top."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from tinyengine.drawing.scene import Anchor, Dot, Line, Scene, Text, tick_step
from tinyengine.report.arena import GRID, INK, WIDTH
from tinyengine.schedule.sweep import FrontPoint
from tinyengine.sizes import format_size

HEIGHT = 340
LEFT, RIGHT, TOP, BOTTOM = 84, 40, 50, 56
COLOR = "#4c78a8"
TICKS = 8


@dataclass(frozen=True)
class _Axis:
    """Values ``low`` .. ``high`` along the pixels ``start`` .. ``end``."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)

    def ticks(self) -> list[float]:
        step = tick_step(self.high - self.low, TICKS)
        return [self.low + index * step for index in range(int((self.high - self.low) / step + 1e-9) + 1)]


def front_scene(title: str, points: Sequence[FrontPoint]) -> Scene:
    """The picture of ``points``, the smallest arena first. Where no schedule recomputes anything, the cost is the
    estimated number of cycles beyond those of the layers."""
    scene = Scene(WIDTH, HEIGHT, f"SRAM of {title} against its cost")
    recomputes = any(point.macs_executed != point.macs for point in points)
    costs = [point.recomputation if recomputes else point.extra_cycles / 1e6 for point in points]
    what = "executed MACs, multiple of the network's" if recomputes else "estimated extra cycles, millions"
    scene.add(Text(LEFT, 20, f"{title}: {what}, against the arena", 15))
    arenas = [point.arena_bytes / 1024 for point in points]
    x_axis = _Axis(0, max(arenas) * 1.05 or 1, LEFT, WIDTH - RIGHT)
    low = 1.0 if recomputes else 0.0
    y_axis = _Axis(low, max(low + (max(costs) - low) * 1.15, low + 0.01), HEIGHT - BOTTOM, TOP)
    for tick in x_axis.ticks():
        scene.add(Line(x_axis(tick), TOP, x_axis(tick), HEIGHT - BOTTOM, GRID))
        scene.add(Text(x_axis(tick), HEIGHT - BOTTOM + 16, f"{tick:g} KB", 10, Anchor.MIDDLE, INK))
    for tick in y_axis.ticks():
        scene.add(Line(LEFT, y_axis(tick), WIDTH - RIGHT, y_axis(tick), GRID))
        scene.add(Text(LEFT - 6, y_axis(tick) + 4, f"{tick:.4g}", 10, Anchor.END, INK))
    places = [(x_axis(arena), y_axis(cost)) for arena, cost in zip(arenas, costs, strict=True)]
    for (x1, y1), (x2, y2) in pairwise(places):
        scene.add(Line(x1, y1, x2, y1, COLOR), Line(x2, y1, x2, y2, COLOR))  # what a cap between the two gives
    for point, (x, y) in zip(points, places, strict=True):
        scene.add(Dot(x, y, 5, COLOR, _hover(point)))
        scene.add(Text(x + 7, y - 7, f"{point.arena_bytes / 1024:.1f}", 10, color=INK))
    scene.add(Text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 14, "arena, KB", 11, Anchor.MIDDLE, INK))
    return scene


def _hover(point: FrontPoint) -> str:
    return (
        f"arena {format_size(point.arena_bytes)}, activations {format_size(point.activation_peak_bytes)}\n"
        f"{point.macs_executed:,} MACs executed, {point.recomputation:.3f} times the network's\n"
        f"about {point.extra_cycles:,} cycles beyond the fastest layers"
    )
