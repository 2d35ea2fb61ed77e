"""What quantization cost: the int8 network against the float one on the same inputs.

Errors are signal-to-noise ratios in decibels: 10 log10(mean(float^2) / mean((int8 - float)^2)). 40 dB is an error of
1 %, 20 dB one of 10 %. A layer's *own* error is measured on the float network's activations, rounded to the layer's
input scale: it says which layer to blame. The error at its output in the whole network has added up since the input.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinyengine.errors import ModelError
from tinyengine.frontend.context import unique_names
from tinyengine.frontend.raw import read_raw
from tinyengine.ir import Graph, OpKind, Tensor
from tinyengine.ir.graph import DTYPES
from tinyengine.optional import silence, tensorflow
from tinyengine.reference import execute, run

#: below this power a signal counts as silent, so that an all-zero layer does not appear as infinitely bad
_SILENCE = 1e-12


@dataclass(frozen=True, slots=True)
class LayerError:
    """One operator, with the name of its output in the float model; decibels, larger is better."""

    name: str
    origin: str
    op: str
    own_db: float
    total_db: float


@dataclass(frozen=True, slots=True)
class OutputError:
    """One output of the network: absolute differences in real units."""

    name: str
    max_abs: float
    mean_abs: float
    db: float


@dataclass(slots=True)
class Measurement:
    """``agreement``: per cent of the samples where both forms name the same class (one-dimensional outputs only)."""

    outputs: list[OutputError]
    layers: list[LayerError]
    samples: int
    agreement: float | None
    float_accuracy: float | None
    int8_accuracy: float | None


class FloatNetwork:
    """The float .tflite with every intermediate tensor kept.

    ``layer_names`` are those of its convolutions and fully connected layers in order, where the tensors' names say
    nothing about them.
    """

    def __init__(self, content: bytes, layer_names: Sequence[str] = ()) -> None:
        tf = tensorflow("measure the error of quantization")
        with silence():
            self._interpreter = tf.lite.Interpreter(
                model_content=content,
                num_threads=1,
                experimental_preserve_all_tensors=True,
                experimental_op_resolver_type=tf.lite.experimental.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
            )
            self._interpreter.allocate_tensors()
        raw = read_raw(content)
        self._index = {name: index for index, name in enumerate(unique_names(raw.tensors))}
        self._names = {name: raw.tensors[index].name for name, index in self._index.items()}
        weighted = [op for op in raw.operators if op.kind in ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")]
        if len(weighted) == len(layer_names):
            names = list(self._index)
            self._names = dict.fromkeys(names, "")
            self._names |= {names[op.outputs[0]]: name for op, name in zip(weighted, layer_names, strict=True)}
        self._inputs = self._interpreter.get_input_details()
        self._outputs = self._interpreter.get_output_details()

    def run(self, value: np.ndarray) -> list[np.ndarray]:
        """Outputs for one sample without batch."""
        self._interpreter.set_tensor(self._inputs[0]["index"], value[None])
        self._interpreter.invoke()
        return [self._interpreter.get_tensor(detail["index"]) for detail in self._outputs]

    def origin(self, name: str) -> str:
        """The float model's own name for a tensor: the last of the operations that the converter fused into one."""
        full = self._names.get(name, name).split(";")[0]
        return full.replace("StatefulPartitionedCall/", "")

    def tensor(self, name: str) -> np.ndarray | None:
        """The float value, in the last run, of a tensor of the int8 graph; None where there is no counterpart."""
        index = self._index.get(name)
        if index is None:
            return None
        try:
            return self._interpreter.get_tensor(index)
        except ValueError:  # its memory was not kept
            return None


