"""Operators of TFLite Micro's signal library: from samples of sound to what a network listens to."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tinyengine.ir.graph import Graph, Operator, Tensor
from tinyengine.ir.operators.base import A, Contradiction, Definition, Shape
from tinyengine.ir.ops import (
    NoAttrs,
    OpKind,
    SignalEnergyAttrs,
    SignalFftAutoScaleAttrs,
    SignalFilterBankAttrs,
    SignalLogAttrs,
    SignalPcanAttrs,
    SignalRfftAttrs,
    SignalSpectralSubtractionAttrs,
    SignalWindowAttrs,
)

FFT_LENGTHS = tuple(1 << bits for bits in range(2, 15))
GAINS = 125
"""Of a gain control: one for 0, 1 and 2, and three (a parabola, and a gap) for each further power of two."""
PCAN_SNR_BITS, PCAN_OUTPUT_BITS = 12, 6
"""Fraction bits of signal to noise, and of what the gain control makes of it."""
WIDE_LOG_SCALE = 1400
"""At most: times the logarithm of 64 bits, with 16 fraction bits, that fits 32 bits."""
LOG_SEGMENTS = 128
LOG_OF_2 = 45426
"""With 16 fraction bits."""


class Signal(Definition[A]):
    """Of numbers without a scale."""

    scaleless = True


class SignalWindow(Signal[SignalWindowAttrs], kind=OpKind.SIGNAL_WINDOW):
    """TFLite Micro has that of int16."""

    signatures = ("int16 x int16 -> int16", "int16 x int32 -> int32")
    constants = (1,)

    def shape(self, attrs: SignalWindowAttrs, inputs: Sequence[Tensor], declared: Shape) -> Shape:
        x, window = inputs
        if not x.shape or window.shape != x.shape[-1:] or not 0 <= attrs.shift < 32:
            raise Contradiction(f"lays a window of {list(window.shape)} over {list(x.shape)}, shifted by {attrs.shift}")
        return x.shape


class SignalFftAutoScale(Signal[SignalFftAutoScaleAttrs], kind=OpKind.SIGNAL_FFT_AUTO_SCALE):
    """To the largest power of two with which no sample overflows; output 1: which one."""

    signatures = ("int16 -> int16 x int32",)

    def fits(self, attrs: SignalFftAutoScaleAttrs, x: Tensor) -> bool:
        return len(x.shape) == 1

    def shapes(
        self, attrs: SignalFftAutoScaleAttrs, inputs: Sequence[Tensor], declared: Sequence[Shape]
    ) -> list[Shape]:
        return [inputs[0].shape, declared[1] if declared[1] in ((), (1,)) else ()]


class SignalRfft(Signal[SignalRfftAttrs], kind=OpKind.SIGNAL_RFFT):
    """As kissfft in 16 or 32 bits: every stage halves (or quarters) with rounding, so the result is 1 / fft_length of
    it."""

    signatures = ("int16 -> int16", "int32 -> int32")

    def fits(self, attrs: SignalRfftAttrs, x: Tensor) -> bool:
        return bool(x.shape) and attrs.fft_length in FFT_LENGTHS and x.shape[-1] <= attrs.fft_length

    def shape(self, attrs: SignalRfftAttrs, inputs: Sequence[Tensor], declared: Shape) -> Shape:
        return (*inputs[0].shape[:-1], attrs.fft_length + 2)


class SignalEnergy(Signal[SignalEnergyAttrs], kind=OpKind.SIGNAL_ENERGY):
    """Zero outside the range, which TFLite Micro leaves as its memory was."""

    signatures = ("int16 -> uint32",)

    def fits(self, attrs: SignalEnergyAttrs, x: Tensor) -> bool:
        return in_range(attrs, x)

    def shape(self, attrs: SignalEnergyAttrs, inputs: Sequence[Tensor], declared: Shape) -> Shape:
        return (inputs[0].shape[0] // 2,)


class Magnitude(Signal[SignalEnergyAttrs], kind=OpKind.MAGNITUDE):
    """To the nearest; zero outside the range."""

    signatures = ("int32 -> uint32",)

    def fits(self, attrs: SignalEnergyAttrs, x: Tensor) -> bool:
        return in_range(attrs, x)

    def shape(self, attrs: SignalEnergyAttrs, inputs: Sequence[Tensor], declared: Shape) -> Shape:
        return (inputs[0].shape[0] // 2,)


class SignalFilterBank(Signal[SignalFilterBankAttrs], kind=OpKind.SIGNAL_FILTER_BANK):
    signatures = ("uint32 x int16 x int16 x int16 x int16 x int16 -> uint64",)
    constants = (1, 2, 3, 4, 5)

    def shape(self, attrs: SignalFilterBankAttrs, inputs: Sequence[Tensor], declared: Shape) -> Shape:
        return (attrs.num_channels,)

    def fits(self, attrs: SignalFilterBankAttrs, x: Tensor) -> bool:
        return len(x.shape) == 1 and attrs.num_channels >= 1

    def check(self, op: Operator, graph: Graph) -> None:
        assert isinstance(op.attrs, SignalFilterBankAttrs)
        x, *constants = (graph.tensor(name) for name in op.inputs)
        weights, unweights, *sections = (t.data for t in constants if t.data is not None)
        if any(section.shape != (op.attrs.num_channels + 1,) for section in sections):
            raise Contradiction(f"has sections for other than {op.attrs.num_channels} channels")
        first, first_weight, width = (section.astype(np.int64) for section in sections)
        ends = [(first, x.elements), (first_weight, weights.size), (first_weight, unweights.size)]
        if width.min() < 0 or any(begin.min() < 0 or (begin + width).max() > size for begin, size in ends):
            raise Contradiction("has sections beyond its energies or its weights")
        if min(weights.min(initial=0), unweights.min(initial=0)) < 0:
            raise Contradiction("has negative weights", "use weights of 0 or more")

    def macs(self, attrs: SignalFilterBankAttrs, inputs: Sequence[Tensor], output: Tensor) -> int:
        data = inputs[5].data
        return 0 if data is None else 2 * int(data.astype(np.int64).sum())


class SignalFilterBankSquareRoot(Signal[NoAttrs], kind=OpKind.SIGNAL_FILTER_BANK_SQUARE_ROOT):
    """Rounded to the nearest, then shifted right by input 1."""

    signatures = ("uint64 x int32 -> uint32",)

    def fits(self, attrs: NoAttrs, x: Tensor) -> bool:
        return len(x.shape) == 1

    def check(self, op: Operator, graph: Graph) -> None:
        if graph.tensor(op.inputs[1]).elements != 1:
            raise Contradiction("shifts by more than one number")


class SignalFilterBankSpectralSubtraction(
    Signal[SignalSpectralSubtractionAttrs], kind=OpKind.SIGNAL_FILTER_BANK_SPECTRAL_SUBTRACTION
):
    signatures = ("uint32 x uint32 -> uint32 x uint32",)

    def fits(self, attrs: SignalSpectralSubtractionAttrs, x: Tensor) -> bool:
        return (
            len(x.shape) == 1
            and 0 <= attrs.smoothing_bits < 32
            and 0 <= attrs.spectral_subtraction_bits < 32
            and all(0 <= weight < 1 << 16 for weight in spectral_weights(attrs))
        )

    def shapes(
        self, attrs: SignalSpectralSubtractionAttrs, inputs: Sequence[Tensor], declared: Sequence[Shape]
    ) -> list[Shape]:
        if inputs[0].shape != inputs[1].shape:
            raise Contradiction(f"has an estimate of {list(inputs[1].shape)} for {list(inputs[0].shape)}")
        return [inputs[0].shape] * 2


class SignalPcan(Signal[SignalPcanAttrs], kind=OpKind.SIGNAL_PCAN):
    signatures = ("uint32 x uint32 x int16 -> uint32",)
    constants = (2,)

    def fits(self, attrs: SignalPcanAttrs, x: Tensor) -> bool:
        return len(x.shape) == 1 and 0 <= attrs.snr_shift < 64

    def shape(self, attrs: SignalPcanAttrs, inputs: Sequence[Tensor], declared: Shape) -> Shape:
        x, noise, gains = inputs
        if noise.shape != x.shape or gains.elements < GAINS:
            raise Contradiction(f"has {list(noise.shape)} noises for {list(x.shape)}, or fewer than {GAINS} gains")
        return x.shape


class SignalFilterBankLog(Signal[SignalLogAttrs], kind=OpKind.SIGNAL_FILTER_BANK_LOG):
    """TFLite Micro has that of uint32, without a floor."""

    signatures = ("uint32 -> int16", "uint64 -> int16")

    def fits(self, attrs: SignalLogAttrs, x: Tensor) -> bool:
        if x.dtype == "uint64":
            scale = 0 <= attrs.output_scale <= WIDE_LOG_SCALE and attrs.input_correction_bits == 0
            floor = 1 <= attrs.floor < 1 << 32
        else:
            scale = -(1 << 31) <= attrs.output_scale < 1 << 31
            floor = attrs.floor == 0
        return len(x.shape) == 1 and 0 <= attrs.input_correction_bits < 32 and scale and floor


def in_range(attrs: SignalEnergyAttrs, x: Tensor) -> bool:
    """Whether ``x`` are complex numbers, and the range of ``attrs`` lies among them."""
    ordered = 0 <= attrs.start_index <= attrs.end_index
    return len(x.shape) == 1 and x.shape[0] % 2 == 0 and ordered and 2 * attrs.end_index <= x.shape[0]


def spectral_weights(attrs: SignalSpectralSubtractionAttrs) -> tuple[int, ...]:
    return (
        attrs.smoothing,
        attrs.one_minus_smoothing,
        attrs.alternate_smoothing,
        attrs.alternate_one_minus_smoothing,
        attrs.min_signal_remaining,
    )


def log_table() -> np.ndarray:
    """By how much log2(1 + n / 128) is more than n / 128, with 16 fraction bits, int64 (129)."""
    position = np.arange(LOG_SEGMENTS + 1) / LOG_SEGMENTS
    return np.rint((np.log2(1 + position) - position) * (1 << 16)).astype(np.int64)


def rotation(turns: np.ndarray, bits: int = 16) -> np.ndarray:
    """exp(2 pi i ``turns``) in ``bits`` bits, rounded as kissfft does: int64 (..., 2), real and imaginary."""
    angle = 2 * np.pi * turns
    return np.floor(0.5 + ((1 << bits - 1) - 1) * np.stack([np.cos(angle), np.sin(angle)], -1)).astype(np.int64)


def fft_radices(length: int) -> list[int]:
    """Of a complex transform of ``length``, a power of two, as kissfft factors it: the last stage first."""
    radices = []
    while length > 1:
        radices.append(4 if length % 4 == 0 else 2)
        length //= radices[-1]
    return radices


def fft_order(length: int) -> np.ndarray:
    """Which input lies at each place when the first stage begins; int64 (``length``)."""
    if length == 1:
        return np.zeros(1, np.int64)
    radix = fft_radices(length)[0]
    return (np.arange(radix)[:, None] + radix * fft_order(length // radix)).ravel()


def stage_twiddles(radix: int, size: int, bits: int = 16) -> np.ndarray:
    """Of a stage that makes transforms of ``size``, for numbers of ``bits``: int64 (size / radix, radix - 1, 2)."""
    place = np.arange(size // radix)[:, None] * np.arange(1, radix)
    return rotation(-place / size, bits)


def split_twiddles(length: int, bits: int = 16) -> np.ndarray:
    """Of the step from a complex transform of ``length`` to the real one of twice that: int64 (length / 2, 2)."""
    return rotation(-(np.arange(1, length // 2 + 1) / length + 0.5) / 2, bits)
