"""Super-networks as files: an .npz with the architecture, the classes and the weights of the largest sub-network."""

from __future__ import annotations

import json
import zipfile
import zlib
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from tinyengine.errors import DataError, TinyEngineError
from tinyengine.paths import replacing
from tinyengine.supernet.predictor import Predictor
from tinyengine.supernet.space import Space
from tinyengine.supernet.weights import Layers, by_layer, in_order
from tinyengine.zoo.arch_file import architecture_of, as_data, find_or_load
from tinyengine.zoo.table import Network

UNREADABLE = (OSError, ValueError, TypeError, EOFError, zipfile.BadZipFile, zlib.error)
"""What NumPy raises for a file that is no whole .npz; TypeError for a single array."""

_WEIGHTS = "weight"


@dataclass(frozen=True)
class Supernet:
    """What all sub-networks of ``space`` inherit from; ``classes`` are their names. ``predictor``: None where nobody
    has judged enough of them."""

    space: Space
    layers: Layers
    classes: tuple[str, ...]
    predictor: Predictor | None = None

    def sub_network(self, name: str | Path, resolution: int | None = None) -> Network:
        """``largest``, ``smallest``, a network of the zoo or the architecture of a .json file, with the super-network's
        classes. ModelError where it is no part of this super-network."""
        named = {"largest": self.space.largest, "smallest": self.space.smallest}
        network = named[str(name)]() if str(name) in named else find_or_load(name)
        network = replace(network, resolution=resolution or network.resolution, classes=len(self.classes))
        self.space.match(network)
        return network


def save_supernet(supernet: Supernet, path: Path) -> None:
    """Kernels as float16, all else as float32; a reader never sees half a file. Raises DataError."""
    if path.suffix != ".npz":
        raise DataError(f"the super-network {path} must end in .npz")
    about = {**as_data(supernet.space.network), "resolutions": supernet.space.resolutions, "names": supernet.classes}
    if supernet.predictor is not None:
        about["predictor"] = asdict(supernet.predictor)
    arrays = {
        f"{_WEIGHTS}{k}": value.astype(np.float16 if value.ndim > 1 else np.float32)
        for k, value in enumerate(in_order(supernet.layers))
    }
    try:
        with replacing(path) as partial, partial.open("wb") as file:
            np.savez_compressed(file, supernet=json.dumps(about), **arrays)  # type: ignore[arg-type]
    except OSError as error:
        raise DataError(f"cannot write {path}: {error.strerror}") from error


def is_supernet(path: Path) -> bool:
    """Whether a file is one that :func:`save_supernet` wrote."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return "supernet" in arrays
    except UNREADABLE:
        return False


def load_supernet(path: Path) -> Supernet:
    """Read a file of :func:`save_supernet`; DataError for another one."""
    if not path.is_file():
        raise DataError(f"the super-network {path} does not exist: train one with tinyengine supernet train")
    try:
        with np.load(path, allow_pickle=False) as arrays:
            about = json.loads(str(arrays["supernet"]))
            values = [arrays[f"{_WEIGHTS}{k}"].astype(np.float32) for k in range(len(arrays) - 1)]
        network = architecture_of(about, path)
        known = about.get("predictor")
        predictor = known and Predictor(
            tuple(known["weights"]), tuple(known["line"]), known["error"], known["rank"], known["networks"]
        )
        return Supernet(
            Space(network, tuple(about["resolutions"])),
            by_layer(network, values),
            tuple(about["names"]),
            predictor,
        )
    except (
        *UNREADABLE,
        KeyError,
        StopIteration,
        TinyEngineError,
    ) as error:
        raise DataError(
            f"{path} is no super-network: take a file that tinyengine supernet train has written"
        ) from error
