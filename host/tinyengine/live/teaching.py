"""A training that a page has asked for: collected samples become steps on the board, and a report."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from tinyengine.data.images import InputForm
from tinyengine.data.reader import read_pictures
from tinyengine.data.samples import Arrays, labelled, split
from tinyengine.device.training import DeviceTrainer
from tinyengine.finetune.classes import Outputs, Wish
from tinyengine.finetune.learners import DeviceLearner
from tinyengine.finetune.rates import find_rate
from tinyengine.finetune.session import Interrupted, Learner, TuneOptions, TuneResult, fine_tune
from tinyengine.finetune.session import Stop as StopAsked
from tinyengine.progress import Activity, part
from tinyengine.step import Outcome, Sample, Update

HELD_OUT = 0.2
"""Share of the samples that judge and do not teach."""
Told = Callable[[float, bool], None]
"""Called after each step with its loss and whether the class was right."""


@dataclass(frozen=True, eq=False)
class Lesson:
    """What has happened. ``options``: with the rate that was trained with."""

    result: TuneResult
    held_out: Arrays
    trained_on: int
    options: TuneOptions


@dataclass(frozen=True)
class _Watched:
    """A learner whose steps somebody follows."""

    learner: DeviceLearner
    told: Told

    @property
    def state(self) -> bytes:
        return self.learner.state

    def step(self, values: np.ndarray, sample: Sample, update: Update) -> Outcome:
        outcome = self.learner.step(values, sample, update)
        self.told(outcome.loss, outcome.predicted == sample.label)
        return outcome

    def evaluate(self, values: np.ndarray, sample: Sample) -> Outcome:
        return self.learner.evaluate(values, sample)

    def return_to(self, state: bytes, steps: int) -> None:
        self.learner.return_to(state, steps)


def wish_for(outputs: Outputs, taught: Sequence[str], classes: Sequence[str]) -> Wish:
    """What the outputs shall be called where ``classes`` have samples: classes that the board knows keep their outputs,
    new ones take free ones; a board that was never taught gets the page's list."""
    if set(classes) <= set(outputs.names):
        return Wish()
    return Wish(names=tuple(dict.fromkeys([*taught, *classes])))


def teach(
    trainer: DeviceTrainer,
    form: InputForm,
    folder: Path,
    classes: Sequence[str],
    epochs: float,
    rate: float | None,
    activity: Activity,
    told: Told,
    stop: StopAsked,
) -> Lesson:
    """Train on the samples in ``folder``, a part of which is held out. ``rate`` None: found by trials.

    DataError where the samples cannot teach anything. After an interruption the board holds a whole state.
    """
    learner = DeviceLearner(trainer)
    samples = labelled(read_pictures(folder, labelled=False), folder, fewest=1).inputs(
        form, part(activity, "reading samples")
    )
    outputs = Outputs.of(trainer.device.identity, learner.info)
    wish = wish_for(outputs, learner.info.class_names, classes)
    outputs = outputs.wished(wish, samples, folder, learn=True)
    train, held_out = split(outputs.matched(samples, wish, folder, learn=True), HELD_OUT, seed=0)
    options = TuneOptions(outputs.taking_part(wish), epochs, first_step=learner.info.steps)
    if outputs.names != learner.info.class_names:
        trainer.name_classes(outputs.names)
    if rate is None:
        try:
            rate = find_rate(learner, train, held_out, options, activity, stop).rate
        except Interrupted:
            return Lesson(TuneResult(interrupted=True), held_out, len(train), options)
    options = replace(options, rate=rate)
    watched: Learner = _Watched(learner, told)
    return Lesson(fine_tune(watched, train, held_out, options, activity, stop), held_out, len(train), options)
