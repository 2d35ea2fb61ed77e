"""Files of numbers, for networks that take no pictures: .npy, .npz with an array per input, .csv.

Numbers of an input's own type are its values as they are; any others are real values, which the input's scale and zero
point quantize as TFLite's QUANTIZE does.
"""

from __future__ import annotations

import math
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from tinyengine.errors import DataError

SUFFIXES = frozenset({".npy", ".npz", ".csv"})


class Port(Protocol):
    """An input or output of a network: ``shape`` without the batch; real = scale * (value - zero_point)."""

    @property
    def name(self) -> str: ...
    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def dtype(self) -> str: ...
    @property
    def scale(self) -> float: ...
    @property
    def zero_point(self) -> int: ...


@dataclass(frozen=True, eq=False)
class NamedInputs:
    """One array per input of a network, of its type and shape. ``name``: the file's, and which of its samples."""

    name: str
    arrays: tuple[np.ndarray, ...]


def is_numbers(path: Path) -> bool:
    """Whether a file holds numbers and no pictures, by its suffix and, of an .npz, the names of its arrays."""
    if path.suffix.lower() != ".npz":
        return path.suffix.lower() in SUFFIXES
    try:
        with np.load(path, allow_pickle=False) as archive:
            return "jpeg" not in archive.files
    except (OSError, ValueError, zipfile.BadZipFile):
        return False  # whoever reads it says what is wrong


def read_numbers(path: Path, ports: Sequence[Port], hop: int | None = None) -> list[NamedInputs]:
    """The samples of a file for a network with these inputs. DataError where the numbers do not fit them.

    A .csv (with or without a line of headings) has a sample per line: the values of all inputs one after the other. Or,
    for one input of T x C, C columns: then each T lines are a sample, the next one begins ``hop`` lines later
    (default T).
    """
    if not path.is_file():
        raise DataError(f"there is no file {path}")
    suffix = path.suffix.lower()
    if suffix == ".csv":
        columns = _of_csv(path, ports, hop)
    elif suffix == ".npz":
        columns = _of_npz(path, ports)
    else:
        columns = _of_npy(path, ports)
    count = len(columns[0])
    return [
        NamedInputs(str(path) if count == 1 else f"{path}#{k}", tuple(column[k] for column in columns))
        for k in range(count)
    ]


def real_values(values: np.ndarray, port: Port) -> np.ndarray:
    """What the values of an output stand for, float64."""
    real = values.astype(np.float64)
    return real if port.scale == 0 or values.dtype.kind == "f" else port.scale * (real - port.zero_point)


def _of_npy(path: Path, ports: Sequence[Port]) -> list[np.ndarray]:
    if len(ports) != 1:
        names = ", ".join(port.name for port in ports)
        raise DataError(
            f"the network has {len(ports)} inputs and {path} one array: give an .npz with the arrays {names}, or a "
            ".csv with the values of all of them in each line"
        )
    try:
        values = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"{path} is not a NumPy array file: {error}") from error
    return [_fitted(values, ports[0], str(path))]


