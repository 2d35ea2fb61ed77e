"""``tinyengine mlperf``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from tinyengine.cli.device_options import port_options
from tinyengine.cli.options import FiniteRange, json_option
from tinyengine.cli.progress import step_progress
from tinyengine.device.transport import open_port
from tinyengine.errors import DeviceError
from tinyengine.mlperf.benchmarks import BENCHMARKS
from tinyengine.mlperf.client import BUILD_ONE, Client
from tinyengine.mlperf.inputs import read_samples
from tinyengine.mlperf.perform import INPUTS, measure_accuracy, measure_speed
from tinyengine.report.mlperf import mlperf_lines, mlperf_report


@click.command("mlperf")
@click.option("--benchmark", "name", type=click.Choice(list(BENCHMARKS)), required=True, help="What to perform.")
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    required=True,
    help="Folder of the benchmark's inputs and y_labels.csv, as the runner has them.",
)
@click.option(
    "--mode",
    type=click.Choice(["performance", "accuracy", "both"]),
    default="both",
    show_default=True,
    help="Inferences per second (median of five inputs), or how many answers are right.",
)
@click.option(
    "--seconds",
    type=FiniteRange(min=0, min_open=True),
    default=10.0,
    show_default=True,
    help="Least duration of each of the five measurements, by the device's clock.",
)
@click.option("--limit", type=click.IntRange(min=1), help="Judge the first N inputs only.")
@port_options
@json_option
def command(
    name: str,
    data: Path,
    mode: str,
    seconds: float,
    limit: int | None,
    as_json: bool,
    port: str,
    **simulation: Any,
) -> None:
    """Perform a benchmark of MLPerf Tiny on a device, as the industry's runner does.

    The firmware must have been built with --mlperf; see docs/mlperf.md.

    \b
    Example:
      tinyengine build vww_96_int8.tflite --board sim_stm32f405 --mlperf vww
      tinyengine mlperf --port sim:sim_stm32f405 --benchmark vww --data vww01/
    """
    benchmark = BENCHMARKS[name]
    samples = read_samples(data)[:limit]
    with open_port(port, **simulation) as transport, step_progress() as progress:
        client = Client(transport)
        device = client.greet()
        model = client.model()
        if model != benchmark.model:
            raise DeviceError(f"{port} runs {model}, not {benchmark.model}: {BUILD_ONE}, the benchmark being {name}")
        performance = accuracy = None
        if mode != "accuracy":
            inputs = [next(sample.inputs()) for sample in samples[:INPUTS]]
            performance = measure_speed(client, inputs, seconds, progress)
        if mode != "performance":
            accuracy = measure_accuracy(client, benchmark, samples, progress)
    if as_json:
        click.echo(json.dumps(mlperf_report(device, benchmark, performance, accuracy), indent=2))
    else:
        Console(highlight=False).print(mlperf_lines(device, benchmark, performance, accuracy))
