"""A float model with the ranges of its values becomes the integers of ir/language.py."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from tinyengine.errors import ModelError
from tinyengine.frontend.language import LanguageModel, PackedLayer, PackedMatrix
from tinyengine.ir.language import (
    GATE_BITS,
    HIDDEN_BITS,
    NORM_BITS,
    OUTPUT_BITS,
    RESIDUAL_BITS,
    SCORE_SHIFT,
    frequencies,
)
from tinyengine.ir.tokenizer import Tokenizer
from tinyengine.language.calibrate import LayerRanges, Statistics
from tinyengine.language.llama import Llama, LlamaLayer
from tinyengine.language.rounding import LARGEST, Groups, Matrix, Rows
from tinyengine.sizes import round_up

ROUNDED = 1 << 15
KEY_ROOM, QUERY_ROOM = 1.05, 1.1
"""How much beyond what calibration has seen fits."""
ROOM = 1.1
"""How much larger a row's scale may be than its largest weight asks for."""
TURNED = 16383
"""Lengths of pairs in 16 bits before they are turned: a component stays far below 32767 however they turn."""
SMALLEST = 1e-3
"""Range of a value that never appears."""

Rounding = Callable[[str, int, np.ndarray, np.ndarray], Matrix]
"""Rounds a matrix: its name in ``LlamaLayer``, or ``classifier``; layer; weights (N,K) in units of what it reads on the
device; mean of x x^T (K,K) of that."""


def quantize(
    model: Llama,
    statistics: Statistics,
    tokenizer: Tokenizer,
    rounding: Rounding,
    window: int,
    sinks: int = 0,
    note: dict[str, object] | None = None,
    kept: int = 0,
) -> LanguageModel:
    """The model in integers. ``window``, ``sinks``, ``kept``: as RingAttrs has them. ModelError if numbers do not fit
    them."""
    size = np.abs(model.embedding).max(1) / 127.0
    scales = np.where(size == 0, 1.0, size)
    table = np.rint(model.embedding / scales[:, None]).astype(np.int8)
    largest, gains = _gains(model.gain)
    unit = largest * 2.0 ** (RESIDUAL_BITS - NORM_BITS)
    residual = _residual(model, statistics)
    if model.classifier is model.embedding:
        classifier: Matrix = Rows(table, scales)
    else:
        classifier = rounding("classifier", 0, model.classifier, statistics.squares["last", 0])
    return LanguageModel(
        heads=model.heads,
        key_heads=model.kv_heads,
        window=window,
        sinks=sinks,
        epsilon=round(model.epsilon * model.width * residual**2),
        frequencies=frequencies(model.head, model.theta),
        table=table,
        table_multipliers=_integers("the embedding", scales * residual * 2.0**8),
        layers=tuple(
            _layer(model, layer, index, statistics, rounding, residual) for index, layer in enumerate(model.layers)
        ),
        gains=gains,
        classifier=_packed("the classifier", classifier, np.full(len(table), unit)),
        tokenizer=tokenizer,
        note=note or {},
        kept=kept,
    )


