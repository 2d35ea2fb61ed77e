#!/usr/bin/env python3
"""The tables of docs/performance.md: measured anew, beside what others publish. By hand: some minutes.

\b
    bench/performance.py                                print the tables
    bench/performance.py --write docs/performance.md    put them between the file's marks
    bench/performance.py mcunet-vww1 mcunet-in3         only these networks
    bench/performance.py --json

Networks of the zoo, ic-like and ad-like have random weights, on which instruction counts hardly depend. kws, vww_96 and
mcunet-vww1 are files in TINYENGINE_SHARED; without it, mcunet-vww1 is built like the others and the rest is left out.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import click
import numpy as np
from tinyengine.cli.progress import step_progress
from tinyengine.compiler import CompileOptions, compile_model
from tinyengine.convert.keras import quantize
from tinyengine.errors import TinyEngineError, ToolError
from tinyengine.measure.bench import bench
from tinyengine.optional import tensorflow
from tinyengine.paths import cache_dir, project_root, shared_dir
from tinyengine.zoo.export import export
from tinyengine.zoo.random_weights import random_samples, randomize
from tinyengine.zoo.table import find

MARKS = ("<!-- figures: bench/performance.py --write -->", "<!-- end of figures -->")


@dataclass(frozen=True)
class Known:
    """What is known of a network elsewhere, and what was demanded of us. Millions of instructions on a simulated
    Cortex-M7 with the compiler that we use; KB of SRAM for activations and scratch, units of 1000 bytes; MACs per cycle
    that closed libraries reached on real Cortex-M4."""

    demand_fast: float | None = None
    demand_exact: float | None = None
    tinyengine: str = ""
    tinyengine_sram: str = ""
    cmsis: str = ""
    cmsis_sram: str = ""
    cap_kb: int | None = None
    demand_capped: float | None = None
    best_m4: float | None = None


NETWORKS = {
    "person_tiny": Known(),
    "person_small": Known(),
    "person_best": Known(),
    "mcunet-vww1": Known(11.6, 13.2, "34.5", "94.0", "48.1", "219.8", 18, 13.0),
    "mcunet-in0": Known(6.7, None, "18.0", "50.1", "25.8", "159", 15),
    "mcunet-in1": Known(13.0, None, "36.7", "98.0", "51.0", "219", 21),
    "mcunet-in2": Known(60, None, "195.7", "219.8", "317.4", "423", 58),
    "mcunet-in3": Known(72, 81, "235.4", "266.3", "382.0", "479", 62, 84),
    "mcunet-in4": Known(107, None, "309.9", "426.1", "437.9", "767", 84, 118),
    "vww_96": Known(7.8, None, "19.7, wrong results", "", "24.5", "100.8", best_m4=0.70),
    "kws": Known(2.9, None, "cannot", "", "7.76", "22.9", best_m4=0.51),
    "ic-like": Known(11, None, "25.6, wrong results", "", "29.9", "55.1", best_m4=0.63),
    "ad-like": Known(0.36, None, "0.77", "", "0.58", "2.7", best_m4=0.54),
}
FILES = {
    "mcunet-vww1": "mcunet_vww1.tflite",
    "vww_96": "mlperf_vww_96_int8.tflite",
    "kws": "mlperf_kws_int8.tflite",
}


@dataclass(frozen=True)
class Measured:
    """Our figures of one network. Instructions of one inference; cycles are an estimate for Cortex-M4; sizes in bytes.
    ``capped``: fed by rows below the cap of Known.cap_kb."""

    network: str
    macs: int
    m7_fast: int
    m7_exact: int
    m4_fast: int
    m4_cycles: tuple[int, int, int]
    arena: int
    flash: int
    flash_small: int  # with --optimize flash
    stack: int
    capped: int | None
    capped_arena: int | None
    smallest_arena: int | None


# Networks -------------------------------------------------------------------------------------------------------------


def model_file(name: str) -> Path | None:
    """Where the network lies, built if need be; None for a file that is not there."""
    ours = project_root() / "models" / f"{name}.tflite"
    if ours.is_file():
        return ours
    shared = shared_dir()
    if name in FILES and shared:
        return shared / "models" / "networks" / FILES[name]
    if name in ("vww_96", "kws"):
        return None
    path = cache_dir() / "zoo" / f"{name}.tflite"
    if not path.is_file():
        path.parent.mkdir(exist_ok=True)
        scratch = path.with_name(f"{name}-{os.getpid()}.tflite")
        if name in ("ic-like", "ad-like"):
            scratch.write_bytes(_quantized(_resnet8() if name == "ic-like" else _autoencoder()))
        else:
            export(find(name), scratch)
            scratch.with_suffix(".json").unlink(missing_ok=True)
        scratch.replace(path)
    return path


def _keras() -> Any:
    return tensorflow("build a network").keras


def _resnet8() -> Any:
    """Three residual blocks of 16, 32 and 64 channels over 32x32 pictures, as in MLPerf Tiny's ic."""
    keras = _keras()
    layers = keras.layers

    def convolution(x: Any, channels: int, kernel: int, stride: int = 1, relu: bool = True) -> Any:
        x = layers.BatchNormalization()(layers.Conv2D(channels, kernel, stride, "same")(x))
        return layers.ReLU()(x) if relu else x

    inputs = layers.Input((32, 32, 3))
    x = convolution(inputs, 16, 3)
    for channels, stride in ((16, 1), (32, 2), (64, 2)):
        y = convolution(convolution(x, channels, 3, stride), channels, 3, relu=False)
        if stride != 1:
            x = layers.Conv2D(channels, 1, stride, "same")(x)
        x = layers.ReLU()(layers.Add()([x, y]))
    x = layers.Flatten()(layers.AveragePooling2D(8)(x))
    return keras.Model(inputs, layers.Softmax()(layers.Dense(10)(x)))


