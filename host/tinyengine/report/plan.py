"""The figures of ``plan``: stages, what each needs, what decides the size of the arena, and what less SRAM costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from rich.console import Group
from rich.table import Table

from tinyengine.boards import Board
from tinyengine.compiler import CompiledModel
from tinyengine.drawing import page
from tinyengine.drawing.scene import Scene
from tinyengine.kernels.base import KernelCall
from tinyengine.memory.bottleneck import bottleneck_sentences
from tinyengine.project.budget import fits_sram
from tinyengine.report.arena import arena_scene, boxes
from tinyengine.report.figures import network_figures, output_shapes
from tinyengine.report.front import front_scene
from tinyengine.schedule.sweep import FrontPoint
from tinyengine.sizes import exact_size, format_size

STAGE_TITLES = ("stage", "operators", "output", "SRAM", "MACs", "recomputed")
FRONT_TITLES = ("arena", "activations", "MACs executed", "recomputed", "extra cycles, estimated")


def plan_figures(compiled: CompiledModel, board: Board, front: Sequence[FrontPoint] | None = None) -> dict[str, object]:
    """What ``plan --json`` prints: the schedule's part of the figures of ``compile``, everything that lies in the
    arena, what the board has, and the front where it was asked for."""
    report = network_figures(compiled)
    keys = (
        *("model", "hash", "cpu", "input", "macs", "macs_executed", "arena_bytes", "arena_lower_bound"),
        *("arena_optimal", "activation_peak_bytes", "bottleneck", "hints", "stages"),
    )
    figures = {key: report[key] for key in keys}
    figures["bottlenecks"] = bottlenecks(compiled)
    figures["buffers"] = [asdict(box) for box in boxes(compiled.graph, compiled.planned, compiled.plan)]
    figures |= {"board": board.name, "sram_available": board.network_sram_bytes}
    if front is not None:
        figures["front"] = [asdict(point) for point in front]
    return figures


def bottlenecks(compiled: CompiledModel) -> list[str]:
    """A sentence for each thing that takes much of the arena in the step that uses the most bytes."""
    plan = compiled.plan
    if not plan.usage:
        return []
    worst = max(plan.usage, key=lambda usage: usage.bytes_used)
    return bottleneck_sentences(worst, compiled.graph, compiled.planned, plan.arena_bytes)


def plan_table(compiled: CompiledModel, board: Board, front: Sequence[FrontPoint] | None = None) -> Group:
    """A line per stage, the totals, and the front where it was asked for."""
    plan = compiled.plan
    table = _table(f"{compiled.graph.name} on {board.name}", STAGE_TITLES, left=2)
    for cells, worst in _stage_rows(compiled):
        table.add_row(*cells, style="bold" if worst else None)
    executed = sum(call.macs_executed for call in compiled.planned)
    fits = "fits" if fits_sram(compiled, board) else "does not fit"
    states = f", {exact_size(compiled.states_bytes)} of states" if compiled.states_bytes else ""
    pushed = any(call.pushed for call in compiled.calls)
    totals = Table.grid(padding=(0, 2))
    totals.add_row("input", "by rows, never there as a whole" if pushed else "whole frames in the arena")
    totals.add_row("work", f"{executed:,} MACs executed, {compiled.macs:,} nominal")
    totals.add_row(
        "SRAM",
        f"{exact_size(plan.arena_bytes)} arena{states}; {format_size(board.network_sram_bytes)} are there: {fits}",
    )
    for line in bottlenecks(compiled):
        totals.add_row("", line)
    for hint in compiled.hints:
        totals.add_row("hint", hint)
    parts: list[Table] = [table, totals]
    if front is not None:
        lines = _table("what SRAM costs", FRONT_TITLES)
        for cells in _front_rows(front):
            lines.add_row(*cells)
        parts.append(lines)
    return Group(*parts)


def plan_scenes(compiled: CompiledModel, front: Sequence[FrontPoint] | None = None) -> list[Scene]:
    """The arena over time, and the front where it was asked for."""
    name = compiled.graph.name
    scenes = [arena_scene(name, compiled.graph, compiled.planned, compiled.plan)]
    return [*scenes, front_scene(name, front)] if front else scenes


def plan_page(compiled: CompiledModel, board: Board, front: Sequence[FrontPoint] | None = None) -> str:
    """All of it as one HTML file."""
    arena, *others = plan_scenes(compiled, front)
    parts = [
        page.picture(arena),
        page.heading("What takes the bytes where the most are in use"),
        page.sentences(bottlenecks(compiled)),
        page.heading("Stages"),
        page.table(STAGE_TITLES, [cells for cells, _ in _stage_rows(compiled)], text_columns=2),
    ]
    if front is not None:
        parts += [page.heading("What SRAM costs"), *map(page.picture, others)]
        parts.append(page.table(FRONT_TITLES, _front_rows(front), text_columns=0))
    return page.page(f"{compiled.graph.name} on {board.name}", parts)


def _table(title: str, titles: Sequence[str], left: int = 0) -> Table:
    table = Table(title=title, title_justify="left")
    for index, column in enumerate(titles):
        table.add_column(column, justify="left" if index < left else "right")
    return table


def _stage_rows(compiled: CompiledModel) -> list[tuple[tuple[str, ...], bool]]:
    """Cells under STAGE_TITLES, and whether no stage needs more."""
    rows: list[tuple[tuple[str, ...], bool]] = []
    most = max((each.bytes_used for each in compiled.plan.usage), default=0)
    for call, used in zip(compiled.planned, compiled.plan.usage, strict=True):
        if call.is_view:
            continue
        sram = used.bytes_used
        shape = output_shapes(compiled, call)
        extra = f"{call.recomputed_macs / call.macs:.0%}" if call.recomputed_macs else ""
        macs = f"{call.macs:,}" if call.macs else ""
        rows.append(((str(call.form), _operators(call), shape, format_size(sram), macs, extra), sram == most))
    return rows


def _front_rows(front: Sequence[FrontPoint]) -> list[tuple[str, ...]]:
    """Cells under FRONT_TITLES."""
    return [
        (
            format_size(point.arena_bytes),
            format_size(point.activation_peak_bytes),
            f"{point.macs_executed:,}",
            f"{point.recomputation:.3f}",
            f"{point.extra_cycles:,}",
        )
        for point in front
    ]


def _operators(call: KernelCall) -> str:
    operators = call.operators
    if len(operators) == 1:
        return operators[0].name[-44:]
    return f"{len(operators)}: {operators[0].name[-20:]} .. {operators[-1].name[-20:]}"
