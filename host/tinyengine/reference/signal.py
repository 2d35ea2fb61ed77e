"""Operators of TFLite Micro's signal library."""

from __future__ import annotations

import math

import numpy as np

from tinyengine.ir import Graph, Operator, OpKind
from tinyengine.ir.operators.signal import (
    LOG_OF_2,
    LOG_SEGMENTS,
    PCAN_OUTPUT_BITS,
    PCAN_SNR_BITS,
    fft_order,
    fft_radices,
    log_table,
    split_twiddles,
    stage_twiddles,
)
from tinyengine.ir.ops import (
    SignalEnergyAttrs,
    SignalFftAutoScaleAttrs,
    SignalFilterBankAttrs,
    SignalLogAttrs,
    SignalPcanAttrs,
    SignalRfftAttrs,
    SignalSpectralSubtractionAttrs,
    SignalWindowAttrs,
)
from tinyengine.reference.registry import oracle

WORD = (1 << 32) - 1


@oracle(OpKind.SIGNAL_WINDOW)
def window(op: Operator, graph: Graph, inputs: list[np.ndarray]) -> np.ndarray:
    """Products, rounded down, saturated."""
    assert isinstance(op.attrs, SignalWindowAttrs)
    x, weights = (value.astype(np.int64) for value in inputs)
    limits = np.iinfo(graph.tensor(op.outputs[0]).dtype)
    return np.clip(x * weights >> op.attrs.shift, limits.min, limits.max)


@oracle(OpKind.SIGNAL_FFT_AUTO_SCALE)
def fft_auto_scale(op: Operator, graph: Graph, inputs: list[np.ndarray]) -> list[np.ndarray]:
    """The magnitude of -32768 is -32768 in 16 bits, and whatever comes behind it is larger. Silence is not shifted."""
    assert isinstance(op.attrs, SignalFftAutoScaleAttrs)
    samples, largest = inputs[0].tolist(), 0
    if op.attrs.skip_lowest:
        largest = max(abs(x) for x in [*samples, 0] if x != -(1 << 15))
    else:
        for x in samples:
            largest = x if x > largest else _int16(max(-x, largest))
    shifted = largest > 0 or op.attrs.skip_lowest
    bits = 15 - largest.bit_length() if shifted else 0
    return [(inputs[0].astype(np.int64) << bits).astype(np.int16), np.array(bits, np.int32)]


@oracle(OpKind.SIGNAL_RFFT)
def rfft(op: Operator, graph: Graph, inputs: list[np.ndarray]) -> np.ndarray:
    """Row by row."""
    assert isinstance(op.attrs, SignalRfftAttrs)
    length, transform = op.attrs.fft_length, _Transform(8 * inputs[0].dtype.itemsize)
    rows = inputs[0].reshape(-1, inputs[0].shape[-1]).astype(np.int64)
    padded = np.pad(rows, ((0, 0), (0, length - rows.shape[1])))
    return np.stack([transform.of_reals(row) for row in padded]).reshape(*inputs[0].shape[:-1], -1)


