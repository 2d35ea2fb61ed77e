"""JSON that is nested too deeply is refused in a sentence, whoever reads it (MODEL.json: test_metadata.py)."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tinyengine.errors import TinyEngineError
from tinyengine.frontend.language import load_language
from tinyengine.frontend.tiny_training import load_tiny_training
from tinyengine.training.scheme import load_scheme
from tinyengine.zoo.arch_file import load_architecture

DEEP = "[" * 100_000


@pytest.mark.parametrize("read", [load_scheme, load_tiny_training, load_architecture])
def test_deep_files_are_refused(tmp_path: Path, read: Callable[[Path], Any]) -> None:
    (tmp_path / "deep.json").write_text(DEEP)
    with pytest.raises(TinyEngineError, match=r"deep\.json") as refused:
        read(tmp_path / "deep.json")
    assert "\n" not in str(refused.value)


def test_a_deep_language_model_is_refused(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    np.savez(buffer, about=np.frombuffer(DEEP.encode(), np.uint8))
    (tmp_path / "deep.lm").write_bytes(buffer.getvalue())
    with pytest.raises(TinyEngineError, match=r"deep\.lm is no language model"):
        load_language(tmp_path / "deep.lm")
