"""A language model learns on simulated cores: steps against the oracle, and a session over a simulated serial port."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tinyengine.compiler import CompiledModel, CompileOptions, compile_model
from tinyengine.device import open_device
from tinyengine.device.errors import ModelMismatchError, RefusedError
from tinyengine.device.training import DeviceTrainer
from tinyengine.device.writing import DeviceWriter
from tinyengine.errors import BudgetError, DataError
from tinyengine.frontend.language import save_language
from tinyengine.measure.training import bench_training
from tinyengine.native.trainer import NativeTrainer
from tinyengine.paths import shared_dir
from tinyengine.step import Update
from tinyengine.writing import Settings

from tests.helpers import firmware_image
from tests.helpers.command_line import run
from tests.helpers.language import Shape, random_language

BOARD = "sim_stm32f405"
SEGMENT = 8
TEXT = "the cat sat on the mat. the fox saw the cat on the mat. a fox sat near the old oak. " * 2


def learning(path: Path, cpu: str = "cortex-m4") -> CompiledModel:
    return compile_model(path, CompileOptions(cpu, train="gains", segment=SEGMENT))


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("language") / "random.lm"
    path.write_bytes(save_language(random_language(Shape(layers=2, window=8, tokens=300), 4)))
    return path


@pytest.fixture(scope="module")
def elf(path: Path) -> Path:
    return firmware_image.compiled(BOARD, path.parent, learning(path))


@pytest.mark.parametrize(
    ("cpu", "portable", "group"), [("cortex-m4", False, 0), ("cortex-m7", False, 32), ("cortex-m4", True, 0)]
)
def test_a_core_computes_the_oracles_steps(tmp_path: Path, cpu: str, portable: bool, group: int) -> None:
    path = tmp_path / "random.lm"
    shape = Shape(layers=2, window=8, tokens=300, group=group, tied=not group, sinks=2)
    path.write_bytes(save_language(random_language(shape, 4)))
    report = bench_training(learning(path, cpu), portable=portable)
    assert report.check is not None and report.check.mismatched == 0 and report.check.reference == "oracle"
    assert report.sram_bytes.states > 0 and report.instructions_step > SEGMENT * report.instructions_forward


def test_a_board_learns_what_this_process_learns(path: Path, elf: Path) -> None:
    native = NativeTrainer(learning(path))
    with open_device(f"sim:{BOARD}", elf=elf) as device:
        board, writer = DeviceTrainer(device), DeviceWriter(device)
        assert writer.begin("a cat", Settings()) > 1
        text = TEXT.encode()
        for number in range(3):
            update = Update(0.5, 3, number)
            here, there = native.learn(text, update), board.learn(text, update)
            assert (here.loss, here.tokens, here.taken) == (there.loss, there.tokens, there.taken)
            assert there.count > 0
            text = text[there.taken :]
        assert board.read_state() == native.state and board.info().steps == 3
        assert board.learn(text, None).loss == native.learn(text, None).loss
        assert board.read_state() == native.state
        with pytest.raises(RefusedError):
            writer.write(1)  # what it had read is forgotten
        with pytest.raises(RefusedError):
            board.learn(b"", None)
        with pytest.raises(RefusedError, match="--velocity"):
            board.learn(text, Update(0.5, momentum=0.9))


def test_a_text_is_learned_saved_and_pulled(tmp_path: Path, path: Path, elf: Path) -> None:
    notes = tmp_path / "notes.txt"
    notes.write_text(TEXT)
    port = "--port", f"sim:{BOARD}", "--elf", elf, "--flash-file", tmp_path / "flash.bin"
    report = json.loads(run("train", *port, "--data", notes, "--epochs", 2, "--lr", 1, "--save", "--json").stdout)
    assert report["steps"] == 2 * report["segments"] and report["held_out_segments"] >= 1
    assert report["after"]["nats_per_token"] < report["before"]["nats_per_token"]
    assert report["device"]["saved"] and report["count_per_step"] > 0
    pulled = tmp_path / "pulled.lm"
    run("pull", path, "-o", pulled, *port)
    words = tmp_path / "words.txt"
    words.write_text("the cat sat")
    there, here = (
        json.loads(run("perplexity", model, words, *options, "--json").stdout)
        for model, options in ((path, port), (pulled, ()))
    )
    assert there == here
    assert here != json.loads(run("perplexity", path, words, "--json").stdout)
    with pytest.raises(ModelMismatchError, match="name the one that it runs"):  # as above
        run("perplexity", pulled, words, *port)
    json.loads(run("reset", *port, "--json").stdout)
    with pytest.raises(DataError, match="name a text file"):
        run("train", *port, "--data", tmp_path)
    with pytest.raises(DataError, match="leave it out"):
        run("train", *port, "--data", notes, "--flip")


def test_saved_values_come_back(tmp_path: Path, elf: Path) -> None:
    flash = tmp_path / "flash.bin"
    with open_device(f"sim:{BOARD}", elf=elf, flash=flash) as device:
        board = DeviceTrainer(device)
        factory = board.read_state()
        board.learn(TEXT.encode(), Update(0.5, 3))
        learned = board.read_state()
        board.save()
        board.learn(TEXT.encode(), Update(0.5, 3, 1))
        assert len({factory, learned, board.read_state()}) == 3
        board.restore()
        assert board.read_state() == learned and board.info().steps == 1
        board.reset()
        assert board.read_state() == factory
    with open_device(f"sim:{BOARD}", elf=elf, flash=flash) as device:  # after a power cut
        assert DeviceTrainer(device).read_state() == learned


@pytest.mark.slow
def test_stories260k_learns_on_the_f405(tmp_path: Path) -> None:
    """The study's 832 values: 32 tokens within 128 KB, 64 within 320 KB; a step's cost; a text over the port."""
    shared = shared_dir()
    checkpoint = shared / "models" / "stories260K" / "stories260K.bin" if shared else None
    if checkpoint is None or not checkpoint.is_file():
        pytest.skip("TINYENGINE_SHARED has no models/stories260K")
    path = tmp_path / "stories.lm"
    run("lm", "convert", checkpoint, "--brief", "-o", path)
    short, long = (compile_model(path, CompileOptions(train="gains", segment=n)) for n in (32, 64))
    assert short.training is not None
    assert short.training.layout.trained_weights + short.training.layout.trained_biases == 832
    assert short.sram_bytes <= 104 * 1024 and long.sram_bytes <= 160 * 1024
    with pytest.raises(BudgetError, match="a shorter --segment"):
        run("compile", path, "--board", BOARD, "--train", "gains", "--segment", 64)
    report = bench_training(short, steps=1)
    assert report.check is not None and report.check.mismatched == 0
    assert report.sram_bytes.total <= 106 * 1024 and report.instructions_step <= 46_500_000
