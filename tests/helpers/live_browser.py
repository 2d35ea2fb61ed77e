"""Chromium before the page of ``tinyengine live``, its camera, which films what a test wants, and the command."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tests.helpers.live_page import SECONDS

SIZE = (320, 240)
RATE = 10  # pictures a second
THUMB = 4
LOOK = f"""() => {{
  const video = document.getElementById("video"), canvas = document.createElement("canvas");
  canvas.width = canvas.height = {THUMB};
  const pen = canvas.getContext("2d");
  pen.imageSmoothingQuality = "high";
  pen.drawImage(video, 0, 0, {THUMB}, {THUMB});
  return Array.from(pen.getImageData(0, 0, {THUMB}, {THUMB}).data);
}}"""


def write_film(path: Path, scenes: Sequence[Sequence[Image.Image]]) -> None:
    """A .y4m that shows one scene after the other; a camera shows it again and again."""
    with path.open("wb") as file:
        file.write(f"YUV4MPEG2 W{SIZE[0]} H{SIZE[1]} F{RATE}:1 Ip A1:1 C420jpeg\n".encode())
        for picture in (picture for scene in scenes for picture in scene):
            luma, blue, red = picture.convert("RGB").resize(SIZE).convert("YCbCr").split()
            half = (SIZE[0] // 2, SIZE[1] // 2)
            planes = [luma, *(part.resize(half, Image.Resampling.BOX) for part in (blue, red))]
            file.write(b"FRAME\n" + b"".join(plane.tobytes() for plane in planes))


def _thumb(picture: Image.Image) -> np.ndarray:
    return np.asarray(picture.convert("RGB").resize((THUMB, THUMB), Image.Resampling.BOX), float)


class LiveCommand:
    """A running ``tinyengine live``."""

    def __init__(self, process: subprocess.Popen[str], url: str) -> None:
        self.process = process
        self.url = url

    def kill_simulator(self) -> None:
        """As if somebody had pulled the cable: the simulator's supervisor sees it go."""
        killed = 0
        for folder in Path("/proc").iterdir():
            with contextlib.suppress(OSError, ValueError):
                number = int(folder.name)
                words = (folder / "cmdline").read_bytes().split(b"\0")
                if b"qemu-system-arm" in words[0] and _is_below(number, self.process.pid):
                    os.kill(number, signal.SIGKILL)
                    killed += 1
        assert killed == 1, f"{killed} simulators ran"


def _is_below(number: int, ancestor: int) -> bool:
    """Whether a process descends from another."""
    while number > 1:
        if number == ancestor:
            return True
        number = int(Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[1])
    return False


@contextlib.contextmanager
def live_command(*arguments: object) -> Iterator[LiveCommand]:
    """``tinyengine live`` with these arguments, at a port of its own."""
    command = [sys.executable, "-m", "tinyengine", "live", "--http-port", "0", "--json", *map(str, arguments)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        assert line, f"the command ended with {process.wait()}"
        yield LiveCommand(process, json.loads(line)["url"])
        process.send_signal(signal.SIGINT)
        assert process.wait(SECONDS) in (0, -signal.SIGINT, 130)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


class Visitor:
    """Somebody before the page, whose camera films ``scenes``."""

    def __init__(self, page: Any, scenes: Sequence[Sequence[Image.Image]]) -> None:
        self.page = page
        self._scenes = [np.mean([_thumb(picture) for picture in scene], axis=0) for scene in scenes]

    def text(self, selector: str) -> str:
        return self.page.inner_text(selector)

    def wait_for(self, selector: str, text: str = "", seconds: float = SECONDS) -> None:
        """Until an element is visible that has ``text``."""
        self.page.locator(selector, has_text=text).first.wait_for(state="visible", timeout=1000 * seconds)

    def scene(self) -> int:
        """Which scene the camera films now."""
        seen = np.array(self.page.evaluate(LOOK), float).reshape(THUMB, THUMB, 4)[..., :3]
        return int(np.argmin([np.abs(seen - scene).mean() for scene in self._scenes]))

    def wait_for_scene(self, number: int) -> None:
        """Until a scene begins."""
        deadline = time.monotonic() + SECONDS
        while self.scene() == number and time.monotonic() < deadline:
            time.sleep(0.05)
        while self.scene() != number and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(0.3)

    def add_class(self, name: str) -> None:
        self.page.fill("#new-class", name)
        self.page.press("#new-class", "Enter")
        self.wait_for("#classes .name", name)
        self.page.evaluate("document.activeElement.blur()")

    def samples(self, key: int) -> int:
        """How many the class with this key has, as its button says."""
        return int(self.text(f"#classes li:nth-child({key}) .count").split()[0])

    def collect(self, key: int, scene: int, count: int, seconds: float) -> None:
        """Hold a key for some time whenever its scene begins, until the class has ``count`` samples."""
        for _ in range(20):
            self.wait_for_scene(scene)
            self.page.keyboard.down(str(key))
            time.sleep(seconds)
            self.page.keyboard.up(str(key))
            self.page.locator("#recording").wait_for(state="hidden", timeout=1000 * SECONDS)
            if self.samples(key) >= count:
                return
        raise AssertionError(f"only {self.samples(key)} samples")


@contextlib.contextmanager
def visitor(
    url: str, film: Path, scenes: Sequence[Sequence[Image.Image]], width: int = 1280, height: int = 900
) -> Iterator[Visitor]:
    """Chromium at ``url``; no error on the page may remain unseen."""
    from playwright.sync_api import sync_playwright

    flags = ["--no-sandbox", "--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"]
    flags += [f"--use-file-for-fake-video-capture={film}", "--disable-gpu", "--mute-audio"]
    errors: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=flags)
        page = browser.new_page(viewport={"width": width, "height": height}, color_scheme="light")
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda message: message.type == "error" and errors.append(message.text))
        page.goto(url)
        yield Visitor(page, scenes)
        browser.close()
    assert errors == []
