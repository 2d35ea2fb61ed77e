"""Accuracy with its uncertainty, of Keras models and of int8 TFLite files."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tinyengine import native
from tinyengine.compiler import CompiledModel, CompileOptions, compile_model
from tinyengine.data.samples import Arrays
from tinyengine.errors import ModelError
from tinyengine.ir import OpKind
from tinyengine.optional import silence, tensorflow


@dataclass(slots=True)
class Accuracy:
    """Percentages; ``interval`` is the 95 % Wilson score interval, ``confusion[truth][answer]`` counts pictures.

    ``by_source``, ``agreed``: (percentage, pictures); the latter of the pictures whose label the answers in the data
    share, None where the data has none. Labels of large sets are partly wrong, and this part less.
    """

    accuracy: float
    interval: tuple[float, float]
    count: int
    confusion: list[list[int]]
    by_source: dict[str, tuple[float, int]] = field(default_factory=dict)
    agreed: tuple[float, int] | None = None


def wilson(right: int, count: int, z: float = 1.96) -> tuple[float, float]:
    """95 % score interval of a proportion, in per cent (Wilson, 1927)."""
    share = right / count
    centre = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    return 100 * (centre - half), 100 * (centre + half)


def score(answers: np.ndarray, samples: Arrays) -> Accuracy:
    """Compare (N,) class indices with the labels; samples without a label do not count."""
    known = samples.labels >= 0
    truth, answers = samples.labels[known], answers[known]
    sources = np.zeros(len(truth), np.int32) if samples.sources is None else samples.sources[known]
    classes = len(samples.classes)
    confusion = np.bincount(truth * classes + answers, minlength=classes * classes).reshape(classes, classes)
    right = truth == answers
    by_source = {
        name: (100 * float(right[sources == k].mean()), int((sources == k).sum()))
        for k, name in enumerate(samples.source_names)
        if (sources == k).any()
    }
    interval = wilson(int(right.sum()), len(right))
    agreed = None
    if samples.soft is not None:
        soft = samples.soft[known]
        same = ~np.isnan(soft).any(axis=1)
        same[same] = soft[same].argmax(axis=1) == truth[same]
        agreed = (100 * float(right[same].mean()), int(same.sum())) if same.any() else None
    return Accuracy(100 * float(right.mean()), interval, len(right), confusion.tolist(), by_source, agreed)


def keras_outputs(model: Any, pixels: np.ndarray, batch: int = 128) -> np.ndarray:
    """Outputs (N, K) of a float model for uint8 pictures of its resolution."""
    tf = tensorflow("evaluate a network")
    run = tf.function(lambda x: model(tf.cast(x, tf.float32) / 128.0 - 1.0, training=False))
    return np.concatenate([run(pixels[k : k + batch]).numpy() for k in range(0, len(pixels), batch)])


def tflite_outputs(path: Path, pixels: np.ndarray) -> np.ndarray:
    """Dequantized outputs (N, K) of an int8 TFLite file whose input is pixel - 128, by TFLite's reference kernels.

    With an operator of ours in it by the generated code, which gives the same bytes wherever both can run."""
    compiled = compile_model(path, CompileOptions())
    if any(op.kind is OpKind.LINEAR_ATTENTION for op in compiled.graph.operators):
        return _native_outputs(compiled, pixels)
    tf = tensorflow("run a TFLite file")
    with silence():
        interpreter = tf.lite.Interpreter(
            str(path),
            num_threads=1,
            experimental_op_resolver_type=tf.lite.experimental.OpResolverType.BUILTIN_REF,
        )
        interpreter.allocate_tensors()
    source, sink = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    if source["dtype"] != np.int8 or sink["dtype"] != np.int8:
        raise ModelError(f"{path} is not int8 at its input and output, so it cannot be evaluated as an int8 network")
    outputs = np.empty((len(pixels), int(np.prod(sink["shape"]))), np.float32)
    scale, zero_point = sink["quantization"]
    for k, picture in enumerate(pixels):
        interpreter.set_tensor(source["index"], (picture.astype(np.int16) - 128).astype(np.int8)[None])
        interpreter.invoke()
        outputs[k] = (interpreter.get_tensor(sink["index"]).reshape(-1).astype(np.float32) - zero_point) * scale
    return outputs


def _native_outputs(compiled: CompiledModel, pixels: np.ndarray) -> np.ndarray:
    quant = compiled.graph.tensor(compiled.graph.output_tensors()[0])
    network = native.build(compiled, fast=True)
    outputs = [network.run([(picture.astype(np.int16) - 128).astype(np.int8)[None]])[0].ravel() for picture in pixels]
    return ((np.array(outputs, np.float32) - quant.zero_point) * quant.scale).astype(np.float32)
