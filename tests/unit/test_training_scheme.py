"""Update schemes: the published figures, names, files, errors, and which channels are chosen."""

from __future__ import annotations

import functools
import json
from pathlib import Path

import numpy as np
import pytest
from tinyengine.errors import DataError, ModelError
from tinyengine.frontend.tflite import load_tflite
from tinyengine.ir import Graph, OpKind
from tinyengine.ir.ops import Window
from tinyengine.paths import project_root
from tinyengine.training.accounting import scheme_cost
from tinyengine.training.layers import trainable_layers
from tinyengine.training.published import PUBLISHED
from tinyengine.training.scheme import UpdateScheme, load_scheme, parse_scheme, resolve_scheme
from tinyengine.training.selection import channel_norms, dead_channels, selected_channels

from tests.helpers.graphs import GraphBuilder
from tests.helpers.tiny_networks import tiny_graph


@functools.cache
def network(name: str, resolution: int = 128) -> Graph:
    return tiny_graph(name, resolution=resolution)


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_schemes_cost_what_their_authors_count(name: str) -> None:
    graph = network(name.split("/")[0])
    layers = trainable_layers(graph)
    cost = scheme_cost(layers, resolve_scheme(name, graph))
    assert cost.extra_memory_bytes / 1024 == pytest.approx(PUBLISHED[name].extra_kib, abs=0.2)
    assert cost.trainable_weights == PUBLISHED[name].trained_weights


@pytest.mark.parametrize(("name", "count"), [("mcunet-5fps", 42), ("mbv2-w0.35", 51), ("proxyless-w0.3", 60)])
def test_convolutions_are_counted_without_the_classifier(name: str, count: int) -> None:
    layers = trainable_layers(network(name))
    assert len(layers.convolutions) == count
    assert layers.classifier.out_channels == 10


@pytest.mark.parametrize("name", PUBLISHED)
def test_short_names_resolve_by_shapes_at_any_resolution(name: str) -> None:
    long_name, short_name = name, name.split("/")[1]
    assert resolve_scheme(short_name, network(name.split("/")[0], 64)).name == long_name


def test_unknown_names_say_which_fit() -> None:
    with pytest.raises(DataError) as error:
        resolve_scheme("138kb", network("mcunet-5fps"))
    sentence = str(error.value)
    assert "there is no update scheme '138kb' for mcunet-5fps" in sentence
    assert "last-layer, bias-only, last-N, mcunet-5fps/49kb" in sentence and "mbv2" not in sentence
    with pytest.raises(DataError, match="no update scheme 'mcunet-5fps/49kb'"):
        resolve_scheme("mcunet-5fps/49kb", network("mbv2-w0.35"))


def test_general_names() -> None:
    graph = network("mcunet-5fps")
    assert resolve_scheme("last-layer", graph) == UpdateScheme("last-layer")
    assert resolve_scheme("bias-only", graph) == UpdateScheme("bias-only", 42)
    assert resolve_scheme("last-3", graph) == UpdateScheme("last-3", 3, {39: 1.0, 40: 1.0, 41: 1.0})
    with pytest.raises(DataError, match="biases of 43 convolutions, but the network has 42"):
        resolve_scheme("last-43", graph)


def test_last_layer_costs_the_classifiers_input_only() -> None:
    layers = trainable_layers(network("mcunet-5fps"))
    cost = scheme_cost(layers, UpdateScheme("last-layer"))
    assert (cost.extra_memory_bytes, cost.trainable_weights, cost.trainable_biases) == (160, 0, 0)


