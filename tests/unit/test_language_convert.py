"""From a checkpoint of llama2.c to a .lm file: what is read, refused, and how near the integers stay."""

from __future__ import annotations

import json
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tinyengine.compiler import CompileOptions, compile_model
from tinyengine.errors import DataError, TinyEngineError
from tinyengine.frontend.language import load_language
from tinyengine.frontend.network import load_network
from tinyengine.ir.tokenizer import Tokenizer
from tinyengine.language import convert
from tinyengine.language.checkpoint import load_llama2c, load_llama2c_tokenizer
from tinyengine.language.llama import Llama, logits
from tinyengine.reference import Session

from tests.helpers.command_line import fails, run
from tests.helpers.language import random_tokenizer
from tests.helpers.llamas import random_llama

CONTEXT = 48
ORDER = ("attention_gain", "query", "key", "value", "output", "feed_gain", "gate", "down", "up")


def checkpoint(model: Llama) -> bytes:
    """``model`` as llama2.c writes it."""
    hidden = len(model.layers[0].gate)
    tied = model.classifier is model.embedding
    sizes = model.width, hidden, len(model.layers), model.heads, model.kv_heads
    parts = [model.embedding, *(np.stack([getattr(layer, name) for layer in model.layers]) for name in ORDER)]
    parts += [model.gain, np.zeros((2, CONTEXT, model.head // 2))]
    parts += [] if tied else [model.classifier]
    head = struct.pack("<7i", *sizes, model.vocabulary if tied else -model.vocabulary, CONTEXT)
    return head + b"".join(np.ascontiguousarray(part, "<f4").tobytes() for part in parts)


def tokenizer_file(tokenizer: Tokenizer) -> bytes:
    pairs = zip(tokenizer.pieces, tokenizer.scores, strict=True)
    return struct.pack("<I", 7) + b"".join(struct.pack("<fi", score, len(piece)) + piece for piece, score in pairs)


@pytest.fixture
def model() -> Llama:
    made = random_llama(3, width=32, hidden=36, vocabulary=268)
    return replace(made, context=CONTEXT)


@pytest.fixture
def path(tmp_path: Path, model: Llama) -> Path:
    """The checkpoint, with its tokenizer beside it."""
    (tmp_path / "tok268.bin").write_bytes(tokenizer_file(random_tokenizer(268, np.random.default_rng(1))))
    (tmp_path / "tiny.bin").write_bytes(checkpoint(model))
    return tmp_path / "tiny.bin"


def test_a_checkpoint_is_read(path: Path, model: Llama) -> None:
    again = load_llama2c(path)
    assert (again.heads, again.kv_heads, again.context, again.epsilon) == (4, 2, CONTEXT, 1e-5)
    assert again.classifier is again.embedding
    tokens = np.random.default_rng(0).integers(0, 268, (1, 20))
    np.testing.assert_array_equal(logits(again, tokens), logits(replace(model, epsilon=1e-5), tokens))
    tokenizer = load_llama2c_tokenizer(path.with_name("tok268.bin"), 268)
    assert tokenizer == random_tokenizer(268, np.random.default_rng(1))


def test_a_classifier_of_its_own_is_read(tmp_path: Path, model: Llama) -> None:
    own = replace(model, classifier=model.embedding[::-1].copy())
    (tmp_path / "own.bin").write_bytes(checkpoint(own))
    np.testing.assert_array_equal(load_llama2c(tmp_path / "own.bin").classifier, own.classifier)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "only 0 bytes"),
        (struct.pack("<7i", 32, 36, 2, 5, 2, 268, 48), "sizes would be"),
        (struct.pack("<7i", 32, 36, 2, 4, 2, 268, 48), "has 28 bytes"),
    ],
    ids=["empty", "heads", "short"],
)
def test_other_checkpoints_are_refused(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "wrong.bin").write_bytes(content)
    with pytest.raises(TinyEngineError, match=words):
        load_llama2c(tmp_path / "wrong.bin")


@pytest.mark.parametrize(
    ("sizes", "words"),
    [
        ({"width": 24, "vocabulary": 268}, "heads' size is 6: train a model where it is a multiple of 4"),
        ({"width": 12, "heads": 2, "kv_heads": 1, "vocabulary": 268}, "width is 12: .* multiple of 8 from 8 to 1016"),
        ({"width": 1024, "layers": 1, "vocabulary": 268}, "width is 1024: .* to 1016"),
        ({"width": 512, "heads": 1, "kv_heads": 1, "vocabulary": 268}, "heads' size is 512: .* from 4 to 508"),
        ({"vocabulary": 262}, "vocabulary is 262: .* multiple of 4 from 260 to 65536"),
        ({"vocabulary": 200}, "vocabulary is 200: "),
        ({"vocabulary": 65540}, "vocabulary is 65540: "),
    ],
    ids=lambda value: "-".join(map(str, value.values())) if isinstance(value, dict) else "",
)
def test_sizes_that_no_file_can_have_are_refused(tmp_path: Path, sizes: dict[str, int], words: str) -> None:
    (tmp_path / "odd.bin").write_bytes(checkpoint(random_llama(1, **sizes)))
    with pytest.raises(TinyEngineError, match=words):
        load_llama2c(tmp_path / "odd.bin")


