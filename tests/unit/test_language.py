"""Language models as files and graphs, their tokenizer, and what a ring remembers."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tinyengine.compiler import compile_model
from tinyengine.errors import ModelError
from tinyengine.frontend.language import language_graph, load_language, save_language
from tinyengine.frontend.network import load_network
from tinyengine.ir import Graph, Operator, OpKind
from tinyengine.ir.language import next_position, pack_keys, pack_values, slot_of, unpack_values
from tinyengine.ir.tokenizer import BEGIN, Tokenizer
from tinyengine.reference import Session, language

from tests.helpers.command_line import run
from tests.helpers.language import Shape, random_language, random_tokenizer, random_tokens


@pytest.mark.parametrize(
    "shape", [Shape(), Shape(group=32, sinks=3, tied=False), Shape(sinks=3, kept=2)], ids=["w8", "w4", "keeping"]
)
def test_a_file_holds_the_model(tmp_path: Path, shape: Shape) -> None:
    model = random_language(shape)
    path = tmp_path / "random.lm"
    path.write_bytes(save_language(model))
    again = load_language(path)
    assert save_language(again) == path.read_bytes()
    assert again.tokenizer == model.tokenizer and again.tied == shape.tied
    ours, theirs = Session(language_graph(model)), Session(load_network(path))
    for values in random_tokens(shape, 5):
        np.testing.assert_array_equal(ours.run(values)[0], theirs.run(values)[0])


def test_other_files_are_no_language_models(tmp_path: Path) -> None:
    """Nobody is told to unpickle them."""
    whole = save_language(random_language(Shape()))
    for data in (b"hello", b"", whole[:1000], whole.replace(b"PK", b"XX")):
        (tmp_path / "other.lm").write_bytes(data)
        with pytest.raises(ModelError, match=r"other.lm is no language model \(no archive of arrays\): write it"):
            load_language(tmp_path / "other.lm")


def test_memory_is_the_rings_and_one_token() -> None:
    for window, rings in ((16, 2 * 2 * 2 * 8 * 16), (64, 2 * 2 * 2 * 8 * 64)):
        shape = Shape(window=window)
        graph = language_graph(random_language(shape))
        sizes = {state.tensor: graph.tensor(state.tensor).nbytes for state in graph.states}
        assert sum(sizes.values()) == rings + 4


def test_the_next_rings_lie_where_the_rings_lie(tmp_path: Path) -> None:
    path = tmp_path / "random.lm"
    path.write_bytes(save_language(random_language(Shape())))
    compiled = compile_model(path)
    copied = {copy.target for copy in compiled.plan.region.copies}
    assert copied == {"position"}  # which layers read until the end
    assert "token" in compiled.sources["network.h"]


def test_check_plan_and_compile_take_the_file(tmp_path: Path) -> None:
    path = tmp_path / "random.lm"
    path.write_bytes(save_language(random_language(Shape())))
    figures = json.loads(run("check", path, "--json").stdout)
    assert figures["supported"] and "LM_ATTENTION" in json.dumps(figures)
    assert "layers.1." in run("plan", path, "--board", "sim_stm32f405").stdout
    assert json.loads(run("compile", path, "--board", "sim_stm32f405", "--json").stdout)["states_bytes"] > 0


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"", "no language model"), (b"PK\x03\x04 nothing", "no language model"), (b"TFL3" * 20, "no language model")],
    ids=["empty", "broken", "another"],
)
def test_other_files_are_refused(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "other.lm"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=words) as refusal:
        load_network(path)
    assert "tinyengine lm convert" in str(refusal.value) and "\n" not in str(refusal.value)


def test_parts_that_do_not_fit_are_refused() -> None:
    model = random_language(Shape())
    wrong = [
        replace(model, window=12),
        replace(model, window=512),
        replace(model, sinks=16),
        replace(model, heads=3),
        replace(model, key_heads=3),
        replace(model, gains=model.gains[:-1]),
        replace(model, table_multipliers=-model.table_multipliers),
        replace(model, frequencies=model.frequencies[:-1]),
        random_language(Shape(heads=1, key_heads=1, head=512, layers=1)),  # scores may leave 32 bits
    ]
    for each in wrong:
        with pytest.raises(ModelError):
            language_graph(each)
    language_graph(random_language(Shape(heads=2, key_heads=1, head=508, layers=1)))


@settings(deadline=None)
@given(window=st.integers(1, 6), sinks=st.integers(0, 40), count=st.integers(1, 300))
def test_slots_go_round_for_ever(window: int, sinks: int, count: int) -> None:
    window *= 8
    sinks = min(sinks, window - 1)
    position, slots = 0, []
    for _ in range(count):
        slots.append(slot_of(position, window, sinks))
        assert 0 <= position < 2 * window - sinks
        position = next_position(position, window, sinks)
    ring = window - sinks
    assert slots == [n if n < sinks else sinks + (n - sinks) % ring for n in range(count)]


def test_layouts_of_rings_turn_back() -> None:
    rng = np.random.default_rng(1)
    values = rng.integers(-128, 128, (3, 8, 12))
    assert pack_keys(np.arange(8)).tolist() == [0, 2, 1, 3, 4, 6, 5, 7]
    np.testing.assert_array_equal(pack_keys(pack_keys(values)), values)
    np.testing.assert_array_equal(unpack_values(pack_values(values)), values)
    assert pack_values(values)[1, 2, 3].tolist() == values[1, 4:6, 6:8].tolist()


def test_what_left_the_window_is_forgotten() -> None:
    """The same last tokens behind different beginnings give the same logits, as soon as the layers see nothing else."""
    shape = Shape(layers=1, window=8)
    model = language_graph(random_language(shape))
    tails = random_tokens(shape, 24, 5)[13:]
    answers = []
    for seed in (1, 2):
        session = Session(model)
        for values in random_tokens(shape, 16, seed):
            session.run(values)
        answers.append([session.run(values)[0] for values in tails])
    same = [np.array_equal(a, b) for a, b in zip(*answers, strict=True)]
    assert not any(same[:7]) and all(same[7:])


def test_sinks_are_never_forgotten() -> None:
    shape = Shape(layers=1, window=8, sinks=2)
    model = language_graph(random_language(shape))
    tails = random_tokens(shape, 24, 5)[13:]
    answers = []
    for seed in (1, 2):
        session = Session(model)
        for values in random_tokens(shape, 16, seed):
            session.run(values)
        answers.append([session.run(values)[0] for values in tails])
    assert not any(np.array_equal(a, b) for a, b in zip(*answers, strict=True))


KEEPING = Shape(heads=4, key_heads=2, layers=1, window=16, sinks=5, kept=3)
"""Slots 2 to 4 are for tokens that receive most attention, those from 5 on the ring."""


def kept_graph(kind: OpKind) -> tuple[Operator, Graph, list[np.ndarray]]:
    """The operator that keeps or counts, and random inputs of it."""
    graph = language_graph(random_language(KEEPING))
    [op] = [each for each in graph.operators if each.kind == kind]
    rng, inputs = np.random.default_rng(8), []
    for tensor in map(graph.tensor, op.inputs):
        inputs.append(tensor.data if tensor.data is not None else rng.integers(-90, 90, tensor.shape, tensor.dtype))
    return op, graph, inputs


@pytest.mark.parametrize(
    ("position", "leaves", "kept", "to"),
    [
        (16, 70, [90, 60, 80], 3),  # slot 5 begins again: its token takes the place of the least attended
        (16, 70, [60, 60, 80], 2),  # the first of those
        (16, 60, [90, 60, 80], None),  # not where it receives no more
        (16, 50, [90, 60, 80], None),
        (5, 70, [90, 60, 80], None),  # nor while the ring fills
    ],
)
def test_the_token_that_leaves_is_kept_for_the_attention_it_received(
    position: int, leaves: int, kept: list[int], to: int | None
) -> None:
    op, graph, inputs = kept_graph(OpKind.LM_ROTATE)
    received = np.full(16, 1000, np.int32)
    received[:2], received[2:5], received[5] = 1, kept, leaves  # the sinks before are no candidates
    inputs[2], inputs[7] = np.array([position], np.int32), received
    _, keys, values = language.rotate(op, graph, inputs)
    expected_keys, expected_values = inputs[3].astype(np.int64), unpack_values(inputs[4].astype(np.int64))
    if to is not None:
        expected_keys[:, to], expected_values[:, to] = expected_keys[:, 5], expected_values[:, 5]
    others = [slot for slot in range(16) if slot != 5]  # where the new token lies
    np.testing.assert_array_equal(keys[:, others], expected_keys[:, others])
    np.testing.assert_array_equal(unpack_values(values)[:, others], expected_values[:, others])


def test_attention_is_counted_moved_and_forgotten() -> None:
    op, graph, inputs = kept_graph(OpKind.LM_ATTENTION)
    received = np.arange(16, dtype=np.int32) << 10
    received[5] = 1 << 16
    inputs[3], inputs[4] = np.array([16], np.int32), received
    _, counts = language.attention(op, graph, inputs)
    before = received.astype(np.int64)
    before[2], before[5] = before[5], 0  # the token of slot 5 is now the one of slot 2
    gained = counts - (before - (before >> 6))
    assert (gained >= 0).all() and 4 * (1 << 16) - 100 < gained.sum() <= 4 * (1 << 16)  # four heads


def test_kept_tokens_are_farther_away_than_the_ring() -> None:
    """Queries meet them rotated by a slot that lies at least a whole ring behind each of its own."""
    graph = language_graph(random_language(KEEPING))
    [op] = [each for each in graph.operators if each.kind == OpKind.LM_POSITION]
    frequencies = graph.tensor(op.inputs[1]).data
    assert frequencies is not None
    for position in (3, 15, 16, 26):
        angles, _ = language.position(op, graph, [np.array([position], np.int32), frequencies])
        turned = position if position < 16 else 16 + 11 - 1
        phase = 2 * np.pi * turned * frequencies / 2.0**32
        np.testing.assert_allclose(angles[2], np.stack([np.cos(phase), np.sin(phase)], -1) * 2**14, atol=2)


@settings(deadline=None)
@given(text=st.text(max_size=30))
def test_text_comes_back(text: str) -> None:
    tokenizer = random_tokenizer(300, np.random.default_rng(3))
    tokens = tokenizer.encode(text)
    assert tokens[0] == BEGIN
    assert tokenizer.decode(tokens) == text.encode()


def merged_slowly(tokenizer: Tokenizer, ids: list[int]) -> list[int]:
    """The best pair of the whole text, again and again."""
    while True:
        pairs = [
            (tokenizer.tokens.get(b"".join(map(tokenizer._text, pair))), n) for n, pair in enumerate(pairwise(ids))
        ]
        known = [(-tokenizer.scores[token], place, token) for token, place in pairs if token is not None]
        if not known:
            return ids
        _, place, token = min(known)
        ids = [*ids[:place], token, *ids[place + 2 :]]


@settings(deadline=None, max_examples=40)
@given(text=st.text("abc ", min_size=1, max_size=40), scores=st.lists(st.integers(-3, 3), min_size=12, max_size=12))
def test_the_best_pair_of_the_text_is_merged_first(text: str, scores: list[int]) -> None:
    base = random_tokenizer(259, np.random.default_rng(3))
    pieces = [b" ", b"a", b"b", b"c", b"ab", b"ba", b"bc", b"aa", b" a", b"aab", b"aba", b"abc"]
    tokenizer = Tokenizer((*base.pieces, *pieces), (*base.scores, *map(float, scores)))
    letters = [tokenizer.tokens[letter.encode()] for letter in " " + text]
    assert tokenizer.encode(text, begin=False) == merged_slowly(tokenizer, letters)


def test_a_book_is_encoded() -> None:
    text = "once upon a time there was " * 4000
    tokenizer = random_tokenizer(300, np.random.default_rng(3))
    tokens = tokenizer.encode(text)
    assert tokenizer.decode(tokens) == text.encode()


def test_pieces_merge_by_their_scores() -> None:
    base = random_tokenizer(259, np.random.default_rng(3))
    more = [b" ", b"a", b"b", b"c", b"ab", b"bc", b"abc", b" a"]
    scores = [0.0, 0.0, 0.0, 0.0, -2.0, -1.0, -3.0, -4.0]
    tokenizer = Tokenizer((*base.pieces, *more), (*base.scores, *scores))

    def pieces(text: str) -> list[bytes]:
        return [tokenizer.pieces[token] for token in tokenizer.encode(text, begin=False)]

    assert pieces("abc") == [b" ", b"abc"]  # bc goes first, then a finds it and the space
    assert pieces("abab") == [b" ", b"ab", b"ab"]
    assert pieces("ab") == [b" ", b"ab"]
    assert pieces("bz") == [b" ", b"b", b"<0x7A>"]
    assert tokenizer.decode(tokenizer.encode("abc")) == b"abc"
