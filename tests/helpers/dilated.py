"""Files in which a dilated convolution is in pieces."""

from __future__ import annotations

import numpy as np
from tinyengine.ir import Quantization, Tensor

from tests.helpers.tflite_file import numbers, tflite_file, values


def dilated(seed: int, depthwise: bool, reshaped: bool, apart: bool = False) -> bytes:
    """A convolution in pieces; ``reshaped``: of one axis that becomes two in between; ``apart``: its stride is 2, so
    that it is no dilated one."""
    r = np.random.default_rng(seed)
    size, block, kernel = (tuple(int(n) for n in r.integers(low, high, 2)) for low, high in ((4, 10), (1, 4), (1, 4)))
    if reshaped:
        size, block, kernel = (1, size[1]), (1, block[1]), (1, kernel[1])
    channels, outputs = int(r.integers(1, 5)), int(r.integers(1, 5))
    outputs = channels if depthwise else outputs
    pads = [[int(before), int(before)] for before in r.integers(0, 3, 2)]
    pads = [[0, 0] if reshaped and i == 0 else p for i, p in enumerate(pads)]
    crops = []
    for n, b, k, pad in zip(size, block, kernel, pads, strict=True):
        pad[1] += max(0, (k - 1) * b + 1 - n - sum(pad))
        extra = -(n + sum(pad)) % b
        pad[1] += extra
        crops.append([int(r.integers(0, pad[0] + 1)), extra])
        if n + sum(pad) - (k - 1) * b - sum(crops[-1]) < 1:
            crops[-1] = [0, 0]
    batch = block[0] * block[1]
    inner = [(n + sum(pad)) // b for n, b, pad in zip(size, block, pads, strict=True)]
    result = [n - k + 1 for n, k in zip(inner, kernel, strict=True)]
    if apart:
        result[0], crops[0] = (result[0] + 1) // 2, [0, 0]
    final = [n * b - sum(crop) for n, b, crop in zip(result, block, crops, strict=True)]
    shape = (1, *kernel, channels) if depthwise else (outputs, *kernel, channels)
    axis, count = (3, channels) if depthwise else (0, outputs)
    weights = r.integers(-127, 128, shape).astype(np.int8)
    w = Tensor("w", shape, "int8", Quantization((0.01,) * count, (0,) * count, axis if count > 1 else None), weights)
    bias_quant = Quantization((0.0005,) * count, (0,) * count, 0 if count > 1 else None)
    bias = Tensor("c", (count,), "int32", bias_quant, r.integers(-300, 300, count).astype(np.int32))
    options = {"Padding": 1, "StrideH": 2 if apart else 1, "StrideW": 1, "DilationHFactor": 1, "DilationWFactor": 1}
    kind = "DEPTHWISE_CONV_2D" if depthwise else "CONV_2D"
    options |= {"DepthMultiplier": 1} if depthwise else {}
    loud = Quantization((0.3,), (-5,))
    y, z = Tensor("y", (batch, *result, outputs), "int8", loud), Tensor("z", (1, *final, outputs), "int8", loud)
    if not reshaped:
        x, s = values("x", 1, *size, channels), values("s", batch, *inner, channels)
        return tflite_file(
            ("SPACE_TO_BATCH_ND", [x, numbers("b", block), numbers("p", pads)], [s], {}),
            (kind, [s, w, bias], [y], options),
            ("BATCH_TO_SPACE_ND", [y, numbers("b", block), numbers("q", crops)], [z], {}),
        )
    x, s, t = (
        values("x", 1, size[1], channels),
        values("s", batch, inner[1], channels),
        values("t", batch, *inner, channels),
    )
    u, z = Tensor("u", (batch, result[1], outputs), "int8", loud), Tensor("z", (1, final[1], outputs), "int8", loud)
    return tflite_file(
        ("SPACE_TO_BATCH_ND", [x, numbers("b", block[1:]), numbers("p", pads[1:])], [s], {}),
        ("EXPAND_DIMS", [s, numbers("a", 1)], [t], {}),
        (kind, [t, w, bias], [y], options),
        ("SQUEEZE", [y], [u], {"SqueezeDims": (1,)}),
        ("BATCH_TO_SPACE_ND", [u, numbers("b", block[1:]), numbers("q", crops[1:])], [z], {}),
    )
