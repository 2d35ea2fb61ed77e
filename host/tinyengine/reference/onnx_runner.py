"""ONNX Runtime as the reference of networks that were imported from ONNX."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tinyengine.errors import ModelError, ToolError

Axes = tuple[int, ...]


class OnnxRuntime:
    """The file ``path`` on ONNX Runtime. ``inputs``, ``outputs``: per port, which axis of the file each axis of the
    network's own is."""

    binding = True
    note = ""

    def __init__(self, path: Path, inputs: Sequence[Axes], outputs: Sequence[Axes]) -> None:
        try:
            import onnxruntime
        except ImportError as error:
            raise ToolError(
                "comparing with ONNX Runtime needs onnxruntime: run pip install onnxruntime, or leave --check out"
            ) from error
        try:
            self._session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        except Exception as error:  # of its own kinds, with messages about its insides
            raise ModelError(f"ONNX Runtime cannot run {path.name} to compare with: leave --check out") from error
        self.name = f"ONNX Runtime {onnxruntime.__version__}"
        self._inputs, self._outputs = inputs, outputs

    def run(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Values of the network's inputs, as it has them -> values of its outputs, uint8 as int8."""
        feed = {}
        for wanted, value, axes in zip(self._session.get_inputs(), inputs, self._inputs, strict=True):
            array = value.transpose(np.argsort(axes))
            feed[wanted.name] = (array.astype(np.int16) + 128).astype(np.uint8) if "uint8" in wanted.type else array
        results = [np.asarray(result) for result in self._session.run(None, feed)]
        results = [(r.astype(np.int16) - 128).astype(np.int8) if r.dtype == np.uint8 else r for r in results]
        return [result.transpose(axes) for result, axes in zip(results, self._outputs, strict=True)]
