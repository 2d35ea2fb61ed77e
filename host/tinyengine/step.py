"""Input and result of a training step. A device computes it, its generated code in this process, or the oracle.

``Sample`` and ``Update`` are te_train_sample and te_train_update of te_train.h, ``Outcome`` is te_train_result.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

TEXT_BYTES = 400
"""Of a text, more than a step looks at (firmware/src/training.c)."""


@dataclass(frozen=True)
class Sample:
    """What the input of a step is: the true class ``label``, of the first ``classes`` outputs of the classifier."""

    label: int
    classes: int


@dataclass(frozen=True)
class Update:
    """How the trained constants change. Random bits follow from (seed, step); ``step`` numbers the steps.

    With velocities: ``sample`` is the input's number in its ``batch``, after whose last sample the constants change;
    with sample 0, ``momentum`` says what is kept of the velocities (0: nothing).
    """

    rate: float
    seed: int = 0
    step: int = 0
    momentum: float = 0.0
    batch: int = 1
    sample: int = 0

    @property
    def needs_velocities(self) -> bool:
        """Whether a network without them cannot do this."""
        return bool(self.momentum) or self.batch != 1 or self.sample != 0

    def pack(self) -> bytes:
        """The bytes of a te_train_update in a device's memory; the first 12 are all that counts without velocities."""
        seed, step = self.seed & 0xFFFFFFFF, self.step & 0xFFFFFFFF
        return struct.pack("<f2If2H", self.rate, seed, step, self.momentum, self.batch, self.sample)


@dataclass(frozen=True)
class TextOutcome:
    """Of a segment of text: ``loss`` in nats per token, before the update; ``tokens`` that were to be foretold;
    ``taken``: bytes of the text that they are; ``count``: counter ticks of a device."""

    loss: float
    tokens: int
    taken: int
    count: int = 0


@dataclass(frozen=True)
class Outcome:
    """``loss``: cross-entropy in nats, before the update; ``predicted``: the class with the largest logit, too."""

    loss: float
    predicted: int