def test_weights_beyond_32_bits_are_refused_and_smaller_ones_taken(tmp_path: Path, path: Path, model: Llama) -> None:
    first, *others = model.layers
    options = ["--window", "16", "--brief", "-o", tmp_path / "x.lm"]
    for factor in (1e6, 1.0):
        layers = replace(first, gate=first.gate * factor), *others
        path.write_bytes(checkpoint(replace(model, layers=layers)))
        if factor > 1:
            with pytest.raises(TinyEngineError, match=r"numbers of 'gate' are too large .*: scale the model"):
                run("lm", "convert", path, *options)
        else:
            run("lm", "convert", path, *options)
            assert load_network(tmp_path / "x.lm").tokenizer is not None


@pytest.mark.parametrize(("width", "vocabulary"), [(16, 260), (1016, 264)])
def test_sizes_at_the_limits_are_converted(tmp_path: Path, width: int, vocabulary: int) -> None:
    heads = 4 if width == 16 else 2
    made = random_llama(1, 1, width, heads, heads, 8, vocabulary)
    (tmp_path / "limit.bin").write_bytes(checkpoint(made))
    tokenizer = random_tokenizer(vocabulary, np.random.default_rng(1))
    longest = replace(tokenizer, pieces=(*tokenizer.pieces[:-1], b"x" * 64))
    (tmp_path / "tok.bin").write_bytes(tokenizer_file(longest))
    run("lm", "convert", tmp_path / "limit.bin", "--window", "8", "--brief", "-o", tmp_path / "limit.lm")
    assert load_network(tmp_path / "limit.lm").tokenizer == longest


def test_a_piece_that_no_device_takes_is_refused(tmp_path: Path) -> None:
    tokenizer = random_tokenizer(268, np.random.default_rng(1))
    longer = replace(tokenizer, pieces=(*tokenizer.pieces[:-1], b"x" * 65))
    (tmp_path / "tok.bin").write_bytes(tokenizer_file(longer))
    with pytest.raises(TinyEngineError, match=r"a piece of 65 bytes: .* at most 64"):
        load_llama2c_tokenizer(tmp_path / "tok.bin", 268)


