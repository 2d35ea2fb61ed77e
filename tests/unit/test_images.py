"""How a picture becomes an input: resizing in integers, cropping, pixels of cameras, the constant for the device."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from PIL import Image
from skimage.data import astronaut
from tinyengine.codegen.image import ImageInput
from tinyengine.compiler import CompileOptions, compile_graph
from tinyengine.compiler.picture import image_input
from tinyengine.data.images import InputForm, center, to_pixels
from tinyengine.data.metadata import ModelMetadata, parse_mapping
from tinyengine.data.pixels import FORMATS
from tinyengine.data.resize import COLUMN_BITS, LINE_BITS, weights
from tinyengine.errors import DataError

from tests.helpers.graphs import block_network


def picture(height: int, width: int, seed: int = 0) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3)).astype(np.uint8))


def shares(size: int, to: int, j: int, bits: int) -> list[int]:
    """Whole weights of ``size`` pixels on output ``j`` of ``to``, by fractions: differences of rounded running sums."""
    scale = max(Fraction(size, to), Fraction(1))
    middle = (j + Fraction(1, 2)) * Fraction(size, to)
    found = [max(1 - abs(i + Fraction(1, 2) - middle) / scale, Fraction(0)) for i in range(size)]
    total, until, given, result = sum(found), Fraction(0), 0, []
    for weight in found:
        until += weight
        now = math.floor(until / total * 2**bits + Fraction(1, 2))
        result.append(now - given)
        given = now
    return result


@pytest.mark.parametrize(("size", "to"), [(240, 72), (17, 16), (16, 16), (5, 31), (1, 4), (1200, 5), (3, 1)])
@pytest.mark.parametrize("bits", [LINE_BITS, COLUMN_BITS])
def test_weights_are_a_triangle_in_whole_numbers(size: int, to: int, bits: int) -> None:
    found = weights(size, to, bits)
    assert found.shape == (to, size) and (found >= 0).all()
    np.testing.assert_array_equal(found.sum(axis=1), 2**bits)
    for j in {0, to // 2, to - 1}:
        assert np.abs(found[j] - shares(size, to, j, bits)).max() <= (size == 1200 and bits == COLUMN_BITS), j
        if size < 1200:
            assert found[j].tolist() == shares(size, to, j, bits)


def test_weights_of_the_largest_pictures_still_add_up() -> None:
    """Totals above 2^16 and 2^22 lose their lowest bits first."""
    for bits in (LINE_BITS, COLUMN_BITS):
        for to in (1, 2, 7):
            found = weights(4095, to, bits)
            assert (found.sum(axis=1) == 2**bits).all() and (found >= 0).all()
            exact = shares(4095, to, 0, bits)
            assert np.abs(np.cumsum(found[0]) - np.cumsum(exact)).max() <= 1


def resized(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    """First the columns, exactly, then the rows."""
    rows = np.einsum("yxc,jy->jxc", pixels.astype(np.int64), weights(pixels.shape[0], height, LINE_BITS))
    sums = np.einsum("yxc,jx->yjc", rows, weights(pixels.shape[1], width, COLUMN_BITS))
    return (sums + (1 << 21) >> 22).astype(np.uint8)


SIZES = [(240, 320, 72, 72), (120, 160, 96, 96), (400, 50, 20, 40), (7, 5, 31, 33), (1, 1, 4, 9), (33, 200, 33, 20)]


@pytest.mark.parametrize(("height", "width", "to_height", "to_width"), SIZES)
def test_bilinear_is_exact_in_integers(height: int, width: int, to_height: int, to_width: int) -> None:
    image = picture(height, width)
    expected = resized(np.asarray(image), to_height, to_width)
    np.testing.assert_array_equal(to_pixels(image, to_height, to_width, 3), expected)


def stripes(height: int, width: int) -> Image.Image:
    """Lines black and white by turns: what small weights would show most."""
    lines = np.arange(height, dtype=np.uint8)[:, None, None] % 2 * 255
    return Image.fromarray(np.broadcast_to(lines, (height, width, 3)))


EXTREME = [(400, 50, 20, 40), (999, 1333, 7, 9)]
"""Many lines become one, of which few columns are averaged, or nearly all: weights of lines are 0 to 2."""


@pytest.mark.parametrize(("height", "width", "to_height", "to_width"), [*SIZES, (1200, 1600, 80, 80), *EXTREME])
def test_bilinear_is_pillows_but_for_rounding(height: int, width: int, to_height: int, to_width: int) -> None:
    extreme = (height, width, to_height, to_width) in EXTREME
    photograph = Image.fromarray(astronaut()).resize((width, height), Image.Resampling.BICUBIC)
    for image, most, mean in (
        (photograph, 1, 0.2),
        (picture(height, width), 2 if extreme else 1, 0.5 if extreme else 0.3),
        (stripes(height, width), 3 if extreme else 1, 2.0 if extreme else 1.0),
    ):
        by_pillow = np.asarray(image.resize((to_width, to_height), Image.Resampling.BILINEAR)).astype(int)
        apart = np.abs(to_pixels(image, to_height, to_width, 3) - by_pillow)
        assert apart.max() <= most and apart.mean() <= mean


def test_flat_pictures_stay_as_they_are() -> None:
    """Of every format, also where channels of 5 and 6 bits are scaled."""
    for name, data, rgb in (
        ("rgb565le", b"\xff\xff", [255, 255, 255]),
        ("rgb565be", b"\xf8\x1f", [255, 0, 255]),
        ("rgb888", b"\x01\xfe\xff", [1, 254, 255]),
        ("yuyv", bytes([200, 128, 200, 128]), [200] * 3),
        ("gray8", b"\xff", [255] * 3),
    ):
        frame = FORMATS[name].frame(data * (60 * 40 * FORMATS[name].size // len(data)), 60, 40)
        for height, width in ((7, 9), (40, 60), (41, 77), (1, 1)):
            assert (frame.resized(height, width) == rgb).all(), name


def test_numbers_are_resized_before_they_become_colors() -> None:
    """5 bits are not rounded to 8 first: between 0 and 1 of 31 there are other values than 0 and 8."""
    frame = FORMATS["rgb565be"].frame(bytes([0, 0, 8, 0]) * 8, 16, 1)
    assert (frame.resized(1, 8)[:, 1:-1, 0] == 4).all()
    yuyv = FORMATS["yuyv"].frame(bytes([255, 128, 0, 255]) * 8, 16, 1)  # white and red clip if they are converted first
    assert (yuyv.resized(1, 1) == FORMATS["yuyv"].frame(bytes([128, 128, 128, 255]), 2, 1).resized(1, 1)).all()


def test_nearest_takes_pixels_in_the_middle() -> None:
    image = picture(6, 9)
    pixels = np.asarray(image)
    np.testing.assert_array_equal(to_pixels(image, 2, 3, 3, "nearest"), pixels[1::3, 1::3])
    np.testing.assert_array_equal(to_pixels(image, 12, 18, 3, "nearest"), pixels.repeat(2, 0).repeat(2, 1))


def test_center() -> None:
    assert center(320, 240, 96, 96) == (40, 0, 280, 240)
    assert center(240, 320, 96, 96) == (0, 40, 240, 280)
    assert center(160, 120, 40, 10) == (0, 40, 160, 80)
    assert center(1, 4095, 100, 1) == (0, 2047, 1, 2048)
    form = InputForm((4, 4, 3), 1.0, 0, ModelMetadata(crop="center"))
    image = picture(4, 8)
    np.testing.assert_array_equal(form.values(image), np.asarray(image)[:, 2:6].astype(int) - 128)


def test_pixels_of_cameras() -> None:
    def one(name: str, *data: int) -> list[list[int]]:
        width = len(data) // FORMATS[name].size
        frame = FORMATS[name].frame(bytes(data), width, 1)
        found = frame.resized(1, width)
        np.testing.assert_array_equal(found, frame.resized(1, width, "nearest"))
        return found[0].tolist()

    assert one("rgb565be", 0xF8, 0x00, 0x07, 0xE0, 0x00, 0x1F) == [[255, 0, 0], [0, 255, 0], [0, 0, 255]]
    assert one("rgb565le", 0x00, 0x80, 0x21, 0x04) == [[132, 0, 0], [0, 134, 8]]
    assert one("rgb888", 1, 2, 3) == [[1, 2, 3]]
    assert one("gray8", 7) == [[7, 7, 7]]
    assert one("yuyv", 100, 128, 200, 128) == [[100] * 3, [200] * 3]
    assert one("uyvy", 128, 100, 255, 200) == [[255, 9, 100], [255, 109, 200]]
    assert one("uyvy_gray", 1, 100, 2, 200) == [[100] * 3, [200] * 3]
    assert FORMATS["yuyv"].frame(bytes(8), 3, 1).size == (3, 1)  # an odd line ends with half a pair
    with pytest.raises(DataError, match="3x1 pixels take 8"):
        FORMATS["yuyv"].frame(bytes(6), 3, 1)


def test_yuv_is_jpeg_within_a_step() -> None:
    data = np.random.default_rng(5).integers(0, 256, (50, 4))
    y, u, v = data[:, 0].astype(float), data[:, 1] - 128.0, data[:, 3] - 128.0
    rgb = np.stack([y + 1.402 * v, y - 0.344136 * u - 0.714136 * v, y + 1.772 * u], axis=1)
    pixels = FORMATS["yuyv"].frame(data.astype(np.uint8).tobytes(), 2, 50).resized(50, 2)[:, 0]
    assert np.abs(pixels - np.clip(rgb, 0, 255)).max() <= 0.51


def test_constant_for_the_device() -> None:
    graph = block_network()
    metadata = ModelMetadata(mapping=parse_mapping("pixel/127.5-1"), resize="nearest", crop="center")
    made = image_input(graph, metadata.to_json())
    tensor = graph.tensor(graph.inputs[0].tensor)
    table = metadata.mapping.to_int8(np.arange(256, dtype=np.uint8), tensor.scale, tensor.zero_point)
    height, width, channels = tensor.shape[1:]
    assert made == ImageInput(width, height, channels, channels == 1, True, True, tuple(table.tolist()))
    compiled = compile_graph(graph, CompileOptions(prefix="eye"), metadata_json=metadata.to_json())
    header = compiled.sources["eye_image.h"]
    assert f"#define EYE_IMAGE_WIDTH {width}u" in header and "const te_image_input eye_image = {" in header
    assert "eye_image.h" not in compile_graph(graph, CompileOptions(prefix="eye")).sources


def test_what_is_no_picture_has_no_constant() -> None:
    graph = block_network()
    assert image_input(graph, "{}") is None
    graph.inputs.append(graph.inputs[0])
    assert image_input(graph, ModelMetadata().to_json()) is None
