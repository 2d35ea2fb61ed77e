"""The figures of ``plan``: stages, what each needs, and what decides the size of the arena."""

from __future__ import annotations

from rich.console import Group
from rich.table import Table

from tinyengine.boards import Board
from tinyengine.compiler import CompiledModel
from tinyengine.schedule import Stage
from tinyengine.sizes import exact_size, format_size


def plan_figures(compiled: CompiledModel, board: Board) -> dict[str, object]:
    """What ``plan --json`` prints: the schedule's part of the figures of ``compile``, and what the board has."""
    report = compiled.report()
    keys = (
        *("model", "hash", "cpu", "input", "macs", "macs_executed", "arena_bytes", "arena_lower_bound"),
        *("arena_optimal", "activation_peak_bytes", "bottleneck", "stages"),
    )
    return {key: report[key] for key in keys} | {"board": board.name, "sram_available": board.network_sram_bytes}


def plan_table(compiled: CompiledModel, board: Board) -> Group:
    """A line per stage, and the totals."""
    plan = compiled.plan
    table = Table(title=f"{compiled.graph.name} on {board.name}", title_justify="left")
    for column, justify in (
        *(("stage", "left"), ("operators", "left"), ("output", "right")),
        *(("SRAM", "right"), ("MACs", "right"), ("recomputed", "right")),
    ):
        table.add_column(column, justify=justify)
    usage = iter(plan.usage)
    for stage in compiled.stages:
        sram = max(next(usage).bytes_used for _ in stage.calls)
        if not all(call.is_view for call in stage.calls):
            shape = "x".join(map(str, compiled.graph.tensor(stage.calls[-1].output).shape[1:]))
            extra = f"{stage.macs_executed / stage.macs - 1:.0%}" if stage.macs_executed != stage.macs else ""
            style = "bold" if sram == max(each.bytes_used for each in plan.usage) else None
            macs = f"{stage.macs:,}" if stage.macs else ""
            table.add_row(str(stage.kind), _operators(stage), shape, format_size(sram), macs, extra, style=style)
    executed = sum(stage.macs_executed for stage in compiled.stages)
    fits = "fits" if plan.arena_bytes <= board.network_sram_bytes else "does not fit"
    pushed = any(call.pushed for call in compiled.calls)
    totals = Table.grid(padding=(0, 2))
    totals.add_row("input", "by rows, never there as a whole" if pushed else "whole frames in the arena")
    totals.add_row("work", f"{executed:,} MACs executed, {compiled.macs:,} nominal")
    totals.add_row(
        "SRAM",
        f"{exact_size(plan.arena_bytes)} arena; {format_size(board.network_sram_bytes)} are there for it: {fits}",
    )
    totals.add_row("", plan.bottleneck)
    return Group(table, totals)


def _operators(stage: Stage) -> str:
    operators = stage.operators
    if len(operators) == 1:
        return operators[0].name[-44:]
    return f"{len(operators)}: {operators[0].name[-20:]} .. {operators[-1].name[-20:]}"
