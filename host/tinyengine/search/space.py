"""The space that is searched: MCUNet's skeleton with free kernels, expansions and depths, at a resolution and width."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from tinyengine.zoo.table import Block, Network

RESOLUTIONS = tuple(range(48, 113, 8))
WIDTHS = tuple(round(0.2 + 0.1 * step, 1) for step in range(9))
KERNELS = (3, 5, 7)
EXPANSIONS = (3, 4, 6)
DEPTHS = (1, 2, 3, 4)

STEM, FIRST = 32, 16
STAGES = ((24, 2), (40, 2), (80, 2), (96, 1), (192, 2), (320, 1))
"""(channels at width 1, stride) of each stage; the last one is a single block, as in MobileNetV2."""

Layer = tuple[int, int]
"""Kernel and expansion of one block."""


@dataclass(frozen=True, slots=True)
class Architecture:
    """A point of the space: one tuple of blocks per stage."""

    resolution: int
    width: float
    stages: tuple[tuple[Layer, ...], ...]

    def network(self, classes: int, name: str = "found") -> Network:
        """The same in the form of the zoo's table."""
        channels = partial(_scaled, width=self.width)
        blocks = [Block(1, channels(FIRST), 3)]
        for (width, stride), layers in zip(STAGES, self.stages, strict=True):
            for index, (kernel, expansion) in enumerate(layers):
                blocks.append(Block(expansion, channels(width), kernel, stride if index == 0 else 1))
        return Network(name, self.resolution, channels(STEM), tuple(blocks), classes)


def _scaled(channels: int, width: float) -> int:
    """Multiples of 8, at least 8: what the kernels are fastest with."""
    return max(8, 8 * int(channels * width / 8 + 0.5))


def sample(rng: np.random.Generator, resolution: int, width: float) -> Architecture:
    """Depths, kernels and expansions drawn evenly and independently."""
    depths = [int(rng.choice(DEPTHS)) for _ in STAGES[:-1]] + [1]
    return Architecture(resolution, width, tuple(tuple(_layer(rng) for _ in range(depth)) for depth in depths))


def mutate(rng: np.random.Generator, parent: Architecture, share: float = 0.1) -> Architecture:
    """Every kernel and every expansion is drawn anew with probability ``share``, and so is every depth."""
    stages = []
    for index, layers in enumerate(parent.stages):
        changed = [
            (
                int(rng.choice(KERNELS)) if rng.random() < share else kernel,
                int(rng.choice(EXPANSIONS)) if rng.random() < share else expansion,
            )
            for kernel, expansion in layers
        ]
        if index < len(STAGES) - 1 and rng.random() < share:
            depth = int(rng.choice(DEPTHS))
            changed = (changed + [_layer(rng) for _ in range(depth)])[:depth]
        stages.append(tuple(changed))
    return replace(parent, stages=tuple(stages))


def cross(rng: np.random.Generator, first: Architecture, second: Architecture) -> Architecture:
    """Each stage from either parent."""
    pairs = zip(first.stages, second.stages, strict=True)
    return replace(first, stages=tuple(pair[int(rng.integers(2))] for pair in pairs))


def _layer(rng: np.random.Generator) -> Layer:
    return int(rng.choice(KERNELS)), int(rng.choice(EXPANSIONS))
