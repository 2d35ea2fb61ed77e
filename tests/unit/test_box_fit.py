"""Boxed pictures as people have them, what a detector learns of them, and how well it finds them."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tinyengine.compiler import CompileOptions, compile_model
from tinyengine.convert.keras import picture_samples, quantize
from tinyengine.data.box_pictures import COUNTS, IGNORED, join_boxes, read_boxes
from tinyengine.data.boxes import Box, find_boxes
from tinyengine.errors import DataError, ModelError
from tinyengine.progress import silent
from tinyengine.recipes.augment import Augmentation, augment_boxes
from tinyengine.recipes.average_precision import as_one, average_precision, confused
from tinyengine.recipes.box_engine import BoxEngine
from tinyengine.recipes.box_loss import BoxLoss
from tinyengine.recipes.box_training import BoxArrays, BoxTraining
from tinyengine.recipes.evaluate import keras_outputs
from tinyengine.recipes.recipe import Recipe
from tinyengine.recipes.start import begin_detector, narrow
from tinyengine.zoo.arch_file import save_architecture
from tinyengine.zoo.detector import STRIDE, Detector, detector_macs, detector_model
from tinyengine.zoo.table import Network, parse_blocks

from tests.helpers.boxed_squares import boxed_squares
from tests.helpers.command_line import fails, run

SMALL = Network("small", 32, 8, parse_blocks("e1c8k3 e2c8k3s2 e2c12k3s2 e2c12k3 e2c16k3s2 e2c24k3s2"), 2)
WIDE, HIGH = 60, 40
BOXES = [("dog", (6, 4, 18, 24), False), ("cat", (30, 10, 60, 40), False), ("dog", (0, 0, 6, 8), True)]
"""Class, edges in pixels, whether it is difficult."""


def picture() -> Image.Image:
    return Image.fromarray(np.random.default_rng(3).integers(0, 256, (HIGH, WIDE, 3), dtype=np.uint8))


def as_npz(folder: Path) -> Path:
    content = io.BytesIO()
    picture().save(content, "PNG")
    edges = np.array([box for _, box, _ in BOXES]) / [WIDE, HIGH, WIDE, HIGH]
    np.savez(
        folder / "boxes.npz",
        jpeg=np.frombuffer(content.getvalue() * 2, np.uint8),
        offset=np.arange(3) * len(content.getvalue()),
        boxes=edges.astype(np.float32),
        box_class=np.array([1, 0, 1], np.uint8),
        box_image=np.zeros(3, np.int32),
        box_ignore=np.array([0, 0, 1], np.uint8),
        class_names=np.array(["cat", "dog"]),
        split=np.array([0, 1], np.uint8),
    )
    return folder / "boxes.npz"


def as_coco(folder: Path) -> Path:
    (folder / "val").mkdir()
    picture().save(folder / "val" / "a.png")
    notes = [
        {"image_id": 7, "category_id": 10 + (name == "dog"), "bbox": [x, y, x1 - x, y1 - y], "iscrowd": int(crowd)}
        for name, (x, y, x1, y1), crowd in BOXES
    ]
    data = {
        "images": [{"id": 7, "file_name": "a.png", "width": WIDE, "height": HIGH}],
        "categories": [{"id": 10, "name": "cat"}, {"id": 11, "name": "dog"}],
        "annotations": notes,
    }
    (folder / "notes.json").write_text(json.dumps(data))
    return folder / "notes.json"


def as_yolo(folder: Path, labels: str = "labels") -> Path:
    (folder / "images").mkdir()
    (folder / labels).mkdir(exist_ok=True)
    picture().save(folder / "images" / "a.png")
    lines = [
        f"{int(name == 'dog')} {(x + x1) / 2 / WIDE} {(y + y1) / 2 / HIGH} {(x1 - x) / WIDE} {(y1 - y) / HIGH}"
        for name, (x, y, x1, y1), _ in BOXES
    ]
    (folder / labels / "a.txt").write_text("\n".join(lines) + "\n")
    (folder / "classes.txt").write_text("cat\ndog\n")
    return folder


def as_voc(folder: Path) -> Path:
    (folder / "Annotations").mkdir()
    (folder / "JPEGImages").mkdir()
    picture().save(folder / "JPEGImages" / "a.png")
    things = "".join(
        f"<object><name>{name}</name><difficult>{int(hard)}</difficult><bndbox><xmin>{x}</xmin><ymin>{y}</ymin>"
        f"<xmax>{x1}</xmax><ymax>{y1}</ymax></bndbox></object>"
        for name, (x, y, x1, y1), hard in BOXES
    )
    size = f"<size><width>{WIDE}</width><height>{HIGH}</height></size>"
    text = f"<annotation><filename>a.png</filename>{size}{things}</annotation>"
    (folder / "Annotations" / "a.xml").write_text(text)
    return folder


@pytest.mark.parametrize("write", [as_npz, as_coco, as_yolo, as_voc])
def test_the_forms_of_boxes_say_the_same(tmp_path: Path, write: object) -> None:
    found = read_boxes(write(tmp_path))  # type: ignore[operator]
    assert found.classes == ("cat", "dog") and len(found) == 1
    states = [COUNTS, COUNTS, COUNTS if write is as_yolo else IGNORED]  # YOLO's form has no difficult ones
    edges = np.array([box for _, box, _ in BOXES]) / [WIDE, HIGH, WIDE, HIGH]
    np.testing.assert_allclose(found.boxes[0], np.column_stack([edges, [1, 0, 1], states]), atol=1e-6)
    assert found.pictures.values[0].rgb().size == (WIDE, HIGH)
    dogs = found.of_classes(["dog"])
    assert dogs.classes == ("dog",) and dogs.boxes[0].shape == (2, 6) and not dogs.boxes[0][:, 4].any()
    animals = found.of_classes(["animal=cat,dog"])
    assert animals.classes == ("animal",) and animals.boxes[0].shape == (3, 6) and not animals.boxes[0][:, 4].any()
    with pytest.raises(DataError, match="no box is a 'cow'"):
        found.of_classes(["cow"])
    with pytest.raises(DataError, match="'dog' would be of two classes"):
        found.of_classes(["cat=cat,dog", "dog"])
    with pytest.raises(DataError, match="different classes"):
        join_boxes([found, dogs])
    assert len(join_boxes([dogs, dogs])) == 2


def test_yolo_beside_its_pictures_and_what_is_no_box(tmp_path: Path) -> None:
    path = as_yolo(tmp_path, "images")
    assert len(read_boxes(path).boxes[0]) == 3
    (path / "classes.txt").write_text("cat\n")
    with pytest.raises(DataError, match="names 1 classes, and a box is of class 1"):
        read_boxes(path)
    for line in ("0 0.5 0.5 0.1", "-1 0.5 0.5 0.1 0.1"):
        (path / "images" / "a.txt").write_text(line + "\n")
        with pytest.raises(DataError, match="not YOLO's form"):
            read_boxes(path)
    (path / "images" / "a.txt").unlink()
    with pytest.raises(DataError, match="holds no boxes"):
        read_boxes(path)
    (path / "a.xml").write_text("<annotation><object></annotation>")
    with pytest.raises(DataError, match="not VOC's form"):
        read_boxes(path)
    (path / "a.json").write_text('{"images": []}')
    with pytest.raises(DataError, match="not COCO's form"):
        read_boxes(path / "a.json")
    with pytest.raises(DataError, match="there are no boxes in"):
        read_boxes(path / "classes.txt")


def test_pictures_of_any_name_are_looked_for_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = as_voc(tmp_path)
    text = (path / "Annotations" / "a.xml").read_text()
    for name in ("a[1].png", "b.png"):
        picture().save(path / "JPEGImages" / name)
        (path / "Annotations" / name).with_suffix(".xml").write_text(text.replace("a.png", name))
    walks: list[str] = []
    rglob = Path.rglob

    def walk(folder: Path, pattern: str) -> Iterator[Path]:
        walks.append(pattern)
        return rglob(folder, pattern)

    monkeypatch.setattr(Path, "rglob", walk)
    assert [Path(each.name).name for each in read_boxes(path).pictures.values] == ["a.png", "a[1].png", "b.png"]
    assert len(walks) <= 2, "one for the notes, one for the pictures"
    (path / "JPEGImages" / "b.png").unlink()
    with pytest.raises(DataError, match=r"the picture b\.png is neither in .* nor below it"):
        read_boxes(path)


def test_an_archive_has_a_part_that_is_held_out_and_may_be_damaged(tmp_path: Path) -> None:
    path = as_npz(tmp_path)
    assert len(read_boxes(path)) == len(read_boxes(path, held_out=True)) == 1
    assert not len(read_boxes(path, held_out=True).boxes[0])
    data = dict(np.load(path))
    for name, value, reason in (
        ("boxes", data["boxes"][:, :3], "must be"),
        ("box_image", data["box_image"] + 2, "names a picture or a class"),
        ("box_class", data["box_class"].astype(np.int8) - 2, "names a picture or a class"),
        ("boxes", data["boxes"] * np.float32(np.nan), "not finite"),
        ("boxes", None, "lacks boxes"),
    ):
        changed = {key: each for key, each in {**data, name: value}.items() if each is not None}
        np.savez(tmp_path / "changed.npz", **changed)
        with pytest.raises(DataError, match=reason):
            read_boxes(tmp_path / "changed.npz")


def test_pictures_without_boxes_are_background(tmp_path: Path) -> None:
    archive = dict(np.load(as_npz(tmp_path)))
    del archive["split"]
    np.savez(tmp_path / "all.npz", **archive)
    both = read_boxes(tmp_path / "all.npz")
    empty = both.background(["horse"])
    assert [len(each) for each in both.boxes] == [3, 0]
    assert empty.classes == ("horse",) and [len(each) for each in empty.boxes] == [0]
    with pytest.raises(DataError, match="leave --background out"):
        both.take(np.array([0])).background(["horse"])


def rows(*boxes: tuple[float, ...]) -> np.ndarray:
    return np.array(boxes, np.float32).reshape(-1, 6)


def test_average_precision() -> None:
    truth = [rows((0, 0, 0.5, 0.5, 0, COUNTS), (0.5, 0.5, 1, 1, 0, COUNTS)), rows((0, 0, 0.05, 0.1, 0, COUNTS))]
    right = [[Box(0, 0.9, 0, 0, 0.5, 0.5), Box(0, 0.5, 0.5, 0.5, 1, 1)], [Box(0, 0.6, 0, 0, 0.05, 0.1)]]
    assert average_precision(right, truth, 1).ap50 == pytest.approx(100)
    wrong = [[*right[0], Box(0, 0.8, 0.1, 0.6, 0.3, 0.9)], right[1]]  # the second best is none: 1, 2/3, 3/4 of them
    found = average_precision(wrong, truth, 1)
    assert found.ap50 == pytest.approx(100 * (1 + 0.75 + 0.75) / 3) and found.count == 3
    assert found.by_size["below 1 %"] == (pytest.approx(100), 1)
    assert found.by_size["1-5 %"] == (None, 0)
    assert found.by_size["above 20 %"] == (pytest.approx(100), 2)  # a wrong one of 6 % counts elsewhere
    twice = [[*right[0], Box(0, 0.8, 0, 0, 0.5, 0.45)], right[1]]
    assert average_precision(twice, truth, 1).ap50 == pytest.approx(100 * (1 + 0.75 + 0.75) / 3)
    hidden = [np.concatenate([truth[0], rows((0.1, 0.6, 0.3, 0.9, 0, IGNORED))]), truth[1]]
    assert average_precision(wrong, hidden, 1).ap50 == pytest.approx(100)
    assert average_precision([[], []], truth, 1).ap50 == 0
    both = average_precision(right, truth, 2)
    assert both.ap50 == pytest.approx(100)  # nothing to find of the second class


def test_what_is_found_of_any_class_and_what_it_is_taken_for() -> None:
    truth = [rows((0, 0, 0.5, 0.5, 0, COUNTS), (0.5, 0.5, 1, 1, 1, COUNTS), (0, 0.5, 0.5, 1, 1, IGNORED))]
    found = [[Box(1, 0.9, 0, 0, 0.5, 0.45), Box(0, 0.8, 0, 0, 0.5, 0.5), Box(1, 0.7, 0.5, 0.5, 1, 0.95)]]
    assert confused(found, truth, 2).tolist() == [[0, 1], [0, 1]]  # the second one comes late for what it fits
    assert average_precision(found, truth, 2).ap50 == pytest.approx((100 + 50) / 2)
    one = average_precision(*as_one(found, truth), 1)
    assert one.count == 2 and one.ap50 == pytest.approx(100 * (1 + 2 / 3) / 2)


def test_the_detector_has_the_layers_of_its_backbone() -> None:
    whole = detector_model(Detector(SMALL, 1))
    assert whole.output.shape[1:] == (SMALL.resolution // STRIDE, SMALL.resolution // STRIDE, 5)
    assert "block4_project" in {layer.name for layer in whole.layers}
    assert "block5_project" not in {layer.name for layer in whole.layers}
    less = detector_model(Detector(SMALL, 3, (3,)))
    assert less.output.shape[-1] == 8 and "block3_project" not in {layer.name for layer in less.layers}
    block3 = (12 * 24 + 9 * 24 + 24 * 12) * (SMALL.resolution // STRIDE) ** 2
    boxes = 32 * 3 * (SMALL.resolution // STRIDE) ** 2
    assert detector_macs(whole) - detector_macs(less) == block3 - boxes
    wide = replace(SMALL, blocks=parse_blocks("e1c8k3 e4c8k3s2 e2c12k3s2 e2c12k3 e4c16k3s2"))
    narrowed = detector_model(Detector(wide, 1, (), ((1, 2), (4, 2))))
    assert [layer.output.shape for layer in narrowed.layers] == [layer.output.shape for layer in whole.layers]
    for numbers, sentence in (((1, 4), "cannot have an expansion of 4"), ((9, 2), "does not use block 9")):
        with pytest.raises(ModelError, match=sentence):
            detector_model(Detector(wide, 1, (), (numbers,)))
    with pytest.raises(ModelError, match="changes the shape"):
        detector_model(Detector(SMALL, 1, (1,)))
    with pytest.raises(ModelError, match="multiple of 16"):
        detector_model(Detector(replace(SMALL, resolution=40), 1))
    with pytest.raises(ModelError, match="no blocks at the strides"):
        detector_model(Detector(replace(SMALL, blocks=SMALL.blocks[:3]), 1))


def test_boxes_follow_what_a_crop_shows() -> None:
    """A bright rectangle on black is where its box says, cropped, flipped and put together from four."""

    r = np.random.default_rng(5)
    pixels = np.zeros((16, 64, 64, 3), np.uint8)
    boxes = np.zeros((16, 2, 6), np.float32)
    for each, box in zip(pixels, boxes, strict=True):
        left, top = r.integers(4, 30, 2)
        right, bottom = left + r.integers(10, 30), top + r.integers(10, 30)
        each[top:bottom, left:right] = 255
        box[0] = [left / 64, top / 64, right / 64, bottom / 64, 0, COUNTS]
    plain = Augmentation(0.4, brightness=0, contrast=0, saturation=0, gray=0)
    for mosaic in (0.0, 1.0):
        x, moved = (np.asarray(each) for each in augment_boxes(pixels, boxes, 64, plain, mosaic, [1, 2]))
        assert x.shape == pixels.shape and moved.shape == (16, 8, 6)
        assert (moved[..., 5] == COUNTS).sum() >= (60 if mosaic else 15)
        for each, theirs in zip(x, moved, strict=True):
            shown = np.zeros((64, 64))
            for left, top, right, bottom, *_ in 64 * theirs[theirs[:, 5] != 0]:
                shown[round(top) : round(bottom), round(left) : round(right)] = 1
            assert ((each[..., 0] > 0) != shown).mean() < 0.05
        again, _ = augment_boxes(pixels, boxes, 64, plain, mosaic, [1, 2])
        assert (np.asarray(again) == x).all()


def test_a_cell_answers_for_the_smallest_box_and_for_no_ignored_one() -> None:

    detector = Detector(replace(SMALL, resolution=64), 1)
    loss = BoxLoss(1)
    large, small = (0, 0, 1, 1, 0, COUNTS), (0.26, 0.26, 0.36, 0.36, 0, COUNTS)
    boxes = rows(large, small, (0.7, 0.7, 1, 1, 0, IGNORED))[None]
    answers, silent, own = (np.asarray(each)[0] for each in loss.assigned(boxes, 8, 8))
    answers, silent, own = answers.reshape(8, 8), silent.reshape(8, 8), own.reshape(8, 8, 6)
    assert answers[2, 2] and (own[2, 2] == np.float32(small)).all()
    assert {(int(y), int(x)) for y, x in np.argwhere(answers)} == {(2, 2)} | {(y, x) for y in (3, 4) for x in (3, 4)}
    assert (own[4, 4] == np.float32(large)).all()
    assert silent[6:, 6:].all() and silent.sum() == 4
    # the loss reads the numbers as whoever uses the network does
    cells = np.random.default_rng(2).normal(0, 1, (1, 64, 5)).astype(np.float32)
    edges = np.asarray(loss.decoded(cells, 8, 8))[0]
    head = replace(detector.head, threshold=0.0, overlap=1.0, most=64)
    found = find_boxes([cells.reshape(8, 8, 5)], head, (64, 64), 1)
    order = np.argsort(-cells[0, :, 4], kind="stable")
    ours = np.array([[box.left, box.top, box.right, box.bottom] for box in found])
    np.testing.assert_allclose(ours, edges[order].clip(0, 1), atol=1e-5)


def coarse(count: int, size: int) -> np.ndarray:
    """Pictures of large, coloured squares."""
    squares = np.random.default_rng(7).integers(0, 256, (count, size // 8, size // 8, 3), dtype=np.uint8)
    return squares.repeat(8, 1).repeat(8, 2)


def shaken(model: Any) -> Any:
    """With weights that are nobody's beginning."""
    r = np.random.default_rng(4)
    for weight in model.weights:
        value = weight.numpy()
        weight.assign(value + (0.1 * np.abs(r.normal(size=value.shape))).astype(np.float32))
    return model


