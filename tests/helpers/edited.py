"""Files of the TFLite writer with something changed that it would not write."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import flatbuffers
import pytest


def schema() -> ModuleType:
    """The flatbuffer schema as mutable objects, from whichever package brings it."""
    try:
        from tflite_micro.tensorflow.lite.micro.python import schema_py_generated
    except ImportError:
        schema_py_generated = pytest.importorskip(
            "tensorflow.lite.python.schema_py_generated",
            reason="neither tflite_micro nor TensorFlow (extras 'check', 'convert') is installed",
        )
    return schema_py_generated


def edited(data: bytes, change: Callable[[Any], None]) -> bytes:
    """The file after ``change`` of its main subgraph and model (passed as one object)."""
    objects = schema()
    model = objects.ModelT.InitFromObj(objects.Model.GetRootAs(data, 0))
    change(model)
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())
