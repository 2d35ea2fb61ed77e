"""The result of code generation."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tinyengine.errors import ToolError
from tinyengine.ir import Graph


@dataclass(eq=False)
class Generated:
    """A network as C, and what somebody who builds and runs it has to know.

    ``graph``: ports and tensors; ``prefix``: its te_model's name; ``sources``: file name -> text; ``macs``: its work;
    ``small``: its code, too, is to be compiled for size; ``constants``: the file that it is bound to, if it is.
    """

    graph: Graph
    prefix: str
    sources: dict[str, str]
    macs: int
    small: bool
    constants: bytes | None

    def write(self, directory: Path) -> None:
        """Write the sources into ``directory``: all of them or none. Files that would not change are left alone, so
        that a build system sees no change."""
        parent = directory.parent
        try:
            parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=parent, prefix=f".{directory.name}-") as scratch:
                staged = {name: Path(scratch) / name for name in self.sources}
                for name, path in staged.items():
                    path.write_text(self.sources[name], encoding="ascii")
                directory.mkdir(exist_ok=True)  # only now: a full disk leaves no empty directory
                for name, path in staged.items():
                    target = directory / name
                    if not target.is_file() or target.read_bytes() != path.read_bytes():
                        os.replace(path, target)
        except OSError as error:
            raise ToolError(f"cannot write the generated sources to {directory}: {error.strerror or error}") from error
