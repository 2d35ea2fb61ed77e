"""Heads that contribute least are dropped before a model is quantized (the idea of SpAtten's head pruning, Wang et al.
2021): what they took of flash, memory and work is gone for every token."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np

from tinyengine.errors import ModelError
from tinyengine.language.choices import evaluate
from tinyengine.language.llama import Llama
from tinyengine.progress import Progress, silent

COLUMNS = 8
"""What the columns of a matrix are a multiple of."""


@dataclass(frozen=True)
class DroppedHead:
    """A key head with the query heads that read it; ``loss``: nats per token of the calibration text that dropping it
    alone costs."""

    layer: int
    key_head: int
    loss: float


def without(model: Llama, dropped: Collection[tuple[int, int]]) -> Llama:
    """The model without key heads (layer, key head) and the query heads that read them."""
    size, each = model.head, model.heads // model.kv_heads

    def channels(index: int, heads: int) -> np.ndarray:
        """Those that stay, where a key head has so many ``heads``."""
        kept = [head for head in range(model.kv_heads) if (index, head) not in dropped]
        return (np.array(kept)[:, None] * heads * size + np.arange(heads * size)).ravel()

    layers = [
        replace(
            layer,
            query=layer.query[channels(index, each)],
            key=layer.key[channels(index, 1)],
            value=layer.value[channels(index, 1)],
            output=layer.output[:, channels(index, each)],
        )
        for index, layer in enumerate(model.layers)
    ]
    return replace(model, layers=tuple(layers))


def drop_heads(
    model: Llama, tokens: np.ndarray, count: int, progress: Progress = silent
) -> tuple[Llama, tuple[DroppedHead, ...]]:
    """The model without the ``count`` key heads whose loss alone costs least on ``tokens`` (B, N + 1); each layer keeps
    one. ModelError if there are not so many, or a matrix would be left with columns that no kernel takes."""
    most = len(model.layers) * (model.kv_heads - 1)
    if count > most:
        raise ModelError(f"{count} key heads cannot be dropped, for each layer keeps one: give --prune-heads {most}")
    columns = model.head * (model.heads // model.kv_heads)
    if columns % COLUMNS:
        raise ModelError(
            f"key heads that {columns} channels read cannot be dropped, for matrices have columns in eights: "
            "convert without --prune-heads"
        )
    whole = evaluate(model, tokens).nats.mean()
    found: list[DroppedHead] = []
    for layer in range(len(model.layers)):
        for head in range(model.kv_heads):
            progress(len(found), len(model.layers) * model.kv_heads)
            loss = evaluate(without(model, {(layer, head)}), tokens).nats.mean() - whole
            found.append(DroppedHead(layer, head, float(loss)))
    left = dict.fromkeys(range(len(model.layers)), model.kv_heads)
    dropped: list[DroppedHead] = []
    for each in sorted(found, key=lambda each: each.loss):
        if len(dropped) < count and left[each.layer] > 1:
            dropped.append(each)
            left[each.layer] -= 1
    return without(model, {(each.layer, each.key_head) for each in dropped}), tuple(dropped)
