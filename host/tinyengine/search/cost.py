"""What an architecture costs on a device: estimated in a fraction of a millisecond, and judged by the planner.

The estimate of the work is in cycles where the core has a model of them, else in instructions: a linear model per kind
of layer whose coefficients, core by core, ``bench/layer_costs.py`` fits to counts and writes to ``layer_costs.json``.
Its error, and that of the bytes, is stated in docs/search.md and by every search over what it judged itself.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tinyengine.compiler import CompiledModel, CompileOptions, compile_graph
from tinyengine.cores import core
from tinyengine.search.skeleton import graph_of
from tinyengine.sizes import ceil_div
from tinyengine.zoo.table import Block, Convolution, Network, convolutions

COSTS = "layer_costs.json"
REST = "rest"
"""What a run costs beside its layers."""

_DEFAULT = "cortex-m4"

_NARROW_CHANNELS = 8
"""Pointwise convolutions of so many input channels have a kernel of their own."""

_BLOCK = 256
"""Pixels whose columns a convolution widens at a time, at most."""

_COLUMNS = 5400
"""Bytes that these columns take, at most."""

_BESIDE_COLUMNS = 80
"""Bytes that a convolution needs beside its columns and widened weights."""

_BAND = 144
"""Bytes that a 3x3 depthwise convolution stages per column."""

_STEM_SCRATCH = 6300

_VECTORS = "cortex-m55"
_VECTOR_SCRATCH = 1600
"""Bytes beside a layer's tensors on that core, whose kernels stage little."""

_PER_CHANNEL = 8
"""Bytes in flash per output channel beside its weights: bias and rounding."""

_CODE = 28_000
"""Bytes of kernels, tables and the generated calls."""


@dataclass(frozen=True, slots=True)
class Costs:
    """Of one inference: ``work`` in the core's unit (:func:`unit`); and bytes of the arena, layer by layer, and of
    flash (weights, kernels, calls)."""

    macs: int
    work: int
    sram: int
    flash: int


@dataclass(frozen=True, slots=True)
class Budget:
    """Upper limits in the units of Costs; None: no limit."""

    sram: int
    flash: int
    work: int | None = None
    macs: int | None = None

    def holds(self, costs: Costs) -> bool:
        """Whether all limits are kept."""
        return (
            costs.sram <= self.sram
            and costs.flash <= self.flash
            and (self.work is None or costs.work <= self.work)
            and (self.macs is None or costs.macs <= self.macs)
        )


@cache
def _table() -> Mapping[str, Mapping[str, object]]:
    found: Mapping[str, Mapping[str, object]] = json.loads(Path(__file__).with_name(COSTS).read_text())
    return found


def timed_as(cpu: str) -> str:
    """The core whose coefficients stand for ``cpu``: its own, those of one that it is a variant of (cortex-m7-sp), or
    the Cortex-M4's."""
    return max((name for name in _table() if cpu.startswith(name)), key=len, default=_DEFAULT)


def unit(cpu: str) -> str:
    """What the work on a core is counted in: cycles or instructions."""
    return str(_table()[timed_as(cpu)]["unit"])


def estimate(network: Network, cpu: str = _DEFAULT) -> Costs:
    """Costs from the table alone."""
    layers = convolutions(network)
    flash = _CODE + sum(_constants(layer) + _PER_CHANNEL * layer.out_channels for layer in layers)
    sram, at = 0, 1
    first = layers[0]
    sram = max(sram, _bytes(first) + _STEM_SCRATCH)
    for block in network.blocks:
        assert isinstance(block, Block)  # the space that is searched has no others
        own = layers[at : at + (2 if block.expansion == 1 else 3)]
        at += len(own)
        start = own[0].in_size ** 2 * own[0].in_channels
        residual = block.stride == 1 and own[0].in_channels == block.channels
        for number, layer in enumerate(own):
            scratch = _VECTOR_SCRATCH if timed_as(cpu) == _VECTORS else _scratch(layer)
            sram = max(sram, _bytes(layer) + scratch + (start if residual and number else 0))
    coefficients = _table()[timed_as(cpu)]["coefficients"]
    assert isinstance(coefficients, dict)
    return Costs(sum(layer.macs for layer in layers), round(total(network, coefficients)), sram, flash)


