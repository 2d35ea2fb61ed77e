"""Llama models as safetensors: read as transformers would compute them, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tinyengine.errors import ModelError
from tinyengine.frontend.network import load_network
from tinyengine.ir.tokenizer import Tokenizer
from tinyengine.language.llama import logits
from tinyengine.language.safetensors_folder import load_folder, save_folder
from tinyengine.language.tokenizer_json import load_tokenizer, save_tokenizer, train_tokenizer

from tests.helpers.command_line import fails, run
from tests.helpers.llamas import random_llama

safetensors = pytest.importorskip("safetensors.numpy", reason="safetensors (the extra 'language') is not installed")
tokenizers = pytest.importorskip("tokenizers", reason="tokenizers (the extra 'language') is not installed")

TEXTS = [
    "The fox saw the old oak, and the oak saw the fox.",
    'A small boat lay in the reeds. "Whose boat is it?" asked the fox.',
    "The boat was red, the reeds were green, and nobody knew.",
    "So the fox sat in the red boat and sang: one, two, three!",
]
CONFIG: dict[str, Any] = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_size": 24,
    "intermediate_size": 36,
    "num_hidden_layers": 2,
    "num_attention_heads": 3,
    "num_key_value_heads": 1,
    "vocab_size": 320,
    "max_position_embeddings": 64,
    "rms_norm_eps": 2e-5,
    "rope_theta": 5000.0,
    "tie_word_embeddings": False,
}
Arrays = dict[str, np.ndarray]


def random_arrays(config: dict[str, Any], seed: int = 0) -> Arrays:
    """By transformers' names."""
    rng = np.random.default_rng(seed)
    width, hidden, vocabulary = config["hidden_size"], config["intermediate_size"], config["vocab_size"]
    keys = width // config["num_attention_heads"] * config["num_key_value_heads"]

    def normal(rows: int, columns: int) -> np.ndarray:
        return (1.5 * rng.normal(size=(rows, columns)) / np.sqrt(columns)).astype(np.float32)

    def gain() -> np.ndarray:
        return rng.uniform(0.5, 1.5, width).astype(np.float32)

    arrays = {"model.embed_tokens.weight": normal(vocabulary, width), "model.norm.weight": gain()}
    for n in range(config["num_hidden_layers"]):
        for name, rows, columns in (
            ("self_attn.q_proj", width, width),
            ("self_attn.k_proj", keys, width),
            ("self_attn.v_proj", keys, width),
            ("self_attn.o_proj", width, width),
            ("mlp.gate_proj", hidden, width),
            ("mlp.up_proj", hidden, width),
            ("mlp.down_proj", width, hidden),
        ):
            arrays[f"model.layers.{n}.{name}.weight"] = normal(rows, columns)
        for name in ("input_layernorm", "post_attention_layernorm"):
            arrays[f"model.layers.{n}.{name}.weight"] = gain()
    if not config.get("tie_word_embeddings", False):
        arrays["lm_head.weight"] = normal(vocabulary, width)
    return arrays


