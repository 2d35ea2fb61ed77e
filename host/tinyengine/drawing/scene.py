"""A drawing as a list of shapes, in pixels from the top left; :mod:`svg` and :mod:`png` draw it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import StrEnum


class Anchor(StrEnum):
    """Which end of a text lies at its position."""

    START = "start"
    MIDDLE = "middle"
    END = "end"


@dataclass(frozen=True)
class Rect:
    """``fill`` as #rrggbb; ``opacity`` 0 .. 1. ``hover`` is shown where the pointer rests on it, where there is one."""

    x: float
    y: float
    width: float
    height: float
    fill: str
    opacity: float = 1.0
    stroke: str | None = None
    hover: str = ""


@dataclass(frozen=True)
class Line:
    x1: float
    y1: float
    x2: float
    y2: float
    color: str
    dashed: bool = False


@dataclass(frozen=True)
class Dot:
    x: float
    y: float
    radius: float
    fill: str
    hover: str = ""


@dataclass(frozen=True)
class Text:
    """``y`` is the base line."""

    x: float
    y: float
    text: str
    size: int = 12
    anchor: Anchor = Anchor.START
    color: str = "#222222"


Shape = Rect | Line | Dot | Text


@dataclass
class Scene:
    """Shapes are drawn in order, on white. ``title`` is for readers that cannot see the picture."""

    width: int
    height: int
    title: str
    shapes: list[Shape] = field(default_factory=list)

    def add(self, *shapes: Shape) -> None:
        self.shapes += shapes


def fitting(text: str, width: float, size: int) -> str:
    """``text`` if it fits ``width`` pixels at font size ``size``, else nothing."""
    return text if 0.56 * size * len(text) <= width else ""


def tick_step(span: float, most: int) -> float:
    """1, 2 or 5 times a power of 10, such that at most ``most`` steps fit ``span`` (> 0)."""
    power = 10.0 ** math.floor(math.log10(span / most))
    return next(power * factor for factor in (1, 2, 5, 10, 20) if span / (power * factor) <= most)
