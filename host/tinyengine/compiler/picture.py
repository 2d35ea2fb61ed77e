"""What a device has to know to make a network's input of a camera's pixels."""

from __future__ import annotations

import numpy as np

from tinyengine.codegen.image import ImageInput
from tinyengine.data.metadata import parse_metadata
from tinyengine.ir import Graph


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
