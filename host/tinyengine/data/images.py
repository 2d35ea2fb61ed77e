"""Pictures, and how they become the input of a network.

The way of a picture into a network, the same everywhere: decoded by Pillow, turned as its EXIF orientation says,
made RGB (transparent parts become black; a JPEG of more than :data:`MOST_DRAFTED` pixels is made smaller while it is
decoded), the *whole* picture, or what the network's MODEL.json has cut out of it, resized to the input's size with a
bilinear filter (resize.py; it averages when it shrinks; the aspect ratio is given
up), or without a filter, made luma where the network or the user wants it (ITU-R 601: 0.299 R + 0.587 G + 0.114 B),
mapped to int8 as the MODEL.json says. A device does the same to the bit (te_image.h).
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, JpegImagePlugin, UnidentifiedImageError

from tinyengine.data.metadata import ModelMetadata
from tinyengine.data.pixels import Frame, frame_of
from tinyengine.errors import DataError

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".ppm", ".pgm", ".gif", ".tif", ".tiff"})


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture file, or its bytes (uint8), that is decoded when it is needed."""

    name: str
    file: Path | np.ndarray

    def content(self) -> bytes:
        """The bytes of the file. DataError where it cannot be read."""
        if isinstance(self.file, np.ndarray):
            return self.file.tobytes()
        try:
            return self.file.read_bytes()
        except FileNotFoundError as error:
            raise DataError(f"there is no picture {self.name}") from error
        except OSError as error:
            raise DataError(f"{self.name} cannot be read: {error.strerror}") from error

    def rgb(self) -> Image.Image:
        """The decoded picture, upright, RGB. Raises DataError when it cannot be decoded."""
        content = self.content()
        try:
            with _opened(content) as image:
                return upright_rgb(image)
        except DataError as error:
            raise DataError(f"{self.name} {error}") from None
        except (
            UnidentifiedImageError,
            OSError,
            ValueError,
            SyntaxError,
            struct.error,
            TypeError,
            Image.DecompressionBombError,
        ) as error:
            raise DataError(f"{self.name} cannot be decoded as a picture: {error}") from error


@dataclass(frozen=True)
class InputForm:
    """What a network wants: shape (rows, columns, channels), quantization, meaning of a pixel."""

    shape: tuple[int, ...]
    scale: float
    zero_point: int
    metadata: ModelMetadata

    def values(self, image: Image.Image | Frame) -> np.ndarray:
        """RGB picture, or frame of a camera -> int8 values of the input.

        A network with one channel gets luma. One with three gets RGB, or, if the metadata's color is luma, one channel
        only, (rows, columns, 1), which stands for all three. DataError for an input that is no picture.
        """
        if len(self.shape) != 3:
            dims = "x".join(map(str, self.shape))
            raise DataError(
                f"the network's input ({dims}) is no picture, which has rows x columns x channels: give numbers, as "
                ".npy, .npz or .csv"
            )
        height, width, channels = self.shape
        if channels == 3 and self.metadata.color == "luma":
            channels = 1
        if self.metadata.crop == "center":
            image = image.crop(self.part(image.size))
        pixels = to_pixels(image, height, width, channels, self.metadata.resize)
        return self.metadata.mapping.to_int8(pixels, self.scale, self.zero_point)

    def picture(self, values: np.ndarray) -> Image.Image:
        """The RGB picture that int8 values of the input stand for; of pixels with the same value the least."""
        table = self.metadata.mapping.to_int8(np.arange(256, dtype=np.uint8), self.scale, self.zero_point)
        nearest = np.abs(np.arange(-128, 128)[:, None] - table.astype(int)).argmin(axis=1).astype(np.uint8)
        pixels = nearest[values.astype(int) + 128]
        return Image.fromarray(np.repeat(pixels, 3, axis=2) if pixels.shape[2] == 1 else pixels)

    def part(self, size: tuple[int, int]) -> tuple[int, int, int, int]:
        """Left, top, right, bottom of what the network sees of a picture of this width and height."""
        if self.metadata.crop == "center":
            return center(*size, self.shape[1], self.shape[0])
        return (0, 0, *size)


