"""Tokenizers of Hugging Face's format (tokenizer.json) that do what a device does, and how one is trained.

A device merges pieces in the order of their scores, whatever pairs they are made of, begins a text with a space and
spells what it has no piece for in bytes: SentencePiece's BPE with byte fallback, as Llama has it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tinyengine.errors import ModelError
from tinyengine.ir.tokenizer import BYTES, FIRST_BYTE, FIRST_PIECE, LONGEST_PIECE, Tokenizer
from tinyengine.language.checkpoint import check_pieces, read_bytes
from tinyengine.optional import tokenizers
from tinyengine.sizes import round_up

SPACE = "\u2581"
"""Stands for a space inside pieces."""
SPECIAL = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(BYTES))]
"""The tokens before the first piece."""
WORDS = f"{SPACE}?[^\\W\\d_{SPACE}]+|{SPACE}?[^{SPACE}]|{SPACE}"
"""What no piece reaches beyond: letters, or one other character, with the space before them."""


def train_tokenizer(texts: Iterable[str], vocabulary: int) -> Tokenizer:
    """Of so many tokens, for ``texts``. Raises ModelError if they do not have so many pieces, ToolError without the
    package."""
    library = tokenizers("train a tokenizer")
    made = library.Tokenizer(library.models.BPE(unk_token=SPECIAL[0], byte_fallback=True))
    made.pre_tokenizer = library.pre_tokenizers.Split(library.Regex(WORDS), "isolated")
    trainer = library.trainers.BpeTrainer(
        vocab_size=vocabulary, special_tokens=SPECIAL, show_progress=False, max_token_length=LONGEST_PIECE // 4
    )
    made.train_from_iterator((SPACE + " ".join(text.split()).replace(" ", SPACE) for text in texts), trainer)
    size = made.get_vocab_size()
    if size > vocabulary:
        raise ModelError(
            f"the text has {size - FIRST_PIECE} different characters, too many for {vocabulary} tokens: give a "
            f"--vocabulary of at least {round_up(size, 4)}"
        )
    if size < vocabulary:
        raise ModelError(
            f"the text has pieces for {size} tokens only: give more text, or a --vocabulary of at most {size // 4 * 4}"
        )
    pieces = sorted(made.get_vocab(), key=made.get_vocab().__getitem__)
    merged = [piece for piece in pieces[FIRST_PIECE:] if len(piece) > 1]
    return _tokenizer(pieces, {piece: n for n, piece in enumerate(merged)})


def load_tokenizer(path: Path, vocabulary: int) -> Tokenizer:
    """ModelError, one sentence, if the file is none, one of another vocabulary, or does what devices do not."""
    try:
        file = json.loads(read_bytes(path))
        model = file["model"]
        kind, vocab = model["type"], dict(model["vocab"])
        merges = [tuple(pair.split(" ") if isinstance(pair, str) else pair) for pair in model.get("merges", ())]
        vocab |= {each["content"]: each["id"] for each in file.get("added_tokens") or ()}
        names = {token: name for name, token in vocab.items()}
        steps = [*_steps(file.get("normalizer")), *_steps(file.get("pre_tokenizer"))]
        if any(len(pair) != 2 for pair in merges) or not all(isinstance(name, str) for name in vocab):
            raise ValueError("merges are pairs of pieces")
        if not all(type(token) is int for token in names):
            raise ValueError("tokens are numbers")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(f"{path.name} is no tokenizer ({error}): give the tokenizer.json of this model") from error
    if sorted(names) != list(range(vocabulary)):
        raise ModelError(
            f"{path.name} has {len(names)} tokens and the model {vocabulary}: give the tokenizer.json of this model"
        )
    if kind != "BPE" or not model.get("byte_fallback") or [names[token] for token in range(FIRST_PIECE)] != SPECIAL:
        raise _refused(path, "is not Llama's kind: a device spells what it has no piece for in bytes, tokens 3 to 258")
    prepended = any(step.get("type") == "Prepend" and step.get("prepend") == SPACE for step in steps) or any(
        step.get("type") == "Metaspace" and step.get("prepend_scheme", "always") != "never" for step in steps
    )
    others = [step.get("type") for step in steps if step.get("type") not in ("Prepend", "Replace", "Metaspace")]
    if not prepended or others:
        does = f"prepares texts by {others[0]}" if others else "begins no text with a space"
        raise _refused(path, f"{does}, which a device does not" if others else f"{does}, which a device does")
    rank: dict[str, int] = {}
    for left, right in merges:
        rank.setdefault(left + right, len(rank))
    known = set(merges)
    for piece in vocab:
        cuts = [(piece[:cut], piece[cut:]) for cut in range(1, len(piece))]
        missing = [pair for pair in cuts if pair[0] in vocab and pair[1] in vocab and pair not in known]
        if missing:
            raise _refused(
                path, f"does not merge '{missing[0][0]}' and '{missing[0][1]}', a device merges all that make a piece"
            )
    order = [names[token] for token in range(vocabulary)]
    made = _tokenizer(order, rank)
    check_pieces(path.name, made.pieces)
    return made


def _steps(step: dict[str, Any] | None) -> list[dict[str, Any]]:
    """Of a normalizer or pre-tokenizer, one behind the other."""
    if step is None:
        return []
    inner = step.get("normalizers") or step.get("pretokenizers")
    return [each for part in inner for each in _steps(part)] if inner else [step]


def _refused(path: Path, why: str) -> ModelError:
    return ModelError(f"{path.name} {why}: train a tokenizer with SentencePiece (BPE, byte fallback) or 'lm train'")


def save_tokenizer(tokenizer: Tokenizer) -> str:
    """The file. Pieces are those of text, in the order of their tokens; all have to have different scores."""
    order = [piece.decode().replace(" ", SPACE) for piece in tokenizer.pieces[FIRST_PIECE:]]
    names = [*SPECIAL, *order]
    rank = {names[token]: -tokenizer.scores[token] for token in range(FIRST_PIECE, len(names))}
    pairs = [
        (rank[piece], [piece[:cut], piece[cut:]])
        for piece in order
        for cut in range(1, len(piece))
        if piece[:cut] in rank and piece[cut:] in rank
    ]
    added = [
        {"id": token, "content": name, "single_word": False, "lstrip": False, "rstrip": False}
        | {"normalized": False, "special": True}
        for token, name in enumerate(SPECIAL[:FIRST_BYTE])
    ]
    begin = {"SpecialToken": {"id": "<s>", "type_id": 0}}
    text = {"Sequence": {"id": "A", "type_id": 0}}
    file = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": added,
        "normalizer": {
            "type": "Sequence",
            "normalizers": [
                {"type": "Prepend", "prepend": SPACE},
                {"type": "Replace", "pattern": {"String": " "}, "content": SPACE},
            ],
        },
        "pre_tokenizer": None,
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [begin, text],
            "pair": [begin, text, text],
            "special_tokens": {"<s>": {"id": "<s>", "ids": [1], "tokens": ["<s>"]}},
        },
        "decoder": {
            "type": "Sequence",
            "decoders": [
                {"type": "Replace", "pattern": {"String": SPACE}, "content": " "},
                {"type": "ByteFallback"},
                {"type": "Fuse"},
                {"type": "Strip", "content": " ", "start": 1, "stop": 0},
            ],
        },
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": "<unk>",
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": True,
            "byte_fallback": True,
            "ignore_merges": False,
            "vocab": {name: token for token, name in enumerate(names)},
            "merges": [pair for _, pair in sorted(pairs, key=lambda each: each[0])],
        },
    }
    return json.dumps(file, ensure_ascii=False, indent=1) + "\n"


def _tokenizer(names: list[str], rank: dict[str, int]) -> Tokenizer:
    """Of pieces by token. ``rank``: when a piece is merged; others come last, if they are longer than a character."""
    pieces = tuple(name.replace(SPACE, " ").encode("utf-8", "surrogatepass") for name in names)
    last = len(rank)
    scores = [0.0 if n < FIRST_PIECE or len(name) == 1 else -1.0 - rank.get(name, last) for n, name in enumerate(names)]
    return Tokenizer(pieces, tuple(scores))
