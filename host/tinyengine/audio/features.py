"""The audio front end on the host: the oracle of the very graph that a device runs."""

from __future__ import annotations

from dataclasses import replace

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


def levelled(form: AudioForm, sound: np.ndarray) -> tuple[AudioForm, np.ndarray]:
    """The front end of a sound whose end is known, int16: its highest sample is the level, unless the form has one.
    Quiet sound is shifted to the left as far as it goes, and its level with it."""
    if form.kind != "mfcc" or form.level or not sound.size:
        return form, sound
    level = max(int(sound.max()), 1)
    largest = int(np.abs(sound.astype(np.int32)).max())
    shift = max(15 - max(largest, level).bit_length(), 0)
    return replace(form, level=level << shift), sound << shift


def features(form: AudioForm, sound: np.ndarray, quant: Quantization = PLAIN) -> np.ndarray:
    """int16 samples to int8 (slices, values), beginning anew."""
    form, sound = levelled(form, sound)
    return Listener(form, quant).hear(sound)
