"""What the weights of a language model cost, as tables."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from tinyengine.language.choices import Cost
from tinyengine.language.convert import Conversion


def print_conversion(result: Conversion) -> None:
    """The summary on standard output."""
    console = Console(highlight=False, soft_wrap=True)
    console.print(
        f"[bold]{result.out}[/]: {result.bytes:,} bytes, {result.parameters:,} parameters, {result.choice}; remembers "
        f"{result.window} tokens"
        + (f", the first {result.sinks} of them for ever" if result.sinks else "")
        + (f", {result.kept} of them for the attention that they receive" if result.kept else "")
    )
    if result.dropped:
        heads = ", ".join(f"{each.key_head} of layer {each.layer} ({each.loss:+.4f})" for each in result.dropped)
        console.print(f"dropped key heads, and nats per token that each alone costs: {heads}")
    found = result.comparison
    console.print(
        f"calibrated on {result.calibrated_on}; held-out text: float {found.float_cross_entropy:.4f} nats per token"
    )
    console.print(_table("weights", found.costs))
    if found.matrices:
        console.print(_table("one kind of matrix alone in 4 bits", found.matrices))
        console.print(f"'{found.worst_matrix}' loses most")
    if found.activations:
        console.print(
            _table("for comparison: activations of 8 bits too (the device computes with 16)", found.activations)
        )


def _table(title: str, costs: Sequence[Cost]) -> Table:
    table = Table(title=title, title_justify="left", box=None)
    table.add_column("", no_wrap=True)
    for column in ("nats per token", "above float", "standard error", "same next token"):
        table.add_column(column, justify="right")
    for cost in costs:
        figures = f"{cost.cross_entropy:.4f}", f"{cost.loss:+.4f}", f"{cost.error:.4f}", f"{100 * cost.agreement:.1f} %"
        table.add_row(cost.name, *figures)
    return table
