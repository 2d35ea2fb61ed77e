#!/usr/bin/env python3
"""What every network costs on the simulated cores, and what got slower or bigger since the baseline.

\b
    bench/run.py                          all networks, the baseline's cores, both roundings, DSP kernels
    bench/run.py models/x.tflite --layers per layer as well
    bench/run.py --update                 make today's figures the baseline

Networks: models/*.tflite, and those of TINYENGINE_SHARED where it is there. Exit code 1 when a figure is more than 1 %
above bench/baseline.json.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path

import click
from rich import box
from rich.console import Console
from rich.table import Table
from tinyengine.cli.progress import step_progress
from tinyengine.compiler import CompileOptions, compile_model
from tinyengine.cores import SIMULATED, core
from tinyengine.errors import TinyEngineError
from tinyengine.measure.bench import BenchReport, bench
from tinyengine.paths import project_root, shared_dir
from tinyengine.report.bench import bench_table

BASELINE = Path(__file__).with_name("baseline.json")
TOLERANCE = 0.01
STACK_SLACK = 32  # bytes: one more saved register or spilled value is not a regression
WORST_LAYERS = 5  # told of a network that became slower
REQUANTS = ("exact", "fast")
CPUS = ("cortex-m4", "cortex-m7")  # of the baseline
FIGURES = ("cycles", "arena_bytes", "stack_bytes", "flash_bytes")


@dataclass(frozen=True)
class Entry:
    """The figures of one network in one configuration that are kept in the baseline. Cycles are estimates."""

    compiler: str
    hash: str  # of the network
    macs: int
    cycles: int
    instructions: int
    arena_bytes: int
    stack_bytes: int
    flash_bytes: int
    layers: dict[str, int]  # cycles by "index name"

    @classmethod
    def of(cls, report: BenchReport) -> Entry:
        """The entry of a fresh report."""
        assert report.cycles is not None
        timed = [(layer.name, layer.cycles.estimate) for layer in report.per_layer if layer.cycles is not None]
        layers = {f"{index} {name}": cycles for index, (name, cycles) in enumerate(timed)}
        return cls(
            report.compiler,
            report.hash,
            report.macs,
            report.cycles.estimate,
            report.instructions,
            report.arena_bytes,
            report.stack_bytes,
            report.flash_bytes.total,
            layers,
        )


@dataclass(frozen=True)
class Change:
    """A figure that differs from the baseline."""

    key: str
    figure: str
    before: int
    after: int

    @property
    def ratio(self) -> float:
        return self.after / self.before - 1 if self.before else float("inf")

    @property
    def worse(self) -> bool:
        """Whether it fails the bench."""
        slack = STACK_SLACK if self.figure == "stack_bytes" else 0
        return self.after > self.before * (1 + TOLERANCE) + slack

    def __str__(self) -> str:
        return f"{self.key}: {self.figure} {self.before:,} -> {self.after:,} ({100 * self.ratio:+.1f} %)"


def key_of(report: BenchReport) -> str:
    """Name of a configuration in the baseline."""
    kernels = "portable" if report.portable else "dsp"
    return f"{report.model}/{report.cpu}/{kernels}/{report.requant}/{report.optimize}"


def load_baseline(path: Path = BASELINE) -> dict[str, Entry]:
    """Entries by key; empty when there is no baseline yet."""
    if not path.is_file():
        return {}
    return {key: Entry(**value) for key, value in json.loads(path.read_text()).items()}


def save_baseline(entries: dict[str, Entry], path: Path = BASELINE) -> None:
    """Write all entries, sorted; the old file stays until the new one is complete."""
    text = json.dumps({key: asdict(entries[key]) for key in sorted(entries)}, indent=1) + "\n"
    scratch = path.with_suffix(".new")
    scratch.write_text(text)
    os.replace(scratch, path)


def incomparable(before: Entry, now: Entry) -> str | None:
    """Why two entries of one configuration cannot be compared; None if they can."""
    if before.compiler != now.compiler:
        return f"its baseline was made with {before.compiler}"
    if before.hash != now.hash:
        return "its baseline is another network's of the same name"
    return None


def compare(baseline: dict[str, Entry], measured: dict[str, Entry]) -> list[Change]:
    """Totals that changed, and layers that changed by more than the tolerance, worst first."""
    changes = []
    for key, now in measured.items():
        before = baseline.get(key)
        if before is None or incomparable(before, now):
            continue
        for figure in FIGURES:
            changes.append(Change(key, figure, getattr(before, figure), getattr(now, figure)))
        if list(before.layers) == list(now.layers):
            layers = [Change(key, f"layer {name}", before.layers[name], now.layers[name]) for name in now.layers]
            changes += [change for change in layers if abs(change.ratio) > TOLERANCE]
    return sorted((c for c in changes if c.before != c.after), key=lambda c: -c.ratio)


def regressions(changes: Sequence[Change]) -> list[Change]:
    """The changes that fail the bench: totals only, a layer may trade against another."""
    return [change for change in changes if change.figure in FIGURES and change.worse]


def worth_telling(changes: Sequence[Change], layers: bool) -> list[Change]:
    """All totals; of the layers all if ``layers``, else the worst few of networks that became slower."""
    slower = {change.key for change in changes if change.figure == "cycles" and change.after > change.before}
    told: list[Change] = []
    for change in changes:
        few = sum(other.key == change.key and other.figure not in FIGURES for other in told) < WORST_LAYERS
        if change.figure in FIGURES or layers or (change.key in slower and change.after > change.before and few):
            told.append(change)
    return told


def default_models() -> list[Path]:
    """The project's own networks, then those of TINYENGINE_SHARED."""
    shared = shared_dir()
    folders = [project_root() / "models", *([shared / "models" / "networks"] if shared else [])]
    return [path for folder in folders for path in sorted(folder.glob("*.tflite"))]


