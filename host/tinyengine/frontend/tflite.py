"""TFLite flatbuffers to the IR."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tinyengine.errors import ModelError
from tinyengine.frontend.constants import fold_known_result
from tinyengine.frontend.context import Context
from tinyengine.frontend.dilation import fold_dilation
from tinyengine.frontend.files import network_bytes
from tinyengine.frontend.legacy import shift_legacy
from tinyengine.frontend.raw import read_raw
from tinyengine.frontend.shape_arithmetic import fold_shape_arithmetic
from tinyengine.frontend.translators import translate
from tinyengine.frontend.variables import Variables
from tinyengine.ir.graph import Graph
from tinyengine.ir.verify import verify

KNOWN = (fold_known_result, fold_shape_arithmetic)
"""What computes nothing that depends on the running network."""


def load_tflite(path: str | Path) -> Graph:
    """Read, translate and verify a ``.tflite`` file, or a C array of one; ModelError, one sentence, if it is unfit."""
    path = Path(path)
    return parse_tflite(network_bytes(path), path.name)


def parse_tflite(data: bytes, file_name: str = "model.tflite") -> Graph:
    """As ``load_tflite`` for the bytes of a file; sentences start with ``file_name``."""
    try:
        context = Context(fold_dilation(shift_legacy(read_raw(data))), Path(file_name).stem)
        _translate(context)
        verify(context.graph)
    except ModelError as error:
        raise type(error)(f"{file_name}: {error}") from error
    return context.graph


def judge_tflite(data: bytes, name: str) -> Context:
    """As ``parse_tflite``, with all refusals kept in ``Context.refusals`` instead of raised at the first one.

    ModelError where the bytes are no network at all. Without any refusal the graph is the one of ``parse_tflite``.
    """
    context = Context(fold_dilation(shift_legacy(read_raw(data))), name, collect=True)
    _translate(context)
    return context


def _translate(context: Context) -> None:
    variables = Variables(context)
    for index in context.raw.inputs:
        with context.judging(tensors=(index,)):
            context.add_input(index)
    for op in context.raw.operators:
        # damaged quantization parameters are judged by the verifier
        with context.judging(op), np.errstate(all="ignore"):
            if not any(known(context, op) for known in KNOWN) and not variables.translate(op):
                translate(context, op)
    with context.judging():
        variables.finish()
    for index in context.raw.outputs:
        with context.judging(tensors=(index,)):
            context.add_output(index)
