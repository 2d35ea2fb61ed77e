#!/usr/bin/env python3
"""What arithmetic and scheme do to the accuracy of training on the device.

\b
    bench/training/accuracy.py                    tune the learning rates, train with 3 seeds, measure
    bench/training/accuracy.py --report           only print what is known
    bench/training/accuracy.py --report --json    the same as JSON

Network: mcunet-5fps pre-trained on ImageNet, from TINYENGINE_SHARED; sets: see sets.py. Device arithmetic, batch 1, no
momentum. The learning rate of every row is the best of its grid on a validation part of the training pictures (one
seed); the test part is measured with that rate, and with that of the row "float", so that rows can be compared at one
rate, seed by seed. Every training is kept in .cache/training_accuracy.jsonl, so that a stopped run goes on. A training
step takes 1 to 1.5 ms on a PC core with AVX2, all of it about an hour (what it took is printed).
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from itertools import chain
from pathlib import Path

import click
import numpy as np
from sets import EPOCHS, NAMES, TransferSet, open_set
from tables import Row, print_tables, to_json
from tinyengine.finetune.features import features
from tinyengine.frontend.tiny_training import load_tiny_training
from tinyengine.ir import Graph
from tinyengine.paths import cache_dir, shared_dir
from tinyengine.training.scheme import UpdateScheme, load_scheme, resolve_scheme
from tinyengine.training.split import split
from worker import Task

HERE = Path(__file__).parent
DEEPEST = 22  # trailing convolutions that any of the schemes trains
SCHEMES = ("last-layer", "bias-22", "49kb", "99kb", "found")
ARITHMETICS = ("float", "stochastic", "residual", "truncating", "no-qas")
PAIRED = ("float", "stochastic", "residual")  # compared at one rate
RESULTS = "training_accuracy.jsonl"
FEWER_SETS = {name: ("flowers5", "signdigits10") for name in ("truncating", "no-qas", "no-qas-at-all")}


def grid(scheme: str, arithmetic: str) -> tuple[float, ...]:
    """Learning rates to try."""
    if arithmetic == "no-qas-at-all":
        return (1e2, 1e3, 1e4, 1e5)
    if arithmetic == "truncating":
        return (0.001, 0.003)
    if scheme == "last-layer":
        return (0.001, 0.003, 0.01, 0.03)
    if arithmetic == "no-qas":
        return (0.003, 0.01, 0.03)
    return (0.003, 0.01, 0.03) if scheme.startswith("bias") else (0.001, 0.003)


class Experiment:
    """Prepares what tasks need and keeps their results."""

    def __init__(self, shared: Path, schemes: Sequence[str]) -> None:
        self.network = shared / "models" / "tiny_training" / "mcunet-5fps.json"
        self._data = shared / "data"
        graph = load_tiny_training(self.network)
        self._parts = split(graph, DEEPEST)
        self.schemes = {name: _scheme(name, graph) for name in schemes}
        self._path = cache_dir() / RESULTS
        self.known: dict[Task, dict[str, float]] = {}
        if self._path.exists():
            for line in self._path.read_text().splitlines():
                entry = json.loads(line)
                self.known[Task(**json.loads(entry.pop("key")))] = entry

    def run(self, name: str, arithmetic: str, tasks: Iterable[Task], until: float) -> None:
        """Those of one scheme and one arithmetic that are not known, one after another in one process. What comes next
        may depend on results."""
        worker: subprocess.Popen[str] | None = None
        for task in tasks:
            if task in self.known:
                continue
            if time.monotonic() > until:
                break
            worker = worker or self._start(name, arithmetic)
            assert worker.stdin is not None and worker.stdout is not None
            features = str(self._features(task.set, self.schemes[name].bias_last))
            worker.stdin.write(json.dumps({"features": features, "task": asdict(task)}) + "\n")
            worker.stdin.flush()
            line = worker.stdout.readline()
            if not line:
                raise click.ClickException(f"a training of {name}, {arithmetic} failed")
            with self._path.open("a") as file:
                file.write(line)
            entry = json.loads(line)
            self.known[Task(**json.loads(entry.pop("key")))] = entry
            click.echo(line.strip(), err=True)
        if worker:
            worker.communicate()

    def _start(self, name: str, arithmetic: str) -> subprocess.Popen[str]:
        scheme = self.schemes[name]
        request = {
            "network": str(self.network),
            "bias_last": scheme.bias_last,
            "weights": scheme.weights,
            "arithmetic": arithmetic,
        }
        command = [sys.executable, str(HERE / "worker.py"), json.dumps(request)]
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def _features(self, name: str, deepest: int) -> Path:
        """What lies in front of the last ``deepest`` convolutions makes of all pictures, plain and mirrored."""
        path = cache_dir() / "experiments" / f"{name}_{deepest}.npz"
        if path.exists():
            return path
        path.parent.mkdir(parents=True, exist_ok=True)
        if deepest == DEEPEST:
            pictures: TransferSet = open_set(name, self._data)
            arrays = {"labels": pictures.labels, "train": pictures.train, "test": pictures.test}
            front, inputs = self._parts.front, {"plain": pictures.inputs(False), "mirrored": pictures.inputs(True)}
        else:
            with np.load(self._features(name, DEEPEST)) as known:
                arrays = {key: known[key] for key in ("labels", "train", "test")}
                inputs = {key: known[key] for key in ("plain", "mirrored")}
            front = split(self._parts.tail, deepest).front
        partial = path.with_suffix(".partial.npz")
        np.savez(partial, **arrays, **{key: features(front, value) for key, value in inputs.items()})
        partial.replace(path)
        return path

    def rate(self, name: str, scheme: str, arithmetic: str, epochs: float) -> float | None:
        """The rate that was best on the validation part, the lower one of equals; None if not all were tried."""
        tried = {}
        for rate in grid(scheme, arithmetic):
            entry = self.known.get(Task(name, scheme, arithmetic, rate, 0, epochs, True))
            if entry is None:
                return None
            tried[rate] = entry["accuracy"]
        return max(tried, key=lambda rate: (tried[rate], -rate))


def _scheme(name: str, graph: Graph) -> UpdateScheme:
    if name == f"bias-{DEEPEST}":
        return UpdateScheme(name, DEEPEST)
    if name == "found":
        return load_scheme(HERE / "found.json")
    return resolve_scheme(name, graph)


@click.command(help=__doc__)
@click.option("--sets", "sets", default=",".join(NAMES), show_default=True)
@click.option("--schemes", default=",".join(SCHEMES), show_default=True)
@click.option("--arithmetics", default=",".join(ARITHMETICS), show_default=True)
@click.option("--seeds", type=click.IntRange(1), default=3, show_default=True)
@click.option("--shorter", type=float, default=3, show_default=True, help="Divides the epochs of every set.")
@click.option("--tune", is_flag=True, help="End when all learning rates are chosen.")
@click.option("--minutes", type=float, help="Begin no group of trainings after so long.")
@click.option("--report", is_flag=True, help="Train nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
def main(
    sets: str,
    schemes: str,
    arithmetics: str,
    seeds: int,
    shorter: float,
    tune: bool,
    minutes: float | None,
    report: bool,
    as_json: bool,
) -> None:
    shared = shared_dir()
    if shared is None:
        raise click.ClickException("TINYENGINE_SHARED names no folder: the network and the pictures are there")
    experiment = Experiment(shared, schemes.split(","))
    rows = [
        (scheme, arithmetic, name)
        for scheme in experiment.schemes
        for arithmetic in arithmetics.split(",")
        for name in sets.split(",")
        if name in FEWER_SETS.get(arithmetic, NAMES) and _differs(scheme, arithmetic)
    ]
    epochs = {name: round(EPOCHS[name] / shorter, 2) for name in NAMES}
    until = float("inf") if minutes is None else time.monotonic() + 60 * minutes
    if not report:
        _run(experiment, rows, epochs, range(0 if tune else seeds), until)
    chosen = {row: experiment.rate(row[2], row[0], row[1], epochs[row[2]]) for row in rows}
    tasks = {task: entry for task, entry in experiment.known.items() if task.epochs == epochs[task.set]}
    if as_json:
        click.echo(to_json(rows, chosen, tasks))
    else:
        print_tables(rows, chosen, tasks)


def _differs(scheme: str, arithmetic: str) -> bool:
    """Without a trained layer but the classifier there is nothing that quantization-aware scaling could change."""
    return not (scheme == "last-layer" and arithmetic.startswith("no-qas"))


def _run(
    experiment: Experiment, rows: Sequence[Row], epochs: dict[str, float], seeds: Sequence[int], until: float
) -> None:
    """Rates and the first seed of all rows, then the other seeds: whoever stops early has a table of fewer seeds."""
    for part in (seeds[:1], seeds[1:]):
        for scheme, arithmetic in dict.fromkeys(row[:2] for row in rows):
            sets = [name for *row, name in rows if row == [scheme, arithmetic]]
            tasks = chain.from_iterable(
                _tasks(experiment, scheme, arithmetic, name, epochs[name], part) for name in sets
            )
            experiment.run(scheme, arithmetic, tasks, until)


def _tasks(
    experiment: Experiment, scheme: str, arithmetic: str, name: str, epochs: float, seeds: Sequence[int]
) -> Iterator[Task]:
    """To choose the rate; to measure at it, and at that of the row "float" of the same scheme and set."""
    for rate in grid(scheme, arithmetic):
        yield Task(name, scheme, arithmetic, rate, 0, epochs, True)
    for seed in seeds:
        for row in (arithmetic, "float") if arithmetic in PAIRED else (arithmetic,):
            rate = experiment.rate(name, scheme, row, epochs)
            if rate is not None:
                yield Task(name, scheme, arithmetic, rate, seed, epochs, False)


if __name__ == "__main__":
    main()