def test_nothing_is_written_that_no_command_reads(
    tmp_path: Path, path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    quantized = convert.quantize
    monkeypatch.setattr(convert, "quantize", lambda *given: replace(quantized(*given), heads=3))
    options = ["--window", "16", "--brief", "-o", tmp_path / "x.lm"]
    assert "no language model" in fails(monkeypatch, capsys, "lm", "convert", path, *options)
    assert not (tmp_path / "x.lm").exists()


def test_a_tokenizer_of_another_vocabulary_is_refused(path: Path) -> None:
    for vocabulary in (264, 272):
        with pytest.raises(TinyEngineError, match="no tokenizer of"):
            load_llama2c_tokenizer(path.with_name("tok268.bin"), vocabulary)


def correlation(model: Llama, file: Path) -> float:
    """Of the integers' logits with the float model's, over a context that its window holds."""
    tokens = np.random.default_rng(5).integers(3, 268, 16)
    session = Session(load_network(file))
    found = np.concatenate([session.run([np.array([token], np.int32)])[0] for token in tokens])
    return float(np.corrcoef(found.ravel(), logits(model, tokens[None])[0].ravel())[0, 1])


def test_integers_stay_near_the_float_model(tmp_path: Path, path: Path, model: Llama) -> None:
    eight, four = tmp_path / "eight.lm", tmp_path / "four.lm"
    common = ["--window", "16", "--brief", "--json"]
    report = json.loads(run("lm", "convert", path, *common, "-o", eight).stdout)
    assert (report["window"], report["choice"], report["bytes"]) == (16, "w8", eight.stat().st_size)
    assert abs(report["comparison"]["costs"][0]["loss"]) < 0.01
    run("lm", "convert", path, *common, "--weights", "w4", "--sinks", "2", "-o", four)
    assert correlation(model, eight) > 0.995
    assert 0.9 < correlation(model, four) < correlation(model, eight)


def test_heads_are_dropped_and_tokens_kept(tmp_path: Path, path: Path) -> None:
    """The file is smaller, remembers less per token, and runs."""
    options = ["--window", "16", "--brief"]
    run("lm", "convert", path, *options, "-o", tmp_path / "plain.lm")
    more = ["--prune-heads", "1", "--evict", "attention", "--keep", "3", "--sinks", "2"]
    report = json.loads(run("lm", "convert", path, *options, *more, "--json", "-o", tmp_path / "less.lm").stdout)
    [dropped] = report["dropped"]
    assert [each["name"] for each in report["comparison"]["costs"]] == ["float without those heads", "w8"]
    assert (report["sinks"], report["kept"], report["hints"]) == (2, 3, [])
    plain, less = compile_model(tmp_path / "plain.lm"), compile_model(tmp_path / "less.lm")
    assert less.weight_bytes < plain.weight_bytes
    # a key head's keys and values are gone; each layer counts what its slots receive
    assert less.states_bytes == plain.states_bytes - 2 * 16 * 8 + 2 * 4 * 16
    said = " ".join(run("lm", "convert", path, *options, *more, "-o", tmp_path / "less.lm").stdout.split())
    assert "the first 2 of them for ever, 3 of them for the attention that they receive" in said
    assert f"{dropped['key_head']} of layer {dropped['layer']} ({dropped['loss']:+.4f})" in said
    text = run("generate", tmp_path / "less.lm", "--prompt", "a", "--tokens", 60, "--endless", "--json")
    assert json.loads(text.stdout)["tokens"] == 60
    with pytest.raises(DataError, match="convert it with --evict oldest"):
        compile_model(tmp_path / "less.lm", CompileOptions(train="gains"))
    run("lm", "convert", path, *options, "--prune-heads", 1, "-o", tmp_path / "pruned.lm")
    with pytest.raises(DataError, match="convert it without --prune-heads"):
        compile_model(tmp_path / "pruned.lm", CompileOptions(train="gains"))


def test_large_hidden_values_shrink_the_residual_stream(tmp_path: Path, path: Path, model: Llama) -> None:
    """Trained models have single values of hundreds; multipliers of what a layer adds would be 0.5 or more."""
    first = model.layers[0]
    large = replace(first, up=first.up * 12, gate=first.gate * 2)
    (tmp_path / "tiny.bin").write_bytes(checkpoint(grown := replace(model, layers=(large, *model.layers[1:]))))
    run("lm", "convert", path, "--window", "16", "--brief", "-o", tmp_path / "large.lm")
    run("lm", "convert", path, "--window", "16", "--brief", "--weights", "w4", "-o", tmp_path / "four.lm")
    made = load_language(tmp_path / "large.lm")
    (tmp_path / "tiny.bin").write_bytes(checkpoint(model))
    run("lm", "convert", path, "--window", "16", "--brief", "-o", tmp_path / "plain.lm")
    plain = load_language(tmp_path / "plain.lm")
    ratio = plain.table_multipliers[0] / made.table_multipliers[0]
    assert ratio in (2, 4, 8, 16, 32) or ratio == pytest.approx(round(ratio), rel=0.01)
    assert ratio > 1.5 and correlation(grown, tmp_path / "large.lm") > 0.99
    assert correlation(grown, tmp_path / "four.lm") > 0.9


def test_a_text_calibrates(tmp_path: Path, path: Path) -> None:
    text = tmp_path / "text.txt"
    text.write_text("\n".join("once upon a time " * 8 for _ in range(8)))
    done = run("lm", "convert", path, "--window", "16", "--brief", "--calibrate", text, "-o", tmp_path / "text.lm")
    assert "calibrated on text.txt" in done.stdout and "w8" in done.stdout
    assert load_language(tmp_path / "text.lm").note["calibrated on"] == "text.txt"


def test_convert_says_what_is_wrong(
    tmp_path: Path, path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    short = tmp_path / "short.txt"
    short.write_text("too short")
    for arguments, words in (
        (["--window", "12"], "multiple of 8"),
        (["--window", "16", "--sinks", "16"], "fewer of them"),
        (
            ["--window", "16", "--sinks", "8", "--evict", "attention", "--keep", "8"],
            "8 sinks and 8 tokens that are kept",
        ),
        (["--window", "16", "--evict", "attention", "--keep", "16"], "give fewer of them or a wider window"),
        (["--keep", "8"], "--keep says how many tokens attention keeps: give --evict attention as well"),
        (["--prune-heads", "3"], "give --prune-heads 2"),
        (["--tokenizer", short], "no tokenizer"),
        (["--method", "awq"], "--method says how weights of 4 bits are found: give --weights w4 as well"),
        (["--weights", "w8", "--group", "32"], "--group says"),
        (["--calibrate", short], "only"),
        (["--calibrate", tmp_path], "is a directory: name a text file"),
    ):
        assert words in fails(monkeypatch, capsys, "lm", "convert", path, *arguments, "-o", tmp_path / "x.lm")
    assert "end the name of what is written in .lm" in fails(
        monkeypatch, capsys, "lm", "convert", path, "-o", tmp_path / "x"
    )
    assert not (tmp_path / "x").exists()
    path.with_name("tok268.bin").unlink()
    assert "--tokenizer" in fails(monkeypatch, capsys, "lm", "convert", path, "-o", tmp_path / "x.lm")
