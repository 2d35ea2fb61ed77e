"""A vision transformer as TensorFlow exports it, with MultiHeadAttention and LayerNormalization in int8: bit-exact with
TFLite on simulated cores, and what its layers cost."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from tinyengine.compiler import CompileOptions, compile_model
from tinyengine.measure.bench import BenchReport, bench

TOKENS, WIDTH, HEADS, SIZE, PATCH = 64, 32, 2, 64, 8


@pytest.fixture(scope="module")
def transformer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """64 x 64 x 3, patches of 8, width 32, two heads, two blocks; random weights, calibrated on noise."""
    pytest.importorskip("tensorflow")
    import keras
    from tinyengine.convert.keras import quantize

    layers = keras.layers
    keras.utils.set_random_seed(1)

    class Position(layers.Layer):
        def build(self, shape):
            self.places = self.add_weight(shape=(1, *shape[1:]), initializer="random_normal", name="places")

        def call(self, x):
            return x + self.places

    def normalized(x):
        gains, shifts = keras.initializers.RandomUniform(0.5, 1.5), keras.initializers.RandomUniform(-0.3, 0.3)
        return layers.LayerNormalization(epsilon=1e-5, gamma_initializer=gains, beta_initializer=shifts)(x)

    inputs = layers.Input((SIZE, SIZE, 3))
    x = layers.Reshape((TOKENS, WIDTH))(layers.Conv2D(WIDTH, PATCH, PATCH)(inputs))
    x = Position()(x)
    for _ in range(2):
        y = normalized(x)
        x = layers.Add()([x, layers.MultiHeadAttention(HEADS, WIDTH // HEADS)(y, y)])
        y = layers.Dense(2 * WIDTH, activation="gelu")(normalized(x))
        x = layers.Add()([x, layers.Dense(WIDTH)(y)])
    x = layers.GlobalAveragePooling1D()(normalized(x))
    samples = np.random.default_rng(0).normal(0, 0.5, (24, SIZE, SIZE, 3)).clip(-1, 1).astype(np.float32)
    path = tmp_path_factory.mktemp("transformer") / "transformer.tflite"
    path.write_bytes(quantize(keras.Model(inputs, layers.Dense(6)(x)), samples))
    return path


def report(path: Path, cpu: str) -> BenchReport:
    return bench(compile_model(path, CompileOptions(cpu=cpu, requant="exact")), path, check=2)


@pytest.mark.slow(but=1)
@pytest.mark.parametrize("cpu", ["cortex-m4", "cortex-m7"])
def test_every_byte_is_tflites_at_this_cost(transformer: Path, cpu: str) -> None:
    found = report(transformer, cpu)
    assert found.check is not None and found.check.binding
    assert (found.check.mismatched, found.check.outputs) == (0, 12)
    kernels = Counter(layer.kernel for layer in found.per_layer)
    assert (kernels["te_matmul_s8"], kernels["te_softmax_fast_s8"], kernels["te_layer_norm_s8"]) == (4, 2, 5)
    products = [layer for layer in found.per_layer if layer.kernel == "te_matmul_s8"]
    assert all(layer.macs == TOKENS * TOKENS * WIDTH for layer in products)
    # heads of 16 channels round once in 16 products; sums over 64 tokens do not
    assert sum(layer.instructions for layer in products) <= 1.0 * sum(layer.macs for layer in products)
    per_score = [layer.instructions / (HEADS * TOKENS**2) for layer in found.per_layer if "softmax" in layer.kernel]
    assert max(per_score) <= 9.0
    norms = [layer.instructions / (TOKENS * WIDTH) for layer in found.per_layer if "norm" in layer.kernel]
    assert max(norms) < 53
    assert found.instructions < 3_600_000
