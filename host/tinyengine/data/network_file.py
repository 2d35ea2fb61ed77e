"""Writes a network and the MODEL.json beside it, both or neither."""

from __future__ import annotations

import json
import os
from pathlib import Path

from tinyengine.data.metadata import ModelMetadata, metadata_path
from tinyengine.errors import DataError


def check_output(out: Path) -> None:
    """Raise DataError, before any long work, where ``out`` cannot become a .tflite file."""
    if out.suffix != ".tflite":
        raise DataError(f"the output {out} must end in .tflite")
    if out.is_dir():
        raise DataError(f"the output {out} is a folder: name a file that ends in .tflite")


def write_network(out: Path, content: bytes, metadata: ModelMetadata | None) -> None:
    """``content`` to ``out`` and the metadata beside it; a reader never sees half a file. Raises DataError."""
    check_output(out)
    files = {out: content}
    if metadata is not None:
        text = json.dumps(json.loads(metadata.to_json()), indent=2) + "\n"
        files[metadata_path(out)] = text.encode()
    partials = {path: path.with_name(f".{path.name}.partial") for path in files}
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        for path, data in files.items():
            partials[path].write_bytes(data)
        for path, partial in partials.items():
            os.replace(partial, path)
    except OSError as error:
        raise DataError(f"cannot write {out}: {error.strerror}") from error
    finally:
        for partial in partials.values():
            partial.unlink(missing_ok=True)
