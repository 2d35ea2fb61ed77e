"""Matrices of language models as the streams that te_lm_kernels.h reads, and which of its kernels may read them.

Four rows at a time. In W8 a halfword is one weight of two rows, w[r] + 256 * w[r + 1]: multiplied as it is, it adds up
A_r + 256 * A_(r+1), of which A_r is taken off at the end; so A_(r+1) must stay within 24 bits. In W4 a halfword is one
weight of four rows, u[r] + 16 * u[r + 1] + 256 * u[r + 2] + 4096 * n[r + 3] with u = n + 8, and sums of a group must
stay within 20 bits. The proofs here bound the sums by what the operator before the matrix can give.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import sqrt

import numpy as np

from tinyengine.sizes import ceil_div

ROWS = 4
STEP = 8  # inputs; a row's length is a multiple
PASS = 64  # inputs of one pass of a kernel's loop
ROW_LIMIT = 1 << 23  # of A_(r+1) in a halfword of two rows
GROUP_LIMIT = 1 << 19  # of A_(r+3) in a halfword of four rows
SUM_LIMIT = 1 << 31
UNROLLED = (64,)  # inputs of the kernels without a loop; longer ones would not fit the flash cache of an STM32F4


@dataclass(frozen=True)
class InputBound:
    """What a matrix's input never exceeds: ``peak`` its values, ``length`` their root sum of squares."""

    peak: float
    length: float

    def of(self, weights: np.ndarray) -> np.ndarray:
        """A bound of |sum of products| per row; ``weights`` (..., inputs)."""
        wide = weights.astype(np.float64)
        return np.minimum(self.peak * np.abs(wide).sum(-1), self.length * np.sqrt((wide * wide).sum(-1)))


def norm_bound(width: int, fraction: int) -> InputBound:
    """Behind LM_NORM: a root mean square of 2**fraction, and what rounding and a reciprocal of 16 bits add."""
    length = ((1 << fraction) * (1 + 2**-14) + 2) * sqrt(width)
    return InputBound(min(length, 32768.0), length)


def peak_bound(width: int, peak: int) -> InputBound:
    """Behind an operator whose outputs are at most ``peak``."""
    return InputBound(peak, peak * sqrt(width))


