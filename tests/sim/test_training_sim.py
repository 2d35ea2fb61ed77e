"""Training on the simulated STM32F405: the bytes of the native backend, by frames and by rows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tinyengine.boards import load
from tinyengine.compiler import CompileOptions, compile_graph
from tinyengine.device import open_device
from tinyengine.device.training import DeviceTrainer
from tinyengine.native import NativeTrainer
from tinyengine.project.budget import judge, measure_code
from tinyengine.step import Sample, Update

from tests.helpers.firmware_image import compiled
from tests.helpers.tiny_networks import tiny_graph
from tests.helpers.trained_network import compile_trainable, random_input, write_model

BOARD = "sim_stm32f405"


@pytest.mark.parametrize(
    ("input_mode", "requant", "momentum", "batch"), [("frame", "fast", 0.0, 1), ("rows", "exact", 0.9, 2)]
)
def test_ten_steps_give_the_native_bytes(
    tmp_path: Path, input_mode: str, requant: str, momentum: float, batch: int
) -> None:
    model = compile_trainable(
        write_model(tmp_path / "tiny.tflite"), load(BOARD).cpu, requant, input_mode, velocity=batch > 1
    )
    here = NativeTrainer(model)
    with open_device(f"sim:{BOARD}", elf=compiled(BOARD, tmp_path, model)) as device:
        trainer = DeviceTrainer(device)
        for number in range(10):
            x, sample = random_input(number), Sample(number % 3, 3)
            update = Update(0.05, 2, number, momentum, batch, number % batch)
            done, expected = trainer.step(x, sample, update), here.step(x, sample, update)
            assert (done.loss, done.predicted) == (expected.loss, expected.predicted)
        state = trainer.read_state()
        assert state == here.state
        seen = trainer.evaluate(random_input(50), Sample(1, 3))
        expected = here.evaluate(random_input(50), Sample(1, 3))
        assert (seen.loss, seen.predicted) == (expected.loss, expected.predicted)
        here.reset()
        trainer.reset()
        assert trainer.read_state() == here.state != state
        trainer.write_state(state, model.layout_hash, steps=10)
        here.state = state
        x = random_input(60)
        assert device.infer(x).outputs[0].tolist() == here.run(x)[0].ravel().tolist()


@pytest.mark.slow
def test_mcunet_5fps_trains_in_128_kb(tmp_path: Path) -> None:
    """The network of the published schemes at its own resolution, with random weights: 42 convolutions, 20 trained."""
    board = load(BOARD)
    options = CompileOptions(
        cpu=board.cpu, requant="fast", sram_available=board.network_sram_bytes, train="mcunet-5fps/49kb", classes=10
    )
    model = compile_graph(tiny_graph("mcunet-5fps", 10), options, identity=b"5fps")
    judge(model, board, measure_code(model))  # SRAM, and flash beside two slots of trained weights
    here = NativeTrainer(model)
    pictures = np.random.default_rng(0).integers(-128, 128, (2, 1, 128, 128, 3), np.int8)
    with open_device(f"sim:{BOARD}", elf=compiled(BOARD, tmp_path, model)) as device:
        trainer = DeviceTrainer(device)
        for number, x in enumerate(pictures):
            sample, update = Sample(number, 10), Update(0.01, 1, number)
            done, expected = trainer.step(x, sample, update), here.step(x, sample, update)
            assert (done.loss, done.predicted) == (expected.loss, expected.predicted)
        trained = here.state
        assert trainer.read_state() == trained
        here.reset()
        assert here.state != trained
        statistics = device.statistics()
        assert 0 < statistics.arena_high_water <= statistics.arena_bytes == model.plan.arena_bytes
