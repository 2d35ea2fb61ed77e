"""Llama models as Hugging Face's transformers keep them: config.json, model.safetensors and tokenizer.json in a folder.

Of a head, transformers turn channel i with channel i + half a head, we turn neighbours (``Llama``): rows of queries and
keys change their places on the way.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from tinyengine.errors import ModelError
from tinyengine.ir.tokenizer import Tokenizer
from tinyengine.language.checkpoint import check_sizes, read_bytes
from tinyengine.language.llama import Llama, LlamaLayer
from tinyengine.language.tokenizer_json import save_tokenizer
from tinyengine.optional import safetensors
from tinyengine.paths import replacing

CONFIG, WEIGHTS, TOKENIZER = "config.json", "model.safetensors", "tokenizer.json"

NAMES = {
    "attention_gain": "input_layernorm",
    "query": "self_attn.q_proj",
    "key": "self_attn.k_proj",
    "value": "self_attn.v_proj",
    "output": "self_attn.o_proj",
    "feed_gain": "post_attention_layernorm",
    "gate": "mlp.gate_proj",
    "up": "mlp.up_proj",
    "down": "mlp.down_proj",
}
"""Of a layer's arrays, by their names in ``LlamaLayer``."""
TURNED = ("query", "key")

ONLY: dict[str, tuple[object, ...]] = {
    "model_type": ("llama",),
    "hidden_act": ("silu",),
    "attention_bias": (False,),
    "mlp_bias": (False,),
    "rope_scaling": (None,),
    "partial_rotary_factor": (1.0,),
    "pretraining_tp": (1,),
}
"""Keys of config.json with what they have to be where they are there, the first if they are not."""