def _autoencoder() -> Any:
    """640-128-128-128-128-8-128-128-128-128-640, as in MLPerf Tiny's ad."""
    keras = _keras()
    inputs = x = keras.layers.Input((640,))
    for units in (128, 128, 128, 128, 8, 128, 128, 128, 128):
        x = keras.layers.Dense(units, activation="relu")(x)
    return keras.Model(inputs, keras.layers.Dense(640)(x))


def _quantized(model: Any) -> bytes:
    rng = np.random.default_rng(0)
    samples = random_samples(model.input_shape[1:], 32, rng)
    randomize(model, samples, rng)
    return quantize(model, samples)


# Measuring ------------------------------------------------------------------------------------------------------------


def measure(name: str, path: Path, search: bool = True) -> Measured:
    """All figures of one network; without ``search`` those of schedules of layers only, which takes a fifth of the
    time."""
    fast = CompileOptions(cpu="cortex-m7", requant="fast")
    m4 = replace(fast, cpu="cortex-m4")
    m7_report = bench(compile_model(path, fast), profile=False)
    m4_report = bench(compile_model(path, m4), cycles=True)
    exact_report = bench(compile_model(path, replace(fast, requant="exact")), profile=False)
    small = bench(compile_model(path, replace(fast, optimize="flash")), profile=False)
    smallest = capped = None
    if search:
        smallest = compile_model(path, replace(fast, input="rows", optimize="sram")).plan.arena_bytes
    if search and (cap := NETWORKS[name].cap_kb):
        capped = bench(compile_model(path, replace(fast, input="rows", sram=cap * 1024)), profile=False)
    cycles = m4_report.cycles
    assert cycles is not None
    return Measured(
        name,
        m7_report.macs,
        m7_report.instructions,
        exact_report.instructions,
        m4_report.instructions,
        (cycles.low, cycles.estimate, cycles.high),
        m7_report.arena_bytes,
        m7_report.flash_bytes.total,
        small.flash_bytes.total,
        m7_report.stack_bytes,
        capped and capped.instructions,
        capped and capped.arena_bytes,
        smallest,
    )


# Tables ---------------------------------------------------------------------------------------------------------------


def tables(results: list[Measured], revision: str) -> str:
    """Markdown; ``revision``: of what was measured."""
    source = f"Measured at revision {revision} by `bench/performance.py`."
    parts = [source, _instructions(results), _cycles(results), _memory(results)]
    if any(result.capped is not None for result in results):
        parts.append(_low_sram(results))
    return "\n\n".join(parts)


