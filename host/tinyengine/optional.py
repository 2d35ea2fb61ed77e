"""Packages that only some commands need, imported when they are needed and with one sentence when they are missing."""

from __future__ import annotations

import contextlib
import os
import sys
import warnings
from collections.abc import Iterator
from types import ModuleType

from tinyengine.errors import ToolError


@contextlib.contextmanager
def silence() -> Iterator[None]:
    """Standard error of this process to nowhere, and no Python warnings.

    TensorFlow's C++ side greets and chats there before and whatever its settings say. Failures arrive as exceptions.
    """
    sys.stderr.flush()
    saved, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        sys.stderr.flush()
        os.dup2(saved, 2)
        os.close(saved)
        os.close(nowhere)


@contextlib.contextmanager
def needed(packages: str, purpose: str, extra: str, be: str = "is") -> Iterator[None]:
    """ToolError where an import inside it fails: the sentence names ``packages``, ``purpose`` ("train a network") and
    the extra of tinyengine that installs them. ``be``: the verb, "are" for several packages."""
    try:
        yield
    except ImportError as error:
        raise ToolError(
            f"{packages} {be} needed to {purpose} and {be} not installed: run pip install 'tinyengine[{extra}]'"
        ) from error


def tensorflow(purpose: str, threads: int | None = None) -> ModuleType:
    """Import TensorFlow quietly.

    ``threads`` limits the cores it may use. It only has an effect before TensorFlow has run its first operation, which
    is why a later call with another number is ignored instead of failing.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
    if threads is not None:
        os.environ.setdefault("OMP_NUM_THREADS", str(threads))
    with needed("TensorFlow", purpose, "convert"), silence():
        import tensorflow as tf
    if threads is not None:
        try:
            tf.config.threading.set_intra_op_parallelism_threads(threads)
            tf.config.threading.set_inter_op_parallelism_threads(threads)
        except RuntimeError:  # already running: keep what it has
            pass
    return tf


def onnx(purpose: str) -> ModuleType:
    with needed("the package onnx", purpose, "onnx"):
        import onnx as module
        import onnx.numpy_helper
        import onnx.reference
    return module


def pyplot(purpose: str) -> ModuleType:
    """Import Matplotlib for files."""
    with needed("Matplotlib", purpose, "plot"):
        import matplotlib

        matplotlib.use("Agg")
        import matplotlib.pyplot as plt
    return plt


def opencv(purpose: str) -> ModuleType:
    with needed("OpenCV", purpose, "camera"):
        import cv2
    return cv2


def sounddevice(purpose: str) -> ModuleType:
    try:
        with needed("sounddevice", purpose, "microphone"):
            import sounddevice as module
    except OSError as error:
        raise ToolError(
            f"PortAudio is needed to {purpose} and is not installed: run sudo apt-get install libportaudio2"
        ) from error
    return module


def torch(purpose: str) -> ModuleType:
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
    warnings.filterwarnings("ignore", message="CUDA initialization")  # said where a driver is absent, at the first step
    with needed("PyTorch", purpose, "torch"), silence():
        import torch as module
    return module


def safetensors(purpose: str) -> ModuleType:
    with needed("the package safetensors", purpose, "language"):
        import safetensors as module
        import safetensors.numpy
    return module


def tokenizers(purpose: str) -> ModuleType:
    with needed("the package tokenizers", purpose, "language"):
        import tokenizers as module
        import tokenizers.models
        import tokenizers.pre_tokenizers
        import tokenizers.trainers
    return module


def processor_threads(count: int) -> contextlib.AbstractContextManager[object]:
    """While it lasts the numeric libraries that are loaded (OpenBLAS, OpenMP) use at most ``count`` threads."""
    import threadpoolctl  # comes with scikit-learn

    return threadpoolctl.threadpool_limits(count)


def scikit_learn(purpose: str) -> ModuleType:
    with needed("scikit-learn", purpose, "teacher"):
        import sklearn
        import sklearn.decomposition
        import sklearn.linear_model
        import sklearn.metrics
        import sklearn.model_selection
        import sklearn.pipeline
        import sklearn.preprocessing
    return sklearn


def starlette(purpose: str) -> ModuleType:
    with needed("Starlette", purpose, "live"):
        import starlette as module
        import starlette.applications
        import starlette.responses
        import starlette.routing
        import starlette.websockets
    return module


def uvicorn(purpose: str) -> ModuleType:
    """Import uvicorn, and the websockets that it speaks."""
    with needed("uvicorn and websockets", purpose, "live", be="are"):
        import uvicorn as module
        import websockets  # noqa: F401 - uvicorn imports it by name when the server starts
    return module
