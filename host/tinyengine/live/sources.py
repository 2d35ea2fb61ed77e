"""Pictures on their way to the board: from the host's camera, video or folder, or from a browser."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image

from tinyengine.data.images import SUFFIXES, Picture
from tinyengine.device.mjpeg import without_password
from tinyengine.device.sources import BOARD, NamedPicture, frames
from tinyengine.errors import DataError
from tinyengine.live.messages import SentPicture

PREVIEW = 480
"""Longer side of the pictures that pages are sent."""


@dataclass(frozen=True)
class Moment:
    """When a picture was taken, in presses of keys: so many had begun (``presses``), and the last of them was still
    ``held``."""

    presses: int = 0
    held: bool = False


@dataclass(frozen=True, eq=False)
class Shot:
    """A picture that the board looks at. ``sent``: what a browser has sent, None for the host's own. ``image`` is None
    of what the board's own camera will see, until it has looked."""

    name: str
    image: Image.Image | None
    moment: Moment = Moment()
    sent: SentPicture | None = None

    def sample(self) -> tuple[bytes, str]:
        """Content and suffix of the file that keeps it: no pixel is lost on the way."""
        if self.sent is not None:
            return self.sent.content, self.sent.suffix
        assert self.image is not None
        memory = io.BytesIO()
        self.image.save(memory, "PNG")
        return memory.getvalue(), ".png"

    def preview(self) -> bytes:
        """A JPEG for pages."""
        if self.sent is not None and self.sent.suffix == ".jpg":
            return self.sent.content
        assert self.image is not None
        small = self.image.copy()
        small.thumbnail((PREVIEW, PREVIEW))
        memory = io.BytesIO()
        small.save(memory, "JPEG", quality=85)
        return memory.getvalue()


def received(sent: SentPicture, moment: Moment) -> Shot:
    """What a browser has sent. DataError where it cannot be decoded."""
    picture = Picture("the browser's picture", np.frombuffer(sent.content, np.uint8))
    return Shot("browser", picture.rgb(), moment, sent)


class HostSource:
    """What ``--source`` names: opened when it is wanted, again and again from its beginning, at most ``rate`` pictures
    a second; held, it shows one picture until the next is asked for. ``board``: what the board's own camera sees."""

    def __init__(self, name: str, rate: float | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        """``rate`` None: 30 of a camera, 2 of pictures in files. DataError for an address that is none."""
        self.name = name
        self.shown = without_password(name) if "://" in name else name  # to pages
        self.stays = Path(name).is_dir() or Path(name).suffix.lower() in {*SUFFIXES, ".npz"}
        self._rate = rate or (2.0 if self.stays else 30.0)
        self._clock = clock
        self._pictures: Iterator[NamedPicture] | None = None
        self._due = 0.0
        self._held: Shot | None = None
        self.hold = False

    def wait(self) -> float:
        """Seconds until the next picture is due."""
        return max(0.0, self._due - self._clock())

    def next(self, moment: Moment = Moment()) -> Shot:
        """The next picture, taken at ``moment``. DataError, ToolError where there is none."""
        self._due = self._clock() + 1 / self._rate
        if self.hold and self._held is not None:
            return replace(self._held, moment=moment)
        if self.name == BOARD:
            return Shot(BOARD, None, moment)
        if self._pictures is None:
            self._pictures = frames(self.name)
        found = next(self._pictures, None)
        if found is None:  # from the beginning
            self._pictures = frames(self.name)
            found = next(self._pictures, None)
        if found is None:
            raise DataError(f"{self.shown} gives no pictures: give another --source")
        self._held = Shot(*found, moment)
        return self._held

    def seen(self, shot: Shot) -> None:
        """What the board has looked at: where it has seen that by itself, this is what is held."""
        if shot.name == BOARD:
            self._held = shot

    def step(self) -> None:
        """Let go of the picture that is held."""
        self._held, self._due = None, 0.0

    def close(self) -> None:
        """Release a camera."""
        if self._pictures is not None and hasattr(self._pictures, "close"):
            self._pictures.close()
        self._pictures = self._held = None
