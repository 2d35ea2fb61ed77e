"""Operators of language models, token by token; what they compute: ir/operators/language.py."""

from __future__ import annotations

import math

import numpy as np

from tinyengine.ir import Graph, Operator, OpKind
from tinyengine.ir.language import (
    FORGET_SHIFT,
    GATE_BITS,
    HIDDEN_BITS,
    NO_SCORE,
    OUTPUT_BITS,
    RECEIVED_BITS,
    SCORE_SHIFT,
    SLOTS,
    gate_table,
    next_position,
    norm_root,
    pack_keys,
    pack_values,
    saturate,
    sine,
    slot_of,
    smmulr,
    softmax_table,
    unpack_values,
    wrap,
    zeros_in_front,
)
from tinyengine.ir.ops import LmGateAttrs, LmMatrixAttrs, LmNormAttrs, RingAttrs
from tinyengine.reference.registry import oracle
from tinyengine.sizes import round_up


def _int64(inputs: list[np.ndarray]) -> list[np.ndarray]:
    return [value.astype(np.int64) for value in inputs]


@oracle(OpKind.LM_EMBEDDING)
def embedding(op: Operator, graph: Graph, inputs: list[np.ndarray]) -> np.ndarray:
    token, table, multipliers = inputs
    row = int(np.clip(token.ravel()[0], 0, len(table) - 1))
    return np.asarray((table[row].astype(np.int64) * int(multipliers[row]) + 128) >> 8)


@oracle(OpKind.LM_POSITION)
def position(op: Operator, graph: Graph, inputs: list[np.ndarray]) -> list[np.ndarray]:
    assert isinstance(op.attrs, RingAttrs)
    attrs, frequencies = op.attrs, inputs[1].astype(np.int64)
    at = int(inputs[0].ravel()[0])
    slot = slot_of(at, attrs.window, attrs.sinks)
    turned = np.array([slot, slot + attrs.ring, at if at < attrs.window else attrs.farthest][: attrs.variants])
    phases = turned[:, None] * frequencies
    angles = np.stack([sine(phases + (1 << 30)), sine(phases)], -1)
    return [angles, np.array(next_position(at, attrs.window, attrs.sinks))]


@oracle(OpKind.LM_NORM)
def norm(op: Operator, graph: Graph, inputs: list[np.ndarray]) -> np.ndarray:
    """Scaled to 14 bits, divided by the root of the sum of squares, times the gains."""
    assert isinstance(op.attrs, LmNormAttrs)
    x, gains = _int64(inputs)
    magnitude = int(np.bitwise_or.reduce(x ^ (x >> 63), axis=None)) | 1
    shift = 32 - zeros_in_front(magnitude, 32) - 14
    y = x >> shift if shift >= 0 else x << -shift
    epsilon = op.attrs.epsilon >> min(2 * shift, 31) if shift >= 0 else op.attrs.epsilon << (-2 * shift)
    squares = max(int((y * y).sum()) + epsilon, 1)
    zeros = zeros_in_front(squares, 64) & ~1
    root, right = norm_root(x.size, op.attrs.fraction)
    factor = root // math.isqrt((squares << zeros) >> 32)
    right -= zeros // 2
    h = saturate((y * factor + (1 << (right - 1))) >> right, 16)
    return np.asarray((h * gains + (1 << 14)) >> 15)


@oracle(OpKind.LM_MATRIX)
def matrix(op: Operator, graph: Graph, inputs: list[np.ndarray]) -> np.ndarray:
    assert isinstance(op.attrs, LmMatrixAttrs)
    x, weights, multipliers, *others = _int64(inputs)
    rows = np.arange(len(weights))
    if op.attrs.group:
        y = _by_groups(x.ravel(), weights, others[0], op.attrs.group, 4 * (rows & 3))
    else:
        y = (weights @ x.ravel()) << 8 * (rows & 1)
    y = smmulr(y, multipliers)
    return wrap(y + others[-1].ravel()) if op.attrs.add else y


def _by_groups(x: np.ndarray, weights: np.ndarray, scales: np.ndarray, group: int, shift: np.ndarray) -> np.ndarray:
    """Sums of 4096 times each row; ``shift``: how far a row's sums are shifted before their scales are applied."""
    total = np.zeros(len(weights), np.int64)
    for index, first in enumerate(range(0, len(x), group)):
        part = slice(first, first + group)
        sums = wrap((weights[:, part] @ x[part]) << shift)
        total = wrap(total + (sums * scales[:, index] >> 16))
    return wrap(total << (12 - shift))


def _rotated(x: np.ndarray, cosine: np.ndarray, sines: np.ndarray) -> np.ndarray:
    """Neighbours (a, b) of (heads, d) become (a c - b s, a s + b c)."""
    a, b = x[..., 0::2], x[..., 1::2]
    return np.stack([a * cosine - b * sines, a * sines + b * cosine], -1).reshape(x.shape)


