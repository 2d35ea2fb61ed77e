"""Fine-tuning a language model on a text, whoever computes the steps: a device, or its C in this process."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from tinyengine.errors import DataError
from tinyengine.finetune.session import DIVERGED, RECENT, Interrupted, Stop, TuneOptions, never, shuffled
from tinyengine.progress import Activity, Progress, part, silent
from tinyengine.step import TextOutcome, Update

RATE = 0.3
"""Peak learning rate unless asked otherwise."""


class TextLearner(Protocol):
    """Whoever computes steps on text."""

    @property
    def state(self) -> bytes:
        """The trained state."""

    def learn(self, text: bytes, update: Update | None, /) -> TextOutcome: ...
    def return_to(self, state: bytes, steps: int, /) -> None:
        """As ``session.Learner``."""


@dataclass(frozen=True)
class TextEvaluation:
    """What became of segments: ``loss`` in nats per token."""

    steps: int
    tokens: int
    loss: float


@dataclass(eq=False)
class TextResult:
    """What happened. ``segments``, ``held_out``: how many. ``counts``: counter ticks of the steps. ``evaluations`` as
    ``session.TuneResult`` has them."""

    segments: int = 0
    held_out: int = 0
    losses: list[float] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)
    evaluations: list[TextEvaluation] = field(default_factory=list)
    interrupted: bool = False
    diverged: bool = False

    @property
    def steps(self) -> int:
        return len(self.losses)


def cut(learner: TextLearner, text: bytes, progress: Progress = silent, stop: Stop = never) -> list[bytes]:
    """``text`` in segments, each as long as the learner takes. Interrupted when ``stop`` says so."""
    segments: list[bytes] = []
    at = 0
    while at < len(text):
        if stop():
            raise Interrupted
        progress(at, len(text))
        taken = max(1, learner.learn(text[at:], None).taken)
        segments.append(text[at : at + taken])
        at += taken
    return segments


def split_segments(segments: Sequence[bytes], share: float, seed: int) -> tuple[list[bytes], list[bytes]]:
    """Segments to train on and held-out ones, ``share`` of them, at least one of each. DataError for fewer than two."""
    if len(segments) < 2:
        raise DataError(
            "the text is too short to train on one part and to judge by another: give a longer one, or --validate"
        )
    count = min(max(1, round(share * len(segments))), len(segments) - 1)
    chosen = set(np.random.default_rng(seed).permutation(len(segments))[:count].tolist())
    return [s for n, s in enumerate(segments) if n not in chosen], [segments[n] for n in sorted(chosen)]


def judge(
    learner: TextLearner, segments: Sequence[bytes], steps: int, progress: Progress = silent, stop: Stop = never
) -> TextEvaluation:
    """Interrupted when ``stop`` says so."""
    nats, tokens = 0.0, 0
    for number, segment in enumerate(segments):
        if stop():
            raise Interrupted
        progress(number, len(segments))
        found = learner.learn(segment, None)
        nats += found.loss * found.tokens
        tokens += found.tokens
    return TextEvaluation(steps, tokens, nats / max(tokens, 1))


def tune(
    learner: TextLearner,
    segments: Sequence[bytes],
    held_out: Sequence[bytes],
    options: TuneOptions,
    activity: Activity = silent,
    stop: Stop = never,
) -> TextResult:
    """Train on ``segments``, in an order shuffled anew each epoch, judge by ``held_out`` before and after.

    Where the loss grows instead of falling (``session.DIVERGED``), training stops and the state from before comes back.
    """
    result = TextResult(len(segments), len(held_out))
    try:
        _run(learner, segments, held_out, options, activity, stop, result)
    except Interrupted:
        result.interrupted = True
    return result


def _run(
    learner: TextLearner,
    segments: Sequence[bytes],
    held_out: Sequence[bytes],
    options: TuneOptions,
    activity: Activity,
    stop: Stop,
    result: TextResult,
) -> None:
    before = judge(learner, held_out, 0, part(activity, "judging before"), stop)
    result.evaluations.append(before)
    kept, highest = learner.state, DIVERGED * before.loss
    rng = np.random.default_rng(options.seed)
    for index, update, number, total in shuffled(len(segments), options, rng, stop):
        found = learner.learn(segments[index], update)
        result.losses.append(found.loss)
        result.counts.append(found.count)
        loss = np.mean(result.losses[-RECENT:])
        activity("training", number, total, f"{loss:.3f} nats per token")
        if len(result.losses) >= RECENT and not loss <= highest:
            result.diverged = True
            break
    after = judge(learner, held_out, result.steps, part(activity, "judging after"), stop)
    result.evaluations.append(after)
    if result.diverged or not after.loss <= highest:
        result.diverged = True
        learner.return_to(kept, 0)
        result.evaluations.append(before)
