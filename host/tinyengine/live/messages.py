"""What a page may send: checked completely before anything else happens with it.

A text message is one JSON object, ``{"do": <order>, ...}``; a binary one is a picture, JPEG or PNG.
"""

from __future__ import annotations

import io
import json
import math
import re
import time
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from PIL import Image, UnidentifiedImageError

TEXT_BYTES = 4096
"""Longest order."""
PICTURE_BYTES = 1 << 20
"""Largest picture."""
SIDE = 4096
"""Most pixels of a picture, either way."""
NAME_LENGTH = 40
MAX_EPOCHS = 1000.0
MAX_RATE = 1000.0
_FORBIDDEN = set('/\\<>:"|?*')
_DEVICE = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[1-9¹²³]) *(\..*)?", re.IGNORECASE)
"""What Windows takes for a device, whatever its suffix."""
_SIGNATURES = {b"\xff\xd8\xff": ".jpg", b"\x89PNG\r\n\x1a\n": ".png"}


class MessageError(Exception):
    """A message that is not what a page may send; the sentence goes back to whoever sent it."""


@dataclass(frozen=True)
class TakeControl:
    """This tab wants to be the one that decides."""


@dataclass(frozen=True)
class Choose:
    """Where pictures come from: ``browser``, ``host`` (what the command line named), ``none``."""

    source: str


@dataclass(frozen=True)
class Step:
    """Of the host's pictures the next one, while they are held; ``hold`` says whether they are from now on."""

    hold: bool


@dataclass(frozen=True)
class Collect:
    """The pictures that the board judges become samples of a class, until ``on`` is False."""

    name: str
    on: bool


@dataclass(frozen=True)
class AddClass:
    name: str


@dataclass(frozen=True)
class RemoveClass:
    """Take a class without samples from the list."""

    name: str


@dataclass(frozen=True)
class Undo:
    """Remove what was collected last, from one press of a key to its release."""


@dataclass(frozen=True)
class Train:
    """``rate`` None: found by trials."""

    epochs: float
    rate: float | None


@dataclass(frozen=True)
class Stop:
    """End a training after the present step."""


@dataclass(frozen=True)
class Save:
    pass


@dataclass(frozen=True)
class Restore:
    pass


@dataclass(frozen=True)
class Reset:
    """``forget``: erase what is saved, too."""

    forget: bool


@dataclass(frozen=True)
class Pull:
    pass


@dataclass(frozen=True)
class Measure:
    """What each layer takes."""


Order = (
    TakeControl
    | Choose
    | Step
    | Collect
    | AddClass
    | RemoveClass
    | Undo
    | Train
    | Stop
    | Save
    | Restore
    | Reset
    | Pull
    | Measure
)


def class_name(value: Any) -> str:
    """A name that is a folder's on every system, in NFC. MessageError."""
    if not isinstance(value, str):
        raise MessageError("the name of a class is a text")
    name = unicodedata.normalize("NFC", value).strip()
    if not 0 < len(name) <= NAME_LENGTH:
        raise MessageError(f"the name of a class has 1 to {NAME_LENGTH} characters")
    bad = sorted({c for c in name if c in _FORBIDDEN or unicodedata.category(c)[0] == "C"})
    if bad or name[0] == "." or name[-1] == ".":
        what = f"{bad[0]!r}" if bad else "a full stop at its beginning or end"
        raise MessageError(f"the name of a class is a folder's, so it has no {what}: choose another name")
    if _DEVICE.fullmatch(name):
        raise MessageError(f"the name of a class is a folder's, and {name} is a device on Windows: choose another name")
    return name


