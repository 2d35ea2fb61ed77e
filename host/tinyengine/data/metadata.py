"""What a network means: the MODEL.json beside it (``net.json`` for ``net.tflite``), a compact copy of which is compiled
into the firmware.

Fields, all optional: ``task`` (``classification``, ``regression``, ``detection``, ...), ``classes`` (names, one per
output value), ``input``, ``outputs``, ``audio``, ``boxes`` (of a detector, see ``data.boxes``). Any other is refused.

``input`` of pictures has ``mapping``, ``color`` (``rgb`` or ``luma``), ``resize`` (``bilinear``, which averages where a
picture shrinks, or ``nearest``) and ``crop`` (``none``: the whole picture whatever its proportions; ``center``: of
those of the input the largest part in its middle); of time series ``hop`` (lines, of sound slices,
from one window to the next).

``outputs`` is a list with an object for each output: ``name``, ``unit`` of its numbers (or a list, one for each), and
``values`` (what each number is called).

``audio`` says how sound becomes the input (``data/audio.py``); such a network takes no pictures.

A *mapping* says what number a pixel (0 to 255) stands for. ``pixel-128`` is the int8 value of the tensor itself;
any other gives the real value, which the tensor's scale and zero point then quantize: ``pixel``, ``pixel/255``,
``pixel/127.5-1``, in general ``pixel`` with an optional factor (``*`` or ``/`` a number) and an optional offset (``+``
or ``-`` a number); or an object ``{"scale": s, "offset": o}``, which stands for s * pixel + o.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from tinyengine.data.audio import AudioForm, parse_audio
from tinyengine.data.boxes import BoxHead, parse_boxes
from tinyengine.data.keys import check_keys, listed
from tinyengine.errors import DataError

COLORS = ("rgb", "luma")
RESIZES = ("bilinear", "nearest")
CROPS = ("none", "center")

_NUMBER = r"\d+(?:\.\d*)?(?:e[+-]?\d+)?"
_MAPPING = re.compile(rf"pixel(?:([*/])({_NUMBER}))?(?:([+-])({_NUMBER}))?")


@dataclass(frozen=True)
class PixelMapping:
    """Pixel to input value: ``scale * pixel + offset``; ``quantized`` if that is the int8 value itself, else the real
    one. ``text`` is how a MODEL.json writes it."""

    scale: float
    offset: float
    quantized: bool = False
    text: str = ""

    def to_int8(self, pixels: np.ndarray, scale: float, zero_point: int) -> np.ndarray:
        """uint8 pixels of any shape as int8 values of a tensor with this scale and zero point, saturated.

        As TFLite's QUANTIZE does it: single precision, halves rounded away from zero.
        """
        values = self.scale * np.arange(256, dtype=np.float64) + self.offset
        if not self.quantized:
            steps = values.astype(np.float32) / np.float32(scale)
            values = (np.sign(steps) * np.floor(np.abs(steps) + np.float32(0.5))).astype(np.float64) + zero_point
        table = np.clip(np.rint(values), -128, 127).astype(np.int8)
        return table[pixels]


def parse_mapping(value: Any) -> PixelMapping:
    """A mapping as a MODEL.json or an option writes it; raises DataError for anything else."""
    if isinstance(value, dict) and set(value) <= {"scale", "offset"} and "scale" in value:
        scale, offset = value["scale"], value.get("offset", 0.0)
        if all(isinstance(v, int | float) and not isinstance(v, bool) for v in (scale, offset)) and scale != 0:
            return PixelMapping(float(scale), float(offset))
    if isinstance(value, str):
        text = re.sub(r"\s+", "", value.lower())
        match = _MAPPING.fullmatch(text)
        if match and not (match[1] == "/" and float(match[2]) == 0):
            factor = float(match[2] or 1)
            scale = 1 / factor if match[1] == "/" else factor
            offset = float(match[4] or 0) * (-1 if match[3] == "-" else 1)
            return PixelMapping(scale, offset, text == "pixel-128", text)
    raise DataError(
        f"{value!r} is not an input mapping: write for example pixel-128, pixel/255 or pixel/127.5-1, "
        f'or {{"scale": 0.0078, "offset": -1}}'
    )


DEFAULT_MAPPING = parse_mapping("pixel-128")


@dataclass(frozen=True)
class OutputMeaning:
    """What an output is called, and its numbers with their units; ``units``: one for all of them, or one for each."""

    name: str = ""
    units: tuple[str, ...] = ()
    values: tuple[str, ...] = ()

    def unit(self, index: int) -> str:
        """That of the output's number ``index``; "" where it has none."""
        if len(self.units) == 1:
            return self.units[0]
        return self.units[index] if index < len(self.units) else ""

    def value(self, index: int) -> str:
        """What the output's number ``index`` is called; "" where that is not said."""
        return self.values[index] if index < len(self.values) else ""

    def to_data(self) -> dict[str, Any]:
        """As a MODEL.json has it."""
        unit: str | list[str] = self.units[0] if len(self.units) == 1 else list(self.units)
        every = {"name": self.name, "unit": unit, "values": list(self.values)}
        return {key: value for key, value in every.items() if value}


