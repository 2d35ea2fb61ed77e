#!/usr/bin/env python3
"""The networks of TINYENGINE_SHARED/models/wild against TensorFlow Lite Micro with CMSIS-NN: figures of its index.json.

\b
    bench/wild.py                          all networks that have figures, Cortex-M7 and M4, for time and for SRAM
    bench/wild.py model.tflite vww.tflite  some of them
    bench/wild.py --check 3                all of them, outputs compared with TFLite's reference kernels
    bench/wild.py --json

Rounding is TFLite's (exact). Instructions are those of one inference. SRAM, ours: the arena (with inputs, outputs and
scratch memory) and the states; theirs: `arena_bytes`, what the interpreter uses of its arena (tensors, scratch
memory, variables, and its own records of tensors and operators). Stacks, static variables and the arena's slack count
on neither side. A network is better where a single build has fewer instructions and less SRAM; the other build shows
what the choice is. Results are kept in .cache/wild.jsonl under a hash of the generated C, the library and the checks,
so that a stopped run goes on and a later one measures only what has changed. Exit code 1 if a network that is compiled
needs more of anything than theirs, in its better build, or answers differently.
"""

from __future__ import annotations

import hashlib
import json
import sys
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from typing import Any

import click
from rich import box
from rich.console import Console
from rich.table import Table
from tinyengine.cli.progress import step_progress
from tinyengine.compiler import CompiledModel, CompileOptions, compile_model
from tinyengine.errors import TinyEngineError
from tinyengine.measure.bench import bench
from tinyengine.paths import cache_dir, project_root, shared_dir

RESULTS = "wild.jsonl"
CPUS = ("cortex-m7", "cortex-m4")
OPTIMIZE = ("time", "sram")


@dataclass(frozen=True)
class Ours:
    """One build of one network on one core."""

    instructions: int
    sram_bytes: int
    flash_bytes: int
    mismatches: int | None  # None: not checked, or against a reference that rounds otherwise


@dataclass(frozen=True)
class Row:
    """A network on a core, in one build, beside TFLite Micro. ``refused``: why there is nothing of ours."""

    file: str
    cpu: str
    optimize: str
    theirs_instructions: int | None
    theirs_sram_bytes: int
    ours: Ours | None
    refused: str = ""

    @property
    def instructions_ratio(self) -> float | None:
        return self.ours.instructions / self.theirs_instructions if self.ours and self.theirs_instructions else None

    @property
    def sram_ratio(self) -> float | None:
        return self.ours.sram_bytes / self.theirs_sram_bytes if self.ours else None

    @property
    def verdict(self) -> str:
        """What of ours is more than theirs."""
        if self.ours is None:
            return "refused"
        losses = [(self.instructions_ratio or 0, "instructions"), (self.sram_ratio or 0, "SRAM")]
        lost = [name for ratio, name in losses if ratio > 1] + ["outputs"] * bool(self.ours.mismatches)
        return "more " + ", ".join(lost) if lost else "better"


def index() -> list[dict[str, Any]]:
    """The entries of index.json that have figures of TFLite Micro."""
    shared = shared_dir()
    if shared is None:
        raise click.ClickException("the networks are in models/wild of the folder that TINYENGINE_SHARED names: set it")
    entries: list[dict[str, Any]] = json.loads((shared / "models" / "wild" / "index.json").read_text())
    return [{**e, "path": shared / "models" / "wild" / e["file"]} for e in entries if e["tflm_cmsis_nn"]["arena_bytes"]]


def library() -> bytes:
    """All C that a measurement runs beside the generated one."""
    digest = hashlib.sha256()
    for folder in ("lib/tinyengine", "firmware/bench"):
        for path in sorted((project_root() / folder).rglob("*.[ch]")):
            digest.update(path.read_bytes())
    return digest.digest()


def key(compiled: CompiledModel, check: int, library: bytes) -> str:
    """Names one measurement."""
    digest = hashlib.sha256(library + f"{compiled.options.cpu} {check}".encode())
    for name, text in sorted(compiled.sources.items()):
        digest.update(f"{name}\0{text}\0".encode())
    return digest.hexdigest()[:24]


