"""Prints what is known of the parts of a super-network."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from tinyengine.supernet.judged import Judged
from tinyengine.supernet.predictor import Predictor


def print_judged(networks: Sequence[Judged]) -> None:
    """One line per sub-network on standard output."""
    table = Table(box=None, header_style="bold")
    for title in ("sub-network", "input", "MACs", "params", "inherited accuracy", "cross entropy"):
        table.add_column(title, justify="left" if title == "sub-network" else "right")
    for each in networks:
        found = each.inherited
        right, entropy = ("-", "-") if found is None else (f"{found.accuracy:.1f} %", f"{found.cross_entropy:.4f}")
        size = f"{each.resolution}x{each.resolution}"
        table.add_row(each.arch, size, f"{each.macs / 1e6:.2f} M", f"{each.parameters / 1e6:.2f} M", right, entropy)
    Console(highlight=False).print(table)


def print_predictor(predictor: Predictor) -> None:
    """How good it is."""
    Console(highlight=False).print(
        f"{predictor.networks} sub-networks judged; left out in turn, their cross entropy is predicted with an error "
        f"of {predictor.error:.4f} and a rank correlation of {predictor.rank:.2f}"
    )
