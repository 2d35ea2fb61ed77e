"""Training on the simulated STM32F405: the bytes of the native backend, by frames and by rows."""

from __future__ import annotations

from pathlib import Path

import pytest
from tinyengine.boards import load
from tinyengine.device import open_device
from tinyengine.device.training import DeviceTrainer
from tinyengine.native import NativeTrainer

from tests.sim.firmware_image import compiled
from tests.trained_network import compile_trainable, random_input, write_model

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
            x, label = random_input(number), number % 3
            place = {"momentum": momentum, "batch": batch, "sample": number % batch}
            done = trainer.step(x, label, 3, rate=0.05, seed=2, step=number, **place)
            expected = here.step(x, label, 0.05, seed=2, step=number, classes=3, **place)
            assert (done.loss, done.predicted) == (expected.loss, expected.predicted)
        state = trainer.read_state()
        assert state == here.state
        seen = trainer.evaluate(random_input(50), 1, 3)
        expected = here.evaluate(random_input(50), 1, classes=3)
        assert (seen.loss, seen.predicted) == (expected.loss, expected.predicted)
        here.reset()
        trainer.reset()
        assert trainer.read_state() == here.state != state
        trainer.write_state(state, model.layout_hash, steps=10)
        here.state = state
        x = random_input(60)
        assert device.infer(x).outputs[0].tolist() == here.run(x)[0].ravel().tolist()
