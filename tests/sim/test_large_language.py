"""The largest language models of 4 bits that a board of each kind holds, around random weights."""

from __future__ import annotations

from pathlib import Path

import pytest
from tinyengine.boards import load
from tinyengine.compiler import CompileOptions, compile_graph
from tinyengine.frontend.language import LanguageModel, language_graph
from tinyengine.project.budget import fits_sram
from tinyengine.project.firmware import link_firmware

from tests.helpers import needs
from tests.helpers.language import Shape, gentle, random_language

pytestmark = needs.simulated_core

LARGEST = {
    "sim_stm32f405": (
        1_600_000,
        Shape(heads=8, key_heads=2, head=16, hidden=340, layers=9, window=128, tokens=512, group=32),
    ),
    "nucleo_h743zi": (
        3_400_000,
        Shape(heads=12, key_heads=6, head=16, hidden=512, layers=8, window=256, tokens=1024, group=64),
    ),
}


def parameters(model: LanguageModel) -> int:
    """Of the float model; embedding and classifier are one."""
    layers = [
        (layer.attention, layer.output, layer.feed, layer.down, layer.attention_gains, layer.feed_gains)
        for layer in model.layers
    ]
    matrices = sum(getattr(part, "values", part).size for layer in layers for part in layer)
    return model.table.size + model.gains.size + matrices


@pytest.mark.parametrize("name", LARGEST)
def test_it_fits_and_every_matrix_is_fast(tmp_path: Path, name: str) -> None:
    least, shape = LARGEST[name]
    model, board = gentle(random_language(shape)), load(name)
    assert parameters(model) >= least
    compiled = compile_graph(language_graph(model), CompileOptions(board.cpu))
    assert not compiled.hints
    assert fits_sram(compiled, board)
    compiled.write(tmp_path)
    sections = link_firmware(board, tmp_path, tmp_path / "firmware.elf")  # BudgetError where a memory is too small
    assert 0.95 * board.flash_bytes < sections.flash <= board.flash_bytes
