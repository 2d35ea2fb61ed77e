"""Texts are read as UTF-8 wherever they are read; nats are those of the logits."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from tinyengine.data.answers import softmax
from tinyengine.errors import DataError
from tinyengine.ir.tokenizer import Tokenizer
from tinyengine.language.text import nats, read_text


def test_texts_are_utf8_whatever_the_computer_is_set_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there, asked = Path.read_text, []
    monkeypatch.setattr(
        Path, "read_text", lambda path, **given: asked.append(given["encoding"]) or there(path, **given)
    )
    path = tmp_path / "text.txt"
    path.write_bytes("Grüße".encode() + b"\xff")
    text = read_text(path)
    assert text == "Grüße\udcff"
    pieces = (b"",) * 259 + (b" ",)
    tokens = Tokenizer(pieces, (0.0,) * 260).encode(text, begin=False)
    assert bytes(token - 3 for token in tokens[1:]) == path.read_bytes()
    assert asked == ["utf-8"]
    with pytest.raises(DataError, match="cannot read"):
        read_text(tmp_path / "none.txt")


def test_nats_are_those_of_the_logits() -> None:
    rng = np.random.default_rng(1)
    logits = rng.integers(-60_000, 60_000, (5, 40)).astype(np.int32)
    tokens = [3, 0, 4, 2, 1]
    seen: list[tuple[int, int]] = []
    found = nats(tokens, lambda token: logits[token], lambda done, total: seen.append((done, total)))
    chances = [softmax(logits[token] / 4096)[following] for token, following in pairwise(tokens)]
    np.testing.assert_allclose(found, -np.log(chances), rtol=1e-12)
    assert seen == [(n, 4) for n in range(4)]
