"""Fine-tuning: the loop over samples, whoever computes the steps (a device, or the native backend)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from tinyengine.finetune.samples import Samples, mirrored

SCHEDULES = ("cosine", "constant")
WARM_UP = 0.05
"""Share of the steps in which the learning rate rises to its peak."""


class Outcome(Protocol):
    """Of one sample, before an update: cross-entropy in nats, and the class with the largest logit."""

    @property
    def loss(self) -> float: ...
    @property
    def predicted(self) -> int: ...


class Learner(Protocol):
    """Somebody who computes training steps on int8 inputs."""

    def step(
        self,
        values: np.ndarray,
        label: int,
        classes: int,
        *,
        rate: float,
        seed: int,
        step: int,
        momentum: float,
        batch: int,
        sample: int,
    ) -> Outcome: ...
    def evaluate(self, values: np.ndarray, label: int, classes: int) -> Outcome: ...
    def snapshot(self) -> bytes:
        """The trained state."""

    def return_to(self, snapshot: bytes, steps: int) -> None:
        """Take a state from before; ``steps`` of this session lie behind it."""


@dataclass(frozen=True)
class TuneOptions:
    """How to train. ``first_step`` numbers the steps, so that a session that continues draws other random bits.

    ``batch``: samples per update. An epoch ends a batch, and so does the end of the training: such batches are smaller.
    """

    classes: int
    epochs: float = 10.0
    rate: float = 0.01
    schedule: str = "cosine"
    seed: int = 0
    mirror: bool = False
    early_stop: int | None = None  # epochs without a better held-out accuracy
    first_step: int = 0
    momentum: float = 0.0
    batch: int = 1

    def rate_at(self, number: int, total: int) -> float:
        """Learning rate of step ``number`` (from 0) of ``total``: warm-up, then cosine to 0 or constant."""
        warm_up = math.ceil(WARM_UP * total)
        if number < warm_up:
            return self.rate * (number + 1) / (warm_up + 1)
        if self.schedule == "constant":
            return self.rate
        return self.rate * 0.5 * (1 + math.cos(math.pi * (number - warm_up) / max(total - warm_up, 1)))

    def place_of(self, number: int, total: int, epoch: int) -> Place:
        """The place of step ``number`` (from 0) of ``total``, of which ``epoch`` make an epoch."""
        in_epoch = number % epoch
        sample = in_epoch % self.batch
        first = number - sample
        size = min(self.batch, epoch - (in_epoch - sample), total - first)
        return Place(self.momentum if first else 0.0, size, sample)


@dataclass(frozen=True)
class Place:
    """Where a step stands in its batch. ``momentum``: what its batch keeps of the velocities; 0 in the first one, as
    what other sessions have left does not count."""

    momentum: float
    batch: int
    sample: int


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Over a set: mean loss, and how often each true class (row) was called which class (column)."""

    steps: int  # behind it in this session
    loss: float
    confusion: np.ndarray

    @property
    def count(self) -> int:
        return int(self.confusion.sum())

    @property
    def accuracy(self) -> float:
        return float(np.trace(self.confusion)) / self.count if self.count else 0.0


@dataclass(eq=False)
class TuneResult:
    """What happened. ``evaluations``: of the held-out samples, the first before training, the last of the state that
    remains; fewer than two after an interruption."""

    losses: list[float] = field(default_factory=list)
    hits: list[bool] = field(default_factory=list)
    evaluations: list[Evaluation] = field(default_factory=list)
    interrupted: bool = False
    stopped_early: bool = False
    kept_step: int | None = None  # with early stop: the step whose state was the best and remains

    @property
    def steps(self) -> int:
        """Executed."""
        return len(self.losses)


@dataclass(frozen=True)
class Event:
    """For progress: ``what`` is done for the ``done``-th time of ``total``; of training also recent loss and
    accuracy."""

    what: str
    done: int
    total: int
    loss: float | None = None
    accuracy: float | None = None