def measure(
    graph: Graph,
    int8: Any,
    floating: FloatNetwork,
    values: np.ndarray,
    labels: np.ndarray | None,
    layer_samples: int,
) -> Measurement:
    """Compare on all ``values`` (N, ...) at the outputs, and on ``layer_samples`` of them in every layer.

    ``int8`` is the reference interpreter of the same file as ``graph`` (``open_reference``), much faster than the
    oracle; the layers are measured with the oracle.
    """
    answers, truths = [], []
    inputs = [quantized(value[None], graph.tensor(graph.inputs[0].tensor)) for value in values]
    for value, inside in zip(values, inputs, strict=True):
        truths.append([output.ravel() for output in floating.run(value)])
        raw = int8.run([inside])
        tensors = [graph.tensor(port.tensor) for port in graph.outputs]
        answers.append([_dequantize(q, tensor).ravel() for q, tensor in zip(raw, tensors, strict=True)])
    outputs = []
    for k, port in enumerate(graph.outputs):
        truth = np.stack([row[k] for row in truths])
        answer = np.stack([row[k] for row in answers])
        difference = np.abs(answer - truth)
        outputs.append(OutputError(port.name, float(difference.max()), float(difference.mean()), _db(truth, answer)))
    result = Measurement(outputs, [], len(values), None, None, None)
    if len(graph.outputs) == 1 and len(truths[0][0]) > 1:
        float_class = np.array([row[0].argmax() for row in truths])
        int8_class = np.array([row[0].argmax() for row in answers])
        result.agreement = 100 * float((float_class == int8_class).mean())
        if labels is not None:
            result.float_accuracy = 100 * float((float_class == labels).mean())
            result.int8_accuracy = 100 * float((int8_class == labels).mean())
    step = max(1, len(values) // max(1, layer_samples))
    result.layers = _layers(graph, floating, values[::step][:layer_samples], inputs[::step][:layer_samples])
    return result


def unfolded_normalizations(graph: Graph) -> list[str]:
    """MUL, ADD and SUB with a constant: batch normalization that the converter could not fold into a convolution."""
    elementwise = (OpKind.MUL, OpKind.ADD, OpKind.SUB)
    return [
        op.name
        for op in graph.operators
        if op.kind in elementwise and any(graph.tensor(name).is_constant for name in op.inputs)
    ]


def _layers(graph: Graph, floating: FloatNetwork, values: np.ndarray, insides: list[np.ndarray]) -> list[LayerError]:
    """Own and total error of every operator whose tensors the float network has under the same names."""
    power = {op.name: np.zeros(3) for op in graph.operators}  # signal, own noise, total noise
    for value, inside in zip(values, insides, strict=True):
        floating.run(value)
        whole = run(graph, [inside], keep_all=True)
        for op in graph.operators:
            output = graph.tensor(op.outputs[0])
            truth = floating.tensor(output.name)
            inputs = [_float_input(graph, floating, name) for name in op.inputs]
            if truth is None or truth.size != output.elements or any(x is None for x in inputs):
                continue
            [own] = execute(op, graph, inputs)  # type: ignore[arg-type]
            truth = truth.reshape(output.shape)
            power[op.name] += (
                float(np.mean(truth**2)),
                float(np.mean((_dequantize(own, output) - truth) ** 2)),
                float(np.mean((_dequantize(whole[output.name], output) - truth) ** 2)),
            )
    if not any(signal for signal, _, _ in power.values()):
        raise ModelError("no layer of the int8 network has a counterpart in the float one: cannot compare them")
    return [
        LayerError(op.name, floating.origin(op.outputs[0]), op.kind.name, _ratio(signal, own), _ratio(signal, total))
        for op in graph.operators
        for signal, own, total in [power[op.name]]
        if signal > _SILENCE
    ]


def _float_input(graph: Graph, floating: FloatNetwork, name: str) -> np.ndarray | None:
    """What the int8 operator gets where everything before it is exact: constants as they are, activations rounded."""
    tensor = graph.tensor(name)
    if tensor.data is not None:
        return tensor.data.reshape(tensor.shape)
    value = floating.tensor(name)
    if value is None or value.size != tensor.elements:
        return None
    return quantized(value, tensor).reshape(tensor.shape)


def quantized(value: np.ndarray, tensor: Tensor) -> np.ndarray:
    """Real values as ``tensor`` holds them, saturated."""
    limits = np.iinfo(DTYPES[tensor.dtype])
    rounded = np.rint(value.astype(np.float64) / tensor.scale) + tensor.zero_point
    return rounded.clip(limits.min, limits.max).astype(DTYPES[tensor.dtype])


def _dequantize(value: np.ndarray, tensor: Tensor) -> np.ndarray:
    return (value.astype(np.float64) - tensor.zero_point) * tensor.scale


def _db(truth: np.ndarray, answer: np.ndarray) -> float:
    return _ratio(float(np.mean(truth**2)), float(np.mean((answer - truth) ** 2)))


def _ratio(signal: float, noise: float) -> float:
    return float(10 * np.log10(max(signal, _SILENCE) / max(noise, _SILENCE * max(signal, _SILENCE))))
