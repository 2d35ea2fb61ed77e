"""Networks of other formats that are int8 already, to .tflite."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from tinyengine.convert.source import NETWORKS, suffix_of
from tinyengine.convert.tflite import content_of
from tinyengine.data.metadata import ModelMetadata, metadata_path
from tinyengine.data.network_file import check_output, write_network
from tinyengine.errors import DataError, ModelError
from tinyengine.frontend.files import WRAPPINGS
from tinyengine.frontend.tflite import load_tflite, parse_tflite
from tinyengine.frontend.tflite_writer import tflite_bytes


@dataclass(frozen=True, slots=True)
class Import:
    """What ``--json`` prints."""

    out: Path
    bytes: int
    operators: dict[str, int]


def convert_quantized(model: Path, out: Path, input_shape: tuple[int, ...] | None = None) -> Import:
    """Write the int8 network ``model`` as ``out``, and where it takes pictures a MODEL.json (pixel - 128).

    TinyEngineError, and nothing written, if that cannot be done.
    """
    check_output(out)
    if metadata_path(out).resolve() == model.resolve():
        raise DataError(f"the MODEL.json beside {out} would overwrite {model}: name another output")
    suffix = suffix_of(model)
    load, wrapped = NETWORKS[suffix], suffix in WRAPPINGS
    if load is load_tflite and not wrapped:
        raise ModelError(f"{model} is a .tflite file already: compile it")
    content = content_of(model, input_shape) if wrapped else b""
    graph = parse_tflite(content, model.name) if wrapped else load(model)
    content = content or tflite_bytes(graph)
    shapes = [graph.tensor(port.tensor).shape for port in graph.inputs]
    pictures = [len(shape) == 4 and shape[3] in (1, 3) for shape in shapes] == [True]
    write_network(out, content, ModelMetadata() if pictures else None)
    return Import(out, len(content), dict(Counter(op.kind.name for op in graph.operators)))
