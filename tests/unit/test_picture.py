"""Pictures of plans: every byte in use is shown, where and when it is used, and the files need nothing else."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from PIL import Image
from tinyengine.compiler import CompiledModel, CompileOptions, compile_graph
from tinyengine.drawing.png import image
from tinyengine.drawing.scene import Dot, Rect, tick_step
from tinyengine.drawing.svg import svg
from tinyengine.frontend.tflite_writer import write_tflite
from tinyengine.memory.bottleneck import bottleneck_sentences
from tinyengine.report.arena import COLORS, arena_scene, boxes
from tinyengine.report.front import front_scene
from tinyengine.schedule.sweep import FrontPoint, sweep

from tests.helpers.command_line import tinyengine
from tests.helpers.graphs import block_network

BOARD = "sim_stm32f405"


def compiled(kind: str) -> CompiledModel:
    options = {
        "layers": CompileOptions(),
        "streams": CompileOptions(optimize="sram"),
        "rows": CompileOptions(input="rows", optimize="sram"),
    }
    return compile_graph(block_network(), options[kind])


@pytest.mark.parametrize("kind", ["layers", "streams", "rows"])
def test_boxes_are_the_bytes_in_use(kind: str) -> None:
    model = compiled(kind)
    found = boxes(model.graph, model.planned, model.plan)
    for usage in model.plan.usage:
        alive = [box for box in found if box.first <= usage.index <= box.last]
        used = {byte for box in alive for byte in range(box.address, box.address + box.size)}
        assert len(used) == usage.bytes_used
        assert max(used) < model.plan.arena_bytes
    kinds = {box.kind for box in found}
    assert "output" in kinds and ("input" in kinds) == (kind != "rows")
    assert ("row buffer" in kinds) == (kind != "layers")


def test_bottleneck_sentences_say_what_is_counted_twice() -> None:
    model = compiled("layers")
    usage = max(model.plan.usage, key=lambda usage: usage.bytes_used)
    sentences = bottleneck_sentences(usage, model.graph, model.planned, model.plan.arena_bytes)
    total = sum(resident.buffer.size for resident in usage.residents)
    assert total > usage.bytes_used  # in place, in part at least
    assert sentences[-1].startswith(f"{(total - usage.bytes_used) / 1024:.1f} KB of these are counted twice")


def test_parts_of_scratch_memory_do_not_overlap() -> None:
    for call in compiled("rows").calls:
        if call.scratch_parts:
            top = 0
            for part in call.scratch_parts:
                assert part.offset >= top and part.size > 0
                top = part.offset + part.size
            assert top == call.scratch_bytes


def test_svg_is_complete_in_itself() -> None:
    model = compiled("rows")
    calls = model.planned
    text = svg(arena_scene('a "<name>"', model.graph, calls, model.plan))
    root = ElementTree.fromstring(text)
    titles = [element.text or "" for element in root.iter("{http://www.w3.org/2000/svg}title")]
    assert len(titles) == len(boxes(model.graph, calls, model.plan)) + sum(not call.is_view for call in calls)
    [ring] = [title for title in titles if "row buffer of the input" in title]
    rows = model.calls[0].pushed.capacity
    assert f"{rows} rows of 24x3, for 3x3 convolution" in ring
    assert f"{rows * 24 * 3} bytes at" in ring and "step 0: conv_2d_0" in ring
    for word in ("http", "href", "src="):
        assert word not in text.replace("http://www.w3.org/2000/svg", "")


def test_png_shows_what_the_scene_says() -> None:
    model = compiled("rows")
    scene = arena_scene("blocks", model.graph, model.planned, model.plan)
    picture = image([scene, scene], scale=1)
    assert picture.size == (scene.width, 2 * scene.height)
    orange = [
        s for s in scene.shapes if isinstance(s, Rect) and s.fill == COLORS["row buffer"] and "bytes at" in s.hover
    ]
    assert orange
    largest = max(orange, key=lambda rect: rect.width * rect.height)
    red, _, blue = picture.getpixel((int(largest.x + largest.width - 4), int(largest.y + largest.height - 4)))
    assert red > 200 and blue < 150


def test_front_has_nothing_that_another_point_beats() -> None:
    graph = compiled("layers").graph
    front = sweep(graph, CompileOptions().target, rows=True, caps=3)
    assert len(front) > 1
    assert not any(a.beats(b) for a in front for b in front)
    assert front[0].arena_bytes == compiled("rows").plan.arena_bytes
    for smaller, larger in pairwise(front):
        assert smaller.arena_bytes < larger.arena_bytes
        assert smaller.extra_cycles > larger.extra_cycles
    scene = front_scene("blocks", front)
    assert sum(isinstance(shape, Dot) for shape in scene.shapes) == len(front)


def test_front_of_schedules_that_recompute_shows_how_much() -> None:
    front = [FrontPoint(1000, 900, 100, 130, 99), FrontPoint(2000, 1900, 100, 100, 5)]
    scene = front_scene("blocks", front)
    assert "executed MACs, multiple" in svg(scene)
    more, less = (shape for shape in scene.shapes if isinstance(shape, Dot))
    assert more.x < less.x and more.y < less.y  # y grows downwards: what costs more lies higher
    assert "1.300 times" in more.hover


def test_points_that_are_better_in_something_beat_nothing_alike() -> None:
    point = FrontPoint(1000, 900, 50, 50, 10)
    assert point.beats(replace(point, arena_bytes=1001))
    assert not point.beats(point)
    assert not point.beats(replace(point, arena_bytes=1001, extra_cycles=9))
    assert replace(point, macs_executed=60).recomputation == 1.2


@pytest.mark.parametrize(("span", "most", "step"), [(57.3, 8, 10), (8, 8, 1), (0.03, 8, 0.005), (100, 4, 50)])
def test_ticks(span: float, most: int, step: float) -> None:
    assert tick_step(span, most) == pytest.approx(step)


def test_command_writes_the_files(monkeypatch, capsys, tmp_path: Path) -> None:
    model = tmp_path / "blocks.tflite"
    write_tflite(block_network(), model)
    html, png = tmp_path / "plan.html", tmp_path / "plan.png"
    common = ("plan", model, "--board", BOARD, "--optimize", "sram")
    monkeypatch.setattr("tinyengine.cli.plan.RECOMPUTE", ())  # which would take long
    code, out, _ = tinyengine(monkeypatch, capsys, *common, "--html", html, "--png", png, "--front", "--json")
    assert code == 0
    figures = json.loads(out)
    assert figures["bottlenecks"][0].endswith(".") and " KB of " in figures["bottlenecks"][0]
    assert {buffer["kind"] for buffer in figures["buffers"]} >= {"input", "row buffer", "output"}
    assert figures["front"][0]["arena_bytes"] == figures["arena_bytes"]
    text = html.read_text()
    assert text.count("<svg") == 2 and "<script" not in text and figures["bottlenecks"][0] in text
    with Image.open(png) as picture:
        assert picture.format == "PNG"
    code, out, _ = tinyengine(monkeypatch, capsys, *common)
    assert code == 0 and figures["bottlenecks"][0][:30] in out and "what SRAM costs" not in out
    code, _, err = tinyengine(monkeypatch, capsys, *common, "--html", tmp_path / "nowhere" / "plan.html")
    assert code == 2 and "nowhere" in err and "Traceback" not in err