def compiled(network: Network, cpu: str = _DEFAULT) -> CompiledModel:
    """The network with empty weights, compiled layer by layer as ``tinyengine compile`` does."""
    return compile_graph(graph_of(network), CompileOptions(cpu=cpu, requant=core(cpu).requant))


def judge(network: Network, cpu: str = _DEFAULT) -> Costs:
    """Costs with the arena and the constants of the real plan; the work and the code are still estimated."""
    model = compiled(network, cpu)
    return Costs(model.macs, estimate(network, cpu).work, model.plan.arena_bytes, model.weight_bytes + _CODE)


Part = tuple[str, str, tuple[float, ...]]
"""A layer's name, its kind, and what its cost is a sum of."""


def parts(network: Network) -> list[Part]:
    """The layers that an estimate adds up."""
    found: list[Part] = []
    layers = convolutions(network)
    for layer in layers:
        outputs, inputs = layer.out_size**2 * layer.out_channels, layer.in_size**2 * layer.in_channels
        features: tuple[float, ...]
        if layer.kind == "depthwise":
            kind = f"depthwise {layer.kernel} {layer.stride}"
            features = (layer.macs, layer.out_channels, layer.out_channels * layer.out_size, 1)
        elif layer.kind == "dense":
            kind, features = "dense", (layer.macs, 1)
        elif layer.kernel > 1:
            kind, features = "stem", (layer.macs, layer.out_size**2)
        elif layer.in_channels == _NARROW_CHANNELS:
            kind, features = "narrow", (outputs, layer.out_size**2, 1)
        else:
            kind, features = "pointwise", (layer.macs, outputs, layer.weights, layer.out_channels, inputs, 1)
        found.append((layer.name, kind, features))
    by_name = {layer.name: layer for layer in layers}
    channels = network.stem
    for index, block in enumerate(network.blocks):
        assert isinstance(block, Block)
        if block.stride == 1 and block.channels == channels:
            size = by_name[f"block{index}_project"].out_size
            found.append((f"block{index}_add", "add", (size**2 * channels, 1)))
        channels = block.channels
    last = layers[-2]
    found.append(("average", "mean", (last.out_size**2 * last.out_channels, last.out_channels, 1)))
    return found


def total(network: Network, coefficients: Mapping[str, Sequence[float]]) -> float:
    """The sum over the layers and the rest."""
    return coefficients[REST][0] + sum(
        sum(factor * feature for factor, feature in zip(coefficients[kind], features, strict=True))
        for _, kind, features in parts(network)
    )


def _bytes(layer: Convolution) -> int:
    """Bytes that input and output take together: one lies over the other."""
    return max(layer.in_size**2 * layer.in_channels, layer.out_size**2 * layer.out_channels)


def _scratch(layer: Convolution) -> int:
    """Bytes beside a layer's tensors: a band of rows of four channels or a map of int16, or columns of int16 of a block
    of pixels and the widened weights of two channels."""
    if layer.kind == "depthwise":
        if layer.kernel == 3:
            return _BAND * ((layer.out_size - 1) * layer.stride + 3)
        return 2 * layer.in_size * (layer.in_size + 1) + layer.in_channels
    pixels, column = layer.out_size**2, 2 * layer.in_channels + 4
    blocks = ceil_div(pixels, min(_BLOCK, max(1, _COLUMNS // column)))
    return ceil_div(pixels, blocks) * column + 4 * layer.in_channels + _BESIDE_COLUMNS


def _constants(layer: Convolution) -> int:
    """Bytes of weights: depthwise taps come in pairs, and outer ones that never meet a pixel are left out."""
    if layer.kind != "depthwise":
        return layer.weights
    kernel = min(layer.kernel, max(3, 2 * layer.in_size - 1))
    return layer.out_channels * kernel * (kernel + 1)
