"""The two modes of the runner: how fast a device is, and how right."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np

from tinyengine.errors import DataError
from tinyengine.mlperf.benchmarks import Benchmark
from tinyengine.mlperf.client import Client
from tinyengine.mlperf.inputs import Sample
from tinyengine.progress import Activity, silent

INPUTS = 5
WARM_UPS = 10
MOST_RUNS = 100_000_000


@dataclass(frozen=True)
class Performance:
    """Inferences per second of each input, by the device's own clock."""

    rates: tuple[float, ...]
    runs: tuple[int, ...]

    @property
    def median(self) -> float:
        return median(self.rates)


@dataclass(frozen=True)
class Accuracy:
    """``score``: the benchmark's metric over ``samples``; ``answers``: per sample its class, or its anomaly score."""

    score: float
    samples: int
    answers: tuple[float, ...]


def measure_speed(client: Client, inputs: Sequence[bytes], seconds: float, activity: Activity = silent) -> Performance:
    """Each input: a run to see how long it takes, ten to warm up, then as many as take ``seconds``."""
    rates, runs = [], []
    for done, data in enumerate(inputs):
        activity("measuring", done, len(inputs))
        client.load(data)
        one = client.infer(1, 0)
        wanted = math.ceil(seconds / one.seconds) if one.seconds > 0 else MOST_RUNS
        timed = client.infer(max(1, min(wanted, MOST_RUNS)), WARM_UPS)
        rates.append(timed.runs / timed.seconds if timed.seconds > 0 else math.inf)
        runs.append(timed.runs)
    return Performance(tuple(rates), tuple(runs))


def measure_accuracy(
    client: Client, benchmark: Benchmark, samples: Sequence[Sample], activity: Activity = silent
) -> Accuracy:
    """One run for each input. A class is right if its score is the highest; anomaly scores are means over windows."""
    labels = np.array([sample.label for sample in samples])
    answers = []
    for done, sample in enumerate(samples):
        activity("judging", done, len(samples))
        scores = []
        for data in sample.inputs():
            client.load(data)
            scores.append(client.infer(1, 0).results)
        if benchmark.metric == "auc":
            answers.append(float(np.mean([score[0] for score in scores])))
        else:
            answers.append(float(np.argmax(scores[0])))
    found = np.array(answers)
    score = area_under_curve(found, labels) if benchmark.metric == "auc" else float(np.mean(found == labels))
    return Accuracy(score, len(samples), tuple(answers))


def area_under_curve(scores: np.ndarray, labels: np.ndarray) -> float:
    """The share of pairs (normal 0, anomaly 1) in which the anomaly has the higher score; equal ones count half."""
    normal, anomaly = scores[labels == 0], scores[labels != 0]
    if not normal.size or not anomaly.size:
        raise DataError("anomaly detection is judged by normal sounds and anomalies: y_labels.csv has only one of them")
    higher = (anomaly[:, None] > normal).sum() + 0.5 * (anomaly[:, None] == normal).sum()
    return float(higher / (normal.size * anomaly.size))
