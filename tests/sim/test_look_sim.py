"""A simulated board that looks through its own camera, which sees picture files."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tinyengine.boards import load, names
from tinyengine.compiler import CompileOptions, compile_graph, compile_model
from tinyengine.compiler.identity import identify
from tinyengine.data.images import InputForm
from tinyengine.data.metadata import load_metadata
from tinyengine.data.pixels import FORMATS
from tinyengine.device import open_device
from tinyengine.device.errors import RefusedError
from tinyengine.device.simulated_camera import as_seen
from tinyengine.errors import BoardError, BudgetError
from tinyengine.frontend.tflite import load_tflite
from tinyengine.frontend.tflite_writer import write_tflite
from tinyengine.ir.ops import Window
from tinyengine.live.board import Board, Options
from tinyengine.live.collecting import Collecting
from tinyengine.live.collection import Collection
from tinyengine.live.inbox import Inbox
from tinyengine.live.looking import Looking
from tinyengine.live.pages import Pages
from tinyengine.live.sources import HostSource
from tinyengine.paths import project_root
from tinyengine.project.budget import camera_bytes, judge
from tinyengine.project.sizes import firmware_sizes
from tinyengine.project.toolchain import symbols
from tinyengine.reference import run as reference
from tinyengine.sim.camera_file import SIZE

from tests.helpers.command_line import run
from tests.helpers.firmware_image import compiled
from tests.helpers.graphs import GraphBuilder

BOARD = "sim_stm32f405"
SIDE = 40


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A network for 40 x 40 pixels that arrive by rows, and the firmware around it."""
    folder = tmp_path_factory.mktemp("looking")
    b = GraphBuilder(33, "looking")
    x = b.conv(b.input(1, SIDE, SIDE, 3), 4, Window((3, 3), (2, 2)))
    x = b.conv(b.depthwise(x, Window((3, 3), (1, 1))), 4, Window((3, 3), (4, 4)))
    b.output(b.dense(b.reshape(x, (1, 100)), 6))
    path = folder / "looking.tflite"
    write_tflite(b.graph, path)
    path.with_suffix(".json").write_text(json.dumps({"task": "regression"}))
    options = CompileOptions(cpu=load(BOARD).cpu, input="rows", optimize="sram")
    return path, compiled(BOARD, folder, compile_graph(load_tflite(path), options, None, *identify(path)))


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One of the camera's size, one that is wider, one that is higher."""
    folder = tmp_path_factory.mktemp("pictures")
    random = np.random.default_rng(34)
    for name, size in (("a", (320, 240)), ("b", (500, 250)), ("c", (200, 300))):
        coarse = Image.fromarray(random.integers(0, 256, (6, 8, 3), dtype=np.uint8))
        coarse.resize(size, Image.Resampling.BICUBIC).save(folder / f"{name}.png")
    return folder


def test_the_answers_are_those_of_infer(network: tuple[Path, Path], pictures: Path, tmp_path: Path) -> None:
    model, elf = network
    device = ("--port", f"sim:{BOARD}", "--elf", elf)
    done = run("stream", "--source", "board", *device, "--pictures", pictures, "--json", "--draw", tmp_path / "seen")
    frames = [json.loads(line) for line in done.stdout.splitlines()]
    assert [frame["picture"] for frame in frames] == ["board #1", "board #2", "board #3"]
    (tmp_path / "cut").mkdir()
    for path in sorted(pictures.iterdir()):
        as_seen(Image.open(path)).save(tmp_path / "cut" / path.name)
    same = [np.asarray(Image.open(folder / "a.png")) for folder in (pictures, tmp_path / "cut")]
    np.testing.assert_array_equal(*same)
    told = json.loads(run("infer", tmp_path / "cut", *device, "--json").stdout)["pictures"]
    assert [frame["outputs"] for frame in frames] == [picture["outputs"] for picture in told]
    assert len({str(frame["outputs"]) for frame in frames}) == 3, "a network that can tell them apart"
    assert all(frame["count"] > 0 == frame["input_bytes"] for frame in frames)

    graph = load_tflite(model)
    port = graph.tensor(graph.inputs[0].tensor)
    form = InputForm(port.shape[1:], port.scale, port.zero_point, load_metadata(model))
    for number, path in enumerate(sorted((tmp_path / "cut").iterdir()), 1):
        drawn = Image.open(tmp_path / "seen" / f"board #{number}.png")  # enlarged, pixel by pixel
        small = drawn.resize((SIDE, SIDE), Image.Resampling.NEAREST)
        np.testing.assert_array_equal(form.values(small), form.values(Image.open(path)))

    again = run("stream", "--source", "board", *device, "--pictures", pictures, "--frames", "4")  # begins anew
    assert "board #4" in again.stdout and f"looking on {BOARD}" in again.stdout


def test_the_page_shows_what_the_board_sees(network: tuple[Path, Path], pictures: Path, tmp_path: Path) -> None:
    """``live --source board``: answers and pictures are those of ``stream``; a picture that is held stays the same."""
    published: list[object] = []
    pages = Pages(published.append, lambda: {})
    source = HostSource("board")
    with open_device(f"sim:{BOARD}", elf=network[1], pictures=pictures) as device:
        board = Board(device, Options(), lambda name: None)
        looking = Looking(Collecting(Collection(tmp_path / "samples"), Inbox(lambda: True), pages), pages)
        shots = []
        for hold in (False, False, True):
            source.hold = hold
            shots.append(looking.look(board, source.next(), "host"))
            source.seen(shots[-1])
        told = [event for event in published if isinstance(event, dict) and event["is"] == "answer"]
    assert [np.asarray(shot.image).shape for shot in shots] == [(SIDE, SIDE, 3)] * 3
    a, b, held = (np.asarray(shot.image) for shot in shots)
    assert (a != b).any() and (b == held).all()
    first, second, again = (event["numbers"][0]["values"] for event in told)
    assert first != second and second == again