def _table(titles: list[str], rows: list[list[str]]) -> str:
    lines = [titles, ["---", *["---:"] * (len(titles) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _m(count: int | float) -> str:
    """Millions."""
    return f"{count / 1e6:.2f} M"


def _judged(count: int, demand: float | None) -> str:
    """Against a demand in millions."""
    if demand is None:
        return _m(count)
    over = count / (demand * 1e6) - 1
    return f"{_m(count)} ({'met' if over <= 0 else f'{100 * over:+.1f} %'}: {demand:g})"


def _times(others: str, ours: int) -> str:
    """Others' millions of instructions as a multiple of ours."""
    number = others.split(",")[0]
    return f"{float(number) * 1e6 / ours:.1f}x" if number[:1].isdigit() else ""


def _instructions(results: list[Measured]) -> str:
    titles = [
        *("network", "MACs", "fast (demand)", "exact (demand)", "per MAC", "TinyEngine", "CMSIS-NN"),
        *("fewer than TinyEngine", "than CMSIS-NN"),
    ]
    rows = []
    for r in results:
        known = NETWORKS[r.network]
        rows.append(
            [
                *(r.network, _m(r.macs), _judged(r.m7_fast, known.demand_fast)),
                *(_judged(r.m7_exact, known.demand_exact), f"{r.m7_fast / r.macs:.3f}"),
                *(_named(known.tinyengine), _named(known.cmsis)),
                *(_times(known.tinyengine, r.m7_fast), _times(known.cmsis, r.m7_fast)),
            ]
        )
    return f"### Instructions, Cortex-M7, time mode\n\n{_table(titles, rows)}"


def _named(millions: str) -> str:
    number, *rest = millions.split(",")
    return f"{number} M{','.join(['', *rest])}" if number[:1].isdigit() else millions


def _cycles(results: list[Measured]) -> str:
    titles = [
        *(
            "network",
            "instructions",
            "more than M7",
            "cycles, estimate",
            "range of the estimate",
            "MACs per cycle, est.",
        ),
        "closed libraries, measured on chips",
    ]
    rows = []
    for r in results:
        low, middle, high = r.m4_cycles
        best = NETWORKS[r.network].best_m4
        rows.append(
            [
                *(r.network, _m(r.m4_fast), f"{100 * (r.m4_fast / r.m7_fast - 1):+.2f} %"),
                *(_m(middle), f"{_m(low)} to {_m(high)}", f"{r.macs / middle:.2f}"),
                "" if best is None else f"{best:.2f}",
            ]
        )
    return f"### Cortex-M4, fast, time mode\n\n{_table(titles, rows)}"


def _kb(size: int | None) -> str:
    return "" if size is None else f"{size / 1024:.1f} KB"


def _memory(results: list[Measured]) -> str:
    titles = [
        *(
            "network",
            "arena",
            "smallest, by rows",
            "TinyEngine",
            "CMSIS-NN",
            "flash",
            "flash, `--optimize flash`",
            "stack",
        ),
    ]
    rows = []
    for r in results:
        known = NETWORKS[r.network]
        others = (f"{size} kB" if size else "" for size in (known.tinyengine_sram, known.cmsis_sram))
        rows.append(
            [
                *(r.network, _kb(r.arena), _kb(r.smallest_arena), *others),
                *(_kb(r.flash), _kb(r.flash_small), f"{r.stack} bytes"),
            ]
        )
    return f"### SRAM and flash, Cortex-M7, fast\n\n{_table(titles, rows)}"


def _low_sram(results: list[Measured]) -> str:
    rows = [
        [
            *(r.network, f"{NETWORKS[r.network].cap_kb} KB", _kb(r.capped_arena)),
            *(_judged(r.capped, NETWORKS[r.network].demand_capped), f"{100 * (r.capped / r.m7_fast - 1):+.1f} %"),
        ]
        for r in results
        if r.capped is not None
    ]
    titles = ["network", "cap", "arena", "instructions (demand)", "more than time mode"]
    return f"### Low-SRAM mode, Cortex-M7, fast, fed by rows\n\n{_table(titles, rows)}"


def revision() -> str:
    """Of the working tree."""
    command = ["git", "-C", str(project_root()), "describe", "--always", "--dirty", "--abbrev=8"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


# Command --------------------------------------------------------------------------------------------------------------


def put_between_marks(path: Path, text: str) -> None:
    """Replace what lies between MARKS."""
    content = path.read_text(encoding="utf-8")
    if not all(mark in content for mark in MARKS):
        raise ToolError(f"{path} lacks the marks {MARKS[0]} and {MARKS[1]}")
    before, rest = content.split(MARKS[0], 1)
    after = rest.split(MARKS[1], 1)[1]
    path.write_text(f"{before}{MARKS[0]}\n\n{text}\n\n{MARKS[1]}{after}", encoding="utf-8")


@click.command(help=__doc__)
@click.argument("names", nargs=-1, type=click.Choice(list(NETWORKS)))
@click.option("--write", type=click.Path(exists=True, path_type=Path), help="Put the tables into this file.")
@click.option("--layers-only", is_flag=True, help="Leave out schedules that have to be searched for.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
def main(names: tuple[str, ...], write: Path | None, layers_only: bool, as_json: bool) -> None:
    todo = [(name, path) for name in names or NETWORKS if (path := model_file(name))]
    results = []
    with step_progress() as progress:
        for done, (name, path) in enumerate(todo):
            progress(name, done, len(todo))
            results.append(measure(name, path, search=not layers_only))
    if as_json:
        click.echo(json.dumps([asdict(result) for result in results], indent=2))
    else:
        click.echo(tables(results, revision()))
    if write:
        put_between_marks(write, tables(results, revision()))


if __name__ == "__main__":
    try:
        main()
    except TinyEngineError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(2)
