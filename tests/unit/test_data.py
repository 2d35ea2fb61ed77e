"""Pictures: sources, decoding, the way into a network's input."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tinyengine.data.answers import classify
from tinyengine.data.images import InputForm, to_pixels
from tinyengine.data.metadata import ModelMetadata, parse_mapping
from tinyengine.data.reader import read_all, read_pictures
from tinyengine.data.samples import labelled
from tinyengine.errors import DataError


def picture(value: int = 0, size: tuple[int, int] = (20, 10)) -> Image.Image:
    return Image.new("RGB", size, (value, value // 2, 255 - value))


@pytest.fixture
def classes(tmp_path: Path) -> Path:
    for name, count in (("cat", 2), ("dog", 3)):
        (tmp_path / "set" / name).mkdir(parents=True)
        for k in range(count):
            picture(10 * k).save(tmp_path / "set" / name / f"{k}.png")
    (tmp_path / "set" / "notes.txt").write_text("not a picture")
    return tmp_path / "set"


def archive(path: Path, count: int = 3, **arrays: np.ndarray) -> Path:
    files = []
    for k in range(count):
        picture(40 * k).save(buffer := io.BytesIO(), format="PNG")
        files.append(np.frombuffer(buffer.getvalue(), np.uint8))
    offset = np.concatenate([[0], np.cumsum([len(f) for f in files])])
    np.savez(path, **({"jpeg": np.concatenate(files), "offset": offset} | arrays))
    return path


def test_one_folder_per_class(classes: Path) -> None:
    found = read_pictures(classes)
    assert found.classes == ("cat", "dog")
    assert found.labels.tolist() == [0, 0, 1, 1, 1]
    assert found.values[1].rgb().getpixel((0, 0)) == (10, 5, 245)


def test_a_flat_folder_and_a_file(classes: Path) -> None:
    flat = read_pictures(classes / "dog", labelled=False)
    assert len(flat) == 3 and flat.classes == () and flat.labels.tolist() == [-1] * 3
    single = read_all([classes / "cat" / "0.png", classes / "dog"])
    assert [Path(p.name).name for p in single] == ["0.png", "0.png", "1.png", "2.png"]


def test_pictures_beside_subfolders_count_alone_where_labels_do_not_matter(classes: Path) -> None:
    picture().save(classes / "loose.png")
    assert [Path(p.name).name for p in read_all([classes])] == ["loose.png"]
    for needed in (True, False):
        with pytest.raises(DataError, match=r"loose\.png beside them"):
            read_pictures(classes, labelled=needed)


def test_an_empty_class_is_refused_where_classes_count(classes: Path) -> None:
    (classes / "bird").mkdir()
    with pytest.raises(DataError, match="bird holds no samples"):
        read_pictures(classes)
    assert len(read_all([classes])) == 5
    (classes / "bird").rmdir()
    assert read_pictures(classes).classes == ("cat", "dog")


def test_parts_of_the_data_are_no_classes(classes: Path, tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    classes.rename(tmp_path / "root" / "train")
    shutil.copytree(tmp_path / "root" / "train", tmp_path / "root" / "test")
    with pytest.raises(DataError, match="not classes: give --data ") as told:
        read_pictures(tmp_path / "root")
    assert read_pictures(Path(str(told.value).split("--data ")[1].split(" (")[0])).classes == ("cat", "dog")
    (tmp_path / "flat" / "train").mkdir(parents=True)  # somebody sorts trains from tests
    (tmp_path / "flat" / "test").mkdir()
    for name in ("train", "test"):
        picture().save(tmp_path / "flat" / name / "0.png")
    assert read_pictures(tmp_path / "flat").classes == ("test", "train")


def test_pictures_below_a_class_belong_to_it(classes: Path) -> None:
    (classes / "cat" / "kitchen").mkdir()
    picture().save(classes / "cat" / "kitchen" / "9.png")
    assert read_pictures(classes).labels.tolist() == [0, 0, 0, 1, 1, 1]


def test_a_part_keeps_what_is_known_of_each_sample(tmp_path: Path) -> None:
    soft = np.eye(2)[[1, 0, 1]]
    sources = {"src": np.array([1, 0, 1]), "src_names": np.array(["home", "street"])}
    names = np.array(["no", "yes"])
    found = read_pictures(archive(tmp_path / "a.npz", y=np.array([1, -1, 0]), class_names=names, soft=soft, **sources))
    taken = found.take(np.array([2, 0])).decoded((4, 5))
    assert taken.values.shape == (2, 4, 5, 3) and taken.values[:, 0, 0, 0].tolist() == [80, 0]
    assert (taken.labels.tolist(), taken.classes) == ([0, 1], ("no", "yes"))
    assert taken.answers.tolist() == [[0, 1], [0, 1]]
    assert taken.sources is not None and taken.sources.tolist() == [1, 1]
    assert taken.targets(0.5).tolist() == [[0.5, 0.5], [0, 1]]
    assert len(labelled(found, tmp_path)) == 2


def test_archive(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.npz", y=np.array([1, -1, 0]), class_names=np.array(["no", "yes"]))
    found = read_pictures(path)
    assert found.classes == ("no", "yes")
    assert found.labels.tolist() == [1, -1, 0]
    assert found.values[2].rgb().getpixel((0, 0)) == (80, 40, 175)
    assert found.values[2].name == f"{path}#2"
    unlabelled = read_pictures(archive(tmp_path / "b.npz"))
    assert unlabelled.classes == () and (unlabelled.labels == -1).all()


@pytest.mark.parametrize(
    "arrays", [{"offset": np.array([0, 5, 3, 9])}, {"offset": np.array([0, 10**7])}, {"y": np.array([1])}]
)
def test_damaged_archives(tmp_path: Path, arrays: dict[str, np.ndarray]) -> None:
    with pytest.raises(DataError, match="damaged"):
        read_pictures(archive(tmp_path / "a.npz", **arrays))


def test_what_is_no_source(tmp_path: Path) -> None:
    (tmp_path / "junk.npz").write_bytes(b"junk")
    (tmp_path / "empty").mkdir()
    for name in ("nowhere.jpg", "junk.npz", "empty", "nowhere.npz"):
        with pytest.raises(DataError) as error:
            read_pictures(tmp_path / name)
        assert name in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("content", [b"", b"no picture", b"\x89PNG\r\n\x1a\n" + bytes(50)])
def test_a_file_that_is_no_picture(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.png").write_bytes(content)
    (broken,) = read_all([tmp_path / "x.png"])
    with pytest.raises(DataError, match=r"x\.png"):
        broken.rgb()


def test_a_cut_picture(tmp_path: Path) -> None:
    picture(size=(200, 200)).save(tmp_path / "x.jpg")
    data = (tmp_path / "x.jpg").read_bytes()
    (tmp_path / "x.jpg").write_bytes(data[: len(data) // 2])
    with pytest.raises(DataError, match=r"x\.jpg"):
        read_all([tmp_path / "x.jpg"])[0].rgb()


def test_orientation_transparency_and_depth(tmp_path: Path) -> None:
    turned = Image.new("RGB", (20, 10))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees
    turned.save(tmp_path / "a.jpg", exif=exif)
    Image.new("RGBA", (4, 4), (255, 255, 255, 0)).save(tmp_path / "b.png")
    Image.fromarray(np.full((4, 4), 0x80FF, np.uint16)).save(tmp_path / "c.png")
    Image.new("P", (4, 4)).save(tmp_path / "d.gif")
    a, b, c, d = (p.rgb() for p in read_all([tmp_path]))
    assert a.size == (10, 20)
    assert b.getpixel((0, 0)) == (0, 0, 0)
    assert c.getpixel((0, 0)) == (0x80, 0x80, 0x80)
    assert d.mode == "RGB"


def test_the_whole_picture_is_resized() -> None:
    left_red = Image.new("RGB", (400, 100), "blue")
    left_red.paste("red", (0, 0, 200, 100))
    pixels = to_pixels(left_red, 8, 8, 3)
    assert pixels.shape == (8, 8, 3)
    assert (pixels[:, :3] == (255, 0, 0)).all() and (pixels[:, -3:] == (0, 0, 255)).all()
    luma = to_pixels(left_red, 8, 8, 1)
    assert luma.shape == (8, 8, 1)
    assert luma[0, 0, 0] == round(0.299 * 255) and luma[0, -1, 0] == round(0.114 * 255)


def test_inputs_of_networks() -> None:
    image = picture(200)
    rgb = InputForm((6, 5, 3), 1 / 255, -128, ModelMetadata(mapping=parse_mapping("pixel/255"))).values(image)
    assert rgb.shape == (6, 5, 3) and rgb.dtype == np.int8
    assert tuple(rgb[0, 0]) == (200 - 128, 100 - 128, 55 - 128)
    gray_for_rgb = InputForm((6, 5, 3), 1.0, 0, ModelMetadata(color="luma")).values(image)
    assert gray_for_rgb.shape == (6, 5, 1)
    assert InputForm((6, 5, 1), 1.0, 0, ModelMetadata()).values(image).shape == (6, 5, 1)
    for shape in ((6, 5, 4), (10,)):
        with pytest.raises(DataError):
            InputForm(shape, 1.0, 0, ModelMetadata()).values(image)


def test_answers() -> None:
    metadata = ModelMetadata(classes=("no", "yes"))
    softmax = classify(np.array([-128 + 51, -128 + 205], np.int8), 1 / 256, -128, metadata)
    assert (softmax.index, softmax.name) == (1, "yes")
    assert softmax.probability == pytest.approx(205 / 256)
    logits = classify(np.array([10, 0], np.int8), 0.1, 0, metadata)
    assert logits.name == "no"
    assert logits.probability == pytest.approx(1 / (1 + np.exp(-1)))
    logistic = classify(np.array([-128 + 64], np.int8), 1 / 256, -128, metadata)
    assert (logistic.name, logistic.probabilities) == ("no", (0.75, 0.25))
    with pytest.raises(DataError, match="detection"):
        classify(np.zeros(4, np.int8), 1.0, 0, ModelMetadata(task="detection"))
