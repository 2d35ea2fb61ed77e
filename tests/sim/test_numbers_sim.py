"""Networks that take no pictures, as commands on the simulated STM32F405."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from tinyengine.boards import load
from tinyengine.compiler import CompiledModel, CompileOptions, compile_graph
from tinyengine.compiler.identity import identify
from tinyengine.errors import DataError
from tinyengine.frontend.tflite import load_tflite
from tinyengine.frontend.tflite_writer import write_tflite
from tinyengine.ir import Graph, OpKind
from tinyengine.ir.ops import Window
from tinyengine.reference import run as reference

from tests.helpers.command_line import run
from tests.helpers.firmware_image import compiled
from tests.helpers.graphs import GraphBuilder

BOARD = "sim_stm32f405"


def two_inputs() -> Graph:
    """8 numbers and 3 more to one number."""
    b = GraphBuilder(5, "two")
    left, right = b.input(1, 8, name="left"), b.input(1, 3, name="right")
    b.output(b.dense(b.binary(OpKind.ADD, b.dense(left, 4), b.dense(right, 4)), 1))
    return b.graph


def class_map() -> Graph:
    """Of every place of 6 x 6 x 2 one of three classes."""
    b = GraphBuilder(6, "places")
    b.output(b.conv(b.input(1, 6, 6, 2, name="readings"), 3, Window((3, 3), pad=(1, 1, 1, 1))))
    return b.graph


def built(graph: Graph, folder: Path, meaning: dict | None = None) -> tuple[Graph, tuple[str, ...]]:
    """The network as a file has it, and the options of a command that talks to it."""
    path = folder / f"{graph.name}.tflite"
    write_tflite(graph, path)
    if meaning:
        path.with_suffix(".json").write_text(json.dumps(meaning))
    read = load_tflite(path)
    model: CompiledModel = compile_graph(read, CompileOptions(cpu=load(BOARD).cpu), None, *identify(path))
    return read, ("--port", f"sim:{BOARD}", "--elf", str(compiled(BOARD, folder, model)))


def test_two_inputs_and_a_number(tmp_path: Path) -> None:
    graph, device = built(two_inputs(), tmp_path)
    rng = np.random.default_rng(0)
    left, right = (rng.integers(-128, 128, (4, n)).astype(np.int8) for n in (8, 3))
    np.savez(tmp_path / "four.npz", right=right, left=left)
    quants = [port.quant for port in graph.inputs]
    real = [q.scale[0] * (x.astype(float) - q.zero_point[0]) for q, x in zip(quants, (left, right), strict=True)]
    np.savetxt(tmp_path / "four.csv", np.concatenate(real, axis=1), delimiter=",")
    done = json.loads(run("infer", tmp_path / "four.npz", tmp_path / "four.csv", *device, "--json").stdout)["pictures"]
    out = graph.outputs[0].quant
    expected = [reference(graph, [left[k : k + 1], right[k : k + 1]])[0].ravel().tolist() for k in range(4)]
    assert [each["outputs"][0] for each in done] == expected * 2
    for each in done:
        assert each["answer"] is None
        value = out.scale[0] * (each["outputs"][0][0] - out.zero_point[0])
        assert each["numbers"][0]["values"] == pytest.approx([value])
    assert f"{done[0]['numbers'][0]['values'][0]:.4g}" in run("infer", tmp_path / "four.npz", *device).stdout
    (tmp_path / "cat.ppm").write_bytes(b"P6 1 1 255 abc")
    with pytest.raises(DataError, match="arrays left, right"):
        run("infer", tmp_path / "cat.ppm", *device)


def test_a_map_of_classes(tmp_path: Path) -> None:
    graph, device = built(class_map(), tmp_path, {"classes": ["soil", "leaf", "pest"]})
    values = np.random.default_rng(1).integers(-128, 128, (2, 6, 6, 2)).astype(np.int8)
    np.save(tmp_path / "fields.npy", values)
    done = json.loads(run("infer", tmp_path / "fields.npy", *device, "--json").stdout)["pictures"]
    for k, each in enumerate(done):
        expected = reference(graph, [values[k : k + 1]])[0]
        assert each["outputs"][0] == expected[0].tolist() and each["answer"] is None
        likeliest = expected.reshape(36, 3).argmax(1)
        shares = {name: float((likeliest == c).mean()) for c, name in enumerate(("soil", "leaf", "pest"))}
        assert each["shares"] == pytest.approx(shares)
    assert "%" in run("infer", tmp_path / "fields.npy", *device).stdout
