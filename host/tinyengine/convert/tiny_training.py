"""Networks of the tiny-training format, which are int8 already, to .tflite."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from tinyengine.data.metadata import ModelMetadata, metadata_path
from tinyengine.data.network_file import check_output, write_network
from tinyengine.errors import DataError
from tinyengine.frontend.tflite_writer import tflite_bytes
from tinyengine.frontend.tiny_training import load_tiny_training


@dataclass(frozen=True, slots=True)
class Import:
    """What ``--json`` prints."""

    out: Path
    bytes: int
    operators: dict[str, int]


def convert_tiny_training(model: Path, out: Path) -> Import:
    """Write the network ``model`` (.json with its .npz) and a MODEL.json (pixel - 128) as ``out``.

    TinyEngineError, and nothing written, if that cannot be done.
    """
    check_output(out)
    if metadata_path(out).resolve() == model.resolve():
        raise DataError(f"the MODEL.json beside {out} would overwrite {model}: name another output")
    graph = load_tiny_training(model)
    content = tflite_bytes(graph)
    write_network(out, content, ModelMetadata())
    return Import(out, len(content), dict(Counter(op.kind.name for op in graph.operators)))
