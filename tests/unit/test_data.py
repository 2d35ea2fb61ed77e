"""Pictures: sources, decoding, the way into a network's input."""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tinyengine.data import images
from tinyengine.data.answers import classify
from tinyengine.data.images import InputForm, Picture, to_pixels
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
    "arrays",
    [
        {"offset": np.array([0, 5, 3, 9])},
        {"offset": np.array([0, 10**7])},
        {"y": np.array([1])},
        {"class_names": np.array("mug")},
    ],
)
def test_damaged_archives(tmp_path: Path, arrays: dict[str, np.ndarray]) -> None:
    with pytest.raises(DataError, match="damaged"):
        read_pictures(archive(tmp_path / "a.npz", **arrays))


def test_an_array_is_no_archive(tmp_path: Path) -> None:
    with (tmp_path / "x.npz").open("wb") as file:
        np.save(file, np.zeros(3))
    with pytest.raises(DataError, match=r"it is an \.npy, so give it that suffix"):
        read_pictures(tmp_path / "x.npz")


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


def content_of(image: Image.Image, kind: str, **options: object) -> bytes:
    image.save(content := io.BytesIO(), kind, **options)
    return content.getvalue()


def decoded(content: bytes) -> np.ndarray:
    """(rows, columns, 3)"""
    return np.asarray(Picture("it", np.frombuffer(content, np.uint8)).rgb())


def test_reals_from_0_to_1_are_shares_of_white() -> None:
    shares = np.array([[0, 0.5, 1.0, 0.251]], np.float32)
    assert decoded(content_of(Image.fromarray(shares), "TIFF"))[0, :, 1].tolist() == [0, 128, 255, 64]
    for wrong in ([[0.0, 255.0]], [[-1.0, 1.0]], [[0.0, float("nan")]]):
        with pytest.raises(DataError, match=r"it holds real numbers .* nobody knows what is white"):
            decoded(content_of(Image.fromarray(np.array(wrong, np.float32)), "TIFF"))


def test_32_bits_are_refused_and_16_are_not() -> None:
    with pytest.raises(DataError, match="it holds 32-bit numbers"):
        decoded(content_of(Image.fromarray(np.array([[0, 70000]], np.int32)), "TIFF"))
    sixteen = np.array([[0, 0x7FFF, 0xFFFF]], np.uint16)
    for kind in ("TIFF", "PNG"):
        assert decoded(content_of(Image.fromarray(sixteen), kind))[0, :, 0].tolist() == [0, 0x7F, 0xFF]
    big_endian = sixteen.astype(">u2")
    assert decoded(b"P5 3 1 65535\n" + big_endian.tobytes())[0, :, 0].tolist() == [0, 0x7F, 0xFF]
    assert decoded(b"P5 1 1 1000\n" + (500).to_bytes(2, "big"))[0, 0].tolist() == [0x80] * 3


def test_16_bits_with_a_transparent_gray() -> None:
    """The key is a whole value: its neighbour with the same upper 8 bits stays."""
    gray = Image.fromarray(np.array([[0x8000, 0x8001, 0xFFFF]], np.uint16))
    assert decoded(content_of(gray, "PNG", transparency=0x8000))[0, :, 2].tolist() == [0, 0x80, 0xFF]


def test_palettes_with_transparency() -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([255, 0, 0, 0, 0, 255])
    image.putpixel((1, 0), 1)
    for transparency in (0, bytes([0, 255])):
        found = decoded(content_of(image, "PNG", transparency=transparency))
        assert found[0].tolist() == [[0, 0, 0], [0, 0, 255]]
    assert decoded(content_of(image, "GIF", transparency=1))[0].tolist() == [[255, 0, 0], [0, 0, 0]]


def test_four_inks() -> None:
    """Print's colours: no ink is white, and Adobe's files, which have them the other way round, look alike."""
    inks = Image.new("CMYK", (16, 16), (0, 0, 0, 0))
    inks.paste((255, 0, 255, 0), (0, 0, 16, 8))
    found = decoded(content_of(inks, "TIFF"))
    assert found[0, 0].tolist() == [0, 255, 0] and found[15, 0].tolist() == [255, 255, 255]
    jpeg = decoded(content_of(inks, "JPEG", quality=95)).astype(int)
    assert np.abs(jpeg[2, 2] - [0, 255, 0]).max() < 20 and np.abs(jpeg[13, 2] - 255).max() < 20


