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

_LINES = 12


def print_search(result: SearchResult) -> None:
    """The summary on standard output."""
    console = Console(highlight=False)
    console.print(
        f"{result.scored:,} parts scored; the front for {result.board}, {result.unit} of the {result.timed_as}"
    )
    table = Table(box=None, header_style="bold")
    for title in ("accuracy", "cross entropy", result.unit, "SRAM", "flash", "MACs", "input", "blocks"):
        table.add_column(title, justify="right")
    for each in result.front[:_LINES]:
        costs, network = each.costs, each.network
        table.add_row(
            ("*" if each is result.best else "") + ("" if each.inherited else "~") + f"{each.accuracy:.1f} %",
            f"{each.cross_entropy:.4f}",
            ("" if each.measured else "~") + f"{costs.work / 1e6:.2f} M",
            format_size(costs.sram),
            format_size(costs.flash),
            f"{costs.macs / 1e6:.2f} M",
            str(network.resolution),
            str(len(network.blocks)),
        )
    console.print(table)
    if len(result.front) > _LINES:
        console.print(f"and {len(result.front) - _LINES} more (--json has them all)")
    console.print(
        f"predictions rank parts that were left out of their fit with a correlation of {result.rank:.2f} "
        f"({result.networks} parts)"
    )
    errors = ", ".join(f"{name} {error:.1%}" for name, error in result.estimate_error.items())
    console.print(f"largest error of the estimate: {errors}")
    console.print("~ predicted, or estimated")
    console.print(f"wrote {result.out} (*)")


def check_plot(path: Path) -> None:
    """Whether ``plot_search`` can draw to ``path``, before a search: ToolError and DataError where it cannot."""
    plt = pyplot("draw the front")
    kinds = plt.figure().canvas.get_supported_filetypes()
    plt.close()
    if path.suffix[1:] not in kinds or not path.parent.is_dir():
        raise DataError(f"cannot draw the front to {path}: name a .png, .svg or .pdf in a folder that is there")


def plot_search(result: SearchResult, path: Path) -> None:
    """Accuracy against work, coloured by SRAM, sized by flash. Raises ToolError and DataError."""
    plt = pyplot("draw the front")
    figure, axes = plt.subplots(figsize=(7, 4.5), layout="constrained")
    members = result.front
    flash = [each.costs.flash for each in members]
    points = axes.scatter(
        [each.costs.work / 1e6 for each in members],
        [each.accuracy for each in members],
        c=[each.costs.sram / 1024 for each in members],
        s=[20 + 180 * bytes_ / max(flash) for bytes_ in flash],
        cmap="viridis",
        alpha=0.85,
        edgecolors="black",
        linewidths=0.5,
    )
    _mark(axes, result.best)
    if result.budget.work:
        axes.axvline(result.budget.work / 1e6, color="gray", linestyle="--", linewidth=1)
    axes.set_xlabel(f"million {result.unit}")
    axes.set_ylabel("accuracy with inherited weights in per cent")
    axes.set_title(f"{result.board} (larger dots: more flash)")
    figure.colorbar(points, label="SRAM in KB")
    try:
        figure.savefig(path, dpi=120)
    except (OSError, ValueError) as error:
        raise DataError(f"cannot draw the front to {path}: {str(error).splitlines()[0]}") from error
    finally:
        plt.close(figure)


def _mark(axes: object, best: Scored) -> None:
    place = (best.costs.work / 1e6, best.accuracy)
    axes.annotate("best", place, xytext=(8, -12), textcoords="offset points")  # type: ignore[attr-defined]
