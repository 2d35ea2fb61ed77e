"""``tinyengine convert``: Keras, SavedModel and float .tflite to int8, the report, and what cannot be converted."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from tinyengine.convert import ConvertOptions, convert
from tinyengine.errors import DataError, ModelError, TinyEngineError
from tinyengine.frontend.tflite import load_tflite
from tinyengine.ir import Graph
from tinyengine.optional import tensorflow
from tinyengine.reference import run
from tinyengine.zoo.random_weights import random_samples, randomize


@pytest.fixture(scope="module")
def keras() -> Any:
    return tensorflow("test the converter").keras


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """12 random pictures in the class folders ``left`` and ``right``."""
    folder = tmp_path_factory.mktemp("photos")
    values = random_samples((30, 40, 3), 12, np.random.default_rng(7))
    for k, value in enumerate(((values + 1) * 127.5).astype(np.uint8)):
        target = folder / ("left" if k % 2 else "right") / f"{k}.png"
        target.parent.mkdir(exist_ok=True)
        Image.fromarray(value).save(target)
    return folder


@pytest.fixture(scope="module")
def model(keras: Any) -> Any:
    """A small network with everything that gets folded: batch normalization, ReLU6, a residual."""
    i = keras.Input((24, 32, 3))
    x = keras.layers.Conv2D(8, 3, 2, "same", use_bias=False, name="first")(i)
    x = y = keras.layers.ReLU(6.0)(keras.layers.BatchNormalization()(x))
    x = keras.layers.DepthwiseConv2D(3, padding="same", use_bias=False)(x)
    x = keras.layers.ReLU(6.0)(keras.layers.BatchNormalization()(x))
    x = keras.layers.BatchNormalization()(keras.layers.Conv2D(8, 1, use_bias=False)(x))
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.Add()([x, y]))
    built = keras.Model(i, keras.layers.Softmax()(keras.layers.Dense(2)(x)))
    rng = np.random.default_rng(1)
    randomize(built, random_samples((24, 32, 3), 16, rng), rng)
    return built


def options(model: Path, calibrate: Path, out: Path, **more: Any) -> ConvertOptions:
    return ConvertOptions(model, calibrate, out, **{"samples": 12, "layer_samples": 4, **more})


def test_a_keras_model_becomes_int8_and_the_report_says_what_it_cost(model: Any, photos: Path, tmp_path: Path) -> None:
    model.save(tmp_path / "net.keras")
    result = convert(options(tmp_path / "net.keras", photos, tmp_path / "net.tflite"))
    assert result.unfolded == []
    assert result.operators["CONV_2D"] == 2
    assert result.operators["DEPTHWISE_CONV_2D"] == 1
    measured = result.measurement
    assert measured.samples == 12
    assert measured.outputs[0].db > 25
    assert measured.outputs[0].max_abs < 0.1
    # a layer's own error is rounding to 8 bit: around 1 %
    assert {layer.op for layer in measured.layers} >= {"CONV_2D", "DEPTHWISE_CONV_2D", "ADD", "FULLY_CONNECTED"}
    assert all(25 < layer.own_db < 80 for layer in measured.layers if layer.op != "RESHAPE")
    assert len(result.worst) == 3
    assert json.loads((tmp_path / "net.json").read_text())["classes"] == ["left", "right"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["net.json", "net.keras", "net.tflite"]


def test_accuracy_and_agreement_are_those_of_the_written_file(model: Any, photos: Path, tmp_path: Path) -> None:
    from tinyengine.convert.calibration import load_calibration
    from tinyengine.data.metadata import parse_mapping
    from tinyengine.reference import run

    model.save(tmp_path / "net.keras")
    result = convert(options(tmp_path / "net.keras", photos, tmp_path / "net.tflite"))
    calibration = load_calibration(photos, (24, 32, 3), parse_mapping("pixel/127.5-1"), 12).samples
    graph = load_tflite(tmp_path / "net.tflite")
    tensor = graph.tensor(graph.inputs[0].tensor)
    int8 = []
    for value in calibration.values:
        inside = np.rint(value[None] / tensor.scale) + tensor.zero_point
        int8.append(run(graph, [inside.clip(-128, 127).astype(np.int8)])[0].argmax())
    floats = model(calibration.values, training=False).numpy().argmax(axis=1)
    labels = calibration.labels
    assert result.measurement.float_accuracy == pytest.approx(100 * np.mean(floats == labels))
    assert result.measurement.int8_accuracy == pytest.approx(100 * np.mean(np.array(int8) == labels))
    assert result.measurement.agreement == pytest.approx(100 * np.mean(np.array(int8) == floats))


def test_the_mapping_pixel_over_128_gives_pixel_minus_128(model: Any, photos: Path, tmp_path: Path) -> None:
    model.save(tmp_path / "net.keras")
    convert(options(tmp_path / "net.keras", photos, tmp_path / "net.tflite", mapping="pixel/128-1"))
    assert json.loads((tmp_path / "net.json").read_text())["input"]["mapping"] == "pixel-128"
    port = load_tflite(tmp_path / "net.tflite").inputs[0]
    assert (port.quant.scale, port.quant.zero_point) == ((1 / 128,), (0,))


def test_a_saved_model_converts_to_the_same_network(model: Any, photos: Path, tmp_path: Path) -> None:
    model.save(tmp_path / "net.keras")
    model.export(tmp_path / "saved", verbose=False)
    one = convert(options(tmp_path / "net.keras", photos, tmp_path / "one.tflite"))
    two = convert(options(tmp_path / "saved", photos, tmp_path / "two.tflite"))
    assert one.operators == two.operators
    assert one.measurement.outputs[0].max_abs == pytest.approx(two.measurement.outputs[0].max_abs, abs=1e-6)
    assert [layer.own_db for layer in one.worst] == pytest.approx([layer.own_db for layer in two.worst], abs=1e-3)


def test_the_layer_that_quantizes_badly_is_named(keras: Any, photos: Path, tmp_path: Path) -> None:
    i = keras.Input((16, 16, 3))
    x = keras.layers.Conv2D(8, 3, name="good")(i)
    x = keras.layers.Conv2D(8, 1, name="wild")(x)
    x = keras.layers.Conv2D(8, 1, name="after")(x)
    built = keras.Model(i, keras.layers.MaxPooling2D()(x))
    rng = np.random.default_rng(2)
    randomize(built, random_samples((16, 16, 3), 8, rng), rng)
    # one channel of "wild" is huge and ignored afterwards: it spoils the scale for the channels that matter
    kernel, bias = built.get_layer("wild").get_weights()
    kernel[..., 0] *= 300
    built.get_layer("wild").set_weights([kernel, bias])
    kernel, bias = built.get_layer("after").get_weights()
    kernel[:, :, 0, :] = 0
    built.get_layer("after").set_weights([kernel, bias])
    built.save(tmp_path / "net.keras")
    result = convert(options(tmp_path / "net.keras", photos, tmp_path / "net.tflite"))
    assert "after" in result.worst[0].origin
    assert result.worst[0].own_db + 15 < result.worst[1].own_db


def test_normalization_that_cannot_be_folded_is_reported(keras: Any, photos: Path, tmp_path: Path) -> None:
    i = keras.Input((16, 16, 3))
    x = keras.layers.Conv2D(4, 3, padding="same")(i)
    x = keras.layers.BatchNormalization()(keras.layers.Add()([x, keras.layers.Conv2D(4, 1)(i)]))
    built = keras.Model(i, x)
    rng = np.random.default_rng(2)
    randomize(built, random_samples((16, 16, 3), 8, rng), rng)
    built.save(tmp_path / "net.keras")
    result = convert(options(tmp_path / "net.keras", photos, tmp_path / "net.tflite"))
    assert len(result.unfolded) == 2  # a factor and an offset


def test_other_inputs_than_pictures_calibrate_with_an_array(keras: Any, tmp_path: Path) -> None:
    i = keras.Input((20,))
    keras.Model(i, keras.layers.Dense(4)(keras.layers.Dense(8, activation="relu")(i))).save(tmp_path / "net.keras")
    np.save(tmp_path / "x.npy", np.random.default_rng(0).normal(size=(30, 20)).astype(np.float32))
    np.save(tmp_path / "wrong.npy", np.zeros((30, 21), np.float32))
    result = convert(options(tmp_path / "net.keras", tmp_path / "x.npy", tmp_path / "net.tflite"))
    assert result.measurement.outputs[0].db > 20
    assert not (tmp_path / "net.json").exists()  # its input is no picture: there is nothing to describe
    with pytest.raises(DataError, match=r"float32 30x21, but the network's input input is 20"):
        convert(options(tmp_path / "net.keras", tmp_path / "wrong.npy", tmp_path / "other.tflite"))
    x, names = np.load(tmp_path / "x.npy"), ["low", "middle", "high", "none"]
    for y, task, classes in ((np.arange(30) % 4, "classification", names), (x[:, :4] + 0.5, "regression", [])):
        np.savez(tmp_path / "x.npz", x=x, y=y, class_names=names)
        convert(options(tmp_path / "net.keras", tmp_path / "x.npz", tmp_path / "net.tflite"))
        written = json.loads((tmp_path / "net.json").read_text())
        assert (written["task"], written["classes"]) == (task, classes)


def dynamic(keras: Any) -> Any:
    i = keras.Input((None, None, 3))
    return keras.Model(i, keras.layers.Conv2D(4, 3)(i))


def half(keras: Any) -> Any:
    i = keras.Input((16, 16, 3))
    return keras.Model(i, keras.layers.Conv2D(4, 3, dtype="mixed_float16")(i))


def two_inputs(keras: Any) -> Any:
    i, j = keras.Input((16, 16, 3)), keras.Input((16, 16, 3))
    return keras.Model([i, j], keras.layers.Add()([i, j]))


@pytest.mark.parametrize(
    ("build", "sentence"),
    [(dynamic, "dynamic shape [?]x[?]x3"), (half, "computes in float16"), (two_inputs, "has 2 inputs")],
)
def test_models_that_cannot_be_quantized(
    keras: Any, photos: Path, tmp_path: Path, build: Callable[[Any], Any], sentence: str
) -> None:
    build(keras).save(tmp_path / "net.keras")
    with pytest.raises(ModelError, match=sentence):
        convert(options(tmp_path / "net.keras", photos, tmp_path / "net.tflite"))
    assert [path.name for path in tmp_path.iterdir()] == ["net.keras"]


@pytest.mark.parametrize("weights", ["float32", "float16", "dynamic range"])
def test_a_float_tflite_is_quantized_as_its_keras_model(model: Any, photos: Path, tmp_path: Path, weights: str) -> None:
    tf = tensorflow("test the converter")
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    if weights != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if weights == "float16":
        converter.target_spec.supported_types = [tf.float16]
    model.save(tmp_path / "net.keras")
    (tmp_path / "net.tflite").write_bytes(converter.convert())
    expected = convert(options(tmp_path / "net.keras", photos, tmp_path / "keras.tflite"))
    result = convert(options(tmp_path / "net.tflite", photos, tmp_path / "out.tflite", correct_bias=True))
    assert result.operators == expected.operators and result.corrected >= 2
    assert result.measurement.outputs[0].db > 25 and result.measurement.agreement is not None
    compared = compare_inputs(load_tflite(tmp_path / "keras.tflite"), load_tflite(tmp_path / "out.tflite"))
    assert compared < (0.01 if weights == "float32" else 0.1)
    with pytest.raises(ModelError, match="converted already"):
        convert(options(tmp_path / "out.tflite", photos, tmp_path / "again.tflite"))


def compare_inputs(one: Graph, other: Graph) -> float:
    """Largest difference of two networks' answers, in real units."""
    rng = np.random.default_rng(3)
    x = rng.integers(-128, 128, one.tensor(one.inputs[0].tensor).shape, np.int8)
    answers = []
    for graph in (one, other):
        [port] = graph.outputs
        tensor = graph.tensor(port.tensor)
        [y] = run(graph, [x])
        answers.append((y.astype(float) - tensor.zero_point) * tensor.scale)
    return float(np.abs(answers[0] - answers[1]).max())


