"""Matrices in 8 or 4 bits: values, scales, and how both are chosen.

A row is one output of a matrix. W8 has one scale per row; W4 one per row and group of ``group`` inputs, kept as 16-bit
fractions of the row's scale, which is what the kernels multiply with (te_lm_kernels.h).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

SHARES = np.arange(1.0, 0.5, -0.05)
"""Clipping: shares of a group's largest weight that are tried for the end of its scale (Nagel et al. 2021, 3.1)."""

LARGEST = 32767
"""The largest 16-bit scale of a group."""

HEADROOM = 1.3
"""How much larger than the row's largest scale a group's may become while GPTQ moves weights."""


@dataclass(frozen=True, eq=False)
class Rows:
    """A matrix in 8 bits: ``values`` (outputs, inputs) int8 without -128, ``scales`` (outputs,) float64."""

    values: np.ndarray
    scales: np.ndarray

    def real(self) -> np.ndarray:
        """What the values stand for, float64."""
        return self.values * self.scales[:, None]


@dataclass(frozen=True, eq=False)
class Groups:
    """A matrix in 4 bits: ``values`` (outputs, inputs) int8 in -8..7, ``scales`` (outputs,) float64, ``shares``
    (outputs, groups) int16: a weight is value * share / 32767 * scale. The last group may be shorter."""

    values: np.ndarray
    scales: np.ndarray
    shares: np.ndarray
    group: int

    def real(self) -> np.ndarray:
        """What the values stand for, float64."""
        each = self.shares * self.scales[:, None] / LARGEST
        return self.values * np.repeat(each, self.group, axis=1)[:, : self.values.shape[1]]


Matrix = Rows | Groups

PEAK = 1 << 11
"""What inputs of a matrix of 4 bits never exceed that is not behind a norm."""

NORMED = 1025
"""What the root mean square of the inputs behind a norm never exceeds."""


def _with_room(values: np.ndarray, scales: np.ndarray, shares: np.ndarray, group: int) -> Groups:
    """With shares so small that a row's sum, 4096 fold and times its shares / 2**16, stays in 32 bits."""
    inputs = values.shape[1]
    scaled = np.abs(values.astype(np.float64)) * np.repeat(shares, group, axis=1)[:, :inputs] / 16
    either = np.maximum(PEAK * scaled.sum(1), NORMED * np.sqrt(inputs * (scaled * scaled).sum(1)))
    most = either + 4096 * shares.shape[1]
    halvings = np.maximum(np.ceil(np.log2(np.maximum(most, 1) / ((1 << 31) - 1))), 0).astype(np.int64)
    smaller = np.where(halvings[:, None] > 0, shares >> halvings[:, None], shares)
    return Groups(values, scales * 2.0**halvings, np.maximum(smaller, 1).astype(np.int16), group)


def round_rows(weights: np.ndarray, largest: int = 127) -> Rows:
    """To the nearest of 2 * ``largest`` + 1 steps; (outputs, inputs) floats."""
    scales = np.abs(weights).max(axis=1).astype(np.float64) / largest
    scales[scales == 0] = 1.0
    values = np.clip(np.round(weights / scales[:, None]), -largest, largest)
    return Rows(values.astype(np.int8), scales)


def row_scales(weights: np.ndarray, group: int) -> np.ndarray:
    """Per row, the scale whose fractions the groups' scales are; float64."""
    size = np.abs(weights).max(axis=1).astype(np.float64)
    size[size == 0] = 1.0
    return size / 7.5 * HEADROOM


def group_shares(part: np.ndarray, scales: np.ndarray, importance: np.ndarray, clip: bool) -> np.ndarray:
    """The 16-bit scales (outputs,) of one group: of its largest weight, or with ``clip`` of that share of it for which
    the squared error, weighed by ``importance`` (inputs,), is smallest. ``part`` (outputs, inputs)."""
    size = np.abs(part).max(axis=1)
    best = np.full(len(part), np.inf)
    chosen = np.ones(len(part), np.int16)
    for share in SHARES if clip else SHARES[:1]:
        tried = np.clip(np.round(size * share / 7.5 / scales * LARGEST), 1, LARGEST)
        step = (tried * scales / LARGEST)[:, None]
        error = ((four_bits(part, step) * step - part) ** 2 * importance).sum(axis=1)
        better = error < best
        best, chosen = np.where(better, error, best), np.where(better, tried, chosen).astype(np.int16)
    return chosen


def four_bits(weights: np.ndarray, step: np.ndarray) -> np.ndarray:
    """The nearest of -8..7, as floats."""
    return np.clip(np.round(weights / step), -8, 7)


def round_groups(weights: np.ndarray, group: int, importance: np.ndarray | None = None, clip: bool = False) -> Groups:
    """To the nearest; ``importance`` (inputs,): how much an input's squared error counts, its mean square."""
    outputs, inputs = weights.shape
    counts = np.ones(inputs) if importance is None else importance
    scales = row_scales(weights, group)
    values, shares = np.zeros((outputs, inputs), np.int8), []
    for begin in range(0, inputs, group):
        part = slice(begin, begin + group)
        shares.append(group_shares(weights[:, part], scales, counts[part], clip))
        values[:, part] = four_bits(weights[:, part], (shares[-1] * scales / LARGEST)[:, None])
    return _with_room(values, scales, np.stack(shares, axis=1), group)


def gptq(weights: np.ndarray, squares: np.ndarray, group: int, damping: float = 0.01) -> Groups:
    """Input by input, the error of each moved to the inputs that are still to be rounded (Frantar et al. 2023).

    ``squares`` (inputs, inputs): mean of x x^T over calibration text; ``damping`` times the mean of its diagonal is
    added to that. A group's scales are chosen by clipping when its first input's turn comes.
    """
    outputs, inputs = weights.shape
    hessian = squares.astype(np.float64)
    damp = damping * np.diag(hessian).mean()
    hessian = hessian + np.eye(inputs) * (damp if damp > 0 else 1.0)
    upper = np.linalg.cholesky(np.linalg.inv(hessian)).T
    scales, counts = row_scales(weights, group), np.diag(hessian)
    left = weights.astype(np.float64)
    values, shares = np.zeros((outputs, inputs), np.int8), []
    for k in range(inputs):
        if k % group == 0:
            part = slice(k, k + group)
            shares.append(group_shares(left[:, part], scales, counts[part], clip=True))
        step = shares[-1] * scales / LARGEST
        values[:, k] = four_bits(left[:, k], step)
        error = (left[:, k] - values[:, k] * step) / upper[k, k]
        left[:, k:] -= np.outer(error, upper[k, k:])
    return _with_room(values, scales, np.stack(shares, axis=1), group)
