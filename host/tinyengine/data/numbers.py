"""Files of numbers, for networks that take no pictures: .npy, .npz with an array per input, .csv, sound as .wav.

Numbers of an input's own type are its values as they are; any others are real values, which the input's scale and zero
point quantize as TFLite's QUANTIZE does.
"""

from __future__ import annotations

import contextlib
import math
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np
from numpy.lib.npyio import NpzFile

from tinyengine.data.sound import SUFFIX
from tinyengine.errors import DataError

SUFFIXES = frozenset({".npy", ".npz", ".csv", SUFFIX})
Opened = TypeVar("Opened", np.ndarray, NpzFile)


class Quantized(Protocol):
    """What numbers of a network stand for: ``shape`` without the batch; real = scale * (value - zero_point)."""

    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def dtype(self) -> str: ...
    @property
    def scale(self) -> float: ...
    @property
    def zero_point(self) -> int: ...


class Port(Quantized, Protocol):
    """An input or output of a network."""

    @property
    def name(self) -> str: ...


@dataclass(frozen=True)
class RealInput:
    """The input of a float network: real values as they are."""

    name: str
    shape: tuple[int, ...]
    dtype: str = "float32"
    scale: float = 0.0
    zero_point: int = 0


@dataclass(frozen=True, eq=False)
class NamedInputs:
    """One array per input of a network, of its type and shape. ``name``: the file's, and which of its samples.
    ``ends_at``: of sound, in seconds from its beginning. ``goes_on``: with the sound of the sample before."""

    name: str
    arrays: tuple[np.ndarray, ...]
    ends_at: float | None = None
    goes_on: bool = False


class Ear(Protocol):
    """What makes a network's inputs of sound."""

    @property
    def rate(self) -> int:
        """Samples per second."""
        ...

    def of_file(self, path: Path, ports: Sequence[Port], hop: int | None) -> list[NamedInputs]:
        """The windows of a .wav, one ``hop`` slices after the other (None: without overlap)."""
        ...

    def of_pieces(
        self, pieces: Iterable[np.ndarray], ports: Sequence[Port], hop: int | None, name: str
    ) -> Iterator[NamedInputs]:
        """The windows of int16 sound that comes in pieces."""
        ...


def is_numbers(path: Path) -> bool:
    """Whether a file holds numbers and no pictures, by its suffix and, of an .npz, the names of its arrays."""
    if path.suffix.lower() != ".npz":
        return path.suffix.lower() in SUFFIXES
    try:
        with opened(path, NpzFile) as archive:
            return "jpeg" not in archive.files
    except DataError:
        return False  # whoever reads it says what is wrong


@dataclass(frozen=True)
class Windows:
    """How a series becomes samples. ``hop``: lines from one sample to the next (None: the samples do not overlap).
    ``lines``: how many the user takes a sample for (None: whatever the network takes). ``ear``: of a network that
    listens; its lines are slices of sound."""

    hop: int | None = None
    lines: int | None = None
    ear: Ear | None = None

    def listening(self, what: str) -> Ear:
        """The ear for ``what``. DataError where the network has none."""
        if self.ear is None:
            raise DataError(
                f'{what} is sound, and nothing says how this network listens: write "audio" into its MODEL.json (as '
                'docs/audio.md shows, {"audio": {"kind": "micro"}} say) and build it again, or give --model'
            )
        return self.ear

    def checked(self, lines: int) -> int:
        """``lines`` of which the network takes a sample. DataError where the user thinks otherwise."""
        if self.lines not in (None, lines):
            raise DataError(
                f"--window {self.lines}: the network takes {lines} lines at once, so leave --window out, or say {lines}"
            )
        return lines

    def cut(self, series: np.ndarray, lines: int, where: str) -> np.ndarray:
        """(L, ...) -> (N, lines, ...). DataError for a series that is shorter than a sample."""
        if len(series) < self.checked(lines):
            raise DataError(f"{where} has {len(series)} lines, and {lines} of them make a sample: give more")
        every = np.moveaxis(np.lib.stride_tricks.sliding_window_view(series, lines, axis=0), -1, 1)
        return every[:: self.step(lines)]

    def step(self, lines: int) -> int:
        """From one sample of ``lines`` to the next; where each line is a sample there is nothing to overlap."""
        return (self.hop or lines) if lines > 1 else 1


