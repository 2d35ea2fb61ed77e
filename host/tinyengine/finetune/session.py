"""Fine-tuning: the loop over samples, whoever computes the steps (a device, or the native backend)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from tinyengine.data.samples import Arrays
from tinyengine.progress import Activity, Progress, part, silent
from tinyengine.step import Outcome, Sample, Update

SCHEDULES = ("cosine", "constant")
WARM_UP = 0.05
"""Share of the steps in which the learning rate rises to its peak."""
RECENT = 50
"""Steps that the loss and the accuracy shown are averaged over."""
DIVERGED = 2.0
"""Training has gone wrong where the loss lately is so many times what it was at the start, or what guessing costs."""


class Judge(Protocol):
    """Whoever says what samples are taken for."""

    def evaluate(self, values: np.ndarray, sample: Sample, /) -> Outcome: ...


class Learner(Judge, Protocol):
    """Whoever computes training steps on int8 inputs."""

    @property
    def state(self) -> bytes:
        """The trained state."""

    def step(self, values: np.ndarray, sample: Sample, update: Update, /) -> Outcome: ...
    def return_to(self, state: bytes, steps: int) -> None:
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

    def update_at(self, number: int, total: int, epoch: int) -> Update:
        """The update of step ``number`` (from 0) of ``total``, of which ``epoch`` make an epoch.

        The first batch keeps nothing of the velocities: what other sessions have left does not count.
        """
        in_epoch = number % epoch
        sample = in_epoch % self.batch
        first = number - sample
        size = min(self.batch, epoch - (in_epoch - sample), total - first)
        momentum = self.momentum if first else 0.0
        return Update(self.rate_at(number, total), self.seed, self.first_step + number, momentum, size, sample)


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What became of each of N samples, in their order."""

    steps: int  # behind it in this session
    classes: int
    losses: np.ndarray  # (N,)
    truth: np.ndarray  # (N,) the classes they are of
    answers: np.ndarray  # (N,) the classes they were taken for

    @property
    def count(self) -> int:
        return len(self.losses)

    @property
    def loss(self) -> float:
        """The mean."""
        return float(self.losses.sum()) / max(self.count, 1)

    @property
    def confusion(self) -> np.ndarray:
        """How often each true class (row) was called which class (column)."""
        table = np.zeros((self.classes, self.classes), int)
        np.add.at(table, (self.truth, self.answers), 1)
        return table

    @property
    def accuracy(self) -> float:
        return float((self.truth == self.answers).mean()) if self.count else 0.0

    def worst(self, count: int) -> list[int]:
        """The samples with the greatest losses, at most ``count``, of those that were taken for another class."""
        wrong = np.flatnonzero(self.answers != self.truth)
        return [int(k) for k in wrong[np.argsort(-self.losses[wrong], kind="stable")][:count]]


@dataclass(frozen=True)
class TakenStep:
    """What a training step found: step ``number`` (from 1) of ``total``."""

    number: int
    total: int
    loss: float
    right: bool


@dataclass(eq=False)
class TuneResult:
    """What happened. ``evaluations``: of the held-out samples, the first before training, the last of the state that
    remains; fewer than two after an interruption."""

    losses: list[float] = field(default_factory=list)
    hits: list[bool] = field(default_factory=list)
    evaluations: list[Evaluation] = field(default_factory=list)
    interrupted: bool = False
    stopped_early: bool = False
    kept_step: int | None = None  # with early stop, or diverged: the step whose state was the best and remains
    diverged_at: int | None = None  # the step at which training had gone wrong

    @property
    def steps(self) -> int:
        """Executed."""
        return len(self.losses)


Stop = Callable[[], bool]


class Interrupted(Exception):
    """The user wants to stop; raised between samples only."""


def never() -> bool:
    """Of a session that nobody stops."""
    return False


def evaluate(
    judge: Judge,
    samples: Arrays,
    classes: int,
    progress: Progress = silent,
    stop: Stop = never,
    steps: int = 0,
) -> Evaluation:
    """Judge every sample. Interrupted when ``stop`` says so."""
    losses, answers = np.zeros(len(samples)), np.zeros(len(samples), int)
    for number, (values, label) in enumerate(zip(samples.values, samples.labels, strict=True)):
        if stop():
            raise Interrupted
        progress(number, len(samples))
        outcome = judge.evaluate(values, Sample(int(label), classes))
        losses[number], answers[number] = outcome.loss, outcome.predicted
    return Evaluation(steps, classes, losses, samples.labels.astype(int), answers)


