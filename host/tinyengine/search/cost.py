"""What an architecture costs on a device: estimated in a fraction of a millisecond, and judged by the planner.

The estimate of the instructions is a linear model per kind of layer, fitted to the counts of ``tinyengine bench`` on
the Cortex-M4 (fast requantization) over eleven networks, eight of the space and three of the zoo. Coefficients in
order:

- pointwise: per MAC, output value, weight, output channel, input value, and call;
- depthwise, by kernel and stride: per MAC, channel, channel and output row, and call;
- stem: per MAC; ADD, MEAN, SOFTMAX: per value, and call.

Its error, and that of the bytes, is stated in docs/search.md and by every search over what it judged itself.
"""

from __future__ import annotations

from dataclasses import dataclass

from tinyengine.compiler import CompiledModel, CompileOptions, compile_graph
from tinyengine.cores import core
from tinyengine.search.skeleton import graph_of
from tinyengine.zoo.table import Block, Convolution, Network, convolutions

_POINTWISE = (0.8566, 6.241, 1.179, 10.03, 1.185, 1432.0)
_DEPTHWISE = {
    (3, 1): (1.535, 58.92, 5.051, 0.0),
    (3, 2): (2.464, 69.29, 0.0, 2615.0),
    (5, 1): (0.778, 27.68, 8.507, 1948.0),
    (5, 2): (1.175, 94.32, 0.0, 1678.0),
    (7, 1): (0.5497, 6.031, 2.264, 2769.0),
    (7, 2): (0.7988, 140.3, 1.712, 2515.0),
}
_NARROW = (8.25, 13.0)
"""Pointwise with 8 input channels: per output value, and pixel."""

_NARROW_CHANNELS = 8

_STEM = 1.29
_ADD = (5.75, 35.0)
_MEAN = (11.4, 364.0)
_DENSE = (3.56, 120.0)

_BLOCK = 96
"""Pixels whose columns a convolution widens at a time."""

_STEM_SCRATCH = 4100

_PER_CHANNEL = 8
"""Bytes in flash per output channel beside its weights: bias and rounding."""

_CODE = 28_000
"""Bytes of kernels, tables and the generated calls."""


@dataclass(frozen=True, slots=True)
class Costs:
    """Of one inference: work; and bytes of the arena, layer by layer, and of flash (weights, kernels, calls)."""

    macs: int
    instructions: int
    sram: int
    flash: int


@dataclass(frozen=True, slots=True)
class Budget:
    """Upper limits in the units of Costs; None: no limit."""

    sram: int
    flash: int
    instructions: int | None = None
    macs: int | None = None

    def holds(self, costs: Costs) -> bool:
        """Whether all limits are kept."""
        return (
            costs.sram <= self.sram
            and costs.flash <= self.flash
            and (self.instructions is None or costs.instructions <= self.instructions)
            and (self.macs is None or costs.macs <= self.macs)
        )


def estimate(network: Network) -> Costs:
    """Costs from the table alone."""
    layers = convolutions(network)
    instructions = sum(_layer(layer) for layer in layers) + _MEAN[1]
    flash = _CODE + sum(_constants(layer) + _PER_CHANNEL * layer.out_channels for layer in layers)
    last = layers[-2]
    instructions += _MEAN[0] * last.out_size**2 * last.out_channels
    sram, at = 0, 1
    first = layers[0]
    sram = max(sram, _bytes(first) + _STEM_SCRATCH)
    for block in network.blocks:
        assert isinstance(block, Block)  # the space that is searched has no others
        parts = layers[at : at + (2 if block.expansion == 1 else 3)]
        at += len(parts)
        start = parts[0].in_size ** 2 * parts[0].in_channels
        residual = block.stride == 1 and parts[0].in_channels == block.channels
        for number, layer in enumerate(parts):
            sram = max(sram, _bytes(layer) + _scratch(layer) + (start if residual and number else 0))
        if residual:
            instructions += _ADD[0] * start + _ADD[1]
    return Costs(sum(layer.macs for layer in layers), round(instructions), sram, flash)


def compiled(network: Network, cpu: str = "cortex-m4") -> CompiledModel:
    """The network with empty weights, compiled layer by layer as ``tinyengine compile`` does."""
    return compile_graph(graph_of(network), CompileOptions(cpu=cpu, requant=core(cpu).requant))


def judge(network: Network, cpu: str = "cortex-m4") -> Costs:
    """Costs with the arena and the constants of the real plan; the instructions and the code are still estimated."""
    model = compiled(network, cpu)
    guess = estimate(network)
    return Costs(model.macs, guess.instructions, model.plan.arena_bytes, model.weight_bytes + _CODE)


def _bytes(layer: Convolution) -> int:
    """Bytes that input and output take together: one lies over the other."""
    return max(layer.in_size**2 * layer.in_channels, layer.out_size**2 * layer.out_channels)


def _scratch(layer: Convolution) -> int:
    """Bytes beside a layer's tensors: columns of int16 of a block of pixels, or a depthwise map of int16."""
    if layer.kind == "depthwise":
        return 2 * layer.in_size * (layer.in_size + 1) + layer.in_channels
    return 2 * layer.in_channels * min(_BLOCK, layer.out_size**2)


def _constants(layer: Convolution) -> int:
    """Bytes of weights: depthwise taps come in pairs, and outer ones that never meet a pixel are left out."""
    if layer.kind != "depthwise":
        return layer.weights
    kernel = min(layer.kernel, max(3, 2 * layer.in_size - 1))
    return layer.out_channels * kernel * (kernel + 1)


def _layer(layer: Convolution) -> float:
    outputs = layer.out_size**2 * layer.out_channels
    if layer.kind == "depthwise":
        factors = _DEPTHWISE[layer.kernel, layer.stride]
        return _dot(factors, (layer.macs, layer.out_channels, layer.out_channels * layer.out_size, 1))
    if layer.kind == "dense":
        return _dot(_DENSE, (layer.macs, 1))
    if layer.kernel > 1:
        return _STEM * layer.macs
    if layer.in_channels == _NARROW_CHANNELS:
        return _dot(_NARROW, (outputs, layer.out_size**2))
    inputs = layer.in_size**2 * layer.in_channels
    return _dot(_POINTWISE, (layer.macs, outputs, layer.weights, layer.out_channels, inputs, 1))


def _dot(factors: tuple[float, ...], counts: tuple[int, ...]) -> float:
    return sum(factor * count for factor, count in zip(factors, counts, strict=True))
