"""Sound from a microphone of this computer, by PortAudio."""

from __future__ import annotations

import queue
from collections.abc import Iterator
from typing import Any

import numpy as np

from tinyengine.errors import DataError
from tinyengine.optional import sounddevice

WAITING = 10
"""Seconds of sound that may wait for a slow device."""
PIECES = 50
"""Per second."""
PATIENCE = 5.0
"""Seconds without a sample after which the microphone is taken for gone."""


def pieces(rate: int, name: str | None = None) -> Iterator[np.ndarray]:
    """int16 samples without an end, ``rate`` per second, nothing left out. DataError where there is no such microphone,
    where it falls silent, or where nobody takes the sound as fast as it comes."""
    module = sounddevice("use a microphone")
    waiting: queue.Queue[np.ndarray] = queue.Queue()

    def come(data: Any, frames: int, time: Any, status: Any) -> None:
        waiting.put(np.frombuffer(bytes(data), np.int16))

    device = int(name) if name is not None and name.isdecimal() else name
    try:
        stream = module.RawInputStream(
            samplerate=rate, channels=1, dtype="int16", blocksize=rate // PIECES, device=device, callback=come
        )
    except (module.PortAudioError, ValueError) as error:
        told = f"the microphone {name}" if name else "the microphone"
        raise DataError(f"{told} cannot be opened ({error}): python -m sounddevice lists those there are") from error
    with stream:
        while True:
            try:
                yield waiting.get(timeout=PATIENCE)
            except queue.Empty as error:
                raise DataError("the microphone gives no sound: is it still connected?") from error
            if waiting.qsize() > WAITING * PIECES:
                raise DataError(
                    f"the device is {WAITING} seconds behind the microphone: answer less often with --hop, or put the "
                    "network on a faster board"
                )
