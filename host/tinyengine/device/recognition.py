"""Pictures in, answers out: a classifier on a device, and where a stream of pictures comes from."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tinyengine.data.answers import Answer, classify
from tinyengine.data.images import InputForm
from tinyengine.data.metadata import ModelMetadata
from tinyengine.data.numbers import real_values
from tinyengine.data.reader import read_all
from tinyengine.device import Device, Inference, TensorInfo
from tinyengine.device.training import DeviceTrainer
from tinyengine.errors import DataError
from tinyengine.optional import opencv

NamedPicture = tuple[str, Image.Image]
"""What a picture of a stream is called, and the picture, RGB."""

VIDEO_SUFFIXES = frozenset({".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg"})


@dataclass(frozen=True, eq=False)
class Recognition:
    """What a device said about a picture. ``answer`` is None where the network is no classifier."""

    name: str
    answer: Answer | None
    inference: Inference
    unit: str  # of inference.count
    ports: tuple[TensorInfo, ...] = ()  # of the outputs
    classes: tuple[str, ...] = ()  # what the last axis of a map of classes means
    frames_per_second: float = 0.0  # in a stream, everything included

    def report(self) -> dict[str, Any]:
        """One JSON object: the keys are a contract."""
        run, answer = self.inference, self.answer
        data: dict[str, Any] = {
            "picture": self.name,
            "answer": answer.name if answer else None,
            "index": answer.index if answer else None,
            "probability": answer.probability if answer else None,
            "probabilities": list(answer.probabilities) if answer else None,
            "device_seconds": run.device_seconds,
            "count": run.count,
            "count_unit": self.unit,
            "seconds": run.seconds,
            "wire_share": run.wire_share,
            "input_bytes": run.input_bytes,
        }
        if self.frames_per_second:
            data["frames_per_second"] = self.frames_per_second
        if answer is None:
            data["outputs"] = [values.tolist() for values in run.outputs]
            data["numbers"] = [
                {"name": port.name, "values": real.tolist()} for port, real in zip(self.ports, self.reals, strict=True)
            ]
            if shares := self.shares:
                data["shares"] = shares
        return data

    @property
    def reals(self) -> list[np.ndarray]:
        """What the outputs' values stand for, float64."""
        return [real_values(values, port) for values, port in zip(self.inference.outputs, self.ports, strict=True)]

    @property
    def shares(self) -> dict[str, float]:
        """Of a map of classes, the share of the places where each is the likeliest; empty for any other output."""
        first = self.inference.outputs[0]
        if self.answer is not None or first.ndim < 2 or first.shape[-1] != len(self.classes):
            return {}
        counts = np.bincount(first.reshape(-1, first.shape[-1]).argmax(1), minlength=len(self.classes))
        return {name: float(count) / counts.sum() for name, count in zip(self.classes, counts, strict=True)}

    def json_line(self) -> str:
        return json.dumps(self.report(), separators=(", ", ": "))


def input_form(device: Device, metadata: ModelMetadata) -> InputForm:
    """What pictures for this device look like. DataError where the network takes something else."""
    identity = device.identity
    if len(identity.inputs) != 1:
        names = ", ".join(port.name for port in identity.inputs)
        raise DataError(
            f"the network {identity.model} takes {len(identity.inputs)} inputs, pictures are for one: give an .npz "
            f"with the arrays {names}, or a .csv"
        )
    port = identity.inputs[0]
    return InputForm(port.shape, port.scale, port.zero_point, metadata)


