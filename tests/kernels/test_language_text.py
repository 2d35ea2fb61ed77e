"""What a language model writes: C's tokenizer and chance against Python's, and the whole of it from a seed."""

from __future__ import annotations

import ctypes
import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tinyengine.compiler import compile_graph
from tinyengine.errors import ModelError
from tinyengine.frontend.language import language_graph, save_language
from tinyengine.ir.tokenizer import BEGIN, END, LONGEST_PIECE
from tinyengine.native import NativeModel, build
from tinyengine.native.writer import NativeWriter
from tinyengine.paths import project_root
from tinyengine.reference import Session
from tinyengine.reference.sampling import sample, seeded
from tinyengine.writing import Settings, pieces

from tests.helpers.command_line import fails, run
from tests.helpers.language import Shape, random_language

SHAPE = Shape(layers=1, window=8, tokens=340)


@pytest.fixture(scope="module")
def network() -> NativeModel:
    return build(compile_graph(language_graph(random_language(SHAPE, 4))))


def by_the_oracle(network: NativeModel, prompt: str, chosen: Settings, tokens: int) -> bytes:
    """The same text, by the oracle's logits and Python's tokenizer and sampling."""
    tokenizer = network.graph.tokenizer
    assert tokenizer is not None
    session, text, random = Session(network.graph), b"", seeded(chosen.seed)
    *known, last = tokenizer.encode(prompt)
    for token in known:
        session.run([np.array([token], np.int32)])
    for _ in range(tokens):
        [logits] = session.run([np.array([last], np.int32)])
        following, random = sample(logits, chosen.sharpness, chosen.share, random)
        if following in (BEGIN, END) and not chosen.endless:
            break
        text += tokenizer.piece(following, last)
        last = following
    return text


@pytest.mark.parametrize(
    "chosen",
    [
        Settings(endless=True),
        Settings(1.0, 1.0, 1, True),
        Settings(0.7, 0.5, 2, True),
        Settings(2.0, 0.9, 3),
        Settings(0.01, 0.0, 4, True),
    ],
    ids=str,
)
def test_a_seed_writes_the_oracles_text(network: NativeModel, chosen: Settings) -> None:
    writer = NativeWriter(network)
    for prompt in ("", "once upon"):
        read = writer.begin(prompt, chosen)
        assert network.graph.tokenizer is not None
        assert read == len(network.graph.tokenizer.encode(prompt))
        text = b"".join(piece.text for piece in pieces(writer, 25))
        assert text == by_the_oracle(network, prompt, chosen, 25)


def test_seeds_and_temperatures_matter(network: NativeModel) -> None:
    writer = NativeWriter(network)

    def text(chosen: Settings) -> bytes:
        writer.begin("a", chosen)
        return b"".join(piece.text for piece in pieces(writer, 20))

    seeds = {text(Settings(1.0, 1.0, seed, True)) for seed in range(4)}
    assert len(seeds) == 4
    assert text(Settings(1.0, 1.0, 3, True)) == text(Settings(1.0, 1.0, 3, True))
    assert text(Settings(0.0, 1.0, 1, True)) == text(Settings(0.0, 0.5, 2, True))


@settings(deadline=None)
@given(text=st.text(st.characters(exclude_categories=["Cs"]), max_size=24) | st.text("abcd ez", max_size=40))
def test_c_encodes_as_python(network: NativeModel, text: str) -> None:
    tokenizer, data = network.graph.tokenizer, text.encode()
    assert tokenizer is not None
    tokens = (ctypes.c_uint16 * (len(data) + 2))()
    count = network.library.native_encode(0, data, len(data), tokens)
    assert list(tokens[:count]) == tokenizer.encode(text)
    buffer, decoded = ctypes.create_string_buffer(LONGEST_PIECE), b""
    for before, token in pairwise(tokens[:count]):
        size = network.library.native_decode(0, token, before, buffer)
        decoded += buffer.raw[:size]
    assert decoded == data


