"""Softmax cross-entropy in IEEE single precision, operation by operation as the device computes it.

No libm: the exponential is ours, every sum runs in index order and nothing is contracted, so that host and device
agree on every bit.
"""

from __future__ import annotations

import numpy as np

from tinyengine.ir import Graph
from tinyengine.training.layers import TrainableLayer

_LOG2_E = np.float32(1.4426950408889634)
_LN2_HIGH = np.float32(0.693359375)  # 9 bits: its product with an exponent is exact
_LN2_LOW = np.float32(-2.12194440e-4)
_TAYLOR = tuple(np.float32(1 / k) for k in (720, 120, 24, 6, 2, 1, 1))
_ARTANH = tuple(np.float32(1) / np.float32(k) for k in (11, 9, 7, 5, 3, 1))
_LN2 = np.float32(0.693147180559945)
_LEAST = np.float32(-87.0)


def exp_negative(x: np.float32) -> np.float32:
    """exp(x) for x <= 0, to about 2 units in the last place; 0 below -87.

    x = n ln 2 + r with |r| <= ln 2 / 2; the Taylor series to the sixth power; the exponent n is added to the result's.
    """
    x = np.float32(x)
    if x < _LEAST:
        return np.float32(0.0)
    n = int(np.float32(x * _LOG2_E) - np.float32(0.5))  # towards zero, that is to the nearest for x <= 0
    r = np.float32(np.float32(x - np.float32(n) * _LN2_HIGH) - np.float32(n) * _LN2_LOW)
    total = _TAYLOR[0]
    for coefficient in _TAYLOR[1:]:
        total = np.float32(np.float32(total * r) + coefficient)
    return np.float32(np.ldexp(total, n))


def softmax(logits: np.ndarray) -> np.ndarray:
    """exp(logit - max) / sum; float32 (K) in and out."""
    logits = np.asarray(logits, np.float32)
    largest = logits.max()
    exps = [exp_negative(np.float32(value - largest)) for value in logits]
    total = np.float32(0.0)
    for value in exps:
        total = np.float32(total + value)
    return np.array([np.float32(value / total) for value in exps], np.float32)


def log_positive(x: np.float32) -> np.float32:
    """Natural logarithm of a normal x > 0, to about 2 units in the last place.

    x = 2**n m with m in [0.75, 1.5); log m = 2 artanh((m - 1) / (m + 1)) by its series.
    """
    bits = int(np.float32(x).view(np.uint32))
    n = (bits >> 23) - 127
    m = np.uint32((bits & 0x7FFFFF) | 0x3F800000).view(np.float32)
    if m >= 1.5:
        m, n = np.float32(m * np.float32(0.5)), n + 1
    s = np.float32(np.float32(m - np.float32(1)) / np.float32(m + np.float32(1)))
    square = np.float32(s * s)
    total = _ARTANH[0]
    for coefficient in _ARTANH[1:]:
        total = np.float32(np.float32(total * square) + coefficient)
    return np.float32(np.float32(np.float32(n) * _LN2) + np.float32(np.float32(s + s) * total))


def cross_entropy(logits: np.ndarray, label: int) -> np.float32:
    """log(sum of exp(logit - max)) - (logit of the label - max), in nats: float32."""
    largest = np.asarray(logits, np.float32).max()
    total = np.float32(0.0)
    for value in logits:
        total = np.float32(total + exp_negative(np.float32(value - largest)))
    return np.float32(log_positive(total) - np.float32(logits[label] - largest))


def classifier_logits(graph: Graph, layer: TrainableLayer, x: np.ndarray) -> np.ndarray:
    """Real logits from the classifier's int32 accumulators: float32(sum) * float32(x scale * weight scale); (K).

    The int8 outputs would be coarse (a step is about 0.17) and clamp; training looks at the sums before that.
    """
    assert layer.weights.data is not None and layer.bias.data is not None and layer.weights.quant is not None
    weights = layer.weights.data.reshape(layer.out_channels, -1).astype(np.int64)
    sums = weights @ (x.reshape(-1).astype(np.int64) - layer.x.zero_point) + layer.bias.data
    scales = np.float64(layer.x.scale) * np.array(layer.weights.quant.scale)
    return sums.astype(np.float32) * scales.astype(np.float32)


def loss_gradient(probabilities: np.ndarray, label: int, scale: float) -> np.ndarray:
    """Gradient of the cross-entropy by the logits in steps of ``scale``: float32 (K)."""
    target = np.zeros(len(probabilities), np.float32)
    target[label] = 1.0
    return (probabilities - target) * np.float32(scale)
