"""Pictures and numbers in, answers out: what a network on a device makes of them."""

from __future__ import annotations

import itertools
import json
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
from PIL import Image

from tinyengine.data.answers import Answer, classify, holds_probabilities
from tinyengine.data.box_plan import plan_boxes, planned_boxes
from tinyengine.data.boxes import Box, find_boxes
from tinyengine.data.images import InputForm
from tinyengine.data.metadata import ModelMetadata, OutputMeaning
from tinyengine.data.numbers import NamedInputs, real_values, short_name
from tinyengine.device import Device, Inference, TensorInfo
from tinyengine.device.sources import Item
from tinyengine.device.training import DeviceTrainer
from tinyengine.errors import DataError


@dataclass(frozen=True, eq=False)
class Recognition:
    """What a device said about a picture. ``answer`` is None where the network is no classifier, ``boxes`` where it is
    no detector."""

    name: str
    answer: Answer | None
    inference: Inference
    unit: str  # of inference.count
    ports: tuple[TensorInfo, ...] = ()  # of the outputs
    metadata: ModelMetadata = field(default_factory=ModelMetadata)
    frames_per_second: float = 0.0  # in a stream, everything included
    boxes: tuple[Box, ...] | None = None
    ends_at: float | None = None  # of sound, in seconds from its beginning
    picture: Image.Image | None = None  # that it is about, where it was asked for

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
        if self.ends_at is not None:
            data["ends_at"] = self.ends_at
        if self.frames_per_second:
            data["frames_per_second"] = self.frames_per_second
        if self.boxes is not None:
            data["boxes"] = [{"class": self.metadata.class_name(box.index)} | asdict(box) for box in self.boxes]
        elif answer is None:
            data["outputs"] = [values.tolist() for values in run.outputs]
            data["numbers"] = [
                _of_output(self.output(k), port, real)
                for k, (port, real) in enumerate(zip(self.ports, self.reals, strict=True))
            ]
            if shares := self.shares:
                data["shares"] = shares
        return data

    def output(self, index: int) -> OutputMeaning:
        """What is known of an output."""
        return self.metadata.output(index)

    @property
    def reals(self) -> list[np.ndarray]:
        """What the outputs' values stand for, float64."""
        return [real_values(values, port) for values, port in zip(self.inference.outputs, self.ports, strict=True)]

    @property
    def shares(self) -> dict[str, float]:
        """Of a map of classes, the share of the places where each is the likeliest; empty for any other output."""
        first, classes = self.inference.outputs[0], self.metadata.classes
        if self.answer is not None or first.ndim < 2 or first.shape[-1] != len(classes):
            return {}
        counts = np.bincount(first.reshape(-1, first.shape[-1]).argmax(1), minlength=len(classes))
        return {name: float(count) / counts.sum() for name, count in zip(classes, counts, strict=True)}

    def json_line(self) -> str:
        return json.dumps(self.report(), separators=(", ", ": "))


