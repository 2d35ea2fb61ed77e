"""Folders that appear whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from tinyengine.errors import ToolError
from tinyengine.export.library import Library
from tinyengine.export.targets import TARGETS


def export(library: Library, target: str, folder: Path) -> list[str]:
    """Write ``library`` for one of TARGETS; the paths of the files in ``folder``, sorted.

    ToolError when ``folder`` is there and not empty, or cannot be written.
    """
    check_free(folder)
    files = TARGETS[target].files(library)
    try:
        _write(files, folder)
    except OSError as error:
        raise ToolError(f"cannot write the folder {folder}: {error.strerror or error}") from error
    return sorted(files)


def check_free(folder: Path) -> None:
    """ToolError when ``folder`` is something else than an empty folder, or none yet."""
    for path in (folder, *folder.parents):
        if path.exists() and not path.is_dir():
            raise ToolError(f"{path} is not a folder: name a new one with -o")
    if folder.is_dir() and any(folder.iterdir()):
        raise ToolError(f"the folder {folder} is not empty: name a new one with -o, or delete what is in it")


def _write(files: Mapping[str, str | bytes], folder: Path) -> None:
    folder = folder.resolve()  # "." has a parent, too
    there = folder.is_dir()  # an empty one, which may be somebody's working directory, or a device of its own
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder if there else folder.parent, prefix=f".{folder.name}-") as scratch:
        whole = Path(scratch) / "whole"
        for name, content in files.items():
            path = whole / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        if there:
            _move_up(whole, folder)
        else:
            os.replace(whole, folder)


def _move_up(whole: Path, folder: Path) -> None:
    """All or nothing."""
    moved: list[Path] = []
    try:
        for path in sorted(whole.iterdir()):
            os.replace(path, folder / path.name)
            moved.append(path)
    except BaseException:
        for path in moved:
            os.replace(folder / path.name, path)
        raise
