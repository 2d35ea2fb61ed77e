#!/usr/bin/env python3
"""Architectures trained alike, and whether their differences are more than chance.

\b
    bench/rivals.py --arch person-found --mobilenetv2 --data a.npz --data b.npz --validate val.npz
    bench/rivals.py ... --report        only print what is known
    bench/rivals.py ... --json          the same as JSON

Every --arch (a name of the zoo or a file of `tinyengine search`) is trained with the recipe of `tinyengine fit`, once
for each seed, and judged in float on the validation pictures. --mobilenetv2 adds the MobileNetV2 whose width (and
resolution, 8 pixels up or down) brings it closest to the cycles of the first --arch on a Cortex-M4. Every two are
compared, picture by picture and seed by seed; each interval stands for itself and is not widened for their number.
Results are kept in .cache/rivals.jsonl under the files' names, so that a stopped run goes on.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import math
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import click
import numpy as np
from rich.console import Console
from rich.table import Table
from scipy import stats
from short_training import train
from tinyengine.cli.progress import step_progress
from tinyengine.data.reader import read_pictures
from tinyengine.data.samples import Arrays, join
from tinyengine.errors import TinyEngineError
from tinyengine.optional import tensorflow
from tinyengine.paths import cache_dir
from tinyengine.progress import part
from tinyengine.recipes.recipe import Recipe
from tinyengine.recipes.train import BACKENDS
from tinyengine.search.cost import estimate
from tinyengine.zoo.arch_file import find_or_load
from tinyengine.zoo.table import Network, mobilenet_v2, parameters

RESULTS = "rivals.jsonl"


@dataclass(frozen=True, slots=True)
class Difference:
    """Of one architecture minus another, in points of accuracy."""

    name: str
    other: str
    mean: float
    low: float
    high: float
    by_seed: list[float]


def equal_mobilenet(network: Network) -> Network:
    """The MobileNetV2 whose estimated cycles are closest to the network's, of any width.

    Channels come in multiples of 8, so at one resolution the cycles jump: those beside the network's count too.
    """
    wanted = estimate(network).work
    resolutions = (network.resolution, network.resolution - 8, network.resolution + 8)
    rivals = (mobilenet_v2(step / 1000, r, network.classes) for r in resolutions for step in range(100, 1001, 2))
    return min(rivals, key=lambda rival: abs(estimate(rival).work - wanted))


def difference(name: str, other: str, ours: np.ndarray, theirs: np.ndarray) -> Difference:
    """``ours`` and ``theirs`` are (seeds, pictures) of bool: right or wrong.

    The variance of the mean difference adds what the choice of the pictures and what the choice of the seeds contribute
    to it. The 95 % interval is that of Student's t with the degrees of freedom of Welch and Satterthwaite, so that few
    seeds that disagree widen it as they should.
    """
    both = 100.0 * (ours.astype(float) - theirs.astype(float))
    parts = [(both.mean(axis).var(ddof=1) / n, n - 1) for axis, n in enumerate(both.shape[::-1]) if n > 1]
    variance = sum(part for part, _ in parts)
    if variance > 0:
        freedom = variance**2 / sum(part**2 / degrees for part, degrees in parts)
        half = float(stats.t.ppf(0.975, freedom)) * math.sqrt(variance)
    else:
        half = 0.0
    return Difference(name, other, both.mean(), both.mean() - half, both.mean() + half, both.mean(1).tolist())


def key(network: Network, recipe: Recipe, data: Sequence[Path], validate: Path, limit: int | None) -> str:
    """Names one training: another recipe, architecture or choice of pictures is another training."""
    names = [[path.name for path in data], validate.name, limit]
    described = json.dumps([asdict(replace(network, name="", about="")), asdict(recipe), names], sort_keys=True)
    return hashlib.sha256(described.encode()).hexdigest()[:16]


def report(networks: Sequence[Network], right: Sequence[np.ndarray], as_json: bool) -> None:
    named = [(network.name, answers) for network, answers in zip(networks, right, strict=True)]
    differences = [difference(a, b, x, y) for (a, x), (b, y) in itertools.combinations(named, 2)]
    if as_json:
        entries = [
            {
                "name": network.name,
                "resolution": network.resolution,
                **asdict(estimate(network)),
                "parameters": parameters(network),
                "accuracy": (100 * answers.mean(1)).tolist(),
            }
            for network, answers in zip(networks, right, strict=True)
        ]
        click.echo(json.dumps({"networks": entries, "differences": [asdict(d) for d in differences]}, indent=2))
        return
    console = Console()
    table = Table(title=f"{right[0].shape[1]} pictures, {right[0].shape[0]} seeds")
    for head in ("network", "input", "MACs", "cycles (est.)", "params", "accuracy by seed", "mean"):
        table.add_column(head, justify="right" if head != "network" else "left")
    for network, answers in zip(networks, right, strict=True):
        cost, accuracy = estimate(network), 100 * answers.mean(1)
        by_seed = "  ".join(f"{value:.2f}" for value in accuracy)
        size, weights = f"{network.resolution}x{network.resolution}", f"{parameters(network) / 1e6:.2f} M"
        figures = (size, f"{cost.macs / 1e6:.2f} M", f"{cost.work / 1e6:.2f} M", weights)
        table.add_row(network.name, *figures, by_seed, f"{accuracy.mean():.2f}")
    console.print(table)
    for d in differences:
        seeds = ", ".join(f"{value:+.2f}" for value in d.by_seed)
        console.print(
            f"{d.name} - {d.other}: {d.mean:+.2f} points, 95 % interval {d.low:+.2f} to {d.high:+.2f} (by seed {seeds})"
        )


@click.command(help=__doc__)
@click.option("--arch", "archs", multiple=True, required=True, metavar="NAME|FILE", help="Trained and compared.")
@click.option("--mobilenetv2", is_flag=True, help="Add the MobileNetV2 that takes as many cycles.")
@click.option("--data", type=click.Path(path_type=Path, exists=True), multiple=True, required=True)
@click.option("--validate", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--limit", type=click.IntRange(1), help="Read at most this many pictures of each set.")
@click.option("--epochs", type=float, default=3, show_default=True)
@click.option("--seeds", type=click.IntRange(1), default=3, show_default=True)
@click.option("--backend", type=click.Choice(BACKENDS), default=BACKENDS[0], show_default=True)
@click.option("--report", "only_report", is_flag=True, help="Train nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
def main(
    archs: tuple[str, ...],
    mobilenetv2: bool,
    data: tuple[Path, ...],
    validate: Path,
    limit: int | None,
    epochs: float,
    seeds: int,
    backend: str,
    only_report: bool,
    as_json: bool,
) -> None:
    tensorflow("train networks", 1)
    networks = [replace(find_or_load(arch), classes=2) for arch in archs]
    if mobilenetv2:
        networks.append(equal_mobilenet(networks[0]))
    path = cache_dir() / RESULTS
    lines = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    known = {line["key"]: np.frombuffer(bytes.fromhex(line["right"]), np.uint8) for line in lines}
    pictures: dict[int, tuple[Arrays, Arrays]] = {}
    right: list[list[np.ndarray]] = [[] for _ in networks]
    with step_progress() as progress:
        for seed in range(seeds):  # the outer loop: a stopped run has all networks alike
            for position, network in enumerate(networks):
                recipe = Recipe(epochs=epochs, seed=seed)
                name = key(network, recipe, data, validate, limit)
                if name not in known and not only_report:
                    if network.resolution not in pictures:
                        larger = join([read_pictures(p, limit) for p in data]).decoded(network.resolution * 3 // 2)
                        pictures[network.resolution] = larger, read_pictures(validate).decoded(network.resolution)
                    train_on, judge = pictures[network.resolution]
                    what = f"{network.name}, seed {seed}"
                    trained = train(network, recipe, train_on, judge, backend, part(progress, what))
                    known[name] = (trained.probabilities.argmax(1) == judge.labels).astype(np.uint8)
                    line = {"key": name, "network": network.name, "seed": seed, "epochs": epochs}
                    with path.open("a") as file:
                        file.write(json.dumps({**line, "right": known[name].tobytes().hex()}) + "\n")
                if name in known:
                    right[position].append(known[name])
    complete = min(len(answers) for answers in right)
    if not complete:
        raise click.ClickException("no seed has been trained with all of these networks and settings")
    report(networks, [np.stack(answers[:complete]).astype(bool) for answers in right], as_json)


if __name__ == "__main__":
    try:
        main()
    except TinyEngineError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(2)
