"""Float models and their tokenizers from the files in which they are published."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tinyengine.errors import ModelError
from tinyengine.ir.language import MAX_HEAD, MAX_WIDTH
from tinyengine.ir.operators.language import COLUMNS, HEAD, ROWS
from tinyengine.ir.tokenizer import FIRST_PIECE, LONGEST_PIECE, MAX_TOKENS, Tokenizer
from tinyengine.language.llama import Llama, LlamaLayer
from tinyengine.sizes import round_up

HEADER = "<7i"
EPSILON, THETA = 1e-5, 10000.0
"""Of llama2.c's models."""


def load_llama2c(path: Path) -> Llama:
    """A checkpoint of llama2.c in its first format (export version 0): seven int32 and all weights in float32.

    ModelError, one sentence, if it is none, or of sizes that no .lm file can have.
    """
    data = read_bytes(path)
    if len(data) < struct.calcsize(HEADER):
        raise ModelError(f"{path.name} is no checkpoint of llama2.c, it has only {len(data)} bytes: give the .bin file")
    width, hidden, layers, heads, kv_heads, vocabulary, context = struct.unpack_from(HEADER, data)
    tied, vocabulary = vocabulary > 0, abs(vocabulary)
    sizes = width, hidden, layers, heads, kv_heads, vocabulary, context
    if min(sizes) < 1 or max(sizes) > 1 << 24 or width % heads or heads % kv_heads or width // heads % 2:
        raise ModelError(f"{path.name} is no checkpoint of llama2.c, its sizes would be {sizes}: give the .bin file")
    head, keys = width // heads, width // heads * kv_heads
    check_sizes(path.name, width, head, vocabulary)
    shapes: dict[str, tuple[int, ...]] = {
        "embedding": (vocabulary, width),
        "attention_gain": (layers, width),
        "query": (layers, width, width),
        "key": (layers, keys, width),
        "value": (layers, keys, width),
        "output": (layers, width, width),
        "feed_gain": (layers, width),
        "gate": (layers, hidden, width),
        "down": (layers, width, hidden),
        "up": (layers, hidden, width),
        "gain": (width,),
        "angles": (2, context, head // 2),
    }
    if not tied:
        shapes["classifier"] = (vocabulary, width)
    counts = {name: int(np.prod(shape, dtype=np.int64)) for name, shape in shapes.items()}
    expected = struct.calcsize(HEADER) + 4 * sum(counts.values())
    if len(data) != expected:
        raise ModelError(
            f"{path.name} has {len(data)} bytes, but a checkpoint of llama2.c with its sizes has {expected}: "
            "download it again, or export it with version 0"
        )
    found, offset = {}, struct.calcsize(HEADER)
    for name, shape in shapes.items():
        found[name] = np.frombuffer(data, "<f4", counts[name], offset).reshape(shape)
        offset += 4 * counts[name]
    if not all(np.isfinite(found[name]).all() for name in found if name != "angles"):
        raise ModelError(f"{path.name} has weights that are no numbers: download it again")
    return Llama(
        heads=heads,
        kv_heads=kv_heads,
        context=context,
        theta=THETA,
        epsilon=EPSILON,
        embedding=found["embedding"],
        layers=tuple(
            LlamaLayer(**{name: found[name][index] for name in LlamaLayer.__dataclass_fields__})
            for index in range(layers)
        ),
        gain=found["gain"],
        classifier=found["embedding" if tied else "classifier"],
    )


def check_sizes(name: str, width: int, head: int, vocabulary: int) -> None:
    """ModelError for a model of sizes that no .lm file can have. ``head``: channels of one."""
    for what, size, step, least, most in (
        ("width", width, COLUMNS, COLUMNS, MAX_WIDTH),
        ("heads' size", head, HEAD, HEAD, MAX_HEAD),
        ("vocabulary", vocabulary, ROWS, FIRST_PIECE + 1, MAX_TOKENS),
    ):
        if size % step or not least <= size <= most:
            raise ModelError(
                f"{name} cannot be converted, its {what} is {size}: "
                f"train a model where it is a multiple of {step} from {round_up(least, step)} to {most}"
            )


def check_pieces(name: str, pieces: Sequence[bytes]) -> None:
    """ModelError for a tokenizer with a piece that no device takes."""
    longest = max(map(len, pieces), default=0)
    if longest > LONGEST_PIECE:
        raise ModelError(
            f"{name} has a piece of {longest} bytes: train a tokenizer whose pieces have at most {LONGEST_PIECE}"
        )


def load_llama2c_tokenizer(path: Path, vocabulary: int) -> Tokenizer:
    """The tokenizer of such a checkpoint: the longest piece's length, then per token score, length, bytes.

    ModelError, one sentence, if it is none, one of another vocabulary, or with pieces that no device takes.
    """
    data, offset = read_bytes(path), 4
    pieces, scores = [], []
    try:
        for _ in range(vocabulary):
            score, size = struct.unpack_from("<fi", data, offset)
            offset += 8
            if not 0 <= size <= len(data) - offset:
                raise ValueError("a piece ends behind the file")
            pieces.append(data[offset : offset + size])
            scores.append(score)
            offset += size
        if offset != len(data):
            raise ValueError("there is more in it")
    except (struct.error, ValueError) as error:
        raise ModelError(
            f"{path.name} is no tokenizer of {vocabulary} tokens ({error}): give the one of this model"
        ) from error
    check_pieces(path.name, pieces)
    return Tokenizer(tuple(pieces), tuple(scores))


def read_bytes(path: Path) -> bytes:
    """ModelError where that fails."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise ModelError(f"cannot read {path}: {error.strerror or error}") from error