@settings(deadline=None)
@given(
    logits=st.lists(st.integers(-40000, 40000), min_size=2, max_size=30),
    temperature=st.sampled_from([0.3, 1.0, 3.0]),
    top_p=st.sampled_from([0.0, 0.3, 0.9, 1.0]),
)
def test_draws_follow_the_weights(logits: list[int], temperature: float, top_p: float) -> None:
    chosen = Settings(temperature, top_p)
    values, random = np.array(logits), seeded(7)
    chances = np.exp((values - values.max()) / 4096 / temperature)
    chances /= chances.sum()
    for _ in range(20):
        token, random = sample(values, chosen.sharpness, chosen.share, random)
        likelier = chances[values > values[token] + 16 * temperature].sum()
        assert likelier < max(top_p, 0.001) + 0.01
        assert chances[token] > chances.max() * 2.0**-16


def test_generate_in_this_process(tmp_path: Path) -> None:
    path = tmp_path / "random.lm"
    path.write_bytes(save_language(random_language(SHAPE, 4)))
    arguments = "generate", path, "--prompt", "once", "--tokens", "12", "--seed", "5", "--endless"
    first, again = (json.loads(run(*arguments, "--json").stdout) for _ in range(2))
    assert first["text"] == again["text"] and first["tokens"] == 12 and not first["ended"]
    shown = run(*arguments).stdout
    assert shown.startswith("once" + first["text"].split("\n")[0])


def test_perplexity_is_that_of_the_oracle(tmp_path: Path) -> None:
    model = random_language(SHAPE, 4)
    path, text = tmp_path / "random.lm", tmp_path / "text.txt"
    path.write_bytes(save_language(model))
    text.write_text("once upon a time there was a fox")
    figures = json.loads(run("perplexity", path, text, "--json").stdout)
    session, nats = Session(language_graph(model)), []
    ids = model.tokenizer.encode(text.read_text())
    for token, following in pairwise(ids):
        logits = session.run([np.array([token], np.int32)])[0].ravel() / 4096
        nats.append(np.log(np.exp(logits - logits[following]).sum()))
    assert figures["tokens"] == len(ids) - 1
    assert figures["nats_per_token"] == pytest.approx(np.mean(nats), rel=1e-9)
    short = json.loads(run("perplexity", path, text, "--json", "--tokens", "3").stdout)
    assert short["tokens"] == 3
    assert run("perplexity", path, text).stdout.endswith(f"perplexity {figures['perplexity']:.3f}\n")


def test_a_text_that_is_all_but_impossible_has_a_perplexity(tmp_path: Path) -> None:
    """A bias of 128 nats, the most that a board learns, against scores below: JSON has no infinity."""
    model = random_language(SHAPE, 4)
    text = tmp_path / "text.txt"
    text.write_text("once upon a time")
    ids = model.tokenizer.encode(text.read_text())
    bias = np.full(SHAPE.tokens, 1 << 23, np.int32)
    bias[ids] = 0
    path = tmp_path / "random.lm"
    path.write_bytes(save_language(replace(model, bias=bias)))
    figures = json.loads(run("perplexity", path, text, "--json").stdout)
    assert figures["nats_per_token"] > 1000 and 1e300 < figures["perplexity"] < float("inf")


def test_a_folder_is_no_model(tmp_path: Path) -> None:
    for command in ("generate", "perplexity"):
        with pytest.raises(ModelError, match=r"is a directory: name the \.tflite or \.lm file in it"):
            run(command, tmp_path, *[tmp_path] * (command == "perplexity"))


def test_who_cannot_write_says_so(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    other = project_root() / "models" / "person_tiny.tflite"
    assert "lm convert" in fails(monkeypatch, capsys, "generate", other)
    assert "MODEL" in fails(monkeypatch, capsys, "generate")
    assert "lm convert" in fails(monkeypatch, capsys, "perplexity", other, other)
