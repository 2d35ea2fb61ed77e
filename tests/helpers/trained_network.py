"""A small network that can be trained, as a file, and pictures of three classes for it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from tinyengine.compiler import CompiledModel, CompileOptions, compile_model
from tinyengine.frontend.tflite_writer import write_tflite
from tinyengine.zoo.table import Network, parse_blocks

from tests.helpers.tiny_networks import tiny_graph

NETWORK = Network("tiny", 16, 8, parse_blocks("e1c8k3 e4c12k3s2 e3c12k3"), classes=5)
CLASSES = ("red", "green", "blue")
SCHEME = "last-3"


def write_model(path: Path, seed: int = 0) -> Path:
    """The network in its factory state, with 5 classes."""
    write_tflite(tiny_graph(NETWORK, 5, seed=seed, gain=2.0), path)
    return path


def compile_trainable(
    model: Path, cpu: str = "cortex-m4", requant: str = "exact", input_mode: str = "frame", **training: Any
) -> CompiledModel:
    """With a new classifier of three classes; ``training``: further options."""
    options = CompileOptions(cpu=cpu, input=input_mode, requant=requant, train=SCHEME, classes=len(CLASSES))
    return compile_model(model, replace(options, **training))


def write_pictures(folder: Path, count: int, seed: int = 0) -> Path:
    """``count`` noisy pictures of each class, in which one colour is stronger."""
    rng = np.random.default_rng(seed)
    for label, name in enumerate(CLASSES):
        (folder / name).mkdir(parents=True)
        for number in range(count):
            pixels = rng.normal(rng.uniform(60, 100), 30, (16, 16, 3)) + 80 * (np.arange(3) == label)
            Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(folder / name / f"{number}.png")
    return folder


def random_input(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(-128, 128, (16, 16, 3)).astype(np.int8)
