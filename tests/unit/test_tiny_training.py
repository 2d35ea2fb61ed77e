"""The tiny-training importer: its arithmetic, its export, dead channels, damaged files."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from tinyengine import native
from tinyengine.compiler import compile_graph
from tinyengine.errors import DataError, ModelError
from tinyengine.frontend.tflite import load_tflite
from tinyengine.frontend.tflite_writer import write_tflite
from tinyengine.frontend.tiny_training import build_tiny_training, load_tiny_training, safe_biases
from tinyengine.ir import Graph, OpKind
from tinyengine.reference import run
from tinyengine.reference.tflite_runner import open_reference
from tinyengine.zoo.table import Network, parse_blocks

from tests.helpers.tiny_networks import float_semantics, picture, shared_network, tiny_files

NETWORK = Network("tiny", 24, 8, parse_blocks("e1c8k3 e4c12k5s2 e3c12k3*2 e3c16k7s2"), classes=5)
PUBLISHED = ("mcunet-5fps", "mbv2-w0.35", "proxyless-w0.3")


# Rounding twice, to multiples of 2**-n of an output step first, differs from rounding once for about one value in
# 2**(n + 1); published layers have n = 7 and more.
MOST_MISMATCHES = 5e-3


def mismatches(graph: Graph, constants: dict[str, np.ndarray], inputs: list[np.ndarray]) -> tuple[int, int, int]:
    """(outputs that differ from the format's arithmetic, largest difference, outputs) layer by layer."""
    differing = largest = outputs = 0
    for x in inputs:
        values = run(graph, [x], keep_all=True)
        for op in graph.operators:
            if op.kind is OpKind.AVERAGE_POOL_2D:
                continue
            name = op.name.replace("blocks_", "blocks.").replace("_pointwise", ".pointwise").replace("_dep", ".dep")
            biases = constants.get(f"{name}.bias")
            expected = float_semantics(op, graph, [values[n] for n in op.inputs], biases)
            difference = np.abs(values[op.outputs[0]].astype(int) - expected)
            differing += int(np.count_nonzero(difference))
            largest = max(largest, int(difference.max()))
            outputs += difference.size
    return differing, largest, outputs


@pytest.fixture(scope="module")
def files() -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    return tiny_files(NETWORK)


@pytest.fixture(scope="module")
def graph(files: tuple[dict[str, Any], dict[str, np.ndarray]]) -> Graph:
    return build_tiny_training(*files, "tiny")


def test_the_graph_is_the_described_one(graph: Graph) -> None:
    kinds = [op.kind for op in graph.operators]
    assert kinds.count(OpKind.CONV_2D) == 1 + 5 + 4  # stem, projections, expansions
    assert kinds.count(OpKind.DEPTHWISE_CONV_2D) == 5
    assert kinds.count(OpKind.ADD) == 3
    assert kinds[-2:] == [OpKind.AVERAGE_POOL_2D, OpKind.FULLY_CONNECTED]
    assert graph.tensor(graph.output_tensors()[0]).shape == (1, 5)


def test_it_computes_what_the_format_says_up_to_rounding(
    files: tuple[dict[str, Any], dict[str, np.ndarray]], graph: Graph
) -> None:
    differing, largest, outputs = mismatches(graph, files[1], [picture(graph, seed) for seed in range(4)])
    assert largest <= 1
    assert differing <= MOST_MISMATCHES * outputs, f"{differing} of {outputs}"


def test_activations_are_alive(graph: Graph) -> None:
    values = run(graph, [picture(graph)], keep_all=True)
    assert all(values[op.outputs[0]].std() > 5 for op in graph.operators if op.kind is not OpKind.FULLY_CONNECTED)


def test_export_and_generated_code_give_the_same_bytes(graph: Graph, tmp_path: Path) -> None:
    path = tmp_path / "tiny.tflite"
    write_tflite(graph, path)
    inputs = [picture(graph, seed) for seed in range(3)]
    expected = [run(graph, [x])[0] for x in inputs]
    again = load_tflite(path)
    model = native.build(compile_graph(graph))
    reference = open_reference(path, 1, 1)
    for x, y in zip(inputs, expected, strict=True):
        np.testing.assert_array_equal(run(again, [x])[0], y)
        np.testing.assert_array_equal(model.run([x])[0].reshape(y.shape), y)
        if reference.binding:
            np.testing.assert_array_equal(reference.run([x])[0], y)


def test_safe_biases_leave_room_for_every_sum() -> None:
    weights = np.array([[127, -127], [1, 0], [3, 4]], np.int8)
    biases = np.array([-(2**31), 2**31 - 1, 77], np.int32)
    safe = safe_biases(weights, biases)
    assert safe.tolist() == [-(2**31 - 1 - 512 * 254), 2**31 - 1 - 512, 77]


DAMAGES: list[tuple[Callable[[dict[str, Any], dict[str, np.ndarray]], object], str]] = [
    (lambda d, _: d.pop("blocks"), "lacks 'blocks'"),
    (lambda d, _: d["blocks"][1].update(se={"reduction": 4}), "squeeze-and-excitation"),
    (lambda d, _: d["blocks"][0]["depthwise"].update(act="relu6"), "has the activation 'relu6'"),
    (lambda d, _: d["blocks"][0]["depthwise"].update(groups=2), "2 groups"),
    (lambda d, _: d["first_conv"].update(out_shape=13), "does not follow from its inputs"),
    (lambda d, _: d["classifier"]["params"].update(x_zero=3), "another quantization than the layer before"),
    (lambda d, _: d["classifier"]["params"].update(weight="weight"), "should name an array of the .npz"),
    (lambda _, c: c.pop("classifier.bias"), "no array 'classifier.bias'"),
    (lambda _, c: c.update({"classifier.bias": np.zeros(5, np.int64)}), "int64 instead of int32"),
    (lambda _, c: c.update({"classifier.bias": np.zeros(4, np.int32)}), "5 outputs, 4 biases"),
]


@pytest.mark.parametrize(("damage", "sentence"), DAMAGES, ids=[sentence for _, sentence in DAMAGES])
def test_damaged_networks_are_refused_in_one_sentence(
    files: tuple[dict[str, Any], dict[str, np.ndarray]],
    damage: Callable[[dict[str, Any], dict[str, np.ndarray]], object],
    sentence: str,
) -> None:
    description, constants = copy.deepcopy(files[0]), dict(files[1])
    damage(description, constants)
    with pytest.raises(ModelError) as error:
        build_tiny_training(description, constants, "tiny")
    assert sentence in str(error.value) and "\n" not in str(error.value)


def test_files_are_read_and_missing_ones_named(
    files: tuple[dict[str, Any], dict[str, np.ndarray]], graph: Graph, tmp_path: Path
) -> None:
    path = tmp_path / "tiny.json"
    with pytest.raises(ModelError, match=r"cannot read .*tiny\.json"):
        load_tiny_training(path)
    path.write_text(json.dumps(files[0]))
    with pytest.raises(ModelError, match=r"cannot read .*tiny\.npz"):
        load_tiny_training(path)
    np.savez(path.with_suffix(".npz"), **files[1])
    x = picture(graph)
    np.testing.assert_array_equal(run(load_tiny_training(path), [x])[0], run(graph, [x])[0])
    path.with_suffix(".npz").write_bytes(b"PK\x03\x04 nothing")
    with pytest.raises(ModelError, match="not a tiny-training network"):
        load_tiny_training(path)


def test_the_convert_command_writes_a_tflite(
    files: tuple[dict[str, Any], dict[str, np.ndarray]], graph: Graph, tmp_path: Path
) -> None:
    from tinyengine.cli.convert import command

    source, out = tmp_path / "tiny.json", tmp_path / "converted.tflite"
    source.write_text(json.dumps(files[0]))
    np.savez(source.with_suffix(".npz"), **files[1])
    result = CliRunner().invoke(command, [str(source), "-o", str(out), "--json"])
    assert result.exit_code == 0, result.output
    figures = json.loads(result.stdout)
    assert figures["bytes"] == out.stat().st_size and figures["operators"]["ADD"] == 3
    x = picture(graph)
    np.testing.assert_array_equal(run(load_tflite(out), [x])[0], run(graph, [x])[0])
    assert out.with_suffix(".json").is_file()
    over = CliRunner().invoke(command, [str(source), "-o", str(tmp_path / "tiny.tflite")])
    assert isinstance(over.exception, DataError) and "would overwrite" in str(over.exception)
    assert json.loads(source.read_text()) == files[0]
    again = CliRunner().invoke(command, [str(out), "-o", str(out)])
    assert isinstance(again.exception, ModelError) and "already: compile it" in str(again.exception)
    (tmp_path / "net.h5").write_bytes(b"")
    missing = CliRunner().invoke(command, [str(tmp_path / "net.h5"), "-o", str(out)])
    assert missing.exit_code == 2 and "Missing option '--calibrate'" in missing.output


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_networks_compute_what_the_format_says(name: str) -> None:
    path = shared_network(name)
    graph = load_tiny_training(path)
    with np.load(path.with_suffix(".npz")) as arrays:
        constants = {key: arrays[key] for key in arrays.files}
    differing, largest, outputs = mismatches(graph, constants, [picture(graph)])
    assert largest <= 1
    assert differing <= MOST_MISMATCHES * outputs, f"{differing} of {outputs}"


def test_a_published_network_compiles_to_the_same_bytes() -> None:
    graph = load_tiny_training(shared_network("mcunet-5fps"))
    x = picture(graph)
    np.testing.assert_array_equal(
        native.build(compile_graph(graph)).run([x])[0].reshape(-1), run(graph, [x])[0].reshape(-1)
    )