Observer = Callable[[Event], None]
Stop = Callable[[], bool]


class Interrupted(Exception):
    """The user wants to stop; raised between samples only."""


def evaluate(
    learner: Learner, samples: Samples, classes: int, observer: Observer, stop: Stop, what: str, steps: int = 0
) -> Evaluation:
    """Judge every sample. Interrupted when ``stop`` says so."""
    confusion = np.zeros((classes, classes), int)
    total = 0.0
    for number, (values, label) in enumerate(zip(samples.values, samples.labels, strict=True)):
        if stop():
            raise Interrupted
        observer(Event(what, number, len(samples)))
        outcome = learner.evaluate(values, int(label), classes)
        confusion[int(label), outcome.predicted] += 1
        total += outcome.loss
    return Evaluation(steps, total / max(len(samples), 1), confusion)


def fine_tune(
    learner: Learner, train: Samples, held_out: Samples, options: TuneOptions, observer: Observer, stop: Stop
) -> TuneResult:
    """Train on ``train``, judge by ``held_out`` before and after (with early stop after each epoch as well)."""
    result = TuneResult()
    try:
        _run(learner, train, held_out, options, observer, stop, result)
    except Interrupted:
        result.interrupted = True
    return result


def _run(
    learner: Learner,
    train: Samples,
    held_out: Samples,
    options: TuneOptions,
    observer: Observer,
    stop: Stop,
    result: TuneResult,
) -> None:
    def judge(what: str) -> Evaluation:
        found = evaluate(learner, held_out, options.classes, observer, stop, what, result.steps)
        result.evaluations.append(found)
        return found

    best = judge("evaluating before")
    keeper = _Keeper(learner, best) if options.early_stop else None
    total = max(1, round(options.epochs * len(train)))
    order = _order(len(train), options)
    for number in range(total):
        place = options.place_of(number, total, len(train))
        if place.sample == 0 and stop():  # a batch that does not end would be lost
            raise Interrupted
        index, mirror = next(order)
        values = train.values[index]
        outcome = learner.step(
            mirrored(values) if mirror else values,
            int(train.labels[index]),
            options.classes,
            rate=options.rate_at(number, total),
            seed=options.seed,
            step=options.first_step + number,
            momentum=place.momentum,
            batch=place.batch,
            sample=place.sample,
        )
        result.losses.append(outcome.loss)
        result.hits.append(bool(outcome.predicted == train.labels[index]))
        recent = slice(-50, None)
        observer(
            Event(
                "training",
                number + 1,
                total,
                float(np.mean(result.losses[recent])),
                float(np.mean(result.hits[recent])),
            )
        )
        if keeper and (number + 1) % len(train) == 0 and number + 1 < total:
            keeper.take(judge("evaluating"))
            if keeper.waited >= options.early_stop:  # type: ignore[operator]
                result.stopped_early = True
                break
    last = judge("evaluating after")
    if keeper:
        keeper.take(last)
        if keeper.best is not last:
            learner.return_to(keeper.snapshot, keeper.best.steps)
            result.evaluations.append(keeper.best)
        result.kept_step = keeper.best.steps


class _Keeper:
    """The best state so far and how many evaluations ago it was."""

    def __init__(self, learner: Learner, first: Evaluation) -> None:
        self._learner = learner
        self.best, self.snapshot, self.waited = first, learner.snapshot(), 0

    def take(self, found: Evaluation) -> None:
        better = (found.accuracy, -found.loss) > (self.best.accuracy, -self.best.loss)
        if better:
            self.best, self.snapshot, self.waited = found, self._learner.snapshot(), 0
        else:
            self.waited += 1


def _order(count: int, options: TuneOptions) -> Iterator[tuple[int, bool]]:
    """Endless (index, mirrored): every epoch in another order."""
    rng = np.random.default_rng(options.seed)
    while True:
        for index in rng.permutation(count):
            yield int(index), bool(options.mirror and rng.random() < 0.5)
