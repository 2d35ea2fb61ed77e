#!/usr/bin/env python3
"""Draw docs/demo.jpg: the demonstration's photographs under the answers of the simulated board.

tinyengine infer .cache/demo/*.png --port sim:sim_stm32f405 --json | scripts/demo_picture.py docs/demo.jpg
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont, ImageOps
from tinyengine.sizes import ceil_div

COLUMNS = 4
TILE = 190  # pixels, both ways
CAPTION = 26
GAP = 8


def draw(pictures: list[dict[str, object]]) -> Image.Image:
    """A grid of the pictures, each with its answer below."""
    rows = ceil_div(len(pictures), COLUMNS)
    step = TILE + GAP
    sheet = Image.new("RGB", (COLUMNS * step + GAP, rows * (step + CAPTION) + GAP), "white")
    pen = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(15)
    for index, picture in enumerate(pictures):
        left, top = GAP + index % COLUMNS * step, GAP + index // COLUMNS * (step + CAPTION)
        with Image.open(str(picture["picture"])) as photograph:
            sheet.paste(ImageOps.fit(photograph.convert("RGB"), (TILE, TILE)), (left, top))
        person = picture["answer"] == "person"
        text = f"{'person' if person else 'no person'} {float(str(picture['probability'])):.0%}"
        pen.text((left + 2, top + TILE + 4), text, fill="#b02020" if person else "#303030", font=font)
    return sheet


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    draw(json.load(sys.stdin)["pictures"]).save(Path(sys.argv[1]), quality=82, optimize=True)
