"""Prints and draws what an architecture search found."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.table import Table

from tinyengine.errors import DataError
from tinyengine.optional import pyplot
from tinyengine.search.evolve import Scored
from tinyengine.search.run import SearchResult
from tinyengine.sizes import format_size

_PAIRS = 5
_LINES = 12


def print_search(result: SearchResult) -> None:
    """The summary on standard output."""
    console = Console(highlight=False)
    survey = result.survey
    console.print(
        f"{survey.samples:,} architectures estimated, {survey.per_minute:,.0f} a minute; best resolutions and widths"
    )
    pairs = _table("resolution", "width", "fitting", "MACs (80 % quantile)")
    for pair in survey.pairs[:_PAIRS]:
        pairs.add_row(str(pair.resolution), f"{pair.width:g}", f"{pair.fitting:.0%}", f"{pair.macs / 1e6:.2f} M")
    console.print(pairs)
    console.print(f"{result.scored} scored at {result.pair.resolution} pixels, width {result.pair.width:g}; the front")
    table = _table("score", "instructions", "SRAM", "flash", "MACs", "blocks")
    for each in result.front[:_LINES]:
        costs = each.costs
        network = each.architecture.network(result.classes)
        table.add_row(
            f"{each.score:.1f}" + (" *" if each is result.best else ""),
            f"{costs.instructions / 1e6:.2f} M" + ("" if each.measured else " (est.)"),
            format_size(costs.sram),
            format_size(costs.flash),
            f"{costs.macs / 1e6:.2f} M",
            str(len(network.blocks)),
        )
    console.print(table)
    if len(result.front) > _LINES:
        console.print(f"and {len(result.front) - _LINES} more (--json has them all)")
    errors = ", ".join(f"{name} {error:.1%}" for name, error in result.estimate_error.items())
    console.print(f"largest error of the estimate: {errors}")
    console.print(f"wrote {result.out} (*)")


def plot_search(result: SearchResult, path: Path) -> None:
    """Score against instructions, coloured by SRAM, sized by flash. Raises ToolError and DataError."""
    plt = pyplot("draw the front")
    figure, axes = plt.subplots(figsize=(7, 4.5), layout="constrained")
    members = result.front
    flash = [each.costs.flash for each in members]
    points = axes.scatter(
        [each.costs.instructions / 1e6 for each in members],
        [each.score for each in members],
        c=[each.costs.sram / 1024 for each in members],
        s=[20 + 180 * bytes_ / max(flash) for bytes_ in flash],
        cmap="viridis",
        alpha=0.85,
        edgecolors="black",
        linewidths=0.5,
    )
    _mark(axes, result.best)
    if result.budget.instructions:
        axes.axvline(result.budget.instructions / 1e6, color="gray", linestyle="--", linewidth=1)
    axes.set_xlabel("million instructions")
    axes.set_ylabel("score")
    axes.set_title(
        f"{result.board}: {result.pair.resolution} px, width {result.pair.width:g} (larger dots: more flash)"
    )
    figure.colorbar(points, label="SRAM in KB")
    try:
        figure.savefig(path, dpi=120)
    except (OSError, ValueError) as error:
        raise DataError(f"cannot draw the front to {path}: {str(error).splitlines()[0]}") from error
    finally:
        plt.close(figure)


def _mark(axes: object, best: Scored) -> None:
    place = (best.costs.instructions / 1e6, best.score)
    axes.annotate("best", place, xytext=(8, -12), textcoords="offset points")  # type: ignore[attr-defined]


def _table(*titles: str) -> Table:
    table = Table(box=None, header_style="bold")
    for title in titles:
        table.add_column(title, justify="right")
    return table