@dataclass(frozen=True)
class ModelMetadata:
    """The meaning of a network. Every field has a default, so that a network without a MODEL.json can be used."""

    task: str = "classification"
    classes: tuple[str, ...] = ()
    mapping: PixelMapping = DEFAULT_MAPPING
    color: str = "rgb"
    resize: str = "bilinear"
    crop: str = "none"
    hop: int | None = None
    outputs: tuple[OutputMeaning, ...] = ()
    audio: AudioForm | None = None
    boxes: BoxHead | None = None

    def output(self, index: int) -> OutputMeaning:
        """What is known of an output."""
        return self.outputs[index] if index < len(self.outputs) else OutputMeaning()

    def class_name(self, index: int) -> str:
        """Name of a class, or its number where there is no name."""
        return self.classes[index] if index < len(self.classes) else str(index)

    def to_json(self) -> str:
        """Compact JSON in ASCII with a fixed order of keys: the copy in the firmware."""
        m = self.mapping
        inputs: dict[str, Any] = {
            "mapping": m.text or {"scale": m.scale, "offset": m.offset},
            "color": self.color,
            "resize": self.resize,
        }
        if self.crop != "none":
            inputs["crop"] = self.crop
        if self.hop is not None:
            inputs["hop"] = self.hop
        data: dict[str, Any] = {"task": self.task, "classes": list(self.classes), "input": inputs}
        if self.outputs:
            data["outputs"] = [output.to_data() for output in self.outputs]
        if self.audio is not None:
            data["audio"] = self.audio.to_data()
        if self.boxes is not None:
            data["boxes"] = self.boxes.to_data()
        return json.dumps(data, separators=(",", ":"))

    def override(
        self,
        mapping: str | None = None,
        color: str | None = None,
        classes: tuple[str, ...] | None = None,
    ) -> ModelMetadata:
        """A copy in which whatever is not None replaces the field."""
        new = self
        if mapping is not None:
            new = replace(new, mapping=parse_mapping(mapping))
        if color is not None:
            new = replace(new, color=_choice("color", color, COLORS, "the option"))
        if classes is not None:
            new = replace(new, classes=classes)
        return new


KNOWN = ("task", "classes", "input", "outputs", "audio", "boxes")
KNOWN_OF_INPUT = ("mapping", "color", "resize", "crop", "hop")
KNOWN_OF_OUTPUT = ("name", "unit", "values")


