"""Prints what a conversion cost."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from tinyengine.convert.convert import Conversion


def print_conversion(result: Conversion) -> None:
    """The summary on standard output."""
    console = Console(highlight=False, soft_wrap=True)
    measured = result.measurement
    operators = ", ".join(f"{count} {name}" for name, count in result.operators.items())
    console.print(f"[bold]{result.out}[/]: {result.bytes:,} bytes; {operators}")
    console.print(f"input: int8 from {result.mapping}")
    for output in measured.outputs:
        console.print(
            f"output {output.name}: {output.db:.1f} dB, differs from float by {output.mean_abs:.4g} on average, "
            f"{output.max_abs:.4g} at most ({measured.samples} inputs)"
        )
    if measured.agreement is not None:
        console.print(f"float and int8 name the same class for {measured.agreement:.1f} % of the inputs")
    if measured.float_accuracy is not None:
        console.print(
            f"accuracy on the calibration data: float {measured.float_accuracy:.1f} %, "
            f"int8 {measured.int8_accuracy:.1f} %"
        )
    if result.equalized:
        before, after = (max(getattr(pair, when) for pair in result.equalized) for when in ("before", "after"))
        console.print(
            f"equalized {len(result.equalized)} pairs of layers: the largest channel was up to {before:.1f} times the "
            f"median one, now {after:.1f}"
        )
    if result.corrected:
        console.print(f"corrected the biases of {result.corrected} layers")
    for name in result.unfolded:
        console.print(f"[yellow]not folded into a convolution: {name} (it costs time and accuracy)[/]")
    table = Table(title="the three layers that lose most by themselves", title_justify="left", box=None)
    table.add_column("layer")
    table.add_column("output in the float model")
    table.add_column("own error", justify="right")
    table.add_column("error so far", justify="right")
    for layer in result.worst:
        table.add_row(layer.name, layer.origin, f"{layer.own_db:.1f} dB", f"{layer.total_db:.1f} dB")
    console.print(table)
