"""How a picture becomes an input: resizing in integers, cropping, pixels of cameras, the constant for the device."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from tinyengine.codegen.image import ImageInput
from tinyengine.compiler import CompileOptions, compile_graph
from tinyengine.compiler.picture import image_input
from tinyengine.data.images import InputForm, center, to_pixels
from tinyengine.data.metadata import ModelMetadata, parse_mapping
from tinyengine.data.pixels import FORMATS
from tinyengine.errors import DataError

from tests.helpers.graphs import block_network


def picture(height: int, width: int, seed: int = 0) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3)).astype(np.uint8))


def weights(size: int, to: int) -> np.ndarray:
    """(to, size) of Pillow's bilinear filter, of 22 bits."""
    reach, source = 2 * max(size, to), np.arange(size)
    apart = np.abs((2 * source + 1) * to - (2 * np.arange(to)[:, None] + 1) * size)
    found = np.maximum(reach - apart, 0)
    total = found.sum(axis=1, keepdims=True)
    return (found * 2**23 + total) // (2 * total)


def resized(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    """First all lines, then all columns; 8 bits between."""
    lines = np.einsum("yxc,jx->yjc", pixels.astype(np.int64), weights(pixels.shape[1], width)) + (1 << 21) >> 22
    return (np.einsum("yxc,jy->jxc", lines, weights(pixels.shape[0], height)) + (1 << 21) >> 22).astype(np.uint8)


@pytest.mark.parametrize(
    ("height", "width", "to_height", "to_width"),
    [(240, 320, 72, 72), (120, 160, 96, 96), (400, 50, 20, 40), (7, 5, 31, 33), (1, 1, 4, 9), (33, 200, 33, 20)],
)
def test_bilinear_is_exact_in_integers(height: int, width: int, to_height: int, to_width: int) -> None:
    """Also where Pillow would resize the columns first (400 lines to 20)."""
    image = picture(height, width)
    expected = resized(np.asarray(image), to_height, to_width)
    np.testing.assert_array_equal(to_pixels(image, to_height, to_width, 3), expected)


def test_squares_are_resized_as_pillow_does_at_once() -> None:
    for size, to in ((104, 72), (88, 96), (128, 88)):
        at_once = picture(size, size).resize((to, to), Image.Resampling.BILINEAR)
        np.testing.assert_array_equal(to_pixels(picture(size, size), to, to, 3), np.asarray(at_once))


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
        image = FORMATS[name].picture(bytes(data), len(data) // FORMATS[name].size, 1)
        return np.asarray(image)[0].tolist()

    assert one("rgb565be", 0xF8, 0x00, 0x07, 0xE0, 0x00, 0x1F) == [[255, 0, 0], [0, 255, 0], [0, 0, 255]]
    assert one("rgb565le", 0x00, 0x80, 0x21, 0x04) == [[132, 0, 0], [0, 134, 8]]
    assert one("rgb888", 1, 2, 3) == [[1, 2, 3]]
    assert one("gray8", 7) == [[7, 7, 7]]
    assert one("yuyv", 100, 128, 200, 128) == [[100] * 3, [200] * 3]
    assert one("uyvy", 128, 100, 255, 200) == [[255, 9, 100], [255, 109, 200]]
    assert one("uyvy_gray", 1, 100, 2, 200) == [[100] * 3, [200] * 3]
    assert FORMATS["yuyv"].picture(bytes(8), 3, 1).size == (3, 1)  # an odd line ends with half a pair
    with pytest.raises(DataError, match="3x1 pixels take 8"):
        FORMATS["yuyv"].picture(bytes(6), 3, 1)


def test_yuv_is_jpeg_within_a_step() -> None:
    data = np.random.default_rng(5).integers(0, 256, (50, 4))
    y, u, v = data[:, 0].astype(float), data[:, 1] - 128.0, data[:, 3] - 128.0
    rgb = np.stack([y + 1.402 * v, y - 0.344136 * u - 0.714136 * v, y + 1.772 * u], axis=1)
    pixels = np.asarray(FORMATS["yuyv"].picture(data.astype(np.uint8).tobytes(), 2, 50))[:, 0]
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
