"""What an architecture costs on a device: estimated in a fraction of a millisecond, and judged by the planner.

The estimate of the instructions is a linear model per kind of layer, fitted to the counts of ``tinyengine bench`` on
the Cortex-M4 (fast requantization) over twelve networks, ten of the space and two of the zoo. Coefficients in order:

- pointwise: per MAC, output value, weight, output channel, input value, and call;
- depthwise, by kernel and stride: per MAC, channel, channel and output row, and call;
- stem: per MAC; ADD, MEAN, SOFTMAX: per value, and call.

Its error, and that of the bytes, is stated in docs/search.md and by every search over what it judged itself.
"""

from __future__ import annotations

from dataclasses import dataclass

from tinyengine.compiler import CompiledModel, CompileOptions, compile_graph
from tinyengine.search.skeleton import graph_of
from tinyengine.zoo.table import Convolution, Network, convolutions

_POINTWISE = (0.652, 4.758, 0.739, 29.15, 1.663, 91.5)
_DEPTHWISE = {
    (3, 1): (1.631, 110.7, 98.87, 523.0),
    (3, 2): (2.424, 71.06, 145.2, 642.0),
    (5, 1): (0.875, 255.0, 96.78, 1767.0),
    (5, 2): (1.212, 210.1, 144.2, 6281.0),
    (7, 1): (0.643, 273.6, 121.2, 21544.0),
    (7, 2): (0.840, 467.6, 132.9, 266.0),
}
_STEM = 1.10
_ADD = (9.5, 33.0)
_MEAN = (8.78, 3446.0)
_DENSE = (7.1, 120.0)

_SCRATCH = 4100
"""Bytes of the arena beside the largest tensors: windows and widened weights."""

_PER_CHANNEL = 16
"""Bytes in flash per output channel beside its weights: bias, multiplier, padding."""

_CODE = 25_000
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
    flash = _CODE + sum(layer.weights + _PER_CHANNEL * layer.out_channels for layer in layers)
    last = layers[-2]
    instructions += _MEAN[0] * last.out_size**2 * last.out_channels
    sram, at = 0, 1
    first = layers[0]
    sram = max(sram, _bytes(first))
    for block in network.blocks:
        parts = layers[at : at + (2 if block.expansion == 1 else 3)]
        at += len(parts)
        start = parts[0].in_size ** 2 * parts[0].in_channels
        residual = block.stride == 1 and parts[0].in_channels == block.channels
        for number, layer in enumerate(parts):
            sram = max(sram, _bytes(layer) + (start if residual and number else 0))
        if residual:
            instructions += _ADD[0] * start + _ADD[1]
    return Costs(sum(layer.macs for layer in layers), round(instructions), sram + _SCRATCH, flash)


def compiled(network: Network, cpu: str = "cortex-m4") -> CompiledModel:
    """The network with empty weights, compiled layer by layer as ``tinyengine compile`` does."""
    return compile_graph(graph_of(network), CompileOptions(cpu=cpu, requant="fast"))


def judge(network: Network, cpu: str = "cortex-m4") -> Costs:
    """Costs with the arena and the constants of the real plan; the instructions and the code are still estimated."""
    model = compiled(network, cpu)
    guess = estimate(network)
    return Costs(model.macs, guess.instructions, model.plan.arena_bytes, model.weight_bytes + _CODE)


def _bytes(layer: Convolution) -> int:
    """Bytes that input and output take together: one lies over the other."""
    return max(layer.in_size**2 * layer.in_channels, layer.out_size**2 * layer.out_channels)


def _layer(layer: Convolution) -> float:
    outputs = layer.out_size**2 * layer.out_channels
    if layer.kind == "depthwise":
        factors = _DEPTHWISE[layer.kernel, layer.stride]
        return _dot(factors, (layer.macs, layer.out_channels, layer.out_channels * layer.out_size, 1))
    if layer.kind == "dense":
        return _dot(_DENSE, (layer.macs, 1))
    if layer.kernel > 1:
        return _STEM * layer.macs
    inputs = layer.in_size**2 * layer.in_channels
    return _dot(_POINTWISE, (layer.macs, outputs, layer.weights, layer.out_channels, inputs, 1))


def _dot(factors: tuple[float, ...], counts: tuple[int, ...]) -> float:
    return sum(factor * count for factor, count in zip(factors, counts, strict=True))