class _Transform:
    """Of int64 that hold numbers of ``bits``; products lose ``bits`` - 1 fraction bits."""

    def __init__(self, bits: int) -> None:
        self.bits, self.one = bits, (1 << bits - 1) - 1

    def of_reals(self, x: np.ndarray) -> np.ndarray:
        """Of (2 N) to (2 N + 2), divided by 2 N."""
        return self._split(self._of_complex(x.reshape(-1, 2)))

    def _of_complex(self, x: np.ndarray) -> np.ndarray:
        """Of (N, 2), divided by N."""
        values = x[fft_order(len(x))]
        size = 1
        for radix in reversed(fft_radices(len(x))):
            size *= radix
            parts = self._divided(values.reshape(-1, radix, size // radix, 2), radix)
            twiddles = stage_twiddles(radix, size, self.bits)
            a, *turned = (parts[:, 0], *(self._product(parts[:, i], twiddles[:, i - 1]) for i in range(1, radix)))
            if radix == 2:
                outputs = [a + turned[0], a - turned[0]]
            else:
                b, c, d = turned
                even, odd, total = self._wrap(a + c), self._wrap(a - c), self._wrap(b + d)
                quarter = self._wrap(b - d)[..., ::-1] * [1, -1]  # times -i
                outputs = [even + total, odd + quarter, even - total, odd - quarter]
            values = self._wrap(np.stack(outputs, 1)).reshape(-1, 2)
        return values

    def _split(self, z: np.ndarray) -> np.ndarray:
        """The real transform from that of pairs of samples as complex numbers, (N, 2)."""
        length, halves = len(z), self._divided(z, 2)
        k = np.arange(1, length // 2 + 1)
        conjugate = self._divided(self._wrap(z[length - k] * [1, -1]), 2)
        both, apart = self._wrap(halves[k] + conjugate), self._wrap(halves[k] - conjugate)
        turned = self._product(apart, split_twiddles(length, self.bits))
        y = np.zeros((length + 1, 2), np.int64)
        y[0, 0], y[length, 0] = halves[0].sum(), halves[0, 0] - halves[0, 1]
        y[k] = both + turned >> 1
        y[length - k] = (both - turned) * [1, -1] >> 1
        return self._wrap(y).ravel()

    def _wrap(self, x: np.ndarray) -> np.ndarray:
        return x.astype(f"int{self.bits}").astype(np.int64)

    def _rounded(self, x: np.ndarray) -> np.ndarray:
        return self._wrap(x + (1 << self.bits - 2) >> self.bits - 1)

    def _divided(self, x: np.ndarray, by: int) -> np.ndarray:
        return self._rounded(x * (self.one // by))

    def _product(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """Of complex numbers; each part is rounded once."""
        real = a[..., 0] * b[..., 0] - a[..., 1] * b[..., 1]
        imaginary = a[..., 0] * b[..., 1] + a[..., 1] * b[..., 0]
        return self._rounded(np.stack([real, imaginary], -1))


def _int16(x: int) -> int:
    return (x + (1 << 15)) % (1 << 16) - (1 << 15)


@oracle(OpKind.SIGNAL_ENERGY)
def energy(op: Operator, graph: Graph, inputs: list[np.ndarray]) -> np.ndarray:
    """Squares of magnitudes."""
    assert isinstance(op.attrs, SignalEnergyAttrs)
    squares = (inputs[0].astype(np.int64) ** 2).reshape(-1, 2).sum(axis=1)
    squares[: op.attrs.start_index] = squares[op.attrs.end_index :] = 0
    return squares.astype(np.uint32)


@oracle(OpKind.MAGNITUDE)
def magnitude(op: Operator, graph: Graph, inputs: list[np.ndarray]) -> np.ndarray:
    """Roots of sums of squares."""
    assert isinstance(op.attrs, SignalEnergyAttrs)
    squares = [x * x + y * y for x, y in inputs[0].reshape(-1, 2).tolist()]
    roots = np.array([_root(square) for square in squares], np.uint32)
    roots[: op.attrs.start_index] = roots[op.attrs.end_index :] = 0
    return roots


@oracle(OpKind.SIGNAL_FILTER_BANK)
def filter_bank(op: Operator, graph: Graph, inputs: list[np.ndarray]) -> np.ndarray:
    """Sums of at most 2^47 each: 2^16 of them fit 64 bits."""
    assert isinstance(op.attrs, SignalFilterBankAttrs)
    x, weights, unweights = (value.astype(np.uint64) for value in inputs[:3])
    first, first_weight, width = (value.astype(np.int64) for value in inputs[3:])
    sums = np.zeros((2, op.attrs.num_channels + 1), np.uint64)
    for i, n in enumerate(width):
        energies = x[first[i] : first[i] + n]
        for row, factors in zip(sums, (weights, unweights), strict=True):
            row[i] = (energies * factors[first_weight[i] : first_weight[i] + n]).sum()
    return sums[0, 1:] + sums[1, :-1]


@oracle(OpKind.SIGNAL_FILTER_BANK_SQUARE_ROOT)
def filter_bank_square_root(op: Operator, graph: Graph, inputs: list[np.ndarray]) -> np.ndarray:
    """Roots of less than 2^32 have at most 16 bits, others 32."""
    shift = int(inputs[1].reshape(())) & 31
    return np.array([_root(x) >> shift for x in inputs[0].tolist()], np.uint32)


def _root(x: int) -> int:
    down = math.isqrt(x)
    most = WORD if x > WORD else (1 << 16) - 1
    return down + (x - down * down > down and down != most)


@oracle(OpKind.SIGNAL_FILTER_BANK_SPECTRAL_SUBTRACTION)
def spectral_subtraction(op: Operator, graph: Graph, inputs: list[np.ndarray]) -> list[np.ndarray]:
    """All of it in 32 bits, without saturation, but for products."""
    attrs = op.attrs
    assert isinstance(attrs, SignalSpectralSubtractionAttrs)
    x, noise = (value.astype(np.uint64) for value in inputs)
    odd = np.arange(x.size) % 2 == 1
    of_signal = np.where(odd, attrs.alternate_smoothing, attrs.smoothing).astype(np.uint64)
    of_noise = np.where(odd, attrs.alternate_one_minus_smoothing, attrs.one_minus_smoothing).astype(np.uint64)
    bits, smoothing_bits = np.uint64(attrs.spectral_subtraction_bits), np.uint64(attrs.smoothing_bits)
    word = np.uint64(WORD)
    scaled = x << smoothing_bits & word
    estimate = (scaled * of_signal + noise * of_noise >> bits) & word
    least = (x * np.uint64(attrs.min_signal_remaining) >> bits) & word
    taken = np.minimum(estimate, scaled)
    return [np.maximum(scaled - taken >> smoothing_bits, least), taken if attrs.clamping else estimate]


@oracle(OpKind.SIGNAL_PCAN)
def pcan(op: Operator, graph: Graph, inputs: list[np.ndarray]) -> np.ndarray:
    """The louder the noise, the smaller the gain."""
    assert isinstance(op.attrs, SignalPcanAttrs)
    gains = inputs[2].reshape(-1).tolist()
    results = []
    for x, noise in zip(inputs[0].tolist(), inputs[1].tolist(), strict=True):
        snr = ((x * (_gain(noise, gains) & WORD) & (1 << 64) - 1) >> op.attrs.snr_shift) & WORD
        results.append(_shrunk(snr))
    return np.array(results, np.uint32)


def _gain(noise: int, gains: list[int]) -> int:
    """From a table of parabolas, one for each power of two."""
    if noise <= 2:
        return gains[noise]
    bits = noise.bit_length()
    constant, slope, bend = gains[4 * bits - 6 : 4 * bits - 3]
    place = (noise << 11 - bits if bits < 11 else noise >> bits - 11) & 0x3FF
    result = _int32(((bend * place >> 5) + (slope << 5)) * place)
    return _int16((_int32(result + (1 << 14)) >> 15) + constant)


def _shrunk(snr: int) -> int:
    """x^2 / 4 below 2, x - 1 above."""
    if snr < 2 << PCAN_SNR_BITS:
        return snr * snr >> 2 + 2 * PCAN_SNR_BITS - PCAN_OUTPUT_BITS
    return (snr >> PCAN_SNR_BITS - PCAN_OUTPUT_BITS) - (1 << PCAN_OUTPUT_BITS)


def _int32(x: int) -> int:
    return (x + (1 << 31)) % (1 << 32) - (1 << 31)


@oracle(OpKind.SIGNAL_FILTER_BANK_LOG)
def filter_bank_log(op: Operator, graph: Graph, inputs: list[np.ndarray]) -> np.ndarray:
    """Natural logarithm; of uint32 0 of 0 and 1."""
    attrs, table = op.attrs, log_table().tolist()
    assert isinstance(attrs, SignalLogAttrs)
    scaled = [x << attrs.input_correction_bits & WORD for x in inputs[0].tolist()]
    if inputs[0].dtype == np.uint64:
        scaled = [x + attrs.floor for x in inputs[0].tolist()]
    return np.array([min(_log(x, attrs.output_scale, table), 32767) if x > 1 else 0 for x in scaled], np.int16)


def _log(x: int, scale: int, table: list[int]) -> int:
    bits = x.bit_length() - 1
    fraction = (x << 16 >> bits) - (1 << 16)
    segment, place = divmod(fraction, (1 << 16) // LOG_SEGMENTS)
    fraction += table[segment] + ((table[segment + 1] - table[segment]) * place >> 16)
    log = LOG_OF_2 * ((bits << 16) + fraction) + (1 << 15) >> 16
    return (scale * log + (1 << 15) & WORD) >> 16
