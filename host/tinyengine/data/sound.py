"""Sound from .wav files: whole numbers (PCM) of 8 to 32 bits, one channel or several."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np

from tinyengine.errors import DataError

SUFFIX = ".wav"


def read_sound(path: Path, rate: int) -> np.ndarray:
    """The samples of a file, int16: the mean of its channels, with the highest 16 bits of longer numbers.

    DataError for a file that is no such .wav, or has other than ``rate`` samples per second.
    """
    way = f"convert it: ffmpeg -i {path.name} -ar {rate} -ac 1 -c:a pcm_s16le new.wav"
    try:
        with wave.open(str(path)) as file:
            own, channels, width = file.getframerate(), file.getnchannels(), file.getsampwidth()
            data = file.readframes(file.getnframes())
    except FileNotFoundError as error:
        raise DataError(f"there is no file {path}") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error
    except (wave.Error, EOFError, RuntimeError) as error:
        told = str(error) or "it ends too early"
        raise DataError(f"{path} is no .wav of whole numbers ({told}): {way}") from error
    if width > 4:
        raise DataError(f"{path} has samples of {8 * width} bits, more than 32: {way}")
    if own != rate:
        raise DataError(f"{path} has {own} samples per second, but the network listens to {rate}: {way}")
    samples = _int32(data[: len(data) // (channels * width) * channels * width], width).reshape(-1, channels)
    return (samples.sum(axis=1, dtype=np.int64) // channels >> 16).astype(np.int16)


def _int32(data: bytes, width: int) -> np.ndarray:
    """Little-endian samples of ``width`` bytes as int32 of full scale; those of one byte are unsigned."""
    if width == 1:
        return (np.frombuffer(data, np.uint8).astype(np.int32) - 128) << 24
    whole = np.zeros((len(data) // width, 4), np.uint8)
    whole[:, 4 - width :] = np.frombuffer(data, np.uint8).reshape(-1, width)
    return whole.view("<i4").ravel()
