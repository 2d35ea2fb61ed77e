"""Sound as a network takes it: windows of features, or of samples where the front end is on the device."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from math import prod
from pathlib import Path

import numpy as np

from tinyengine.audio.features import Listener, levelled
from tinyengine.data.audio import AudioForm
from tinyengine.data.numbers import NamedInputs, Port, short_name
from tinyengine.data.sound import read_sound
from tinyengine.errors import DataError
from tinyengine.ir import Quantization


class Hearing:
    """What the ``audio`` of a network's MODEL.json makes of sound."""

    def __init__(self, form: AudioForm) -> None:
        self.form = form

    @property
    def rate(self) -> int:
        return self.form.rate

    def of_file(self, path: Path, ports: Sequence[Port], hop: int | None) -> list[NamedInputs]:
        """The windows of a .wav, the next one ``hop`` slices later. One that is shorter than a window ends in silence;
        of a longer one the end that makes no window is left out. DataError where it is no sound for this network."""
        sound = read_sound(path, self.rate)
        port = self._port(ports)
        lacking = self._samples(port) - len(sound)
        if lacking > 0:
            sound = np.concatenate([sound, np.zeros(lacking, np.int16)])
        form, sound = levelled(self.form, sound) if port.dtype == "int8" else (self.form, sound)
        return list(Hearing(form).of_pieces([sound], ports, hop, str(path)))

    def of_pieces(
        self, pieces: Iterable[np.ndarray], ports: Sequence[Port], hop: int | None, name: str
    ) -> Iterator[NamedInputs]:
        """The windows of sound that comes in int16 pieces, each when it is whole. DataError as :meth:`of_file`."""
        port = self._port(ports)
        windows = self._of_device(pieces, port) if port.dtype == "int16" else self._of_slices(pieces, port, hop)
        for number, (window, end) in enumerate(windows):
            seconds = end / self.rate
            yield NamedInputs(f"{name} {seconds:.2f} s", (window,), seconds, number > 0)

    def _of_slices(self, pieces: Iterable[np.ndarray], port: Port, hop: int | None) -> Iterator[tuple[np.ndarray, int]]:
        """(window of slices, samples up to its end); a window begins ``hop`` slices after the one before."""
        form = self.form
        count = form.slices_of(port.shape)
        hop = hop or count
        listener = Listener(form, Quantization((port.scale,), (port.zero_point,)))
        kept, begin, left_out = np.zeros((0, form.values), np.int8), 0, 0
        for piece in pieces:
            slices = listener.hear(piece)
            kept, left_out = np.concatenate([kept, slices[left_out:]]), max(left_out - len(slices), 0)
            while len(kept) >= count:
                yield kept[:count].reshape(port.shape), begin * form.hop + form.samples(count)
                kept, left_out, begin = kept[hop:], max(hop - len(kept), 0), begin + hop

    def _of_device(self, pieces: Iterable[np.ndarray], port: Port) -> Iterator[tuple[np.ndarray, int]]:
        """(sound, samples up to its end) for a front end on the device, which hears every slice once."""
        samples = prod(port.shape)
        step = self.form.slices(samples) * self.form.hop
        kept, begin = np.zeros(0, np.int16), 0
        for piece in pieces:
            kept = np.concatenate([kept, piece])
            while len(kept) >= samples:
                yield kept[:samples].reshape(port.shape), begin + samples
                kept, begin = kept[step:], begin + step

    def _port(self, ports: Sequence[Port]) -> Port:
        if len(ports) != 1:
            names = ", ".join(map(short_name, ports))
            raise DataError(f"sound is for a network with one input, but this one has {names}: give numbers")
        self._samples(ports[0])
        return ports[0]

    def _samples(self, port: Port) -> int:
        """Of a window. DataError where the input does not fit the front end."""
        if port.dtype == "int16":
            samples = prod(port.shape)
            if samples != self.form.samples(self.form.slices(samples)) or not self.form.slices(samples):
                raise DataError(f"the device takes {samples} samples, which are no whole slices: build it again")
            return samples
        if port.dtype != "int8":
            raise DataError(f"sound becomes int8, but the network's input is {port.dtype}: convert it to int8")
        return self.form.samples(self.form.slices_of(port.shape))
