"""The demonstration's data and what it needs of its board; scripts/demo itself takes minutes."""

from __future__ import annotations

from pathlib import Path

import pytest
from tinyengine.boards import load
from tinyengine.cli import demo
from tinyengine.compiler import CompileOptions, compile_model
from tinyengine.data.reader import read_pictures
from tinyengine.paths import project_root
from tinyengine.project.budget import judge, measure_code


def test_faces(tmp_path: Path) -> None:
    pytest.importorskip("skimage", reason="scikit-image (the extra 'demo') is not installed")
    train, held_out = (read_pictures(folder) for folder in demo.save_faces(tmp_path / "faces"))
    assert train.classes == held_out.classes == ("face", "no_face")
    assert (len(train), len(held_out)) == (100, 40)
    assert (train.labels == 0).sum() == 50
    shown = {picture.rgb().tobytes() for picture in train.values}
    assert not shown & {picture.rgb().tobytes() for picture in held_out.values}


def test_the_second_act_fits_its_board() -> None:
    board = load(demo.BOARD)
    options = CompileOptions(
        cpu=board.cpu,
        requant="exact",
        sram_available=board.network_sram_bytes,
        train=str(project_root() / demo.SCHEME),
        classes=2,
    )
    compiled = compile_model(project_root() / demo.MODEL, options)
    judge(compiled, board, measure_code(compiled))  # raises BudgetError


def test_the_third_act_fits_its_board() -> None:
    board = load(demo.BOARD)
    options = CompileOptions(cpu=board.cpu, sram_available=board.network_sram_bytes)
    compiled = compile_model(project_root() / demo.TALES, options)
    judge(compiled, board, measure_code(compiled))  # raises BudgetError


def test_the_acts_are_commands_one_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[tuple[str, ...]] = []
    monkeypatch.setattr(demo, "tinyengine", lambda *arguments: called.append(arguments))
    monkeypatch.setattr(demo, "save_photographs", lambda folder: [])
    monkeypatch.setattr(demo, "save_faces", lambda folder: (folder / "train", folder / "held_out"))
    demo.run()
    assert [arguments[0] for arguments in called] == [
        *("build", "infer") * 3, "build", "train", "eval", "build", "generate",
    ]  # fmt: skip
    assert called[-2][1] == demo.TALES.as_posix() and f"sim:{demo.BOARD}" in called[-1]
