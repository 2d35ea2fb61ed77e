"""Scales and zero points of a file, and nodes that compute nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tinyengine.frontend.onnx.builder import Builder, Node, Value
from tinyengine.frontend.onnx.registry import translator
from tinyengine.ir.graph import Quantization
from tinyengine.ir.ops import NoAttrs, OpKind


def quantized(real: np.ndarray, quant: Quantization) -> Value:
    shape = [1] * real.ndim
    if quant.per_channel:
        shape[quant.axis or 0] = -1
    scale, zero = np.array(quant.scale).reshape(shape), np.array(quant.zero_point).reshape(shape)
    levels = np.clip(np.rint(real / scale) + zero, -128, 127).astype(np.int8)
    return Value(((levels - zero) * scale).astype(np.float32), (levels, quant))


@translator("Identity", "Dropout")
def alias(b: Builder, node: Node) -> None:
    b.values[node.outputs[0]] = b.required(node, 0)


@translator("QuantizeLinear")
def quantize_linear(b: Builder, node: Node) -> None:
    x, quant = b.required(node, 0), b.quantization(node)
    if x.array is not None:
        b.values[node.outputs[0]] = quantized(x.array, quant)
        return
    tensor = b.tensor(x)
    if tensor.quant == quant:
        b.values[node.outputs[0]] = x
        return
    b.emit(node, OpKind.QUANTIZE, [tensor.name], NoAttrs(), quant, x.order)


@translator("DequantizeLinear")
def dequantize_linear(b: Builder, node: Node) -> None:
    x, quant = b.required(node, 0), b.quantization(node)
    if x.array is None and b.value(node, 2) is not None and b.tensor(x).quant != quant:
        b.unsupported(node, "has other scales than its value was quantized with", "quantize the model again")
    if x.array is None or x.stored is not None:
        b.values[node.outputs[0]] = x
        return
    array = x.array
    if quant.axis is not None:
        quant = replace(quant, axis=quant.axis % max(array.ndim, 1))
    levels = array.astype(np.int64) - (128 if array.dtype == np.uint8 else 0)
    shape = [1] * array.ndim
    if quant.per_channel:
        shape[quant.axis or 0] = -1
    real = (levels - np.array(quant.zero_point).reshape(shape)) * np.array(quant.scale).reshape(shape)
    stored = (levels.astype(np.int8), quant) if array.dtype in (np.int8, np.uint8) else None
    b.values[node.outputs[0]] = Value(real, stored)


@translator("Shape")
def shape_of(b: Builder, node: Node) -> None:
    sizes = b.shape(b.required(node, 0))[node.attributes.get("start", 0) : node.attributes.get("end")]
    b.values[node.outputs[0]] = Value(np.array(sizes, np.int64))
