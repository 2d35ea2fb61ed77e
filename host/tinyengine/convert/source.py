"""Where a float model comes from: Keras, a SavedModel or PyTorch, behind one interface."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from tinyengine.convert import keras, pytorch


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


def open_source(path: Path) -> FloatSource:
    """The model at ``path``, by its name: what PyTorch users have, or else Keras'. Raises ModelError or ToolError."""
    return pytorch.load_program(path) if path.suffix in pytorch.SUFFIXES else keras.load_model(path)
