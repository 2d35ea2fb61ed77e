"""The networks in models/: what their cards promise."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from tinyengine import native
from tinyengine.boards import load
from tinyengine.compiler import CompileOptions, compile_model
from tinyengine.data.metadata import load_metadata
from tinyengine.data.reader import read_pictures
from tinyengine.frontend import load_tflite
from tinyengine.language.text import nats
from tinyengine.paths import project_root, shared_dir
from tinyengine.project.budget import judge, measure_code
from tinyengine.zoo.table import find, macs

from scripts.tales.__main__ import tale
from tests.helpers import bench_script

SHIPPED = {"person_tiny": 7e6, "person_small": 15e6, "person_best": 40e6}  # name -> most MACs
WITH_SCHEME = ("person_tiny", "person_small")
LEAST_RIGHT = 85.0  # per cent of found faces that get the right class


@dataclass(frozen=True)
class Detects:
    """A detector: its classes, its most MACs and least AP50, all classes as one, and what that is measured with."""

    classes: tuple[str, ...]
    macs: float
    ap50: float
    pictures: str


DETECTORS = {
    "person_boxes": Detects(("person",), 12e6, 33.0, "person_boxes_val.npz"),
    "face_mask": Detects(("mask", "no_mask"), 15e6, 35.0, "face_boxes.npz"),
}
KB = 1024


def path(name: str) -> Path:
    return project_root() / "models" / f"{name}.tflite"


@pytest.mark.parametrize("name", SHIPPED)
def test_a_person_network_is_what_its_card_says(name: str) -> None:
    graph = load_tflite(path(name))
    (image,), (answer,) = graph.input_tensors(), graph.output_tensors()
    architecture = find(name.replace("_", "-"))
    assert graph.tensor(image).shape == (1, architecture.resolution, architecture.resolution, 3)
    quant = graph.tensor(image).quant
    assert quant is not None and float(quant.zero_point[0]) == 0 and quant.scale[0] == pytest.approx(1 / 128, rel=1e-3)
    assert graph.tensor(answer).shape == (1, 2)
    assert tuple(load_metadata(path(name)).classes) == ("no_person", "person")
    compiled = compile_model(path(name), CompileOptions())
    assert compiled.macs == macs(architecture) <= SHIPPED[name]
    card = path(name).with_suffix(".md").read_text()
    assert f"{compiled.macs / 1e6:.2f} M MACs" in card
    assert f"{compiled.plan.arena_bytes:,} bytes" in card


@pytest.mark.parametrize("name", DETECTORS)
def test_a_detector_is_what_its_card_says(name: str) -> None:
    wanted = DETECTORS[name]
    compiled = compile_model(path(name), CompileOptions())
    card = path(name).with_suffix(".md").read_text()
    meaning = load_metadata(path(name))
    assert meaning is not None and meaning.boxes is not None
    assert meaning.task == "detection" and meaning.classes == wanted.classes and meaning.boxes.head == "grid"
    side = compiled.graph.tensor(compiled.graph.inputs[0].tensor).shape[1]
    assert 128 <= side <= 160 and f"{side}x{side} RGB" in card
    assert compiled.macs <= wanted.macs and f"{compiled.macs / 1e6:.2f} M MACs" in card
    by_rows = compile_model(path(name), CompileOptions(input="rows", optimize="sram"))
    assert by_rows.plan.arena_bytes <= 40 * KB
    for model in (compiled, by_rows):
        assert f"{model.plan.arena_bytes:,} bytes" in card
    board = load("sim_stm32f405")
    as_in_the_demo = CompileOptions(
        cpu=board.cpu, sram_available=board.network_sram_bytes, input="rows", optimize="sram"
    )
    judge(compile_model(path(name), as_in_the_demo), board)  # raises BudgetError


@pytest.mark.slow
@pytest.mark.parametrize("name", DETECTORS)
def test_the_precision_of_a_detector_is_the_stated_one(name: str) -> None:
    shared, wanted = shared_dir(), DETECTORS[name]
    if shared is None or not (shared / "data" / wanted.pictures).is_file():
        pytest.skip(f"the shared folder with {wanted.pictures} is not there (TINYENGINE_SHARED)")
    quality = bench_script.load("boxes").measure(path(name))
    ap50 = quality.precision.ap50
    assert ap50 is not None and ap50 >= wanted.ap50
    card = path(name).with_suffix(".md").read_text()
    assert f"**{ap50:.1f}**" in card
    columns = [quality.precision, *quality.by_class.values()]
    for size in quality.precision.by_size:
        cells = [f"{each.by_size[size][1]} | {each.by_size[size][0]:.1f}" for each in columns]
        assert f"| {size} | {' | '.join(cells)} |" in card
    for line in quality.thresholds:
        said = "" if line.class_right is None else f" {line.class_right:.0f} % |"
        assert f"| {line.score:.1f} | {line.recall:.0f} % | {line.precision:.0f} % |{said}" in card
        assert line.class_right is None or line.class_right >= LEAST_RIGHT


@pytest.mark.slow(but=1)
@pytest.mark.parametrize("name", WITH_SCHEME)
def test_its_training_scheme_fits_the_simulated_board(name: str) -> None:
    board, scheme = load("sim_stm32f405"), path(name).with_suffix(".scheme.json")
    assert json.loads(scheme.read_text())["name"] == name
    options = CompileOptions(
        cpu=board.cpu, requant="exact", sram_available=board.network_sram_bytes, train=str(scheme), classes=2
    )
    trained = compile_model(path(name), options)
    assert trained.trained_bytes > 0
    judge(trained, board, measure_code(trained))  # raises BudgetError


@pytest.mark.slow
def test_person_tiny_leaves_room_on_a_small_chip() -> None:
    """64 KB of SRAM and 512 KB of flash, with two saved states of its scheme and 64 KB for code beside it."""
    plain = compile_model(path("person_tiny"), CompileOptions(optimize="sram"))
    trained = compile_model(
        path("person_tiny"), CompileOptions(train=str(path("person_tiny").with_suffix(".scheme.json")))
    )
    assert plain.plan.arena_bytes < 24 * KB and trained.plan.arena_bytes < 48 * KB
    assert trained.weight_bytes + 2 * trained.trained_bytes < (512 - 64) * KB


@pytest.mark.slow
@pytest.mark.parametrize(("name", "least"), [("person_tiny", 85.0), ("person_small", 85.0), ("person_best", 86.0)])
def test_its_accuracy_is_the_stated_one(name: str, least: float) -> None:
    """int8, by the code that the board runs, on pictures that it was not trained on."""
    shared = shared_dir()
    if shared is None or not (shared / "data" / "vww_val.npz").is_file():
        pytest.skip("the shared folder with vww_val.npz is not there (TINYENGINE_SHARED)")
    pictures = read_pictures(shared / "data" / "vww_val.npz").decoded(find(name.replace("_", "-")).resolution)
    card = path(name).with_suffix(".md").read_text()
    for requant, stated in (("exact", "**{:.1f} %**"), ("fast", "{:.1f} % with `fast` rounding")):
        network = native.build(compile_model(path(name), CompileOptions(requant=requant, prefix=requant)), fast=True)
        inputs = (pictures.values.astype(np.int16) - 128).astype(np.int8)
        answers = np.array([int(np.argmax(network.run([x[None]])[0])) for x in inputs])
        accuracy = 100 * float((answers == pictures.labels).mean())
        assert accuracy >= least
        assert stated.format(accuracy) in card


def test_tales_is_what_its_card_says() -> None:
    """Sizes, and that the integers foretell tales that were not trained on as well as stated, give or take a tale."""
    file = project_root() / "models" / "tales.lm"
    card = file.with_suffix(".md").read_text()
    compiled = compile_model(file)
    tokenizer = compiled.graph.tokenizer
    assert tokenizer is not None
    assert f"{file.stat().st_size:,} bytes, weights of 8 bits" in card
    assert f"what {len(tokenizer.pieces):,} tokens" in card
    network = native.build(compiled)
    rng, found = random.Random(7), []
    for _ in range(4):
        network.reset()
        found.append(nats(tokenizer.encode(tale(rng)), lambda token: network.run([token])[0]).mean())
    assert 0.15 < np.mean(found) < 0.35
