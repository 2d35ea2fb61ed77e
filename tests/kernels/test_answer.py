"""te_answer.h against the host's reading of a classifier's output."""

from __future__ import annotations

import ctypes
import subprocess
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tinyengine.data.answers import classify
from tinyengine.data.metadata import ModelMetadata
from tinyengine.native.build import host_compiler
from tinyengine.native.library import FLAGS, WARNINGS
from tinyengine.paths import cache_dir, project_root, replacing

from tests.helpers.batch import STRICT

LIBRARY = project_root() / "lib" / "tinyengine"
DTYPES = [np.int8, np.uint8, np.int16, np.int32, np.float32]  # in the order of te_model.h
TOLERANCE = 2.0**-20


class Port(ctypes.Structure):
    """te_port."""

    _fields_ = [
        ("name", ctypes.c_char_p),
        ("data", ctypes.c_void_p),
        ("bytes", ctypes.c_uint32),
        ("scale", ctypes.c_float),
        ("zero_point", ctypes.c_int32),
        ("rank", ctypes.c_uint8),
        ("dtype", ctypes.c_uint8),
        ("dims", ctypes.c_uint16 * 4),
    ]


@cache
def library() -> ctypes.CDLL:
    path = cache_dir() / "native" / "answer.so"
    with replacing(path) as partial:
        command = [host_compiler(), *WARNINGS, *STRICT, *FLAGS, f"-I{LIBRARY / 'include'}", "-shared", "-fPIC"]
        subprocess.run([*command, str(LIBRARY / "src/image/te_answer.c"), "-o", str(partial)], check=True)
        return ctypes.CDLL(str(partial))


def ask(values: np.ndarray, scale: float, zero_point: int, threshold: float = 0.0) -> tuple[int, float, list[float]]:
    """Class, its probability, all probabilities."""
    data = np.ascontiguousarray(values)
    dtype = DTYPES.index(data.dtype.type)
    port = Port(b"y", data.ctypes.data, data.nbytes, scale, zero_point, 1, dtype, (ctypes.c_uint16 * 4)(data.size))
    count = library().te_classes(ctypes.byref(port))
    chances, top = (ctypes.c_float * max(count, 1))(), ctypes.c_float()
    library().te_probabilities(ctypes.byref(port), chances)
    index = library().te_answer(ctypes.byref(port), ctypes.c_float(threshold), ctypes.byref(top))
    return index, top.value, list(chances)[:count]


@settings(max_examples=300, deadline=None)
@given(
    values=st.lists(st.integers(-128, 127), min_size=1, max_size=40),
    quantization=st.sampled_from([(1 / 256, -128), (0.1, 3), (2.0, -128), (1 / 64, 0), (1 / 255, -128), (0.0039, 127)]),
)
def test_same_answer_as_the_host(values: list[int], quantization: tuple[float, int]) -> None:
    scale, zero_point = float(np.float32(quantization[0])), quantization[1]
    data = np.array(values, np.int8)
    expected = classify(data, scale, zero_point, ModelMetadata())
    index, probability, chances = ask(data, scale, zero_point)
    assert len(chances) == len(expected.probabilities)
    np.testing.assert_allclose(chances, expected.probabilities, rtol=0, atol=TOLERANCE)
    assert abs(probability - chances[index]) <= TOLERANCE
    assert index == expected.index


@pytest.mark.parametrize(("dtype", "zero_point"), [(np.uint8, 0), (np.int16, -32768)])
def test_other_quantized_outputs(dtype: type[np.generic], zero_point: int) -> None:
    """The same real values as of int8 outputs."""
    logits = np.array([3, 7, -2, 0])
    _, _, expected = ask(logits.astype(np.int8), 0.5, 0)
    _, _, chances = ask((logits + 100).astype(dtype), 0.5, 100)
    np.testing.assert_allclose(chances, expected, rtol=0, atol=TOLERANCE)
    steps = 255 if dtype == np.uint8 else 65535
    sure = np.array([zero_point, zero_point + steps], np.int64).astype(dtype)
    assert ask(sure, 1 / (steps + 1), zero_point)[2] == [0.0, steps / (steps + 1)]


def test_threshold() -> None:
    values = np.array([-128, 64, 63], np.int8)  # 0, 0.75, 0.746
    assert ask(values, 1 / 256, -128, 0.75)[0] == 1
    assert ask(values, 1 / 256, -128, 0.7501)[:2] == (-1, 0.75)
    assert ask(np.array([10, 10], np.int8), 1.0, 0, 0.5)[0] == 0  # the first of several


def test_what_is_not_quantized_has_no_classes() -> None:
    assert ask(np.array([1.0, 2.0], np.float32), 1.0, 0) == (-1, 0.0, [])