def reference(config: dict[str, Any], arrays: Arrays, tokens: list[int]) -> np.ndarray:
    """LlamaForCausalLM written from its description, token by token in float64: logits (N, V). A head's channel i is
    turned with channel i + half a head."""
    heads, shared = config["num_attention_heads"], config["num_attention_heads"] // config["num_key_value_heads"]
    w = {name.removesuffix(".weight"): x.astype(np.float64) for name, x in arrays.items()}
    head = config["hidden_size"] // heads
    speeds = [config["rope_theta"] ** (-2 * i / head) for i in range(head // 2)]

    def norm(x: np.ndarray, gain: np.ndarray) -> np.ndarray:
        return gain * x / np.sqrt(np.mean(x**2) + config["rms_norm_eps"])

    def turned(x: np.ndarray, position: int) -> np.ndarray:
        out = x.copy()
        for i, speed in enumerate(speeds):
            c, s = np.cos(position * speed), np.sin(position * speed)
            out[i] = x[i] * c - x[i + head // 2] * s
            out[i + head // 2] = x[i + head // 2] * c + x[i] * s
        return out

    seen: dict[tuple[int, int], tuple[list[np.ndarray], list[np.ndarray]]] = {}
    found = []
    for position, token in enumerate(tokens):
        x = w["model.embed_tokens"][token]
        for n in range(config["num_hidden_layers"]):
            at = f"model.layers.{n}."
            h = norm(x, w[at + "input_layernorm"])
            q, k, v = (w[at + f"self_attn.{name}_proj"] @ h for name in "qkv")
            mixed = []
            for g in range(config["num_key_value_heads"]):
                keys, values = seen.setdefault((n, g), ([], []))
                keys.append(turned(k[g * head : (g + 1) * head], position))
                values.append(v[g * head : (g + 1) * head])
            for j in range(heads):
                keys, values = seen[n, j // shared]
                query = turned(q[j * head : (j + 1) * head], position)
                scores = np.array([query @ key for key in keys]) / np.sqrt(head)
                weights = np.exp(scores - scores.max())
                mixed.append(sum(a * b for a, b in zip(weights / weights.sum(), values, strict=True)))
            x = x + w[at + "self_attn.o_proj"] @ np.concatenate(mixed)
            h = norm(x, w[at + "post_attention_layernorm"])
            gate = w[at + "mlp.gate_proj"] @ h
            x = x + w[at + "mlp.down_proj"] @ (gate / (1 + np.exp(-gate)) * (w[at + "mlp.up_proj"] @ h))
        found.append(w.get("lm_head", w["model.embed_tokens"]) @ norm(x, w["model.norm"]))
    return np.array(found)


def written(folder: Path, config: dict[str, Any], arrays: Arrays) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "model.safetensors").write_bytes(safetensors.save(arrays, {"format": "pt"}))
    return folder


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return train_tokenizer(TEXTS, 320)


@pytest.mark.parametrize("tied", [False, True])
def test_a_folder_is_what_its_architecture_says(tmp_path: Path, tied: bool) -> None:
    config = {**CONFIG, "tie_word_embeddings": tied}
    arrays = random_arrays(config)
    extra = {"model.layers.0.self_attn.rotary_emb.inv_freq": np.ones(4, np.float32)}
    model = load_folder(written(tmp_path, config, arrays | extra))
    tokens = np.random.default_rng(1).integers(0, 320, 12)
    expected = reference(config, arrays, tokens.tolist())
    np.testing.assert_allclose(logits(model, tokens[None])[0], expected, atol=2e-4)
    assert (model.classifier is model.embedding) == tied and model.context == 64
    # the order of a head's channels matters, and the base of the angles
    assert np.abs(logits(replace(model, theta=10000.0), tokens[None])[0] - expected).max() > 0.01


def test_what_newer_and_older_configs_leave_out(tmp_path: Path) -> None:
    arrays = random_arrays(CONFIG)
    newer = {k: v for k, v in CONFIG.items() if k not in ("rope_theta", "rms_norm_eps")}
    newer |= {"rope_parameters": {"rope_theta": 777.0, "rope_type": "default"}, "head_dim": 8}
    model = load_folder(written(tmp_path, newer, arrays))
    assert (model.theta, model.epsilon) == (777.0, 1e-6)
    config = {k: v for k, v in CONFIG.items() if k != "num_key_value_heads"}
    arrays = random_arrays({**config, "num_key_value_heads": 3})
    assert load_folder(written(tmp_path, config, arrays)).kv_heads == 3


def test_types_of_floats(tmp_path: Path) -> None:
    arrays = random_arrays(CONFIG)
    half = load_folder(written(tmp_path, CONFIG, {name: x.astype(np.float16) for name, x in arrays.items()}))
    np.testing.assert_array_equal(half.embedding, arrays["model.embed_tokens.weight"].astype(np.float16))
    # bfloat16 is the upper half of a float32; a file of them by hand, as NumPy has no such type
    header, data = {}, b""
    for name, x in arrays.items():
        part = (np.ascontiguousarray(x).view(np.uint32) >> 16).astype("<u2").tobytes()
        header[name] = {"dtype": "BF16", "shape": x.shape, "data_offsets": [len(data), len(data) + len(part)]}
        data += part
    text = json.dumps(header).encode()
    (tmp_path / "model.safetensors").write_bytes(len(text).to_bytes(8, "little") + text + data)
    expected = arrays["model.embed_tokens.weight"]
    found = load_folder(tmp_path).embedding
    assert found.dtype == np.float32 and 0 < np.abs(found / expected - 1).max() < 1 / 128


def test_what_is_saved_is_read_again(tmp_path: Path, tokenizer: Tokenizer) -> None:
    model = random_llama(2, vocabulary=320)
    save_folder(model, tokenizer, tmp_path / "deep" / "out")
    again = load_folder(tmp_path / "deep" / "out")
    tokens = np.arange(10)[None]
    np.testing.assert_array_equal(logits(again, tokens), logits(model, tokens))
    assert again.classifier is again.embedding
    assert load_tokenizer(tmp_path / "deep" / "out" / "tokenizer.json", 320) == tokenizer
    own = replace(model, classifier=model.embedding[::-1].copy())
    save_folder(own, tokenizer, tmp_path)
    np.testing.assert_array_equal(load_folder(tmp_path).classifier, own.classifier)


def dropped(name: str) -> Callable[[dict[str, Any], Arrays], object]:
    return lambda config, arrays: arrays.pop(name)


def wrong(name: str, change: Callable[[np.ndarray], np.ndarray]) -> Callable[[dict[str, Any], Arrays], object]:
    return lambda config, arrays: arrays.update({name: change(arrays[name])})


def changed(**keys: object) -> Callable[[dict[str, Any], Arrays], object]:
    return lambda config, arrays: config.update(keys)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (changed(model_type="gpt2"), 'model_type "gpt2": give a model where it is "llama"'),
        (changed(rope_scaling={"factor": 2}), "rope_scaling"),
        (changed(rope_parameters={"rope_type": "yarn"}), "rope_type"),
        (changed(rope_parameters=["default"]), "its rope_parameters are no object"),
        (changed(attention_bias=True), "attention_bias true: give a model where it is false"),
        (changed(hidden_act="gelu"), "hidden_act"),
        (changed(head_dim=16), "do not make a width of 24"),
        (changed(num_key_value_heads=2), "do not make a width of 24"),
        (changed(num_attention_heads=4), "heads' size is 6: train a model where it is a multiple of 4"),
        (changed(num_attention_heads="3"), "whole number"),
        (changed(hidden_size=0), "whole number"),
        (changed(rms_norm_eps=None), "number above 0"),
        (changed(vocab_size=324), r"shape \(320, 24\) and not \(324, 24\): give this model's config.json"),
        (dropped("model.norm.weight"), "no 'model.norm.weight'"),
        (dropped("lm_head.weight"), "no 'lm_head.weight'"),
        (wrong("model.norm.weight", lambda x: x.astype(np.int32)), "type I32: save the model as float32"),
        (wrong("model.norm.weight", lambda x: x * np.nan), "no numbers"),
        (lambda config, arrays: arrays.update({"q_norm.weight": np.ones(3)}), "which no Llama has"),
    ],
)
def test_other_models_are_refused(tmp_path: Path, damage: Callable[..., object], words: str) -> None:
    config, arrays = dict(CONFIG), random_arrays(CONFIG)
    damage(config, arrays)
    with pytest.raises(ModelError, match=words):
        load_folder(written(tmp_path, config, arrays))


def test_damaged_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"has no config.json: give a folder with config.json, model.safetensors and"):
        load_folder(tmp_path)
    written(tmp_path, CONFIG, random_arrays(CONFIG))
    (tmp_path / "model.safetensors").write_bytes((tmp_path / "model.safetensors").read_bytes()[:-5])
    with pytest.raises(ModelError, match="no file of safetensors"):
        load_folder(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(ModelError, match="save the model in one file of that name"):
        load_folder(tmp_path)
    for content in (b"{", b"[]", b"\xff\xfe"):
        (tmp_path / "config.json").write_bytes(content)
        with pytest.raises(ModelError, match="no JSON"):
            load_folder(tmp_path)


def test_the_tokenizer_is_the_librarys(tmp_path: Path, tokenizer: Tokenizer) -> None:
    """The file that is written does in the library what the device does: the same tokens, and the text again."""
    (tmp_path / "tokenizer.json").write_text(save_tokenizer(tokenizer), encoding="utf-8")
    library = tokenizers.Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    assert library.get_vocab_size() == 320 == len(tokenizer.pieces)
    for text in [*TEXTS, "Fox", "xyz 123 Ökö \U0001f98a", "  two  spaces ", 'the"fox', "\n"]:
        ids = tokenizer.encode(text)
        assert library.encode(text).ids == ids
        assert tokenizer.decode(ids[1:]).decode() == library.decode(ids) == text
    assert len(tokenizer.encode("The fox")) < len("The fox") + 1
    assert load_tokenizer(tmp_path / "tokenizer.json", 320) == tokenizer


def metaspace(file: dict[str, Any]) -> None:
    """As newer conversions of SentencePiece have it."""
    file["normalizer"] = None
    file["pre_tokenizer"] = {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "first", "split": False}
    file["model"]["merges"] = [" ".join(pair) for pair in file["model"]["merges"]]


def test_another_spelling_of_the_same_tokenizer(tmp_path: Path, tokenizer: Tokenizer) -> None:
    file = json.loads(save_tokenizer(tokenizer))
    metaspace(file)
    (tmp_path / "tokenizer.json").write_text(json.dumps(file))
    assert load_tokenizer(tmp_path / "tokenizer.json", 320) == tokenizer


def setting(*path: str, value: object) -> Callable[[dict[str, Any]], object]:
    def change(file: dict[str, Any]) -> None:
        for key in path[:-1]:
            file = file[key]
        file[path[-1]] = value

    return change


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (setting("model", "type", value="Unigram"), "not Llama's kind"),
        (setting("model", "byte_fallback", value=False), "not Llama's kind"),
        (setting("pre_tokenizer", value={"type": "ByteLevel"}), "prepares texts by ByteLevel, which a device does not"),
        (setting("normalizer", value=None), "begins no text with a space"),
        (lambda file: file["model"]["merges"].pop(-1), "does not merge '.+' and '.+', a device merges all"),
        (lambda file: file["model"]["merges"].remove(longest(file)), "does not merge"),
        (setting("model", "vocab", "more", value=320), "has 321 tokens and the model 320"),
        (setting("model", "vocab", "more", value="x"), "tokens are numbers"),
        (setting("model", value=[]), "no tokenizer"),
        (setting("model", "merges", value=["abc"]), "merges are pairs"),
        (lambda file: swap(file["model"]["vocab"], "<unk>", "<s>"), "not Llama's kind"),
    ],
)
def test_other_tokenizers_are_refused(
    tmp_path: Path, tokenizer: Tokenizer, damage: Callable[[dict[str, Any]], object], words: str
) -> None:
    file = json.loads(save_tokenizer(tokenizer))
    file["added_tokens"] = []
    damage(file)
    (tmp_path / "tokenizer.json").write_text(json.dumps(file))
    with pytest.raises(ModelError, match=words):
        load_tokenizer(tmp_path / "tokenizer.json", 320)


