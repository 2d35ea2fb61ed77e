"""A device as the learner of a session (``native.NativeTrainer`` is one too)."""

from __future__ import annotations

import numpy as np

from tinyengine.device.training import DeviceTrainer, TrainingInfo
from tinyengine.errors import DeviceError
from tinyengine.step import Outcome, Sample, TextOutcome, Update


class DeviceLearner:
    """A device that trains. ``info``: what it was when the session began."""

    def __init__(self, trainer: DeviceTrainer) -> None:
        self.trainer = trainer
        self.info: TrainingInfo = trainer.info()
        if not self.info.complete:
            raise DeviceError(
                "the device's trained weights are incomplete, because a push did not end: push again, or use "
                "'tinyengine restore' or 'tinyengine reset'"
            )
        self._steps = self.info.steps

    def step(self, values: np.ndarray, sample: Sample, update: Update) -> Outcome:
        """One step; DeviceError if the device has counted another number of steps than we."""
        result = self.trainer.step(values, sample, update)
        if update.sample + 1 == update.batch:  # it counts steps that the weights have taken
            self._steps += update.batch
        if result.steps != self._steps:
            raise DeviceError(
                f"the device counts {result.steps} training steps instead of {self._steps}: another program uses it"
            )
        return result

    def learn(self, text: bytes, update: Update | None) -> TextOutcome:
        """A step on text, or what it would find out."""
        return self.trainer.learn(text, update)

    def evaluate(self, values: np.ndarray, sample: Sample) -> Outcome:
        return self.trainer.evaluate(values, sample)

    @property
    def state(self) -> bytes:
        return self.trainer.read_state()

    def return_to(self, state: bytes, steps: int) -> None:
        self._steps = self.info.steps + steps
        self.trainer.write_state(state, self.info.layout, self._steps, self.trainer.info().class_names)
