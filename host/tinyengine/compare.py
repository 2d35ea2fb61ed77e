"""The first layer of a network, on a device or natively, whose output differs from the reference."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from tinyengine.compiler import CompiledModel
from tinyengine.device import Device
from tinyengine.errors import DataError
from tinyengine.kernels.base import KernelCall
from tinyengine.native import NativeModel
from tinyengine.progress import Activity, silent
from tinyengine.reference import Session

Inputs = Sequence[np.ndarray]
"""Of one run: values of the input tensors, in their types and shapes."""


@dataclass(frozen=True)
class Difference:
    """A layer whose output differs, and where it does so first. ``operators``: more than one for a chain, of which only
    the last one's output is ever there as a whole."""

    layer: int
    name: str
    form: str  # layer, stream, patch
    operators: tuple[str, ...]
    function: str
    tensor: str
    index: tuple[int, ...]
    expected: float
    got: float
    differing: int
    elements: int


@dataclass(frozen=True)
class Comparison:
    """``skipped``: layers of which nothing lies in the arena."""

    layers: int
    compared: int
    skipped: tuple[str, ...]
    first: Difference | None


class Traceable(Protocol):
    """Something that runs the compiled network."""

    def differs(self, runs: Sequence[Inputs], layer: int, offset: int, expected: bytes) -> bool:
        """Whether the arena's bytes from ``offset`` on are others right after ``layer`` in the last of ``runs``, the
        first of which begins with a reset."""
        ...

    def read(self, runs: Sequence[Inputs], layer: int, offset: int, length: int) -> bytes:
        """Those bytes."""
        ...


class NativeTarget:
    """The network compiled for this computer."""

    def __init__(self, model: NativeModel) -> None:
        self._model = model

    def differs(self, runs: Sequence[Inputs], layer: int, offset: int, expected: bytes) -> bool:
        return self.read(runs, layer, offset, len(expected)) != expected

    def read(self, runs: Sequence[Inputs], layer: int, offset: int, length: int) -> bytes:
        self._model.reset()
        for inputs in runs[:-1]:
            self._model.run(inputs)
        return self._model.trace(runs[-1], layer, offset, length)


class DeviceTarget:
    """A board at a port, which must run exactly what was compiled here."""

    def __init__(self, device: Device, compiled: CompiledModel) -> None:
        """DataError where the firmware was built with other options."""
        self._device = device
        identity = device.identity
        ours = [(call.name, str(call.kind), call.macs) for call in compiled.calls]
        theirs = device.layers()
        if compiled.options.small:
            ours = [(f"layer {number}", "", 0) for number in range(len(ours))]
        same = identity.model_hash == compiled.model_hash and identity.arena_bytes == compiled.plan.arena_bytes
        if not same or ours != theirs:
            raise DataError(
                f"the firmware of {identity.board} was built with other options than given here: repeat those of "
                "tinyengine build (--optimize, --input, --requant, --sram, --max-recompute)"
            )

    def differs(self, runs: Sequence[Inputs], layer: int, offset: int, expected: bytes) -> bool:
        return self._trace(runs, layer, offset, len(expected))[0] != zlib.crc32(expected)

    def read(self, runs: Sequence[Inputs], layer: int, offset: int, length: int) -> bytes:
        data = b""
        while len(data) < length:
            _, piece = self._trace(runs, layer, offset + len(data), length - len(data))
            data += piece
        return data

    def _trace(self, runs: Sequence[Inputs], layer: int, offset: int, length: int) -> tuple[int, bytes]:
        if self._device.identity.has_states:
            self._device.rewind()
        *before, last = [self._wire(inputs) for inputs in runs]
        for inputs in before:
            self._device.infer(inputs)
        return self._device.trace(self._device.delivery(last), layer, offset, length)

    def _wire(self, inputs: Inputs) -> list[np.ndarray]:
        ports = self._device.identity.inputs
        return [np.reshape(values, port.shape) for values, port in zip(inputs, ports, strict=True)]


def compare_layers(
    compiled: CompiledModel, target: Traceable, runs: Sequence[Inputs], activity: Activity = silent
) -> Comparison:
    """Go through the layers in their order, over the last of ``runs``, up to the first whose output differs."""
    session = Session(compiled.graph, compiled.roundings)
    for inputs in runs:
        values = session.values(list(inputs))
    skipped, compared = [], 0
    for number, call in enumerate(compiled.calls):
        activity("comparing layers", number, len(compiled.calls))
        places = [(name, compiled.plan.addresses.get(name)) for name in call.outputs]
        if all(place is None for _, place in places):
            skipped.append(call.name)
            continue
        compared += 1
        for name, place in places:
            if place is None:
                continue
            tensor = compiled.graph.tensor(name)
            wanted = tensor.array(values[name])
            if target.differs(runs, number, place, wanted.tobytes()):
                got = tensor.from_bytes(target.read(runs, number, place, tensor.nbytes))
                return Comparison(
                    len(compiled.calls), compared, tuple(skipped), _difference(call, number, name, wanted, got)
                )
    return Comparison(len(compiled.calls), compared, tuple(skipped), None)


def _difference(call: KernelCall, number: int, tensor: str, wanted: np.ndarray, got: np.ndarray) -> Difference | None:
    wanted = wanted.reshape(got.shape)
    wrong = np.argwhere(wanted != got)
    if not len(wrong):
        raise DataError(
            f"layer {number} ({call.name}) differed once and then no more: the device does not compute the same twice, "
            "look for noise on its supply, a bad cable, or memory that something else writes to"
        )
    first = tuple(int(i) for i in wrong[0])
    operators = tuple(op.name for op in call.operators)
    return Difference(
        number,
        call.name,
        str(call.form),
        operators,
        call.function,
        tensor,
        first,
        wanted[first].item(),
        got[first].item(),
        len(wrong),
        got.size,
    )
