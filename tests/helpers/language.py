"""Language models with random integers, whose numbers use their ranges."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from tinyengine.frontend.language import LanguageModel, PackedLayer, PackedMatrix
from tinyengine.ir.language import frequencies
from tinyengine.ir.tokenizer import BYTES, FIRST_BYTE, Tokenizer
from tinyengine.paths import shared_dir
from tinyengine.sizes import ceil_div, round_up


@dataclass(frozen=True)
class Shape:
    """``head``: channels of a head. ``group``: of the layers' matrices, 0 for 8 bits."""

    heads: int = 4
    key_heads: int = 2
    head: int = 8
    hidden: int = 20
    layers: int = 2
    window: int = 16
    sinks: int = 0
    tokens: int = 300
    group: int = 0
    tied: bool = True
    kept: int = 0

    @property
    def width(self) -> int:
        return self.heads * self.head


def random_language(shape: Shape, seed: int = 0) -> LanguageModel:
    """Weights, multipliers and gains that make numbers of a trained model's magnitudes, and some that saturate."""
    rng = np.random.default_rng(seed)
    width, keys = shape.width, shape.key_heads * shape.head

    def multipliers(count: int, size: float) -> np.ndarray:
        return np.minimum(rng.uniform(0.3, 2.5, count) * size * 2.0**32, 2**31 - 1).astype(np.int32)

    def matrix(rows: int, columns: int, reads: float, gives: float, group: int = shape.group) -> PackedMatrix:
        """``reads``, ``gives``: magnitudes of the vector and of the results."""
        if not group:
            values = rng.integers(-127, 128, (rows, columns)).astype(np.int8)
            factors = multipliers(rows, gives / (reads * 73 * columns**0.5))
            factors[1::2] = np.minimum(factors[1::2] // 256, (1 << 23) - 1)
            return PackedMatrix(values, factors)
        values = rng.integers(-8, 8, (rows, columns)).astype(np.int8)
        scales = rng.integers(2000, 32767, (rows, ceil_div(columns, group))).astype(np.int16)
        factors = multipliers(rows, gives / (reads * 4.6 * columns**0.5 * 4096 / 4))
        return PackedMatrix(values, factors, group, scales)

    def gains() -> np.ndarray:
        return rng.integers(2000, 32768, width).astype(np.int16)

    def layer() -> PackedLayer:
        attention = [matrix(width + keys, width, 600, 8000), matrix(keys, width, 600, 50)]
        joined = PackedMatrix(
            np.concatenate([part.values for part in attention]),
            np.concatenate([part.multipliers for part in attention]),
            shape.group,
            np.concatenate([part.scales for part in attention if part.scales is not None]) if shape.group else None,
        )
        down = matrix(width, round_up(shape.hidden, 8), 500, 2000)
        down.values[:, shape.hidden :] = 0
        return PackedLayer(
            attention_gains=gains(),
            attention=joined,
            query_multipliers=multipliers(width, 50 / (8000 << 14)),
            key_multipliers=multipliers(keys, 60 / (8000 << 14)),
            output=matrix(width, width, 500, 2000),
            feed_gains=gains(),
            feed=matrix(2 * shape.hidden, width, 600, 2000),
            gate_multiplier=int(multipliers(1, 1000 / 2e6)[0]),
            down=down,
        )

    table = rng.integers(-127, 128, (shape.tokens, width)).astype(np.int8)
    classifier = matrix(shape.tokens, width, 600, 8000, 0 if shape.tied else shape.group)
    return LanguageModel(
        heads=shape.heads,
        key_heads=shape.key_heads,
        window=shape.window,
        sinks=shape.sinks,
        epsilon=int(rng.integers(0, 1 << 14)),
        frequencies=frequencies(shape.head),
        table=table,
        table_multipliers=rng.integers(1 << 10, 1 << 14, shape.tokens).astype(np.int32),
        layers=tuple(layer() for _ in range(shape.layers)),
        gains=gains(),
        classifier=PackedMatrix(table, classifier.multipliers) if shape.tied else classifier,
        tokenizer=random_tokenizer(shape.tokens, rng),
        kept=shape.kept,
    )


def gentle(model: LanguageModel) -> LanguageModel:
    """With weights and scales as trained ones are: few are large, so that no row's sum needs special care."""

    def smaller(matrix: PackedMatrix) -> PackedMatrix:
        values = (matrix.values.astype(int) // 2).astype(np.int8)
        return replace(matrix, values=values, scales=None if matrix.scales is None else matrix.scales // 4)

    layers = tuple(
        replace(layer, **{name: smaller(getattr(layer, name)) for name in ("attention", "output", "feed", "down")})
        for layer in model.layers
    )
    return replace(model, layers=layers)


def random_tokenizer(tokens: int, rng: np.random.Generator) -> Tokenizer:
    """The 259 tokens that are always there, letters, and pieces of two and three of them."""
    pieces = [b"<unk>", b"\n<s>\n", b"\n</s>\n", *(b"<0x%02X>" % byte for byte in range(BYTES))]
    letters = list(b" abcdefghijklmnopqrstuvwxyz.")
    pieces += [bytes([letter]) for letter in letters]
    while len(pieces) < tokens:
        piece = bytes(rng.choice(letters, rng.integers(2, 4)).tolist())
        pieces += [piece] if piece not in pieces else []
    scores = [0.0] * (FIRST_BYTE + BYTES) + [-float(n) for n in range(max(0, tokens - FIRST_BYTE - BYTES))]
    return Tokenizer(tuple(pieces[:tokens]), tuple(scores[:tokens]))


def random_tokens(shape: Shape, count: int, seed: int = 0) -> list[list[np.ndarray]]:
    """Inputs of ``count`` runs; one token lies outside the table."""
    tokens = np.random.default_rng(seed).integers(0, shape.tokens, count).astype(np.int32)
    tokens[count // 2] = shape.tokens + 7
    return [[np.array([token], np.int32)] for token in tokens]


def stories260k() -> Path:
    """The checkpoint, its tokenizer beside it; a test that asks is skipped where it is not at hand."""
    shared = shared_dir()
    checkpoint = shared / "models" / "stories260K" / "stories260K.bin" if shared else None
    if checkpoint is None or not checkpoint.is_file():
        pytest.skip("TINYENGINE_SHARED has no models/stories260K")
    return checkpoint
