"""A detector as commands on the simulated STM32F405."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tinyengine.boards import load
from tinyengine.compiler import CompileOptions, compile_graph
from tinyengine.compiler.identity import identify
from tinyengine.data.box_plan import planned_boxes
from tinyengine.data.boxes import BoxHead
from tinyengine.device import open_device
from tinyengine.device.recognition import Recognizer
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
    graph = load_tflite(path)
    model = compile_graph(graph, CompileOptions(cpu=load(BOARD).cpu), None, *identify(path))
    device = ("--port", f"sim:{BOARD}", "--elf", compiled(BOARD, tmp_path, model))
    pixels = np.random.default_rng(12).integers(0, 256, (16, 40, 3), dtype=np.uint8)
    (tmp_path / "in").mkdir()
    Image.fromarray(pixels).save(tmp_path / "in" / "table.png")

    seen = (pixels[:, 8:32].astype(np.int16) - 128).astype(np.int8)[None]
    assert model.boxes is not None
    expected = planned_boxes(model.boxes, reference(graph, [seen]))
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
    again = run("stream", "--source", tmp_path / "in", *device, "--json", "--draw", tmp_path / "streamed").stdout
    assert json.loads(again)["boxes"] == found["boxes"]
    assert (np.asarray(Image.open(tmp_path / "streamed" / "table.png")) == drawn).all()
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
    with pytest.raises(DataError, match="plain finds none"):
        run(
            "stream", "--source", tmp_path / "a.png", "--port", f"sim:{BOARD}", "--elf", elf, "--draw", tmp_path / "out"
        )
    assert not (tmp_path / "out").exists()


def yolo_lc(b: GraphBuilder, picture: str) -> tuple[str, dict[str, object]]:
    """Three anchors in 8 x 8 cells; more boxes than one answer holds."""
    head = {
        "head": "grid",
        "anchors": [[0.1, 0.2], [0.3, 0.3], [0.2, 0.6]],
        "threshold": 0.2,
        "overlap": 0.9,
        "most": 99,
    }
    return b.conv(picture, 3 * 7, Window((8, 8), (8, 8))), head


def yolov8(b: GraphBuilder, picture: str) -> tuple[str, dict[str, object]]:
    features = b.logistic(b.conv(picture, 6, Window((8, 8), (8, 8))))
    return b.reshape(features, (1, 64, 6)), {"head": "points", "threshold": 0.5}


@pytest.mark.parametrize("make", [yolo_lc, yolov8])
def test_the_device_finds_what_the_host_finds(tmp_path: Path, make: object) -> None:
    """Boxes go over the wire instead of maps, and are those that the host makes of maps."""
    b = GraphBuilder(21, "finder")
    output, head = make(b, b.input(1, 64, 64, 3))  # type: ignore[operator]
    b.output(output)
    path = tmp_path / "finder.tflite"
    write_tflite(b.graph, path)
    meaning = {"task": "detection", "classes": ["cup", "spoon"], "boxes": head}
    path.with_suffix(".json").write_text(json.dumps(meaning))
    model = compile_graph(load_tflite(path), CompileOptions(cpu=load(BOARD).cpu), None, *identify(path))
    elf = compiled(BOARD, tmp_path, model)
    pixels = np.random.default_rng(5).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    values = (pixels.astype(np.int16) - 128).astype(np.int8)
    assert model.boxes is not None
    expected = planned_boxes(model.boxes, reference(model.graph, [values[None]], requant=model.roundings))
    with open_device(f"sim:{BOARD}", elf=elf) as device:
        assert device.identity.finds_boxes
        found = device.infer(values, boxes=True)
        maps = device.infer(values)
        recognized = Recognizer(device).recognize("a", Image.fromarray(pixels))
        own = device.identity.metadata
        assert isinstance(own.boxes, BoxHead)
        fewer = replace(own, boxes=replace(own.boxes, most=1))
        first = Recognizer(device, fewer).recognize("a", Image.fromarray(pixels))
    assert found.outputs == [] and list(found.boxes or ()) == expected
    assert len(expected) > (84 if make is yolo_lc else 2)
    assert maps.boxes is None and planned_boxes(model.boxes, maps.outputs) == expected
    assert recognized.boxes == tuple(expected) and not recognized.inference.outputs
    assert first.boxes == tuple(expected[:1]) and first.inference.outputs  # another MODEL.json: the host's work
