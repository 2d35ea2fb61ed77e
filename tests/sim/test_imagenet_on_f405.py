"""An ImageNet network of 0.74 M parameters on a chip with 128 KB of SRAM: mcunet-in3, its picture sent by rows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tinyengine import reference
from tinyengine.boards import load
from tinyengine.compiler import CompileOptions, compile_model
from tinyengine.device import open_device
from tinyengine.project.budget import judge, measure_code
from tinyengine.report.figures import network_figures
from tinyengine.zoo.export import export
from tinyengine.zoo.table import find

from tests.helpers.firmware_image import compiled

BOARD = "sim_stm32f405"


@pytest.mark.slow
def test_mcunet_in3_in_64_kb(tmp_path: Path) -> None:
    pytest.importorskip("tensorflow", reason="TensorFlow is needed to build the network")
    path = tmp_path / "in3.tflite"
    export(find("mcunet-in3"), path)
    target = load(BOARD)
    options = CompileOptions(cpu=target.cpu, input="rows", optimize="sram", sram=64 * 1024)
    model = compile_model(path, options)
    judge(model, target, measure_code(model))  # flash too
    assert model.plan.arena_bytes <= 62 * 1024
    assert network_figures(model)["macs_executed"] == model.macs > 80e6

    picture = np.random.default_rng(3).integers(-128, 128, (176, 176, 3)).astype(np.int8)
    (expected,) = reference.run(model.graph, [picture[np.newaxis]])
    with open_device(f"sim:{BOARD}", models={model.model_hash}, elf=compiled(BOARD, tmp_path, model)) as device:
        answer = device.infer(picture, by_rows=True).outputs[0]
        np.testing.assert_array_equal(answer, expected.ravel())
        assert len(np.unique(answer)) > 3  # a network that says something
        statistics = device.statistics()
        assert 0 < statistics.arena_high_water <= statistics.arena_bytes == model.plan.arena_bytes