def summary(reports: Sequence[BenchReport], portable: bool) -> Table:
    """One line per network and core."""
    kernels = "portable C kernels" if portable else "DSP kernels"
    table = Table(title=f"simulated cores, {kernels}", title_justify="left", box=box.SIMPLE_HEAD, padding=0)
    for column in ("network", "core", "rounding"):
        table.add_column(column, no_wrap=True)
    for column in ("MACs", "cycles, est.", "per MAC", "instructions", "arena", "stack", "flash"):
        table.add_column(column, justify="right", no_wrap=True)
    for r in reports:
        cycles = r.cycles.estimate if r.cycles else 0
        per_mac = f"{cycles / r.macs:.3f}" if r.macs else ""
        sizes = (f"{size:,}" for size in (r.arena_bytes, r.stack_bytes, r.flash_bytes.total))
        name, core = r.model[:18], r.cpu.removeprefix("cortex-")
        work = f"{r.macs / 1e6:.2f} M", f"{cycles:,}", per_mac, f"{r.instructions:,}"
        table.add_row(name, core, r.requant, *work, *sizes)
    return table


@click.command(help=__doc__)
@click.argument("models", nargs=-1, type=click.Path(path_type=Path))
@click.option("--cpu", "cpus", multiple=True, type=click.Choice(list(SIMULATED)), help="These cores (repeatable).")
@click.option("--requant", "requants", multiple=True, type=click.Choice(REQUANTS), help="Only this rounding.")
@click.option("--portable", is_flag=True, help="The portable C kernels instead of the DSP ones.")
@click.option("--layers", is_flag=True, help="Print every layer.")
@click.option("--update", is_flag=True, help="Write the figures into the baseline.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
def main(
    models: tuple[Path, ...],
    cpus: tuple[str, ...],
    requants: tuple[str, ...],
    portable: bool,
    layers: bool,
    update: bool,
    as_json: bool,
) -> None:
    console = Console(highlight=False, stderr=as_json)
    reports: list[BenchReport] = []
    todo = [
        (path, cpu, requant)
        for path, cpu, requant in product(models or default_models(), cpus or CPUS, requants or REQUANTS)
        if requant in ("exact", core(cpu).requant)
    ]
    with step_progress() as progress:
        for done, (path, cpu, requant) in enumerate(todo):
            progress("networks measured", done, len(todo))
            compiled = compile_model(path, CompileOptions(cpu=cpu, requant=requant))
            reports.append(bench(compiled, portable=portable, cycles=True))
    if as_json:
        click.echo(json.dumps([report.to_json() for report in reports], indent=2))
    if layers:
        for report in reports:
            console.print(bench_table(report))
    console.print(summary(reports, portable))

    measured = {key_of(report): Entry.of(report) for report in reports}
    baseline = load_baseline()
    changes = compare(baseline, measured)
    failing = regressions(changes)
    for change in worth_telling(changes, layers):
        console.print(("WORSE " if change in failing else "      ") + str(change), markup=False, soft_wrap=True)
    for key, entry in measured.items():
        if key not in baseline:
            console.print(f"new: {key}", markup=False)
        elif reason := incomparable(baseline[key], entry):
            console.print(f"not compared: {key}, {reason}", markup=False)
    if update:
        save_baseline(baseline | measured)
        console.print(f"wrote {BASELINE.name}")
    elif failing:
        sys.exit(1)


if __name__ == "__main__":
    try:
        main()
    except TinyEngineError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(2)