def test_a_detector_begins_with_an_int8_one_and_may_find_other_classes(tmp_path: Path) -> None:
    pixels = coarse(32, 32)
    one, three = Detector(SMALL, 1), Detector(SMALL, 3)
    model = shaken(detector_model(one))
    start = tmp_path / "net.tflite"
    start.write_bytes(quantize(model, picture_samples(pixels)))
    again, other = detector_model(one), detector_model(three)
    assert begin_detector(again, start, pixels) and begin_detector(other, start, pixels)
    theirs = keras_outputs(model, pixels)
    assert theirs.std() > 0.1
    np.testing.assert_allclose(keras_outputs(again, pixels), theirs, atol=0.1 * theirs.std())
    np.testing.assert_allclose(keras_outputs(other, pixels)[..., :5], theirs, atol=0.1 * theirs.std())
    assert not begin_detector(detector_model(Detector(SMALL, 1, (3,))), start, pixels)  # it has fewer layers


def test_a_start_that_is_no_archive_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "best.npz"
    path.write_text("hello")
    data = BoxArrays.of(read_boxes(as_npz(tmp_path)), 32, silent)
    with pytest.raises(DataError, match="does not hold weights"):
        BoxTraining(Detector(SMALL, 2), Recipe(batch=1), data, tmp_path / "run", path)


