"""Trained networks that answer, during a training, for the very picture a step shows: cropped, recoloured, blended.

An answer for the whole picture (``p_person``, ``soft``) says of a crop what may not be seen in it. (Beyer et al., 2022,
"Knowledge distillation: A good teacher is patient and consistent".)
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from tinyengine.convert import source
from tinyengine.convert.dequantize import RealLayer, real_layers
from tinyengine.data.metadata import load_metadata
from tinyengine.errors import DataError, ModelError
from tinyengine.ir import Graph
from tinyengine.ir.ops import Conv2DAttrs, DepthwiseConv2DAttrs, PadAttrs
from tinyengine.optional import torch
from tinyengine.recipes.torch_network import Tensors, forward, to_torch
from tinyengine.zoo.table import NETWORKS, Attention, Network, convolutions


class OnlineTeacher:
    """One or more int8 networks of the zoo, computed with their real weights; of several the mean of the logits."""

    def __init__(self, paths: Sequence[Path], classes: tuple[str, ...]) -> None:
        """``paths``: as ``real_layers`` reads them. DataError, ModelError where they cannot answer for ``classes``."""
        self._torch = torch("let a --teacher answer")
        self._networks = [_Float(self._torch, path, classes) for path in paths]
        self.digest = b"".join(hashlib.sha256(path.read_bytes()).digest() for path in paths)

    def complete(self, images: Any, targets: Any) -> Any:
        """``targets`` (N, K + D) of (N, 3, R, R) pictures in [-1, 1) as torch tensors, after what the K classes' lack
        to a sum of 1 has been shared as the teachers answer."""
        with self._torch.inference_mode():
            logits = [network(images) for network in self._networks]
            answers = self._torch.softmax(sum(logits[1:], logits[0]) / len(logits), 1)
        classes = answers.shape[1]
        known = targets[:, :classes]
        completed = known + (1 - known.sum(1, keepdim=True)) * answers
        return self._torch.cat([completed, targets[:, classes:]], 1)


def known_part(labels: np.ndarray, classes: int, soft_weight: float) -> np.ndarray:
    """(N, K) float32: what labels (N,), -1 where there is none, say of the targets that a teacher completes."""
    known = np.eye(classes, dtype=np.float32)[np.maximum(labels, 0)]
    return known * np.where(labels >= 0, 1 - soft_weight, 0).astype(np.float32)[:, None]


class _Float:
    """An int8 network of the zoo's table with its real weights."""

    def __init__(self, torch_: Any, path: Path, classes: tuple[str, ...]) -> None:
        self._torch = torch_
        layers = real_layers(path)
        graph = source.NETWORKS[source.suffix_of(path)](path)
        self._network = _architecture(graph, layers, path.name)
        meaning = load_metadata(path)
        theirs = meaning.classes if meaning is not None else ()
        if self._network.classes != len(classes) or (theirs and tuple(theirs) != classes):
            raise DataError(
                f"the teacher {path.name} answers for {', '.join(theirs) or f'{self._network.classes} classes'}, and "
                f"the training data has {', '.join(classes)}: name a teacher of the same classes"
            )
        names = [layer.name for layer in convolutions(self._network)]
        self._padding = dict(zip(names, _paddings(graph), strict=False))  # those of the file, not always SAME's
        self._tensors: Tensors = {
            layer.name: [to_torch(_kernel(its, layer.kind), layer.kind), to_torch(its.bias, "bias")]
            for layer, its in zip(convolutions(self._network), layers, strict=True)
        }

    def __call__(self, images: Any) -> Any:
        """Logits (N, K) of (N, 3, R, R) pictures of any size."""
        side = self._network.resolution
        if images.shape[2] != side:
            images = self._torch.nn.functional.interpolate(images, (side, side), mode="bilinear", antialias=True)
        return forward(self._network, self._tensors, images, padding=self._padding)


def _kernel(layer: RealLayer, kind: str) -> np.ndarray:
    return layer.kernel[0, 0] if kind == "dense" else layer.kernel


def _paddings(graph: Graph) -> list[tuple[int, ...]]:
    """Of its convolutions, with a PAD before them: top, bottom, left, right."""
    before: dict[str, tuple[int, ...]] = {}
    found = []
    for op in graph.operators:
        if isinstance(op.attrs, PadAttrs):
            before[op.outputs[0]] = (*op.attrs.pads[1], *op.attrs.pads[2])
        elif isinstance(op.attrs, Conv2DAttrs | DepthwiseConv2DAttrs):
            outside = before.get(op.inputs[0], (0, 0, 0, 0))
            found.append(tuple(a + b for a, b in zip(op.attrs.window.pad, outside, strict=True)))
    return found


def _architecture(graph: Graph, layers: list[RealLayer], name: str) -> Network:
    """The network of the zoo that has these layers, at the size and with the classes of the graph."""
    side = graph.tensor(graph.input_tensors()[0]).shape[1]
    shapes = [(layer.kernel.shape, layer.stride[0]) for layer in layers]
    for network in NETWORKS.values():
        if any(isinstance(block, Attention) for block in network.blocks) or not layers:
            continue
        candidate = replace(network, resolution=side, classes=layers[-1].kernel.shape[-1])
        if shapes == [(layer.kernel_shape, layer.stride) for layer in convolutions(candidate)]:
            return candidate
    raise ModelError(
        f"the teacher {name} has none of the zoo's architectures (tinyengine zoo list): name a network that was "
        "trained with one of them, such as models/person_small.tflite"
    )
