"""The arena over time: a column per operator in the order of execution, addresses from bottom to top."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tinyengine.drawing.scene import Anchor, Line, Rect, Scene, Text, fitting, tick_step
from tinyengine.ir import Graph
from tinyengine.kernels.base import KernelCall
from tinyengine.memory.plan import MemoryPlan
from tinyengine.sizes import format_size

WIDTH, HEIGHT = 1100, 560
LEFT, RIGHT, TOP, BOTTOM = 64, 16, 58, 62
COLORS = {"tensor": "#4c78a8", "input": "#54a24b", "output": "#b279a2", "row buffer": "#f58518", "scratch": "#9a9a9a"}
GRID, INK = "#d9d9d9", "#444444"
LABEL_SIZE = 10
TICKS = 8


@dataclass(frozen=True)
class Box:
    """Bytes ``address`` .. ``address`` + ``size`` - 1 of the arena from step ``first`` to step ``last``, both included;
    step -1 is before the run, and as many as there are calls after it. ``kind``: a key of COLORS."""

    name: str
    kind: str
    address: int
    size: int
    first: int
    last: int
    shape: tuple[int, ...] = ()


def boxes(graph: Graph, calls: Sequence[KernelCall], plan: MemoryPlan) -> list[Box]:
    """Everything that lies in the arena, scratch memory in its parts; by first step, then by address.

    ``calls``: those that were planned, views included.
    """
    residents = {resident.buffer.name: resident for usage in plan.usage for resident in usage.residents}
    inputs, outputs = set(graph.input_tensors()), {_home(calls, name) for name in graph.output_tensors()}
    found: list[Box] = []
    for resident in residents.values():
        buffer, address = resident.buffer, resident.address
        life = buffer.first, buffer.last
        if buffer.kind == "tensor":
            kind = "input" if buffer.name in inputs else "output" if buffer.name in outputs else "tensor"
            shape = tuple(graph.tensor(buffer.name).shape[1:])
            found.append(Box(buffer.name, kind, address, buffer.size, *life, shape))
            continue
        call = calls[buffer.first]
        for part in call.scratch_parts:
            kind = "row buffer" if part.rows else "scratch"
            found.append(Box(part.what, kind, address + part.offset, part.size, *life, part.shape))
        if not call.scratch_parts:
            found.append(Box(f"scratch memory of {call.name}", "scratch", address, buffer.size, *life))
    return sorted(found, key=lambda box: (box.first, box.address))


def _home(calls: Sequence[KernelCall], name: str) -> str:
    """The tensor whose bytes ``name`` is."""
    sources = {call.output: call.inputs[0] for call in calls if call.is_view}
    while name in sources:
        name = sources[name]
    return name


class _Columns:
    """Where each step lies on the x axis: an operator has a column, a stream as many as it has operators, a view none;
    one column more on either side for what is there before and after the run."""

    def __init__(self, calls: Sequence[KernelCall]) -> None:
        widths = [1, *(0 if call.is_view else len(call.operators) for call in calls), 1]
        self.count = sum(widths)
        self._width = (WIDTH - LEFT - RIGHT) / self.count
        self._starts = [0]
        for width in widths:
            self._starts.append(self._starts[-1] + width)

    def start(self, step: int) -> float:
        return LEFT + self._width * self._starts[step + 1]

    def end(self, step: int) -> float:
        return LEFT + self._width * self._starts[step + 2]


def arena_scene(title: str, graph: Graph, calls: Sequence[KernelCall], plan: MemoryPlan) -> Scene:
    """The picture of one plan."""
    scene = Scene(WIDTH, HEIGHT, f"arena of {title} over time")
    columns = _Columns(calls)
    height = HEIGHT - TOP - BOTTOM
    top_address = max(plan.arena_bytes, 1)

    def y_of(address: float) -> float:
        return TOP + height * (1 - address / top_address)

    _axes(scene, title, plan, y_of(0), height)
    labels: list[Text] = []
    for box in boxes(graph, calls, plan):
        x, right = columns.start(box.first), columns.end(box.last)
        y, bottom = y_of(box.address + box.size), y_of(box.address)
        scene.add(Rect(x, y, right - x, bottom - y, COLORS[box.kind], 0.78, "#ffffff", _hover(box, calls)))
        label = "x".join(map(str, box.shape))
        if bottom - y >= LABEL_SIZE + 3 and (label := fitting(label, right - x - 4, LABEL_SIZE)):
            labels.append(Text(x + 3, y + LABEL_SIZE + 1, label, LABEL_SIZE, color="#101010"))
    scene.add(*labels)
    _stages(scene, calls, plan, columns, y_of(0))
    _legend(scene)
    return scene


def _axes(scene: Scene, title: str, plan: MemoryPlan, floor: float, height: float) -> None:
    scene.add(Text(LEFT, 20, f"{title}: arena of {format_size(plan.arena_bytes)}", 15))
    total = max(plan.arena_bytes, 1) / 1024
    step = tick_step(total, TICKS)
    for index in range(int(total / step) + 1):
        y = floor - height * index * step / total
        scene.add(Line(LEFT, y, WIDTH - RIGHT, y, GRID))
        scene.add(Text(LEFT - 6, y + 4, f"{index * step:g} KB", 10, Anchor.END, INK))
    scene.add(Line(LEFT, TOP, WIDTH - RIGHT, TOP, INK, dashed=True))


def _hover(box: Box, calls: Sequence[KernelCall]) -> str:
    shape = f"{'x'.join(map(str, box.shape))}, " if box.shape and box.kind != "row buffer" else ""
    life = f"step {box.first}" if box.first == box.last else f"steps {box.first} to {box.last}"
    ends = dict.fromkeys([_when(box.first, calls), _when(box.last, calls)])
    where = f"{box.size:,} bytes at {box.address:,} .. {box.address + box.size - 1:,}"
    return f"{box.name}\n{box.kind}, {shape}{where}\n{life}: {' to '.join(ends)}"


def _when(step: int, calls: Sequence[KernelCall]) -> str:
    if step < 0:
        return "before the run"
    return calls[step].name if step < len(calls) else "after the run"


def _stages(scene: Scene, calls: Sequence[KernelCall], plan: MemoryPlan, columns: _Columns, floor: float) -> None:
    """Below the axis: a mark per step, a bar per stream, and what each step uses of the arena."""
    peak = max((usage.bytes_used for usage in plan.usage), default=0)
    for step, (call, usage) in enumerate(zip(calls, plan.usage, strict=True)):
        x, right = columns.start(step), columns.end(step)
        if right <= x:
            continue
        worst = usage.bytes_used == peak
        color = "#e45756" if worst else "#f58518" if call.ops else "#c8c8c8"
        hover = (
            f"step {step}: {call.name}\n{usage.bytes_used:,} bytes in use{', the most of all steps' if worst else ''}"
        )
        scene.add(Rect(x + 0.5, floor + 5, right - x - 1, 9, color, hover=hover))
        labels = [f"stream of {len(call.operators)} operators", f"stream of {len(call.operators)}"] if call.ops else []
        room = right - x
        if label := next((text for text in (*labels, str(step)) if fitting(text, room, 9) == text), ""):
            scene.add(Text((x + right) / 2, floor + 26, label, 9, Anchor.MIDDLE, INK))
    scene.add(
        Text(
            (LEFT + WIDTH - RIGHT) / 2,
            floor + 46,
            "step: one kernel call, as wide as it has operators; red where the most bytes are in use",
            11,
            Anchor.MIDDLE,
            INK,
        )
    )


def _legend(scene: Scene) -> None:
    x: float = LEFT
    for kind, color in COLORS.items():
        scene.add(Rect(x, 31, 12, 12, color, 0.78), Text(x + 17, 41, kind, 11, color=INK))
        x += 40 + 6.4 * len(kind)
