"""A float model of the Llama family: its weights, and its arithmetic in NumPy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tinyengine.data.answers import softmax


@dataclass(frozen=True, eq=False)
class LlamaLayer:
    """Float32, matrices as (outputs, inputs). D: the width, K: heads of keys times their size, F: hidden values."""

    attention_gain: np.ndarray  # (D,)
    query: np.ndarray  # (D, D)
    key: np.ndarray  # (K, D)
    value: np.ndarray  # (K, D)
    output: np.ndarray  # (D, D)
    feed_gain: np.ndarray  # (D,)
    gate: np.ndarray  # (F, D), goes through SiLU
    up: np.ndarray  # (F, D)
    down: np.ndarray  # (D, F)


MATRICES = ("query", "key", "value", "output", "gate", "up", "down")
"""Of a layer."""

SITES = {
    "attention": ("query", "key", "value"),
    "output": ("output",),
    "feed": ("gate", "up"),
    "down": ("down",),
}
"""The four inputs of a layer's matrices, and who reads them."""


@dataclass(frozen=True, eq=False)
class Llama:
    """``classifier`` is ``embedding`` itself where they are tied. A pair that is rotated is two neighbours (2i, 2i + 1)
    of a head."""

    heads: int
    kv_heads: int
    context: int
    theta: float
    epsilon: float
    embedding: np.ndarray  # (V, D)
    layers: tuple[LlamaLayer, ...]
    gain: np.ndarray  # (D,)
    classifier: np.ndarray  # (V, D)

    @property
    def width(self) -> int:
        return self.embedding.shape[1]

    @property
    def head(self) -> int:
        """Values of a head."""
        return self.width // self.heads

    @property
    def vocabulary(self) -> int:
        return len(self.embedding)


Tap = Callable[[str, int, np.ndarray], np.ndarray]
"""Sees a value by name and layer, and says with what to go on. Inputs of matrices: ``attention``, ``output``,
``feed``, ``down`` (B, N, ...); ``last``: the classifier's. ``query``, ``key`` (B, heads, N, size): before they are
rotated; ``rotated`` (keys) and ``value`` likewise. ``gated`` (B, N, F): the other factor of ``down``."""


def unchanged(name: str, layer: int, x: np.ndarray) -> np.ndarray:
    return x


def norm(x: np.ndarray, gain: np.ndarray, epsilon: float) -> np.ndarray:
    """RMSNorm over the last axis."""
    return np.asarray(x / np.sqrt((x * x).mean(-1, keepdims=True) + np.float32(epsilon)) * gain)


def turns(positions: np.ndarray, head: int, theta: float) -> tuple[np.ndarray, np.ndarray]:
    """Cosines and sines (..., head / 2) float32 of the rotary embedding (Su et al. 2021)."""
    angles = positions[..., None] * theta ** (-np.arange(0, head, 2) / head)
    return np.cos(angles).astype(np.float32), np.sin(angles).astype(np.float32)


def rotate(x: np.ndarray, cosines: np.ndarray, sines: np.ndarray) -> np.ndarray:
    """Pairs of neighbours on the last axis, each by its angle."""
    turned = np.empty_like(x)
    a, b = x[..., 0::2], x[..., 1::2]
    turned[..., 0::2] = a * cosines - b * sines
    turned[..., 1::2] = a * sines + b * cosines
    return turned


def silu(x: np.ndarray) -> np.ndarray:
    return np.asarray(x / (1 + np.exp(-x)))


BLOCK = 128
"""Queries whose scores are in memory at a time."""


