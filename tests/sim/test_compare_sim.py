"""``tinyengine compare`` against the firmware on a simulated STM32F405."""

from __future__ import annotations

import json

from tinyengine.boards import load
from tinyengine.compiler import CompileOptions, compile_model
from tinyengine.frontend import load_tflite

from tests.helpers import firmware_image
from tests.helpers.command_line import tinyengine
from tests.helpers.faulty_weights import with_fault, written
from tests.helpers.needs import simulated_core

pytestmark = simulated_core

BOARD = "sim_stm32f405"
FAULTY = 5


def test_a_wrong_weight_byte_is_found(monkeypatch, capsys, tmp_path) -> None:
    path, board = written(tmp_path), load(BOARD)
    options = CompileOptions(board.cpu, requant="fast", sram_available=board.network_sram_bytes)
    for name, model, faulty in (
        ("right", compile_model(path, options), False),
        ("wrong", with_fault(path, FAULTY, options), True),
    ):
        (tmp_path / name).mkdir()
        elf = firmware_image.compiled(BOARD, tmp_path / name, model)
        command = ["compare", path, "--port", f"sim:{BOARD}", "--elf", elf, "--json"]
        code, out, _ = tinyengine(monkeypatch, capsys, *command)
        found = json.loads(out)
        assert code == faulty
        if faulty:
            assert found["first"]["tensor"] == load_tflite(path).operators[FAULTY].outputs[0]
            assert 0 < found["first"]["differing"] <= 400 and found["first"]["expected"] != found["first"]["got"]
        else:
            assert found["first"] is None and found["compared"] == found["layers"] == len(model.calls)
