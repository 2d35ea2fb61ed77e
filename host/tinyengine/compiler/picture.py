"""What a device has to know to make a network's input of a camera's pixels."""

from __future__ import annotations

import numpy as np

from tinyengine.codegen.image import ImageInput
from tinyengine.data.metadata import parse_metadata
from tinyengine.ir import Graph

DRIVER_BYTES = 1152
"""Of a camera's driver that a network without pictures does without: a line, and where in a picture it is."""


def camera_line_bytes(camera_width: int, image: ImageInput | None) -> int:
    """What the firmware keeps of a picture where the board has a camera, whose lines have ``camera_width`` pixels (0:
    none), and the network takes pictures: the memory of te_image.h (its TE_IMAGE_BYTES), and some of the driver's."""
    return 19 * camera_width + 30 * image.width + 64 + DRIVER_BYTES if camera_width and image else 0


def image_input(graph: Graph, metadata_json: str) -> ImageInput | None:
    """The same as ``data.images.InputForm`` has on the host. None for a network without a MODEL.json, and for one whose
    input is no int8 picture."""
    if metadata_json == "{}" or len(graph.inputs) != 1:
        return None
    tensor = graph.tensor(graph.inputs[0].tensor)
    if tensor.dtype != "int8" or tensor.quant is None or len(tensor.shape) != 4 or tensor.shape[3] not in (1, 3):
        return None
    _, height, width, channels = tensor.shape
    metadata = parse_metadata(metadata_json, "the network's MODEL.json")
    if metadata.audio is not None:
        return None
    values = metadata.mapping.to_int8(np.arange(256, dtype=np.uint8), tensor.scale, tensor.zero_point)
    return ImageInput(
        width=width,
        height=height,
        channels=channels,
        luma=channels == 1 or metadata.color == "luma",
        nearest=metadata.resize == "nearest",
        center=metadata.crop == "center",
        values=tuple(values.tolist()),
    )
