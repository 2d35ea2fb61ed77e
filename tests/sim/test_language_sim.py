"""A language model in the firmware of a simulated board: what it writes over the protocol and at a plain terminal."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import numpy as np
import pytest
from tinyengine.cli import demo
from tinyengine.compiler import CompileOptions, compile_graph, compile_model
from tinyengine.device import open_device, open_port
from tinyengine.device.errors import RefusedError
from tinyengine.device.transport import Transport
from tinyengine.device.writing import DeviceWriter
from tinyengine.errors import DataError
from tinyengine.frontend.language import save_language
from tinyengine.measure.bench import bench
from tinyengine.native import build
from tinyengine.native.writer import NativeWriter
from tinyengine.paths import project_root
from tinyengine.reference import Session
from tinyengine.writing import Settings, pieces

from tests.helpers import firmware_image
from tests.helpers.command_line import run
from tests.helpers.language import Shape, random_language, random_tokens, stories260k
from tests.helpers.stateful import accumulator, stateful

SHAPE = Shape(layers=1, window=8, tokens=340)
BOARD = "sim_stm32f405"


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("language") / "random.lm"
    path.write_bytes(save_language(random_language(SHAPE, 4)))
    return path


@pytest.fixture(scope="module")
def elf(path: Path) -> Path:
    return firmware_image.compiled(BOARD, path.parent, compile_model(path))


def test_a_board_writes_what_this_process_writes(path: Path, elf: Path) -> None:
    native = NativeWriter(build(compile_model(path)))
    with open_device(f"sim:{BOARD}", elf=elf) as device:
        assert device.identity.can_write
        board = DeviceWriter(device)
        for prompt, chosen in (
            ("once upon", Settings(0.8, 0.9, 7, True)),
            ("", Settings(1.5, 1.0, 1, True)),
            ("a fox ö", Settings()),
        ):
            texts = []
            for writer in (native, board):
                tokens = writer.begin(prompt, chosen)
                parts = list(pieces(writer, 30))
                texts.append((tokens, b"".join(part.text for part in parts), sum(part.tokens for part in parts)))
            assert texts[0] == texts[1] and texts[0][1]
        with pytest.raises(DataError, match="at most 400"):
            board.begin("x" * 401, Settings())


def test_a_board_computes_the_oracles_logits(path: Path, elf: Path) -> None:
    session = Session(compile_model(path).graph)
    with open_device(f"sim:{BOARD}", elf=elf) as device:
        device.rewind()
        for [token] in random_tokens(SHAPE, 20, 3):
            np.testing.assert_array_equal(device.infer(token).outputs[0], session.run([token])[0].ravel())


def test_generate_and_perplexity_over_the_port(tmp_path: Path, path: Path, elf: Path) -> None:
    text = tmp_path / "text.txt"
    text.write_text("once upon a time")
    port = "--port", f"sim:{BOARD}", "--elf", elf
    writing = "--prompt", "once", "--tokens", 20, "--seed", 3, "--endless", "--json"
    there, here = (json.loads(run("generate", path, *options, *writing).stdout) for options in (port, ()))
    assert there["text"] == here["text"] and there["tokens"] == 20 and there["device_tokens_per_second"] > 0
    assert there["instructions_per_token"] > 10_000 and here["instructions_per_token"] is None
    there, here = (json.loads(run("perplexity", path, text, *options, "--json").stdout) for options in (port, ()))
    assert there == here


def test_the_demos_tale_is_the_same_on_its_board_and_here(tmp_path: Path) -> None:
    """models/tales.lm, the demo's third act: over serial, from the same seed, and it is about whom the prompt names."""
    tales = project_root() / demo.TALES
    elf = firmware_image.compiled(demo.BOARD, tmp_path, compile_model(tales))
    how = "--prompt", demo.BEGINNING, "--seed", demo.SEED, "--tokens", 30, "--json"
    port = "--port", f"sim:{demo.BOARD}", "--elf", elf
    there, here = (json.loads(run("generate", tales, *options, *how).stdout) for options in (port, ()))
    assert there["text"] == here["text"] and there["tokens"] == 30
    assert there["instructions_per_token"] < 2_000_000
    assert re.match(r" [A-Z][a-z]+[ .]", there["text"])


