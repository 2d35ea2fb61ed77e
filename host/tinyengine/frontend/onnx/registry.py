"""Which function translates which node."""

from __future__ import annotations

from collections.abc import Callable

from tinyengine.frontend.onnx.builder import Builder, Node

Translate = Callable[[Builder, Node], None]
TRANSLATORS: dict[str, Translate] = {}


def translator(*kinds: str) -> Callable[[Translate], Translate]:
    """Register the function for nodes of these kinds."""

    def register(function: Translate) -> Translate:
        TRANSLATORS.update(dict.fromkeys(kinds, function))
        return function

    return register
