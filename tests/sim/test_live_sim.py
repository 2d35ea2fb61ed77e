"""``tinyengine live`` from end to end: Chromium with a camera before the page, the simulated board behind it."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
from PIL import Image
from tinyengine.compiler import CompileOptions, compile_graph
from tinyengine.zoo.table import Network, parse_blocks

from tests.helpers import firmware_image
from tests.helpers.live_browser import RATE, SIZE, live_command, visitor, write_film
from tests.helpers.needs import require_chromium, simulated_core
from tests.helpers.tiny_networks import tiny_graph

pytestmark = simulated_core
BOARD = "sim_stm32f405"
NETWORK = Network("tiny", 16, 8, parse_blocks("e1c8k3 e4c12k3s2 e3c12k5"), classes=3)
NAMES = ("ocean", "fire")


def scene(color: tuple[int, int, int], upright: bool, seed: int, seconds: float = 4.0) -> list[Image.Image]:
    """Moving stripes of a colour with noise."""
    rng = np.random.default_rng(seed)
    pictures = []
    for k in range(round(RATE * seconds)):
        waves = 0.5 + 0.5 * np.sin(2 * np.pi * (np.arange(SIZE[0]) / 60 + k / 12))
        lines = np.broadcast_to(waves, (SIZE[0], SIZE[0]))
        lines = (lines.T if upright else lines)[: SIZE[1]]
        pixels = lines[..., None] * np.array(color) + rng.normal(0, 8, (SIZE[1], SIZE[0], 3))
        pictures.append(Image.fromarray(pixels.clip(0, 255).astype(np.uint8)))
    return pictures


def test_collect_teach_save_lose_the_simulator_and_still_know(tmp_path: Path) -> None:
    require_chromium()
    compiled = compile_graph(tiny_graph(NETWORK, 3, gain=2.0), CompileOptions(train="last-2"))
    elf = firmware_image.compiled(BOARD, tmp_path, compiled)
    scenes = [scene((30, 90, 250), True, 1), scene((250, 120, 20), False, 2)]
    write_film(tmp_path / "film.y4m", scenes)
    board = ("--port", f"sim:{BOARD}", "--elf", elf, "--flash-file", tmp_path / "flash", "--data", tmp_path / "samples")
    with live_command(*board) as live, visitor(live.url, tmp_path / "film.y4m", scenes) as page:
        page.wait_for("#link", "board connected")
        page.page.click("#camera")
        page.wait_for("#verdict")
        assert float(page.text("#fps")) > 0 and page.text("#wire").endswith("%")
        assert page.page.locator("#layers li").count() == len(compiled.calls)

        for key, name in enumerate(NAMES, 1):
            page.add_class(name)
            page.collect(key, key - 1, 8, 1.5)
        page.page.keyboard.press("u")  # takes the last press back
        page.wait_for(".notice", "Removed")
        page.collect(2, 1, 8, 1.5)
        kept = {name: len(list((tmp_path / "samples" / name).iterdir())) for name in NAMES}
        assert kept == {name: page.samples(key) for key, name in enumerate(NAMES, 1)}

        page.page.fill("#epochs", "8")
        page.page.click("#start")
        page.wait_for("#turn", seconds=120)
        before, after = (float(text.split()[0]) for text in page.page.locator("#turn b").all_inner_texts())
        assert before < 80 and after > 90, (before, after)  # a dozen pictures, and whatever a new classifier says
        page.page.keyboard.press("s")
        page.wait_for("#held", "saved in its flash")

        live.kill_simulator()
        page.wait_for("#link", "board lost")
        page.wait_for("#link", "board connected")
        page.wait_for("#held", "It has learned ocean, fire")
        page.wait_for("#verdict strong", NAMES[0])  # of the new answers
        looks = [(page.scene(), page.text("#verdict strong")) for _ in range(16) if time.sleep(0.5) is None]
        right = sum(NAMES[number] == said for number, said in looks)
        assert right > len(looks) / 2, looks  # an answer is about a moment ago