def parse_metadata(text: str, origin: str, lenient: bool = False) -> ModelMetadata:
    """Metadata from JSON; ``origin`` says in error messages where it came from. Raises DataError, except if ``lenient``
    also for keys that we do not know."""
    try:
        data = json.loads(text)
    except json.JSONDecodeError as error:
        raise DataError(f"{origin} is not valid JSON (line {error.lineno}: {error.msg})") from error
    except (ValueError, RecursionError) as error:  # a number too long, or nested too deeply
        raise DataError(f"{origin} is not valid JSON ({error})") from error
    if not isinstance(data, dict):
        raise DataError(f"{origin} must be a JSON object with {listed(KNOWN)}")
    inputs = data.get("input", {})
    if not isinstance(inputs, dict):
        raise DataError(f'{origin}: "input" must be an object with {listed(KNOWN_OF_INPUT)}')
    if not lenient:
        check_keys(data, KNOWN, origin)
        check_keys(inputs, KNOWN_OF_INPUT, f'{origin}: "input"')
    classes = data.get("classes", [])
    if not isinstance(classes, list) or not all(isinstance(name, str) for name in classes):
        raise DataError(f'{origin}: "classes" must be a list of names')
    task = data.get("task", "classification")
    if not isinstance(task, str):
        raise DataError(f'{origin}: "task" must be a word such as classification')
    try:
        mapping = parse_mapping(inputs.get("mapping", "pixel-128"))
    except DataError as error:
        raise DataError(f"{origin}: {error}") from error
    return ModelMetadata(
        task=task,
        classes=tuple(classes),
        mapping=mapping,
        color=_choice("color", inputs.get("color", "rgb"), COLORS, origin),
        resize=_choice("resize", inputs.get("resize", "bilinear"), RESIZES, origin),
        crop=_choice("crop", inputs.get("crop", "none"), CROPS, origin),
        hop=_hop(inputs.get("hop"), origin),
        outputs=tuple(_output(output, origin, lenient) for output in _list_of(data, "outputs", origin)),
        audio=parse_audio(data["audio"], origin, lenient) if "audio" in data else None,
        boxes=parse_boxes(data["boxes"], origin, lenient) if "boxes" in data else None,
    )


def _hop(value: Any, origin: str) -> int | None:
    if value is None or (isinstance(value, int) and not isinstance(value, bool) and value > 0):
        return value
    raise DataError(f"{origin}: hop is {value!r}, but must be a number of lines, 1 or more")


def _list_of(data: dict[str, Any], key: str, origin: str) -> list[Any]:
    value = data.get(key, [])
    if not isinstance(value, list):
        raise DataError(f'{origin}: "{key}" must be a list with an object for each of the {key}')
    return value


def _output(data: Any, origin: str, lenient: bool) -> OutputMeaning:
    if not isinstance(data, dict):
        raise DataError(f"{origin}: each of the outputs must be an object with {listed(KNOWN_OF_OUTPUT)}")
    if not lenient:
        check_keys(data, KNOWN_OF_OUTPUT, f'{origin}: "outputs"')
    name, unit, values = data.get("name", ""), data.get("unit", []), data.get("values", [])
    units = [unit] if isinstance(unit, str) else unit
    for field, texts in (("name", [name]), ("unit", units), ("values", values)):
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            raise DataError(f"{origin}: {field} of an output is {data[field]!r}, but must be text, or a list of texts")
    return OutputMeaning(name, tuple(units), tuple(values))


def metadata_path(model: Path) -> Path:
    """Where the MODEL.json of a model file lies: beside it, with the suffix .json."""
    return model.with_suffix(".json")


def load_metadata(model: Path) -> ModelMetadata | None:
    """The MODEL.json beside a model file, or None where there is none. Raises DataError for a damaged one.

    An empty file is none, nor is the one that standard output goes to (``bench net.tflite --json > net.json``), nor
    what such a command has left there.
    """
    path = metadata_path(Path(model))
    if not path.is_file() or path.stat().st_size == 0 or _is_standard_output(path):
        return None
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot read {path}: {error}") from error
    return None if _is_report(text) else parse_metadata(text, str(path))


def _is_report(text: str) -> bool:
    """Whether this is what a command prints about a network with --json: it names the model and no meaning."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return isinstance(data, dict) and "model" in data and not {"task", "classes"} & set(data)


def _is_standard_output(path: Path) -> bool:
    """Whether what this process prints ends in the file ``path``."""
    try:
        return os.path.samestat(os.fstat(1), path.stat())
    except OSError:  # there is no standard output
        return False


def _choice(field: str, value: Any, allowed: tuple[str, ...], origin: str) -> str:
    if value not in allowed:
        raise DataError(f"{origin}: {field} is {value!r}, but must be {' or '.join(allowed)}")
    return value
