"""Boxes on pictures."""

from __future__ import annotations

import colorsys
import itertools
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw

from tinyengine.data.boxes import Box
from tinyengine.data.metadata import ModelMetadata

SMALLEST = 480
"""A picture's longer side is enlarged to this before labels are written on it."""


def draw_boxes(image: Image.Image, boxes: Sequence[Box], metadata: ModelMetadata) -> Image.Image:
    """A copy of the RGB picture with a frame and a label around each object, the best one on top."""
    factor = max(1, round(SMALLEST / max(image.size)))
    picture = image.resize((image.width * factor, image.height * factor), Image.Resampling.NEAREST)
    pen = ImageDraw.Draw(picture)
    width = max(2, max(picture.size) // 240)
    for box in reversed(boxes):
        color = _color(box.index)
        left, top = box.left * picture.width, box.top * picture.height
        edges = (left, top, max(left, box.right * picture.width - 1), max(top, box.bottom * picture.height - 1))
        pen.rectangle(edges, outline=color, width=width)
        text = f"{metadata.class_name(box.index)} {box.score:.0%}"
        _, _, right, bottom = pen.textbbox((0, 0), text)
        corner = (min(left, picture.width - right - 4), max(0.0, top - bottom - 3))
        pen.rectangle((*corner, corner[0] + right + 4, corner[1] + bottom + 3), fill=color)
        pen.text((corner[0] + 2, corner[1] + 1), text, fill="black")
    return picture


def write_drawn(picture: Image.Image, folder: Path, name: str, taken: set[str]) -> Path:
    """As NAME.png in ``folder``, which is made. Names in ``taken`` are numbered, and the new one is added."""
    stem = Path(name).stem
    free = next(n for k in itertools.count(1) if (n := stem if k == 1 else f"{stem}-{k}") not in taken)
    taken.add(free)
    folder.mkdir(parents=True, exist_ok=True)
    picture.save(folder / f"{free}.png")
    return folder / f"{free}.png"


def _color(index: int) -> tuple[int, int, int]:
    """Of the hues, each class has one far from those of the classes before it (steps of the golden ratio)."""
    red, green, blue = colorsys.hsv_to_rgb(0.36 + index * 0.618034, 0.75, 1.0)
    return round(255 * red), round(255 * green), round(255 * blue)
