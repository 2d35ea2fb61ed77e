"""What a teacher saw, kept on disk in parts, so that an interrupted run goes on where it was."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from tinyengine.data.images import to_pixels
from tinyengine.data.samples import Pictures
from tinyengine.errors import DataError
from tinyengine.paths import replacing
from tinyengine.recipes.teacher import Extractor

#: pictures per part
PART = 256


class FeatureCache:
    """Features of ``resolution`` x ``resolution`` pictures by ``extract``, in files named by what they depend on."""

    def __init__(self, folder: Path, teacher: str, resolution: int, extract: Extractor) -> None:
        self._folder, self._teacher, self._resolution, self._extract = folder, teacher, resolution, extract

    def part(self, data: Pictures, chosen: range) -> np.ndarray:
        """(N, F) float16 of the ``chosen`` pictures; raises DataError for one that cannot be decoded."""
        digest = hashlib.sha256(f"{self._teacher} {self._resolution}".encode())
        for k in chosen:
            digest.update(data.values[k].content())
        path = self._folder / f"{digest.hexdigest()[:24]}.npy"
        try:
            kept = np.load(path)
            if kept.ndim == 2 and len(kept) == len(chosen):
                return kept
        except (OSError, ValueError, EOFError):
            pass  # not there or damaged: look again
        pixels = np.stack([to_pixels(data.values[k].rgb(), self._resolution, self._resolution, 3) for k in chosen])
        features = self._extract(pixels).astype(np.float16)
        self._keep(path, features)
        return features

    def _keep(self, path: Path, features: np.ndarray) -> None:
        try:
            with replacing(path) as partial:
                np.save(partial, features)
        except OSError as error:
            raise DataError(
                f"{self._folder} cannot keep features ({error.strerror}): name another --cache folder"
            ) from error
