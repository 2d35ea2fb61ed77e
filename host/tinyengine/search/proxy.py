"""How well an architecture would learn, told from a few batches at its random start.

ZiCo (Li et al. 2023): an architecture learns quickly and generalizes where the gradients of its weights agree between
batches. The score sums, over the layers, the logarithm of the sum of mean |gradient| / standard deviation over the
weights. NASWOT (Mellor et al. 2021): it can tell many inputs apart where its activations' signs differ between them.
The score is the logarithm of the determinant of the matrix that counts agreeing signs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tinyengine.optional import tensorflow
from tinyengine.zoo.build import keras_model
from tinyengine.zoo.table import Network

BATCHES = 2
BATCH = 32
SEED = 0

PICTURES = BATCHES * BATCH

Score = Callable[[Network, np.ndarray, np.ndarray], float]
"""(network, pictures (N, R, R, 3) float32 around [-1, 1), targets (N, classes)) -> score, larger is better."""


def zico(network: Network, pictures: np.ndarray, targets: np.ndarray) -> float:
    """ZiCo over ``BATCHES`` batches of ``BATCH`` pictures."""
    tf, model = _fresh(network)

    def gradients(x: Any, wanted: Any) -> list[Any]:  # not traced: tracing would take longer than two batches
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(wanted, model(x, training=True)))
        return tape.gradient(loss, kernels)

    kernels = [weight for weight in model.trainable_variables if len(weight.shape) >= 2]
    found = [
        [gradient.numpy() for gradient in gradients(tf.constant(x), tf.constant(wanted))]
        for x, wanted in zip(_batches(pictures), _batches(targets), strict=True)
    ]
    score = 0.0
    for layer in zip(*found, strict=True):
        stacked = np.stack(layer)
        spread = stacked.std(axis=0)
        ratio = np.abs(stacked).mean(axis=0)[spread > 0] / spread[spread > 0]
        if ratio.size:
            score += float(np.log(ratio.sum()))
    return score


def naswot(network: Network, pictures: np.ndarray, targets: np.ndarray) -> float:
    """NASWOT over one batch of ``BATCHES`` * ``BATCH`` pictures; the targets do not matter."""
    tf, model = _fresh(network)
    keras = tf.keras
    signs = keras.Model(model.input, [layer.output for layer in model.layers if layer.name.endswith("relu6")])
    count = PICTURES
    agree = np.zeros((count, count))
    for output in signs(tf.constant(pictures[:count]), training=True):
        code = (output.numpy().reshape(count, -1) > 0).astype(np.float32)
        agree += code @ code.T + (1 - code) @ (1 - code).T
    return float(np.linalg.slogdet(agree)[1])


def _fresh(network: Network) -> tuple[Any, Any]:
    tf = tensorflow("score an architecture")
    tf.keras.backend.clear_session()
    tf.keras.utils.set_random_seed(SEED)
    return tf, keras_model(network, softmax=False)


def _batches(values: np.ndarray) -> list[np.ndarray]:
    return [values[k * BATCH : (k + 1) * BATCH] for k in range(BATCHES)]


NAME = "zico"
score: Score = zico
