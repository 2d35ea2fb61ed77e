"""The figures of ``compile`` as a table."""

from __future__ import annotations

from rich.console import Group, JustifyMethod
from rich.table import Table

from tinyengine.boards import Board
from tinyengine.compiler import CompiledModel
from tinyengine.project.budget import Verdict
from tinyengine.report.figures import int8_sentence, output_shapes
from tinyengine.report.storage import storage_sentence
from tinyengine.sizes import format_size


def compile_table(compiled: CompiledModel, verdict: Verdict, board: Board | None) -> Group:
    """Layers and totals; without a board, what a network takes of any."""
    table = Table(title=f"{compiled.graph.name} ({compiled.model_hash})", title_justify="left")
    columns: dict[str, JustifyMethod] = {"layer": "left", "output": "right", "MACs": "right", "kernel": "left"}
    for column, justify in columns.items():
        table.add_column(column, justify=justify)
    for call in compiled.calls:
        shape = output_shapes(compiled, call)
        table.add_row(call.op.name[-44:], shape, f"{call.macs:,}" if call.macs else "", call.function)
    code = format_size(verdict.code.flash) if verdict.code else "not measured, no compiler"
    plan = compiled.plan
    totals = Table.grid(padding=(0, 2))
    totals.add_row("work", f"{compiled.macs:,} MACs")
    proof = "proven smallest for this order" if plan.optimal else f"lower bound {format_size(plan.lower_bound)}"
    totals.add_row(
        "SRAM",
        f"{format_size(plan.arena_bytes)} arena{_of(verdict.sram_available)} ({proof})",
    )
    totals.add_row("", plan.bottleneck)
    if compiled.states_bytes:
        totals.add_row("", f"{format_size(compiled.states_bytes)} of states beside it, which outlive a run")
    if compiled.training:
        layout, gradients = compiled.training.layout, compiled.training.gradients
        totals.add_row(
            "training",
            f"{compiled.training.scheme.name}: {format_size(layout.size)} of state beside the arena, "
            f"{layout.trained_weights:,} weights and {layout.trained_biases:,} biases with the classifier's",
        )
        if compiled.velocity_bytes:
            totals.add_row("", f"{format_size(compiled.velocity_bytes)} of velocities, for momentum and batches")
        if gradients != "int16":
            totals.add_row("", f"gradients in {gradients}")
        if board is not None:
            totals.add_row("storage", storage_sentence(compiled, board))
    totals.add_row(
        "flash",
        f"{format_size(compiled.weight_bytes)} weights, {code} code{_of(verdict.flash_available, ', of ')}",
    )
    for hint in compiled.hints:
        totals.add_row("hint", hint)
    saving = int8_sentence(compiled)
    if saving:
        totals.add_row("type", saving)
    return Group(table, totals)


def _of(available: int | None, before: str = " of ") -> str:
    """What there is, where that is known."""
    return "" if available is None else f"{before}{format_size(available)}"