def test_a_narrower_detector_keeps_the_channels_that_say_something() -> None:
    """Half of the wide one's say nothing, so that the narrow one computes the same."""
    pixels = coarse(64, 32)
    blocks = parse_blocks("e1c8k3 e4c8k3s2 e2c12k3s2 e2c12k3 e4c16k3s2")
    detector = Detector(replace(SMALL, blocks=blocks), 1, (), ((1, 2), (4, 2)))
    wide, same, model = (detector_model(each) for each in (*[replace(detector, narrowed=())] * 2, detector))
    narrow(wide, shaken(detector_model(replace(detector, narrowed=()))), pixels)  # so that no channel is dead
    for name in ("block1_project", "block4_project"):
        [kernel] = wide.get_layer(name).get_weights()
        kernel[:, :, np.random.default_rng(1).permutation(kernel.shape[2])[: kernel.shape[2] // 2]] = 0
        wide.get_layer(name).set_weights([kernel])
    narrow(same, wide, pixels)  # nothing but its normalization is measured
    narrow(model, wide, pixels)
    expected = keras_outputs(same, pixels)
    assert expected.std() > 0.1
    np.testing.assert_allclose(keras_outputs(model, pixels), expected, atol=1e-3)


def test_pytorch_takes_the_same_step() -> None:
    """Why one, and how near: test_recipes.py."""
    pytest.importorskip("torch")
    from tinyengine.recipes.torch_box_engine import TorchBoxEngine

    detector = Detector(replace(SMALL, resolution=64), 2, (3,))
    recipe = Recipe(batch=8, augmentation=Augmentation(0.5))
    model = shaken(detector_model(detector))
    twin = detector_model(detector)
    twin.set_weights(model.get_weights())
    pixels, boxes = coarse(8, 96), np.zeros((8, 3, 6), np.float32)
    boxes[:, 1] = [0.2, 0.3, 0.7, 0.8, 1, COUNTS]
    boxes[:4, 2] = [0.5, 0.5, 0.6, 0.7, 0, COUNTS]
    engines = BoxEngine(model, detector, recipe, 0.5, 2), TorchBoxEngine(twin, detector, recipe, 0.5, 2, 1)
    losses = [engine.step(pixels, boxes, 0.01, 0.9, (0, 1)) for engine in engines]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)
    ours, theirs = (engine.state() for engine in engines)
    for a, b in zip(ours["velocity"], theirs["velocity"], strict=True):
        # an offset that the next normalization takes away has a gradient of nothing but rounding
        assert np.linalg.norm(a - b) < 0.03 * np.linalg.norm(a) + 1e-4
    for name in ("weight", "average"):
        for a, b in zip(ours[name], theirs[name], strict=True):
            np.testing.assert_allclose(a, b, atol=1e-3)


@pytest.mark.slow
def test_squares_are_learned_found_and_a_run_continues(tmp_path: Path) -> None:
    save_architecture(SMALL, tmp_path / "small.json", {})
    task = ("fit", "--task", "detection", "--arch", tmp_path / "small.json", "--batch", "16", "--average", "0.9")
    data = (
        "--data",
        boxed_squares(tmp_path / "train.npz", 96, 1),
        "--validate",
        boxed_squares(tmp_path / "val.npz", 24, 2),
        "--rate",
        "0.03",
    )
    out = ("--run", tmp_path / "run", "-o", tmp_path / "net.tflite", "--json")
    done = json.loads(run(*task, *data, "--epochs", "25", *out).stdout)
    assert done["boxes"] == done["pictures"] == 96 and done["int8_precision"]["count"] == 24
    assert done["float_precision"]["ap50"] > 60 and done["int8_precision"]["ap50"] > 55
    meaning = json.loads((tmp_path / "net.json").read_text())
    assert meaning["task"] == "detection" and meaning["classes"] == ["square"]
    assert meaning["boxes"]["head"] == "grid" and meaning["boxes"]["reach"] == 4.0
    with pytest.raises(DataError, match="add --resume"):
        run(*task, *data, "--epochs", "25", *out)
    assert json.loads(run(*task, *data, "--epochs", "25", *out, "--resume").stdout)["steps"] == done["steps"]
    with pytest.raises(ModelError, match="finds boxes, and a training step"):
        compile_model(tmp_path / "net.tflite", CompileOptions(train="last-1"))
    for start in ("best.npz", "checkpoint.npz", "model.keras"):
        again = ("--run", tmp_path / start.split(".")[0], "-o", tmp_path / "again.tflite", "--json")
        more = run(*task, *data, "--epochs", "0.2", *again, "--start", tmp_path / "run" / start, "--rate", "0.0001")
        assert json.loads(more.stdout)["float_precision"]["ap50"] > done["float_precision"]["ap50"] - 10
    with pytest.raises(DataError, match="another architecture, data or settings"):
        run(*task, *data, "--epochs", "25", "--mosaic", "0.5", *out, "--resume")


def test_options_of_the_other_task_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for options, name in (
        (("--task", "detection", "--mixup", "0.5"), "--mixup"),
        (("--mosaic", "0.5"), "--mosaic"),
        (("--narrow", "1", "2"), "--narrow"),
    ):
        said = fails(monkeypatch, capsys, "fit", "--data", tmp_path, *options, "-o", tmp_path / "a.tflite")
        assert f"{name} is not for --task" in said
