"""Which reader takes which file: the table of formats, and what is said about files that are in none of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from tinyengine.convert.source import FLOAT_MODELS, open_source
from tinyengine.errors import ModelError
from tinyengine.frontend.formats import NETWORKS, Format, load_network
from tinyengine.frontend.tflite_writer import write_tflite

from tests.helpers.graphs import GraphBuilder


@pytest.fixture
def network(tmp_path: Path) -> Path:
    b = GraphBuilder(1)
    b.output(b.relu(b.input(1, 4)))
    write_tflite(b.graph, tmp_path / "net.tflite")
    return tmp_path / "net.tflite"


def sentence_of(path: Path, load: object = load_network) -> str:
    with pytest.raises(ModelError) as caught:
        load(path)  # type: ignore[operator]
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_unknown_suffixes_are_told_what_there_is(network: Path) -> None:
    other = network.rename(network.with_suffix(".bin"))
    sentence = sentence_of(other, open_source)
    for suffix, found in (*NETWORKS.items(), *FLOAT_MODELS.items()):
        assert (f"{found.what} ({suffix})" in sentence) == (suffix != "" and not found.excuse)
    assert "SavedModel folder" in sentence


def test_float_models_are_converted_before_they_are_compiled(tmp_path: Path) -> None:
    for suffix in (".keras", ".h5", ".pt2", ".json", ".bin"):
        path = tmp_path / f"net{suffix}"
        path.write_bytes(b"")
        assert f"convert it first (tinyengine convert {path} -o NETWORK.tflite)" in sentence_of(path)
    assert "convert it first" in sentence_of(tmp_path)


def test_int8_networks_are_not_converted_again(network: Path) -> None:
    assert "converted already: compile it" in sentence_of(network, open_source)
    assert load_network(network).operators


def test_a_new_format_is_one_entry(network: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = object()
    monkeypatch.setitem(FLOAT_MODELS, ".onnx", Format("an ONNX model", lambda path: model))
    path = network.with_suffix(".onnx")
    path.write_bytes(b"")
    assert open_source(path) is model
    assert "an ONNX model (.onnx)" in sentence_of(network.rename(network.with_suffix(".bin")), open_source)
