"""Bias correction (Nagel et al. 2019) of an int8 network with calibration data.

Rounding weights and activations shifts the means of a layer's sums, and the shifts add up from layer to layer. Because
the sums are linear, the shift is the int8 layer applied to the mean of what it really reads, less the float layer
applied to the mean of what the float network gives it. It is taken from the layer's bias, layer after layer, so that
each one is measured behind those that are corrected already.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinyengine.convert.measure import FloatNetwork, quantized
from tinyengine.frontend.context import unique_names
from tinyengine.frontend.raw import read_raw
from tinyengine.frontend.tflite import parse_tflite
from tinyengine.ir import Operator, OpKind, Tensor
from tinyengine.ir.operators import WEIGHTED
from tinyengine.ir.ops import Window, WindowAttrs
from tinyengine.optional import tensorflow

SAMPLES = 64
"""Inputs that the means are taken over: the int8 network runs them once per layer."""


def correct_biases(content: bytes, floating: FloatNetwork, values: np.ndarray) -> tuple[bytes, int]:
    """The file with corrected biases, and how many layers were corrected; ``values`` (N, ...) float32."""
    graph = parse_tflite(content, "corrected")
    kinds = [kind for kind in WEIGHTED if kind is not OpKind.TRANSPOSE_CONV]  # each output has other taps
    layers = [op for op in graph.operators if op.kind in kinds and len(op.inputs) == 3]
    values = values[:: max(1, len(values) // SAMPLES)][:SAMPLES]
    source = graph.tensor(graph.inputs[0].tensor)
    inside = [quantized(value, source) for value in values]
    changed = bytearray(content)
    raw = read_raw(changed)  # its arrays are views of the bytes
    tensors = dict(zip(unique_names(raw.tensors), raw.tensors, strict=True))
    exact = _means(floating, values, {op.inputs[0] for op in layers})
    done: list[np.ndarray] = []
    for op in layers:
        read, bias, kernel = op.inputs[0], tensors.get(op.inputs[2]), floating.tensor(op.inputs[1])
        weights = graph.tensor(op.inputs[1])
        if read not in exact or kernel is None or kernel.shape != weights.shape or bias is None or not bias.data.size:
            continue
        if any(np.shares_memory(bias.data, other) for other in done):  # two layers with the same bias in the file
            continue
        rounded = _means(FloatNetwork(bytes(changed)), inside, {read})[read]
        tensor = graph.tensor(read)
        rounded = (rounded - tensor.zero_point) * tensor.scale
        shift = _sums(op, rounded, _real(weights)) - _sums(op, exact[read], kernel)
        done.append(bias.data)
        stored = bias.data.view(np.int32)
        limits = np.iinfo(np.int32)
        corrected = np.rint(stored - shift / np.array(graph.tensor(op.inputs[2]).quant.scale))  # type: ignore[union-attr]
        stored[:] = corrected.clip(limits.min, limits.max).astype(np.int32)
    return bytes(changed), len(done)


def _means(network: FloatNetwork, values: np.ndarray | list[np.ndarray], names: set[str]) -> dict[str, np.ndarray]:
    """Mean over the samples, position by position, of the tensors ``names`` as the file holds them."""
    sums: dict[str, np.ndarray] = {}
    for value in values:
        network.run(value)
        for name in names:
            tensor = network.tensor(name)
            if tensor is not None:
                sums[name] = sums.get(name, 0.0) + tensor.astype(np.float64)
    return {name: total / len(values) for name, total in sums.items()}


def _real(weights: Tensor) -> np.ndarray:
    """What int8 weights stand for."""
    assert weights.data is not None and weights.quant is not None
    shape = [1] * len(weights.shape)
    shape[weights.quant.axis or 0] = len(weights.quant.scale)
    return weights.data.reshape(weights.shape) * np.array(weights.quant.scale).reshape(shape)


def _sums(op: Operator, mean: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(outputs,) mean over the positions of the layer applied to ``mean``, without its bias."""
    if op.kind is OpKind.FULLY_CONNECTED:
        return weights @ mean.reshape(-1, weights.shape[1]).mean(axis=0)
    tf = tensorflow("correct biases")
    assert isinstance(op.attrs, WindowAttrs)
    window = op.attrs.window
    top, bottom, left, right = window.pad
    padded = tf.constant(np.pad(mean, ((0, 0), (top, bottom), (left, right), (0, 0))), tf.float32)
    if op.kind is OpKind.DEPTHWISE_CONV_2D:
        kernel = weights.reshape(*weights.shape[1:3], mean.shape[-1], -1)
        outputs = _depthwise(tf, padded, kernel.astype(np.float32), window)
    else:
        kernel = weights.transpose(1, 2, 3, 0).astype(np.float32)
        outputs = tf.nn.conv2d(padded, kernel, window.stride, "VALID", dilations=window.dilation)
    return outputs.numpy().astype(np.float64).mean(axis=(0, 1, 2))


def _depthwise(tf: Any, padded: Any, kernel: np.ndarray, window: Window) -> Any:
    """TensorFlow strides a depthwise convolution alike in both directions only: take every output, then each nth."""
    outputs = tf.nn.depthwise_conv2d(padded, kernel, (1, 1, 1, 1), "VALID", dilations=window.dilation)
    return outputs[:, :: window.stride[0], :: window.stride[1]]