AS_THE_NETWORK = Windows()


def short_name(port: Port) -> str:
    """A port's name without what TensorFlow adds to the one that its author has given."""
    return port.name.removeprefix("serving_default_").partition(":")[0]


def read_numbers(path: Path, ports: Sequence[Port], windows: Windows = AS_THE_NETWORK) -> list[NamedInputs]:
    """The samples of a file for a network with these inputs. DataError where the numbers do not fit them.

    A .csv (with or without a line of headings) has a sample per line: the values of all inputs one after the other. Or,
    for one input of T x C, C columns: then each T lines are a sample, as ``windows`` says. So are each T of an array
    L x C, and of the slices of sound. An .npz may also hold y and class_names, see number_sets.
    """
    if not path.is_file():
        raise DataError(f"there is no file {path}")
    suffix = path.suffix.lower()
    if suffix == SUFFIX:
        return windows.listening(str(path)).of_file(path, ports, windows.hop)
    if suffix == ".csv":
        columns = _of_csv(path, ports, windows)
    elif suffix == ".npz":
        columns = _of_arrays(open_arrays(path), path, ports, windows)
    else:
        columns = _of_npy(path, ports, windows)
    count = len(columns[0])
    return [
        NamedInputs(str(path) if count == 1 else f"{path}#{k}", tuple(column[k] for column in columns))
        for k in range(count)
    ]


def real_values(values: np.ndarray, port: Port) -> np.ndarray:
    """What the values of an output stand for, float64."""
    real = values.astype(np.float64)
    return real if port.scale == 0 or values.dtype.kind == "f" else port.scale * (real - port.zero_point)


def _of_npy(path: Path, ports: Sequence[Port], windows: Windows) -> list[np.ndarray]:
    if len(ports) != 1:
        names = ", ".join(map(short_name, ports))
        raise DataError(
            f"the network has {len(ports)} inputs and {path} one array: give an .npz with the arrays {names}, or a "
            ".csv with the values of all of them in each line"
        )
    with opened(path, np.ndarray) as array:
        values = array
    return [_fitted(values, ports[0], str(path), windows)]


BESIDE_INPUTS = frozenset({"y", "class_names"})
"""Arrays of an .npz that say what the samples are."""


@contextlib.contextmanager
def opened(path: Path, kind: type[Opened]) -> Iterator[Opened]:
    """What NumPy finds in a file, whatever its suffix: an np.ndarray (.npy) or an NpzFile (.npz). DataError where it is
    not of that ``kind``, or, as the block reads it, turns out to be damaged."""
    what = "array file (.npy)" if issubclass(kind, np.ndarray) else "archive (.npz)"
    with contextlib.ExitStack() as stack:
        try:
            found = np.load(path, allow_pickle=False)
            if isinstance(found, NpzFile):
                stack.enter_context(found)
            if not isinstance(found, kind):
                raise ValueError(f"it is an {'.npz' if isinstance(found, NpzFile) else '.npy'}, so give it that suffix")
            yield found
        except (OSError, ValueError, EOFError, NotImplementedError, zipfile.BadZipFile, zlib.error) as error:
            # zipfile raises NotImplementedError where it does not know how an archive is compressed
            raise DataError(f"{path} is not a NumPy {what}: {error}") from error


def open_arrays(path: Path) -> dict[str, np.ndarray]:
    """What an .npz holds. DataError where it is none, or holds anything else."""
    with opened(path, NpzFile) as archive:
        data = {name: archive[name] for name in archive.files}
        if other := [name for name, values in data.items() if not isinstance(values, np.ndarray)]:
            raise ValueError(f"{other[0]} in it is no array")
    return data


