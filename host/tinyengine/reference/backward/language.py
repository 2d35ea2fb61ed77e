"""A training step of a language model over a segment of tokens, in float32 as the device computes it.

The forward pass is that of the graph, in integers; what gradients need of it is not kept but read from the oracle's
values. Gradients are by these integers: roundings pass them, a number at the end of its range stops them. Sums have the
order of te_lm_learn.c: over the rows of a matrix, over slots, over tokens from the last to the first.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from tinyengine.ir import Graph, Operator
from tinyengine.ir.language import (
    GATE_BITS,
    HIDDEN_BITS,
    RESIDUAL_BITS,
    SCORE_SHIFT,
    gate_table,
    norm_root,
    pack_keys,
    saturate,
    smmulr,
    softmax_table,
    unpack_values,
    zeros_in_front,
)
from tinyengine.ir.ops import LmGateAttrs, LmMatrixAttrs, LmNormAttrs
from tinyengine.reference.backward.loss import cross_entropy, softmax
from tinyengine.reference.backward.update import accumulated, random_bits, update_stochastic
from tinyengine.reference.executor import Session
from tinyengine.step import Outcome, Update
from tinyengine.training.language import Block, LanguageScheme, find_blocks, trained_numbers

Values = dict[str, np.ndarray]
_F = np.float32
_STEP = _F(2.0**-32)
_LOGIT = _F(2.0**-RESIDUAL_BITS)
_GAIN = _F(2.0**-15)
_SLOPE = _F(2.0**-21)
_OCTAVE = _F(_F(math.log(2)) / _F(256))
_OUTPUT = _F(16)


def _float(x: np.ndarray) -> np.ndarray:
    return np.asarray(x).astype(np.float32)


def _sum(terms: np.ndarray) -> np.float32:
    """In order: float32 (N) in."""
    return _F(np.cumsum(terms, dtype=np.float32)[-1])


def _inside(x: np.ndarray, bits: int) -> np.ndarray:
    """Whether numbers need no saturation to so many bits."""
    return np.asarray(saturate(x, bits) == x)


def _within(x: np.ndarray, bits: int) -> np.ndarray:
    """Whether saturated numbers lie between the ends of so many bits."""
    limit = 1 << (bits - 1)
    return (x > -limit) & (x < limit - 1)


@dataclass(eq=False)
class LanguageTrainer:
    """A language model in training; its constants change in place. ``graph`` has a bias (``training.with_bias``)."""

    graph: Graph
    scheme: LanguageScheme
    velocities: dict[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.graph = copy.deepcopy(self.graph)
        self.parts = find_blocks(self.graph)
        self.numbers = trained_numbers(self.graph, self.scheme)

    def segment(self, tokens: Sequence[int], update: Update | None) -> Outcome:
        """What a step finds out; it changes the constants as ``update`` says. Each token foretells the next one."""
        runs = self._forward(tokens[:-1])
        loss = _F(0)
        for values, following in zip(runs, tokens[1:], strict=True):
            logits = self._logits(values)
            loss = _F(loss + cross_entropy(logits, following))
        if update is not None:
            self._update(self.gradients(runs, tokens[1:]), update, len(runs))
        return Outcome(float(_F(loss / _F(len(runs)))), int(self._logits(runs[-1]).argmax()))

    def gradients(self, runs: list[Values], following: Sequence[int]) -> dict[str, np.ndarray]:
        """Of the sum of the tokens' losses by the real numbers that the trained constants stand for: float32, by their
        names. ``runs``: the values of all tensors, token by token."""
        sums = {numbers.tensor: np.zeros(numbers.count, np.float32) for numbers in self.numbers}
        rows = []
        classifier, norm = self.parts.classifier, self.parts.norm
        for values, label in zip(runs, following, strict=True):
            d = softmax(self._logits(values))
            d[label] -= _F(1)
            sums[classifier.inputs[-1]] += d
            row = np.zeros(self.graph.tensor(self.parts.x).elements, np.float32)
            dh = self._transposed(classifier, d * _LOGIT)
            self._norm(norm, values[self.parts.x], dh, sums, row)
            rows.append(row)
        count = len(self.parts.blocks)
        for block in reversed(self.parts.blocks[count - self.scheme.blocks :]):
            self._block(block, runs, rows, sums)
        return sums

    # ----

    def _forward(self, tokens: Sequence[int]) -> list[Values]:
        session = Session(self.graph)
        return [session.values([np.array([token], np.int32)]) for token in tokens]

    def _logits(self, values: Values) -> np.ndarray:
        return _float(values[self.graph.outputs[0].tensor].ravel()) * _LOGIT

    def _data(self, op: Operator, position: int) -> np.ndarray:
        data = self.graph.tensor(op.inputs[position]).data
        assert data is not None
        return data

    def _transposed(self, op: Operator, dy: np.ndarray) -> np.ndarray:
        """The gradient of what a matrix is multiplied with, row after row."""
        assert isinstance(op.attrs, LmMatrixAttrs)
        weights, multipliers = _float(self._data(op, 1)), _float(self._data(op, 2))
        group = op.attrs.group
        if not group:
            weights[1::2] *= _F(256)
        factors = dy * (multipliers * (_STEP / _F(16) if group else _STEP))
        terms = factors[:, None] * np.ones(weights.shape[1], np.float32)
        if group:
            terms = np.repeat(factors[:, None] * _float(self._data(op, 3)), group, 1)[:, : weights.shape[1]]
        dx = np.zeros(weights.shape[1], np.float32)
        for row, term in zip(weights, terms, strict=True):
            dx = dx + row * term
        return dx

    def _norm(self, op: Operator, x: np.ndarray, dh: np.ndarray, sums: dict[str, np.ndarray], row: np.ndarray) -> None:
        """``row`` gains the gradient of ``x``; that of the gains counts where they are trained."""
        assert isinstance(op.attrs, LmNormAttrs)
        x = x.ravel().astype(np.int64)
        gains = _float(self._data(op, 1)) * _GAIN
        r = _norm_factor(x, op.attrs)
        spread = _F(2.0 ** (-2 * op.attrs.fraction) / x.size)
        real = _float(x)
        g = dh * gains
        along = _F(_F(_sum(g * real) * _F(r * r)) * spread)
        row += r * (g - real * along)
        if op.inputs[1] in sums:
            sums[op.inputs[1]] += dh * (real * r)

    def _block(self, block: Block, runs: list[Values], rows: list[np.ndarray], sums: dict[str, np.ndarray]) -> None:
        groups, _, head = self.graph.tensor(block.rotate.inputs[3]).shape
        dkeys = np.zeros((groups, len(runs), head), np.float32)
        dvalues = np.zeros_like(dkeys)
        held = runs[-1]
        keys = pack_keys(held[block.rotate.outputs[1]].astype(np.int64))[:, : len(runs)]
        values = unpack_values(held[block.rotate.outputs[2]].astype(np.int64))[:, : len(runs)]
        for now in reversed(range(len(runs))):
            run, row = runs[now], rows[now]
            dhidden = self._transposed(block.feed_out, row)
            dy = self._gate(block.gate, run[block.feed_in.outputs[0]].ravel().astype(np.int64), dhidden)
            self._norm(block.feed_norm, run[block.middle], self._transposed(block.feed_in, dy), sums, row)

            dout = self._transposed(block.attention_out, row).reshape(-1, head)
            queries = run[block.rotate.outputs[0]][0].astype(np.int64)
            share = len(queries) // groups
            dqueries = np.stack(
                [
                    _head(q, keys[h // share], values[h // share], now, d, dkeys[h // share], dvalues[h // share])
                    for h, (q, d) in enumerate(zip(queries, dout, strict=True))
                ]
            )
            dy = self._turned(block.rotate, run, queries, dqueries, keys, values, dkeys, dvalues, now)
            self._norm(block.attention_norm, run[block.x], self._transposed(block.attention_in, dy), sums, row)

    def _gate(self, op: Operator, y: np.ndarray, dhidden: np.ndarray) -> np.ndarray:
        assert isinstance(op.attrs, LmGateAttrs)
        width = y.size // 2
        u, g = saturate(y, 16).reshape(2, -1)
        limit = 8 << GATE_BITS
        at = np.clip(u, -limit, limit - 1) + limit
        table = gate_table()
        rise = table[(at >> 6) + 1] - table[at >> 6]
        sigmoid = table[at >> 6] + ((rise * (at & 63) + 32) >> 6)
        silu = (u * sigmoid + (1 << 14)) >> 15
        hidden = saturate(smmulr(silu * g, op.attrs.multiplier), HIDDEN_BITS)
        d = np.where(_within(hidden, HIDDEN_BITS), dhidden[:width] * (_F(op.attrs.multiplier) * _STEP), _F(0))
        slope = np.where((u >= -limit) & (u < limit), _float(rise) * _SLOPE, _F(0))
        by_u = _float(sigmoid) * _GAIN + _float(u) * slope
        both = np.concatenate([(d * _float(g)) * by_u, d * _float(silu)])
        return np.where(_inside(y, 16), both, _F(0))

    def _turned(
        self,
        op: Operator,
        run: Values,
        queries: np.ndarray,
        dqueries: np.ndarray,
        keys: np.ndarray,
        values: np.ndarray,
        dkeys: np.ndarray,
        dvalues: np.ndarray,
        now: int,
    ) -> np.ndarray:
        """The gradient of a token's queries, key and value before they are turned."""
        y = run[op.inputs[0]].ravel().astype(np.int64)
        angles = _float(run[op.inputs[1]][0])
        dq = np.where(_within(queries, 16), dqueries, _F(0))
        dk = np.where(_within(keys[:, now], 8), dkeys[:, now], _F(0))
        dv = np.where(_within(values[:, now], 8), dvalues[:, now], _F(0))

        def back(d: np.ndarray, multipliers: np.ndarray) -> np.ndarray:
            d = d * (_float(multipliers).reshape(d.shape) * _STEP)
            a, c = d[:, 0::2], d[:, 1::2]
            cosine, sine = angles[:, 0], angles[:, 1]
            return np.stack([a * cosine + c * sine, c * cosine - a * sine], -1).ravel()

        turned = np.concatenate([back(dq, self._data(op, 5)), back(dk, self._data(op, 6))])
        return np.concatenate([np.where(_inside(y[: turned.size], 16), turned, _F(0)), dv.ravel()])

    def _update(self, sums: dict[str, np.ndarray], update: Update, count: int) -> None:
        rate = _F(update.rate)
        keeps = update.needs_velocities or bool(self.velocities)
        if keeps:
            rate = _F(rate / _F(update.batch))
        rate = _F(rate / _F(count))
        for numbers in self.numbers:
            name = numbers.tensor
            d = sums[name] * _F(rate * _F(numbers.scaling))
            if keeps:
                velocity = self.velocities.get(name, np.zeros_like(d))
                momentum = update.momentum if update.sample == 0 else None
                d = self.velocities[name] = accumulated(velocity, d, momentum)
                if update.sample + 1 != update.batch:
                    continue
            tensor = self.graph.tensor(name)
            assert tensor.data is not None
            bits = random_bits(update.seed, update.step, numbers.first, numbers.count)
            tensor.data = update_stochastic(
                tensor.data, d.reshape(tensor.shape), bits.reshape(tensor.shape), numbers.limit
            )


