"""Texts that language models are calibrated on and judged by."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np

from tinyengine.errors import DataError
from tinyengine.ir.language import RESIDUAL_BITS
from tinyengine.language.choices import answers
from tinyengine.progress import Progress, silent

MOST_NATS = 700.0
"""Whose exponential a float holds."""


def read_text(path: Path) -> str:
    """UTF-8, whatever the computer is set to; other bytes are kept as the tokenizer takes them. DataError if there is
    no such file."""
    if path.is_dir():
        raise DataError(f"{path} is a directory: name a text file")
    try:
        return path.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error


def perplexity(mean: float) -> float:
    """Of so many nats per token; that of MOST_NATS where they are more, for JSON knows no infinity."""
    return math.exp(min(mean, MOST_NATS))


def nats(tokens: list[int], run: Callable[[np.ndarray], np.ndarray], progress: Progress = silent) -> np.ndarray:
    """Of each token but the first, float64: ``run`` takes a token, int32 (1), and gives its successor's integer logits.

    They have RESIDUAL_BITS fraction bits.
    """
    found = np.empty(len(tokens) - 1)
    for n, (token, following) in enumerate(pairwise(tokens)):
        progress(n, len(found))
        logits = run(np.array([token], np.int32)).reshape(1, 1, -1) / 2.0**RESIDUAL_BITS
        found[n] = answers(logits, np.array([[following]])).nats[0, 0]
    return found