def input_form(device: Device, metadata: ModelMetadata) -> InputForm:
    """What pictures for this device look like. DataError where the network takes something else."""
    identity = device.identity
    if len(identity.inputs) != 1:
        names = ", ".join(map(short_name, identity.inputs))
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

    def take(self, sample: NamedInputs) -> Recognition:
        """Run the network on a sample; states begin anew, unless it goes on with the sound of the one before."""
        if not sample.goes_on:
            self._rewind()
        return self._take(sample)

    def _take(self, sample: NamedInputs) -> Recognition:
        return replace(self._run(sample.name, list(sample.arrays)), ends_at=sample.ends_at)

    def _rewind(self) -> None:
        if self.device.identity.has_states:
            self.device.rewind()

    @property
    def detects(self) -> bool:
        """Whether the network finds boxes."""
        return self.metadata.boxes is not None and self.metadata.task == "detection"

    def _recognize(self, name: str, image: Image.Image) -> Recognition:
        form = input_form(self.device, self.metadata)
        found = self._run(name, [form.values(image)])
        if not found.boxes:
            return found
        part = form.part(image.size)
        return replace(found, boxes=tuple(box.within(part, image.size) for box in found.boxes))

    def _run(self, name: str, inputs: list[np.ndarray]) -> Recognition:
        inference = self.device.infer(inputs, by_rows=self._by_rows, boxes=self._on_device)
        return self._understood(name, inference)

    def _understood(self, name: str, inference: Inference) -> Recognition:
        identity = self.device.identity
        answer = None
        out = identity.outputs[0]
        if self.classifies:
            answer = classify(inference.outputs[0], out.scale, out.zero_point, self.metadata, self._taught)
        found = Recognition(name, answer, inference, identity.counter_unit, identity.outputs, self.metadata)
        head = self.metadata.boxes
        if head is None or not self.detects:
            return found
        if inference.boxes is not None:
            return replace(found, boxes=inference.boxes)
        rows, columns, *_ = (*identity.inputs[0].shape, 1, 1)
        plan = plan_boxes(identity.outputs, head, (rows, columns), len(self.metadata.classes))
        if plan is not None:
            boxes = planned_boxes(plan, inference.outputs)
        else:
            boxes = find_boxes(found.reals, head, (rows, columns), len(self.metadata.classes))
        return replace(found, boxes=tuple(boxes))

    @property
    def _on_device(self) -> bool:
        """Whether the device finds the boxes: as its own metadata say, so these must be what counts."""
        own, mine = self.device.identity.metadata, self.metadata
        same = own.boxes == mine.boxes and len(own.classes) == len(mine.classes)
        return self.device.identity.finds_boxes and same and self.detects

    @property
    def classifies(self) -> bool:
        """Whether the first output is a choice of a class.

        One that has no names for its numbers is, where they are probabilities, or the input is a picture; a single
        number, or one per place, is none.
        """
        if self.metadata.task != "classification":
            return False
        identity, names = self.device.identity, self.metadata.classes
        out, count = identity.outputs[0], math.prod(identity.outputs[0].shape)
        if names:
            return len(names) == count or out.shape[-1:] in ((count,), ())
        picture = len(identity.inputs) == 1 and len(identity.inputs[0].shape) == 3
        return 1 < count == out.shape[-1] and (picture or holds_probabilities(out.scale, out.zero_point, out.dtype))

    def stream(self, items: Iterator[Item], limit: int | None = None, pictures: bool = False) -> Iterator[Recognition]:
        """Compute with pictures or numbers as they come, at most ``limit``; the rate is averaged over the last ones.
        States begin anew with the first one and go on from one to the next. ``pictures``: keep each beside what was
        found in it."""
        self._rewind()

        def found(item: Item) -> Recognition:
            if isinstance(item, NamedInputs):
                return self._take(item)
            result = self._recognize(*item)
            return replace(result, picture=item[1]) if pictures else result

        return _with_rate(map(found, items), limit)

    def watch(self, limit: int | None = None, pictures: bool = False) -> Iterator[Recognition]:
        """As :meth:`stream`, of what the board's own camera sees; ``pictures``: of each also the picture. How pixels
        become its input the firmware knows, whatever the metadata say."""
        form = input_form(self.device, self.device.identity.metadata)
        self._rewind()

        def look(number: int) -> Recognition:
            sight = self.device.look(pictures, boxes=self._on_device)
            picture = None if sight.picture is None else form.picture(sight.picture)
            return replace(self._understood(f"board #{number}", sight.inference), picture=picture)

        return _with_rate(map(look, itertools.count(1)), limit)


def _with_rate(results: Iterator[Recognition], limit: int | None) -> Iterator[Recognition]:
    rate = 0.0
    last = time.monotonic()
    for number, result in enumerate(results, 1):
        now = time.monotonic()
        current = 1.0 / max(now - last, 1e-6)
        rate = current if number == 1 else rate + (current - rate) / min(number, 10)
        last = now
        yield replace(result, frames_per_second=rate)
        if number == limit:
            return


def _of_output(meaning: OutputMeaning, port: TensorInfo, real: np.ndarray) -> dict[str, Any]:
    """For a report. ``names``: what each value is called."""
    data: dict[str, Any] = {"name": meaning.name or port.name, "values": real.tolist()}
    known = meaning.to_data()
    if "unit" in known:
        data["unit"] = known["unit"]
    if "values" in known:
        data["names"] = known["values"]
    return data
