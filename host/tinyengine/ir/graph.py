"""Graphs, operators and tensors."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import prod

import numpy as np

from tinyengine.ir.ops import Attrs, OpKind
from tinyengine.ir.tokenizer import Tokenizer

DTYPES: dict[str, np.dtype] = {
    name: np.dtype(name) for name in ("int8", "uint8", "int16", "int32", "int64", "uint32", "uint64", "float32", "bool")
}
"""int64: biases only."""


@dataclass(frozen=True)
class Quantization:
    """real = scale * (q - zero_point); one entry for the tensor, or one per index of ``axis``."""

    scale: tuple[float, ...]
    zero_point: tuple[int, ...]
    axis: int | None = None

    @property
    def per_channel(self) -> bool:
        return len(self.scale) > 1

    def scalar(self) -> tuple[float, int]:
        """(scale, zero point) of a per-tensor quantization."""
        if self.per_channel:
            raise ValueError("a per-channel quantization has no single scale")
        return self.scale[0], self.zero_point[0]


@dataclass
class Tensor:
    """A value: ``shape`` with batch 1 in front as in TFLite, ``dtype`` a key of DTYPES, ``data`` for constants.

    ``exponents``: block floating point (gradients). Behind the values lies an int8 exponent for each pixel, that is for
    all values along the last axis: value * 2^exponent.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str = "int8"
    quant: Quantization | None = None
    data: np.ndarray | None = None
    exponents: bool = False

    @property
    def is_constant(self) -> bool:
        return self.data is not None

    @property
    def elements(self) -> int:
        return prod(self.shape)

    @property
    def nbytes(self) -> int:
        exponents = self.elements // self.shape[-1] if self.exponents else 0
        return self.elements * DTYPES[self.dtype].itemsize + exponents

    def array(self, values: np.ndarray) -> np.ndarray:
        """``values`` in the tensor's dtype and shape, contiguous."""
        return np.ascontiguousarray(values, DTYPES[self.dtype]).reshape(self.shape)

    def from_bytes(self, data: bytes) -> np.ndarray:
        """The values that ``data`` holds, little-endian, in the tensor's shape."""
        return np.frombuffer(data, DTYPES[self.dtype]).reshape(self.shape)

    @property
    def scale(self) -> float:
        """Per-tensor scale."""
        assert self.quant is not None
        return self.quant.scalar()[0]

    @property
    def zero_point(self) -> int:
        """Per-tensor zero point."""
        assert self.quant is not None
        return self.quant.scalar()[1]

    def hwc(self) -> tuple[int, int, int]:
        """Shape as (rows, columns, channels); fewer axes count as one row, one column, more of them as rows."""
        dims = (1, 1, 1, *self.shape[1:]) if len(self.shape) > 1 else (1, 1, 1, *self.shape)
        return prod(dims[:-2]), dims[-2], dims[-1]


@dataclass
class Operator:
    """One operation; ``inputs`` and ``outputs`` are tensor names, constants (weights, bias) included."""

    kind: OpKind
    name: str
    inputs: list[str]
    outputs: list[str]
    attrs: Attrs


@dataclass(frozen=True)
class Port:
    """A graph input or output as the file's author sees it.

    ``dtype`` and ``quant`` describe the outside. ``tensor`` is the tensor inside: of the same dtype, or int8 where the
    outside is float32 or uint8, or int16 where it is float32; then the host (and nobody on the device) converts:
    ``inside = round(real / scale) + zero_point``, saturated.
    """

    tensor: str
    name: str
    dtype: str
    quant: Quantization | None = None


@dataclass(frozen=True, eq=False)
class State:
    """Bytes that outlive a run: ``tensor`` is what they hold when it begins; what tensor ``update`` holds at its end is
    what the next run begins with. ``initial``: the value after a reset, in shape and dtype of both."""

    tensor: str
    update: str
    initial: np.ndarray


@dataclass(eq=False)
class Graph:
    """Operators in execution order over named tensors, and the states that one run leaves to the next."""

    name: str
    tensors: dict[str, Tensor] = field(default_factory=dict)
    operators: list[Operator] = field(default_factory=list)
    inputs: list[Port] = field(default_factory=list)
    outputs: list[Port] = field(default_factory=list)
    states: list[State] = field(default_factory=list)
    tokenizer: Tokenizer | None = None  # of a language model: what its tokens mean

    def tensor(self, name: str) -> Tensor:
        return self.tensors[name]

    def activations(self, op: Operator) -> list[Tensor]:
        """Inputs of ``op`` that are not constants, in order."""
        return [t for t in (self.tensors[n] for n in op.inputs) if not t.is_constant]

    def producer(self, tensor: str) -> Operator | None:
        """The operator that writes ``tensor``; None for graph inputs, states and constants."""
        return next((op for op in self.operators if tensor in op.outputs), None)

    def consumers(self, tensor: str) -> list[Operator]:
        """Operators that read ``tensor``, in execution order."""
        return [op for op in self.operators if tensor in op.inputs]

    def output_tensors(self) -> list[str]:
        return [port.tensor for port in self.outputs]

    def input_tensors(self) -> list[str]:
        return [port.tensor for port in self.inputs]

    def sources(self) -> list[str]:
        """Tensors that have a value before any operator runs: inputs and states."""
        return [*self.input_tensors(), *(state.tensor for state in self.states)]

    def results(self) -> list[str]:
        """Tensors whose values are wanted after all operators have run: outputs and updates of states."""
        return [*self.output_tensors(), *(state.update for state in self.states)]

    def constants(self) -> Iterator[Tensor]:
        return (t for t in self.tensors.values() if t.is_constant)
