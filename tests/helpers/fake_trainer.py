"""What the hand-written trainer of native/network.c must have done: its state follows from every step."""

from __future__ import annotations

import struct
import zlib

import numpy as np

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

    def step(
        self,
        picture: np.ndarray,
        label: int,
        classes: int,
        rate: float,
        seed: int,
        step: int,
        momentum: float = 0.0,
        batch: int = 1,
        sample: int = 0,
    ) -> tuple[float, int]:
        """One step; loss and predicted class."""
        crc = zlib.crc32(struct.pack("<fII", rate, seed, step), _sample(picture, label, classes))
        if self.velocity is not None:
            for i in range(3):
                if sample == 0:
                    self.velocity[i] *= np.float32(momentum)
                self.velocity[i] += np.float32(crc >> 8 * i & 255) / np.float32(batch)
                crc = zlib.crc32(struct.pack("<I", int(self.velocity[i])), crc)
        if sample + 1 == batch:
            added = (crc >> 8 * (np.arange(len(self.state)) % 4)).astype(np.uint8)
            self.state = self.state * np.uint8(5) + added
            self.steps += batch
        return _result(crc, classes)

    def evaluate(self, picture: np.ndarray, label: int, classes: int) -> tuple[float, int]:
        return _result(zlib.crc32(self.state.tobytes(), _sample(picture, label, classes)), classes)


def _sample(picture: np.ndarray, label: int, classes: int) -> int:
    return zlib.crc32(struct.pack("<HH", label, classes), zlib.crc32(picture.tobytes()))


def _result(crc: int, classes: int) -> tuple[float, int]:
    return (crc & 0xFFFF) / 1024, (crc >> 16) % classes