def train(
    learner: Learner, forms: Sequence[np.ndarray], labels: np.ndarray, options: TuneOptions, stop: Stop = never
) -> Iterator[TakenStep]:
    """Train on one sample after the other, in an order shuffled anew each epoch: a step is taken when it is asked for.

    ``forms``: the same int8 inputs (N, ...) in several forms, plain and mirrored say, of which each step takes one at
    random. The same options give the same bytes. Interrupted when ``stop`` says so between two batches: one that does
    not end would be lost.
    """
    rng = np.random.default_rng(options.seed)
    for index, update, number, total in shuffled(len(labels), options, rng, stop):
        values, label = forms[int(rng.integers(len(forms)))][index], int(labels[index])
        outcome = learner.step(values, Sample(label, options.classes), update)
        yield TakenStep(number, total, outcome.loss, outcome.predicted == label)


def shuffled(
    count: int, options: TuneOptions, rng: np.random.Generator, stop: Stop = never
) -> Iterator[tuple[int, Update, int, int]]:
    """For each step which of ``count`` samples it takes, in an order shuffled anew each epoch, its update, its number
    (from 1) and how many there are. Interrupted when ``stop`` says so between two batches."""
    total = max(1, round(options.epochs * count))
    order = np.empty(0, np.int64)
    for number in range(total):
        update = options.update_at(number, total, count)
        if update.sample == 0 and stop():
            raise Interrupted
        if number % count == 0:
            order = rng.permutation(count)
        yield int(order[number % count]), update, number + 1, total


def fine_tune(
    learner: Learner,
    samples: Arrays,
    held_out: Arrays,
    options: TuneOptions,
    activity: Activity = silent,
    stop: Stop = never,
) -> TuneResult:
    """Train on ``samples``, judge by ``held_out`` before and after (with early stop after each epoch as well).

    Where the loss grows instead of falling (:data:`DIVERGED`), training stops and the best state comes back.
    """
    result = TuneResult()
    try:
        _run(learner, samples, held_out, options, activity, stop, result)
    except Interrupted:
        result.interrupted = True
    return result


def _run(
    learner: Learner,
    samples: Arrays,
    held_out: Arrays,
    options: TuneOptions,
    activity: Activity,
    stop: Stop,
    result: TuneResult,
) -> None:
    def judge(what: str) -> Evaluation:
        found = evaluate(learner, held_out, options.classes, part(activity, what), stop, result.steps)
        result.evaluations.append(found)
        return found

    best = judge("evaluating before")
    keeper = _Keeper(learner, best)
    highest = DIVERGED * max(best.loss, math.log(options.classes))
    forms = [samples.values, *([np.ascontiguousarray(samples.values[:, :, ::-1])] if options.mirror else [])]
    for step in train(learner, forms, samples.labels, options, stop):
        result.losses.append(step.loss)
        result.hits.append(step.right)
        loss, accuracy = (np.mean(values[-RECENT:]) for values in (result.losses, result.hits))
        activity("training", step.number, step.total, f"loss {loss:.3f}  accuracy {accuracy:.0%}")
        if len(result.losses) >= RECENT and not loss <= highest:  # no number is not below anything either
            result.diverged_at = result.steps
            break
        if options.early_stop and step.number % len(samples) == 0 and step.number < step.total:
            keeper.take(judge("evaluating"))
            if keeper.waited >= options.early_stop:
                result.stopped_early = True
                break
    last = judge("evaluating after")
    if last.accuracy < best.accuracy and not last.loss <= highest:
        result.diverged_at = result.steps
    if options.early_stop or result.diverged_at is not None:
        keeper.take(last)
        if keeper.best is not last:
            learner.return_to(keeper.state, keeper.best.steps)
            result.evaluations.append(keeper.best)
        result.kept_step = keeper.best.steps


class _Keeper:
    """The best state so far and how many evaluations ago it was."""

    def __init__(self, learner: Learner, first: Evaluation) -> None:
        self._learner = learner
        self.best, self.state, self.waited = first, learner.state, 0

    def take(self, found: Evaluation) -> None:
        better = (found.accuracy, -found.loss) > (self.best.accuracy, -self.best.loss)
        if better:
            self.best, self.state, self.waited = found, self._learner.state, 0
        else:
            self.waited += 1
