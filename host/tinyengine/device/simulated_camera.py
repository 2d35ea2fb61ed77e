"""What the camera of a simulated board sees: pictures as the file that its driver reads."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from PIL import Image, ImageOps

from tinyengine.data.reader import read_all


@contextlib.contextmanager
def seen(pictures: Path | None) -> Iterator[Path | None]:
    """The file for a ``with`` block; None where there are no ``pictures`` (a file, a folder or an archive of them)."""
    if pictures is None:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="tinyengine-") as folder:
        file = Path(folder) / "pictures"
        with file.open("wb") as stream:
            for picture in read_all([pictures]):
                stream.write(as_seen(picture.rgb()).tobytes())
        yield file


def as_seen(image: Image.Image) -> Image.Image:
    """What a camera sees that looks at the middle of an RGB picture; a picture of its size is as it was."""
    from tinyengine.sim.camera_file import SIZE  # most do without a simulator

    return ImageOps.fit(image, SIZE, Image.Resampling.BILINEAR)