def _of_npz(path: Path, ports: Sequence[Port]) -> list[np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            data = {name: archive[name] for name in archive.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(f"{path} is not a NumPy archive: {error}") from error
    if len(ports) == len(data) == 1:
        return [_fitted(next(iter(data.values())), ports[0], str(path))]
    missing = [port.name for port in ports if port.name not in data]
    if missing:
        raise DataError(
            f"{path} has no array '{missing[0]}': the network's inputs are {', '.join(port.name for port in ports)}, "
            f"and the arrays {', '.join(data) or 'none'}"
        )
    columns = [_fitted(data[port.name], port, f"'{port.name}' of {path}") for port in ports]
    counts = {port.name: len(column) for port, column in zip(ports, columns, strict=True)}
    if len(set(counts.values())) != 1:
        told = ", ".join(f"{count} of {name}" for name, count in counts.items())
        raise DataError(f"the arrays of {path} have different numbers of samples: {told}")
    return columns


def _of_csv(path: Path, ports: Sequence[Port], hop: int | None) -> list[np.ndarray]:
    table = _table(path)
    sizes = [math.prod(port.shape) for port in ports]
    wide = table.shape[1]
    if wide == sum(sizes):
        parts = np.split(table, np.cumsum(sizes)[:-1], axis=1)
        return [
            _fitted(part.reshape(len(part), *port.shape), port, str(path))
            for part, port in zip(parts, ports, strict=True)
        ]
    lines = sizes[0] // wide if len(ports) == 1 and sizes[0] % wide == 0 else 0
    if not lines:
        wanted = " + ".join(map(str, sizes))
        raise DataError(
            f"{path} has {wide} columns, but the network takes {wanted} values: give so many columns, a sample per line"
            + ("" if len(ports) > 1 else ", or a number of columns of which several lines make a sample")
        )
    if len(table) < lines:
        raise DataError(f"{path} has {len(table)} lines, and {lines} of them make a sample: give more")
    starts = range(0, len(table) - lines + 1, hop or lines)
    windows = np.stack([table[start : start + lines] for start in starts])
    return [_fitted(windows.reshape(len(windows), *ports[0].shape), ports[0], str(path))]


def _table(path: Path) -> np.ndarray:
    """(lines, columns) float64, without a line of headings."""
    try:
        lines = [line for line in path.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read as text: {error}") from error
    rows = [line.split(",") for line in lines]
    if rows and len(rows[0]) == 1 and not _is_number(rows[0][0]) and any(sign in rows[0][0] for sign in ";\t"):
        raise DataError(f"{path} has numbers with something else than commas between them: write a,b,c")
    if rows and not any(map(_is_number, rows[0])):
        rows = rows[1:]
    if not rows:
        raise DataError(f"{path} holds no numbers")
    for number, row in enumerate(rows):
        if len(row) != len(rows[0]) or not all(_is_number(cell) and math.isfinite(float(cell)) for cell in row):
            raise DataError(
                f"{path}: line {len(lines) - len(rows) + number + 1} does not have {len(rows[0])} numbers with commas "
                "between them"
            )
    return np.array([[float(cell) for cell in row] for row in rows])


def _is_number(cell: str) -> bool:
    """Also one that is not finite."""
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _fitted(values: np.ndarray, port: Port, where: str) -> np.ndarray:
    """(N, *shape) of the port's type. DataError where that cannot be."""
    size = math.prod(port.shape)
    alone = values.shape == port.shape
    several = values.ndim > 0 and values.shape[1:] == port.shape
    flat = (values.ndim == 2 and values.shape[1] == size) or (values.ndim < 2 and size == 1)
    if values.size == 0:
        raise DataError(f"{where} holds no numbers: give at least one sample")
    if values.dtype.kind not in "iufb" or not (alone or several or flat):
        shape, wanted = ("x".join(map(str, s)) or "one number" for s in (values.shape, port.shape))
        raise DataError(
            f"{where} holds {values.dtype} {shape}, but the network's input {port.name} is {wanted}: give numbers of "
            f"that shape, or N x {wanted}"
        )
    values = values.reshape(-1, *port.shape)
    return values if values.dtype == port.dtype else _quantized(values, port, where)


def _quantized(values: np.ndarray, port: Port, where: str) -> np.ndarray:
    """Real values as those of the port's type."""
    if not np.isfinite(values).all():
        raise DataError(f"{where} contains values that are not finite")
    dtype = np.dtype(port.dtype)
    if dtype.kind == "f":
        return values.astype(dtype)
    real = values.astype(np.float32)
    if port.scale:
        steps = real / np.float32(port.scale)
        real = np.sign(steps) * np.floor(np.abs(steps) + np.float32(0.5)) + np.float32(port.zero_point)
    limits = np.iinfo(dtype)
    return np.clip(real.astype(np.float64), limits.min, limits.max).astype(dtype)
