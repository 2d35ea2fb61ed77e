"""TensorFlow Lite's own kernels, to compare with: the full interpreter's reference kernels and TFLite Micro."""

from __future__ import annotations

import os
import pickle
import tempfile
import warnings
from pathlib import Path

import numpy as np
import pytest


def require_tensorflow() -> None:
    """Skip the test where TensorFlow is not installed, or older than the kernels that the oracle follows."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    tf = pytest.importorskip("tensorflow", reason="TensorFlow (the extra 'convert') is not installed")
    major, minor = (int(part) for part in tf.__version__.split(".")[:2])
    if (major, minor) < (2, 20):
        pytest.skip(f"TensorFlow {tf.__version__} rounds fully connected layers as TFLite did before 2.20")


def run_builtin_ref(model: bytes | Path, inputs: list[np.ndarray]) -> list[np.ndarray]:
    """Outputs of ``tf.lite.Interpreter`` with OpResolverType.BUILTIN_REF; skips the test without TensorFlow."""
    return run_builtin_ref_in_a_row(model, [inputs])[0]


def run_builtin_ref_in_a_row(model: bytes | Path, runs: list[list[np.ndarray]]) -> list[list[np.ndarray]]:
    """The same for the inputs of several runs, the first of which begins with the variables' initial values."""
    require_tensorflow()
    import tensorflow as tf

    source = {"model_content": model} if isinstance(model, bytes) else {"model_path": str(model)}
    kernels = tf.lite.experimental.OpResolverType.BUILTIN_REF
    with warnings.catch_warnings(action="ignore"):  # tf.lite.Interpreter is deprecated in favour of a new package
        interpreter = tf.lite.Interpreter(**source, experimental_op_resolver_type=kernels, num_threads=1)
    interpreter.allocate_tensors()
    answers = []
    for inputs in runs:
        for details, value in zip(interpreter.get_input_details(), inputs, strict=True):
            interpreter.set_tensor(details["index"], value.reshape(details["shape"]))
        interpreter.invoke()
        answers.append([interpreter.get_tensor(details["index"]) for details in interpreter.get_output_details()])
    return answers


def run_micro(model: bytes, inputs: list[np.ndarray]) -> np.ndarray:
    """First output of TFLite Micro; skips the test where tflite_micro is not installed."""
    return run_micro_in_a_row(model, [inputs])[0]


def run_micro_in_a_row(model: bytes, runs: list[list[np.ndarray]]) -> list[np.ndarray]:
    """The same for the inputs of several runs."""
    pytest.importorskip("tflite_micro", reason="tflite_micro (the extra 'check') is not installed")
    from tflite_micro import runtime

    interpreter = runtime.Interpreter.from_bytes(model, arena_size=4 << 20)
    answers = []
    for inputs in runs:
        for index, value in enumerate(inputs):
            interpreter.set_input(value, index)
        interpreter.invoke()
        answers.append(np.array(interpreter.get_output(0)))
    return answers


def run_builtin_ref_apart(model: bytes, runs: list[list[np.ndarray]]) -> list[list[np.ndarray]] | None:
    """As :func:`run_builtin_ref_in_a_row`, in a process of its own. None where TFLite ends that with a signal, as at
    some random networks. Any other end is an AssertionError."""

    with tempfile.TemporaryFile() as answers:
        child = os.fork()
        if child == 0:
            status = 1
            try:
                pickle.dump(run_builtin_ref_in_a_row(model, runs), answers)
                answers.flush()
                status = 0
            finally:
                os._exit(status)
        _, ended = os.waitpid(child, 0)
        if os.WIFSIGNALED(ended):
            return None
        assert os.WEXITSTATUS(ended) == 0, "TFLite cannot run the network"
        answers.seek(0)
        return pickle.load(answers)
