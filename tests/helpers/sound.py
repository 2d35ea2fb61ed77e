"""Sounds: made of numbers, and speech that espeak-ng synthesizes."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import wave
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from tinyengine.data.audio import AudioForm

SENTENCES = ("Alexa, how are you?", "Hey Jarvis, turn it off!", "Yes. No. Up, down, left, right; on, off, stop, go.")


def any_clip(seed: int, samples: int) -> np.ndarray:
    """int16: noise whose loudness changes, tones, clicks, square waves beyond what fits, what is almost silence."""
    rng = np.random.default_rng(seed)
    time = np.arange(samples)
    loud = 2.0 ** rng.uniform(0, 15)
    envelope = np.interp(time, np.linspace(0, samples, 9), rng.uniform(0, 1, 9) ** 3)
    sounds = [
        rng.normal(0, loud, samples) * envelope,
        loud * envelope * np.sin(time * rng.uniform(0.01, 3) * (1 + time / samples)),
        loud * np.sign(np.sin(time * rng.uniform(0.01, 0.3) + rng.uniform(0, 6))),
        np.where(rng.random(samples) < 0.01, rng.integers(-(1 << 15), 1 << 15, samples), rng.integers(-1, 2, samples)),
        np.full(samples, rng.choice([0, -(1 << 15), (1 << 15) - 1, 7])),
    ]
    chosen = rng.integers(len(sounds), size=2)
    return np.clip(np.rint(sounds[chosen[0]] + sounds[chosen[1]]), -(1 << 15), (1 << 15) - 1).astype(np.int16)


@cache
def speech(sentence: str, rate: int = 16_000) -> np.ndarray:
    """int16 samples, spoken by espeak-ng, resampled linearly; skips the test where it is missing."""
    if shutil.which("espeak-ng") is None:
        pytest.skip("espeak-ng is not installed: no speech")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "speech.wav"
        subprocess.run(["espeak-ng", "-w", str(path), sentence], check=True, capture_output=True)
        with wave.open(str(path)) as file:
            own = file.getframerate()
            spoken = np.frombuffer(file.readframes(file.getnframes()), "<i2")
    places = np.arange(int(len(spoken) * rate / own)) * own / rate
    return np.rint(np.interp(places, np.arange(len(spoken)), spoken)).astype(np.int16)


def runs_of(form: AudioForm, clip: np.ndarray, slices: int) -> list[list[np.ndarray]]:
    """The inputs of consecutive runs that take so many slices each."""
    starts = range(0, form.slices(len(clip)) // slices * slices * form.hop, slices * form.hop)
    return [[clip[start : start + form.samples(slices)].reshape(1, -1)] for start in starts]


def written(path: Path, sound: np.ndarray, rate: int = 16_000, bits: int = 16) -> Path:
    """A .wav of int16 samples (N) or (N, channels) in numbers of so many bits."""
    whole = sound.astype(np.int64) << 16 >> 32 - bits
    stored = (whole + 128 if bits == 8 else whole).astype("<i4").view(np.uint8).reshape(-1, 4)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1 if sound.ndim == 1 else sound.shape[1])
        file.setsampwidth(bits // 8)
        file.setframerate(rate)
        file.writeframes(stored[:, : bits // 8].tobytes())
    return path