def test_files_round_trip(tmp_path: Path) -> None:
    scheme = UpdateScheme("mine", 20, {24: 0.25, 30: 1.0})
    path = tmp_path / "mine.json"
    path.write_text(scheme.to_json())
    assert load_scheme(path) == scheme
    assert resolve_scheme(str(path), network("mcunet-5fps")) == scheme


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ([], "is a JSON object"),
        ({"bias_last": 2, "wieghts": {}}, "no field 'wieghts'"),
        ({"weights": {}}, "'bias_last' must say"),
        ({"bias_last": True}, "'bias_last' must say"),
        ({"bias_last": -1}, "'bias_last' must say"),
        ({"bias_last": 2, "weights": [1]}, "'weights' must be an object"),
        ({"bias_last": 2, "weights": {"a": 1}}, "'a' is not the number of a convolution"),
        ({"bias_last": 2, "weights": {"1": 1, "01": 1}}, "'01' is not the number of a convolution, or"),
        ({"bias_last": 2, "weights": {"1": 0}}, "ratio of convolution 1 must be above 0"),
        ({"bias_last": 2, "weights": {"1": 1.5}}, "ratio of convolution 1 must be above 0"),
        ({"bias_last": 2, "weights": {"1": None}}, "ratio of convolution 1 must be above 0"),
        ({"bias_last": 2, "name": ""}, "'name' is not a name"),
    ],
)
def test_bad_schemes_are_refused_in_one_sentence(data: object, sentence: str) -> None:
    with pytest.raises(DataError) as error:
        parse_scheme(data, "mine.json")
    assert str(error.value).startswith("mine.json: ") and sentence in str(error.value)


def test_schemes_that_do_not_fit_the_network_are_refused(tmp_path: Path) -> None:
    layers = trainable_layers(network("mcunet-5fps"))
    with pytest.raises(DataError, match="convolution 42, but the network's are numbered 0 to 41"):
        UpdateScheme("s", 5, {42: 1}).check(layers)
    with pytest.raises(DataError, match="set bias_last to at least 6"):
        UpdateScheme("s", 5, {36: 1}).check(layers)
    path = tmp_path / "broken.json"
    path.write_text("{")
    with pytest.raises(DataError, match="is not JSON"):
        load_scheme(path)
    with pytest.raises(DataError, match="cannot read"):
        resolve_scheme(str(tmp_path / "none.json"), network("mcunet-5fps"))


def test_a_network_without_a_classifier_is_refused() -> None:
    build = GraphBuilder()
    build.output(build.pool(OpKind.AVERAGE_POOL_2D, build.input(1, 4, 4, 3), Window((2, 2))))
    with pytest.raises(ModelError, match="ends in AVERAGE_POOL_2D"):
        trainable_layers(build.graph)


def test_an_inner_dense_layer_is_refused() -> None:
    build = GraphBuilder()
    build.output(build.dense(build.dense(build.input(1, 8), 6), 4))
    with pytest.raises(ModelError, match="fully connected layers before its classifier"):
        trainable_layers(build.graph)


def test_a_shipped_network_can_be_trained() -> None:
    layers = trainable_layers(load_tflite(project_root() / "models" / "person_tiny.tflite"))
    assert layers.classifier.out_channels == 2
    assert scheme_cost(layers, UpdateScheme("s", len(layers.convolutions))).trainable_biases > 0


def test_channels_are_chosen_by_weight_and_dead_ones_do_not_count() -> None:
    layers = trainable_layers(network("mcunet-5fps"))
    layer = layers.convolutions[24]
    dead = dead_channels(layer)
    assert dead.sum() == 1
    data, scales = layer.weights.data, layer.weights.quant.scale  # type: ignore[union-attr]
    assert data is not None
    by_hand = [
        np.sqrt(sum((data[o, 0, 0, i] * scales[o]) ** 2 for o in range(len(data)) if not dead[o])) for i in range(48)
    ]
    np.testing.assert_allclose(channel_norms(layer), by_hand)
    chosen = selected_channels(layer, 12)
    assert len(chosen) == 12 and list(chosen) == sorted(chosen)
    assert min(by_hand[i] for i in chosen) >= max(by_hand[i] for i in range(48) if i not in chosen)


def test_dead_depthwise_channels_are_chosen_last() -> None:
    layer = trainable_layers(network("mcunet-5fps")).convolutions[25]
    (dead,) = np.flatnonzero(dead_channels(layer))
    assert dead not in selected_channels(layer, layer.in_channels - 1)


def test_ratios_give_at_least_one_channel() -> None:
    layers = trainable_layers(network("mcunet-5fps"))
    assert UpdateScheme("s", 42, {3: 0.01}).channels(3, layers) == 1
    assert UpdateScheme("s", 42, {3: 0.01}).channels(6, layers) == 0


def test_scheme_json_is_stable() -> None:
    text = UpdateScheme("s", 3, {41: 0.5, 40: 1.0}).to_json()
    assert json.loads(text) == {"name": "s", "bias_last": 3, "weights": {"40": 1.0, "41": 0.5}}
