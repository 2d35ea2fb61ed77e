#!/usr/bin/env python3
"""The whole zoo on the simulated cores, by hand: minutes, not seconds. Networks are built with random weights.

\b
    bench/zoo.py cost               what low SRAM costs in instructions, against layer-by-layer schedules
    bench/zoo.py agree              every schedule, byte by byte, against layers and against TFLite
    bench/zoo.py agree mcunet-in0 --cpu cortex-m4 --inputs 5
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import click
import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table
from tinyengine.cli.progress import step_progress
from tinyengine.codegen import NetworkSource, generate
from tinyengine.compiler import CompiledModel, CompileOptions, compile_model
from tinyengine.cores import DSP, SIMULATED, core
from tinyengine.errors import TinyEngineError
from tinyengine.kernels.select import lower
from tinyengine.measure.bench import bench, expected_outputs, inside_values, random_inputs
from tinyengine.measure.target_runner import BenchImage, Job
from tinyengine.memory.plan import plan
from tinyengine.paths import cache_dir
from tinyengine.report.figures import network_figures
from tinyengine.zoo.export import export
from tinyengine.zoo.table import find

CAPS = {
    "mcunet-in0": 15,
    "mcunet-in1": 21,
    "mcunet-in2": 58,
    "mcunet-in3": 62,
    "mcunet-in4": 84,
    "mcunet-vww1": 18,
    "mbv2-w0.35": 29,
    "proxyless-w0.3": 52,
    "mcunet-5fps": 31,
}
"""Networks, and the KB that each may take when its input arrives by rows and nothing is recomputed."""


def built(name: str) -> Path:
    """The network as a file, made once and kept among the build products."""
    path = cache_dir() / "zoo" / f"{name}.tflite"
    if not path.is_file():
        path.parent.mkdir(exist_ok=True)
        scratch = path.with_name(f"{name}-{os.getpid()}.tflite")
        export(find(name), scratch)
        scratch.with_suffix(".json").unlink(missing_ok=True)  # describes classes, which random weights have none of
        scratch.replace(path)
    return path


def small_layers(compiled: CompiledModel) -> CompiledModel:
    """``compiled``, a schedule of layers, with the kernel variants that chains of rows use: the same kernels with the
    least scratch memory."""
    graph = compiled.graph
    target = replace(compiled.options.target, optimize="sram")
    calls = [lower(op, graph, target) for op in graph.operators]
    memory = plan(graph, calls)
    source = NetworkSource(graph, calls, memory, compiled.model_hash, compiled.metadata_json, compiled.prefix)
    return replace(compiled, planned=calls, plan=memory, **vars(generate(source)))


# What low SRAM costs --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Cost:
    """Instructions of one network on one core. ``capped``: the cheapest schedule below the cap. ``smallest``: the one
    with the smallest arena. ``layers``: by layers, with the fastest kernels; ``small_layers``: with those that need
    the least scratch memory."""

    network: str
    cpu: str
    requant: str
    cap_bytes: int
    layers: int
    layers_arena: int
    small_layers: int
    capped: int
    capped_arena: int
    smallest: int
    smallest_arena: int


def measure_cost(name: str, cpu: str, requant: str) -> Cost:
    """Four compilations and runs; nothing is recomputed in any of them."""
    path, cap = built(name), CAPS[name] * 1024
    options = CompileOptions(cpu=cpu, requant=requant)
    layers = compile_model(path, options)
    small = small_layers(layers)
    capped = compile_model(path, replace(options, input="rows", sram=cap))
    smallest = compile_model(path, replace(options, input="rows", optimize="sram"))
    counts = [bench(each, profile=False) for each in (layers, small, capped, smallest)]
    for each in (capped, smallest):
        assert network_figures(each)["macs_executed"] == each.macs
    return Cost(
        name,
        cpu,
        requant,
        cap,
        counts[0].instructions,
        counts[0].arena_bytes,
        counts[1].instructions,
        counts[2].instructions,
        counts[2].arena_bytes,
        counts[3].instructions,
        counts[3].arena_bytes,
    )


COST_TITLES = [
    *("network", "core", "layers", "same kernels", "below cap", "arena", "to same", "to layers"),
    *("smallest", "arena", "to same", "to layers"),
]


def cost_table(costs: list[Cost]) -> Table:
    table = Table(box=box.MARKDOWN)
    for index, title in enumerate(COST_TITLES):
        table.add_column(title, justify="left" if index < 2 else "right", no_wrap=True)

    def schedule(c: Cost, count: int, arena: int) -> list[str]:
        shares = (f"{100 * (count / layers - 1):+.1f} %" for layers in (c.small_layers, c.layers))
        return [f"{count / 1e6:.2f} M", f"{arena / 1024:.1f} KB", *shares]

    for c in costs:
        layers = (f"{count / 1e6:.2f} M" for count in (c.layers, c.small_layers))
        core = c.cpu.removeprefix("cortex-").upper()
        capped, smallest = schedule(c, c.capped, c.capped_arena), schedule(c, c.smallest, c.smallest_arena)
        table.add_row(c.network, core, *layers, *capped, *smallest)
    return table


# Whether all agree ----------------------------------------------------------------------------------------------------

SCHEDULES: dict[str, dict[str, Any]] = {
    "layers": {},
    "streams, frame": {"optimize": "sram"},
    "streams, rows": {"optimize": "sram", "input": "rows"},
    "capped, rows": {"input": "rows"},  # below the cap of CAPS
    "patches, rows": {"optimize": "sram", "input": "rows", "max_recompute": 1.3},
}


@dataclass(frozen=True)
class Agreement:
    """One schedule of one network: its outputs for the same inputs, against layers and against TFLite."""

    network: str
    cpu: str
    requant: str
    schedule: str
    stages: str
    outputs: int
    differ_from_layers: int
    differ_from_tflite: int | None  # None: not promised, as requantization is fast
    arena_bytes: int
    arena_high_water: int


def compare(name: str, cpus: Sequence[str], requant: str, inputs: int, tflite: bool) -> list[Agreement]:
    """All schedules in one image per core, on the same inputs."""
    path = built(name)
    models = []
    for index, changes in enumerate(SCHEDULES.values()):
        cap = CAPS[name] * 1024 if changes == {"input": "rows"} else None
        models.append(compile_model(path, CompileOptions(requant=requant, sram=cap, prefix=f"n{index}", **changes)))
    outside = random_inputs(models[0].graph, inputs)
    expected = expected_outputs(models[0].graph, path, outside).outputs if tflite and requant == "exact" else None
    return [each for cpu in cpus for each in _compared(name, cpu, requant, models, outside, expected)]


def _compared(
    name: str,
    cpu: str,
    requant: str,
    models: Sequence[CompiledModel],
    outside: Sequence[Sequence[np.ndarray]],
    expected: list[list[np.ndarray]] | None,
) -> list[Agreement]:
    """``models``, which are the SCHEDULES of one network, on one core. The sources are the same for all CPUS."""
    inputs = len(outside)
    inside = [inside_values(models[0].graph, values) for values in outside]
    with BenchImage(models, cpu) as image:
        runs = image.run([Job(index, values) for index in range(len(models)) for values in inside], exact=False)
    results = []
    for index, (schedule, model) in enumerate(zip(SCHEDULES, models, strict=True)):
        own = runs[index * inputs : (index + 1) * inputs]
        if not all(run.guards_intact for run in own):
            raise TinyEngineError(f"{name}, {schedule}: a kernel wrote outside its arena")
        kinds = [str(call.form) for call in model.planned if not call.is_view]
        results.append(
            Agreement(
                name,
                cpu,
                requant,
                schedule,
                ", ".join(f"{kinds.count(kind)} {kind}" for kind in dict.fromkeys(kinds)),
                sum(value.size for run in own for value in run.outputs),
                _differing([run.outputs for run in own], [run.outputs for run in runs[:inputs]]),
                None if expected is None else _differing([run.outputs for run in own], expected),
                model.plan.arena_bytes,
                max(run.arena_used for run in own),
            )
        )
    return results


def _differing(got: list[list[np.ndarray]], wanted: list[list[np.ndarray]]) -> int:
    pairs = ((a, b) for one, other in zip(got, wanted, strict=True) for a, b in zip(one, other, strict=True))
    return sum(int(np.count_nonzero(a != b)) for a, b in pairs)


def agreement_table(results: list[Agreement]) -> Table:
    table = Table(box=box.MARKDOWN)
    for title in ("network", "core", "rounding", "schedule", "stages"):
        table.add_column(title, no_wrap=True)
    for title in ("outputs", "other than layers", "other than TFLite", "arena"):
        table.add_column(title, justify="right", no_wrap=True)
    for r in results:
        table.add_row(
            *(r.network, r.cpu.removeprefix("cortex-").upper(), r.requant, r.schedule, r.stages, f"{r.outputs:,}"),
            f"{r.differ_from_layers:,}",
            "" if r.differ_from_tflite is None else f"{r.differ_from_tflite:,}",
            f"{r.arena_bytes / 1024:.1f} KB",
        )
    return table


# Commands -------------------------------------------------------------------------------------------------------------

CPUS = [name for name in SIMULATED if core(name).features >= DSP]
"""Whose code is the same, so that ``agree`` compiles once for all of them."""

_names = click.argument("names", nargs=-1, type=click.Choice(list(CAPS)))
_cpus = click.option("--cpu", "cpus", multiple=True, type=click.Choice(CPUS), help="Core (repeatable).")
_json = click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")


@click.group(help=__doc__)
def main() -> None:
    pass


@main.command()
@_names
@_cpus
@click.option("--requant", type=click.Choice(["fast", "exact"]), default="fast", show_default=True)
@_json
def cost(names: tuple[str, ...], cpus: tuple[str, ...], requant: str, as_json: bool) -> None:
    """Instructions below the SRAM caps and with the smallest arena, against layer-by-layer schedules."""
    todo = [(name, cpu) for cpu in cpus or ["cortex-m7"] for name in names or CAPS]
    costs = []
    with step_progress() as progress:
        for done, (name, cpu) in enumerate(todo):
            progress(f"{name}, {cpu}", done, len(todo))
            costs.append(measure_cost(name, cpu, requant))
    _print([asdict(each) for each in costs], cost_table(costs), as_json)


@main.command()
@_names
@_cpus
@click.option("--inputs", type=click.IntRange(min=1), default=2, show_default=True, help="Random inputs each.")
@click.option("--no-tflite", is_flag=True, help="Leave TFLite's reference kernels out.")
@_json
def agree(names: tuple[str, ...], cpus: tuple[str, ...], inputs: int, no_tflite: bool, as_json: bool) -> None:
    """Outputs of every schedule against those of layers and in exact mode against TFLite; exit code 1 if any differ."""
    todo = [(name, requant) for name in names or CAPS for requant in ("exact", "fast")]
    results: list[Agreement] = []
    with step_progress() as progress:
        for done, (name, requant) in enumerate(todo):
            progress(f"{name}, {requant}", done, len(todo))
            found = compare(name, cpus or ["cortex-m4", "cortex-m7"], requant, inputs, not no_tflite)
            bad = sum(each.differ_from_layers + (each.differ_from_tflite or 0) for each in found)
            click.echo(f"{name}, {requant}: {len(found)} runs of a schedule on a core, {bad} outputs differ", err=True)
            results += found
    _print([asdict(each) for each in results], agreement_table(results), as_json)
    if any(each.differ_from_layers or each.differ_from_tflite for each in results):
        sys.exit(1)


def _print(figures: list[dict[str, object]], table: Table, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(figures, indent=2))
    else:
        Console(highlight=False, width=200).print(table)


if __name__ == "__main__":
    try:
        main()
    except TinyEngineError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(2)
