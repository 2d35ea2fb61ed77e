"""The audio front end on the host: the oracle of the very graph that a device runs."""

from __future__ import annotations

import numpy as np

from tinyengine.audio.front_end import PLAIN, front_end
from tinyengine.data.audio import AudioForm
from tinyengine.ir import Quantization
from tinyengine.reference import Session


class Listener:
    """Sound that comes piece by piece to slices. ``quant``: of the network's input."""

    def __init__(self, form: AudioForm, quant: Quantization = PLAIN) -> None:
        self.form = form
        self._session = Session(front_end(form, 1, quant))
        self._rest = np.zeros(0, np.int16)

    def hear(self, sound: np.ndarray) -> np.ndarray:
        """int16 samples to int8 (slices, values): the slices that are whole now. What is left counts for the next."""
        self._rest = np.concatenate([self._rest, sound.astype(np.int16, copy=False)])
        form, made = self.form, []
        for number in range(form.slices(len(self._rest))):
            begin = number * form.hop
            made.append(self._session.run([self._rest[begin : begin + form.window]])[0][0])
        self._rest = self._rest[len(made) * form.hop :]
        return np.concatenate([np.zeros((0, form.values), np.int8), *made])


def features(form: AudioForm, sound: np.ndarray, quant: Quantization = PLAIN) -> np.ndarray:
    """int16 samples to int8 (slices, values), beginning anew."""
    return Listener(form, quant).hear(sound)
