"""TFLite flatbuffers to the IR."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tinyengine.errors import ModelError
from tinyengine.frontend.context import Context
from tinyengine.frontend.dilation import fold_dilation
from tinyengine.frontend.files import network_bytes
from tinyengine.frontend.raw import RawModel, read_raw
from tinyengine.frontend.shape_arithmetic import fold_shape_arithmetic
from tinyengine.frontend.translators import translate
from tinyengine.ir.graph import Graph
from tinyengine.ir.verify import verify


def load_tflite(path: str | Path) -> Graph:
    """Read, translate and verify a ``.tflite`` file, or a C array of one; ModelError, one sentence, if it is unfit."""
    path = Path(path)
    return parse_tflite(network_bytes(path), path.name)


def parse_tflite(data: bytes, file_name: str = "model.tflite") -> Graph:
    """As ``load_tflite`` for the bytes of a file; sentences start with ``file_name``."""
    try:
        graph = _translate(read_raw(data), Path(file_name).stem)
        verify(graph)
    except ModelError as error:
        raise type(error)(f"{file_name}: {error}") from error
    return graph


def _translate(raw: RawModel, name: str) -> Graph:
    raw = fold_dilation(raw)
    context = Context(raw, name)
    for index in raw.inputs:
        context.add_input(index)
    for op in raw.operators:
        with np.errstate(all="ignore"):  # damaged quantization parameters are judged by the verifier
            if not fold_shape_arithmetic(context, op):
                translate(context, op)
    for index in raw.outputs:
        context.add_output(index)
    return context.graph
