"""The part of a language model's generated code that knows its tokens: te_lm_text."""

from __future__ import annotations

import numpy as np

from tinyengine.codegen.storage import Storage
from tinyengine.codegen.values import array_definition
from tinyengine.ir.language import softmax_table
from tinyengine.ir.tokenizer import FIRST_PIECE, Tokenizer


def text_definition(tokenizer: Tokenizer, own: Storage) -> str:
    """Arrays of all pieces, and ``text``, which points to them."""
    pieces = tokenizer.pieces[FIRST_PIECE:]
    order = sorted(range(len(pieces)), key=lambda n: (pieces[n], n))
    arrays: dict[str, np.ndarray] = {
        "bytes": np.frombuffer(b"".join(pieces), np.uint8),
        "ends": np.cumsum([len(piece) for piece in pieces], dtype=np.uint32),
        "sorted": np.array([FIRST_PIECE + n for n in order], np.uint16),
        "ranks": np.array(tokenizer.ranks, np.uint16),
        "exponentials": softmax_table().astype(np.uint16),
    }
    weights = own.macro("WEIGHTS")
    text = f"#ifndef {weights}\n#define {weights}\n#endif\n\n"
    for name, data in arrays.items():
        text += "static " + array_definition(f"text_{name}", data, weights) + "\n"
    fields = "".join(f"    .{name} = text_{name},\n" for name in arrays)
    fields += "".join(f"    .{name} = te_lm_{name},\n" for name in ("encode", "decode", "sample"))
    return f"{text}static const te_lm_text text = {{\n    .tokens = {len(tokenizer.pieces)}u,\n{fields}}};\n"