def measure(compiled: CompiledModel, path: Path, check: int) -> Ours:
    report = bench(compiled, path, check, profile=False)
    mismatches = report.check.mismatched if report.check and report.check.binding else None
    return Ours(report.instructions_max, report.arena_bytes + report.states_bytes, report.flash_bytes.total, mismatches)


def failing(rows: list[Row]) -> list[str]:
    """``file, cpu`` of networks of which no build is better."""
    compiled = dict.fromkeys((row.file, row.cpu) for row in rows if row.ours)
    better = {(row.file, row.cpu) for row in rows if row.verdict == "better"}
    wrong = {(row.file, row.cpu) for row in rows if row.ours and row.ours.mismatches}
    return [", ".join(each) for each in compiled if each not in better or each in wrong]


def figures(row: Row) -> dict[str, Any]:
    """``--json``."""
    return asdict(row) | {name: getattr(row, name) for name in ("instructions_ratio", "sram_ratio", "verdict")}


def table(rows: list[Row]) -> Table:
    result = Table(box=box.MARKDOWN)
    for title in ("network", "core", "build"):
        result.add_column(title, no_wrap=True)
    for title in ("instructions", "theirs", "ratio", "SRAM", "theirs", "ratio", "flash", "differ"):
        result.add_column(title, justify="right", no_wrap=True)
    result.add_column("verdict", no_wrap=True)

    def number(value: int | None) -> str:
        return "" if value is None else f"{value:,}"

    def share(value: float | None) -> str:
        return "" if value is None else f"{value:.2f}"

    for row in rows:
        ours = row.ours
        figures = (ours.instructions, ours.sram_bytes, ours.flash_bytes, ours.mismatches) if ours else (None,) * 4
        result.add_row(
            *(row.file.removesuffix(".tflite"), row.cpu.removeprefix("cortex-").upper(), row.optimize),
            *(number(figures[0]), number(row.theirs_instructions), share(row.instructions_ratio)),
            *(number(figures[1]), number(row.theirs_sram_bytes), share(row.sram_ratio)),
            *(number(figures[2]), number(figures[3]), row.verdict),
        )
    return result


@click.command(help=__doc__)
@click.argument("files", nargs=-1)
@click.option("--cpu", "cpus", multiple=True, type=click.Choice(CPUS), help="These cores (repeatable).")
@click.option("--check", type=click.IntRange(0), default=0, help="Compare this many random inputs with TFLite.")
@click.option("--losers", is_flag=True, help="Print only builds that are not better.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
def main(files: tuple[str, ...], cpus: tuple[str, ...], check: int, losers: bool, as_json: bool) -> None:
    entries = [entry for entry in index() if not files or entry["file"] in files]
    path = cache_dir() / RESULTS
    lines = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    known = {line["key"]: Ours(**line["ours"]) for line in lines}
    code, rows = library(), []
    todo = list(product(entries, cpus or CPUS, OPTIMIZE))
    with step_progress() as progress:
        for done, (entry, cpu, optimize) in enumerate(todo):
            theirs = entry["tflm_cmsis_nn"]
            progress(f"{entry['file']}, {cpu}", done, len(todo))
            counted = theirs[f"{cpu.removeprefix('cortex-')}_instructions"]
            ours, refused = None, ""
            try:
                compiled = compile_model(entry["path"], CompileOptions(cpu=cpu, requant="exact", optimize=optimize))
                name = key(compiled, check, code)
                if name not in known:
                    known[name] = measure(compiled, entry["path"], check)
                    with path.open("a") as file:
                        file.write(json.dumps({"key": name, "file": entry["file"], "ours": asdict(known[name])}) + "\n")
                ours = known[name]
            except TinyEngineError as error:
                refused = str(error)
            rows.append(Row(entry["file"], cpu, optimize, counted, theirs["arena_bytes"], ours, refused))
    shown = [row for row in rows if not losers or row.verdict != "better"]
    if as_json:
        click.echo(json.dumps([figures(row) for row in shown], indent=2))
    else:
        Console(highlight=False, width=200).print(table(shown))
    if lost := failing(rows):
        click.echo(f"{len(lost)} without a build that is better in both: {'; '.join(lost)}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    try:
        main()
    except TinyEngineError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(2)
