"""Samples that a page collects: files in a folder per class, as every other command reads them, and undo."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from tinyengine.data.images import SUFFIXES
from tinyengine.errors import DataError
from tinyengine.live.messages import MessageError, class_name
from tinyengine.paths import replacing

MOST = 5000
"""Samples of a class that a page may collect."""


class Collection:
    """The folder of samples. One thread at a time uses it."""

    def __init__(self, folder: Path) -> None:
        """DataError where ``folder`` is something else."""
        if folder.exists() and not folder.is_dir():
            raise DataError(f"{folder} is no folder: give another --data, in which samples become files")
        self.folder = folder
        self._names: list[str] = []  # in the order in which they came
        self._counts: dict[str, int] = {}
        self._bursts: list[list[Path]] = []
        self.refresh()

    @property
    def counts(self) -> dict[str, int]:
        """Samples of each class, in the order in which the classes became known."""
        return {name: self._counts.get(name, 0) for name in self._names}

    @property
    def can_undo(self) -> bool:
        return bool(self._bursts)

    def refresh(self) -> None:
        """Count again what lies on disk: others may have put pictures there. DataError where it cannot be read."""
        with _told(self.folder, "read"):
            folders = sorted(p for p in self.folder.iterdir() if p.is_dir()) if self.folder.is_dir() else []
        counts = {}
        for path in folders:
            with contextlib.suppress(MessageError):  # no class of ours
                if class_name(path.name) == path.name and (count := _pictures_in(path)):
                    counts[path.name] = count
        self._counts = counts
        for name in self._counts:
            self.know(name)

    def know(self, name: str) -> None:
        """Put a class on the list, if it is not there yet."""
        if name not in self._names:
            self._names.append(name)

    def add_class(self, name: str) -> None:
        """A class of its own. DataError where one has that name, or one that is the same folder on some systems."""
        if any(other.casefold() == name.casefold() for other in self._names):
            raise DataError(f"there is a class {name} already: hold its key to collect samples")
        self._names.append(name)

    def remove_class(self, name: str) -> None:
        """Take a class without samples from the list. DataError for any other."""
        if name not in self._names:
            raise DataError(f"there is no class {name}: add it first")
        if self._counts.get(name):
            raise DataError(
                f"the class {name} has {self._counts[name]} samples: remove the folder {self.folder / name} to give "
                "them up"
            )
        self._names.remove(name)

    def begin(self, name: str) -> None:
        """What is added from now on is undone together. DataError for an unknown class."""
        if name not in self._names:
            raise DataError(f"there is no class {name}: add it first")
        self._bursts.append([])

    def add(self, name: str, content: bytes, suffix: str) -> Path:
        """One more sample of the burst that has begun. DataError where it cannot be written."""
        if self._counts.get(name, 0) >= MOST:
            raise DataError(f"the class {name} has {MOST} samples, which is enough: train")
        folder = self.folder / name
        stamp = time.strftime("%Y%m%d-%H%M%S")
        number = sum(map(len, self._bursts))
        path = folder / f"{stamp}-{number:05}{suffix}"
        while path.exists():
            number += 1
            path = folder / f"{stamp}-{number:05}{suffix}"
        with _told(path, "written"), replacing(path) as partial:
            partial.write_bytes(content)
        self._bursts[-1].append(path)
        self._counts[name] = self._counts.get(name, 0) + 1
        return path

    def end(self) -> None:
        """A burst that has added nothing was none."""
        if self._bursts and not self._bursts[-1]:
            self._bursts.pop()

    def undo(self) -> tuple[str, int]:
        """Remove the samples of the last burst; their class and how many there were. DataError without one, and where
        a sample cannot be removed: it and those before it are the last burst then."""
        self.end()
        if not self._bursts:
            raise DataError("nothing has been collected since the start, so there is nothing to undo")
        burst = self._bursts[-1]
        folder = burst[0].parent
        removed = 0
        try:
            while burst:
                with _told(burst[-1], "removed"), contextlib.suppress(FileNotFoundError):
                    burst[-1].unlink()
                    removed += 1
                burst.pop()
        finally:
            self.end()
            with contextlib.suppress(OSError):  # other samples are in it
                folder.rmdir()
            self._counts[folder.name] = _pictures_in(folder)
        return folder.name, removed

    def with_samples(self) -> Sequence[str]:
        """The classes that have some."""
        return [name for name in self._names if self._counts.get(name)]


def _pictures_in(folder: Path) -> int:
    with _told(folder, "read"):
        if not folder.is_dir():
            return 0
        return sum(p.suffix.lower() in SUFFIXES and not p.name.startswith(".") for p in folder.iterdir())


@contextlib.contextmanager
def _told(path: Path, what: str) -> Iterator[None]:
    """DataError, no OSError: the board has nothing to do with it."""
    try:
        yield
    except OSError as error:
        raise DataError(f"{path} cannot be {what}: {error.strerror or error}") from error
