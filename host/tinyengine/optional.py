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


def tensorflow(purpose: str, threads: int | None = None) -> ModuleType:
    """Import TensorFlow quietly; ``purpose`` ("train a network") completes the sentence shown when it is missing.

    ``threads`` limits the cores it may use. It only has an effect before TensorFlow has run its first operation, which
    is why a later call with another number is ignored instead of failing.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
    if threads is not None:
        os.environ.setdefault("OMP_NUM_THREADS", str(threads))
    try:
        with silence():
            import tensorflow as tf
    except ImportError as error:
        raise ToolError(
            f"TensorFlow is needed to {purpose} and is not installed: run pip install 'tinyengine[convert]'"
        ) from error
    if threads is not None:
        try:
            tf.config.threading.set_intra_op_parallelism_threads(threads)
            tf.config.threading.set_inter_op_parallelism_threads(threads)
        except RuntimeError:  # already running: keep what it has
            pass
    return tf


def onnx(purpose: str) -> ModuleType:
    """Import ONNX; ``purpose`` ("read a network") completes the sentence shown when it is missing."""
    try:
        import onnx as module
        import onnx.numpy_helper
        import onnx.reference
    except ImportError as error:
        raise ToolError(
            f"the package onnx is needed to {purpose} and is not installed: run pip install 'tinyengine[onnx]'"
        ) from error
    return module


def pyplot(purpose: str) -> ModuleType:
    """Import Matplotlib for files; ``purpose`` ("draw curves") completes the sentence shown when it is missing."""
    try:
        import matplotlib

        matplotlib.use("Agg")
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ToolError(
            f"Matplotlib is needed to {purpose} and is not installed: run pip install 'tinyengine[plot]'"
        ) from error
    return plt


def opencv(purpose: str) -> ModuleType:
    """Import OpenCV; ``purpose`` ("use a camera") completes the sentence shown when it is missing."""
    try:
        import cv2
    except ImportError as error:
        raise ToolError(
            f"OpenCV is needed to {purpose} and is not installed: run pip install 'tinyengine[camera]'"
        ) from error
    return cv2


def sounddevice(purpose: str) -> ModuleType:
    """Import sounddevice; ``purpose`` ("use a microphone") completes the sentence shown when it is missing."""
    try:
        import sounddevice as module
    except ImportError as error:
        raise ToolError(
            f"sounddevice is needed to {purpose} and is not installed: run pip install 'tinyengine[microphone]'"
        ) from error
    except OSError as error:
        raise ToolError(
            f"PortAudio is needed to {purpose} and is not installed: run sudo apt-get install libportaudio2"
        ) from error
    return module


def torch(purpose: str) -> ModuleType:
    """Import PyTorch; ``purpose`` ("train a network with ...") completes the sentence shown when it is missing."""
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
    warnings.filterwarnings("ignore", message="CUDA initialization")  # said where a driver is absent, at the first step
    try:
        with silence():
            import torch as module
    except ImportError as error:
        raise ToolError(
            f"PyTorch is needed to {purpose} and is not installed: run pip install 'tinyengine[torch]'"
        ) from error
    return module


def processor_threads(count: int) -> contextlib.AbstractContextManager[object]:
    """While it lasts the numeric libraries that are loaded (OpenBLAS, OpenMP) use at most ``count`` threads."""
    import threadpoolctl  # comes with scikit-learn

    return threadpoolctl.threadpool_limits(count)


def scikit_learn(purpose: str) -> ModuleType:
    """Import scikit-learn and what is used of it; ``purpose`` ("teach") completes the sentence when it is missing."""
    try:
        import sklearn
        import sklearn.decomposition
        import sklearn.linear_model
        import sklearn.metrics
        import sklearn.model_selection
        import sklearn.pipeline
        import sklearn.preprocessing
    except ImportError as error:
        raise ToolError(
            f"scikit-learn is needed to {purpose} and is not installed: run pip install 'tinyengine[teacher]'"
        ) from error
    return sklearn


def starlette(purpose: str) -> ModuleType:
    """Import Starlette and what is used of it; ``purpose`` ("serve a page") completes the sentence when it is
    missing."""
    try:
        import starlette as module
        import starlette.applications
        import starlette.responses
        import starlette.routing
        import starlette.websockets
    except ImportError as error:
        raise ToolError(
            f"Starlette is needed to {purpose} and is not installed: run pip install 'tinyengine[live]'"
        ) from error
    return module


def uvicorn(purpose: str) -> ModuleType:
    """Import uvicorn, and the websockets that it speaks; ``purpose`` ("serve a page") completes the sentence when
    either is missing."""
    try:
        import uvicorn as module
        import websockets  # noqa: F401 - uvicorn imports it by name when the server starts
    except ImportError as error:
        raise ToolError(
            f"uvicorn and websockets are needed to {purpose} and are not installed: run pip install 'tinyengine[live]'"
        ) from error
    return module