@pytest.mark.parametrize(("orientation", "red"), [(1, "left"), (2, "right"), (3, "right"), (6, "top"), (8, "bottom")])
def test_pictures_are_upright(orientation: int, red: str) -> None:
    image = Image.new("RGB", (32, 16), "blue")
    image.paste("red", (0, 0, 16, 16))
    exif = Image.Exif()
    exif[0x0112] = orientation
    for kind in ("JPEG", "PNG", "TIFF", "WEBP"):
        found = decoded(content_of(image, kind, exif=exif)).astype(int)
        halves = {"left": found[:, :6], "right": found[:, -6:], "top": found[:6], "bottom": found[-6:]}
        assert {name for name, half in halves.items() if (half[..., 0] > half[..., 2] + 100).all()} == {red}, kind


def test_16_bits_are_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    found = decoded(content_of(Image.fromarray(np.array([[0x4000, 0x8000]], np.uint16)), "TIFF", exif=exif))
    assert found[:, :, 0].tolist() == [[0x40], [0x80]]


@pytest.mark.filterwarnings("ignore:.*(EXIF|Tag)")
def test_damaged_exif_is_a_sentence_or_nothing() -> None:
    content = content_of(picture(), "JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + b"\x12\x01\x03\0" * 9)
    try:
        assert decoded(content).shape == (10, 20, 3)
    except DataError as error:
        assert "\n" not in str(error)


def test_a_huge_jpeg_becomes_smaller_while_it_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    left_red = Image.new("RGB", (1600, 400), "blue")
    left_red.paste("red", (0, 0, 800, 400))
    content = content_of(left_red, "JPEG")
    assert decoded(content).shape == (400, 1600, 3)
    for most, shape in ((160_000, (200, 800)), (40_000, (100, 400)), (10_000, (50, 200))):
        monkeypatch.setattr(images, "MOST_DRAFTED", most)
        found = decoded(content)
        assert found.shape == (*shape, 3)
        assert found[5, 5, 0] > 250 and found[5, -5, 2] > 250
    monkeypatch.setattr(images, "MOST_DRAFTED", 9_999)
    with pytest.raises(DataError, match="it has 1600 x 400 pixels, and at most 639936 are decoded"):
        decoded(content)


def test_others_that_are_huge_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    image = Image.new("RGB", (300, 200))
    assert decoded(content_of(image, "PNG")).shape == (200, 300, 3)
    monkeypatch.setattr(images, "MOST_PIXELS", 300 * 200 - 1)
    for kind, options in (("PNG", {}), ("TIFF", {}), ("JPEG", {"progressive": True})):
        with pytest.raises(DataError, match="it has 300 x 200 pixels, and at most 59999 are decoded: make it smaller"):
            decoded(content_of(image, kind, **options))
    assert decoded(content_of(image, "JPEG")).shape == (200, 300, 3)


def test_a_picture_of_200_million_pixels_takes_little_memory(tmp_path: Path) -> None:
    """As some telephones make them: 600 MB as RGB. A process of its own tells what decoding takes."""
    sixteenth = content_of(Image.new("L", (16384, 512), 99), "JPEG")
    height = sixteenth.index(b"\xff\xc0") + 5  # a taller picture ends early: gray all the same, as Pillow fills it
    (tmp_path / "x.jpg").write_bytes(sixteenth[:height] + (12288).to_bytes(2, "big") + sixteenth[height + 2 :])
    program = (
        "import resource, sys; from pathlib import Path; from PIL import ImageFile; "
        "from tinyengine.data.images import Picture; ImageFile.LOAD_TRUNCATED_IMAGES = True; "
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss; "
        "image = Picture('x', Path(sys.argv[1])).rgb(); "
        "print(image.size, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)"
    )
    done = subprocess.run([sys.executable, "-c", program, tmp_path / "x.jpg"], capture_output=True, text=True)
    assert done.stdout.startswith("(4096, 3072) "), done.stderr
    assert int(done.stdout.split()[-1]) < 200


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
    unsigned = classify(np.array([51, 205], np.uint8), 1 / 256, 0, metadata)
    assert unsigned.probabilities == softmax.probabilities
    logits = classify(np.array([10, 0], np.int8), 0.1, 0, metadata)
    assert logits.name == "no"
    assert logits.probability == pytest.approx(1 / (1 + np.exp(-1)))
    logistic = classify(np.array([-128 + 64], np.int8), 1 / 256, -128, metadata)
    assert (logistic.name, logistic.probabilities) == ("no", (0.75, 0.25))
    with pytest.raises(DataError, match="detection"):
        classify(np.zeros(4, np.int8), 1.0, 0, ModelMetadata(task="detection"))
