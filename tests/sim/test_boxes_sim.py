"""A detector as commands on the simulated STM32F405."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tinyengine.boards import load
from tinyengine.compiler import CompileOptions, compile_graph
from tinyengine.compiler.identity import identify
from tinyengine.data.boxes import find_boxes
from tinyengine.data.metadata import load_metadata
from tinyengine.errors import DataError
from tinyengine.frontend.tflite import load_tflite
from tinyengine.frontend.tflite_writer import write_tflite
from tinyengine.ir.ops import Window
from tinyengine.reference import run as reference

from tests.helpers.command_line import run
from tests.helpers.firmware_image import compiled
from tests.helpers.graphs import GraphBuilder

BOARD = "sim_stm32f405"


def test_boxes_of_a_heatmap(tmp_path: Path) -> None:
    b = GraphBuilder(15, "heat")
    b.output(b.softmax(b.conv(b.input(1, 16, 24, 3), 3, Window((4, 4), (4, 4)))))
    path = tmp_path / "heat.tflite"
    write_tflite(b.graph, path)
    meaning = {
        "task": "detection",
        "classes": ["cup", "spoon"],
        "input": {"resize": "nearest", "crop": "center"},
        "boxes": {"head": "heatmap", "threshold": 0.6},
    }
    path.with_suffix(".json").write_text(json.dumps(meaning))
    graph, metadata = load_tflite(path), load_metadata(path)
    model = compile_graph(graph, CompileOptions(cpu=load(BOARD).cpu), None, *identify(path))
    device = ("--port", f"sim:{BOARD}", "--elf", compiled(BOARD, tmp_path, model))
    pixels = np.random.default_rng(12).integers(0, 256, (16, 40, 3), dtype=np.uint8)
    (tmp_path / "in").mkdir()
    Image.fromarray(pixels).save(tmp_path / "in" / "table.png")

    seen = (pixels[:, 8:32].astype(np.int16) - 128).astype(np.int8)[None]
    quant = graph.outputs[0].quant
    real = quant.scale[0] * (reference(graph, [seen])[0].astype(float) - quant.zero_point[0])
    expected = find_boxes([real], metadata.boxes, (16, 24), 2)
    assert expected, "a seed whose picture shows something"
    done = run("infer", tmp_path / "in", *device, "--json", "--draw", tmp_path / "out")
    found = json.loads(done.stdout)["pictures"][0]
    assert found["answer"] is None and "outputs" not in found
    assert len(found["boxes"]) == len(expected)
    for box, wanted in zip(found["boxes"], expected, strict=True):
        assert box["class"] == meaning["classes"][wanted.index] and box["index"] == wanted.index
        edges = [(8 + 24 * wanted.left) / 40, wanted.top, (8 + 24 * wanted.right) / 40, wanted.bottom]
        assert [box["score"], *(box[key] for key in ("left", "top", "right", "bottom"))] == pytest.approx(
            [wanted.score, *edges], abs=1e-6
        )
    drawn = np.asarray(Image.open(tmp_path / "out" / "table.png"))
    plain = np.asarray(Image.fromarray(pixels).resize(drawn.shape[1::-1], Image.Resampling.NEAREST))
    last = expected[0]  # it is drawn over all others
    row = drawn.shape[0] * (last.top + last.bottom) / 2
    column = drawn.shape[1] * (8 + 24 * last.left) / 40
    assert (drawn[int(row), int(column)] != plain[int(row), int(column)]).any()
    assert (drawn != plain).any(-1).mean() < 0.5
    shown = run("infer", tmp_path / "in" / "table.png", *device).stdout
    assert f"{meaning['classes'][expected[0].index]} {expected[0].score:.0%}" in shown


def test_drawing_needs_boxes(tmp_path: Path) -> None:
    b = GraphBuilder(13, "plain")
    b.output(b.dense(b.reshape(b.input(1, 4, 4, 3), (1, 48)), 3))
    path = tmp_path / "plain.tflite"
    write_tflite(b.graph, path)
    model = compile_graph(load_tflite(path), CompileOptions(cpu=load(BOARD).cpu), None, *identify(path))
    elf = compiled(BOARD, tmp_path, model)
    Image.new("RGB", (4, 4)).save(tmp_path / "a.png")
    with pytest.raises(DataError, match="plain finds none"):
        run("infer", tmp_path / "a.png", "--port", f"sim:{BOARD}", "--elf", elf, "--draw", tmp_path / "out")
    assert not (tmp_path / "out").exists()
