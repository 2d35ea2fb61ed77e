"""What is trained in a language model, and a session that trains it on a text."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tinyengine.compiler import CompiledModel, CompileOptions, compile_graph, compile_model
from tinyengine.errors import DataError, ModelError
from tinyengine.finetune.exchange import TrainedState, find_network, read_network, write_trained
from tinyengine.finetune.session import TuneOptions
from tinyengine.finetune.text import cut, judge, split_segments, tune
from tinyengine.frontend.language import language_graph, load_language, save_language
from tinyengine.native import build
from tinyengine.native.trainer import NativeTrainer
from tinyengine.step import Update
from tinyengine.training.language import BIAS_LIMIT, GAIN_LIMIT, find_blocks

from tests.helpers.language import Shape, random_language

SHAPE = Shape(window=8)
TEXT = b"the cat sat on the mat. the fox saw the cat on the mat. a fox sat near the old oak. " * 3


def learned(path: Path) -> CompiledModel:
    return compile_model(path, CompileOptions(train="gains", segment=8))


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("language") / "random.lm"
    path.write_bytes(save_language(random_language(SHAPE, 4)))
    return path


def test_a_scheme_names_what_is_trained() -> None:
    graph = language_graph(random_language(SHAPE, 3))
    model = compile_graph(graph, CompileOptions(train="gains-1", segment=8))
    assert model.training is not None
    layout = model.training.layout
    names = [part.tensor for part in layout.parts]
    assert names == ["bias", "layers.1.attention.gains", "layers.1.feed.gains", "gains"]
    assert (layout.trained_weights, layout.trained_biases) == (3 * SHAPE.width, SHAPE.tokens)
    trainer = NativeTrainer(model)
    for number in range(8):
        tokens = np.random.default_rng(number).integers(0, SHAPE.tokens, 9).tolist()
        trainer.segment(tokens, Update(1000.0, 1, number))
    limits = [abs(part.read(trainer.state).astype(int)).max() for part in layout.parts]
    assert limits[0] <= BIAS_LIMIT and max(limits[1:]) == GAIN_LIMIT


@pytest.mark.parametrize(
    ("options", "error", "sentence"),
    [
        ({"train": "last-2"}, DataError, "give --train gains"),
        ({"train": "gains-3"}, DataError, "at most 2"),
        ({"train": "gains", "segment": 17}, DataError, "give --segment 8"),
        ({"train": "gains", "classes": 3}, ModelError, "leave out --classes"),
        ({"train": "gains", "residual": True}, ModelError, "leave out --classes"),
    ],
)
def test_what_cannot_be_trained(options: dict[str, object], error: type[Exception], sentence: str) -> None:
    graph = language_graph(random_language(SHAPE, 1))
    with pytest.raises(error, match=sentence):
        compile_graph(graph, replace(CompileOptions(segment=8), **options))  # type: ignore[arg-type]


def test_blocks_are_found() -> None:
    parts = find_blocks(language_graph(random_language(Shape(layers=3), 1)))
    assert [block.gate.name for block in parts.blocks] == [f"layers.{n}.feed.gate" for n in range(3)]


def test_a_text_is_cut_into_segments_that_are_all_of_it(path: Path) -> None:
    trainer = NativeTrainer(learned(path))
    segments = cut(trainer, TEXT)
    assert b"".join(segments) == TEXT
    assert max(trainer.learn(segment, None).tokens for segment in segments) == 8
    train, held_out = split_segments(segments, 0.2, 1)
    assert len(train) + len(held_out) == len(segments) and len(held_out) == round(0.2 * len(segments))
    with pytest.raises(DataError, match="give a longer one"):
        split_segments(segments[:1], 0.2, 1)
    assert cut(trainer, "öß".encode())


def test_a_session_learns_its_text(path: Path) -> None:
    trainer = NativeTrainer(learned(path))
    segments = cut(trainer, TEXT)
    result = tune(trainer, segments[1:], segments[:3], TuneOptions(0, epochs=4, rate=1.0, seed=2))
    before, after = result.evaluations
    assert result.steps == 4 * (len(segments) - 1) and not result.diverged
    assert after.loss < before.loss - 0.5
    assert after == judge(trainer, segments[:3], result.steps)


def test_a_session_that_diverges_gives_the_state_back(path: Path) -> None:
    trainer = NativeTrainer(learned(path))
    before, segments = trainer.state, cut(trainer, TEXT)
    result = tune(trainer, segments, segments[:3], TuneOptions(0, epochs=3, rate=1000.0))
    assert result.diverged and trainer.state == before and result.evaluations[-1] == result.evaluations[0]


def test_the_trained_model_is_a_file_that_computes_the_same(tmp_path: Path, path: Path) -> None:
    model = learned(path)
    trainer = NativeTrainer(model)
    trainer.learn(TEXT, Update(1.0, 5))
    network = find_network(path, model.layout_hash, "gains", 0)
    pulled = tmp_path / "pulled.lm"
    write_trained(network, TrainedState(trainer.state, model.layout_hash, "gains", 1), pulled)
    assert read_network(network, pulled) == trainer.state
    loaded = load_language(pulled)
    assert loaded.bias is not None and loaded.bias.any()
    other = build(compile_model(pulled))
    for each in (trainer.model, other):
        each.reset()
    for token in (1, 40, 299, 7):
        given = [np.array([token], np.int32)]
        np.testing.assert_array_equal(trainer.model.run(given)[0], other.run(given)[0])
    with pytest.raises(DataError, match="was not built from"):
        find_network(pulled, model.layout_hash, "gains", 0)
    foreign = tmp_path / "foreign.lm"
    moved = replace(loaded, table_multipliers=loaded.table_multipliers + 1)
    foreign.write_bytes(save_language(moved))
    with pytest.raises(DataError, match="beyond what the scheme trains"):
        read_network(network, foreign)
