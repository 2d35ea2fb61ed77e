"""What the hand-written trainer of native/network.c must have done: its state follows from every step."""

from __future__ import annotations

import struct
import zlib

import numpy as np
from tinyengine.step import Sample, Update

SCHEME, LAYOUT, CLASSES = "last-3", "00112233445566ff", 10
STATE_BYTES = 5001


class FakeTrainer:
    """The same trainer in Python. ``state`` is uint8; ``velocity``: the variant that is built with VELOCITY."""

    def __init__(self, state_bytes: int = STATE_BYTES, velocity: bool = False) -> None:
        self.state = (np.arange(state_bytes) * 7).astype(np.uint8)
        self.velocity = np.zeros(3, np.float32) if velocity else None
        self.steps = 0

    def reset(self) -> None:
        self.__init__(len(self.state), self.velocity is not None)  # type: ignore[misc]

    def step(self, picture: np.ndarray, sample: Sample, update: Update) -> tuple[float, int]:
        """One step; loss and predicted class."""
        crc = zlib.crc32(update.pack()[:12], _sample(picture, sample))
        if self.velocity is not None:
            for i in range(3):
                if update.sample == 0:
                    self.velocity[i] *= np.float32(update.momentum)
                self.velocity[i] += np.float32(crc >> 8 * i & 255) / np.float32(update.batch)
                crc = zlib.crc32(struct.pack("<I", int(self.velocity[i])), crc)
        if update.sample + 1 == update.batch:
            added = (crc >> 8 * (np.arange(len(self.state)) % 4)).astype(np.uint8)
            self.state = self.state * np.uint8(5) + added
            self.steps += update.batch
        return _result(crc, sample.classes)

    def evaluate(self, picture: np.ndarray, sample: Sample) -> tuple[float, int]:
        return _result(zlib.crc32(self.state.tobytes(), _sample(picture, sample)), sample.classes)


def _sample(picture: np.ndarray, sample: Sample) -> int:
    return zlib.crc32(struct.pack("<HH", sample.label, sample.classes), zlib.crc32(picture.tobytes()))


def _result(crc: int, classes: int) -> tuple[float, int]:
    return (crc & 0xFFFF) / 1024, (crc >> 16) % classes
