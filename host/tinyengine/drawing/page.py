"""Pictures, figures and tables as one HTML file that needs no other and no network."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from tinyengine.drawing.scene import Scene
from tinyengine.drawing.svg import svg

_STYLE = """
body { font-family: Helvetica, Arial, sans-serif; margin: 24px; color: #222; max-width: 1140px }
table { border-collapse: collapse; margin: 12px 0 28px }
th, td { padding: 3px 10px; text-align: right; font-size: 13px; border-bottom: 1px solid #ddd }
th { border-bottom: 2px solid #888 } td.text, th.text { text-align: left }
svg { max-width: 100%; height: auto } svg rect:hover, svg circle:hover { stroke: #000; stroke-width: 1.5px }
"""


def page(title: str, sections: Sequence[str]) -> str:
    """The whole file; ``sections`` are HTML."""
    body = "\n".join(sections)
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head><meta charset="utf-8"><title>{escape(title)}</title>\n'
        f"<style>{_STYLE}</style></head>\n<body>\n<h1>{escape(title)}</h1>\n{body}\n</body>\n</html>\n"
    )


def picture(scene: Scene) -> str:
    return f"<figure>{svg(scene)}</figure>"


def sentences(lines: Sequence[str]) -> str:
    return "<ul>" + "".join(f"<li>{escape(line)}</li>" for line in lines) + "</ul>"


def heading(text: str) -> str:
    return f"<h2>{escape(text)}</h2>"


def table(titles: Sequence[str], rows: Sequence[Sequence[str]], text_columns: int = 1) -> str:
    """The first ``text_columns`` hold words, the others figures."""

    def line(cells: Sequence[str], tag: str) -> str:
        text = f'<{tag} class="text">'
        opened = ((text if index < text_columns else f"<{tag}>") + escape(cell) for index, cell in enumerate(cells))
        return "<tr>" + "".join(f"{cell}</{tag}>" for cell in opened) + "</tr>"

    return f"<table>{line(titles, 'th')}{''.join(line(row, 'td') for row in rows)}</table>"
