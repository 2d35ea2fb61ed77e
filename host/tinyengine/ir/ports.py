"""Values at a network's border: what the user holds (float32, uint8, int8) and what the device eats (int8, int16).

The arithmetic is that of TFLite's QUANTIZE and DEQUANTIZE, so a network whose conversions were moved to its ports
answers bit by bit as the original file does.
"""

from __future__ import annotations

import numpy as np

from tinyengine.ir.graph import DTYPES, Graph, Port, Quantization
from tinyengine.ir.quantize import multiply_by_quantized_multiplier, quantize_multiplier, round_half_away


def quantize_array(values: np.ndarray, quant: Quantization, dtype: str = "int8") -> np.ndarray:
    """float32 to 8 or 16 bits: round(value / scale) + zero point in float32, halves away from zero, saturated."""
    scale, zero = quant.scalar()
    rounded = round_half_away(np.asarray(values, np.float32) / np.float32(scale)).astype(np.float64) + zero
    limits = np.iinfo(DTYPES[dtype])
    return np.clip(rounded, limits.min, limits.max).astype(DTYPES[dtype])


def dequantize_array(values: np.ndarray, quant: Quantization) -> np.ndarray:
    """8 or 16 bits to float32: scale * (value - zero point)."""
    scale, zero = quant.scalar()
    return (np.float64(scale) * (values.astype(np.int64) - zero)).astype(np.float32)


def requantize_array(values: np.ndarray, source: Quantization, target: Quantization, dtype: str = "int8") -> np.ndarray:
    """One quantization of integers to another, in fixed point."""
    (scale, zero), (out_scale, out_zero) = source.scalar(), target.scalar()
    scaled = multiply_by_quantized_multiplier(values.astype(np.int64) - zero, *quantize_multiplier(scale / out_scale))
    limits = np.iinfo(DTYPES[dtype])
    return np.clip(scaled + out_zero, limits.min, limits.max).astype(DTYPES[dtype])


def to_inside(graph: Graph, port: Port, values: np.ndarray) -> np.ndarray:
    """Values of an input port, in the port's dtype, as the tensor inside wants them."""
    tensor = graph.tensor(port.tensor)
    if port.dtype == tensor.dtype:
        return np.asarray(values, DTYPES[tensor.dtype]).reshape(tensor.shape)
    assert tensor.quant is not None
    if port.dtype == "float32":
        return quantize_array(values, tensor.quant, tensor.dtype).reshape(tensor.shape)
    assert port.quant is not None
    return requantize_array(values, port.quant, tensor.quant, tensor.dtype).reshape(tensor.shape)
