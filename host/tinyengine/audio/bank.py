"""Filter banks over the bins of a Fourier transform."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinyengine.data.audio import AudioForm


@dataclass(frozen=True, eq=False)
class Bank:
    """Triangles, evenly spaced in mel. Channel c is the sum of weights of section c + 1 and unweights of section c,
    each of ``width`` energies from ``first`` on, with weights from ``place`` on."""

    weights: np.ndarray
    unweights: np.ndarray
    first: np.ndarray
    place: np.ndarray
    width: np.ndarray

    @property
    def begin(self) -> int:
        """First energy that counts."""
        return int(self.first.min())

    @property
    def end(self) -> int:
        """Behind the last energy that counts."""
        return int((self.first + self.width).max())


def fft_length(window: int) -> int:
    """The power of two that holds a window."""
    return 1 << max(window - 1, 3).bit_length()


def _mel(hertz: np.ndarray | float) -> np.ndarray:
    """float32, of which the library computes only results and arguments so."""
    return (1127.0 * np.log1p(np.asarray(hertz, np.float32).astype(np.float64) / 700.0)).astype(np.float32)


def bank_tables(form: AudioForm, one: int, skipped: float) -> Bank:
    """With weights times ``one``; bins up to the lower limit and ``skipped`` bins more are left out.

    As the micro frontend's library, but without the zeros that pad its sections.
    """
    bins = fft_length(form.window) // 2 + 1
    low, high = _mel(form.lower_hz), _mel(form.upper_hz)
    spacing = np.float32((high - low) / np.float32(form.channels + 1))
    centers = low + spacing * np.arange(1, form.channels + 2, dtype=np.float32)
    per_bin = np.float32(0.5 * form.rate / np.float32(bins - 1))
    mels = _mel(np.arange(bins, dtype=np.float32) * per_bin)
    start = int(1 + skipped + form.lower_hz / float(per_bin))  # never the constant part of the sound
    edges = np.maximum(np.searchsorted(mels, centers, side="right"), start)
    first = np.concatenate([[start], edges[:-1]])
    width = edges - first
    below = np.concatenate([[low], centers[:-1]])
    weights = [
        (centers[c] - mels[first[c] : edges[c]]) / np.float32(centers[c] - below[c]) for c in range(form.channels + 1)
    ]
    flat = np.concatenate(weights).astype(np.float64)
    place = np.cumsum(width) - width
    quantized = [np.floor(part * one + 0.5) for part in (flat, 1 - flat)]
    return Bank(*(table.astype(np.int16) for table in (*quantized, first, place, width)))
