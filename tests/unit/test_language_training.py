"""Training a language model of our own: the tales, rows of tokens, steps that go on where they stopped, the command."""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from copy import copy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tinyengine.errors import DataError
from tinyengine.language.llama import logits
from tinyengine.language.tokenizer_json import train_tokenizer
from tinyengine.recipes.language_engine import IGNORED
from tinyengine.recipes.language_recipe import LanguageRecipe
from tinyengine.recipes.language_train import LanguageTraining, Rows, encode_texts

from scripts.tales.__main__ import tale
from scripts.tales.plots import PLOTS
from scripts.tales.world import World
from tests.helpers.command_line import fails, run

TINY = LanguageRecipe(
    width=16, layers=1, heads=2, kv_heads=1, hidden=24, vocabulary=340, context=24, epochs=2.0, batch=4, rate=0.01
)


def tales(count: int) -> list[str]:
    rng = random.Random(1)
    return [tale(rng) for _ in range(count)]


@pytest.mark.parametrize("plot", PLOTS, ids=lambda plot: plot.__name__)
def test_tales_are_whole_sentences(plot: object) -> None:
    for seed in range(25):
        world = World(random.Random(seed))
        text = plot(world)  # type: ignore[operator]
        assert text[0].isupper() and text[-1] in '."!' and 40 < len(text.split()) < 220
        assert not re.search(r"[\[\]{}|@]|  | [,.!?]|[.,]{2}|[.!?]\"\.", text), text
        assert text.count('"') % 2 == 0
        assert not re.search(r"\ba [aeio]|\ban (?!hour)[^aeiou]", text), text
        sentences = re.split(r"(?<=[.!?]) (?=[A-Z\"])", text)
        assert all(re.match(r'"?[A-Z]', sentence) for sentence in sentences), text


def test_tales_differ_and_are_repeatable() -> None:
    assert len(set(tales(300))) == 300
    assert tales(20) == tales(20)
    beginnings = Counter(" ".join(text.split()[:2]) for text in tales(300))
    assert len(beginnings) > 4


def test_numbers_in_tales_come_out_right() -> None:
    numbers = {word: n for n, word in enumerate(["no", "one", "two", "three", "four", "five", "six"])}
    from scripts.tales.plots import sharing

    for seed in range(60):
        text = sharing(World(random.Random(seed)))
        words = re.search(r"gave (?:him|her) (\w+) .* gave the \w+ (\w+) .* then s?he had (\w+) ", text)
        rest = re.search(r"gave the \w+ (\w+) [a-z]+\. Now s?he had only (\w+) ", text)
        assert words and rest, text
        have, first, left = (numbers[word] for word in words.groups())
        second, end = (numbers[word] for word in rest.groups())
        assert have - first == left and left - second == end > 0, text


def test_encoding_word_by_word_changes_nothing() -> None:
    texts = tales(10)
    tokenizer = train_tokenizer(texts, 400)
    for text, tokens in zip(texts, encode_texts(tokenizer, texts), strict=True):
        assert tokens.tolist() == tokenizer.encode(text)


def test_rows_begin_where_texts_do() -> None:
    rows = Rows([np.arange(1, 4), np.arange(10, 17), np.arange(20, 22)], context=4)
    assert len(rows) == 4  # the second text is longer than a row
    found = rows.take(np.arange(4))
    assert found.tolist() == [
        [1, 2, 3, 10, 11],
        [10, 11, 12, 13, 14],
        [14, 15, 16, 20, 21],
        [20, 21, IGNORED, IGNORED, IGNORED],
    ]


@pytest.fixture(scope="module")
def rows() -> Rows:
    texts = ["the cat sat on the mat and the dog sat on the log", "a dog and a cat sat in the sun"] * 20
    # pieces for 340 tokens need more words than that
    tokenizer = train_tokenizer(tales(40), 340)
    return Rows(encode_texts(tokenizer, texts), TINY.context)


@pytest.fixture
def torch() -> None:
    pytest.importorskip("torch", reason="PyTorch (the extra 'torch') is not installed")


