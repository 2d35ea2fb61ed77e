"""One story on every simulated board, from the first byte to a state that survives a reset: QEMU's boards guard the
story itself, the two real boards run it in Renode where that is installed."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path

import numpy as np
import pytest
from tinyengine import sim
from tinyengine.boards import load
from tinyengine.device import open_device
from tinyengine.device.training import DeviceTrainer, Storage
from tinyengine.device.transport import SocketTransport
from tinyengine.native import NativeTrainer
from tinyengine.step import Sample, Update

from tests.helpers.firmware_image import compiled
from tests.helpers.trained_network import compile_trainable, random_input, write_model

needs_renode = pytest.mark.skipif(shutil.which("renode") is None, reason="renode is not on PATH")


@pytest.mark.parametrize("by_rows", [False, True])
@pytest.mark.parametrize(
    "board",
    [
        "sim_stm32f405",
        "sim_mps2_an505",
        "sim_mps3_an547",
        pytest.param("disco_f746ng", marks=needs_renode),
        pytest.param("nucleo_h743zi", marks=needs_renode),
    ],
)
def test_boot_to_restored_state(board: str, by_rows: bool, tmp_path: Path) -> None:
    description = load(board)
    input_mode = "rows" if by_rows else "frame"
    model = compile_trainable(write_model(tmp_path / "tiny.tflite"), description.cpu, "exact", input_mode)
    here = NativeTrainer(model)
    flash = tmp_path / "flash" if description.simulators[0].kind == "qemu" else None
    with sim.start(board, compiled(board, tmp_path, model), flash=flash) as simulation:
        with contextlib.closing(SocketTransport(simulation.url)) as line:  # what a terminal or a modem daemon would say
            line.write(bytes(range(256)) + b"AT\r\n\x00\x00")
        with open_device(simulation.url) as device:
            assert device.identity.board == board
            assert device.identity.model_hash == model.model_hash
            x = random_input(1)
            np.testing.assert_array_equal(device.infer(x, by_rows=by_rows).outputs[0], here.run(x)[0].ravel())

            trainer = DeviceTrainer(device)
            factory = trainer.read_state()
            assert trainer.info().storage.outcome is Storage.EMPTY
            done, expected = (t.step(x, Sample(1, 3), Update(0.05, 2, 0)) for t in (trainer, here))
            assert (done.loss, done.predicted) == (expected.loss, expected.predicted)
            assert trainer.read_state() == here.state != factory
            assert trainer.save().generation == 1
            trainer.reset()
            assert trainer.read_state() == factory
            assert trainer.restore().steps == 1
            assert trainer.read_state() == here.state
            device.reset()
            assert trainer.read_state() == here.state  # what was saved is what a board begins with
            trainer.forget()
            assert trainer.info().storage.outcome is Storage.EMPTY
        simulation.check()
