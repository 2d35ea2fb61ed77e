"""Where a float model comes from: Keras, a SavedModel or PyTorch, behind one interface."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from tinyengine.convert import keras, pytorch
from tinyengine.errors import ModelError
from tinyengine.frontend.formats import FOLDER, NETWORKS, Format, suffix_of


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


_NO_PROGRAM = f"not a program of torch.export (.pt2): {pytorch.HOW}"
FLOAT_MODELS: dict[str, Format[FloatSource]] = {
    ".keras": Format("a Keras model", keras.load_model),
    ".h5": Format("a Keras model", keras.load_model),
    FOLDER: Format("a SavedModel folder", keras.load_saved_model),
    ".pt2": Format("a PyTorch program", pytorch.load_program),
    ".pt": Format("a PyTorch checkpoint", None, _NO_PROGRAM),
    ".pth": Format("a PyTorch checkpoint", None, _NO_PROGRAM),
    ".onnx": Format("an ONNX model", None, _NO_PROGRAM),
}


def is_quantized(path: Path) -> bool:
    """Whether the file holds an int8 network; ModelError if it is no model or cannot be read."""
    formats: dict[str, Format[Any]] = {**NETWORKS, **FLOAT_MODELS}
    return suffix_of(path, formats) in NETWORKS


def open_source(path: Path) -> FloatSource:
    """The model at ``path``, read as its suffix says. Raises ModelError or ToolError."""
    if is_quantized(path):
        raise ModelError(f"{path} is {NETWORKS[path.suffix].what}, converted already: compile it")
    load = FLOAT_MODELS[suffix_of(path, FLOAT_MODELS)].load
    assert load is not None
    return load(path)
