"""Operators as layers with trained constants: what is in flash is not what the state in SRAM says."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from tinyengine.ir import Graph, Operator
from tinyengine.kernels.base import KernelCall, Target
from tinyengine.kernels.training.layers import lower_trained
from tinyengine.sizes import round_up
from tinyengine.training.factors import bias_limit
from tinyengine.training.layers import TrainableLayer
from tinyengine.training.selection import dead_channels
from tinyengine.training.state import StateLayout, StatePart, state_of

from tests.helpers.batch import Batch, build_batch
from tests.helpers.cases import Draw, OpCase

DEAD_SCALE = 2.0**-28


def with_dead_channels(draw: Draw, cases: Sequence[OpCase]) -> list[OpCase]:
    """Some of the cases with a dead channel: a tiny scale, and a bias as large as sums leave room for, or none."""
    for case in cases:
        if draw.integer(0, 2):
            continue
        weights, bias = case.graph.tensor("w"), case.graph.tensor("b")
        channel = draw.integer(0, bias.elements - 1)
        scales = list(weights.quant.scale)
        scales[channel] = DEAD_SCALE
        weights.quant = replace(weights.quant, scale=tuple(scales))
        most = (1 << 31) - 1 - 128 * 255 * (weights.elements // bias.elements)
        bias.data[channel] = draw.one_of(-most, most, 0)
    return list(cases)


class TrainedLowering:
    """Lowers operators for a factory network that differs from the graph in all that training may change.

    Biases of all operators are trained, and the weights of no, some or all input channels.
    """

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.layout = StateLayout((), 0)
        self.factory = Graph("factory")

    def __call__(self, op: Operator, graph: Graph, target: Target) -> KernelCall:
        if not self.layout.parts:
            self._begin(graph)
        call = lower_trained(op, self.factory, self.layout, target)
        assert call is not None
        return call

    def _begin(self, graph: Graph) -> None:
        self.factory = copy.deepcopy(graph)
        parts: list[StatePart] = []
        top = 0
        for op in graph.operators:
            for name, bias in zip(op.inputs[2:0:-1], (True, False), strict=True):
                shape = graph.tensor(name).shape
                channels = np.arange(shape[-1]) if bias else self._channels(shape[-1])
                if not len(channels):
                    continue
                part = StatePart(name, "int32" if bias else "int8", top, (*shape[:-1], len(channels)), channels)
                parts.append(part)
                top += round_up(part.nbytes, 4)
            self._forget(op, parts)
        self.layout = StateLayout(tuple(parts), round_up(top, 8))

    def _channels(self, count: int) -> np.ndarray:
        """Input channels whose weights are trained."""
        chosen = int(self.rng.choice([0, count, self.rng.integers(1, count + 1)]))
        return np.sort(self.rng.permutation(count)[:chosen])

    def _forget(self, op: Operator, parts: list[StatePart]) -> None:
        """Other trained constants in the factory network than in the graph, but for those of dead channels."""
        layer = TrainableLayer(None, op, *map(self.factory.tensor, (*op.inputs, *op.outputs)))
        alive = ~dead_channels(layer)
        limit = bias_limit(self.factory, layer)
        layer.bias.data[alive] = self.rng.integers(-limit, limit + 1, alive.sum())
        for part in parts:
            if part.tensor != layer.weights.name:
                continue
            other = self.rng.integers(-128, 128, part.shape, np.int8)
            keep = alive[part.channels] if layer.depthwise else alive.reshape(-1, 1, 1, 1)
            layer.weights.data[..., part.channels] = np.where(keep, other, layer.weights.data[..., part.channels])


def trained_batch(
    cases: Sequence[OpCase], prefix: str, placement: str = "apart", target: Target | None = None
) -> Batch:
    """A batch whose generated network finds the constants of ``cases`` in its state."""
    lowering = TrainedLowering(len(cases))
    batch = build_batch(cases, prefix, placement, lowering, target)
    state = state_of(batch.graph, lowering.layout)
    values = ", ".join(str(byte) for byte in state)
    definition = f"static uint8_t {prefix}_state[{len(state)}] __attribute__((aligned(8))) = {{{values}}};\n"
    name = f"{prefix}.c"
    first = batch.sources[name].index("\nstatic ")
    batch.sources[name] = batch.sources[name][:first] + "\n" + definition + batch.sources[name][first:]
    return batch
