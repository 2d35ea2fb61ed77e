#!/usr/bin/env python3
"""How well a super-network foretells what its parts reach when they are trained alone.

\b
    bench/rank.py super.npz --data train.npz --validate val.npz --alone a.json=runs/a --alone b.json=runs/b ...

Each --alone names a part (an architecture) and the folder of the run that trained it alone: `tinyengine fit --arch
a.json --start START --run runs/a ...`, for as many steps as the super-network, from what the super-network began with
(`tinyengine supernet train --epochs 0 ... -o START`). Both are judged in float on the same pictures. Prints accuracies,
their differences, and Spearman's rank correlations with a 95 % bootstrap interval where there are at least five.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import click
import numpy as np
from PIL import Image
from rich.console import Console
from rich.table import Table
from tinyengine.data.images import to_pixels
from tinyengine.errors import DataError, TinyEngineError
from tinyengine.optional import tensorflow
from tinyengine.progress import silent
from tinyengine.recipes.evaluate import keras_outputs
from tinyengine.recipes.inherit import measured
from tinyengine.recipes.supernet import JudgeOptions, open_heir
from tinyengine.supernet.file import load_supernet
from tinyengine.supernet.judged import Inherited
from tinyengine.supernet.predictor import spearman
from tinyengine.zoo.table import macs, parameters

ENOUGH = 5


@dataclass(frozen=True)
class Entry:
    """One part: what is known without training it, and what it reaches alone."""

    arch: str
    resolution: int
    macs: int
    parameters: int
    predicted: float | None  # cross entropy in nats
    inherited: Inherited
    alone: Inherited


MEASURES: dict[str, Callable[[Entry], float]] = {
    "inherited cross entropy": lambda entry: -entry.inherited.cross_entropy,
    "inherited accuracy": lambda entry: entry.inherited.accuracy,
    "predicted cross entropy": lambda entry: -(entry.predicted or 0.0),
    "MACs": lambda entry: entry.macs,
    "parameters": lambda entry: entry.parameters,
}


def interval(a: Sequence[float], b: Sequence[float], draws: int = 2000) -> tuple[float, float]:
    """95 % bootstrap interval of the rank correlation."""
    rng, one, other = np.random.default_rng(0), np.array(a), np.array(b)
    found = []
    for _ in range(draws):
        chosen = rng.integers(len(one), size=len(one))
        if len(set(one[chosen])) > 1 and len(set(other[chosen])) > 1:
            found.append(spearman(one[chosen], other[chosen]))
    low, high = np.quantile(found, (0.025, 0.975))
    return float(low), float(high)


def correlations(entries: Sequence[Entry]) -> list[dict[str, object]]:
    """Of each measure with the accuracy and the cross entropy (negative) that the parts reach alone."""
    accuracy, quality = [e.alone.accuracy for e in entries], [-e.alone.cross_entropy for e in entries]
    lines: list[dict[str, object]] = []
    for name, of in MEASURES.items():
        values = [of(entry) for entry in entries]
        if len(set(values)) < 2:
            continue
        low, high = interval(values, quality)
        line = {"measure": name, "with_accuracy": spearman(values, accuracy), "with_loss": spearman(values, quality)}
        lines.append(line | {"low": low, "high": high})
    return lines


def show(entries: Sequence[Entry]) -> None:
    """Tables on standard output."""
    table = Table("part", "input", "MACs", "inherited", "alone", "difference", "cross entropies")
    for e in entries:
        difference = f"{e.inherited.accuracy - e.alone.accuracy:+.1f}"
        entropies = f"{e.inherited.cross_entropy:.4f}, {e.alone.cross_entropy:.4f}"
        right = f"{e.inherited.accuracy:.1f} %", f"{e.alone.accuracy:.1f} %"
        table.add_row(e.arch, str(e.resolution), f"{e.macs / 1e6:.2f} M", *right, difference, entropies)
    console = Console()
    console.print(table)
    if len(entries) < ENOUGH:
        console.print(f"{len(entries)} parts are too few for a rank correlation: it takes {ENOUGH}")
        return
    ranks = Table("known beforehand", "rank correlation with accuracy", "with cross entropy", "95 % interval")
    for line in correlations(entries):
        values = [f"{line[key]:.2f}" for key in ("with_accuracy", "with_loss", "low", "high")]
        ranks.add_row(str(line["measure"]), *values[:2], " to ".join(values[2:]))
    console.print(ranks)


@click.command(help=__doc__)
@click.argument("supernet", type=click.Path(path_type=Path))
@click.option("--data", type=click.Path(path_type=Path), multiple=True, required=True, help="Of the training.")
@click.option("--validate", type=click.Path(path_type=Path), required=True, help="Pictures to judge with.")
@click.option("--alone", multiple=True, required=True, metavar="ARCH=RUN", help="A part, and the run that trained it.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
def main(supernet: Path, data: tuple[Path, ...], validate: Path, alone: tuple[str, ...], as_json: bool) -> None:
    whole = load_supernet(supernet)
    judging = JudgeOptions(supernet, [*data], validate)
    heir, judged = open_heir(whole, judging, silent)
    entries = []
    for pair in alone:
        arch, _, run = pair.partition("=")
        network, model = whole.sub_network(arch), Path(run) / "model.keras"
        if not model.is_file():
            raise DataError(f"{run} holds no finished run: it lacks model.keras")
        size = network.resolution
        pixels = np.stack([to_pixels(Image.fromarray(each), size, size, 3) for each in judged.values])
        probabilities = keras_outputs(tensorflow("judge").keras.models.load_model(model, compile=False), pixels)
        of_alone = measured(np.log(np.maximum(probabilities, 1e-7)), judged, judging.soft_weight)
        predicted = whole.predictor.cross_entropy(whole.space, network) if whole.predictor else None
        inherited = heir.judge(network, judged, judging.soft_weight)
        entries.append(Entry(arch, size, macs(network), parameters(network), predicted, inherited, of_alone))
    if as_json:
        found = correlations(entries) if len(entries) >= ENOUGH else []
        click.echo(json.dumps({"parts": [asdict(e) for e in entries], "correlations": found}, indent=2))
    else:
        show(entries)


if __name__ == "__main__":
    try:
        main()
    except TinyEngineError as error:
        sys.exit(f"error: {error}")
