#!/usr/bin/env python3
"""What arithmetic and scheme do to the accuracy of training on the device.

\b
    bench/training/accuracy.py --tune             choose learning rates on validation parts (one seed)
    bench/training/accuracy.py --seeds 3          train and measure on the test parts
    bench/training/accuracy.py --report           only print what is known

Network: mcunet-5fps pre-trained on ImageNet, from TINYENGINE_SHARED; sets: see sets.py. Every training is a task whose
result is kept in .cache/training_accuracy.jsonl, so that a stopped run goes on. With the device's arithmetic a step
takes 5 to 20 ms on a PC core: count on one to three minutes a training.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import click
import numpy as np
from one import ARITHMETICS
from rich import box
from rich.console import Console
from rich.table import Table
from sets import EPOCHS, NAMES, PictureSet, open_set
from tinyengine.cli.progress import step_progress
from tinyengine.frontend.tiny_training import load_tiny_training
from tinyengine.paths import cache_dir, shared_dir
from tinyengine.training.features import features
from tinyengine.training.scheme import UpdateScheme, load_scheme, resolve_scheme
from tinyengine.training.split import split

HERE = Path(__file__).parent
DEEPEST = 22  # trailing convolutions that any of the schemes trains
SCHEMES = ("last-layer", "bias-22", "49kb", "99kb")
RATES = (0.0003, 0.001, 0.003)
RATE = 0.001  # where none was tuned
RESULTS = "training_accuracy.jsonl"


@dataclass(frozen=True)
class Task:
    """One training. ``tuning``: measured on the validation part."""

    set: str
    scheme: str
    arithmetic: str
    rate: float
    seed: int
    epochs: float
    tuning: bool

    @property
    def key(self) -> str:
        return json.dumps(asdict(self), sort_keys=True)


class Experiment:
    """Prepares what tasks need and keeps their results."""

    def __init__(self, shared: Path, schemes: Sequence[str]) -> None:
        self.network = shared / "models" / "tiny_training" / "mcunet-5fps.json"
        self._data = shared / "data"
        graph = load_tiny_training(self.network)
        self._front = split(graph, DEEPEST).front
        self.schemes = {name: self._scheme(name, graph) for name in schemes}
        self._results = cache_dir() / RESULTS
        self._known: dict[str, dict[str, float]] = {}
        if self._results.exists():
            for line in self._results.read_text().splitlines():
                entry = json.loads(line)
                self._known[entry.pop("key")] = entry
        self._sets: dict[str, PictureSet] = {}

    @staticmethod
    def _scheme(name: str, graph: object) -> UpdateScheme:
        if name == f"bias-{DEEPEST}":
            return UpdateScheme(name, DEEPEST)
        if name.endswith(".json"):
            return load_scheme(name)
        return resolve_scheme(name, graph)  # type: ignore[arg-type]

    def result(self, task: Task) -> float | None:
        entry = self._known.get(task.key)
        return None if entry is None else entry["accuracy"]

    def run(self, task: Task) -> float:
        """Accuracy of one task, from a process of its own."""
        known = self.result(task)
        if known is not None:
            return known
        scheme = self.schemes[task.scheme]
        pictures = self._open(task.set)
        request = asdict(task) | {
            "network": str(self.network),
            "deepest": DEEPEST,
            "bias_last": scheme.bias_last,
            "weights": scheme.weights,
            "classes": pictures.classes,
            "features": str(self._features(pictures, task.tuning)),
        }
        done = subprocess.run(
            [sys.executable, str(HERE / "one.py"), json.dumps(request)], capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise click.ClickException(f"a training failed: {done.stderr[-2000:]}")
        entry = json.loads(done.stdout.splitlines()[-1])
        self._known[task.key] = entry
        with self._results.open("a") as file:
            file.write(json.dumps({"key": task.key, **entry}) + "\n")
        return float(entry["accuracy"])

    def _open(self, name: str) -> PictureSet:
        if name not in self._sets:
            self._sets[name] = open_set(name, self._data)
        return self._sets[name]

    def _features(self, pictures: PictureSet, tuning: bool) -> Path:
        path = cache_dir() / "experiments" / f"{pictures.name}_{'tuning' if tuning else 'test'}.npz"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            plain, mirrored = (features(self._front, pictures.inputs(flag)) for flag in (False, True))
            train, held_out = pictures.parts(tuning)
            partial = path.with_suffix(".partial.npz")
            np.savez(partial, plain=plain, mirrored=mirrored, labels=pictures.labels, train=train, held_out=held_out)
            partial.replace(path)
        return path

    def rate(self, name: str, scheme: str, arithmetic: str, epochs: float) -> float:
        """The rate that was best on the validation part, RATE if none was tried."""
        tried = {
            rate: accuracy
            for rate in RATES
            if (accuracy := self.result(Task(name, scheme, arithmetic, rate, 0, epochs, True))) is not None
        }
        return max(tried, key=lambda rate: (tried[rate], -rate)) if tried else RATE


@click.command(help=__doc__)
@click.option("--sets", "sets", default=",".join(NAMES), show_default=True)
@click.option("--schemes", default=",".join(SCHEMES), show_default=True, help="Names or scheme files.")
@click.option("--arithmetics", default=",".join(ARITHMETICS), show_default=True)
@click.option("--seeds", type=click.IntRange(1), default=3, show_default=True)
@click.option("--shorter", type=float, default=1.0, show_default=True, help="Divides the epochs of every set.")
@click.option("--tune", is_flag=True, help="Try the learning rates instead of measuring.")
@click.option("--minutes", type=float, help="Begin no training after so long.")
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
    rows = [(s, a) for s in experiment.schemes for a in arithmetics.split(",")]
    tasks = []
    for seed in range(1 if tune else seeds):
        for name in sets.split(","):
            epochs = round(EPOCHS[name] / shorter, 2)
            for scheme, arithmetic in rows:
                rates = RATES if tune else (experiment.rate(name, scheme, arithmetic, epochs),)
                tasks += [Task(name, scheme, arithmetic, rate, seed, epochs, tune) for rate in rates]
    if not report:
        _run(experiment, tasks, minutes)
    _print(experiment, tasks, as_json)


def _run(experiment: Experiment, tasks: Sequence[Task], minutes: float | None) -> None:
    begun = time.monotonic()
    with step_progress() as progress:
        for number, task in enumerate(tasks):
            if minutes is not None and time.monotonic() - begun > 60 * minutes:
                break
            experiment.run(task)
            progress("training", number + 1, len(tasks))


def _print(experiment: Experiment, tasks: Sequence[Task], as_json: bool) -> None:
    found: dict[tuple[str, str, str, float], list[float]] = defaultdict(list)
    for task in tasks:
        accuracy = experiment.result(task)
        if accuracy is not None:
            found[task.set, task.scheme, task.arithmetic, task.rate].append(100 * accuracy)
    if as_json:
        names = ("set", "scheme", "arithmetic", "rate")
        entries = [dict(zip(names, key, strict=True)) | {"accuracies": values} for key, values in found.items()]
        click.echo(json.dumps(entries, indent=2))
        return
    sets = list(dict.fromkeys(key[0] for key in found))
    table = Table(box=box.SIMPLE_HEAD)
    for title in ("scheme", "arithmetic", *sets):
        table.add_column(title)
    for scheme, arithmetic in dict.fromkeys((key[1], key[2]) for key in found):
        cells = []
        for name in sets:
            entries = [(key[3], values) for key, values in found.items() if key[:3] == (name, scheme, arithmetic)]
            cells.append("\n".join(_cell(rate, values) for rate, values in entries))
        table.add_row(scheme, arithmetic, *cells)
    Console().print(table)


def _cell(rate: float, values: Sequence[float]) -> str:
    spread = f" ± {np.std(values, ddof=1):.2f}" if len(values) > 1 else ""
    return f"{np.mean(values):.2f}{spread} (n {len(values)}, rate {rate:g})"


if __name__ == "__main__":
    main()
