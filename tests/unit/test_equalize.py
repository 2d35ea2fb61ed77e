"""Cross-layer equalization and bias correction: the float network stays, the int8 one comes closer to it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tinyengine.convert import ConvertOptions, convert
from tinyengine.convert.convert import Conversion
from tinyengine.convert.equalize import equalize
from tinyengine.errors import ModelError
from tinyengine.frontend.raw import read_raw
from tinyengine.optional import tensorflow
from tinyengine.zoo.random_weights import random_samples, randomize

SHAPE = (24, 32, 3)


@pytest.fixture(scope="module")
def keras() -> Any:
    return tensorflow("test the converter").keras


@pytest.fixture(scope="module")
def samples() -> np.ndarray:
    return random_samples(SHAPE, 24, np.random.default_rng(3))


def network(keras: Any, samples: np.ndarray, spread: float, activation: Any = 6.0) -> Any:
    """Convolution, depthwise convolution, projection with a residual; channels differ by up to exp(``spread``), which
    the next layer makes up for."""
    layers = keras.layers
    i = keras.Input(SHAPE)
    x = layers.Conv2D(16, 3, 2, "same", use_bias=False, name="first")(i)
    x = layers.ReLU(activation, name="first_relu")(layers.BatchNormalization(name="first_bn")(x))
    x = layers.DepthwiseConv2D(3, padding="same", use_bias=False, name="depthwise")(x)
    x = y = layers.ReLU(activation)(layers.BatchNormalization(name="depthwise_bn")(x))
    x = layers.Conv2D(16, 1, name="project")(layers.Conv2D(24, 1, activation="relu", name="expand")(x))
    x = layers.GlobalAveragePooling2D()(layers.Add(name="residual")([x, y]))
    model = keras.Model(i, layers.Dense(4, name="classify")(x))
    rng = np.random.default_rng(3)
    randomize(model, samples, rng)
    factors = np.exp(rng.uniform(-spread, 0, 16)).astype(np.float32)
    gamma, beta, *rest = model.get_layer("first_bn").get_weights()
    model.get_layer("first_bn").set_weights([gamma * factors, beta * factors, *rest])
    kernel = model.get_layer("depthwise").get_weights()[0]
    model.get_layer("depthwise").set_weights([kernel / factors[:, None]])
    return model


def converted(model: Any, samples: np.ndarray, folder: Path, **more: bool) -> Conversion:
    model.save(folder / "net.keras")
    np.save(folder / "x.npy", samples)
    return convert(ConvertOptions(folder / "net.keras", folder / "x.npy", folder / "net.tflite", **more))


@pytest.mark.parametrize("activation", [None, 6.0], ids=["relu", "relu6"])
def test_the_float_network_computes_what_it_did(keras: Any, samples: np.ndarray, activation: float | None) -> None:
    model = network(keras, samples, 4.0, activation)
    before = model(samples, training=False).numpy()
    pairs = equalize(model, samples)
    # not behind the residual's start, which two layers read
    assert [(pair.first, pair.second) for pair in pairs] == [("first", "depthwise"), ("expand", "project")]
    assert pairs[0].before > 3 > pairs[0].after
    np.testing.assert_allclose(model(samples, training=False).numpy(), before, rtol=1e-4, atol=1e-4)


def test_channels_that_reach_six_stay(keras: Any, samples: np.ndarray) -> None:
    model = network(keras, samples, 2.0)
    layer = model.get_layer("first_bn")
    gamma, beta, *rest = layer.get_weights()
    beta[3] = 30.0  # always at 6
    layer.set_weights([gamma, beta, *rest])
    before = model(samples, training=False).numpy()
    equalize(model, samples)
    assert layer.get_weights()[1][3] == 30.0
    np.testing.assert_allclose(model(samples, training=False).numpy(), before, rtol=1e-4, atol=1e-4)


def test_unbalanced_channels_are_equalized(keras: Any, samples: np.ndarray, tmp_path: Path) -> None:
    model = network(keras, samples, 5.0)
    plain = converted(model, samples, tmp_path)
    better = converted(model, samples, tmp_path, equalize=True)
    assert len(better.equalized) == 2
    assert plain.equalized == []
    assert better.measurement.outputs[0].db > plain.measurement.outputs[0].db + 5


def test_corrected_biases_bring_the_means_closer(keras: Any, samples: np.ndarray, tmp_path: Path) -> None:
    model = network(keras, samples, 4.0)
    plain = converted(model, samples, tmp_path)
    content = (tmp_path / "net.tflite").read_bytes()
    better = converted(model, samples, tmp_path, correct_bias=True)
    assert better.corrected == 5
    assert better.measurement.outputs[0].db > plain.measurement.outputs[0].db + 2
    corrected = (tmp_path / "net.tflite").read_bytes()
    pairs = zip(read_raw(content).tensors, read_raw(corrected).tensors, strict=True)
    changed = {one.dtype for one, other in pairs if not np.array_equal(one.data, other.data)}
    assert changed == {"INT32"}  # biases only


def test_only_keras_models_can_be_equalized(keras: Any, samples: np.ndarray, tmp_path: Path) -> None:
    model = network(keras, samples, 0.0)
    model.export(tmp_path / "saved", verbose=False)
    np.save(tmp_path / "x.npy", samples)
    with pytest.raises(ModelError, match="leave --equalize out"):
        convert(ConvertOptions(tmp_path / "saved", tmp_path / "x.npy", tmp_path / "net.tflite", equalize=True))
    assert not (tmp_path / "net.tflite").exists()
