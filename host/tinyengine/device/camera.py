"""Pictures that a board takes with its own camera: their pieces, and why there are none (docs/protocol.md, LOOK)."""

from __future__ import annotations

import numpy as np

from tinyengine.device.errors import BlindError
from tinyengine.device.framing import fields

TOO_WIDE = 128

_REASONS = {
    1: "the board has no camera: name one in its description (docs/boards.md), or give the simulated one --pictures",
    2: "nothing answers where the board's camera should be: check its plug, its power and its wires (docs/boards.md)",
    3: "what answers is no camera that the board's description names: plug in the one that it does (docs/boards.md)",
    4: "the camera stopped answering while it was set up: check its wires and its power, and try again",
    5: "the camera has not been started: try again",
    6: "the camera sends no pictures: check its clock and its synchronization wires (docs/boards.md)",
    7: "the network is slower than the camera, which now runs at half its pace: try again",
    8: "the network is too slow for the camera's slowest pace: use a smaller network, or a camera with a memory of its "
    "own, such as ArduCAM's",
    9: "lines of the camera's picture are missing, or too many: check its wires, and make them shorter",
    10: "the bus that brings the camera's pixels failed: try again, and reset the board if that does not help",
    TOO_WIDE: "the camera's pictures are wider than the firmware has room for: build and flash it anew",
}
"""By outcome: those of firmware/hal/camera.h, and one of firmware/src/look.c."""


def check_outcome(answer: bytes) -> bytes:
    """What follows the outcome in the answer to LOOK. BlindError where there is no picture."""
    (outcome,) = fields("<I", answer)
    if outcome:
        unknown = f"the board's camera failed for a reason that has the number {outcome}: update this package"
        raise BlindError(_REASONS.get(outcome, unknown))
    return answer[4:]


class Pieces:
    """A picture that arrives in pieces, in order, of which some may get lost."""

    def __init__(self, size: int) -> None:
        self._data = bytearray(size)
        self._end = 0

    def take(self, payload: bytes) -> None:
        """u32 offset, then bytes. At offset 0 a picture begins anew: the camera may have lost the one before."""
        (offset,), piece = fields("<I", payload), payload[4:]
        if offset == 0:
            self._end = 0
        if offset == self._end and offset + len(piece) <= len(self._data):
            self._data[offset : offset + len(piece)] = piece
            self._end += len(piece)

    def whole(self, dtype: str, shape: tuple[int, ...]) -> np.ndarray | None:
        """The picture; None where a piece is missing."""
        return np.frombuffer(self._data, dtype).reshape(shape) if self._end == len(self._data) else None
