"""What a search has scored, one line per candidate, so that an interrupted one continues where it stopped."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from tinyengine.errors import DataError
from tinyengine.search.cost import Costs
from tinyengine.search.evolve import Scored
from tinyengine.search.space import Architecture


class Checkpoint:
    """``candidates.jsonl`` in the folder of a run: first the settings' fingerprint, then the candidates."""

    def __init__(self, folder: Path, fingerprint: str, resume: bool) -> None:
        """Open or begin. Raises DataError for a folder in use, unless ``resume``, and for one of another search."""
        self.path = folder / "candidates.jsonl"
        self.known: dict[Architecture, Scored] = {}
        try:
            if self.path.is_file():
                self._read(fingerprint, resume)
            folder.mkdir(parents=True, exist_ok=True)
            # written anew, so that half a line at the end is gone before another one follows
            lines = [json.dumps({"search": fingerprint}), *map(_line, self.known.values())]
            self.path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        except OSError as error:
            raise DataError(f"cannot use {folder} for checkpoints: {error.strerror}") from error

    def add(self, scored: Scored) -> None:
        """Keep one more candidate; those that are known already are not written twice."""
        if scored.architecture not in self.known:
            self.known[scored.architecture] = scored
            with self.path.open("a", encoding="utf-8") as file:
                file.write(_line(scored) + "\n")

    def _read(self, fingerprint: str, resume: bool) -> None:
        lines = self.path.read_text(encoding="utf-8").splitlines()
        if not resume:
            raise DataError(f"{self.path.parent} holds a search: add --resume, or name another --run folder")
        if not lines or json.loads(lines[0]).get("search") != fingerprint:
            raise DataError(
                f"{self.path} belongs to a search with other settings or data: name another --run folder, or repeat "
                "the settings it was started with"
            )
        for line in lines[1:]:
            try:
                entry = json.loads(line)
            except ValueError:  # cut off while it was written
                continue
            shape = entry["architecture"]
            stages = tuple(tuple((kernel, expansion) for kernel, expansion in stage) for stage in shape["stages"])
            architecture = Architecture(shape["resolution"], shape["width"], stages)
            self.known[architecture] = Scored(
                architecture, Costs(**entry["costs"]), entry["score"], entry["generation"]
            )


def _line(scored: Scored) -> str:
    return json.dumps(asdict(scored))