@pytest.mark.usefixtures("torch")
def test_a_run_learns_and_its_model_is_the_one_that_was_trained(tmp_path: Path, rows: Rows) -> None:
    training = LanguageTraining(TINY, rows, tmp_path)
    before = training.held_out(rows)
    training.run(rows)
    after = training.held_out(rows)
    assert training.steps == training.step == 30 and after < before - 0.5
    # the float model of the room 'language' computes the same loss
    some = rows.take(np.arange(len(rows)))
    chances = logits(training.model(), np.maximum(some[:, :-1], 0)).astype(np.float64)
    chances -= np.log(np.exp(chances).sum(-1, keepdims=True))
    nats = -np.take_along_axis(chances, np.maximum(some[:, 1:, None], 0), -1)[..., 0]
    known = some[:, 1:] != IGNORED
    per_batch = [nats[n : n + 4][known[n : n + 4]].mean() for n in range(0, len(rows), 4)]
    assert np.mean(per_batch) == pytest.approx(after, abs=1e-4)
    line = json.loads((tmp_path / "log.jsonl").read_text().splitlines()[-1])
    assert line["step"] == 30 and line["held_out"] == pytest.approx(after)


@pytest.mark.usefixtures("torch")
def test_a_run_that_was_interrupted_takes_the_same_steps(tmp_path: Path, rows: Rows) -> None:
    whole = LanguageTraining(TINY, rows, tmp_path / "whole")
    whole.run(rows)

    broken = LanguageTraining(TINY, rows, tmp_path / "parts")
    broken.rows = copy(rows)
    calls = iter([None] * 7)

    def take(chosen: np.ndarray) -> np.ndarray:
        if next(calls, False) is False:
            raise KeyboardInterrupt
        return rows.take(chosen)

    broken.rows.take = take  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        broken.run(rows)
    assert broken.step == 7
    stopped = LanguageTraining(TINY, rows, tmp_path / "stopped", stop_at=7)
    stopped.run(rows)
    np.testing.assert_array_equal(stopped.model().embedding, broken.model().embedding)
    going_on = LanguageTraining(TINY, rows, tmp_path / "parts")
    going_on.resume()
    assert going_on.step == 7
    going_on.run(rows)
    np.testing.assert_array_equal(going_on.model().embedding, whole.model().embedding)
    other = LanguageTraining(replace(TINY, rate=0.02), rows, tmp_path / "parts")
    with pytest.raises(DataError, match="other settings: name another --run folder"):
        other.resume()


@pytest.mark.usefixtures("torch")
def test_the_command_trains_what_convert_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text, out = tmp_path / "tales.txt", tmp_path / "tales"
    text.write_text("\n".join(tales(120)), encoding="utf-8")
    sizes = ["--width", 16, "--layers", 1, "--heads", 2, "--kv-heads", 1, "--hidden", 16, "--vocabulary", 400]
    common = ["lm", "train", text, *sizes, "--context", 48, "--run", tmp_path / "run", "-o", out]
    report = json.loads(run(*common, "--json").stdout)
    assert report["texts"] == 117 and report["held_out_texts"] == 3 and report["steps"] > 7
    assert 0 < report["nats_per_byte"] < report["nats_per_token"] < 6
    refused = fails(monkeypatch, capsys, *common)
    assert "add --resume, or name another --run folder" in refused
    assert json.loads(run(*common, "--json", "--resume").stdout) == report
    converted = run("lm", "convert", out, "--window", 16, "--brief", "-o", tmp_path / "tales.lm", "--json")
    assert json.loads(converted.stdout)["parameters"] == report["parameters"]
    assert run("generate", tmp_path / "tales.lm", "--prompt", "Once", "--tokens", 5).exit_code == 0
    for change, words in (
        (["--heads", 3], "give other --heads"),
        (["--width", 20, "--heads", 1], "give a --width that is a multiple of 8"),
        (["--vocabulary", 402], "a --vocabulary that is a multiple of 4"),
        (["--vocabulary", 65540], "a multiple of 4 up to 65536"),
        (["--width", 512, "--heads", 1], "give other --heads"),
        (["-o", text], "name a folder with -o"),
        (["--batch", 4000], "use a smaller --batch"),
        (["--vocabulary", 40000], "or a --vocabulary of at most"),
        (["--vocabulary", 260], "give a --vocabulary of at least"),
    ):
        assert words in fails(monkeypatch, capsys, *common, *change, "--run", tmp_path / "other")
    text.write_text("one line")
    assert "one text per line, at least two" in fails(monkeypatch, capsys, *common, "--run", tmp_path / "other")
