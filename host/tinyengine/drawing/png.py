"""A scene as pixels."""

from __future__ import annotations

from functools import cache

from PIL import Image, ImageDraw, ImageFont

from tinyengine.drawing.scene import Anchor, Dot, Line, Rect, Scene, Text

_ANCHORS = {Anchor.START: "ls", Anchor.MIDDLE: "ms", Anchor.END: "rs"}
_DASH = 5
_GAP = 4


def image(scenes: list[Scene], scale: int = 2) -> Image.Image:
    """The scenes one below the other, ``scale`` pixels per unit."""
    size = max(scene.width for scene in scenes) * scale, sum(scene.height for scene in scenes) * scale
    whole = Image.new("RGB", size, "#ffffff")
    top = 0
    for scene in scenes:
        whole.paste(_draw(scene, scale), (0, top))
        top += scene.height * scale
    return whole


@cache
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def _draw(scene: Scene, scale: int) -> Image.Image:
    picture = Image.new("RGB", (scene.width * scale, scene.height * scale), "#ffffff")
    pen = ImageDraw.Draw(picture, "RGBA")  # so that what is transparent lets through what is below
    for shape in scene.shapes:
        match shape:
            case Rect(x, y, width, height, fill, opacity, stroke):
                # a rectangle includes its last pixel, which is the first one of its neighbour
                corners = [x * scale, y * scale, max(x, x + width) * scale - 1, max(y, y + height) * scale - 1]
                if corners[2] >= corners[0] and corners[3] >= corners[1]:
                    pen.rectangle(corners, fill=f"{fill}{round(255 * opacity):02x}", outline=stroke)
            case Line(x1, y1, x2, y2, color, dashed):
                for ends in _dashes(x1, y1, x2, y2) if dashed else [(x1, y1, x2, y2)]:
                    pen.line([value * scale for value in ends], fill=color, width=scale)
            case Dot(x, y, radius, fill):
                box = (x - radius, y - radius, x + radius, y + radius)
                pen.ellipse([value * scale for value in box], fill=fill)
            case Text(x, y, text, size, anchor, color):
                pen.text((x * scale, y * scale), text, fill=color, font=_font(size * scale), anchor=_ANCHORS[anchor])
    return picture


def _dashes(x1: float, y1: float, x2: float, y2: float) -> list[tuple[float, float, float, float]]:
    length = max(((x2 - x1) ** 2 + (y2 - y1) ** 2) ** 0.5, 1e-9)
    dx, dy = (x2 - x1) / length, (y2 - y1) / length
    starts = [start * (_DASH + _GAP) for start in range(int(length / (_DASH + _GAP)) + 1)]
    return [
        (x1 + dx * s, y1 + dy * s, x1 + dx * min(s + _DASH, length), y1 + dy * min(s + _DASH, length)) for s in starts
    ]
