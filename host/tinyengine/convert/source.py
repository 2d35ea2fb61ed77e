"""What can be converted, by suffix (a new format is one entry), and what all float models have in common."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from tinyengine.convert import keras, pytorch, tflite
from tinyengine.errors import ModelError
from tinyengine.frontend.files import WRAPPINGS
from tinyengine.frontend.tflite import load_tflite
from tinyengine.frontend.tiny_training import load_tiny_training
from tinyengine.ir import Graph


class FloatSource(Protocol):
    """A float model; shapes have batch 1 in front and, for pictures, channels last."""

    name: str
    input_shapes: list[tuple[int, ...]]
    output_shapes: list[tuple[int, ...]]

    @property
    def layer_names(self) -> list[str]:
        """The model's own names of its layers with weights, in order; empty where the .tflite has them."""
        ...

    def to_tflite(self, samples: Sequence[np.ndarray] | None) -> bytes:
        """Full int8, calibrated on one array (N, ...) float32 per input; float32 without any."""
        ...


NETWORKS: dict[str, Callable[[Path], Graph]] = {
    ".tflite": load_tflite,
    ".json": load_tiny_training,
    **dict.fromkeys(WRAPPINGS, load_tflite),
}
"""Int8 networks by suffix; what computes in float32 inside a flatbuffer is a float model, see :func:`is_network`."""

FOLDER = ""
FLOAT_MODELS: dict[str, Callable[[Path], FloatSource]] = {
    ".keras": keras.load_model,
    ".h5": keras.load_model,
    ".pt2": pytorch.load_program,
    FOLDER: keras.load_saved_model,
}
"""Models that have to be quantized; FOLDER stands for a folder."""


def suffix_of(path: Path) -> str:
    """The file's or folder's key in one of the tables; ModelError says what there is if it has none."""
    if not path.exists():
        raise ModelError(f"the model {path} does not exist")
    suffix = FOLDER if path.is_dir() else path.suffix.lower()
    if suffix in (".pt", ".pth"):
        raise ModelError(f"{path} is not a program of torch.export (.pt2): {pytorch.HOW}")
    if suffix not in NETWORKS and suffix not in FLOAT_MODELS:
        known = ", ".join(known for known in (*FLOAT_MODELS, *NETWORKS) if known != FOLDER)
        raise ModelError(f"{path} is no model: give a SavedModel folder or a file that ends in one of {known}")
    return suffix


def is_network(path: Path, input_shape: tuple[int, ...] | None = None) -> bool:
    """Whether ``path`` is int8 already, so that nothing is left to calibrate. Raises ModelError."""
    suffix = suffix_of(path)
    return suffix in NETWORKS and not (
        NETWORKS[suffix] is load_tflite and tflite.is_float(tflite.content_of(path, input_shape))
    )


def open_source(path: Path, input_shape: tuple[int, ...] | None = None) -> FloatSource:
    """The float model at ``path``. Raises ModelError or ToolError."""
    suffix = suffix_of(path)
    if is_network(path, input_shape):
        raise ModelError(f"{path} is int8, converted already: compile it")
    return FLOAT_MODELS[suffix](path) if suffix in FLOAT_MODELS else tflite.load_float_tflite(path, input_shape)
