"""TensorFlow Lite Micro's micro frontend: a slice of sound to the logarithms of its channels, bit for bit.

Formulas: tensorflow/lite/experimental/microfrontend/lib with the settings of micro_speech, which microWakeWord has too;
tables are rounded to single precision where that library does it.
"""

from __future__ import annotations

import math

import numpy as np

from tinyengine.audio.bank import bank_tables, fft_length
from tinyengine.audio.builder import Builder
from tinyengine.data.audio import AudioForm
from tinyengine.ir import OpKind, Quantization
from tinyengine.ir.operators.signal import PCAN_SNR_BITS
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

WINDOW_BITS = BANK_BITS = 12
SMOOTHING_BITS = 10
NOISE_BITS = 14
SMOOTHING = 0.025, 0.06
"""Of channels with even and odd numbers."""
LEAST_SIGNAL = 0.05
"""What the noise reduction leaves of a channel."""
PCAN_STRENGTH, PCAN_OFFSET, PCAN_BITS = 0.95, 80.0, 21
LOG_SCALE = 64
FULL_SCALE = 666
"""The logarithm (times LOG_SCALE) that the 256 steps of int8 reach: 25.6 * 26."""


def window_table(samples: int) -> np.ndarray:
    """Hann, int16 (samples)."""
    turn = float(np.float32(2 * math.pi / samples))
    heights = (0.5 - 0.5 * np.cos(turn * (np.arange(samples) + 0.5))).astype(np.float32)
    return np.floor(heights.astype(np.float64) * (1 << WINDOW_BITS) + 0.5).astype(np.int16)


def gain_table(input_bits: int) -> np.ndarray:
    """Of the gain control by noise with ``input_bits`` fraction bits: int16 (125); a parabola per power of two."""

    def gain(noise: int) -> int:
        level = np.float32(noise) / np.float32(1 << input_bits) + np.float32(PCAN_OFFSET)
        value = np.float32(1 << PCAN_BITS) * np.power(level, np.float32(-PCAN_STRENGTH))
        return (1 << 15) - 1 if value > (1 << 15) - 1 else int(value + np.float32(0.5))

    table = [gain(0), gain(1)]
    for bits in range(2, 33):
        x = 1 << bits - 1
        y = gain(x)
        half, whole = gain(x + (x >> 1)) - y, gain(2 * x - 1 if bits == 32 else 2 * x) - y
        table += [y, 4 * half - whole, 2 * whole - 4 * half, 0]
    return np.array(table[:-1], np.int64).astype(np.int16)


class Micro:
    """The front end over the slices of a graph, one after the other: each carries the noise on to the next."""

    def __init__(self, b: Builder, form: AudioForm) -> None:
        self.b, self.form = b, form
        self.fft = fft_length(form.window)
        self.correction = self.fft.bit_length() - 1 - BANK_BITS // 2
        """Bits that the logarithm is given back, of those which the transform and the root have taken."""
        self._noise = self._first_noise = ""

    def slice(self, sound: str, quant: Quantization) -> str:
        """Sound, int16 (1, window), to int8 (channels)."""
        b, form = self.b, self.form
        bank = bank_tables(form, 1 << BANK_BITS, 0.5)
        window = b.constant(window_table(form.window))
        x = b.op(OpKind.SIGNAL_WINDOW, [sound, window], "int16", SignalWindowAttrs(WINDOW_BITS))
        x = b.op(OpKind.RESHAPE, [x], "int16", shape=(form.window,))
        scaled, shift = b.tensor((form.window,), "int16"), b.tensor((), "int32")
        b.ops(OpKind.SIGNAL_FFT_AUTO_SCALE, [x], [scaled, shift], SignalFftAutoScaleAttrs(skip_lowest=True))
        x = b.op(OpKind.SIGNAL_RFFT, [scaled], "int16", SignalRfftAttrs(self.fft), (self.fft + 2,))
        x = b.op(OpKind.SIGNAL_ENERGY, [x], "uint32", SignalEnergyAttrs(bank.begin, bank.end), (self.fft // 2 + 1,))
        tables = [b.constant(t) for t in (bank.weights, bank.unweights, bank.first, bank.place, bank.width)]
        bank_attrs = SignalFilterBankAttrs(form.channels)
        x = b.op(OpKind.SIGNAL_FILTER_BANK, [x, *tables], "uint64", bank_attrs, (form.channels,))
        x = b.op(OpKind.SIGNAL_FILTER_BANK_SQUARE_ROOT, [x, shift], "uint32")
        if form.noise_reduction:
            x = self._without_noise(x)
        if form.pcan:
            gains = b.constant(gain_table(SMOOTHING_BITS - self.correction))
            attrs = SignalPcanAttrs(PCAN_BITS - self.correction - PCAN_SNR_BITS)
            x = b.op(OpKind.SIGNAL_PCAN, [x, self._noise, gains], "uint32", attrs)
        x = b.op(OpKind.SIGNAL_FILTER_BANK_LOG, [x], "int16", SignalLogAttrs(LOG_SCALE, self.correction))
        return self._int8(x, quant)

    def finish(self) -> None:
        """After the last slice: what is left to the next run."""
        if self._noise:
            self.b.keep(self._first_noise, self._noise, 0)

    def _without_noise(self, x: str) -> str:
        b = self.b
        if not self._noise:
            self._noise = self._first_noise = b.tensor(b.shape(x), "uint32")
        even, odd = (int(share * (1 << NOISE_BITS)) for share in SMOOTHING)
        attrs = SignalSpectralSubtractionAttrs(
            even,
            (1 << NOISE_BITS) - even,
            odd,
            (1 << NOISE_BITS) - odd,
            SMOOTHING_BITS,
            NOISE_BITS,
            int(LEAST_SIGNAL * (1 << NOISE_BITS)),
            False,
        )
        signal, noise = (b.tensor(b.shape(x), "uint32") for _ in range(2))
        b.ops(OpKind.SIGNAL_FILTER_BANK_SPECTRAL_SUBTRACTION, [x, self._noise], [signal, noise], attrs)
        self._noise = noise
        return signal

    def _int8(self, x: str, quant: Quantization) -> str:
        """round(256 x / FULL_SCALE) - 128, as micro_speech and microWakeWord have it."""
        b = self.b
        x = b.op(OpKind.CAST, [x], "int32")
        steps = [(OpKind.MUL, 256), (OpKind.ADD, FULL_SCALE // 2), (OpKind.DIV, FULL_SCALE), (OpKind.ADD, -128)]
        for kind, number in [*steps, (OpKind.MINIMUM, 127), (OpKind.MAXIMUM, -128)]:
            x = b.with_number(kind, x, number)
        return b.op(OpKind.CAST, [x], "int8", quant=quant)
