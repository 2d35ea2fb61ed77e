"""Mel-frequency cepstral coefficients as the reference of MLPerf Tiny's keyword spotting computes them, in integers.

Reference (mlcommons/tiny, benchmark/training/keyword_spotting, with tf.signal): samples divided by the highest one, a
Hann window, magnitudes of the Fourier transform, triangles in mel, log(x + 1e-6), the first coefficients of the cosine
transform 2 / sqrt(2 channels) * sum(x cos(pi k (2 n + 1) / (2 channels))).
"""

from __future__ import annotations

import math

import numpy as np

from tinyengine.audio.bank import bank_tables, fft_length
from tinyengine.audio.builder import Builder
from tinyengine.data.audio import FULL_SCALE, AudioForm
from tinyengine.ir import OpKind, Quantization
from tinyengine.ir.ops import (
    FullyConnectedAttrs,
    SignalEnergyAttrs,
    SignalFilterBankAttrs,
    SignalLogAttrs,
    SignalRfftAttrs,
    SignalWindowAttrs,
)

WINDOW_BITS, KEPT_BITS = 30, 15
"""Fraction bits of a window, and of samples behind it."""
ONE = 32767
"""Of weights of the bank."""
LOG_SCALE = 960
"""Steps of a logarithm, of which int16 holds those of all sums that full scale can make."""
LEAST = 1e-6
LARGEST = 130.0
"""Coefficients that int16 holds: the first one of silence is -123.6."""


def window_table(samples: int) -> np.ndarray:
    """Hann, periodic, int32 (samples)."""
    return np.rint((0.5 - 0.5 * np.cos(2 * np.pi * np.arange(samples) / samples)) * (1 << WINDOW_BITS)).astype(np.int32)


def cosines(form: AudioForm) -> np.ndarray:
    """Of the cosine transform: (coefficients, channels), without its factor."""
    turns = np.outer(np.arange(form.coefficients), 2 * np.arange(form.channels) + 1) / (4 * form.channels)
    return np.cos(2 * np.pi * turns)


class Mfcc:
    """The front end over slices of a graph. ``level`` 0 stands for full scale."""

    def __init__(self, b: Builder, form: AudioForm) -> None:
        self.b, self.form = b, form
        self.fft = fft_length(form.window)
        self.unit = (1 << KEPT_BITS) * ONE / self.fft * (form.level or FULL_SCALE)
        """What a sum of the bank is where it stands for 1."""

    def slice(self, sound: str, quant: Quantization) -> str:
        """Sound, int16 (1, window), to int8 (coefficients)."""
        b, form = self.b, self.form
        attrs = SignalWindowAttrs(WINDOW_BITS - KEPT_BITS)
        x = b.op(OpKind.SIGNAL_WINDOW, [sound, b.constant(window_table(form.window))], "int32", attrs)
        x = b.op(OpKind.RESHAPE, [x], "int32", shape=(form.window,))
        x = b.op(OpKind.SIGNAL_RFFT, [x], "int32", SignalRfftAttrs(self.fft), (self.fft + 2,))
        bank = bank_tables(form, ONE, 0.0)
        x = b.op(OpKind.MAGNITUDE, [x], "uint32", SignalEnergyAttrs(bank.begin, bank.end), (self.fft // 2 + 1,))
        tables = [b.constant(t) for t in (bank.weights, bank.unweights, bank.first, bank.place, bank.width)]
        x = b.op(
            OpKind.SIGNAL_FILTER_BANK, [x, *tables], "uint64", SignalFilterBankAttrs(form.channels), (form.channels,)
        )
        logs = SignalLogAttrs(LOG_SCALE, 0, max(round(LEAST * self.unit), 1))
        x = b.op(OpKind.SIGNAL_FILTER_BANK_LOG, [x], "int16", logs, quant=Quantization((1 / LOG_SCALE,), (0,)))
        x = b.op(OpKind.RESHAPE, [x], "int16", shape=(1, form.channels), quant=b.graph.tensor(x).quant)
        return self._transformed(x, quant)

    def finish(self) -> None:
        """Nothing is left to the next run."""

    def _transformed(self, x: str, quant: Quantization) -> str:
        """The cosine transform of logarithms; its bias takes the unit off them."""
        b, form = self.b, self.form
        scale = 2 / math.sqrt(2 * form.channels) / 127
        weights = np.rint(cosines(form) * 127).astype(np.int8)
        bias = np.rint(-weights.sum(axis=1, dtype=np.int64) * LOG_SCALE * math.log(self.unit)).astype(np.int64)
        constants = [
            b.constant(weights, Quantization((scale,), (0,))),
            b.constant(bias, Quantization((scale / LOG_SCALE,), (0,))),
        ]
        kept = Quantization((LARGEST / 32767,), (0,))
        shape = (1, form.coefficients)
        y = b.op(OpKind.FULLY_CONNECTED, [x, *constants], "int16", FullyConnectedAttrs(), shape, kept)
        y = b.op(OpKind.QUANTIZE, [y], "int8", quant=quant)
        return b.op(OpKind.RESHAPE, [y], "int8", shape=(form.coefficients,), quant=quant)
