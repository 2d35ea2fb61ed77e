"""Scales per input channel that move difficulty between a matrix and its input: AWQ's for weights of 4 bits,
SmoothQuant's for activations of 8 bits. The float model computes the same with them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from tinyengine.language.calibrate import Statistics
from tinyengine.language.llama import SITES, Llama, LlamaLayer
from tinyengine.language.rounding import round_groups

Scales = dict[tuple[str, int], np.ndarray]
"""By site and layer: (inputs,) by which the matrices' columns are multiplied and their input is divided."""

ALPHAS = np.arange(0.0, 1.0, 0.1)

LEAST = 1e-5
"""What a channel's magnitude counts as at least."""


def scaled(model: Llama, scales: Scales) -> Llama:
    """The same function: inputs of ``attention`` and ``feed`` are divided in the gain before them, that of ``output``
    in the values' matrix, that of ``down`` in the matrix ``up``."""
    layers = list(model.layers)
    for (site, index), given in scales.items():
        layer, s = layers[index], given.astype(np.float32)
        changed = {name: getattr(layer, name) * s for name in SITES[site]}
        if site == "attention":
            changed["attention_gain"] = layer.attention_gain / s
        elif site == "feed":
            changed["feed_gain"] = layer.feed_gain / s
        elif site == "output":
            changed["value"] = layer.value / _of_values(model, s)[:, None]
        else:
            changed["up"] = layer.up / s[:, None]
        layers[index] = replace(layer, **changed)
    return replace(model, layers=tuple(layers))


def _of_values(model: Llama, s: np.ndarray) -> np.ndarray:
    """One scale per channel of the values (K,) from those of attention's output (D,), which query heads share."""
    shared = s.reshape(-1, model.heads // model.kv_heads, model.head)
    return np.asarray(shared[:, 0].ravel())


def _shareable(model: Llama, site: str, s: np.ndarray) -> np.ndarray:
    """``s`` with a geometric mean of 1, the same for query heads that share values."""
    if site == "output":
        shared = np.log(s).reshape(-1, model.heads // model.kv_heads, model.head)
        s = np.broadcast_to(np.exp(shared.mean(1, keepdims=True)), shared.shape).ravel()
    return np.asarray(s / np.exp(np.log(s).mean()))


def _each(model: Llama, choose: Callable[[str, int, LlamaLayer], np.ndarray]) -> Scales:
    return {(site, i): choose(site, i, layer) for i, layer in enumerate(model.layers) for site in SITES}


def smoothquant(model: Llama, statistics: Statistics, alpha: float) -> Scales:
    """max|x|^alpha / max|w|^(1 - alpha) (Xiao et al. 2023)."""

    def choose(site: str, index: int, layer: LlamaLayer) -> np.ndarray:
        x = np.maximum(statistics.largest[site, index], LEAST)
        w = np.max([np.abs(getattr(layer, name)).max(0) for name in SITES[site]], axis=0)
        return _shareable(model, site, x**alpha / np.maximum(w, LEAST) ** (1 - alpha))

    return _each(model, choose)


def awq(model: Llama, statistics: Statistics, group: int) -> Scales:
    """(root mean square of x)^alpha, with the alpha of ``ALPHAS`` for which the matrices of a site, rounded with
    clipping, change their outputs least (Lin et al. 2024)."""

    def choose(site: str, index: int, layer: LlamaLayer) -> np.ndarray:
        squares = statistics.squares[site, index]
        size = np.sqrt(np.maximum(np.diag(squares), LEAST**2))
        best, chosen = np.inf, np.ones(len(size))
        for alpha in ALPHAS:
            s = _shareable(model, site, size**alpha)
            error = 0.0
            for name in SITES[site]:
                weights = getattr(layer, name)
                rounded = round_groups(weights * s, group, np.diag(squares) / s**2, clip=True).real() / s
                difference = rounded - weights
                error += float(((difference @ squares) * difference).sum())
            if error < best:
                best, chosen = error, s
        return chosen

    return _each(model, choose)