def logits(model: Llama, tokens: np.ndarray, tap: Tap = unchanged, window: int = 0, sinks: int = 0) -> np.ndarray:
    """(B, N, V) float32 of ``tokens`` (B, N), each stream by itself.

    ``window``: a token sees the first ``sinks`` tokens and, of the others, the ``window - sinks`` last ones, itself
    among them; 0: everything before it. A token's distance to a sink counts as at most ``window - 1`` (Xiao et al.
    2024: positions within the cache).
    """
    batch, length = tokens.shape
    size, shared = model.head, model.heads // model.kv_heads
    positions = np.arange(length)
    ring = window - sinks if window else length
    sinks = min(sinks, length) if window else 0
    cosines, sines = turns(positions, size, model.theta)
    near = turns(np.minimum(positions, window - 1), size, model.theta) if sinks else (cosines, sines)

    def heads(x: np.ndarray) -> np.ndarray:
        return x.reshape(batch, length, -1, size).transpose(0, 2, 1, 3)

    x = model.embedding[tokens]
    for index, layer in enumerate(model.layers):
        h = tap("attention", index, norm(x, layer.attention_gain, model.epsilon))
        plain = tap("query", index, heads(h @ layer.query.T))
        key = tap("rotated", index, rotate(tap("key", index, heads(h @ layer.key.T)), cosines, sines))
        value = np.repeat(tap("value", index, heads(h @ layer.value.T)), shared, 1)
        key = np.repeat(key, shared, 1)
        query, query_for_sinks = rotate(plain, cosines, sines), rotate(plain, *near)
        mixed = np.empty_like(query)
        for begin in range(0, length, BLOCK):
            end = min(begin + BLOCK, length)
            first = max(min(sinks, begin), begin - ring + 1)
            here, there = positions[begin:end, None], positions[None, first:end]
            seen = (there <= here) & (here - there < ring) & (there >= sinks)
            scores = np.where(seen, query[:, :, begin:end] @ key[:, :, first:end].swapaxes(2, 3), -np.inf)
            if sinks:
                to_sinks = query_for_sinks[:, :, begin:end] @ key[:, :, :sinks].swapaxes(2, 3)
                to_sinks = np.where(here >= positions[None, :sinks], to_sinks, -np.inf)
                scores = np.concatenate([to_sinks, scores], -1)
            weights = softmax(scores / np.float32(np.sqrt(size)))
            mixed[:, :, begin:end] = weights[..., scores.shape[-1] - there.size :] @ value[:, :, first:end]
            if sinks:
                mixed[:, :, begin:end] += weights[..., :sinks] @ value[:, :, :sinks]
        x = x + tap("output", index, mixed.transpose(0, 2, 1, 3).reshape(batch, length, -1)) @ layer.output.T
        h = tap("feed", index, norm(x, layer.feed_gain, model.epsilon))
        gated = tap("gated", index, silu(h @ layer.gate.T))
        x = x + tap("down", index, gated * (h @ layer.up.T)) @ layer.down.T
    return np.asarray(tap("last", 0, norm(x, model.gain, model.epsilon)) @ model.classifier.T)


def sample(model: Llama, streams: int, length: int, seed: int, first: int = 1) -> np.ndarray:
    """What the model writes at temperature 1 behind token ``first``: (streams, length + 1) int64."""
    rng = np.random.default_rng(seed)
    size, shared = model.head, model.heads // model.kv_heads
    keys = np.zeros((len(model.layers), streams, model.kv_heads, length, size), np.float32)
    values = np.zeros_like(keys)
    tokens = np.full((streams, length + 1), first, np.int64)
    for n in range(length):
        angles = turns(np.array(n), size, model.theta)
        x = model.embedding[tokens[:, n]]
        for index, layer in enumerate(model.layers):
            h = norm(x, layer.attention_gain, model.epsilon)
            query = rotate((h @ layer.query.T).reshape(streams, -1, size), *angles)
            keys[index, :, :, n] = rotate((h @ layer.key.T).reshape(streams, -1, size), *angles)
            values[index, :, :, n] = (h @ layer.value.T).reshape(streams, -1, size)
            query = query.reshape(streams, model.kv_heads, shared, size)
            weights = softmax(query @ keys[index, :, :, : n + 1].swapaxes(2, 3) / np.float32(np.sqrt(size)))
            x = x + (weights @ values[index, :, :, : n + 1]).reshape(streams, -1) @ layer.output.T
            h = norm(x, layer.feed_gain, model.epsilon)
            x = x + (silu(h @ layer.gate.T) * (h @ layer.up.T)) @ layer.down.T
        chances = softmax((norm(x, model.gain, model.epsilon) @ model.classifier.T).astype(np.float64))
        drawn = (chances.cumsum(-1) < rng.random((streams, 1))).sum(-1)
        tokens[:, n + 1] = np.minimum(drawn, model.vocabulary - 1)
    return tokens
