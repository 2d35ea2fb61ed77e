"""What a language model is told to write, and what it wrote. A device does it, or its generated code in this process.

``Settings`` becomes te_lm_settings of te_lm_text.h.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from tinyengine.errors import DataError

ALL = 1 << 16
"""``Settings.share`` that leaves no token out."""


@dataclass(frozen=True)
class Settings:
    """``temperature`` 0: always the likeliest token. ``top_p``: the share of the probability that the tokens to choose
    from have at least. ``endless``: a text that ends is followed by another one."""

    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 0
    endless: bool = False

    @property
    def sharpness(self) -> int:
        """te_lm_settings.sharpness; a temperature near 0 is as sharp as 32 bits allow."""
        if not self.temperature:
            return 0
        return round(min(max(1, 4096 * math.log2(math.e) / self.temperature), (1 << 32) - 1))

    @property
    def share(self) -> int:
        """te_lm_settings.share."""
        return round(self.top_p * ALL)


def prompt_bytes(prompt: str) -> bytes:
    """What a writer is given of a prompt. DataError for one with bytes that are no text, which a shell hands on."""
    try:
        return prompt.encode()
    except UnicodeEncodeError as error:
        raise DataError(f"character {error.start + 1} of the prompt is no text: write the prompt in UTF-8") from error


@dataclass(frozen=True)
class Written:
    """A piece of text of ``tokens`` tokens; ``seconds`` of computing; ``ended``: the model ended the text.
    ``instructions``: of computing, where whoever writes counts them (a simulated board), else 0."""

    text: bytes
    tokens: int
    seconds: float
    ended: bool
    instructions: int = 0


class Writer(Protocol):
    """Whoever writes."""

    def begin(self, prompt: str, settings: Settings) -> int:
        """Forget everything and read ``prompt``; its tokens."""
        ...

    def write(self, tokens: int) -> Written:
        """Go on, for at most so many tokens."""
        ...


def pieces(writer: Writer, tokens: int) -> Iterator[Written]:
    """Up to so many tokens, as they come."""
    while tokens > 0:
        written = writer.write(tokens)
        yield written
        tokens -= written.tokens
        if written.ended:
            return