class Recognizer:
    """A device and the meaning of its network."""

    def __init__(self, device: Device, metadata: ModelMetadata | None = None, by_rows: bool | None = None) -> None:
        """``metadata``: in place of the firmware's; names that were taught on the device count more than either."""
        self.device = device
        self.metadata = metadata or device.identity.metadata
        self._by_rows = by_rows
        self._taught: int | None = None
        if device.identity.can_train and (names := DeviceTrainer(device).info().class_names):
            self.metadata, self._taught = self.metadata.override(classes=names), len(names)

    def recognize(self, name: str, image: Image.Image) -> Recognition:
        """Run the network on one RGB picture, whatever it was given before: states begin anew."""
        self._rewind()
        return self._recognize(name, image)

    def compute(self, name: str, inputs: Sequence[np.ndarray]) -> Recognition:
        """Run the network on inputs that are no pictures, one array for each; states begin anew."""
        self._rewind()
        return self._run(name, list(inputs))

    def _rewind(self) -> None:
        if self.device.identity.has_states:
            self.device.rewind()

    def _recognize(self, name: str, image: Image.Image) -> Recognition:
        return self._run(name, [input_form(self.device, self.metadata).values(image)])

    def _run(self, name: str, inputs: list[np.ndarray]) -> Recognition:
        identity = self.device.identity
        inference = self.device.infer(inputs, by_rows=self._by_rows)
        answer = None
        out = identity.outputs[0]
        if self._classifies:
            answer = classify(inference.outputs[0], out.scale, out.zero_point, self.metadata, self._taught)
        return Recognition(name, answer, inference, identity.counter_unit, identity.outputs, self.metadata.classes)

    @property
    def _classifies(self) -> bool:
        """Whether the first output is a choice of a class: a single number without names for it is a number."""
        shape = [n for n in self.device.identity.outputs[0].shape if n != 1]
        named = bool(self.metadata.classes)
        return self.metadata.task == "classification" and (len(shape) == 1 or (not shape and named))

    def stream(self, pictures: Iterator[NamedPicture], limit: int | None = None) -> Iterator[Recognition]:
        """Recognize pictures as they come, at most ``limit``; the rate is averaged over the last ones. States begin
        anew with the first picture and go on from one to the next."""
        self._rewind()
        rate = 0.0
        last = time.monotonic()
        for number, (name, image) in enumerate(pictures, 1):
            result = self._recognize(name, image)
            now = time.monotonic()
            current = 1.0 / max(now - last, 1e-6)
            rate = current if number == 1 else rate + (current - rate) / min(number, 10)
            last = now
            yield replace(result, frames_per_second=rate)
            if number == limit:
                return


def frames(source: str) -> Iterator[NamedPicture]:
    """``camera``, ``camera:1`` (the second one), a video file, or pictures (a file, a folder, an archive)."""
    if source == "camera" or source.startswith("camera:"):
        number = source.partition(":")[2] or "0"
        if not number.isdigit():
            raise DataError(f"'{source}' names no camera: write camera, or camera:1 for the second one")
        return _captured(int(number), f"camera {number}")
    path = Path(source)
    if path.suffix.lower() in VIDEO_SUFFIXES and path.is_file():
        return _captured(str(path), path.name)
    return ((picture.name, picture.rgb()) for picture in read_all([path]))


def _captured(what: int | str, name: str) -> Iterator[NamedPicture]:
    """Pictures that OpenCV captures; it is opened here and now, so that what is wrong shows before the rest starts."""
    cv2 = opencv("use a camera or a video")
    capture = cv2.VideoCapture(what)
    if not capture.isOpened():
        capture.release()
        way = "is it connected, and may this program use it?" if isinstance(what, int) else "is it a video?"
        raise DataError(f"{name} cannot be opened: {way}")
    if isinstance(what, int):
        capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)  # a slow device shall see now, not some seconds ago
    return _captured_frames(capture, name)


def _captured_frames(capture: Any, name: str) -> Iterator[NamedPicture]:
    """``capture`` is a cv2.VideoCapture, released at the end."""
    try:
        number = 0
        while True:
            good, pixels = capture.read()
            if not good:
                if number == 0:
                    raise DataError(f"{name} gives no pictures: is another program using it?")
                return
            number += 1
            yield f"{name} #{number}", Image.fromarray(pixels[:, :, ::-1].copy())  # OpenCV's order is BGR
    finally:
        capture.release()
