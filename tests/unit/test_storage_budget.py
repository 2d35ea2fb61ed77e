"""Flash for trained states is taken out of the budget of a network that is trained, and only of that."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from tinyengine.boards import load, names
from tinyengine.compiler import CompiledModel, CompileOptions, compile_model
from tinyengine.errors import BudgetError
from tinyengine.paths import project_root
from tinyengine.project.budget import judge
from tinyengine.report.compile import compile_table
from tinyengine.report.storage import storage_figures, storage_sentence

MODEL = project_root() / "models" / "person_tiny.tflite"
BOARD = load("sim_stm32f405")


def compiled(train: str | None) -> CompiledModel:
    return compile_model(Path(MODEL), CompileOptions(train=train))


@pytest.fixture(scope="module")
def trained() -> CompiledModel:
    return compiled("last-layer")


@pytest.fixture(scope="module")
def plain() -> CompiledModel:
    return compiled(None)


def test_training_takes_the_slots_out_of_the_flash(trained: CompiledModel, plain: CompiledModel) -> None:
    assert BOARD.storage is not None
    whole = judge(plain, BOARD)
    assert whole.flash_available == BOARD.network_flash_bytes
    assert judge(trained, BOARD).flash_available == whole.flash_available - 2 * 131072
    with pytest.raises(BudgetError, match="are there for it beside the slots of trained states"):
        judge(trained, replace(BOARD, flash_bytes=500 * 1024))
    judge(plain, replace(BOARD, flash_bytes=500 * 1024))


def test_the_report_names_the_sectors(trained: CompiledModel, plain: CompiledModel) -> None:
    assert storage_figures(plain, BOARD) == {}
    assert storage_sentence(plain, BOARD) == ""
    report = storage_figures(trained, BOARD)["storage"]
    assert report == {
        "slots": [
            {"sector": "sector 10", "address": 0x080C0000, "bytes": 131072},
            {"sector": "sector 11", "address": 0x080E0000, "bytes": 131072},
        ],
        "state_bytes": trained.trained_bytes,
        "fits": True,
    }
    for name in names():
        board = load(name)
        if board.storage:
            assert board.storage.sectors[1] in storage_sentence(trained, board)
    compile_table(trained, judge(trained, BOARD), BOARD)


def test_a_state_that_does_not_fit(trained: CompiledModel) -> None:
    assert BOARD.storage is not None
    exact = replace(BOARD, storage=replace(BOARD.storage, slot_bytes=trained.trained_bytes + BOARD.storage.OVERHEAD))
    small = replace(BOARD, storage=replace(BOARD.storage, slot_bytes=trained.trained_bytes + 127))
    assert storage_figures(trained, exact)["storage"]["fits"]  # type: ignore[index]
    assert not storage_figures(trained, small)["storage"]["fits"]  # type: ignore[index]
    assert "does not fit a slot" in storage_sentence(trained, small)
    none = replace(BOARD, storage=None)
    assert "no flash for trained states" in storage_sentence(trained, none)
    assert storage_figures(trained, none) == {}
