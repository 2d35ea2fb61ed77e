"""What the training of a language model is asked to do."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LanguageRecipe:
    """Architecture and settings: everything that decides the result besides the text. ``hidden``: of a layer's gated
    part. ``context``: tokens of a row that is trained on. ``batch``: rows of a step."""

    width: int = 96
    layers: int = 5
    heads: int = 6
    kv_heads: int = 3
    hidden: int = 256
    vocabulary: int = 1024
    context: int = 256
    epochs: float = 1.0
    batch: int = 16
    rate: float = 3e-3  # peak learning rate of AdamW
    warmup: float = 0.02  # share of the steps during which the rate rises linearly
    weight_decay: float = 0.1  # of matrices
    clip: float = 1.0  # longest gradient
    seed: int = 0
