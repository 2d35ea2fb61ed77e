"""What a super-network can be cut down to: its *sub-networks*, which are networks of the zoo's form like any other.

A sub-network keeps of each stage (blocks of one width) the first blocks, of each block the first channels between its
1x1 convolutions and the middle of its kernel, of wide stages the first channels, and looks at pictures of any of
several sizes. Channels are in the order of their importance (``weights.by_importance``).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from tinyengine.errors import ModelError
from tinyengine.zoo.table import Block, Network, convolutions

RESOLUTIONS = (64, 80, 96, 112)
EXPANSIONS = (3, 4)
"""Besides a block's own."""

GRAIN = 8
"""Widths are multiples of this: what the fast kernels like."""
_WIDE = 24
_LEAST_WIDTH = 2 / 3
"""A stage of at least _WIDE channels may keep only this share of them; narrower ones cost too much accuracy."""

_LARGE_KERNEL = 5
_SMALL_KERNEL = 3
_FEW_PIXELS = 16
"""Where a map's side is at most this part of the picture's, larger kernels cost little."""

Parts = list[list[Block]]
"""The blocks of a sub-network, stage by stage."""


def grown(network: Network) -> Network:
    """``network`` with larger kernels where they cost little: the largest sub-network of its super-network."""
    if not all(isinstance(block, Block) for block in network.blocks):
        raise ModelError(
            f"{network.name} has attention, of which no part can be taken: take a network of inverted residuals, "
            "such as mbv2-w0.35"
        )
    sizes = {layer.name: layer.out_size for layer in convolutions(network)}
    blocks = []
    for index, block in enumerate(network.blocks):
        assert isinstance(block, Block)
        few = _FEW_PIXELS * sizes[f"block{index}_depthwise"] <= network.resolution
        blocks.append(replace(block, kernel=max(block.kernel, _LARGE_KERNEL)) if few else block)
    return replace(network, blocks=tuple(blocks))


