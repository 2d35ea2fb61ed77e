"""The zoo: figures against the published ones, Keras builders against the table, conversion, bad input."""

from __future__ import annotations

import builtins
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from tinyengine.errors import DataError, ModelError, ToolError
from tinyengine.zoo.table import (
    NETWORKS,
    Block,
    Network,
    attention_macs,
    find,
    macs,
    mobilenet_v2,
    parameters,
    parse_blocks,
)

TINY = Network("test-net", 32, 8, parse_blocks("e1c8k3 e4c12k5s2 e3c12k3*2"), classes=3)


def published_variants() -> list[Network]:
    """Every network with published costs, with the head that its published variant has."""
    networks = [network for network in NETWORKS.values() if network.published.macs_m is not None]
    return [replace(network, head=network.published_head or network.head) for network in networks]


@pytest.mark.parametrize("network", published_variants(), ids=lambda network: network.name)
def test_costs_are_the_published_ones(network: Network) -> None:
    assert macs(network) / 1e6 == pytest.approx(network.published.macs_m, rel=0.02)
    assert parameters(network) / 1e6 == pytest.approx(network.published.params_m, rel=0.02)


def test_the_family_is_complete() -> None:
    family = {"mcunet-in0", "mcunet-in1", "mcunet-in2", "mcunet-in3", "mcunet-in4", "mcunet-vww1", "mcunet-5fps"}
    assert family | {"mbv2-w0.35", "proxyless-w0.3"} <= set(NETWORKS)


def test_mobilenet_v2_is_the_published_one() -> None:
    """300, 97 and 59 million MACs at 224 pixels and 3.5 million parameters, as its authors state; below width 1 their
    head keeps 1280 channels. With a scaled head, the MCUNet family's mbv2-w0.35 at 144 pixels."""
    for width, millions in ((1.0, 300), (0.5, 97), (0.35, 59)):
        network = replace(mobilenet_v2(width, 224), head=1280)
        assert macs(network) / 1e6 == pytest.approx(millions, rel=0.01), width
    assert parameters(mobilenet_v2(1.0, 224)) / 1e6 == pytest.approx(3.5, rel=0.01)
    small, published = mobilenet_v2(0.35, 144), find("mbv2-w0.35").published
    assert small.blocks == find("mbv2-w0.35").blocks
    assert macs(small) / 1e6 == pytest.approx(published.macs_m, rel=0.02)
    assert parameters(small) / 1e6 == pytest.approx(published.params_m, rel=0.01)


def test_repeated_blocks_stride_once() -> None:
    assert parse_blocks("e6c16k3s2*3 e1c8k7") == (
        Block(6, 16, 3, 2),
        Block(6, 16, 3),
        Block(6, 16, 3),
        Block(1, 8, 7),
    )


def test_a_malformed_block_is_named() -> None:
    with pytest.raises(ModelError, match="'e6k3c8' is not a block"):
        parse_blocks("e1c8k3 e6k3c8")


def test_an_unknown_network_lists_the_known_ones() -> None:
    with pytest.raises(ModelError, match=r"no network 'resnet'.*mcunet-in0"):
        find("resnet")


def keras_costs(model: Any) -> tuple[int, int]:
    """MACs and trainable parameters, counted from the Keras layers' own shapes."""
    from tinyengine.optional import tensorflow

    layers = tensorflow("test the zoo").keras.layers
    total = 0
    for layer in model.layers:
        if isinstance(layer, layers.DepthwiseConv2D):
            total += int(np.prod(layer.output.shape[1:])) * int(np.prod(layer.kernel.shape[:2]))
        elif isinstance(layer, layers.Conv2D):
            total += int(np.prod(layer.output.shape[1:])) * int(np.prod(layer.kernel.shape[:3]))
        elif isinstance(layer, layers.Dense):
            total += int(np.prod(layer.kernel.shape))
    return total, sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)


@pytest.mark.slow(but=2)
@pytest.mark.parametrize("name", list(NETWORKS))
def test_the_keras_model_is_the_network_of_the_table(name: str) -> None:
    from tinyengine.zoo.build import keras_model

    network = find(name)
    model = keras_model(network)
    with_weights = macs(network) - attention_macs(network)  # attention multiplies what its layers result in
    assert keras_costs(model) == (with_weights, parameters(network))
    assert model.output.shape == (None, network.classes)


