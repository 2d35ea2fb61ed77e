"""What calibration text says about a model: the ranges of its values, and how its matrices' inputs go together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinyengine.language.llama import SITES, Llama, logits, rotate, turns

BATCH = 16
"""Streams that are in memory at a time."""

STREAMS, LENGTH, SEED = 12, 256, 1
"""Of the text that the model writes itself, where there is none."""


@dataclass(frozen=True, eq=False)
class LayerRanges:
    """Largest magnitudes, float64. ``query`` (heads, pairs), ``key`` (kv_heads, pairs): lengths of pairs, which turning
    does not change; ``rotated`` (kv_heads, size): keys per channel, turned to all places that they may have; ``value``
    (kv_heads, size); ``down``: the largest input of the matrix of that name."""

    query: np.ndarray
    key: np.ndarray
    rotated: np.ndarray
    value: np.ndarray
    down: float


@dataclass(frozen=True, eq=False)
class Statistics:
    """Of calibration text. ``squares[site, layer]`` (inputs, inputs): mean of x x^T; ``largest[site, layer]``
    (inputs,): magnitudes."""

    ranges: tuple[LayerRanges, ...]
    squares: dict[tuple[str, int], np.ndarray]
    largest: dict[tuple[str, int], np.ndarray]


def calibrate(model: Llama, tokens: np.ndarray, window: int) -> Statistics:
    """``tokens`` (streams, N). Keys are turned by the slots of a ring, so to places below ``window`` only; the text is
    turned to each in steps of a quarter of it, as far as twice the window, which queries reach."""
    seen: dict[tuple[str, int], np.ndarray] = {}
    sums: dict[tuple[str, int], np.ndarray] = {}
    count = 0

    def largest(name: str, layer: int, size: np.ndarray) -> None:
        known = seen.get((name, layer))
        seen[name, layer] = size if known is None else np.maximum(known, size)

    def tap(name: str, layer: int, x: np.ndarray) -> np.ndarray:
        if name in ("attention", "output", "feed", "down", "last"):
            flat = x.reshape(-1, x.shape[-1])
            sums[name, layer] = sums.get((name, layer), 0.0) + (flat.T @ flat).astype(np.float64)
            largest(name, layer, np.abs(flat).max(0).astype(np.float64))
        elif name in ("query", "key"):
            pairs = np.sqrt(x[..., 0::2] ** 2 + x[..., 1::2] ** 2)
            largest(name, layer, pairs.max((0, 2)).astype(np.float64))
            if name == "key":
                for begin in range(0, 2 * window, max(1, window // 4)):
                    angles = turns((begin + np.arange(x.shape[2])) % (2 * window), model.head, model.theta)
                    largest("rotated", layer, np.abs(rotate(x, *angles)).max((0, 2)).astype(np.float64))
        elif name == "value":
            largest(name, layer, np.abs(x).max((0, 2)).astype(np.float64))
        return x

    for begin in range(0, len(tokens), BATCH):
        part = tokens[begin : begin + BATCH]
        logits(model, part, tap, window)
        count += part.size
    ranges = tuple(
        LayerRanges(
            seen["query", i], seen["key", i], seen["rotated", i], seen["value", i], float(seen["down", i].max())
        )
        for i in range(len(model.layers))
    )
    sites = [(site, i) for i in range(len(model.layers)) for site in SITES] + [("last", 0)]
    return Statistics(ranges, {key: sums[key] / count for key in sites}, {key: seen[key] for key in sites})
