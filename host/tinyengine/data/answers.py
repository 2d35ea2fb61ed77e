"""What the numbers that a classifier returns mean."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import DTypeLike

from tinyengine.data.metadata import ModelMetadata
from tinyengine.errors import DataError


@dataclass(frozen=True)
class Answer:
    """The class that a classifier prefers. ``probabilities`` has one entry per class, in their order."""

    index: int
    name: str
    probability: float
    probabilities: tuple[float, ...]


def holds_probabilities(scale: float, zero_point: int, dtype: DTypeLike) -> bool:
    """Whether all that an output of one byte can hold lies between 0 and 1, as behind a softmax or a logistic."""
    if np.dtype(dtype).itemsize > 1:
        return False
    limits = np.iinfo(np.dtype(dtype))
    return scale * (limits.min - zero_point) >= -1e-6 and 0 < scale * (limits.max - zero_point) <= 1.0 + scale


def softmax(x: np.ndarray) -> np.ndarray:
    """Over the last axis, in the type of ``x``."""
    powers = np.exp(x - x.max(-1, keepdims=True))
    return np.asarray(powers / powers.sum(-1, keepdims=True))


def classify(
    values: np.ndarray, scale: float, zero_point: int, metadata: ModelMetadata, taught: int | None = None
) -> Answer:
    """The answer in a classifier's integer or float output, real = scale * (value - zero_point).

    ``taught``: only the first so many outputs have learned anything, and the others are not asked.

    An output of one byte whose range lies within 0 to 1 holds probabilities (softmax or logistic at its end), a float
    one whose values do and add up to 1 at most; any other holds logits. A single value is the probability, or logit, of
    the second of two classes.
    """
    if metadata.task != "classification":
        raise DataError(f"the network's task is {metadata.task}, not classification: 'infer --json' shows its outputs")
    real = scale * (values.ravel()[:taught].astype(np.float64) - zero_point)
    are_probabilities = holds_probabilities(scale, zero_point, values.dtype)
    if values.dtype.kind == "f":
        real = values.ravel()[:taught].astype(np.float64)
        are_probabilities = bool((real >= 0).all() and real.sum() <= 1.01)
    if real.size == 1:
        p = float(real[0]) if are_probabilities else float(1 / (1 + np.exp(-real[0])))
        chances = np.array([1 - p, p])
    elif are_probabilities:
        chances = real if taught is None else real / max(real.sum(), scale)
    else:
        chances = softmax(real)
    index = int(np.argmax(chances))
    return Answer(index, metadata.class_name(index), float(chances[index]), tuple(float(p) for p in chances))
