"""The search for an update scheme, whole: pictures in, a scheme that fits out."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from tinyengine.cli.main import cli
from tinyengine.compiler import CompileOptions, compile_graph
from tinyengine.data.metadata import ModelMetadata
from tinyengine.data.reader import read_pictures
from tinyengine.drawing.svg import svg
from tinyengine.errors import DataError, TinyEngineError
from tinyengine.finetune.schemes.find import SchemeOptions, find_scheme
from tinyengine.frontend.tflite_writer import tflite_bytes
from tinyengine.ir import Graph
from tinyengine.report.contributions import biases_scene, weights_scene
from tinyengine.zoo.table import Network, parse_blocks

from tests.helpers.tiny_networks import tiny_graph

NETWORK = Network("tiny", 16, 8, parse_blocks("e1c8k3 e4c12k3s2 e3c12k3"), classes=3)


@pytest.fixture(scope="module")
def graph() -> Graph:
    return tiny_graph(NETWORK, 3, gain=2.0)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """60 noisy pictures in two folders, one kind redder, the other bluer."""
    folder = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    for name, channel in (("blue", 2), ("red", 0)):
        (folder / name).mkdir()
        for number in range(30):
            pixels = rng.normal(100, 40, (16, 16, 3))
            pixels[:, :, channel] += 60
            Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(folder / name / f"{number}.png")
    return folder


def test_a_scheme_is_found_that_fits_and_can_be_compiled(graph: Graph, pictures: Path, tmp_path: Path) -> None:
    checkpoint = tmp_path / "search.json"
    options = SchemeOptions(sram=6000, samples=60, epochs=1.0, deepest=3, ratios=(1.0,))
    result = find_scheme(graph, ModelMetadata(), read_pictures(pictures), options, checkpoint)
    assert set(result.contributions.biases) == {1, 2, 3} and set(result.contributions.weights) == {6, 8}
    assert 0.3 < result.contributions.base <= 1.0 and result.held_out == 20
    assert len(json.loads(checkpoint.read_text())) == 6
    assert result.found.sram_bytes <= 6000
    options_for = CompileOptions("cortex-m7", "rows", "sram", "fast", train=result.found.scheme, classes=2)
    compiled = compile_graph(graph, options_for)
    assert compiled.plan.arena_bytes + compiled.trained_bytes == result.found.sram_bytes
    drawn = svg(biases_scene(result.contributions)) + svg(weights_scene(result.contributions))
    assert drawn.count("<rect") >= 2 and "convolution 8, ratio 1" in drawn


def test_what_cannot_be_searched_is_said_in_one_sentence(graph: Graph, pictures: Path) -> None:
    metadata = ModelMetadata()
    with pytest.raises(DataError, match="at least two classes"):
        read_pictures(pictures / "red")
    with pytest.raises(DataError, match="too few"):
        find_scheme(graph, metadata, read_pictures(pictures), SchemeOptions(100_000, samples=2))
    options = SchemeOptions(1000, samples=60, epochs=0.1, deepest=1, ratios=(1.0,))
    with pytest.raises(TinyEngineError, match="the classifier alone takes"):
        find_scheme(graph, metadata, read_pictures(pictures), options)


def test_the_command_refuses_what_is_not_there(graph: Graph, tmp_path: Path) -> None:
    model, out = tmp_path / "net.tflite", tmp_path / "scheme.json"
    model.write_bytes(tflite_bytes(graph))
    command = ["search-scheme", str(model), "--data", str(tmp_path / "none"), "--sram", "64K", "-o", str(out)]
    result = CliRunner().invoke(cli, command)
    assert isinstance(result.exception, DataError) and not out.exists()