def _of_arrays(data: dict[str, np.ndarray], path: Path, ports: Sequence[Port], windows: Windows) -> list[np.ndarray]:
    """Every input's array, by its name as the network or its author has it; a single one may have any name."""
    arrays = {name: values for name, values in data.items() if name not in BESIDE_INPUTS}
    if len(ports) == len(arrays) == 1:
        return [_fitted(next(iter(arrays.values())), ports[0], str(path), windows)]
    found = [arrays.get(port.name, arrays.get(short_name(port))) for port in ports]
    columns = []
    for port, values in zip(ports, found, strict=True):
        if values is None:
            raise DataError(
                f"{path} has no array '{short_name(port)}': the network's inputs are "
                f"{', '.join(map(short_name, ports))}, and the arrays {', '.join(data) or 'none'}"
            )
        where = f"'{short_name(port)}' of {path}"
        columns.append(_fitted(values, port, where, windows if len(ports) == 1 else None))
    counts = {short_name(port): len(column) for port, column in zip(ports, columns, strict=True)}
    if len(set(counts.values())) != 1:
        told = ", ".join(f"{count} of {name}" for name, count in counts.items())
        raise DataError(f"the arrays of {path} have different numbers of samples: {told}")
    return columns


def lines_of_sample(wide: int, ports: Sequence[Port], where: str) -> int:
    """How many lines of ``wide`` numbers make a sample. DataError where no number of them does."""
    sizes = [math.prod(port.shape) for port in ports]
    if wide == sum(sizes):
        return 1
    if len(ports) > 1 or sizes[0] % wide:
        wanted = " + ".join(map(str, sizes))
        raise DataError(
            f"{where} has {wide} columns, but the network takes {wanted} values: give so many columns, a sample per "
            "line" + ("" if len(ports) > 1 else ", or a number of columns of which several lines make a sample")
        )
    return sizes[0] // wide


def of_lines(rows: np.ndarray, ports: Sequence[Port], where: str) -> list[np.ndarray]:
    """(N, all values of a sample) real values -> for each input (N, *shape) of its type."""
    sizes = [math.prod(port.shape) for port in ports]
    parts = np.split(rows, np.cumsum(sizes)[:-1], axis=1)
    return [_fitted(part.reshape(len(part), *port.shape), port, where) for part, port in zip(parts, ports, strict=True)]


def _of_csv(path: Path, ports: Sequence[Port], windows: Windows) -> list[np.ndarray]:
    table = _table(path)
    lines = lines_of_sample(table.shape[1], ports, str(path))
    samples = windows.cut(table, lines, str(path))
    return of_lines(samples.reshape(len(samples), -1), ports, str(path))


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


def _fitted(values: np.ndarray, port: Port, where: str, windows: Windows | None = None) -> np.ndarray:
    """(N, *shape) of the port's type, of a series as ``windows`` says. DataError where that cannot be."""
    size = math.prod(port.shape)
    if windows is not None and (lines := _lines_of_series(values, port, windows)):
        values = windows.cut(values, lines, where).reshape(-1, *port.shape)
    alone = _long(values.shape) == _long(port.shape)
    several = values.ndim > 0 and _long(values.shape[1:]) == _long(port.shape)
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


def _long(shape: tuple[int, ...]) -> list[int]:
    """Without the dimensions in which there is nothing to choose: converters add and drop them."""
    return [n for n in shape if n != 1]


def _lines_of_series(values: np.ndarray, port: Port, windows: Windows) -> int:
    """How many lines of ``values`` the input takes where they are a longer series of its lines, else 0.

    A network of T numbers need not look at a series of single ones, so there the user must have said so."""
    lines, *line = _long(port.shape) or [1]
    theirs = _long(values.shape[1:])
    said = len(port.shape) > 1 or windows != AS_THE_NETWORK
    return lines if said and values.ndim and lines > 1 and theirs == line and len(values) > lines else 0


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
