"""Judging networks that are not trained on the device: classes by their probabilities, numbers by how far they are off,
maps of classes place by place."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from tinyengine.data.answers import holds_probabilities, softmax
from tinyengine.data.metadata import OutputMeaning
from tinyengine.data.number_sets import NumberSet, inputs_of
from tinyengine.device.recognition import Recognizer
from tinyengine.errors import DataError
from tinyengine.finetune.session import Evaluation, Interrupted, Stop, never
from tinyengine.progress import Progress, silent
from tinyengine.step import Outcome, Sample

SMALLEST = 1 / 512
"""What a probability counts at least in a loss: half a step of an int8 one."""


class NetworkJudge:
    """A classifier on a device. DataError for another network."""

    def __init__(self, board: Recognizer) -> None:
        self._board = board
        if not board.classifies:
            raise DataError(
                f"the network {board.device.identity.model} is no classifier: give an .npz with the numbers y that it "
                "should answer"
            )

    def evaluate(self, values: np.ndarray, sample: Sample) -> Outcome:
        """Cross-entropy of the answer, in nats."""
        answer = self._board.compute("", inputs_of(values, self._board.device.identity.inputs)).answer
        assert answer is not None
        return Outcome(-math.log(max(answer.probabilities[sample.label], SMALLEST)), answer.index)


@dataclass(frozen=True, eq=False)
class Deviations:
    """By how much each of the first output's numbers is off, over ``count`` samples, in its unit."""

    count: int
    mean: np.ndarray  # (numbers,) of the absolute differences
    rms: np.ndarray
    most: np.ndarray
    meaning: OutputMeaning


def judge_numbers(
    board: Recognizer, truth: NumberSet, progress: Progress = silent, stop: Stop = never
) -> Deviations | Evaluation:
    """The network's first output beside ``truth.targets``: a map of classes, place by place, where those are whole
    numbers, one per place; else number by number. DataError where they do not fit, Interrupted when ``stop`` says so.
    """
    assert truth.targets is not None
    *area, last = board.device.identity.outputs[0].shape
    targets = truth.targets.reshape(len(truth.samples), -1)
    places, numbers = math.prod(area), math.prod(area) * last
    is_map = targets.dtype.kind in "iu" and targets.shape[1] == places
    if not is_map and targets.shape[1] != numbers:
        told = "x".join(map(str, (*area, last)))
        raise DataError(
            f"y has {targets.shape[1]} numbers per sample, but the network's output is {told}: give {numbers} real "
            f"numbers" + (f", or the classes of {places} places" if places > 1 else "")
        )
    if is_map and not 0 <= targets.min() <= targets.max() < last:
        raise DataError(f"y has classes from {targets.min()} to {targets.max()}: give them from 0 to {last - 1}")
    answers = np.empty((len(targets), numbers))
    for number, sample in enumerate(truth.samples):
        if stop():
            raise Interrupted
        progress(number, len(targets))
        answers[number] = board.compute(sample.name, sample.arrays).reals[0].ravel()
    if is_map:
        return _of_places(board, answers.reshape(-1, last), targets.ravel().astype(int))
    off = np.abs(answers - targets)
    return Deviations(len(off), off.mean(0), np.sqrt((off**2).mean(0)), off.max(0), board.metadata.output(0))


def _of_places(board: Recognizer, answers: np.ndarray, truth: np.ndarray) -> Evaluation:
    """Real (places, classes) beside the classes that they are of."""
    out = board.device.identity.outputs[0]
    if not holds_probabilities(out.scale, out.zero_point, out.dtype):
        answers = softmax(answers)
    losses = -np.log(np.maximum(answers[np.arange(len(truth)), truth], SMALLEST))
    return Evaluation(0, answers.shape[1], losses, truth, answers.argmax(1))
