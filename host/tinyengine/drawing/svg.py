"""A scene as SVG text, complete in itself: hovering shows the title of a shape, no script and no other file."""

from __future__ import annotations

from html import escape

from tinyengine.drawing.scene import Dot, Line, Rect, Scene, Shape, Text

_DASHES = ' stroke-dasharray="5 4"'


def svg(scene: Scene) -> str:
    """One ``<svg>`` element, to be put into a page or a file."""
    size = f'viewBox="0 0 {scene.width} {scene.height}" width="{scene.width}" height="{scene.height}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" font-family="Helvetica, Arial, sans-serif">'
    background = f'<rect width="{scene.width}" height="{scene.height}" fill="#ffffff"/>'
    lines = [head, f"<desc>{escape(scene.title)}</desc>", background, *map(_element, scene.shapes), "</svg>"]
    return "\n".join(lines) + "\n"


def _element(shape: Shape) -> str:
    match shape:
        case Rect():
            stroke = f' stroke="{shape.stroke}"' if shape.stroke else ""
            box = f'x="{_n(shape.x)}" y="{_n(shape.y)}" width="{_n(shape.width)}" height="{_n(shape.height)}"'
            return _hovered(
                "rect", f'{box} fill="{shape.fill}" fill-opacity="{_n(shape.opacity)}"{stroke}', shape.hover
            )
        case Line():
            ends = f'x1="{_n(shape.x1)}" y1="{_n(shape.y1)}" x2="{_n(shape.x2)}" y2="{_n(shape.y2)}"'
            return f'<line {ends} stroke="{shape.color}"{_DASHES if shape.dashed else ""}/>'
        case Dot():
            place = f'cx="{_n(shape.x)}" cy="{_n(shape.y)}" r="{_n(shape.radius)}"'
            return _hovered("circle", f'{place} fill="{shape.fill}"', shape.hover)
        case Text():
            style = f'font-size="{shape.size}" text-anchor="{shape.anchor}" fill="{shape.color}"'
            # labels lie over rectangles, whose hover must still be found
            return (
                f'<text x="{_n(shape.x)}" y="{_n(shape.y)}" {style} pointer-events="none">{escape(shape.text)}</text>'
            )


def _hovered(name: str, attributes: str, hover: str) -> str:
    return f"<{name} {attributes}><title>{escape(hover)}</title></{name}>" if hover else f"<{name} {attributes}/>"


def _n(value: float) -> str:
    """Two decimals at most."""
    return f"{value:.2f}".rstrip("0").rstrip(".")