def _residual(model: Llama, statistics: Statistics) -> float:
    """What 1.0 of the residual stream is on the device: 2^RESIDUAL_BITS, or so many powers of two less that multipliers
    of what is added to it stay below 0.5. What a norm makes of the stream does not depend on it."""
    largest = 0.0
    for layer, ranges in zip(model.layers, statistics.ranges, strict=True):
        units = np.repeat(_value_units(ranges), model.heads // model.kv_heads, 0).ravel() / 2**OUTPUT_BITS
        for weights, unit in ((layer.output, units), (layer.down, _hidden_unit(ranges))):
            largest = max(largest, float(np.abs(weights * unit).max()) / 127)
    fitting = -math.ceil(math.log2(max(largest, 1e-30) * 2.0 * ROOM))
    return 2.0 ** min(RESIDUAL_BITS, fitting)


def _value_units(ranges: LayerRanges) -> np.ndarray:
    """Real units of values, (kv_heads, size)."""
    return np.maximum(ranges.value, SMALLEST) * KEY_ROOM / 127


def _hidden_unit(ranges: LayerRanges) -> float:
    """Real unit of gated hidden values."""
    return max(ranges.down, SMALLEST) * QUERY_ROOM / (2 ** (HIDDEN_BITS - 1) - 1)


def _layer(
    model: Llama, layer: LlamaLayer, index: int, statistics: Statistics, rounding: Rounding, unit: float
) -> PackedLayer:
    """Gains stay in the norm, relative to the largest of them, which goes into the matrices behind it; the scales of
    values go into the columns of ``output``. ``unit``: what 1.0 of the residual stream is."""
    ranges: LayerRanges = statistics.ranges[index]
    each = model.heads // model.kv_heads
    attention, attention_gains = _gains(layer.attention_gain)
    feed, feed_gains = _gains(layer.feed_gain)

    def rounded(name: str, weights: np.ndarray, site: str, inputs: np.ndarray | float = 1.0) -> Matrix:
        """``inputs``: real units of what the matrix reads, by which its columns are multiplied."""
        units = np.broadcast_to(np.asarray(inputs, np.float64), weights.shape[1:])
        squares = statistics.squares[site, index] / np.outer(units, units)
        return rounding(name, index, weights * units, squares)

    def pairs(length: np.ndarray) -> np.ndarray:
        """Of both channels of each pair."""
        return np.repeat(np.maximum(length, SMALLEST), 2, -1).ravel()

    key = np.maximum(ranges.rotated, SMALLEST) * KEY_ROOM / 127
    turned_key, turned_query = pairs(ranges.key) * KEY_ROOM / TURNED, pairs(ranges.query) * QUERY_ROOM / TURNED
    value = _value_units(ranges)
    normed = 2.0**-NORM_BITS
    octaves = math.log2(math.e) / math.sqrt(model.head)
    query_units = turned_query * octaves * np.repeat(key, each, 0).ravel() * 2.0 ** (26 + SCORE_SHIFT)

    hidden = _hidden_unit(ranges)
    gate, up = (rounded(name, _filled(getattr(layer, name), 0, 4), "feed", feed) for name in ("gate", "up"))
    ones = np.ones(len(_filled(layer.gate, 0, 4)))
    squares = np.pad(statistics.squares["down", index], (0, _missing(layer.down.shape[1], 8)))
    down = rounding("down", index, _filled(layer.down, 1, 8).astype(np.float64), squares)
    residual = np.full(model.width, unit / 2**OUTPUT_BITS)
    return PackedLayer(
        attention_gains=attention_gains,
        attention=_stacked(
            _packed("query", rounded("query", layer.query, "attention", attention), normed / turned_query),
            _packed("key", rounded("key", layer.key, "attention", attention), normed / turned_key),
            _packed("value", rounded("value", layer.value, "attention", attention), normed / value.ravel()),
        ),
        query_multipliers=_integers("queries", query_units),
        key_multipliers=_integers("keys", turned_key * 2.0**18 / key.ravel()),
        output=_packed(
            "output", rounded("output", layer.output, "output", np.repeat(value, each, 0).ravel()), residual
        ),
        feed_gains=feed_gains,
        feed=_stacked(
            _packed("gate", gate, ones * 2.0 ** (GATE_BITS - NORM_BITS)),
            _packed("up", up, ones * 2.0 ** (GATE_BITS - NORM_BITS)),
        ),
        gate_multiplier=int(_integers("the gate", np.array([2.0 ** (32 - 2 * GATE_BITS) / hidden]))[0]),
        down=_packed("down", down, np.full(model.width, hidden * unit)),
    )


def _gains(gain: np.ndarray) -> tuple[float, np.ndarray]:
    """The largest, and all relative to it with 15 fraction bits."""
    largest = float(np.abs(gain).max()) or 1.0
    return largest, np.clip(np.rint(gain / largest * ROUNDED), -ROUNDED, ROUNDED - 1).astype(np.int16)


def _missing(size: int, step: int) -> int:
    return round_up(size, step) - size


def _filled(weights: np.ndarray, axis: int, step: int) -> np.ndarray:
    """With zeros behind, up to a multiple of ``step``."""
    pads = [(0, 0), (0, 0)]
    pads[axis] = 0, _missing(weights.shape[axis], step)
    return np.pad(weights, pads)


def _packed(name: str, matrix: Matrix, units: np.ndarray) -> PackedMatrix:
    """``units`` (N,): results per product of what is read and a real weight."""
    if isinstance(matrix, Groups):
        multipliers = _integers(name, matrix.scales * units * 16 / LARGEST * 2.0**32)
        return PackedMatrix(matrix.values, multipliers, matrix.group, matrix.shares)
    odd = np.where(np.arange(len(units)) % 2, 256.0, 1.0)
    return PackedMatrix(matrix.values, _integers(name, matrix.scales * units * 2.0**32, odd))


def _integers(name: str, values: np.ndarray, divisor: np.ndarray | float = 1.0) -> np.ndarray:
    """Multipliers as int32, of ``values`` / ``divisor``."""
    if not np.isfinite(values).all() or values.max(initial=0.0) >= (1 << 31) - 256:
        raise ModelError(f"numbers of '{name}' are too large for 32 bits: scale the model's weights down")
    return np.rint(values / divisor).astype(np.int32)


def _stacked(*parts: PackedMatrix) -> PackedMatrix:
    """Matrices that read the same as one: all of 8 bits, or all of 4 with the same groups."""
    values, multipliers = (
        np.concatenate([getattr(part, name) for part in parts]) for name in ("values", "multipliers")
    )
    scales = [part.scales for part in parts if part.scales is not None]
    if len({part.group for part in parts}) != 1:
        raise ModelError("matrices that read the same have different bits: give them all 8 or all 4")
    return PackedMatrix(values, multipliers, parts[0].group, np.concatenate(scales) if scales else None)
