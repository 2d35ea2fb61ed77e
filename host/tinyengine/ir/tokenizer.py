"""Text to tokens and back, by pieces that are merged in the order of their scores (SentencePiece's BPE)."""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

UNKNOWN, BEGIN, END = 0, 1, 2
GONE = -1
"""In place of a token that is part of another one now."""
FIRST_BYTE = 3
"""Tokens of single bytes: this one of 0 to that of 255."""
BYTES = 256
FIRST_PIECE = FIRST_BYTE + BYTES
LONGEST_PIECE = 64
"""Bytes, as te_lm_text.h has it."""
MAX_TOKENS = 1 << 16
"""Of a vocabulary: numbers of tokens have 16 bits."""


@dataclass(frozen=True)
class Tokenizer:
    """``pieces`` and their ``scores``, one per token. Tokens 0, 1, 2: unknown, begins a text, ends one; then 256 single
    bytes, then pieces of text."""

    pieces: tuple[bytes, ...]
    scores: tuple[float, ...]

    @cached_property
    def tokens(self) -> dict[bytes, int]:
        """By piece of text; of the same pieces the first."""
        found: dict[bytes, int] = {}
        for token, piece in enumerate(self.pieces[FIRST_PIECE:], FIRST_PIECE):
            found.setdefault(piece, token)
        return found

    @cached_property
    def ranks(self) -> list[int]:
        """By piece of text: 0 for the highest score, pieces of the same score have the same."""
        scores = self.scores[FIRST_PIECE:]
        order = {score: rank for rank, score in enumerate(sorted(set(scores), reverse=True))}
        return [order[score] for score in scores]

    def encode(self, text: str, begin: bool = True) -> list[int]:
        """Tokens of ``text``, behind one that begins a text. Like SentencePiece, a text begins with a space."""
        ids: list[int] = []
        for character in (" " + text) if text else "":
            data = character.encode("utf-8", "surrogateescape")
            known = self.tokens.get(data)
            ids += [FIRST_BYTE + byte for byte in data] if known is None else [known]
        ids = self._merged(ids)
        return [BEGIN, *ids] if begin else ids

    def _merged(self, ids: list[int]) -> list[int]:
        """Neighbours that are a piece together become that piece, the highest score first, of the same scores the first
        in the text."""
        after, before = list(range(1, len(ids) + 1)), list(range(-1, len(ids) - 1))
        pairs: list[tuple[float, int, int, int, int]] = []

        def offer(place: int) -> None:
            if place < 0 or after[place] == len(ids):
                return
            left, right = ids[place], ids[after[place]]
            token = self.tokens.get(self._text(left) + self._text(right))
            if token is not None:
                heapq.heappush(pairs, (-self.scores[token], place, left, right, token))

        for place in range(len(ids)):
            offer(place)
        while pairs:
            _, place, left, right, token = heapq.heappop(pairs)
            other = after[place]
            if ids[place] != left or other == len(ids) or ids[other] != right:
                continue  # one of both has been merged since
            ids[place], ids[other], after[place] = token, GONE, after[other]
            if after[other] < len(ids):
                before[after[other]] = place
            offer(before[place])
            offer(place)
        return [token for token in ids if token != GONE]

    def piece(self, token: int, before: int) -> bytes:
        """What ``token`` adds to a text behind token ``before``: no space at its beginning."""
        text = self._text(token)
        return text[1:] if before == BEGIN and text.startswith(b" ") else text

    def decode(self, tokens: list[int]) -> bytes:
        """The text of ``tokens``."""
        return b"".join(self.piece(token, before) for before, token in pairwise([BEGIN, *tokens]))

    def _text(self, token: int) -> bytes:
        if token >= FIRST_PIECE:
            return self.pieces[token]
        return bytes([token - FIRST_BYTE]) if token >= FIRST_BYTE else b""
