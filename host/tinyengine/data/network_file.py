"""Writes a network and the MODEL.json beside it, both or neither."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

from tinyengine.data.metadata import ModelMetadata, metadata_path
from tinyengine.errors import DataError
from tinyengine.paths import replacing


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
    try:
        with contextlib.ExitStack() as stack:
            for path, data in files.items():
                stack.enter_context(replacing(path)).write_bytes(data)
    except OSError as error:
        raise DataError(f"cannot write {out}: {error.strerror}") from error
