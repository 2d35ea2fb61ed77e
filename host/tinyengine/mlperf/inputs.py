"""The runner's data sets: a folder of binary inputs and ``y_labels.csv``, which says what each one shows.

A line is ``file, classes, class``; of anomaly detection ``file, classes, class, bytes, stride``: the device gets
windows of so many bytes of the file, each ``stride`` bytes behind the one before.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tinyengine.errors import DataError

LABELS = "y_labels.csv"


@dataclass(frozen=True)
class Sample:
    """``window`` and ``stride`` are bytes; a window of 0: the whole file at once."""

    path: Path
    label: int
    window: int = 0
    stride: int = 0

    def inputs(self) -> Iterator[bytes]:
        """What the device is given, one after the other."""
        try:
            data = self.path.read_bytes()
        except OSError as error:
            raise DataError(f"{self.path} cannot be read ({error.strerror}): {LABELS} beside it names it") from error
        if not self.window:
            yield data
            return
        if len(data) < self.window:
            raise DataError(f"{self.path} has {len(data)} bytes, a window of {LABELS} has {self.window}")
        for start in range(0, len(data) - self.window + 1, self.stride):
            yield data[start : start + self.window]


def read_samples(folder: Path) -> list[Sample]:
    """All lines of the folder's ``y_labels.csv``; DataError names the first that cannot be used."""
    path = folder / LABELS
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{folder} has no {LABELS}: give the folder of one benchmark of the runner's data") from error
    samples = []
    for number, row in enumerate(text.splitlines(), 1):
        fields = [field.strip() for field in row.split(",")]
        if not any(fields):
            continue
        try:
            name, _, label, *windows = fields
            window, stride = (int(value) for value in windows) if windows else (0, 0)
            sample = Sample(folder / name, int(label), window, stride)
        except ValueError as error:
            raise DataError(f"{path}, line {number}: write 'file, classes, class' there") from error
        if bool(sample.window) != (sample.stride > 0) or sample.window < 0:
            raise DataError(f"{path}, line {number}: write the window's bytes and a stride above 0 behind the class")
        samples.append(sample)
    if not samples:
        raise DataError(f"{path} is empty: give the folder of one benchmark of the runner's data")
    return samples
