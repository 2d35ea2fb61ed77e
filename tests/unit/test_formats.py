"""Which reader takes which file: the table of formats, and what is said about files that are in none of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from tinyengine.convert.quantized import convert_quantized
from tinyengine.convert.source import FLOAT_MODELS, FOLDER, NETWORKS, open_source
from tinyengine.errors import ModelError
from tinyengine.frontend.tflite import load_tflite
from tinyengine.frontend.tflite_writer import write_tflite

from tests.helpers.graphs import GraphBuilder


@pytest.fixture
def network(tmp_path: Path) -> Path:
    b = GraphBuilder(1)
    b.output(b.relu(b.input(1, 4)))
    write_tflite(b.graph, tmp_path / "net.tflite")
    return tmp_path / "net.tflite"


def sentence_of(path: Path, load: object = open_source) -> str:
    with pytest.raises(ModelError) as caught:
        load(path)  # type: ignore[operator]
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_unknown_suffixes_are_told_what_there_is(network: Path) -> None:
    sentence = sentence_of(network.rename(network.with_suffix(".bin")))
    assert all(suffix in sentence for suffix in (*NETWORKS, *FLOAT_MODELS)) and "SavedModel folder" in sentence


def test_float_models_are_converted_before_they_are_compiled(tmp_path: Path) -> None:
    for suffix in FLOAT_MODELS.keys() - {FOLDER}:
        path = tmp_path / f"net{suffix}"
        path.write_bytes(b"some other file of many bytes")
        assert "tinyengine convert makes one" in sentence_of(path, load_tflite)


@pytest.mark.parametrize("suffix", [".tflite", ".TFLITE", ".TFLite"])
def test_int8_networks_are_not_converted_again(network: Path, suffix: str) -> None:
    network = network.rename(network.with_suffix(suffix))
    assert "converted already: compile it" in sentence_of(network)
    out = network.with_name("out.tflite")
    assert "is a .tflite file already" in sentence_of(network, lambda path: convert_quantized(path, out))


def test_a_new_format_is_one_entry(network: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = object()
    monkeypatch.setitem(FLOAT_MODELS, ".float", lambda path: model)
    path = network.with_suffix(".float")
    path.write_bytes(b"")
    assert open_source(path) is model
    assert ".float" in sentence_of(network.rename(network.with_suffix(".bin")))
