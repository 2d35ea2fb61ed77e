"""``tinyengine bench``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from tinyengine.boards import load
from tinyengine.cli.options import compile_options, json_option, to_compile_options
from tinyengine.cli.progress import step_progress
from tinyengine.compiler import CompileOptions, compile_model
from tinyengine.cores import SIMULATED
from tinyengine.errors import ToolError
from tinyengine.measure.bench import bench
from tinyengine.measure.training import bench_training
from tinyengine.report.bench import bench_table, training_table


@click.command("bench")
@click.argument("model", type=click.Path(path_type=Path))
@click.option("--cpu", type=click.Choice(list(SIMULATED)), help="Simulated core; default: the board's, else cortex-m4.")
@click.option("--board", help="Board whose core is meant: a name of boards/, or your own file.")
@click.option(
    "--check",
    type=click.IntRange(min=0),
    default=0,
    metavar="N",
    help="Compare N random inputs with the TFLite reference; of an ONNX file with ONNX Runtime.",
)
@click.option("--portable", is_flag=True, help="Use the portable C kernels instead of the DSP ones.")
@click.option("--cycles", is_flag=True, help="Also estimate cycles, by a model of the core's timings.")
@compile_options
@json_option
def command(
    model: Path,
    cpu: str | None,
    board: str | None,
    check: int,
    portable: bool,
    cycles: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Count what the network MODEL (.tflite, .lm) costs on a simulated core: instructions, SRAM, flash.

    Instructions are exact and repeatable. They are not cycles, which --cycles estimates without the memories' part.
    With --check, exit code 1 tells that outputs differ from TFLite although --requant exact promises that they do not;
    from ONNX Runtime, which rounds in float, that they differ by more than one step per layer.

    With --train SCHEME it counts training steps, and always compares the trained state with the oracle's, byte by byte:
    after N steps with --check N, else after two.

    \b
    Example:
      tinyengine bench models/person_tiny.tflite --cpu cortex-m7 --check 20
    """
    if board is not None and cpu is not None:
        raise click.UsageError("the board has a core: give either --board BOARD or --cpu CORE")
    compile_with = to_compile_options(load(board).cpu if board is not None else cpu or "cortex-m4", **options)
    if compile_with.train is not None:
        training(model, compile_with, check, portable, cycles, as_json)
        return
    if compile_with.input == "sound" and check:
        raise ToolError("TFLite has no audio front end to compare with: leave out --check, or --input sound")
    with step_progress() as progress:
        progress("compiling the network", 0, 1)
        compiled = compile_model(model, compile_with)
        report = bench(compiled, model, check, portable, activity=progress, cycles=cycles)
    if as_json:
        click.echo(json.dumps(report.to_json(), indent=2))
    else:
        Console(highlight=False).print(bench_table(report))
    if report.wrong:
        sys.exit(1)


def training(model: Path, options: CompileOptions, check: int, portable: bool, cycles: bool, as_json: bool) -> None:
    """Training steps; exit code 1 if the trained state is not the oracle's."""
    with step_progress() as progress:
        progress("compiling the network", 0, 1)
        compiled = compile_model(model, options)
        report = bench_training(compiled, check or 2, portable=portable, activity=progress, cycles=cycles)
    if as_json:
        click.echo(json.dumps(report.to_json(), indent=2))
    else:
        Console(highlight=False).print(training_table(report))
    if report.check is not None and report.check.mismatched:
        sys.exit(1)
