"""MODEL.json: mappings, parsing, overrides, the copy in the firmware."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from tinyengine.data.metadata import ModelMetadata, load_metadata, parse_mapping, parse_metadata
from tinyengine.errors import DataError
from tinyengine.ir import Quantization
from tinyengine.ir.ports import quantize_array

PIXELS = np.arange(256, dtype=np.uint8)


@pytest.mark.parametrize(
    ("text", "scale", "offset"),
    [
        ("pixel", 1.0, 0.0),
        ("pixel/255", 1 / 255, 0.0),
        ("Pixel / 127.5 - 1", 1 / 127.5, -1.0),
        ("pixel*0.0078125-1", 0.0078125, -1.0),
        ("pixel/128+0.5", 1 / 128, 0.5),
        ({"scale": 0.5, "offset": -3}, 0.5, -3.0),
        ({"scale": 2}, 2.0, 0.0),
    ],
)
def test_mappings(text: object, scale: float, offset: float) -> None:
    mapping = parse_mapping(text)
    assert (mapping.scale, mapping.offset, mapping.quantized) == (scale, offset, False)


BAD_TEXTS = ["", "pixle-128", "pixel/0", "pixel-", "128-pixel", "pixel--1"]
BAD_VALUES = [3, None, {"offset": 1}, {"scale": 0}, {"scale": "1"}, {"scale": True}]


@pytest.mark.parametrize("bad", [*BAD_TEXTS, *BAD_VALUES])
def test_bad_mappings(bad: object) -> None:
    with pytest.raises(DataError, match=r"pixel/127\.5-1") as error:
        parse_mapping(bad)
    assert "\n" not in str(error.value)


def test_pixel_minus_128_is_the_tensor_itself() -> None:
    for scale, zero in ((1 / 127.5, -1), (1.0, 0), (0.02, 7)):
        values = parse_mapping("pixel-128").to_int8(PIXELS, scale, zero)
        np.testing.assert_array_equal(values.astype(int), np.arange(-128, 128))


@pytest.mark.parametrize("text", ["pixel", "pixel/255", "pixel/127.5-1", "pixel*0.017-2.1"])
@pytest.mark.parametrize(("scale", "zero"), [(1 / 255, -128), (1 / 127.5, -1), (0.0186584, -14), (0.5, 0)])
def test_real_values_are_quantized_as_tflite_does(text: str, scale: float, zero: int) -> None:
    mapping = parse_mapping(text)
    real = mapping.scale * PIXELS.astype(np.float64) + mapping.offset
    expected = quantize_array(real.astype(np.float32), Quantization((scale,), (zero,)))
    got = mapping.to_int8(PIXELS, scale, zero)
    # In float32, TFLite's precision, a value on the verge may round to the neighbour.
    assert np.abs(got.astype(int) - expected.astype(int)).max() <= 1
    assert (got != expected).mean() < 0.02


def test_the_copy_in_the_firmware_says_the_same() -> None:
    for mapping in ("pixel-128", "pixel/127.5-1", {"scale": 0.25, "offset": 1.0}):
        metadata = ModelMetadata("classification", ("ä", 'quo"te'), parse_mapping(mapping), "luma")
        text = metadata.to_json()
        assert text.isascii() and " " not in text
        assert parse_metadata(text, "x") == metadata


def test_crop_and_resize_in_the_firmware() -> None:
    """A picture's whole way is part of a network's identity; what everybody had before has kept its own."""
    assert "crop" not in ModelMetadata().to_json()
    for crop, resize in (("center", "bilinear"), ("none", "nearest"), ("center", "nearest")):
        metadata = ModelMetadata(resize=resize, crop=crop)
        assert parse_metadata(metadata.to_json(), "x") == metadata
    for wrong in ('{"input": {"crop": "centre"}}', '{"input": {"resize": "area"}}'):
        with pytest.raises(DataError, match="but must be"):
            parse_metadata(wrong, "x")


def test_what_outputs_stand_for() -> None:
    text = json.dumps(
        {
            "task": "regression",
            "input": {"hop": 16},
            "outputs": [
                {"name": "air", "values": ["temperature", "humidity"], "unit": ["°C", "%"]},
                {"unit": "mm"},
                {},
            ],
        }
    )
    found = parse_metadata(text, "x")
    air, rain, third = (found.output(k) for k in range(3))
    assert (air.name, air.value(1), air.unit(0), air.unit(1), air.unit(2)) == ("air", "humidity", "°C", "%", "")
    assert (rain.value(0), rain.unit(0), rain.unit(7)) == ("", "mm", "mm")
    assert third == found.output(3)
    assert found.hop == 16
    copy = found.to_json()
    assert copy.isascii() and parse_metadata(copy, "x") == found


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"clases": ["a"]}', ("'clases'", "task, classes, input, outputs", "do you mean 'classes'?")),
        ('{"Classes": ["a"]}', ("do you mean 'classes'?",)),
        ('{"input": {"colour": "rgb"}}', ('"input"', "mapping, color, resize, crop and hop", "do you mean 'color'?")),
        ('{"mean": 0.5, "task": "x"}', ("'mean'", ": remove it")),
        ('{"outputs": [{"units": "m"}]}', ('"outputs"', "do you mean 'unit'?")),
    ],
)
def test_keys_that_nobody_reads_are_refused(tmp_path: Path, text: str, words: tuple[str, ...]) -> None:
    (tmp_path / "net.json").write_text(text)
    with pytest.raises(DataError) as told:
        load_metadata(tmp_path / "net.tflite")
    assert all(word in str(told.value) for word in ("net.json", *words))
    assert parse_metadata(text, "the firmware", lenient=True), "a later version may have written it"


def test_the_way_out_of_a_key_that_nobody_reads_works() -> None:
    data = {"clases": ["a", "b"]}
    with pytest.raises(DataError) as told:
        parse_metadata(json.dumps(data), "x")
    meant = re.search(r"do you mean '(\w+)'", str(told.value))
    assert meant is not None
    assert parse_metadata(json.dumps({meant[1]: data["clases"]}), "x").classes == ("a", "b")


def test_a_network_without_metadata_is_a_classifier() -> None:
    metadata = parse_metadata("{}", "x")
    assert metadata == ModelMetadata()
    assert metadata.class_name(3) == "3"


def test_override() -> None:
    base = ModelMetadata(classes=("a", "b"))
    assert base.override() == base
    changed = base.override(mapping="pixel/255", color="luma", classes=("c",))
    assert (changed.mapping.text, changed.color, changed.classes) == ("pixel/255", "luma", ("c",))
    with pytest.raises(DataError, match="rgb or luma"):
        base.override(color="cmyk")


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("{", "not valid JSON"),
        ("[" * 100_000, "not valid JSON"),
        ('{"input": {"hop": ' + "1" * 5000 + "}}", "not valid JSON"),
        ("[]", "JSON object"),
        ('{"classes": "person"}', "list of names"),
        ('{"classes": [1]}', "list of names"),
        ('{"task": 5}', "task"),
        ('{"input": 5}', "input"),
        ('{"input": {"mapping": "pixels"}}', "input mapping"),
        ('{"input": {"color": "bgr"}}', "color"),
        ('{"input": {"resize": "crop"}}', "resize"),
        ('{"input": {"hop": 0}}', "number of lines"),
        ('{"input": {"hop": true}}', "number of lines"),
        ('{"outputs": {}}', "list"),
        ('{"outputs": ["m"]}', "name, unit and values"),
        ('{"outputs": [{"unit": 1}]}', "unit"),
        ('{"outputs": [{"values": "m"}]}', "values"),
    ],
)
def test_damaged_metadata(tmp_path: Path, text: str, word: str) -> None:
    (tmp_path / "net.json").write_text(text)
    with pytest.raises(DataError, match=word) as error:
        load_metadata(tmp_path / "net.tflite")
    assert "net.json" in str(error.value) and "\n" not in str(error.value)


def test_beside_the_model(tmp_path: Path) -> None:
    assert load_metadata(tmp_path / "net.tflite") is None
    (tmp_path / "net.json").write_text(json.dumps({"classes": ["no", "yes"]}))
    found = load_metadata(tmp_path / "net.tflite")
    assert found is not None and found.classes == ("no", "yes")
