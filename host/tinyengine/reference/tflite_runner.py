"""TFLite itself as the reference: the original file run by its own reference kernels.

TensorFlow's interpreter with the built-in reference kernels when TensorFlow is installed and takes the file, else
tflite-micro's interpreter, which takes some files that TFLite refuses. Tflite-micro has the same kernels with two
exceptions, which differ by 1 now and then: it rounds fully connected layers twice (TFLite once, since 2.20), and it
approximates the sigmoid.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from tinyengine.errors import ModelError, ToolError
from tinyengine.optional import tensorflow


class TfliteReference(Protocol):
    """A .tflite file ready to run."""

    name: str
    binding: bool  # whether exact arithmetic must give the same bytes
    note: str  # why it is not a better one, in one sentence; mostly empty

    def run(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Values of the file's inputs, in its order, dtypes and shapes -> values of its outputs."""
        ...


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Standard error of this process to nowhere: TensorFlow's libraries greet there on being loaded, before any of
    their settings takes effect. Failures arrive as exceptions all the same."""
    sys.stderr.flush()
    saved, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        with warnings.catch_warnings(action="ignore"):  # tf.lite.Interpreter is deprecated in favour of a new package
            yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(nowhere)


class _TensorFlow:
    """tf.lite.Interpreter on one core: with reference kernels, or ``optimized`` ones, which round some layers once."""

    note = ""

    def __init__(self, content: bytes, optimized: bool = False) -> None:
        self.binding = not optimized
        with _quiet():
            tf = tensorflow("run the TFLite reference")
            kinds = tf.lite.experimental.OpResolverType
            self._interpreter = tf.lite.Interpreter(
                model_content=content,
                experimental_op_resolver_type=kinds.BUILTIN_WITHOUT_DEFAULT_DELEGATES
                if optimized
                else kinds.BUILTIN_REF,
                num_threads=1,
            )
            if any(self._has_state_of_bytes(op) for op in self._interpreter._get_ops_details()):
                raise ValueError("TFLite takes an SVDF's state of int8 for int16 and writes beyond it")
            self._interpreter.allocate_tensors()
        if not optimized and any(op["op_name"] == "SUM" for op in self._interpreter._get_ops_details()):
            raise ValueError("TFLite's reference SUM takes int8 for uint8")
        self.name = f"TFLite {'optimized' if optimized else 'reference'} kernels (TensorFlow {tf.__version__})"
        self._inputs = self._interpreter.get_input_details()
        self._outputs = self._interpreter.get_output_details()

    def _has_state_of_bytes(self, op: Mapping[str, Any]) -> bool:
        """Whether ``op`` is an SVDF with weights over time, and a state, of int8: TFLite Micro's alone."""
        if op["op_name"] != "SVDF":
            return False
        return bool(self._interpreter._get_tensor_details(op["inputs"][2], 0)["dtype"] is np.int8)

    def run(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        for detail, value in zip(self._inputs, inputs, strict=True):
            self._interpreter.set_tensor(detail["index"], np.reshape(value, detail["shape"]))
        self._interpreter.invoke()
        return [self._interpreter.get_tensor(detail["index"]).copy() for detail in self._outputs]


class _TfliteMicro:
    """tflite-micro's interpreter on the host."""

    binding = False
    note = ""
    ARENA_BYTES = 64 << 20  # its own guess, 10 times the file, is too little for small files with big pictures

    def __init__(self, content: bytes, inputs: int, outputs: int) -> None:
        from tflite_micro import runtime

        self.name = "TFLite Micro reference kernels (tflite-micro)"
        with _quiet():
            self._interpreter = runtime.Interpreter.from_bytes(content, arena_size=self.ARENA_BYTES)
        self._shapes = [self._interpreter.get_input_details(i)["shape"] for i in range(inputs)]
        self._outputs = outputs

    def run(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        for index, (shape, value) in enumerate(zip(self._shapes, inputs, strict=True)):
            self._interpreter.set_input(np.reshape(value, shape), index)
        self._interpreter.invoke()
        return [np.array(self._interpreter.get_output(index)) for index in range(self._outputs)]


def open_reference(model: Path | bytes, inputs: int, outputs: int) -> TfliteReference:
    """The best reference that is installed and runs the file (or its bytes), which has this many inputs and outputs:
    TFLite's reference kernels, TFLite Micro, TFLite's other kernels.

    ToolError when none is installed, ModelError when none takes the file.
    """
    content = model.read_bytes() if isinstance(model, Path) else model
    micro = importlib.util.find_spec("tflite_micro") is not None
    openers: dict[str, Callable[[], TfliteReference]] = {}
    if importlib.util.find_spec("tensorflow"):
        openers["TFLite's reference kernels"] = lambda: _TensorFlow(content)
    if micro:
        openers["TFLite Micro"] = lambda: _TfliteMicro(content, inputs, outputs)
    if importlib.util.find_spec("tensorflow"):
        openers["TFLite's other kernels"] = lambda: _TensorFlow(content, optimized=True)
    refused: list[str] = []
    for name, opener in openers.items():
        try:
            reference = opener()
        except (RuntimeError, ValueError):  # with a message of many lines, about the insides of TFLite
            refused.append(name)
            continue
        if refused:
            reference.note = f"{' and '.join(refused)} cannot run this network, so it is compared with {name}"
        return reference
    if refused:
        more = "" if micro else ", or install tflite-micro, which takes more (pip install 'tinyengine[check]')"
        raise ModelError(f"{', '.join(refused)} cannot run this network to compare with: leave --check out{more}")
    raise ToolError(
        "comparing with TFLite needs tflite-micro or TensorFlow: run pip install 'tinyengine[check]' "
        "(or tinyengine[convert] where tflite-micro has no package)"
    )
