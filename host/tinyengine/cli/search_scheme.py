"""``tinyengine search-scheme``: find what to train on the device."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click
from rich import box
from rich.console import Console
from rich.table import Table

from tinyengine.cli.options import SIZE, FiniteRange, json_option, setting
from tinyengine.cli.progress import step_progress
from tinyengine.cores import CORES
from tinyengine.finetune.schemes.find import SchemeOptions, SchemeResult
from tinyengine.sizes import exact_size


@click.command("search-scheme")
@click.argument("model", type=click.Path(path_type=Path))
@click.option(
    "--data", type=click.Path(path_type=Path), required=True, help="Folder with one subfolder per class, or .npz."
)
@click.option("--sram", type=SIZE, required=True, help="For arena and trained state together, e.g. 100K.")
@setting("--samples", click.IntRange(30), 600, "Pictures used; a third measures.")
@setting("--epochs", FiniteRange(0, min_open=True), 2.0, "Per measurement.")
@setting("--rate", FiniteRange(0, min_open=True), 0.003, "Highest learning rate.")
@setting("--seeds", click.IntRange(1), 1, "Trainings averaged per measurement.")
@click.option(
    "--deepest", type=click.IntRange(1), metavar="N", help="Consider the last N convolutions; default: half of them."
)
@click.option("--residual", is_flag=True, help="Count 8 further bits of every trained weight.")
@setting("--cpu", click.Choice(list(CORES)), "cortex-m7", "Core to plan for.")
@click.option(
    "--checkpoint", type=click.Path(path_type=Path), help="File that keeps measurements; continued if it exists."
)
@click.option("--plot", type=click.Path(path_type=Path), help="Picture of the contributions to write (.png).")
@click.option("-o", "--out", type=click.Path(path_type=Path), required=True, help="The scheme file (.json) to write.")
@json_option
def command(
    model: Path,
    data: Path,
    sram: int,
    samples: int,
    epochs: float,
    rate: float,
    seeds: int,
    deepest: int | None,
    residual: bool,
    cpu: str,
    checkpoint: Path | None,
    plot: Path | None,
    out: Path,
    as_json: bool,
) -> None:
    """Find an update scheme for MODEL (.tflite): what to train on the device within the SRAM.

    Every part of the network is trained alone, on this computer with the device's arithmetic, to see what it gives; an
    evolutionary search then puts together what fits.

    Example: tinyengine search-scheme person.tflite --data my_photos/ --sram 100K -o scheme.json
    """
    from tinyengine.data.metadata import ModelMetadata, load_metadata
    from tinyengine.data.reader import read_pictures
    from tinyengine.data.samples import labelled
    from tinyengine.finetune.schemes.find import find_scheme
    from tinyengine.frontend.tflite import load_tflite

    graph = load_tflite(model)
    metadata = load_metadata(model) or ModelMetadata()
    options = SchemeOptions(
        sram, cpu, samples=samples, epochs=epochs, rate=rate, deepest=deepest, seeds=seeds, residual=residual
    )
    pictures = labelled(read_pictures(data), data)
    with step_progress() as progress:
        result = find_scheme(graph, metadata, pictures, options, checkpoint, progress)
    out.write_text(result.found.scheme.to_json())
    if plot is not None:
        _plot(result, plot)
    if as_json:
        click.echo(json.dumps(asdict(result), indent=2))
    else:
        _print(result, out)


def _plot(result: SchemeResult, path: Path) -> None:
    from tinyengine.drawing.png import image
    from tinyengine.report.contributions import biases_scene, weights_scene

    image([biases_scene(result.contributions), weights_scene(result.contributions)]).save(path)


def _print(result: SchemeResult, out: Path) -> None:
    console = Console()
    contributions, found = result.contributions, result.found
    console.print(f"the classifier alone: {100 * contributions.base:.1f} % of {result.held_out} pictures")
    biases = ", ".join(f"{k}: {100 * gain:+.1f}" for k, gain in contributions.biases.items())
    console.print(f"biases of the last k convolutions, points: {biases}", soft_wrap=True)
    ratios = sorted({ratio for gains in contributions.weights.values() for ratio in gains})
    table = Table(box=box.SIMPLE_HEAD, title="weights of one convolution, points beyond the biases")
    table.add_column("convolution", justify="right")
    for ratio in ratios:
        table.add_column(f"ratio {ratio:g}", justify="right")
    for index, gains in sorted(contributions.weights.items()):
        table.add_row(str(index), *(f"{100 * gains[ratio]:+.1f}" for ratio in ratios))
    console.print(table)
    weights = ", ".join(f"{index}: {ratio:g}" for index, ratio in sorted(found.scheme.weights.items()))
    console.print(
        f"found: biases of the last {found.scheme.bias_last} convolutions, weights of {weights or 'none'}; "
        f"{exact_size(found.sram_bytes)} of SRAM, {100 * found.score:+.1f} points if gains add up; wrote {out}",
        soft_wrap=True,
    )
