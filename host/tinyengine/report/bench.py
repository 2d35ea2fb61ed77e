"""The figures of ``bench`` as a table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich import box
from rich.console import Group
from rich.table import Table

from tinyengine.cores import DSP, MVE, core
from tinyengine.measure.bench import BenchReport, CyclesEstimate, LayerCost
from tinyengine.measure.training import TrainingReport
from tinyengine.sizes import format_size

LARGEST_FUNCTIONS = 4
NAME_WIDTH = 20  # so that the table fits 80 columns; --json has the full names


def bench_table(report: BenchReport) -> Group:
    """Per layer, per kernel, then the totals."""
    if not report.per_layer:
        return Group(_totals(report))
    return Group(_layer_table(report), _kernel_table(report), _totals(report))


def _layer_table(report: BenchReport) -> Table:
    table = Table(title=f"{report.model} on {report.cpu}", title_justify="left", box=box.SIMPLE_HEAD, padding=0)
    table.add_column("layer", no_wrap=True)
    table.add_column("kernel", no_wrap=True)
    cycles = ("cycles, est.",) if report.cycles else ()
    width = NAME_WIDTH - 6 * len(cycles)
    for column in ("MACs", "instructions", "per MAC", "share", *cycles):
        table.add_column(column, justify="right", no_wrap=True)
    for layer in report.per_layer:
        table.add_row(
            layer.name[-width:],
            _short(layer.kernel)[:width],
            f"{layer.macs:,}" if layer.macs else "",
            f"{layer.instructions:,}",
            f"{layer.instructions / layer.macs:.2f}" if layer.macs else "",
            f"{100 * layer.instructions / report.instructions:.1f} %",
            *([f"{layer.cycles.estimate:,}"] if layer.cycles else []),
        )
    if report.residue:
        table.add_row("(between layers)", "", "", f"{report.residue:,}")
    return table


def _kernel_table(report: BenchReport) -> Table:
    """The layers of each kernel together, the most expensive first."""
    table = Table(box=box.SIMPLE_HEAD, padding=0)
    table.add_column("kernel", no_wrap=True)
    for column in ("layers", "MACs", "instructions", "per MAC", "share"):
        table.add_column(column, justify="right", no_wrap=True)
    for kernel, layers in sorted(_by_kernel(report.per_layer), key=lambda pair: -_instructions(pair[1])):
        macs, count = sum(layer.macs for layer in layers), _instructions(layers)
        table.add_row(
            _short(kernel),
            str(len(layers)),
            f"{macs:,}" if macs else "",
            f"{count:,}",
            f"{count / macs:.2f}" if macs else "",
            f"{100 * count / report.instructions:.1f} %",
        )
    return table


def _by_kernel(layers: Sequence[LayerCost]) -> list[tuple[str, list[LayerCost]]]:
    kernels = dict.fromkeys(layer.kernel for layer in layers)
    return [(kernel, [layer for layer in layers if layer.kernel == kernel]) for kernel in kernels]


def _instructions(layers: Sequence[LayerCost]) -> int:
    return sum(layer.instructions for layer in layers)


def _short(kernel: str) -> str:
    return kernel.removeprefix("te_").removesuffix("_s8")


def _kernels(report: BenchReport | TrainingReport) -> str:
    if not core(report.cpu).features >= DSP:
        return "generic kernels"
    if report.portable:
        return "portable C kernels"
    return "Helium kernels" if core(report.cpu).features >= MVE else "DSP kernels"


def _totals(report: BenchReport) -> Table:
    totals = Table.grid(padding=(0, 2))
    totals.add_row("core", f"{report.cpu} (QEMU {report.machine}), {_kernels(report)}, {report.requant} requantization")
    per_mac = f", {report.instructions / report.macs:.2f} per MAC" if report.macs else ""
    totals.add_row("time", f"{report.instructions:,} instructions for {report.macs:,} MACs{per_mac}")
    if report.context is not None:
        totals.add_row("", f"per token, with {report.context} tokens remembered")
    if report.instructions_max != report.instructions:
        totals.add_row("", f"at most {report.instructions_max:,} over the inputs checked")
    for line in _cycles(report.cycles, report.macs):
        totals.add_row("", line)
    totals.add_row(
        "SRAM",
        f"{format_size(report.arena_bytes)} arena ({format_size(report.arena_high_water)} touched), "
        + (f"{format_size(report.states_bytes)} states, " if report.states_bytes else "")
        + f"{format_size(report.stack_bytes)} stack",
    )
    flash = report.flash_bytes
    totals.add_row(
        "flash", f"{format_size(flash.total)}: {format_size(flash.weights)} weights, {format_size(flash.code)} code"
    )
    kernels = list(flash.functions.items())[:LARGEST_FUNCTIONS]
    totals.add_row("", f"largest: {', '.join(f'{name} {format_size(size)}' for name, size in kernels)}")
    for hint in report.hints:
        totals.add_row("hint", hint)
    if report.check:
        check = report.check
        verdict = (
            ("all equal" if check.max_abs_diff == 0 else f"all equal up to {check.max_abs_diff:.2g} (float32)")
            if check.mismatched == 0
            else f"{check.mismatched:,} ({100 * check.mismatched_share:.1f} %) differ, by {check.max_abs_diff} at most"
        )
        kind = "inputs" if report.context is None else "tokens in a row"
        totals.add_row("check", f"{check.outputs:,} outputs of {check.inputs} random {kind}: {verdict}")
        totals.add_row("", f"against {check.reference}")
        if check.note:
            totals.add_row("", check.note)
        if check.mismatched and report.requant == "fast":
            totals.add_row("", "to which fast requantization comes close; --requant exact equals it")
        elif check.mismatched and not check.binding:
            totals.add_row("", "which rounds fully connected layers and sigmoids otherwise; TensorFlow would be exact")
    return totals


def _cycles(cycles: CyclesEstimate | None, macs: int = 0) -> Iterator[str]:
    """What is estimated, where it is."""
    if cycles:
        rate = f", {macs / cycles.estimate:.2f} MACs per cycle" if macs else ""
        yield f"estimate: {cycles.estimate:,} cycles{rate}, without wait states (docs/performance.md)"
        yield f"between {cycles.low:,} and {cycles.high:,} by what is not known of the core's timings"


def training_table(report: TrainingReport) -> Table:
    """Totals of training steps."""
    totals = Table.grid(padding=(0, 2))
    totals.add_row("core", f"{report.cpu} (QEMU {report.machine}), {_kernels(report)}, {report.requant} requantization")
    classes = f", {report.classes} classes" if report.classes else ""
    totals.add_row("scheme", f"{report.scheme}{classes}{', residual bytes' * report.residual}")
    totals.add_row("gradients", report.gradients)
    totals.add_row(
        "time",
        f"{report.instructions_step:,} instructions per step, of an inference {report.instructions_forward:,}",
    )
    for line in _cycles(report.cycles):
        totals.add_row("", line)
    sram = report.sram_bytes
    velocities = f"{sram.velocities:,} velocities, " if sram.velocities else ""
    velocities += f"{sram.states:,} states, " if sram.states else ""
    parts = f"{sram.arena:,} arena, {sram.weights:,} state, {velocities}{sram.static:,} static, {sram.stack:,} stack"
    totals.add_row("SRAM", f"{sram.total:,} bytes: {parts}")
    totals.add_row(
        "trained",
        f"{report.trainable_weights:,} weights and {report.trainable_biases:,} biases, and the classifier; "
        f"{report.extra_memory_bytes:,} bytes of extra memory as the paper counts",
    )
    totals.add_row("flash", format_size(report.flash_bytes))
    if report.check:
        reference = "oracle" if report.check.reference == "oracle" else "native code's"
        verdict = (
            f"equal to the {reference}" if not report.check.mismatched else f"{report.check.mismatched} bytes differ"
        )
        totals.add_row("check", f"{report.check.bytes:,} bytes of state after {report.check.steps} steps: {verdict}")
    return totals
