"""Samples of numbers with what they are: folders of files with a folder per class, or an .npz with x and y.

``y`` of an .npz has an entry per sample: the number of its class (-1: none), its class's name, or what the network's
output should be: real numbers, or a whole one per place of a map of classes. ``class_names`` names the numbers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tinyengine.data import images
from tinyengine.data.numbers import (
    AS_THE_NETWORK,
    SUFFIXES,
    NamedInputs,
    Port,
    Windows,
    is_numbers,
    open_arrays,
    read_numbers,
)
from tinyengine.data.reader import class_folders, files_within
from tinyengine.data.samples import Arrays, Samples
from tinyengine.data.samples import labelled as with_labels
from tinyengine.errors import DataError


@dataclass(frozen=True, eq=False)
class NumberSet:
    """N samples. ``labels``: (N,) int32 indices into ``classes``, -1 where a sample has none. ``targets``: (N, ...)
    what the network's first output should be, real numbers or the classes of places; None where samples have classes.
    """

    samples: tuple[NamedInputs, ...]
    labels: np.ndarray
    classes: tuple[str, ...] = ()
    named: bool = True  # whether the data says what its classes are called
    targets: np.ndarray | None = None

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(sample.name for sample in self.samples)

    def labelled(self, path: Path) -> Arrays:
        """Those with a class, as inputs of a network; of one with several inputs each sample is the bytes of all of
        them (see :func:`inputs_of`). DataError where none has a class; ``path``: where they come from."""
        if self.targets is not None:
            raise DataError(
                f"{path} says what numbers the network should answer, not of which classes the samples are: give y "
                "whole numbers or names, one for each sample"
            )
        if len(self.samples[0].arrays) == 1:
            values = np.stack([sample.arrays[0] for sample in self.samples])
        else:
            whole = [b"".join(array.tobytes() for array in sample.arrays) for sample in self.samples]
            values = np.stack([np.frombuffer(each, np.uint8) for each in whole])
        return with_labels(Samples(values, self.labels, self.classes, self.named, names=self.names), path, fewest=1)


def inputs_of(values: np.ndarray, ports: Sequence[Port]) -> list[np.ndarray]:
    """The inputs of a network from one sample of :meth:`NumberSet.labelled`, or from its only one."""
    if len(ports) == 1:
        return [values]
    kinds = [(port.shape, np.dtype(port.dtype)) for port in ports]
    ends = np.cumsum([math.prod(shape) * dtype.itemsize for shape, dtype in kinds])
    parts = np.split(values, ends[:-1])
    return [part.view(dtype).reshape(shape) for part, (shape, dtype) in zip(parts, kinds, strict=True)]


def holds_numbers(path: Path) -> bool:
    """Whether a file, or the files in a folder, are numbers and no pictures. DataError for a folder with both."""
    if not path.is_dir():
        return is_numbers(path)
    numbers = [file for file in files_within(path, SUFFIXES) if is_numbers(file)]
    pictures = files_within(path, images.SUFFIXES)
    if numbers and pictures:
        raise DataError(
            f"{path} has numbers ({numbers[0].name}) and pictures ({pictures[0].name}), and a network takes one or the "
            "other: give a folder of its own to each"
        )
    return bool(numbers)


def read_number_set(
    path: Path, ports: Sequence[Port], windows: Windows = AS_THE_NETWORK, labelled: bool = True
) -> NumberSet:
    """The samples of a file, or of a folder with one subfolder of files per class, for a network with these inputs.

    DataError where they do not fit it, or labels do not fit them. ``labelled``: subfolders must be classes; else files
    beside them count alone.
    """
    if not path.is_dir():
        samples = tuple(read_numbers(path, ports, windows))
        if labelled and path.suffix.lower() == ".npz":
            return _with_truth(samples, open_arrays(path), path)
        return NumberSet(samples, np.full(len(samples), -1, np.int32))
    found: list[NamedInputs] = []
    labels: list[int] = []
    classes = class_folders(path, SUFFIXES, refuse=labelled)
    loose = sorted(file for file in path.iterdir() if file.suffix.lower() in SUFFIXES and file.name[0] != ".")
    if loose and classes and labelled:
        raise DataError(
            f"{path} has files in subfolders, which are their classes, and {loose[0].name} beside them: move the files "
            "without a class to another folder"
        )
    if loose:
        found = [sample for file in loose for sample in read_numbers(file, ports, windows)]
        return NumberSet(tuple(found), np.full(len(found), -1, np.int32))
    if not classes:
        raise DataError(f"{path} holds no numbers ({', '.join(sorted(SUFFIXES))}), neither itself nor in subfolders")
    for label, (_, files) in enumerate(classes):
        for file in files:
            of_file = read_numbers(file, ports, windows)
            found += of_file
            labels += [label] * len(of_file)
    return NumberSet(tuple(found), np.array(labels, np.int32), tuple(name for name, _ in classes))


def _with_truth(samples: tuple[NamedInputs, ...], data: dict[str, np.ndarray], path: Path) -> NumberSet:
    none = np.full(len(samples), -1, np.int32)
    if "y" not in data:
        return NumberSet(samples, none)
    y = data["y"]
    if len(y.reshape(-1)) == 0 or y.ndim == 0 or len(y) != len(samples):
        count = len(y) if y.ndim else "one number"
        raise DataError(f"{path} has {len(samples)} samples and {count} of y: give an entry of y for each sample")
    if y.dtype.kind == "U" and y.ndim == 1:
        names, labels = np.unique(y, return_inverse=True)
        return NumberSet(samples, labels.astype(np.int32), tuple(map(str, names)))
    if y.dtype.kind == "f" and not np.isfinite(y).all():
        raise DataError(f"{path}: y holds numbers that are not finite")
    if data.get("class_names", y).ndim == 0:
        raise DataError(f"{path}: class_names is one name: give a list of them, in the order of the numbers in y")
    given = tuple(map(str, data["class_names"])) if "class_names" in data else ()
    if y.dtype.kind == "f" or (y.dtype.kind in "iu" and y.size > len(y)):
        return NumberSet(samples, none, given, bool(given), y)
    if y.dtype.kind not in "iu":
        raise DataError(f"{path}: y holds {y.dtype}: give numbers of classes, their names, or real numbers")
    labels = y.reshape(-1).astype(np.int32)
    names_of = given or tuple(map(str, range(max(int(labels.max()) + 1, 0))))
    if labels.min() < -1 or labels.max() >= len(names_of):
        raise DataError(f"{path}: the classes y must lie between -1 (none) and {len(names_of) - 1}")
    return NumberSet(samples, labels, names_of, bool(given))
