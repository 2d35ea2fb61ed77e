"""A learning rate by short trials, each from the state that the session began with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tinyengine.data.samples import Arrays
from tinyengine.finetune.session import Learner, Stop, TuneOptions, evaluate, never, train
from tinyengine.progress import Activity, part, silent

RATES = (1.0, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001)
STEPS = 64
"""Steps of a trial, and held-out samples that judge it."""


@dataclass(frozen=True)
class RateTrial:
    """What a rate leads to. ``loss`` and ``accuracy``: of held-out samples after :data:`STEPS` steps."""

    rate: float
    loss: float
    accuracy: float


@dataclass(frozen=True)
class FoundRate:
    """The rate with the smallest loss, and what finding it has cost."""

    rate: float
    trials: tuple[RateTrial, ...]
    steps: int  # of all trials
    evaluations: int


def find_rate(
    learner: Learner,
    samples: Arrays,
    held_out: Arrays,
    options: TuneOptions,
    activity: Activity = silent,
    stop: Stop = never,
    rates: Sequence[float] = RATES,
) -> FoundRate:
    """Try each of ``rates`` for :data:`STEPS` steps at that rate. The learner has its state back at the end, and
    Interrupted when ``stop`` says so, too."""
    start, few = learner.state, held_out.spread(STEPS)
    trials = []
    for number, rate in enumerate(rates):
        what = f"trying rate {rate:g} ({number + 1} of {len(rates)})"
        trial = replace(options, rate=rate, schedule="constant", epochs=STEPS / len(samples))
        try:
            for step in train(learner, [samples.values], samples.labels, trial, stop):
                activity(what, step.number, step.total)
            found = evaluate(learner, few, options.classes, part(activity, what), stop)
        finally:
            learner.return_to(start, 0)
        trials.append(RateTrial(rate, found.loss, found.accuracy))
    best = min(trials, key=lambda trial: (not trial.loss < float("inf"), trial.loss))
    return FoundRate(best.rate, tuple(trials), STEPS * len(rates), len(few) * len(rates))
