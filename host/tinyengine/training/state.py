"""The state of training: what lies in the device's SRAM, is saved to flash and sent to the host.

One block of bytes: the trained biases (int32, little-endian), then the trained weights (int8, of each layer those of
the selected input channels, in C order), then, with residual bytes, one int8 for each of the weights in the same
order. Every part begins at a multiple of 4; layers come from the input to the classifier.
"""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tinyengine.errors import DataError
from tinyengine.ir import Graph
from tinyengine.sizes import round_up
from tinyengine.training.autodiff import plan_scheme
from tinyengine.training.layers import TrainableLayer, trainable_layers
from tinyengine.training.scheme import Scheme, UpdateScheme
from tinyengine.training.selection import selected_channels

ALIGNMENT = 8


@dataclass(frozen=True, eq=False)
class TrainedConstant:
    """A constant of which ``channels`` (indices of its last axis) are trained.

    ``first``: the number of its first element in the stream of random bits; elements count in C order over the part
    that is trained.
    """

    layer: TrainableLayer
    name: str
    bias: bool
    channels: np.ndarray
    first: int

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the part that is trained."""
        tensor = self.layer.bias if self.bias else self.layer.weights
        return (*tensor.shape[:-1], len(self.channels))

    @property
    def elements(self) -> int:
        return int(np.prod(self.shape))


@dataclass(frozen=True, eq=False)
class StatePart:
    """One array inside the state. ``residual``: the further bits of the weights ``tensor``."""

    tensor: str
    dtype: str  # int32, int16 (gains), int8
    offset: int
    shape: tuple[int, ...]
    channels: np.ndarray  # indices of the tensor's last axis
    residual: bool = False

    @property
    def elements(self) -> int:
        return int(np.prod(self.shape))

    @property
    def nbytes(self) -> int:
        return self.elements * np.dtype(self.dtype).itemsize

    def read(self, state: bytes) -> np.ndarray:
        """A copy of the array in ``state``."""
        data = np.frombuffer(state, np.dtype(self.dtype).newbyteorder("<"), self.nbytes // self._size, self.offset)
        return data.reshape(self.shape).astype(self.dtype)

    @property
    def _size(self) -> int:
        return np.dtype(self.dtype).itemsize


@dataclass(frozen=True, eq=False)
class StateLayout:
    """Where everything lies. ``size``: bytes of the whole state, a multiple of ALIGNMENT."""

    parts: tuple[StatePart, ...]
    size: int

    def part(self, tensor: str, residual: bool = False) -> StatePart | None:
        """The part of a tensor; None if it is not trained."""
        return next((p for p in self.parts if p.tensor == tensor and p.residual == residual), None)

    @property
    def trained_weights(self) -> int:
        """Number of trained weights, the classifier's included."""
        return sum(part.elements for part in self.parts if part.dtype != "int32" and not part.residual)

    @property
    def trained_biases(self) -> int:
        return sum(part.elements for part in self.parts if part.dtype == "int32")


def trained_constants(graph: Graph, scheme: UpdateScheme) -> list[TrainedConstant]:
    """What ``scheme`` trains, from the input to the classifier, of each layer the biases first; every constant begins
    at an even number of the stream of random bits. DataError and UnsupportedOperatorError as ``plan_scheme``."""
    layers = trainable_layers(graph)
    trained = {name for step in plan_scheme(graph, scheme).steps for name in step.parameters}
    result: list[TrainedConstant] = []
    first = 0
    for layer in layers.all:
        for tensor in (layer.bias, layer.weights):
            if tensor.name not in trained:
                continue
            bias = tensor is layer.bias
            count = layer.in_channels if layer.index is None else scheme.channels(layer.index, layers)
            channels = np.arange(layer.out_channels) if bias else selected_channels(layer, count)
            constant = TrainedConstant(layer, tensor.name, bias, channels, first)
            result.append(constant)
            first += constant.elements + constant.elements % 2
    return result


def velocity_count(graph: Graph, scheme: UpdateScheme) -> int:
    """Velocities that momentum and batches need: one for each number of the stream of random bits."""
    last = trained_constants(graph, scheme)[-1]
    return last.first + last.elements


def state_layout(graph: Graph, scheme: UpdateScheme, residual: bool = False) -> StateLayout:
    """The layout for training ``graph`` (its factory weights decide which channels are selected)."""
    constants = trained_constants(graph, scheme)
    parts: list[StatePart] = []
    top = 0

    def add(constant: TrainedConstant, dtype: str, is_residual: bool) -> None:
        nonlocal top
        part = StatePart(constant.name, dtype, top, constant.shape, constant.channels, is_residual)
        parts.append(part)
        top += round_up(part.nbytes, 4)

    for constant in constants:
        if constant.bias:
            add(constant, "int32", False)
    for is_residual in (False, True) if residual else (False,):
        for constant in constants:
            if not constant.bias:
                add(constant, "int8", is_residual)
    return StateLayout(tuple(parts), round_up(top, ALIGNMENT))


def state_of(graph: Graph, layout: StateLayout, residuals: Mapping[str, np.ndarray] | None = None) -> bytes:
    """The state that a trained (or factory) graph stands for; ``residuals`` by tensor, zeros where missing."""
    state = bytearray(layout.size)
    for part in layout.parts:
        data = graph.tensor(part.tensor).data
        assert data is not None
        if part.residual:
            values = (residuals or {}).get(part.tensor, np.zeros(part.shape, np.int8))
        else:
            values = data.reshape(graph.tensor(part.tensor).shape)[..., part.channels]
        stored = np.ascontiguousarray(values, np.dtype(part.dtype).newbyteorder("<"))
        state[part.offset : part.offset + part.nbytes] = stored.tobytes()
    return bytes(state)


def apply_state(graph: Graph, layout: StateLayout, state: bytes) -> Graph:
    """A copy of ``graph`` with the constants of ``state``. DataError if its size is another."""
    if len(state) != layout.size:
        raise DataError(f"the trained state has {len(state)} bytes, but this network's has {layout.size}")
    graph = copy.deepcopy(graph)
    for part in layout.parts:
        tensor = graph.tensor(part.tensor)
        if not part.residual:
            assert tensor.data is not None
            tensor.data = tensor.data.reshape(tensor.shape)
            tensor.data[..., part.channels] = part.read(state)
    return graph


def layout_hash(identity: bytes, scheme: Scheme, classes: int | None, residual: bool) -> str:
    """16 hexadecimal digits that differ wherever a state means something else; ``identity``: of the network file."""
    meaning = scheme.meaning() | {"classes": classes, "residual": residual}
    return hashlib.sha256(identity + json.dumps(meaning, sort_keys=True).encode()).hexdigest()[:16]