@dataclass(frozen=True)
class Space:
    """Every sub-network of ``network``, the largest one, whose blocks are all Blocks; ``resolutions`` ascend."""

    network: Network
    resolutions: tuple[int, ...]

    # --- what may be chosen ---

    @cached_property
    def stages(self) -> tuple[tuple[int, ...], ...]:
        """Indices of the blocks of each stage: all but the first one add to their input."""
        found: list[list[int]] = []
        channels = self.network.stem
        for index, block in enumerate(self._blocks):
            if not found or block.stride != 1 or block.channels != channels:
                found.append([])
            found[-1].append(index)
            channels = block.channels
        return tuple(map(tuple, found))

    def widths(self, stage: int) -> tuple[int, ...]:
        """Output channels of a stage, ascending."""
        block = self._blocks[self.stages[stage][0]]
        full = block.channels
        readers = self._blocks[self.stages[stage][0] + 1 : self.stages[stage][-1] + 2]
        # a depthwise convolution that reads the stage itself would tie its own channels to it
        if stage == 0 or full < _WIDE or any(reader.expansion == 1 for reader in readers):
            return (full,)
        least = -(-int(np.ceil(full * _LEAST_WIDTH)) // GRAIN) * GRAIN
        # a stage that neither strides nor changes the width would be the same as the one before it
        taken = self.widths(stage - 1) if block.stride == 1 else ()
        return (full,) if least >= full or least in taken else (least, full)

    def expansions(self, index: int) -> tuple[int, ...]:
        """Of a block, ascending; a block without an expanding convolution keeps to that."""
        own = self._blocks[index].expansion
        return (*(each for each in EXPANSIONS if each < own), own) if own > 1 else (own,)

    def kernels(self, index: int) -> tuple[int, ...]:
        """Of a block, ascending."""
        own = self._blocks[index].kernel
        return tuple(range(min(own, _SMALL_KERNEL), own + 1, 2))

    # --- sub-networks ---

    def largest(self, resolution: int | None = None) -> Network:
        return replace(self.network, resolution=resolution or self.resolutions[-1])

    def smallest(self, resolution: int | None = None) -> Network:
        parts = []
        for stage, indices in enumerate(self.stages):
            first = indices[0]
            parts.append([self._block(first, self.kernels(first)[0], self.expansions(first)[0], self.widths(stage)[0])])
        return self.of_parts(resolution or self.resolutions[0], parts)

    def random(self, rng: np.random.Generator, resolution: int | None = None) -> Network:
        """Every choice drawn evenly and independently."""
        resolution = resolution or _pick(rng, self.resolutions)
        return self.of_parts(resolution, [self._random_stage(rng, stage) for stage in range(len(self.stages))])

    def mutant(self, rng: np.random.Generator, parent: Network, share: float) -> Network:
        """Each of the choices that made ``parent`` is drawn anew with probability ``share``."""
        resolution = _pick(rng, self.resolutions) if rng.random() < share else parent.resolution
        parts: Parts = []
        for stage, old in enumerate(self.parts(parent)):
            new = self._random_stage(rng, stage)
            width = (new if rng.random() < share else old)[0].channels
            depth = len(new) if rng.random() < share else len(old)
            longer = old + self._random_stage(rng, stage, len(self.stages[stage]))[len(old) :]
            drawn = self._random_stage(rng, stage, len(self.stages[stage]))
            blocks = []
            for block, other in zip(longer[:depth], drawn, strict=False):
                kernel = (other if rng.random() < share else block).kernel
                expansion = (other if rng.random() < share else block).expansion
                blocks.append(replace(block, kernel=kernel, expansion=expansion, channels=width))
            parts.append(blocks)
        return self.of_parts(resolution, parts)

    def cross(self, rng: np.random.Generator, first: Network, second: Network) -> Network:
        """Each stage, and the resolution, from either parent."""
        both = self.parts(first), self.parts(second)
        parts = [pair[int(rng.integers(2))] for pair in zip(*both, strict=True)]
        return self.of_parts((first, second)[int(rng.integers(2))].resolution, parts)

    # --- between a network and its parts ---

    def of_parts(self, resolution: int, parts: Parts) -> Network:
        blocks = tuple(block for stage in parts for block in stage)
        return replace(self.network, resolution=resolution, blocks=blocks)

    def parts(self, network: Network) -> Parts:
        """The blocks of a sub-network by stages; ModelError where ``network`` is none."""
        origins = self.match(network)
        by_origin = dict(zip(origins, network.blocks, strict=True))
        return [[block for i in stage if isinstance(block := by_origin.get(i), Block)] for stage in self.stages]

    def match(self, network: Network) -> tuple[int, ...]:
        """Of which block of the largest network each block of ``network`` is a part; ModelError where it is none.

        Classes and name do not matter.
        """
        rest = list(network.blocks)
        found: list[int] = []
        for stage, indices in enumerate(self.stages):
            widths = self.widths(stage)
            for number, index in enumerate(indices):
                if rest and isinstance(rest[0], Block) and self._is_part(rest[0], index, widths):
                    block = rest.pop(0)
                    assert isinstance(block, Block)
                    widths = (block.channels,)
                    found.append(index)
                elif number == 0:
                    raise self._stranger(network, f"block {len(found)} fits nowhere")
                else:
                    break
        if rest:
            raise self._stranger(network, f"block {len(found)} fits nowhere")
        if (network.stem, network.head) != (self.network.stem, self.network.head):
            raise self._stranger(network, "its stem or its head is another")
        if not self.resolutions[0] <= network.resolution <= self.resolutions[-1]:
            raise ModelError(
                f"the parts of {self.network.name} look at pictures of {self.resolutions[0]} to "
                f"{self.resolutions[-1]} pixels, and {network.name} at {network.resolution}: name a --resolution in "
                "between"
            )
        return tuple(found)

    def _stranger(self, network: Network, reason: str) -> ModelError:
        return ModelError(
            f"{network.name} is no part of the super-network {self.network.name}, as {reason}: take an architecture "
            "that tinyengine search wrote, or 'largest' or 'smallest'"
        )

    def _is_part(self, block: Block, index: int, widths: tuple[int, ...]) -> bool:
        return (
            block.stride == self._blocks[index].stride
            and block.channels in widths
            and block.kernel in self.kernels(index)
            and block.expansion in self.expansions(index)
        )

    def _random_stage(self, rng: np.random.Generator, stage: int, depth: int | None = None) -> list[Block]:
        indices = self.stages[stage]
        depth = depth or 1 + int(rng.integers(len(indices)))
        width = _pick(rng, self.widths(stage))
        return [
            self._block(index, _pick(rng, self.kernels(index)), _pick(rng, self.expansions(index)), width)
            for index in indices[:depth]
        ]

    def _block(self, index: int, kernel: int, expansion: int, width: int) -> Block:
        return Block(expansion, width, kernel, self._blocks[index].stride)

    @property
    def _blocks(self) -> tuple[Block, ...]:
        return self.network.blocks  # type: ignore[return-value]  # grown() has no others


def _pick(rng: np.random.Generator, choices: tuple[int, ...]) -> int:
    return choices[int(rng.integers(len(choices)))]
