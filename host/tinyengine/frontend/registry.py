"""The table of translators, which each file of them fills."""

from __future__ import annotations

from collections.abc import Callable

from tinyengine.frontend.context import Context
from tinyengine.frontend.raw import RawOperator

Translator = Callable[[Context, RawOperator], None]

TRANSLATORS: dict[str, Translator] = {}


def translator(*kinds: str) -> Callable[[Translator], Translator]:
    """Register the decorated function for TFLite's operators ``kinds``."""

    def register(function: Translator) -> Translator:
        for kind in kinds:
            TRANSLATORS[kind] = function
        return function

    return register