@oracle(OpKind.LM_ROTATE)
def rotate(op: Operator, graph: Graph, inputs: list[np.ndarray]) -> list[np.ndarray]:
    assert isinstance(op.attrs, RingAttrs)
    y, angles, at, keys, values, query_multipliers, key_multipliers, *received = _int64(inputs)
    groups, _, head = keys.shape
    width = query_multipliers.size
    queries, own_keys, own_values = (
        part.reshape(-1, head) for part in np.split(y.ravel(), [width, width + groups * head])
    )
    queries, own_keys = saturate(queries, 16), saturate(own_keys, 16)
    multiplier = query_multipliers.reshape(queries.shape)
    turned = [saturate(smmulr(_rotated(queries, each[:, 0], each[:, 1]), multiplier), 16) for each in angles]
    now = int(at.ravel()[0])
    slot, plain = slot_of(now, op.attrs.window, op.attrs.sinks), unpack_values(values)
    if received:
        to = _new_slot(op.attrs, now, slot, received[0])
        keys[:, to], plain[:, to] = keys[:, slot], plain[:, slot]
    products = smmulr(_rotated(own_keys, angles[0, :, 0], angles[0, :, 1]), key_multipliers.reshape(groups, head))
    keys[:, slot] = pack_keys(saturate(products, 8))
    plain[:, slot] = saturate(own_values, 8)
    return [np.stack(turned), keys, pack_values(plain)]


def _new_slot(attrs: RingAttrs, now: int, slot: int, received: np.ndarray) -> int:
    """Where the token in ``slot`` goes when that of position ``now`` comes: to the kept one that receives least
    attention, the first of those, or nowhere (``slot``)."""
    first = attrs.sinks - attrs.kept
    weakest = first + int(received[first : attrs.sinks].argmin())
    return weakest if now >= attrs.window and received[slot] > received[weakest] else slot


@oracle(OpKind.LM_ATTENTION)
def attention(op: Operator, graph: Graph, inputs: list[np.ndarray]) -> np.ndarray | list[np.ndarray]:
    """Slots without a token in the last eight that have one score lowest."""
    assert isinstance(op.attrs, RingAttrs)
    queries, keys, values, at, *received = _int64(inputs)
    window, sinks = op.attrs.window, op.attrs.sinks
    heads, head = queries.shape[1:]
    now = int(at.ravel()[0])
    slot, used = slot_of(now, window, sinks), min(now + 1, window)
    keys, values = (np.repeat(x, heads // len(keys), 0) for x in (pack_keys(keys), unpack_values(values)))
    slots = np.arange(round_up(used, SLOTS))
    variant = np.where(slots < sinks, 2, np.where(slots <= slot, 0, 1))
    products = np.einsum("jhd,hjd->hj", queries[np.minimum(variant, len(queries) - 1)], keys[:, slots])
    scores = np.where(slots < used, saturate(products >> SCORE_SHIFT, 16), NO_SCORE)
    distance = scores.max(1, keepdims=True) - scores
    weights = softmax_table()[distance & 255] >> (distance >> 8)
    output = np.empty((heads, head), np.int64)
    for counts in received:
        counts[_new_slot(op.attrs, now, slot, counts)] = counts[slot]
        counts[slot] = 0
        counts -= counts >> FORGET_SHIFT
    for index, (row, held) in enumerate(zip(weights, values[:, slots], strict=True)):
        total = int(row.sum())
        zeros = zeros_in_front(total, 32)
        factor = (1 << 31) // ((total << zeros) >> 16)
        for counts in received:
            counts[slots] += row * factor >> (47 - RECEIVED_BITS - zeros)
        mean = smmulr((row @ held) << (zeros - 8), factor)
        output[index] = (mean + (1 << (6 - OUTPUT_BITS))) >> (7 - OUTPUT_BITS)
    return [output, *received] if received else output


@oracle(OpKind.LM_GATE)
def gate(op: Operator, graph: Graph, inputs: list[np.ndarray]) -> np.ndarray:
    """The sigmoid is interpolated between 258 values over -8 .. 8."""
    assert isinstance(op.attrs, LmGateAttrs)
    through, factor = saturate(inputs[0].astype(np.int64).reshape(2, -1), 16)
    limit = 8 << GATE_BITS
    at = np.clip(through, -limit, limit - 1) + limit
    table, step, fraction = gate_table(), at >> 6, at & 63
    sigmoid = table[step] + (((table[step + 1] - table[step]) * fraction + 32) >> 6)
    products = ((through * sigmoid + (1 << 14)) >> 15) * factor
    hidden = saturate(smmulr(products, op.attrs.multiplier), HIDDEN_BITS)
    return np.pad(hidden, (0, graph.tensor(op.outputs[0]).elements - hidden.size))