MOST_PIXELS = 1 << 26
"""Of a picture that is decoded whole: 200 MB as RGB."""
MOST_DRAFTED = 1 << 24
"""Of a JPEG; a larger one becomes smaller while it is decoded, by 2, 4 or 8 in each direction."""


def _opened(content: bytes) -> Image.Image:
    """The picture, not decoded yet. DataError where decoding would take too much memory."""
    if content[:3] != b"\xff\xd8\xff":
        image = Image.open(io.BytesIO(content))
        _check_size(image, MOST_PIXELS)
        return image
    # not by Image.open, which refuses large pictures before they can be made smaller
    jpeg = JpegImagePlugin.JpegImageFile(io.BytesIO(content))
    # the decoder keeps all of a progressive one
    _check_size(jpeg, MOST_PIXELS if "progressive" in jpeg.info else 64 * MOST_DRAFTED)
    factor = next(n for n in (1, 2, 4, 8) if jpeg.width * jpeg.height <= n * n * MOST_DRAFTED)
    if factor > 1:
        jpeg.draft(None, (jpeg.width // factor, jpeg.height // factor))
    return jpeg


def _check_size(image: Image.Image, most: int) -> None:
    if image.width * image.height > most:
        raise DataError(f"has {image.width} x {image.height} pixels, and at most {most} are decoded: make it smaller")


def upright_rgb(image: Image.Image) -> Image.Image:
    """``image`` turned as its EXIF orientation says, RGB, transparent parts black. DataError for one whose numbers do
    not say how bright they are."""
    kind = image.format
    image = ImageOps.exif_transpose(image)
    if image.mode == "F" or image.mode.startswith("I"):
        return _of_numbers(image, kind == "PPM").convert("RGB")
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "black"), image).convert("RGB")
    return image.convert("RGB")


def _of_numbers(image: Image.Image, sixteen: bool) -> Image.Image:
    """A picture of gray values that are no bytes, as one of bytes. Pillow's own conversion saturates.

    16 bits (``sixteen``: whatever Pillow calls them) lose their lower 8; reals from 0 to 1 are shares of white. Of 32
    bits, and of other reals, nobody knows what is white: DataError.
    """
    values = np.asarray(image)
    if image.mode == "F":
        if not (values.size and 0 <= values.min() <= values.max() <= 1):  # no number is not between anything either
            raise DataError(
                f"holds real numbers from {values.min():g} to {values.max():g}, of which nobody knows what is white: "
                "scale them to 0 to 1, or save the picture with 8 or 16 bits"
            )
        return Image.fromarray(np.rint(values * 255).astype(np.uint8))
    if image.mode == "I" and not sixteen:
        raise DataError("holds 32-bit numbers, of which nobody knows what is white: save it with 8 or 16 bits")
    gray = (values >> 8).astype(np.uint8)
    if "transparency" in image.info:
        gray[values == image.info["transparency"]] = 0
    return Image.fromarray(gray)


def center(width: int, height: int, to_width: int, to_height: int) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of the largest part in the middle of a picture that has other proportions."""
    if width * to_height > height * to_width:
        part = max(height * to_width // to_height, 1), height
    else:
        part = width, max(width * to_height // to_width, 1)
    left, top = (width - part[0]) // 2, (height - part[1]) // 2
    return left, top, left + part[0], top + part[1]


def to_pixels(
    image: Image.Image | Frame, height: int, width: int, channels: int, resize: str = "bilinear"
) -> np.ndarray:
    """RGB picture, or frame of a camera -> uint8 (height, width, channels); 3 channels are RGB, 1 is luma."""
    if channels not in (1, 3):
        raise DataError(f"pictures have 1 or 3 channels, but the network's input has {channels}")
    frame = frame_of(image) if isinstance(image, Image.Image) else image
    pixels = frame.resized(height, width, resize)
    if channels == 1:
        pixels = np.asarray(Image.fromarray(pixels).convert("L"))[..., None]
    return pixels