def part_w8(weights: np.ndarray, bound: InputBound) -> int | None:
    """How many inputs may be summed before the odd rows are taken out of the halfwords: 0 if all of them may, otherwise
    a multiple of ``PASS``, or of ``STEP`` below that, counted from the last input; None if no such number is safe.
    ``weights`` (N, K) int8."""
    odd = weights[1::2]
    if (bound.of(weights) >= SUM_LIMIT).any():
        return None
    if (bound.of(odd) < ROW_LIMIT).all():
        return 0
    inputs = weights.shape[1]
    for part in (*range(PASS * (inputs // PASS), 0, -PASS), *range(PASS - STEP, 0, -STEP)):
        bounds = [0, *range(inputs % part, inputs, part), inputs]
        if all((bound.of(odd[:, low:high]) < ROW_LIMIT).all() for low, high in pairwise(bounds)):
            return part
    return None


def fits_w4(weights: np.ndarray, scales: np.ndarray, group: int, bound: InputBound) -> bool:
    """Whether the sums of groups, and the scaled sum of a row, stay in their bits. ``scales`` (N, groups) int16."""
    inputs, rounding = weights.shape[1], ceil_div(weights.shape[1], group)
    starts = range(0, inputs, group)
    if any((bound.of(weights[:, k : k + group]) >= GROUP_LIMIT).any() for k in starts):
        return False
    factors = np.repeat(np.abs(scales.astype(np.float64)), group, 1)[:, :inputs]
    total = bound.of(weights * factors) / 16.0  # the sum is 4096 fold, the product >> 16
    return bool((total + 4096 * rounding < SUM_LIMIT).all())


def gemv_function(
    bits: int,
    k: int,
    group: int,
    add: bool,
    weights: np.ndarray,
    bound: InputBound,
    scales: np.ndarray | None = None,
) -> tuple[str, int]:
    """The kernel to call and its ``group``; the portable one on every core (``any``) where no proof holds."""
    name = f"te_lm_gemv{'_add' if add else ''}"
    if bits == 4:
        assert scales is not None
        fast = k >= group and fits_w4(weights, scales, group, bound)
        return f"{name}_w4_{group}" if fast else f"{name}_any_w4", group
    part = part_w8(weights, bound)
    if part is None:
        return f"{name}_any_w8", 0
    if part:
        return f"{name}_parts_w8", part
    return f"{name}_w8{f'_{k}' if k in UNROLLED else ''}", 0


def why_any(k: int, group: int) -> str:
    """Why ``gemv_function`` found no fast kernel for rows of ``k`` weights, and what would make it find one; ``group``:
    0 for 8 bits."""
    if not group:
        return (
            f"sums of {STEP} weights of 8 bits may leave {ROW_LIMIT.bit_length()} bits; a narrower model would be fast"
        )
    if k < group:
        return f"rows of {k} weights are shorter than a group of {group}; rows of {group} or more would be fast"
    way = "groups of 32" if group > 32 else "8 bits"
    return f"sums of {group} weights of 4 bits may leave their bits; {way} would be fast"


def stream_words(k: int, group: int) -> int:
    """Words of the stream that te_lm_stream_w4 makes of ``k`` inputs."""
    return k // 2 + 4 * ceil_div(k, group)


def _check(weights: np.ndarray, low: int, high: int) -> None:
    """ValueError unless the rows are whole quads, the inputs whole steps and the values in range."""
    rows, inputs = weights.shape
    if rows % ROWS or inputs % STEP:
        raise ValueError(f"{rows} x {inputs} weights: rows come in fours, inputs in eights")
    if weights.min() < low or weights.max() > high:
        raise ValueError(f"weights outside {low}..{high}")


def pack_w8(weights: np.ndarray, multipliers: np.ndarray) -> np.ndarray:
    """uint32 (N / 4 * (K + 4),): per four rows two words for each pair of inputs, (row 0 and 1), (row 2 and 3), then
    four multipliers. ``weights`` (N, K) int8 in -127..127, ``multipliers`` (N,) int32."""
    _check(weights, -127, 127)
    rows, inputs = weights.shape
    wide = weights.astype(np.int32).reshape(rows // 4, 2, 2, inputs)
    halves = (wide[:, :, 0] + 256 * wide[:, :, 1]).astype("<i2")  # (quads, pairs of rows, K)
    body = halves.reshape(rows // 4, 2, inputs // 2, 2).transpose(0, 2, 1, 3)
    return _with_multipliers(np.ascontiguousarray(body).reshape(rows // 4, -1).view("<u4"), multipliers)


def pack_w4(weights: np.ndarray, multipliers: np.ndarray, scales: np.ndarray, group: int) -> np.ndarray:
    """uint32: per four rows, for each group one word per pair of inputs and two words of four scales; then four
    multipliers. ``weights`` (N, K) int8 in -8..7, ``scales`` (N, groups) int16; the last group may be shorter."""
    _check(weights, -8, 7)
    rows, inputs = weights.shape
    quads = rows // 4
    n = weights.astype(np.int32).reshape(quads, 4, inputs)
    u = n + 8
    halves = u[:, 0] | u[:, 1] << 4 | u[:, 2] << 8 | (n[:, 3] & 15) << 12
    words = np.ascontiguousarray(halves.astype("<u2")).view("<u4")  # (quads, K / 2)
    factors = np.ascontiguousarray(scales.astype("<i2").reshape(quads, 4, -1).transpose(0, 2, 1)).view("<u4")
    parts = []
    for index, k in enumerate(range(0, inputs, group)):
        parts += [words[:, k // 2 : (k + group) // 2], factors[:, index]]
    return _with_multipliers(np.concatenate(parts, axis=1), multipliers)


def _with_multipliers(body: np.ndarray, multipliers: np.ndarray) -> np.ndarray:
    """Those of a quad's rows behind its words."""
    tails = multipliers.astype("<i4").reshape(len(body), ROWS).view("<u4")
    return np.concatenate([body, tails], axis=1).ravel()