@pytest.mark.parametrize(
    ("model_name", "sentence"),
    [
        ("missing.keras", "does not exist"),
        ("noise.keras", "Keras cannot read"),
        ("net.tflite", "no TFL3 mark"),
        ("folder", "without saved_model.pb"),
    ],
)
def test_files_that_are_no_models(photos: Path, tmp_path: Path, model_name: str, sentence: str) -> None:
    (tmp_path / "noise.keras").write_bytes(b"\x00" * 100)
    (tmp_path / "net.tflite").write_bytes(b"\x00" * 100)
    (tmp_path / "folder").mkdir()
    with pytest.raises(ModelError, match=sentence) as caught:
        convert(options(tmp_path / model_name, photos, tmp_path / "out.tflite"))
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out.tflite").exists()


def test_calibration_data_that_is_none(model: Any, tmp_path: Path) -> None:
    model.save(tmp_path / "net.keras")
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "a.png").write_bytes(b"no picture")
    np.savez(tmp_path / "other.npz", something=np.zeros(3))
    for name in ("empty", "broken", "missing", "other.npz"):
        with pytest.raises(DataError, match=name):
            convert(options(tmp_path / "net.keras", tmp_path / name, tmp_path / "out.tflite"))
    assert not (tmp_path / "out.tflite").exists()


def test_the_command_prints_json_and_refuses_a_mapping_to_int8(model: Any, photos: Path, tmp_path: Path) -> None:
    from tinyengine.cli.convert import command

    model.save(tmp_path / "net.keras")
    arguments = [str(tmp_path / "net.keras"), "--calibrate", str(photos), "-o", str(tmp_path / "net.tflite")]
    result = CliRunner().invoke(command, [*arguments, "--json"])
    assert result.exit_code == 0, result.output
    figures = json.loads(result.stdout)
    assert figures["measurement"]["outputs"][0]["db"] > 25
    assert {"name", "origin", "op", "own_db", "total_db"} == set(figures["worst"][0])
    refused = CliRunner().invoke(command, [*arguments, "--mapping", "pixel-128"])
    assert isinstance(refused.exception, TinyEngineError)
