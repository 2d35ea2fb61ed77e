#!/usr/bin/env python3
"""Take the pictures of the page in docs/live.md and README.md: person_tiny on a simulated board learns what a mug is.

Chromium's camera films photographs that scikit-image ships (a cup of coffee, a cat), panning over them.

scripts/draw_live.py docs
"""

from __future__ import annotations

import math
import sys
import tempfile
from pathlib import Path

from PIL import Image
from tinyengine.boards import load
from tinyengine.compiler import CompileOptions, compile_model
from tinyengine.paths import project_root

sys.path.append(str(project_root()))

from tests.helpers import firmware_image
from tests.helpers.live_browser import RATE, SIZE, Visitor, live_command, visitor, write_film

BOARD = "sim_stm32f405"
MODEL = project_root() / "models" / "person_tiny.tflite"
WIDTH, HEIGHT = 1240, 860
SHOWN = 930  # pixels of the width that is kept
COLORS = 128


def panned(photograph: Image.Image, seconds: float = 6.0) -> list[Image.Image]:
    """A camera that is moved and zoomed over a photograph."""
    pictures, count = [], round(RATE * seconds)
    for k in range(count):
        turn = 2 * math.pi * k / count
        height = photograph.height * (0.82 + 0.12 * math.sin(turn))
        width = height * SIZE[0] / SIZE[1]
        left = (photograph.width - width) * (0.5 + 0.4 * math.cos(turn))
        top = (photograph.height - height) * (0.5 + 0.4 * math.sin(2 * turn))
        box = (left, top, left + width, top + height)
        pictures.append(photograph.resize(SIZE, Image.Resampling.BILINEAR, box))
    return pictures


def save(page: Visitor, path: Path, whole: bool = False) -> None:
    """A screenshot as a small PNG."""
    page.page.screenshot(path=path, full_page=whole)
    with Image.open(path) as image:
        small = image.convert("RGB").resize((SHOWN, image.height * SHOWN // image.width), Image.Resampling.LANCZOS)
    small.quantize(COLORS, dither=Image.Dither.NONE).save(path, optimize=True)


def main() -> None:
    from skimage import data

    out = Path(sys.argv[1])
    scenes = [panned(Image.fromarray(photograph)) for photograph in (data.coffee(), data.chelsea())]
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        write_film(scratch / "film.y4m", scenes)
        board = load(BOARD)
        compiled = compile_model(
            MODEL, CompileOptions(cpu=board.cpu, sram_available=board.network_sram_bytes, train="last-2", classes=3)
        )
        elf = firmware_image.compiled(BOARD, scratch, compiled)
        more = ("--flash-file", scratch / "flash", "--data", scratch / "samples", "--model", MODEL)
        with (
            live_command("--port", f"sim:{BOARD}", "--elf", elf, *more) as live,
            visitor(live.url, scratch / "film.y4m", scenes, WIDTH, HEIGHT) as page,
        ):
            page.wait_for("#link", "board connected")
            page.page.click("#camera")
            page.wait_for("#verdict")
            for key, name in enumerate(("mug", "cat"), 1):
                page.add_class(name)
                page.collect(key, key - 1, 6, 3.0)
            page.page.fill("#epochs", "5")
            page.page.click("#start")
            page.wait_for("#turn", seconds=600)
            page.page.keyboard.press("s")
            page.wait_for("#held", "saved in its flash")
            page.page.wait_for_selector(".notice", state="detached")
            page.wait_for("#arena", seconds=300)
            page.wait_for("#verdict strong", "cat")
            page.wait_for("#verdict strong", "mug")
            save(page, out / "live.png")
            page.page.emulate_media(color_scheme="dark")
            page.page.wait_for_timeout(300)
            save(page, out / "live_dark.png", whole=True)


if __name__ == "__main__":
    main()
