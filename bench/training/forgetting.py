#!/usr/bin/env python3
"""Five tasks in a row, learned one after the other by one network, with and without replay.

\b
    bench/training/forgetting.py              train, measure (a quarter of an hour on one core)
    bench/training/forgetting.py --json       the figures as JSON

Network: mcunet-5fps pre-trained on ImageNet, from TINYENGINE_SHARED, under a published update scheme, with a classifier
of 19 outputs. Tasks: two kinds of animal, faces with and without a mask, five flowers, five digits of signs, the
other five. Each brings its classes; outputs of later ones take no part. Device arithmetic, natively. "joint" learns all
tasks at once, in as many steps as replay takes: what could be reached.
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass, replace

import click
import numpy as np
from sets import TransferSet, open_set
from tinyengine.compiler import CompiledModel, CompileOptions, compile_graph
from tinyengine.data.samples import Arrays, Samples
from tinyengine.finetune.features import features
from tinyengine.finetune.replay import Reservoir, mixed
from tinyengine.finetune.session import TuneOptions, evaluate, train
from tinyengine.frontend.tiny_training import load_tiny_training
from tinyengine.ir import Graph
from tinyengine.native import NativeTrainer
from tinyengine.paths import shared_dir
from tinyengine.training.scheme import resolve_scheme
from tinyengine.training.split import split

TASKS = (
    ("catdog2", range(2)),
    ("facemask2", range(2)),
    ("flowers5", range(5)),
    ("signdigits10", range(5)),
    ("signdigits10", range(5, 10)),
)
OUTPUTS = sum(len(labels) for _, labels in TASKS)
RATE = 0.003


@dataclass(frozen=True)
class Run:
    """``kept``: samples of the reservoir, None for all tasks at once. ``matrix``: accuracy on task j after task i."""

    kept: int | None
    seed: int
    matrix: list[list[float]]
    seconds: float

    @property
    def final(self) -> float:
        """Mean accuracy over the tasks at the end."""
        return float(np.mean(self.matrix[-1]))

    @property
    def learned(self) -> float:
        """Mean accuracy on each task when it had just been learned."""
        return float(np.mean([row[-1] for row in self.matrix])) if self.kept is not None else float("nan")

    @property
    def first(self) -> float:
        """Accuracy on the first task at the end."""
        return self.matrix[-1][0]


@dataclass(frozen=True, eq=False)
class TaskData:
    train: Arrays
    test: Arrays


def tasks(front: Graph | None, per_task: int, judged: int) -> list[TaskData]:
    """The features of each task's pictures, with labels among all outputs."""
    shared = shared_dir()
    assert shared is not None
    sets: dict[str, TransferSet] = {}
    names = tuple(map(str, range(OUTPUTS)))
    found, first = [], 0
    for name, labels in TASKS:
        data = sets.setdefault(name, open_set(name, shared / "data"))
        parts = []
        for part, most in ((data.train, per_task), (data.test, judged)):
            mine = part[np.isin(data.labels[part], labels)][:most]
            values = features(front, data.inputs(False)[mine])
            parts.append(Samples(values, (data.labels[mine] - labels[0] + first).astype(np.int32), names))
        found.append(TaskData(*parts))
        first += len(labels)
    return found


def learn(model: CompiledModel, data: list[TaskData], kept: int | None, epochs: float, seed: int) -> Run:
    """One network from its factory state through all tasks."""
    began = time.process_time()
    trainer = NativeTrainer(model, fast=True)
    if kept is None:
        everything = Samples(
            np.concatenate([task.train.values for task in data]),
            np.concatenate([task.train.labels for task in data]),
            data[0].train.classes,
        )
        _train(trainer, everything, OUTPUTS, 2 * epochs, seed, 0)
        matrix = [[evaluate(trainer, task.test, OUTPUTS).accuracy for task in data]]
        return Run(None, seed, matrix, time.process_time() - began)
    reservoir = Reservoir(data[0].train.take(np.empty(0, np.int64)), (0,) * OUTPUTS)
    matrix, steps, classes = [], 0, 0
    for number, (_, labels) in enumerate(TASKS):
        classes += len(labels)
        new = data[number].train
        shown = mixed(new, reservoir.samples, seed) if kept else new
        steps += _train(trainer, shown, classes, epochs, seed, steps)
        if kept:
            reservoir = reservoir.taking(new, kept, seed)
        matrix.append([evaluate(trainer, task.test, classes).accuracy for task in data[: number + 1]])
    return Run(kept, seed, matrix, time.process_time() - began)


def _train(trainer: NativeTrainer, samples: Arrays, classes: int, epochs: float, seed: int, first: int) -> int:
    """Steps taken."""
    options = TuneOptions(classes, epochs, RATE, seed=seed, first_step=first)
    return sum(1 for _ in train(trainer, [samples.values], samples.labels, options))


@click.command(help=__doc__)
@click.option("--scheme", default="49kb", show_default=True)
@click.option("--kept", default="0,19,95,380", show_default=True, help="Sizes of the reservoir.")
@click.option("--epochs", type=float, default=3, show_default=True, help="Of each task.")
@click.option("--per-task", type=click.IntRange(10), default=300, show_default=True, help="Pictures to learn from.")
@click.option("--judged", type=click.IntRange(10), default=150, show_default=True, help="Pictures to judge by.")
@click.option("--seeds", type=click.IntRange(1), default=3, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
def main(scheme: str, kept: str, epochs: float, per_task: int, judged: int, seeds: int, as_json: bool) -> None:
    shared = shared_dir()
    if shared is None:
        raise click.ClickException("TINYENGINE_SHARED names no folder: the network and the pictures are there")
    graph = load_tiny_training(shared / "models" / "tiny_training" / "mcunet-5fps.json")
    resolved = resolve_scheme(scheme, graph)
    parts = split(graph, resolved.bias_last)
    options = CompileOptions(train=parts.scheme(resolved), classes=OUTPUTS)
    model = compile_graph(parts.tail, replace(options, sram=400_000))  # room for larger blocks: faster, the same bytes
    data = tasks(parts.front, per_task, judged)
    sizes: list[int | None] = [*map(int, kept.split(",")), None]
    runs = []
    for seed in range(seeds):
        for size in sizes:
            runs.append(learn(model, data, size, epochs, seed))
            click.echo(json.dumps(asdict(runs[-1])), err=True)
    if as_json:
        click.echo(json.dumps([asdict(run) for run in runs], indent=2))
        return
    click.echo("| kept | all five at the end | the first at the end | each when it was new |\n|---|---|---|---|")
    for size in sizes:
        mine = [run for run in runs if run.kept == size]
        cells = [[getattr(run, figure) for run in mine] for figure in ("final", "first", "learned")]
        told = [f"{100 * np.mean(each):.1f} ± {100 * np.std(each):.1f}" for each in cells]
        click.echo(f"| {'joint' if size is None else size} | {' | '.join(told)} |".replace("nan ± nan", ""))


if __name__ == "__main__":
    main()
