"""Training natively: the generated step in this process, with the device's exact arithmetic."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass

import numpy as np

from tinyengine.compiler import CompiledModel
from tinyengine.errors import DataError
from tinyengine.native.build import NativeModel, build


@dataclass(frozen=True)
class StepResult:
    """``loss``: cross-entropy in nats, before the update; ``predicted``: the class with the largest logit."""

    loss: float
    predicted: int


class NativeTrainer:
    """A network compiled with an update scheme, loaded into this process; it starts in its factory state.

    The state is one per compiled network and process: build two networks with different prefixes to train two.
    """

    def __init__(self, compiled: CompiledModel, fast: bool = False) -> None:
        """``fast``: as for ``build``. ToolError without a C compiler; ValueError for a network compiled without an
        update scheme."""
        if compiled.training is None:
            raise ValueError(f"{compiled.graph.name} was compiled without an update scheme")
        self.program = compiled.training
        self.model: NativeModel = build(compiled, fast)
        library, self._index = self.model.library, self.model.index
        library.native_state.restype = library.native_velocity.restype = ctypes.c_void_p
        for function, numbers in ((library.native_step, 3), (library.native_evaluate, 3)):
            function.restype = ctypes.c_float
            function.argtypes = [ctypes.c_uint32] * numbers
        library.native_step.argtypes += [ctypes.c_float, ctypes.c_uint32, ctypes.c_uint32]
        library.native_step.argtypes += [ctypes.c_float, ctypes.c_uint32, ctypes.c_uint32]
        for function in (library.native_step, library.native_evaluate):
            function.argtypes += [ctypes.POINTER(ctypes.c_uint32)]
        self._library = library
        self.classes = int(self.program.graph.tensor(self.program.logits).shape[-1])
        self.reset()

    def reset(self) -> None:
        """Back to the factory state."""
        self._library.native_factory(self._index)

    def step(
        self,
        x: np.ndarray,
        label: int,
        rate: float,
        *,
        seed: int = 0,
        step: int = 0,
        classes: int | None = None,
        momentum: float = 0.0,
        batch: int = 1,
        sample: int = 0,
    ) -> StepResult:
        """Train on one int8 input. ``step`` numbers the steps: random bits follow from (seed, step).

        With velocities: ``sample`` is the input's number in its ``batch``; with sample 0 ``momentum`` says what is kept
        of the velocities (0: none). DataError without velocities.
        """
        count = self._check(label, classes)
        if (momentum or batch != 1) and not self.program.velocities:
            raise DataError("momentum and batches need a velocity per trained constant: compile with velocity=True")
        if not 0 <= sample < batch <= 0xFFFF:
            raise DataError(f"sample {sample} does not exist in a batch of {batch}")
        self.model.feed([x])
        predicted = ctypes.c_uint32()
        loss = self._library.native_step(
            self._index, label, count, rate, seed, step, momentum, batch, sample, ctypes.byref(predicted)
        )
        return StepResult(loss, predicted.value)

    def evaluate(self, x: np.ndarray, label: int = 0, *, classes: int | None = None) -> StepResult:
        """Judge one int8 input without changing anything."""
        count = self._check(label, classes)
        self.model.feed([x])
        predicted = ctypes.c_uint32()
        loss = self._library.native_evaluate(self._index, label, count, ctypes.byref(predicted))
        return StepResult(loss, predicted.value)

    def run(self, x: np.ndarray) -> list[np.ndarray]:
        """An inference with the present weights."""
        return self.model.run([x])

    @property
    def state(self) -> bytes:
        """A copy of the state (``tinyengine.training.state`` says what it holds)."""
        return ctypes.string_at(self._library.native_state(self._index), self.program.layout.size)

    @state.setter
    def state(self, state: bytes) -> None:
        if len(state) != self.program.layout.size:
            raise DataError(
                f"the trained state has {len(state)} bytes, but this network's has {self.program.layout.size}"
            )
        ctypes.memmove(self._library.native_state(self._index), state, len(state))
        if self.program.velocities:  # those of another state mean nothing
            ctypes.memset(self._library.native_velocity(self._index), 0, self.program.velocity_bytes)

    @property
    def velocity(self) -> np.ndarray:
        """A copy of the velocities, float32, by the numbers of constants in the stream of random bits."""
        data = b""
        if self.program.velocities:
            data = ctypes.string_at(self._library.native_velocity(self._index), self.program.velocity_bytes)
        return np.frombuffer(data, np.float32).copy()

    def _check(self, label: int, classes: int | None) -> int:
        count = self.classes if classes is None else classes
        if not 0 <= label < count <= self.classes:
            raise DataError(f"label {label} of {count} classes does not fit a classifier of {self.classes} outputs")
        return count
