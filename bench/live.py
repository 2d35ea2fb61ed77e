#!/usr/bin/env python3
"""Load on ``tinyengine live``: a long stream, connections that break, messages that are none; docs/live.md has results.

The simulated STM32F405 judges pictures that a tab sends one after the other; every answer is compared with that of the
same network compiled for this computer. Meanwhile the memory of the server is noted. Then tabs connect and break off,
some without a word, and send messages that are malformed; none of those may reach the board, which is what the numbers
of the answers say. It ends with 1 where an answer was wrong, a malformed message got through, or the server ended.

bench/live.py --seconds 3600            an hour
bench/live.py --seconds 60 --json
"""

from __future__ import annotations

import contextlib
import itertools
import json
import random
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import click
import numpy as np
from PIL import Image
from tinyengine import native
from tinyengine.boards import load
from tinyengine.compiler import CompileOptions, compile_model
from tinyengine.data.answers import classify
from tinyengine.data.images import InputForm
from tinyengine.data.metadata import load_metadata
from tinyengine.paths import project_root
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

sys.path.append(str(project_root()))

from tests.helpers import firmware_image
from tests.helpers.live_browser import live_command
from tests.helpers.live_page import Tab, encoded

BOARD = "sim_stm32f405"
PICTURES = 32
NOTED_EVERY = 5.0  # seconds


