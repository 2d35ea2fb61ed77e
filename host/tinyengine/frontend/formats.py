"""Model files by suffix. A new format of int8 networks is one entry here, one of float models in convert/source.py."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from tinyengine.errors import ModelError
from tinyengine.frontend.tflite import load_tflite
from tinyengine.frontend.tiny_training import load_tiny_training
from tinyengine.ir import Graph

M = TypeVar("M")

FOLDER = ""
"""Stands for a folder among the suffixes."""


@dataclass(frozen=True)
class Format(Generic[M]):
    """A kind of model file, and who reads it; nobody where ``excuse`` goes on after "FILE is WHAT, "."""

    what: str
    load: Callable[[Path], M] | None
    excuse: str = ""


NETWORKS: dict[str, Format[Graph]] = {
    ".tflite": Format("an int8 TFLite network", load_tflite),
    ".json": Format("a tiny-training network", load_tiny_training),
}


def suffix_of(path: Path, formats: Mapping[str, Format[Any]]) -> str:
    """The key in ``formats`` of a file or folder that can be read; else ModelError says what could be given instead."""
    if not path.exists():
        raise ModelError(f"the model {path} does not exist")
    suffix = FOLDER if path.is_dir() else path.suffix
    if suffix not in formats:
        known = [f"{f.what} ({s})" if s else f.what for s, f in formats.items() if not f.excuse]
        raise ModelError(f"{path} is no model: give {', '.join(known[:-1])} or {known[-1]}")
    if formats[suffix].excuse:
        raise ModelError(f"{path} is {formats[suffix].what}, {formats[suffix].excuse}")
    return suffix


def load_network(path: Path) -> Graph:
    """The network of a .tflite file; ModelError, one sentence, for others: they have to be converted first."""
    if path.is_dir() or path.suffix != ".tflite":
        raise ModelError(f"{path} is no .tflite file: convert it first (tinyengine convert {path} -o NETWORK.tflite)")
    return load_tflite(path)
