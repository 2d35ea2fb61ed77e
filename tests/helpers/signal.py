"""The audio preprocessor of TFLite Micro in any size, with random tables."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from tinyengine.ir import Graph, Operator, OpKind, Quantization
from tinyengine.ir.graph import State
from tinyengine.ir.operators.signal import GAINS
from tinyengine.ir.ops import (
    Attrs,
    ConcatAttrs,
    ElementwiseAttrs,
    NoAttrs,
    SignalEnergyAttrs,
    SignalFftAutoScaleAttrs,
    SignalFilterBankAttrs,
    SignalLogAttrs,
    SignalPcanAttrs,
    SignalRfftAttrs,
    SignalSpectralSubtractionAttrs,
    SignalWindowAttrs,
    StridedSliceAttrs,
)

from tests.helpers.graphs import GraphBuilder


@dataclass(frozen=True)
class Sizes:
    samples: int = 60
    fft_length: int = 64
    channels: int = 6


class SoundBuilder:
    """Adds the operators one by one to ``b``; tensors are numbers without a scale."""

    def __init__(self, b: GraphBuilder, sizes: Sizes) -> None:
        self.b, self.sizes, self.stages = b, sizes, dict[str, str]()

    def op(
        self, kind: OpKind, inputs: list[str], attrs: Attrs, dtype: str, shape: tuple[int, ...] | None = None
    ) -> str:
        y = self.b.op(kind, inputs, attrs, shape, dtype=dtype)
        self.b.graph.tensor(y).quant = None
        return y

    def constant(self, values: object, dtype: str = "int16") -> str:
        name = self.b.constant(np.asarray(values).astype(dtype))
        self.b.graph.tensor(name).quant = None
        return name

    def two(self, kind: OpKind, inputs: list[str], attrs: Attrs, *outputs: tuple[str, tuple[int, ...]]) -> list[str]:
        """An operator with several outputs of (dtype, shape)."""
        names = [self.b.tensor(shape, dtype) for dtype, shape in outputs]
        name = f"{kind.lower()}_{len(self.b.graph.operators)}"
        self.b.graph.operators.append(Operator(kind, name, inputs, names, attrs))
        for name in names:
            self.b.graph.tensor(name).quant = None
        return names

    def sound(self) -> str:
        x = self.b.input(1, self.sizes.samples, dtype="int16")
        self.b.graph.tensor(x).quant = None
        self.b.graph.inputs[-1] = replace(self.b.graph.inputs[-1], quant=None)
        return x

    def spectrum(self, x: str) -> tuple[str, str]:
        """Energies, int32, with zeros around those of a range as the preprocessor's file has them, and the scale."""
        samples, fft, rng = self.sizes.samples, self.sizes.fft_length, self.b.rng
        window = self.constant(rng.integers(-4096, 4097, samples))
        windowed = self.op(OpKind.SIGNAL_WINDOW, [x, window], SignalWindowAttrs(int(rng.integers(9, 14))), "int16")
        x = self.op(OpKind.RESHAPE, [windowed], NoAttrs(), "int16", (samples,))
        outputs = ("int16", (samples,)), ("int32", ())
        scaled, scale = self.two(OpKind.SIGNAL_FFT_AUTO_SCALE, [x], SignalFftAutoScaleAttrs(), *outputs)
        complex_ = self.op(OpKind.SIGNAL_RFFT, [scaled], SignalRfftAttrs(fft), "int16")
        bins = fft // 2 + 1
        start, end = int(rng.integers(0, bins // 2)), int(rng.integers(bins // 2, bins + 1))
        energy = self.op(OpKind.SIGNAL_ENERGY, [complex_], SignalEnergyAttrs(start, end), "uint32")
        energy = self.op(OpKind.CAST, [energy], NoAttrs(), "int32")
        cut = StridedSliceAttrs((start,), (1,), (end - start,))
        part = energy = self.op(OpKind.STRIDED_SLICE, [energy], cut, "int32", (end - start,))
        zeros = [[self.constant(np.zeros(n), "int32")] if n else [] for n in (start, bins - end)]
        if start or end < bins:
            energy = self.op(OpKind.CONCATENATION, [*zeros[0], energy, *zeros[1]], ConcatAttrs(0), "int32")
        self.stages |= {"window": windowed, "scaled": scaled, "scale": scale, "complex": complex_, "energy": part}
        return energy, scale

    def bands(self, energy: str, scale: str) -> tuple[str, str]:
        """Roots of sums without noise, and the noise."""
        channels, rng = self.sizes.channels, self.b.rng
        bins = self.sizes.fft_length // 2 + 1
        width = rng.integers(0, max(bins // channels, 1) + 1, channels + 1)
        first = np.minimum(np.cumsum(width) - width, bins - width)
        weights = rng.integers(0, 4097, int(width.sum()) + 1) * rng.integers(0, 2, int(width.sum()) + 1)
        tables = [weights, 4096 - weights, first, np.cumsum(width) - width, width]
        energy = self.op(OpKind.CAST, [energy], NoAttrs(), "uint32")
        sums = self.op(
            OpKind.SIGNAL_FILTER_BANK,
            [energy, *map(self.constant, tables)],
            SignalFilterBankAttrs(channels),
            "uint64",
        )
        roots = self.op(OpKind.SIGNAL_FILTER_BANK_SQUARE_ROOT, [sums, scale], NoAttrs(), "uint32")
        before = self.b.tensor((channels,), "uint32")
        self.b.graph.tensor(before).quant = None
        even, odd = (int(n) for n in rng.integers(1, 1 << 14, 2))
        attrs = SignalSpectralSubtractionAttrs(
            even, (1 << 14) - even, odd, (1 << 14) - odd, int(rng.integers(0, 15)), 14, 819, bool(rng.integers(2))
        )
        kind, like = OpKind.SIGNAL_FILTER_BANK_SPECTRAL_SUBTRACTION, ("uint32", (channels,))
        signal, noise = self.two(kind, [roots, before], attrs, like, like)
        self.b.graph.states.append(State(before, noise, np.zeros(channels, np.uint32)))
        self.stages |= {"sums": sums, "roots": roots, "signal": signal, "noise": noise}
        return signal, noise

    def features(self, signal: str, noise: str) -> str:
        """What a network takes: int8."""
        rng = self.b.rng
        gains = self.constant(rng.integers(-(1 << 15), 1 << 15, GAINS))
        gained = self.op(OpKind.SIGNAL_PCAN, [signal, noise, gains], SignalPcanAttrs(int(rng.integers(4, 9))), "uint32")
        attrs = SignalLogAttrs(64, int(rng.integers(0, 6)))
        log = self.op(OpKind.SIGNAL_FILTER_BANK_LOG, [gained], attrs, "int16")
        x = self.op(OpKind.CAST, [log], NoAttrs(), "int32")
        steps = [(OpKind.MUL, 256), (OpKind.ADD, 333), (OpKind.DIV, 666), (OpKind.ADD, -128)]
        for kind, value in steps:
            x = self.op(kind, [x, self.constant(value, "int32")], ElementwiseAttrs(), "int32")
        for kind, value in ((OpKind.MINIMUM, 127), (OpKind.MAXIMUM, -128)):
            x = self.op(kind, [x, self.constant(value, "int32")], NoAttrs(), "int32")
        self.stages |= {"gained": gained, "log": log, "whole": x}
        return self.b.op(OpKind.CAST, [x], NoAttrs(), quant=Quantization((1.0,), (0,)))


def front_end(b: GraphBuilder, sizes: Sizes = Sizes()) -> SoundBuilder:
    """Everything; the last stage is the output."""
    built = SoundBuilder(b, sizes)
    b.output(built.features(*built.bands(*built.spectrum(built.sound()))))
    return built


def show(built: SoundBuilder) -> Graph:
    """The graph with every stage as an output that TFLite Micro's interpreter in Python hands out."""
    b, graph = built.b, built.b.graph
    graph.outputs.clear()
    for name in built.stages.values():
        if graph.tensor(name).dtype == "uint64":
            continue
        if graph.tensor(name).dtype == "uint32":
            name = built.op(OpKind.CAST, [name], NoAttrs(), "int32")
        b.output(name)
    return graph


def sound(b: GraphBuilder) -> None:
    """Up to the noise, which is a state."""
    built = SoundBuilder(b, Sizes())
    signal, _ = built.bands(*built.spectrum(built.sound()))
    signal = built.op(OpKind.CAST, [signal], NoAttrs(), "int32")
    b.output(built.op(OpKind.RESHAPE, [signal], NoAttrs(), "int32", (1, built.sizes.channels)))