@dataclass
class Load:
    """What has happened. ``memory``: kilobytes of the server's process in the course of time."""

    seconds: float = 0.0
    answers: int = 0
    wrong: int = 0
    reconnects: int = 0
    malformed: int = 0
    refused: int = 0  # answers that said so
    hung_up: int = 0
    got_through: int = 0
    memory: list[int] = field(default_factory=list)

    @property
    def growth(self) -> float:
        """Kilobytes by which the memory of the last quarter exceeds that of the second one."""
        quarter = max(len(self.memory) // 4, 1)
        return float(np.median(self.memory[-quarter:]) - np.median(self.memory[quarter : 2 * quarter] or self.memory))


class Visits:
    """Tabs of one server, the pictures they send, and the answers that are right."""

    def __init__(
        self, url: str, process: int, pictures: Sequence[bytes], expected: Sequence[tuple[float, ...]]
    ) -> None:
        self._url, self._process = url, process
        self._pictures, self._expected = pictures, expected
        self._next = itertools.cycle(range(len(pictures)))
        self._names = itertools.count()
        self._sent = 0
        self.load = Load()

    @contextlib.contextmanager
    def tab(self, rude: bool = False) -> Iterator[Tab]:
        """A connected tab that controls, its camera on; ``rude``: it breaks off without a word."""
        host, path = self._url.removeprefix("http://").split("/", 1)
        address = f"ws://{host}/{path}socket?tab={next(self._names):016x}"
        with connect(address, origin=f"http://{host}", close_timeout=2) as socket:  # type: ignore[arg-type]
            tab = Tab(socket)
            tab.send("control")
            tab.send("source", source="browser")
            tab.until("state", lambda state: state["source"] == "browser" and state["link"] == "connected")
            yield tab
            if rude:
                socket.socket.close()

    def judge(self, tab: Tab) -> None:
        """Send a picture; compare the answer, and count how many the board has been given."""
        index = next(self._next)
        tab.socket.send(self._pictures[index])
        self._sent += 1
        answer = tab.until("answer")
        self.load.answers += 1
        self.load.wrong += tuple(answer["probabilities"]) != self._expected[index]
        self.load.got_through += answer["number"] - self._sent
        self._sent = answer["number"]

    def note_memory(self) -> None:
        words = Path(f"/proc/{self._process}/status").read_text().split()
        self.load.memory.append(int(words[words.index("VmRSS:") + 1]))

    def stream(self, seconds: float) -> None:
        started = noted = time.monotonic()
        with self.tab() as tab:
            while (now := time.monotonic()) - started < seconds:
                self.judge(tab)
                if now - noted > NOTED_EVERY:
                    noted = now
                    self.note_memory()
        self.load.seconds = time.monotonic() - started

    def reconnect(self, times: int) -> None:
        for number in range(times):
            with contextlib.suppress(ConnectionClosed), self.tab(rude=number % 2 == 1) as tab:
                self.judge(tab)
            self.load.reconnects += 1
        self.note_memory()

    def send_nonsense(self, count: int) -> None:
        """``count`` malformed messages from tabs that control, and right answers in between."""
        rng = random.Random(0)
        while self.load.malformed < count:
            with self.tab() as tab:
                try:
                    for _ in range(min(30, count - self.load.malformed)):
                        tab.socket.send(_nonsense(rng, self._pictures))
                        self.load.malformed += 1
                    tab.send("undo")  # the last that is answered
                    while "nothing has been collected" not in (text := tab.until("notice")["text"]):
                        self.load.refused += bool(text)
                except ConnectionClosed:
                    self.load.hung_up += 1
            if rng.random() < 0.1:
                with self.tab() as tab:
                    self.judge(tab)
        with self.tab() as tab:
            self.judge(tab)
        self.note_memory()


def _nonsense(rng: random.Random, pictures: Sequence[bytes]) -> str | bytes:
    """A message that no page sends."""
    kind = rng.randrange(6)
    if kind == 0:
        return rng.randbytes(rng.randrange(200))
    if kind == 1:
        return pictures[0][: rng.randrange(8)] + rng.randbytes(40)
    if kind == 2:
        return "".join(chr(rng.randrange(1, 0xD800)) for _ in range(rng.randrange(80)))
    if kind == 3:
        return "[" * rng.randrange(1, 4000)
    order = rng.choice(("train", "collect", "source", "step", "reset", "add_class", "fly"))
    value = rng.choice((None, 1e999, -1, "../x", {}, [], "x" * 5000, True))
    return json.dumps({"do": order, rng.choice(("epochs", "class", "on", "rate", "more")): value})


@click.command()
@click.option("--seconds", type=float, default=3600.0, show_default=True, help="Of streaming.")
@click.option("--reconnects", type=int, default=200, show_default=True)
@click.option("--malformed", type=int, default=10_000, show_default=True)
@click.option("--json", "as_json", is_flag=True)
def main(seconds: float, reconnects: int, malformed: int, as_json: bool) -> None:
    model = project_root() / "models" / "person_tiny.tflite"
    board = load(BOARD)
    compiled = compile_model(model, CompileOptions(cpu=board.cpu, sram_available=board.network_sram_bytes))
    metadata = load_metadata(model)
    assert metadata is not None
    port, out = (compiled.graph.tensor(ports[0].tensor) for ports in (compiled.graph.inputs, compiled.graph.outputs))
    form = InputForm(tuple(port.shape[1:]), port.scale, port.zero_point, metadata)
    here = native.build(compiled)
    pictures, expected = [], []
    for seed in range(PICTURES):
        coarse = np.random.default_rng(seed).integers(0, 256, (6, 8, 3)).astype(np.uint8)
        image = Image.fromarray(coarse).resize((160, 120), Image.Resampling.BICUBIC)
        pictures.append(encoded(np.asarray(image)))
        values = here.run([form.values(image)[None]])[0]
        expected.append(classify(values, out.scale, out.zero_point, metadata).probabilities)
    with tempfile.TemporaryDirectory() as scratch:
        elf = firmware_image.compiled(BOARD, Path(scratch), compiled)
        with live_command("--port", f"sim:{BOARD}", "--elf", elf, "--data", Path(scratch) / "samples") as live:
            visits = Visits(live.url, live.process.pid, pictures, expected)
            visits.stream(seconds)
            visits.reconnect(reconnects)
            visits.send_nonsense(malformed)
            ended = live.process.poll() is not None
    load_found = visits.load
    figures = asdict(load_found) | {"growth": load_found.growth, "ended": ended}
    if as_json:
        click.echo(json.dumps(figures, indent=2))
    else:
        for name, value in figures.items():
            click.echo(f"{name:12} {value if name != 'memory' else f'{value[0]} ... {value[-1]} KB'}")
    if load_found.wrong or load_found.got_through or ended:
        sys.exit(1)


if __name__ == "__main__":
    main()
