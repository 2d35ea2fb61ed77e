"""Pictures: where they come from, and how they become the input of a network.

Sources: a picture file; a folder of pictures; a folder with one subfolder per class; an ``.npz`` with the arrays
``jpeg`` (uint8, the files one after the other), ``offset`` (N + 1), and where present ``y`` (N labels) and
``class_names``.

The way of a picture into a network, the same everywhere: decoded by Pillow, turned as its EXIF orientation says,
made RGB (transparent parts become black), the *whole* picture resized to the input's size with Pillow's bilinear
filter (which averages when it shrinks; the aspect ratio is given up), made luma where the network or the user wants
it (ITU-R 601: 0.299 R + 0.587 G + 0.114 B), mapped to int8 as the network's MODEL.json says.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from tinyengine.data.metadata import ModelMetadata
from tinyengine.errors import DataError

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".ppm", ".pgm", ".gif", ".tif", ".tiff"})


@dataclass(frozen=True)
class Picture:
    """A picture that is decoded when it is needed. ``label`` is an index into its set's classes, or None."""

    name: str
    open: Callable[[], Image.Image]
    label: int | None = None

    def rgb(self) -> Image.Image:
        """The decoded picture, upright, RGB. Raises DataError when it cannot be decoded."""
        try:
            with self.open() as image:
                return upright_rgb(image)
        except FileNotFoundError as error:
            raise DataError(f"there is no picture {self.name}") from error
        except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
            raise DataError(f"{self.name} cannot be decoded as a picture: {error}") from error


@dataclass(frozen=True)
class PictureSet:
    """Pictures in a fixed order; ``classes`` is empty where they have no labels."""

    pictures: tuple[Picture, ...]
    classes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.pictures)

    def __iter__(self) -> Iterator[Picture]:
        return iter(self.pictures)

    def __getitem__(self, index: int) -> Picture:
        return self.pictures[index]


def open_pictures(path: Path) -> PictureSet:
    """The pictures of a file, a folder or an archive. Raises DataError when there are none."""
    if path.is_dir():
        return _open_folder(path)
    if path.suffix == ".npz":
        return _open_archive(path)
    if not path.is_file():
        raise DataError(f"there is no picture, folder or archive {path}")
    return PictureSet((_from_file(path),))


def open_all(paths: Sequence[Path]) -> list[Picture]:
    """The pictures of several files, folders and archives, in order."""
    return [picture for path in paths for picture in open_pictures(path)]


def upright_rgb(image: Image.Image) -> Image.Image:
    """``image`` turned as its EXIF orientation says, RGB, transparent parts black."""
    image = ImageOps.exif_transpose(image)
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "black"), image).convert("RGB")
    if image.mode.startswith("I;16"):  # 16-bit gray: Pillow's own conversion saturates instead of scaling
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)).convert("RGB")
    return image.convert("RGB")


def to_pixels(image: Image.Image, height: int, width: int, channels: int) -> np.ndarray:
    """RGB picture -> uint8 (height, width, channels); 3 channels are RGB, 1 is luma."""
    if channels not in (1, 3):
        raise DataError(f"pictures have 1 or 3 channels, but the network's input has {channels}")
    if image.size != (width, height):
        image = image.resize((width, height), Image.Resampling.BILINEAR)
    if channels == 1:
        image = image.convert("L")
    return np.asarray(image, np.uint8).reshape(height, width, channels)


def to_input(
    image: Image.Image, shape: tuple[int, ...], scale: float, zero_point: int, metadata: ModelMetadata
) -> np.ndarray:
    """RGB picture -> int8 values of an input tensor of ``shape`` (height, width, channels).

    A network with one channel gets luma. One with three gets RGB, or, if the metadata's color is luma, one channel
    only, (height, width, 1), which stands for all three.
    """
    if len(shape) != 3:
        dims = "x".join(map(str, shape))
        raise DataError(f"the network's input ({dims}) is no picture: pictures need rows x columns x channels")
    height, width, channels = shape
    if channels == 3 and metadata.color == "luma":
        channels = 1
    return metadata.mapping.to_int8(to_pixels(image, height, width, channels), scale, zero_point)


def _from_file(path: Path, label: int | None = None) -> Picture:
    return Picture(str(path), lambda: Image.open(path), label)


def _picture_files(folder: Path) -> list[Path]:
    return sorted(
        p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file() and not p.name.startswith(".")
    )


def _open_folder(path: Path) -> PictureSet:
    here = sorted(p for p in path.iterdir() if p.suffix.lower() in SUFFIXES and p.is_file())
    if here:
        return PictureSet(tuple(_from_file(p) for p in here))
    folders = sorted(p for p in path.iterdir() if p.is_dir() and not p.name.startswith("."))
    classes = [(folder.name, files) for folder in folders if (files := _picture_files(folder))]
    if not classes:
        raise DataError(f"{path} holds no pictures ({', '.join(sorted(SUFFIXES))}), neither itself nor in subfolders")
    pictures = tuple(_from_file(p, label) for label, (_, files) in enumerate(classes) for p in files)
    return PictureSet(pictures, tuple(name for name, _ in classes))


def _open_archive(path: Path) -> PictureSet:
    try:
        with np.load(path, allow_pickle=False) as archive:
            jpeg, offset = archive["jpeg"], archive["offset"].astype(np.int64)
            labels = archive["y"].astype(np.int64) if "y" in archive.files else None
            names = tuple(str(name) for name in archive["class_names"]) if "class_names" in archive.files else ()
    except FileNotFoundError as error:
        raise DataError(f"there is no archive {path}") from error
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(f"{path} is not an image archive: it needs the arrays jpeg and offset ({error})") from error
    count = len(offset) - 1
    in_order = count > 0 and offset[0] >= 0 and (np.diff(offset) >= 0).all() and offset[-1] <= len(jpeg)
    if not in_order or (labels is not None and len(labels) != count):
        raise DataError(f"{path} is damaged: offset and y do not fit the pictures in jpeg")
    if labels is not None and not names:
        names = tuple(str(k) for k in range(int(labels.max()) + 1))

    def decoder(index: int) -> Callable[[], Image.Image]:
        return lambda: Image.open(io.BytesIO(jpeg[offset[index] : offset[index + 1]].tobytes()))

    pictures = tuple(
        Picture(f"{path}#{k}", decoder(k), None if labels is None or labels[k] < 0 else int(labels[k]))
        for k in range(count)
    )
    return PictureSet(pictures, names)