def _number(value: Any, name: str, highest: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= highest:
        raise MessageError(f"{name} must be a number above 0 and up to {highest:g}")
    return float(value)


def _flag(value: Any, name: str) -> bool:
    if not isinstance(value, bool):
        raise MessageError(f"{name} must be true or false")
    return value


def _source(value: Any) -> str:
    if value not in ("browser", "host", "none") or not isinstance(value, str):
        raise MessageError("source must be browser, host or none")
    return value


def _rate(value: Any) -> float | None:
    return None if value == "auto" and isinstance(value, str) else _number(value, "rate", MAX_RATE)


_ORDERS: dict[str, tuple[frozenset[str], Callable[[dict[str, Any]], Order]]] = {
    "control": (frozenset(), lambda data: TakeControl()),
    "source": (frozenset({"source"}), lambda data: Choose(_source(data["source"]))),
    "step": (frozenset({"hold"}), lambda data: Step(_flag(data["hold"], "hold"))),
    "collect": (
        frozenset({"class", "on"}),
        lambda data: Collect(class_name(data["class"]), _flag(data["on"], "on")),
    ),
    "add_class": (frozenset({"class"}), lambda data: AddClass(class_name(data["class"]))),
    "remove_class": (frozenset({"class"}), lambda data: RemoveClass(class_name(data["class"]))),
    "undo": (frozenset(), lambda data: Undo()),
    "train": (
        frozenset({"epochs", "rate"}),
        lambda data: Train(_number(data["epochs"], "epochs", MAX_EPOCHS), _rate(data["rate"])),
    ),
    "stop": (frozenset(), lambda data: Stop()),
    "save": (frozenset(), lambda data: Save()),
    "restore": (frozenset(), lambda data: Restore()),
    "reset": (frozenset({"forget"}), lambda data: Reset(_flag(data["forget"], "forget"))),
    "pull": (frozenset(), lambda data: Pull()),
    "profile": (frozenset(), lambda data: Measure()),
}


def _no_constant(text: str) -> float:
    raise ValueError(f"{text} is no JSON")


def parse_order(text: str) -> Order:
    """An order. MessageError for anything else, whatever it is."""
    if len(text.encode("utf-8", "surrogatepass")) > TEXT_BYTES:
        raise MessageError(f"an order has at most {TEXT_BYTES} bytes")
    try:
        data = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise MessageError("an order is a JSON object") from error
    if not isinstance(data, dict) or not isinstance(data.get("do"), str):
        raise MessageError('an order is a JSON object with "do"')
    if data["do"] not in _ORDERS:
        raise MessageError("there is no such order")
    fields, build = _ORDERS[data["do"]]
    if set(data) != fields | {"do"}:
        wanted = ", ".join(sorted(fields)) or "nothing else"
        raise MessageError(f"the order {data['do']} takes {wanted}")
    return build(data)


@dataclass(frozen=True)
class SentPicture:
    """A picture of the browser's camera: ``content`` with the suffix that its file has."""

    content: bytes
    suffix: str


def parse_picture(content: bytes) -> SentPicture:
    """A JPEG or PNG whose size is known to be harmless; its pixels are not decoded yet. MessageError."""
    if len(content) > PICTURE_BYTES:
        raise MessageError(f"a picture has at most {PICTURE_BYTES} bytes")
    suffix = next((suffix for magic, suffix in _SIGNATURES.items() if content.startswith(magic)), None)
    if suffix is None:
        raise MessageError("a binary message is a picture, JPEG or PNG")
    try:
        with Image.open(io.BytesIO(content), formats=("JPEG", "PNG")) as image:
            width, height = image.size
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise MessageError("that picture is damaged") from error
    if not (0 < width <= SIDE and 0 < height <= SIDE):
        raise MessageError(f"a picture has at most {SIDE} pixels either way")
    return SentPicture(content, suffix)


class Budget:
    """So many messages a second on average, and as many at once as ``burst``."""

    def __init__(self, rate: float, burst: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._burst, self._clock = rate, burst, clock
        self._left, self._last = burst, clock()

    def take(self) -> bool:
        """Whether one more is allowed now."""
        now = self._clock()
        self._left = min(self._burst, self._left + (now - self._last) * self._rate)
        self._last = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


def finite(value: Any) -> Any:
    """Plain JSON values without NaN and infinities, which JSON does not have: they become null."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return value