def longest(file: dict[str, Any]) -> list[str]:
    """A pair that makes a piece which other pairs make, too."""
    pairs: list[list[str]] = file["model"]["merges"]
    made = ["".join(pair) for pair in pairs]
    return next(pair for pair in pairs if made.count("".join(pair)) > 1)


def swap(mapping: dict[str, int], a: str, b: str) -> None:
    mapping[a], mapping[b] = mapping[b], mapping[a]


def test_a_text_of_few_pieces_trains_no_large_tokenizer() -> None:
    with pytest.raises(ModelError, match=r"at most \d+") as refused:
        train_tokenizer(["ab ab"], 1000)
    most = int(str(refused.value).rsplit(" ", 1)[1])
    assert len(train_tokenizer(["ab ab"], most).pieces) == most


def test_a_folder_is_converted(
    tmp_path: Path, tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = written(tmp_path / "mine", CONFIG, random_arrays(CONFIG))
    common = "--window", 16, "--brief", "-o", tmp_path / "mine.lm"
    assert "no tokenizer.json: name the tokenizer with --tokenizer" in fails(
        monkeypatch, capsys, "lm", "convert", folder, *common
    )
    elsewhere = tmp_path / "mine.json"
    elsewhere.write_text(save_tokenizer(tokenizer), encoding="utf-8")
    run("lm", "convert", folder, "--tokenizer", elsewhere, *common)
    (folder / "tokenizer.json").write_text(save_tokenizer(tokenizer), encoding="utf-8")
    for model in (folder, folder / "model.safetensors"):
        report = json.loads(run("lm", "convert", model, *common, "--json").stdout)
        assert report["parameters"] == sum(x.size for x in random_arrays(CONFIG).values())
        assert abs(report["comparison"]["costs"][0]["loss"]) < 0.02
        assert load_network(tmp_path / "mine.lm").tokenizer == tokenizer
        (tmp_path / "mine.lm").unlink()