def _norm_factor(x: np.ndarray, attrs: LmNormAttrs) -> np.float32:
    """What LM_NORM multiplies int64 ``x`` with before its gains."""
    magnitude = int(np.bitwise_or.reduce(x ^ (x >> 63), axis=None)) | 1
    shift = 32 - zeros_in_front(magnitude, 32) - 14
    y = x >> shift if shift >= 0 else x << -shift
    epsilon = attrs.epsilon >> min(2 * shift, 31) if shift >= 0 else attrs.epsilon << (-2 * shift)
    squares = max(int((y * y).sum()) + epsilon, 1)
    zeros = zeros_in_front(squares, 64) & ~1
    root, right = norm_root(x.size, attrs.fraction)
    factor = root // math.isqrt((squares << zeros) >> 32)
    right -= zeros // 2
    if right > 31:
        factor, right = 0, 31
    return _F(math.ldexp(factor, -(right + shift)))


def _head(
    q: np.ndarray,
    keys: np.ndarray,
    values: np.ndarray,
    now: int,
    dout: np.ndarray,
    dkeys: np.ndarray,
    dvalues: np.ndarray,
) -> np.ndarray:
    """A head's query (d), keys and values (T,d), and the gradient of its output: that of the query. Keys and values
    gain theirs."""
    used = slice(0, now + 1)
    scores = saturate((keys[used] @ q) >> SCORE_SHIFT, 16)
    distance = scores.max() - scores
    weights = softmax_table()[distance & 255] >> np.minimum(distance >> 8, 31)
    chances = _float(weights) * _F(_F(1) / _F(weights.sum()))
    d = np.zeros(now + 1, np.float32)
    for i, each in enumerate(dout):
        d = d + each * _float(values[used, i])
    mean = _sum(np.concatenate([np.zeros(1, np.float32), chances * d]))
    by_score = (chances * (d - mean)) * _OCTAVE
    dq = np.zeros(len(q), np.float32)
    for each, key in zip(by_score, keys[used], strict=True):
        dq = dq + each * _float(key)
    dkeys[used] += by_score[:, None] * _float(q)
    dvalues[used] += (chances * _OUTPUT)[:, None] * dout
    return dq
