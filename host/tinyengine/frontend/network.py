"""Networks of all kinds of files that the compiler reads."""

from __future__ import annotations

from pathlib import Path

from tinyengine.frontend.language import SUFFIX, language_graph, load_language
from tinyengine.frontend.tflite import load_tflite
from tinyengine.ir import Graph


def load_network(path: Path) -> Graph:
    """Read, translate and verify a file; ModelError, one sentence, if it is unfit."""
    if path.suffix.lower() == SUFFIX:
        return language_graph(load_language(path), path.stem)
    return load_tflite(path)
