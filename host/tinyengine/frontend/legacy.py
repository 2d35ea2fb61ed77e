"""Files of 2018 and before, which compute in uint8 with uint8 weights: read as int8, all values less 128.

TFLite's uint8 reference kernels give the bytes of its int8 ones then, with four exceptions: a weight less its zero
point may need nine bits, average pools round halves up, CONCATENATION changes scales, and the product of two scales is
rounded to float32.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from tinyengine.frontend.raw import RawModel, RawTensor
from tinyengine.ir.graph import Quantization, Tensor
from tinyengine.ir.quantize import INT8_MAX, INT8_MIN, round_half_away

OFFSET = 128
_CONVERSIONS = ("QUANTIZE", "DEQUANTIZE")
SAME_AS_INT8 = frozenset(
    (
        *("ADD", "ARG_MAX", "ARG_MIN", "AVERAGE_POOL_2D", "CONCATENATION", "CONV_2D", "DEPTHWISE_CONV_2D"),
        *("DEQUANTIZE", "EXPAND_DIMS", "FULLY_CONNECTED", "GATHER", "HARD_SWISH"),
        *("LEAKY_RELU", "LOGISTIC", "LOG_SOFTMAX", "MAXIMUM", "MAX_POOL_2D", "MEAN", "MINIMUM", "MUL", "PACK"),
        *("PAD", "PRELU", "QUANTIZE", "REDUCE_MAX", "REDUCE_MIN", "RELU", "RELU6", "RELU_N1_TO_1", "RESHAPE"),
        *("RESIZE_NEAREST_NEIGHBOR", "SHAPE", "SLICE", "SOFTMAX", "SPLIT", "SPLIT_V", "SQUEEZE"),
        *("STRIDED_SLICE", "SUB", "SUM", "TANH", "TILE", "TRANSPOSE", "UNPACK"),
        "custom operator TFLite_Detection_PostProcess",
    )
)
"""What may compute in uint8."""


def shift_legacy(raw: RawModel) -> RawModel:
    """``raw`` with int8 for uint8, if an operator of it computes in uint8; as it is, if only the border is uint8."""

    def tensors(indices: tuple[int, ...]) -> list[RawTensor]:
        return [raw.tensors[i] for i in indices if 0 <= i < len(raw.tensors)]

    computing = [op for op in raw.operators if op.kind not in _CONVERSIONS]
    if not any(tensor.dtype == "UINT8" for op in computing for tensor in tensors((*op.inputs, *op.outputs))):
        return raw
    return replace(raw, tensors=[_shifted(t) if t.dtype == "UINT8" else t for t in raw.tensors])


def _shifted(tensor: RawTensor) -> RawTensor:
    zero_point = tuple(zero - OFFSET for zero in (tensor.zero_point or (0,) * len(tensor.scale)))
    return replace(tensor, dtype="INT8", data=tensor.data ^ np.uint8(OFFSET), zero_point=zero_point, legacy=True)


@dataclass(frozen=True, eq=False)
class LegacyWeights:
    """``clipped``: less their zero point, int8; ``channels``: those of which that cuts weights off; ``exact``: all
    weights of these channels, int16, channels first."""

    clipped: np.ndarray
    channels: tuple[int, ...]
    exact: np.ndarray
    quant: Quantization


def legacy_weights(values: np.ndarray, raw: RawTensor, axis: int, x: Tensor) -> LegacyWeights:
    """Of a layer with input ``x``; ``values`` int8, output channels along ``axis``."""
    exact = values.astype(np.int16) - np.int16(raw.zero_point[0] if raw.zero_point else 0)
    clipped = np.clip(exact, INT8_MIN, INT8_MAX)
    first = np.moveaxis(exact, axis, 0)
    cut = np.moveaxis(clipped != exact, axis, 0).reshape(len(first), -1).any(axis=1)
    channels = tuple(np.flatnonzero(cut).tolist())
    # The product of both scales is rounded to float32; divided by the input's it is that again when it is multiplied.
    product = np.float32(np.float32(x.scale) * np.float32(raw.scale[0]))
    quant = Quantization((float(product) / x.scale,), (0,))
    return LegacyWeights(clipped.astype(np.int8), channels, np.ascontiguousarray(first[list(channels)]), quant)


def rescaling_table(source: Quantization, target: Quantization) -> tuple[int, ...]:
    """256 int8 results for -128 .. 127: what CONCATENATION of uint8 makes of an input with other scale or zero point
    (ConcatenationWithScaling, in float32)."""
    (scale, zero), (out_scale, out_zero) = source.scalar(), target.scalar()
    ratio = np.float32(np.float32(scale) * np.float32(np.float32(1.0) / np.float32(out_scale)))
    bias = np.float32(np.float32(-(zero + OFFSET)) * ratio)
    values = np.arange(256).astype(np.float32) * ratio + bias
    result = np.clip(round_half_away(values).astype(np.int64) + out_zero + OFFSET, 0, 255) - OFFSET
    return tuple(int(v) for v in result)