def load_folder(folder: Path) -> Llama:
    """Reads config.json and model.safetensors. ModelError, one sentence, if they are none of a Llama, or of one that
    no .lm file can have; ToolError without the package."""
    library = safetensors("read safetensors")
    if not (folder / CONFIG).is_file():
        raise ModelError(
            f"{folder} has no {CONFIG}: give a folder with {CONFIG}, {WEIGHTS} and {TOKENIZER}, or a .bin of llama2.c"
        )
    config = _config(folder / CONFIG)
    heads, width, layers = (
        _whole(config, name) for name in ("num_attention_heads", "hidden_size", "num_hidden_layers")
    )
    hidden, vocabulary = _whole(config, "intermediate_size"), _whole(config, "vocab_size")
    kv_heads = _whole(config, "num_key_value_heads", heads)
    head = _whole(config, "head_dim", width // heads)
    if head * heads != width or heads % kv_heads:
        raise ModelError(
            f"{heads} heads on {kv_heads} key heads with {head} channels each do not make a width of {width}: give a "
            "model whose width is heads times channels"
        )
    check_sizes(folder.name, width, head, vocabulary)
    if not (folder / WEIGHTS).is_file():
        raise ModelError(f"{folder.name} has no {WEIGHTS}: save the model in one file of that name")
    try:
        entries = dict(library.deserialize(read_bytes(folder / WEIGHTS)))
    except library.SafetensorError as error:
        raise ModelError(f"{WEIGHTS} is no file of safetensors ({error}): download it again") from error

    def array(name: str, *shape: int) -> np.ndarray:
        return _array(f"{name}.weight", entries.pop(f"{name}.weight", None), shape)

    keys = head * kv_heads
    shapes: dict[str, tuple[int, ...]] = {
        "attention_gain": (width,),
        "query": (width, width),
        "key": (keys, width),
        "value": (keys, width),
        "output": (width, width),
        "feed_gain": (width,),
        "gate": (hidden, width),
        "up": (hidden, width),
        "down": (width, hidden),
    }
    made = []
    for index in range(layers):
        found = {name: array(f"model.layers.{index}.{NAMES[name]}", *shape) for name, shape in shapes.items()}
        made.append(LlamaLayer(**found | {name: neighbours(found[name], head) for name in TURNED}))
    embedding, gain = array("model.embed_tokens", vocabulary, width), array("model.norm", width)
    if config.get("tie_word_embeddings", False):
        classifier = embedding
        entries.pop("lm_head.weight", None)
    else:
        classifier = array("lm_head", vocabulary, width)
    unknown = [name for name in entries if not name.endswith("rotary_emb.inv_freq")]
    if unknown:
        raise ModelError(f"{WEIGHTS} has '{unknown[0]}', which no Llama has: give a model of the type llama")
    return Llama(
        heads=heads,
        kv_heads=kv_heads,
        context=_whole(config, "max_position_embeddings", 2048),
        theta=_real({**config, **(config.get("rope_parameters") or {})}, "rope_theta", 10000.0),
        epsilon=_real(config, "rms_norm_eps", 1e-6),
        embedding=embedding,
        layers=tuple(made),
        gain=gain,
        classifier=classifier,
    )


def _config(path: Path) -> dict[str, Any]:
    try:
        config = json.loads(read_bytes(path))
        if not isinstance(config, dict):
            raise ValueError("it is no object")
        rope = config.get("rope_parameters") or {}
        if not isinstance(rope, dict):
            raise ValueError("its rope_parameters are no object")
    except ValueError as error:  # also a UnicodeDecodeError
        raise ModelError(f"{path.name} is no JSON ({error}): download it again") from error
    for key, accepted in {**ONLY, "rope_type": ("default",)}.items():
        value = {**rope, **config}.get(key, accepted[0])
        if value not in accepted:
            raise ModelError(
                f"{path.name} has {key} {json.dumps(value)}: give a model where it is {json.dumps(accepted[0])}"
            )
    return config


def _whole(config: dict[str, Any], name: str, default: int | None = None) -> int:
    value = default if config.get(name) is None else config[name]
    if type(value) is not int or not 1 <= value <= 1 << 24:
        raise ModelError(f"{CONFIG} has {name} {json.dumps(value)}: give one where it is a whole number from 1")
    return value


def _real(config: dict[str, Any], name: str, default: float) -> float:
    value = config.get(name, default)
    if type(value) not in (int, float) or not 0 < value < 1e9:
        raise ModelError(f"{CONFIG} has {name} {json.dumps(value)}: give one where it is a number above 0")
    return float(value)


def _array(name: str, entry: dict[str, Any] | None, shape: tuple[int, ...]) -> np.ndarray:
    """float32 of any type of floats."""
    if entry is None:
        raise ModelError(f"{WEIGHTS} has no '{name}': save the model in one file")
    if tuple(entry["shape"]) != shape:
        raise ModelError(
            f"'{name}' in {WEIGHTS} has the shape {tuple(entry['shape'])} and not {shape}: give this model's {CONFIG}"
        )
    kind, data = entry["dtype"], bytes(entry["data"])
    if kind == "BF16":  # the upper half of a float32
        found = (np.frombuffer(data, "<u2").astype(np.uint32) << 16).view(np.float32)
    elif kind in FLOATS:
        found = np.frombuffer(data, FLOATS[kind]).astype(np.float32)
    else:
        raise ModelError(f"'{name}' in {WEIGHTS} has the type {kind}: save the model as float32")
    if not np.isfinite(found).all():
        raise ModelError(f"'{name}' in {WEIGHTS} has weights that are no numbers: download it again")
    return found.reshape(shape)


FLOATS = {"F32": "<f4", "F16": "<f2", "F64": "<f8"}


def save_folder(model: Llama, tokenizer: Tokenizer, folder: Path) -> None:
    """Write the three files, float32."""
    library = safetensors("write safetensors")
    arrays = {"model.embed_tokens": model.embedding, "model.norm": model.gain}
    tied = model.classifier is model.embedding
    if not tied:
        arrays["lm_head"] = model.classifier
    for index, layer in enumerate(model.layers):
        for name, theirs in NAMES.items():
            array = getattr(layer, name)
            turned = halves(array, model.head) if name in TURNED else array
            arrays[f"model.layers.{index}.{theirs}"] = turned
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": model.width,
        "intermediate_size": len(model.layers[0].gate),
        "num_hidden_layers": len(model.layers),
        "num_attention_heads": model.heads,
        "num_key_value_heads": model.kv_heads,
        "vocab_size": model.vocabulary,
        "max_position_embeddings": model.context,
        "rms_norm_eps": model.epsilon,
        "rope_theta": model.theta,
        "tie_word_embeddings": tied,
        "hidden_act": "silu",
        "attention_bias": False,
        "mlp_bias": False,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "torch_dtype": "float32",
    }
    entries = {f"{name}.weight": np.ascontiguousarray(array, "<f4") for name, array in arrays.items()}
    files = {
        CONFIG: (json.dumps(config, indent=2) + "\n").encode(),
        WEIGHTS: library.numpy.save(entries, {"format": "pt"}),
        TOKENIZER: save_tokenizer(tokenizer).encode(),
    }
    for name, data in files.items():
        with replacing(folder / name) as partial:
            partial.write_bytes(data)


def halves(rows: np.ndarray, head: int) -> np.ndarray:
    """Rows (heads * head, K) that turn as neighbours, in the order in which those turn that are half a head apart."""
    return np.ascontiguousarray(rows.reshape(-1, head // 2, 2, rows.shape[-1]).swapaxes(1, 2).reshape(rows.shape))


def neighbours(rows: np.ndarray, head: int) -> np.ndarray:
    """The inverse of :func:`halves`."""
    return np.ascontiguousarray(rows.reshape(-1, 2, head // 2, rows.shape[-1]).swapaxes(1, 2).reshape(rows.shape))