def test_a_built_network_is_int8_uses_its_range_and_is_reproducible(tmp_path: Path) -> None:
    from tinyengine.reference.tflite_runner import open_reference
    from tinyengine.zoo.export import export

    first, second, other = tmp_path / "a.tflite", tmp_path / "b.tflite", tmp_path / "c.tflite"
    export(TINY, first)
    export(TINY, second)
    export(TINY, other, seed=1)
    assert first.read_bytes() == second.read_bytes()
    assert first.read_bytes() != other.read_bytes()
    assert json.loads(first.with_suffix(".json").read_text())["input"]["mapping"] == "pixel-128"

    rng = np.random.default_rng(0)
    reference = open_reference(first, 1, 1)
    answers = [reference.run([rng.integers(-128, 128, (1, 32, 32, 3), np.int8)])[0] for _ in range(8)]
    assert all(answer.dtype == np.int8 and answer.shape == (1, 3) for answer in answers)
    assert len({answer.tobytes() for answer in answers}) > 1


def test_the_input_of_a_built_network_is_pixel_minus_128(tmp_path: Path) -> None:
    from tinyengine.frontend.tflite import load_tflite
    from tinyengine.zoo.export import export

    export(TINY, tmp_path / "a.tflite")
    graph = load_tflite(tmp_path / "a.tflite")
    quantization = graph.inputs[0].quant
    assert (quantization.scale, quantization.zero_point) == ((1 / 128,), (0,))


def test_weights_of_another_network_are_refused_and_nothing_is_written(tmp_path: Path) -> None:
    from tinyengine.zoo.build import keras_model
    from tinyengine.zoo.export import export

    model = keras_model(replace(TINY, classes=5))
    np.savez(tmp_path / "run.npz", **{f"weight{k}": weight.numpy() for k, weight in enumerate(model.weights)})
    (tmp_path / "noise.npz").write_bytes(b"not an archive")
    for weights in ("run.npz", "noise.npz", "missing.npz"):
        with pytest.raises(DataError, match=weights):
            export(TINY, tmp_path / "out.tflite", tmp_path / weights)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["noise.npz", "run.npz"]


def test_stored_weights_come_back(tmp_path: Path) -> None:
    from tinyengine.zoo.build import keras_model
    from tinyengine.zoo.export import load_weights
    from tinyengine.zoo.random_weights import random_samples, randomize

    rng = np.random.default_rng(3)
    model, copy, again = (keras_model(TINY) for _ in range(3))
    randomize(model, random_samples((32, 32, 3), 8, rng), rng)
    np.savez(tmp_path / "best.npz", **{f"weight{k}": weight.numpy() for k, weight in enumerate(model.weights)})
    model.save(tmp_path / "model.keras")
    load_weights(copy, tmp_path / "best.npz")
    load_weights(again, tmp_path / "model.keras")
    for weight, first, second in zip(model.weights, copy.weights, again.weights, strict=True):
        assert np.array_equal(weight.numpy(), first.numpy())
        assert np.array_equal(weight.numpy(), second.numpy())


@pytest.mark.parametrize(
    "changes", [{"classes": 1}, {"resolution": 8}, {"resolution": 1000}, {"head": 0}], ids=lambda c: next(iter(c))
)
def test_impossible_variants_are_refused(changes: dict[str, int]) -> None:
    from tinyengine.zoo.export import variant

    with pytest.raises(ModelError):
        variant(TINY, **changes)


def test_without_tensorflow_one_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    from tinyengine.zoo.build import keras_model

    real_import = builtins.__import__

    def no_tensorflow(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.split(".")[0] == "tensorflow":
            raise ImportError(name)
        return real_import(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", no_tensorflow)
    with pytest.raises(ToolError, match=r"pip install 'tinyengine\[convert\]'"):
        keras_model(TINY)


def test_the_commands_print_json() -> None:
    from tinyengine.cli.zoo import command

    listed = CliRunner().invoke(command, ["list", "--json"])
    assert listed.exit_code == 0
    entries = {entry["name"]: entry["shipped"] for entry in json.loads(listed.stdout)}
    assert entries["mcunet-vww1"] is None
    for name in ("tiny", "small"):
        assert entries[f"person-{name}"] == f"models/person_{name}.tflite"
    shown = CliRunner().invoke(command, ["show", "mbv2-w0.35", "--head-channels", "448", "--json"])
    assert shown.exit_code == 0
    figures = json.loads(shown.stdout)
    assert figures["macs"] == sum(layer["macs"] for layer in figures["layers"]) == 23_499_152


def test_build_command_refuses_other_suffixes_before_any_work(tmp_path: Path) -> None:
    from tinyengine.cli.zoo import command

    result = CliRunner().invoke(command, ["build", "mcunet-in0", "-o", str(tmp_path / "net.onnx")])
    assert isinstance(result.exception, DataError)
    assert list(tmp_path.iterdir()) == []