def typed(transport: Transport, line: bytes, patience: float) -> bytes:
    """What comes back until the next prompt, or nothing more comes."""
    transport.write(line + b"\r")
    answer, end = b"", time.monotonic() + patience
    while not answer.endswith(b"\r\n> ") and time.monotonic() < end:
        answer += transport.read(0.2)
    return answer


def test_somebody_types_at_a_terminal(elf: Path) -> None:
    """The seed is the moment at which the line ends, so now and then a text ends at once: one of several is longer."""
    longest = 0
    with open_port(f"sim:{BOARD}", elf=elf) as transport:
        # what is typed while the board starts is lost
        assert any(typed(transport, b"a", 3).endswith(b"\r\n> ") for _ in range(20))
        while transport.read(2):
            pass  # the answers to those that came in time after all
        for _ in range(8):
            answer = typed(transport, b"once upon", 60)
            assert answer.startswith(b"once upon\r\nonce upon") and answer.endswith(b"\r\n> ")
            longest = max(longest, len(answer))
            if longest > 40:
                return
    pytest.fail(f"the longest of eight texts has {longest} bytes")


def test_other_networks_do_not_write(tmp_path: Path) -> None:
    elf = firmware_image.compiled(BOARD, tmp_path, compile_graph(stateful(accumulator)))
    with open_device(f"sim:{BOARD}", elf=elf) as device, pytest.raises(RefusedError, match="no language model"):
        DeviceWriter(device)


@pytest.mark.slow(but=1)
@pytest.mark.parametrize(("weights", "instructions", "flash_kb"), [("w8", 425_000, 300), ("w4", 480_000, 200)])
def test_stories260k_keeps_its_budget(tmp_path: Path, weights: str, instructions: int, flash_kb: int) -> None:
    """Window of 128: logits across the ring's wrap, instructions, SRAM and flash; then a text over the port."""
    path = tmp_path / "stories.lm"
    run("lm", "convert", stories260k(), "--weights", weights, "--brief", "-o", path)
    report = bench(compile_model(path), path, check=320, profile=False)
    assert report.check is not None and not report.check.mismatched and report.check.outputs == 320 * 512
    assert report.context == 128 and not report.hints
    assert 0.9 * instructions < report.instructions and report.instructions_max <= instructions
    assert report.sram_bytes["total"] <= 48 * 1024 and report.flash_bytes.total <= flash_kb * 1024
    if weights == "w4":
        return
    elf = firmware_image.compiled(BOARD, tmp_path, compile_model(path))
    options = "--port", f"sim:{BOARD}", "--elf", elf, "--temperature", 0, "--tokens", 20, "--json"
    figures = json.loads(run("generate", "--prompt", "Once upon a time", *options).stdout)
    assert figures["text"].startswith(", there was a little girl named Lily. She")


@pytest.mark.slow
@pytest.mark.parametrize("weights", ["w8", "w4"])
@pytest.mark.parametrize(("cpu", "portable"), [("cortex-m7", False), ("cortex-m4", True)])
def test_stories260k_is_the_same_on_other_cores(tmp_path: Path, weights: str, cpu: str, portable: bool) -> None:
    """Logits of 320 tokens, across the ring's wrap."""
    path = tmp_path / "stories.lm"
    run("lm", "convert", stories260k(), "--weights", weights, "--brief", "-o", path)
    report = bench(compile_model(path, CompileOptions(cpu)), path, check=320, portable=portable, profile=False)
    assert report.check is not None and (report.check.mismatched, report.check.outputs) == (0, 320 * 512)
