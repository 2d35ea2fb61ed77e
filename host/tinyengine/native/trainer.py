"""Training natively: the generated step in this process, with the device's exact arithmetic."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import astuple
from itertools import pairwise

import numpy as np

from tinyengine.compiler import CompiledModel
from tinyengine.errors import DataError
from tinyengine.native.build import NativeModel, build
from tinyengine.step import TEXT_BYTES, Outcome, Sample, TextOutcome, Update


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
        number, real = ctypes.c_uint32, ctypes.c_float
        sample = (number, number, number)  # index of the network, label, classes
        update = (real, number, number, real, number, number)
        library.native_step.restype = library.native_evaluate.restype = real
        library.native_step.argtypes = [*sample, *update, ctypes.POINTER(number)]
        library.native_evaluate.argtypes = [*sample, ctypes.POINTER(number)]
        library.native_segment.restype = real
        learn = (number, ctypes.c_void_p, number, ctypes.c_int)  # index of the network, tokens, how many, whether
        library.native_segment.argtypes = [*learn, *update, ctypes.POINTER(number)]
        self._library = library
        self.classes = self.program.classes
        self.reset()

    def reset(self) -> None:
        """Back to the factory state."""
        self._library.native_factory(self._index)

    def step(self, x: np.ndarray, sample: Sample, update: Update) -> Outcome:
        """Train on one int8 input. DataError where ``update`` needs velocities and there are none."""
        self._check(sample)
        self._check_update(update)
        self.model.feed([x])
        predicted = ctypes.c_uint32()
        loss = self._library.native_step(self._index, *astuple(sample), *astuple(update), ctypes.byref(predicted))
        return Outcome(loss, predicted.value)

    def evaluate(self, x: np.ndarray, sample: Sample) -> Outcome:
        """Judge one int8 input without changing anything."""
        self._check(sample)
        self.model.feed([x])
        predicted = ctypes.c_uint32()
        loss = self._library.native_evaluate(self._index, *astuple(sample), ctypes.byref(predicted))
        return Outcome(loss, predicted.value)

    def segment(self, tokens: Sequence[int], update: Update | None = None) -> Outcome:
        """Train a language model on ``tokens``, each of which is to foretell the next one, or judge it by them. The
        outcome: the mean loss, and what it takes the last one for. DataError for more than a segment."""
        if not 1 < len(tokens) <= self.program.segment + 1:
            raise DataError(f"{len(tokens)} tokens are no segment of 2 to {self.program.segment + 1}")
        if update is not None:
            self._check_update(update)
        held = np.ascontiguousarray(tokens, np.uint16)
        predicted = ctypes.c_uint32()
        how = astuple(update or Update(0.0))
        loss = self._library.native_segment(
            self._index, held.ctypes.data, len(held) - 1, int(update is not None), *how, ctypes.byref(predicted)
        )
        return Outcome(loss, predicted.value)

    def learn(self, text: bytes, update: Update | None) -> TextOutcome:
        """As the firmware does it: see ``DeviceTrainer.learn``."""
        text = text[:TEXT_BYTES]
        held = (ctypes.c_uint16 * (len(text) + 2))()
        count = int(self._library.native_encode(self._index, text, len(text), held))
        tokens = list(held[: min(count, self.program.segment + 1)])
        tokenizer = self.program.network.tokenizer
        assert tokenizer is not None
        taken = sum(len(tokenizer.piece(token, before)) for before, token in pairwise(tokens))
        return TextOutcome(self.segment(tokens, update).loss, len(tokens) - 1, taken)

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

    def return_to(self, state: bytes, steps: int) -> None:
        """Take a state from before; see ``finetune.session.Learner``."""
        self.state = state

    def _check_update(self, update: Update) -> None:
        if update.needs_velocities and not self.program.velocities:
            raise DataError("momentum and batches need a velocity per trained constant: compile with velocity=True")
        if not 0 <= update.sample < update.batch <= 0xFFFF:
            raise DataError(f"sample {update.sample} does not exist in a batch of {update.batch}")

    def _check(self, sample: Sample) -> None:
        if not 0 <= sample.label < sample.classes <= self.classes:
            raise DataError(
                f"label {sample.label} of {sample.classes} classes does not fit a classifier of {self.classes} outputs"
            )
