"""What the untrained front of a network makes of pictures, computed once and kept.

Experiments train the tail (training.split) thousands of times on the same pictures; the front would take most of it.
"""

from __future__ import annotations

import hashlib

import numpy as np

from tinyengine import native
from tinyengine.compiler import CompileOptions, compile_graph
from tinyengine.ir import Graph
from tinyengine.paths import cache_dir, replacing
from tinyengine.progress import Progress, silent


def features(front: Graph | None, pictures: np.ndarray, progress: Progress = silent) -> np.ndarray:
    """int8 inputs (N, ...) -> int8 outputs of ``front`` (N, ...), by the generated code, rounding ``exact``.

    Kept in the cache under a hash of network and pictures. ``progress`` counts pictures.
    """
    if front is None:
        return pictures
    compiled = compile_graph(front, CompileOptions())
    path = cache_dir() / "features" / f"{_digest(compiled.sources, pictures)}.npy"
    if path.exists():
        return np.asarray(np.load(path))
    model = native.build(compiled, fast=True)
    [output] = front.output_tensors()
    result = np.empty((len(pictures), *front.tensor(output).shape[1:]), np.int8)
    for index, picture in enumerate(pictures):
        result[index] = model.run([picture])[0][0]
        progress(index + 1, len(pictures))
    with replacing(path) as partial:
        np.save(partial, result)
    return result


def _digest(sources: dict[str, str], pictures: np.ndarray) -> str:
    digest = hashlib.sha256(repr((pictures.shape, pictures.dtype)).encode())
    for name in sorted(sources):
        digest.update(name.encode() + b"\0" + sources[name].encode() + b"\0")
    digest.update(np.ascontiguousarray(pictures).tobytes())
    return digest.hexdigest()[:24]
