#!/usr/bin/env python3
"""How well scores without training rank architectures: Spearman's correlation with short trainings.

\b
    bench/rank.py --networks 12 --data labelled.npz --validate other.npz    train what is missing, then report
    bench/rank.py --data labelled.npz --validate other.npz --report         only print what is known

Networks are drawn at random from the space of `tinyengine search`, all at one resolution and width and within one
budget of instructions, so that size alone does not decide. Each is trained alike on a part of the pictures and judged
on the validation pictures, by accuracy and by cross-entropy (which is less noisy). Results are kept in
.cache/search_rank.jsonl, so that a stopped run goes on.
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
from short_training import train
from tinyengine.cli.progress import step_progress
from tinyengine.data.images import to_pixels
from tinyengine.data.reader import read_pictures
from tinyengine.data.samples import Arrays
from tinyengine.errors import TinyEngineError
from tinyengine.optional import tensorflow
from tinyengine.paths import cache_dir
from tinyengine.recipes.recipe import Recipe
from tinyengine.recipes.train import BACKENDS
from tinyengine.search import proxy
from tinyengine.search.cost import estimate
from tinyengine.search.space import Architecture, sample
from tinyengine.zoo.table import Network

RESULTS = "search_rank.jsonl"
LEAST = 0.6
"""Share of the limit that a network must use: within a budget nobody compares it with much smaller ones."""


@dataclass(frozen=True)
class Setting:
    """What all networks of one comparison share."""

    resolution: int
    width: float
    instructions: float
    pictures: int
    epochs: float
    seed: int
    data: str  # the names of what they are trained on
    validate: str  # and judged with


@dataclass(frozen=True)
class Entry:
    """One network: what is known without training, and after it."""

    number: int
    macs: int
    parameters: int
    blocks: int
    instructions: int
    zico: float
    naswot: float
    accuracy: float  # share of the validation pictures
    loss: float  # nats, against label and teacher averaged
    seconds: float  # of processor time, for the training


MEASURES: dict[str, Callable[[Entry], float]] = {
    "ZiCo": lambda entry: entry.zico,
    "NASWOT": lambda entry: entry.naswot,
    "MACs": lambda entry: entry.macs,
    "parameters": lambda entry: entry.parameters,
    "blocks": lambda entry: entry.blocks,
}


def candidates(setting: Setting, count: int) -> list[Architecture]:
    """The same networks for the same setting; a larger count adds to them."""
    rng = np.random.default_rng([setting.seed, setting.resolution, round(10 * setting.width)])
    found: list[Architecture] = []
    while len(found) < count:
        drawn = sample(rng, setting.resolution, setting.width)
        cost = estimate(drawn.network(2)).instructions
        if LEAST * setting.instructions <= cost <= setting.instructions and drawn not in found:
            found.append(drawn)
    return found


def measure(number: int, network: Network, setting: Setting, data: Arrays, validation: Arrays, backend: str) -> Entry:
    """Score, train and judge one network."""
    pictures, targets = _batch(data, network.resolution)
    scores = [score(network, pictures, targets) for score in (proxy.zico, proxy.naswot)]
    recipe = Recipe(epochs=setting.epochs, average=0.99, seed=setting.seed)
    trained = train(network, recipe, data, validation, backend)
    right = trained.probabilities.argmax(1) == validation.labels
    loss = -(validation.targets(0.5) * np.log(np.maximum(trained.probabilities, 1e-6))).sum(1)
    cost = estimate(network)
    return Entry(
        number,
        cost.macs,
        trained.parameters,
        len(network.blocks),
        cost.instructions,
        *scores,
        float(right.mean()),
        float(loss.mean()),
        round(trained.seconds, 1),
    )


def _batch(data: Arrays, resolution: int) -> tuple[np.ndarray, np.ndarray]:
    chosen = np.random.default_rng(0).choice(len(data), proxy.PICTURES, replace=False)
    pixels = np.stack([to_pixels(Image.fromarray(data.values[k]), resolution, resolution, 3) for k in chosen])
    return pixels.astype(np.float32) / 128 - 1, data.targets(0.5)[chosen]


def spearman(a: Sequence[float], b: Sequence[float]) -> float:
    """Rank correlation; equal values share their mean rank."""
    ranks = [np.array([np.mean(np.flatnonzero(np.sort(v) == x)) for x in v]) for v in (np.array(a), np.array(b))]
    return float(np.corrcoef(*ranks)[0, 1])


def interval(a: Sequence[float], b: Sequence[float], draws: int = 2000) -> tuple[float, float]:
    """95 % bootstrap interval of the rank correlation."""
    rng, a, b = np.random.default_rng(0), np.array(a), np.array(b)
    found = []
    for _ in range(draws):
        chosen = rng.integers(len(a), size=len(a))
        if len(set(a[chosen])) > 1 and len(set(b[chosen])) > 1:
            found.append(spearman(a[chosen], b[chosen]))
    low, high = np.quantile(found, (0.025, 0.975))
    return float(low), float(high)


def report(entries: Sequence[Entry], as_json: bool) -> None:
    """Correlations over all entries."""
    accuracy, quality = [e.accuracy for e in entries], [-e.loss for e in entries]
    lines = []
    for name, of in MEASURES.items():
        values = [of(entry) for entry in entries]
        low, high = interval(values, quality)
        lines.append((name, spearman(values, accuracy), spearman(values, quality), low, high))
    if as_json:
        keys = ("measure", "with_accuracy", "with_loss", "low", "high")
        correlations = [dict(zip(keys, line, strict=True)) for line in lines]
        click.echo(json.dumps({"networks": [asdict(e) for e in entries], "correlations": correlations}, indent=2))
        return
    spread = np.percentile([100 * a for a in accuracy], (0, 50, 100))
    title = f"{len(entries)} networks, accuracy {spread[0]:.1f} to {spread[2]:.1f} % (median {spread[1]:.1f})"
    table = Table(title=title)
    for head in ("known beforehand", "rank correlation with accuracy", "with cross-entropy", "95 % interval"):
        table.add_column(head)
    for name, with_accuracy, with_loss, low, high in lines:
        table.add_row(name, f"{with_accuracy:.2f}", f"{with_loss:.2f}", f"{low:.2f} to {high:.2f}")
    Console().print(table)


@click.command(help=__doc__)
@click.option("--networks", type=click.IntRange(4), default=12, show_default=True)
@click.option("--resolution", type=int, default=48, show_default=True)
@click.option("--width", type=float, default=0.4, show_default=True)
@click.option("--instructions", type=float, default=4e6, show_default=True)
@click.option("--data", type=click.Path(path_type=Path), required=True, help="Pictures to train on (.npz or folder).")
@click.option("--validate", type=click.Path(path_type=Path), required=True, help="Pictures to judge with.")
@click.option("--pictures", type=int, default=8000, show_default=True, help="Of the pictures to train on.")
@click.option("--epochs", type=float, default=4, show_default=True)
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--backend", type=click.Choice(BACKENDS), default=BACKENDS[0], show_default=True)
@click.option("--report", "only_report", is_flag=True, help="Train nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
def main(
    networks: int,
    resolution: int,
    width: float,
    instructions: float,
    data: Path,
    validate: Path,
    pictures: int,
    epochs: float,
    seed: int,
    backend: str,
    only_report: bool,
    as_json: bool,
) -> None:
    setting = Setting(resolution, width, instructions, pictures, epochs, seed, data.name, validate.name)
    path = cache_dir() / RESULTS
    lines = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    known = {line["entry"]["number"]: Entry(**line["entry"]) for line in lines if line["setting"] == asdict(setting)}
    if not only_report and len(known) < networks:
        tensorflow("train networks", 1)
        pictures_ = read_pictures(data, pictures).decoded(resolution * 3 // 2)
        judge = read_pictures(validate).decoded(resolution)
        with step_progress() as progress:
            for number, architecture in enumerate(candidates(setting, networks)):
                if number not in known:
                    known[number] = measure(number, architecture.network(2), setting, pictures_, judge, backend)
                    with path.open("a") as file:
                        file.write(json.dumps({"setting": asdict(setting), "entry": asdict(known[number])}) + "\n")
                progress("networks", number + 1, networks)
    entries = [known[number] for number in sorted(known) if number < networks]
    if len(entries) < 4:
        raise click.ClickException(f"{len(entries)} networks are known with these settings: 4 are needed to rank them")
    report(entries, as_json)


if __name__ == "__main__":
    try:
        main()
    except TinyEngineError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(2)