def test_who_has_no_camera_is_told_so(network: tuple[Path, Path], pictures: Path) -> None:
    _, elf = network
    device = ("--port", f"sim:{BOARD}", "--elf", elf)
    with pytest.raises(RefusedError, match=r"has no camera.*--pictures"):
        run("stream", "--source", "board", *device)
    with pytest.raises(BoardError, match="has no camera for sim_cortex_m7 that looks at pictures"):
        run("info", "--port", "sim:sim_cortex_m7", "--elf", elf, "--pictures", pictures)


@pytest.mark.skipif(shutil.which("renode") is None, reason="renode is not on PATH")
def test_a_camera_with_a_memory_in_renode(network: tuple[Path, Path], pictures: Path, tmp_path: Path) -> None:
    """ArduCAM's module at two buses: what the board says is what its network says of the same pixels here."""
    board = load("nucleo_h743zi")
    options = CompileOptions(cpu=board.cpu, input="rows", optimize="sram")
    graph, metadata = load_tflite(network[0]), load_metadata(network[0])
    model = compile_graph(graph, options, None, *identify(network[0]))
    port = graph.tensor(graph.inputs[0].tensor)
    form = InputForm(port.shape[1:], port.scale, port.zero_point, metadata)
    with open_device("sim:nucleo_h743zi", elf=compiled(board.name, tmp_path, model), pictures=pictures) as device:
        assert device.identity.can_look
        for path in [*sorted(pictures.iterdir()), sorted(pictures.iterdir())[0]]:  # then it begins anew
            frame = FORMATS["rgb565be"].frame(rgb565(as_seen(Image.open(path))), *SIZE)
            seen = form.values(frame)
            sight = device.look(picture=True)
            np.testing.assert_array_equal(sight.picture, seen)
            np.testing.assert_array_equal(sight.inference.outputs[0].ravel(), reference(graph, [seen[None]])[0].ravel())
        assert device.statistics().runs == 4


def rgb565(image: Image.Image) -> bytes:
    """Pixels of 16 bits, the more significant byte first."""
    red, green, blue = np.moveaxis(np.asarray(image, np.uint16), 2, 0)
    return (red >> 3 << 11 | green >> 2 << 5 | blue >> 3).astype(">u2").tobytes()


def test_person_tiny_needs_no_frame_and_12_kb(tmp_path: Path) -> None:
    """What the map shows of a firmware whose camera's lines go into the person detector."""
    board = load(BOARD)
    options = CompileOptions(cpu=board.cpu, input="rows", optimize="sram", max_recompute=1.1)
    model = compile_model(project_root() / "models" / "person_tiny.tflite", options)
    frame = 80 * 80 * 3
    elf = compiled(BOARD, tmp_path, model)
    data = {name: size for name, kind, _, size in symbols(elf) if kind in "bBdD"}
    assert data["network_arena"] == model.plan.arena_bytes <= 12 * 1024
    assert "camera_lines" in data, "the camera's lines"
    assert data["network_arena"] + data["camera_lines"] < frame
    others = {name: size for name, size in data.items() if name not in ("network_arena", "camera_lines")}
    assert max(others.values()) <= 4096, "the ring of the serial port is the largest of the rest"
    assert sum(data.values()) < 32 * 1024

    lines = camera_bytes(model, board)
    assert data["camera_lines"] < lines < data["camera_lines"] + 2048, "what the judge counts"
    full = replace(
        board, reserved_sram_bytes=board.network_sram_bytes + board.reserved_sram_bytes - data["network_arena"]
    )
    assert full.network_sram_bytes == data["network_arena"]
    with pytest.raises(BudgetError, match="for lines of the board's camera"):
        judge(model, full)
    judge(model, replace(full, reserved_sram_bytes=full.reserved_sram_bytes - lines))


def test_reserves_cover_cameras_and_what_reads_them(network: tuple[Path, Path]) -> None:
    """Of each board with a camera: what its firmware takes around a network of pictures, fed by rows."""
    for board in (load(name) for name in names() if load(name).camera_width):
        options = CompileOptions(cpu=board.cpu, input="rows")
        taken = firmware_sizes(network[0], board, options)
        assert taken.fits
        stack = 0 if board.stack_shares_sram else board.stack_bytes
        lines = camera_bytes(compile_model(network[0], options), board)
        assert taken.sram_bytes - taken.arena_bytes - stack - lines <= board.reserved_sram_bytes, board.name
        assert taken.flash_bytes - taken.weight_bytes - taken.code_bytes <= board.reserved_flash_bytes, board.name


def test_the_schedule_leaves_room_for_the_lines() -> None:
    """What a whole frame leaves of the board's memory is not all the arena's."""
    board = load(BOARD)
    path = project_root() / "models" / "face_mask.tflite"
    fits = compile_model(
        path, CompileOptions(board.cpu, sram_available=board.network_sram_bytes, camera_width=board.camera_width)
    )
    judge(fits, board)
    fills = compile_model(path, CompileOptions(board.cpu, sram_available=board.network_sram_bytes))
    assert (
        fits.sram_bytes + camera_bytes(fits, board)
        <= board.network_sram_bytes
        < fills.sram_bytes + camera_bytes(fills, board)
    )
    with pytest.raises(BudgetError, match=r"2,400 bytes \(2\.3 KB\) for boxes, .* for lines of the board's camera"):
        judge(fills, board)
