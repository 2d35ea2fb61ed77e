"""Networks of int16 activations with int8 weights: as TFLite's converter writes them, and by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tinyengine.compiler import CompileOptions, compile_graph
from tinyengine.errors import ModelError, UnsupportedOperatorError
from tinyengine.frontend import parse_tflite
from tinyengine.frontend.tflite_writer import tflite_bytes
from tinyengine.ir import Activation, Graph, OpKind, Quantization
from tinyengine.ir.int16 import real_multiplier
from tinyengine.ir.operators.base import Contradiction
from tinyengine.ir.ops import ConcatAttrs, LeakyReluAttrs, Window
from tinyengine.ir.ports import to_inside
from tinyengine.ir.quantize import round_half_away
from tinyengine.ir.verify import verify
from tinyengine.native.build import build, run_many
from tinyengine.passes import optimize
from tinyengine.reference import run
from tinyengine.training.layers import trainable_layers

from tests.helpers.graphs import GraphBuilder, random_inputs, to_outside
from tests.helpers.tflite_reference import require_tensorflow, run_builtin_ref

SAME = Window((3, 3), pad=(1, 1, 1, 1))


def network(seed: int = 0) -> Graph:
    """A residual block, a gate, pools, a classifier."""
    b = GraphBuilder(seed, "wide")
    x = b.conv(b.input(1, 10, 9, 3, dtype="int16"), 8, SAME, Activation.RELU)
    x = b.binary(OpKind.ADD, b.conv(b.depthwise(x, SAME, activation=Activation.RELU6), 8, Window((1, 1))), x)
    gate = b.logistic(b.conv(b.mean(x, (1, 2), keep=True), 8, Window((1, 1))))
    x = b.pool(OpKind.MAX_POOL_2D, b.binary(OpKind.MUL, x, gate), Window((2, 2), (2, 2)))
    x = b.op(OpKind.LEAKY_RELU, [x], LeakyReluAttrs(0.25), quant=b.graph.tensor(x).quant, dtype="int16")
    x = b.pad(x, ((0, 0), (1, 0), (0, 1), (0, 0)))
    x = b.pool(OpKind.AVERAGE_POOL_2D, x, Window((2, 2)))
    quant = b.graph.tensor(x).quant
    x = b.op(OpKind.CONCATENATION, [x, x], ConcatAttrs(3), quant=quant, dtype="int16")
    x = b.binary(OpKind.SUB, x, b.tanh(x))
    x = b.output(b.dense(b.reshape(x, 1, int(np.prod(b.shape(x)))), 5))
    b.output(b.softmax(x))
    verify(b.graph)
    return b.graph


@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 1 << 30))
def test_a_network_is_tflites_to_the_bit(seed: int) -> None:
    graph = network(seed)
    inputs, model = random_inputs(graph, seed), tflite_bytes(graph)
    for mine, theirs in zip(run(parse_tflite(model), inputs), run_builtin_ref(model, inputs), strict=True):
        np.testing.assert_array_equal(mine, theirs, strict=True)


@pytest.mark.parametrize("optimize_for", ["time", "sram"])
def test_generated_code_equals_the_oracle(optimize_for: str) -> None:
    options = [CompileOptions(prefix=f"n{seed}", optimize=optimize_for) for seed in (0, 1)]  # type: ignore[arg-type]
    compiled = [compile_graph(network(seed), option) for seed, option in enumerate(options)]
    inputs = [random_inputs(model.graph, i) for i, model in enumerate(compiled)]
    for model, values, got in zip(compiled, inputs, run_many(compiled, inputs), strict=True):
        wanted = run(model.graph, values)
        assert len(np.unique(wanted[0])) == 5
        for mine, theirs in zip(got, wanted, strict=True):
            np.testing.assert_array_equal(mine, theirs, strict=True)


def float_outside() -> Graph:
    """QUANTIZE and DEQUANTIZE around int16."""
    b = GraphBuilder(4)
    x = b.quantize(b.input(1, 5, 5, 2, dtype="float32"), "int16")
    b.output(b.dequantize(b.conv(x, 3, SAME)))
    return b.graph


def test_float_outside_is_the_hosts_matter() -> None:
    graph = float_outside()
    compiled = compile_graph(graph)
    assert [op.kind for op in compiled.graph.operators] == [OpKind.CONV_2D]
    assert [port.dtype for port in compiled.graph.inputs + compiled.graph.outputs] == ["float32"] * 2
    values = np.random.default_rng(1).normal(0, 20, (1, 5, 5, 2)).astype(np.float32)
    [wanted] = run(graph, [values])
    inside = to_inside(compiled.graph, compiled.graph.inputs[0], values)
    [got] = build(compiled).run([inside])
    assert inside.dtype == got.dtype == np.int16
    np.testing.assert_array_equal(to_outside(compiled.graph, compiled.graph.outputs[0], got), wanted)
    np.testing.assert_array_equal(run_builtin_ref(tflite_bytes(graph), [values])[0], wanted, strict=True)


def test_int16_in_and_int8_out() -> None:
    b = GraphBuilder(5)
    b.output(b.quantize(b.conv(b.input(1, 5, 5, 2, dtype="int16"), 3, SAME), "int8"))
    inputs = random_inputs(b.graph, 5)
    [wanted] = run(b.graph, inputs)
    np.testing.assert_array_equal(run_builtin_ref(tflite_bytes(b.graph), inputs)[0], wanted, strict=True)
    np.testing.assert_array_equal(build(compile_graph(b.graph)).run(inputs)[0], wanted, strict=True)


def test_a_pad_becomes_the_windows() -> None:
    b = GraphBuilder(6)
    x = b.pad(b.input(1, 5, 5, 2, dtype="int16"), ((0, 0), (1, 2), (0, 1), (0, 0)))
    b.output(b.conv(x, 3, Window((3, 3), pad=(1, 1, 0, 0))))
    graph = optimize(b.graph)
    assert [op.kind for op in graph.operators] == [OpKind.CONV_2D]
    inputs = random_inputs(b.graph, 6)
    np.testing.assert_array_equal(run(graph, inputs)[0], run(b.graph, inputs)[0])
    np.testing.assert_array_equal(run(b.graph, inputs)[0], run_builtin_ref(tflite_bytes(b.graph), inputs)[0])


def scaled(total: int, factor: float) -> int:
    """As te_scale_real, at most 2**16."""
    m, down, up = real_multiplier(factor)
    assert 0 <= m < 1 << 63 and down >= 1
    product = (min(total, 1 << 20) << up if up else total) * m
    product += 1 << max(product.bit_length() - 54, 0)  # half of a double's last bit
    return min(((product >> 64) + (1 << (down - 1))) >> down, 1 << 16)


@settings(max_examples=40, deadline=None)
@given(st.floats(1e-9, 120.0), st.integers(0, 1 << 30))
@example(0.7, 0)  # 5 * 0.7 is a half in float64 and 1325 * 0.7 is not; both are a hair below one
def test_the_multiplier_of_fully_connected_layers_rounds_as_float64_does(factor: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    ties = np.round((rng.integers(0, 1 << 15, 200) + 0.5) / factor)
    sums = np.concatenate([ties, ties + 1, rng.integers(0, min(40000 / factor, 2.0**46) + 1, 100)]).astype(np.int64)
    for total in (int(v) for v in sums if v < 1 << 46):
        assert scaled(total, factor) == min(int(round_half_away(np.float64(total) * factor)), 1 << 16)


def near_halves() -> list[tuple[float, int, int]]:
    """(factor, sum, whole number above): products a hair below a half that rounding to 53 bits makes a half."""
    found = []
    for halves in range(1, 4000, 2):
        for total in (3, 7, 11, 13):
            factor = float(np.nextafter(np.float64(halves / 2 / total), 0.0))
            if factor * total == halves / 2:
                found.append((factor, total, (halves + 1) // 2))
    return found


def test_the_multiplier_meets_products_that_float64_rounds_to_a_half() -> None:
    found = near_halves()
    assert all(scaled(total, factor) == above for factor, total, above in found) and len(found) > 100


@pytest.mark.parametrize("core", ["cortex-m4", "cortex-m3"])  # the layer's own kernel, and the general loop
def test_the_device_rounds_them_as_float64_does(core: str) -> None:
    cases = [(0.7, 5), (0.7, 1325), (0.07, 50), *((factor, total) for factor, total, _ in near_halves()[::12])]
    cases = [(factor, total) for factor, total in cases if factor < 100 and 1 / (1 / factor) == factor]
    assert len(cases) > 20 and {factor < 0.25 for factor, _ in cases} == {True, False}
    models = [
        compile_graph(product(factor), CompileOptions(core, prefix=f"n{k}")) for k, (factor, _) in enumerate(cases)
    ]
    for sign in (1, -1):
        inputs = [[np.array([[sign * total]], np.int16)] for _, total in cases]
        for (factor, total), model, x, [found] in zip(cases, models, inputs, run_many(models, inputs), strict=True):
            assert found.item() == sign * int(round_half_away(np.float64(total) * factor))
            np.testing.assert_array_equal(found.ravel(), run(model.graph, x)[0].ravel())


def product(factor: float) -> Graph:
    """A fully connected layer that multiplies its only input by ``factor``."""
    b = GraphBuilder(0, "product")
    one = Quantization((1.0,), (0,))
    b.output(b.dense(b.input(1, 1, dtype="int16", quant=one), 1))
    [op] = b.graph.operators
    weights, bias = (b.graph.tensor(name) for name in op.inputs[1:])
    weights.data, weights.quant = np.ones_like(weights.data), one
    bias.data, bias.quant = np.zeros_like(bias.data), one
    output = b.graph.tensor(op.outputs[0])
    output.quant = Quantization((1 / factor,), (0,))
    b.graph.outputs[0] = replace(b.graph.outputs[0], quant=output.quant)
    return b.graph


def test_what_int16_must_not_be() -> None:
    def refusal(change: str) -> str:
        graph = network()
        op = graph.operators[0]
        x, weights, bias, y = (graph.tensor(name) for name in (*op.inputs, op.outputs[0]))
        if change == "zero point":
            x.quant = Quantization(x.quant.scale, (3,))
            graph.inputs[0] = type(graph.inputs[0])("t0", "t0", "int16", x.quant)
        elif change == "bias":
            bias.data = bias.data + (1 << 50)
        elif change == "scale":
            y.quant = Quantization((x.scale * weights.quant.scale[0] / 1000,), (0,))
            bias.quant = None
        with pytest.raises((ModelError, Contradiction)) as caught:
            verify(graph)
        return str(caught.value)

    assert "of int16 without a scale or with a zero point" in refusal("zero point")
    assert "of more than 47 bits" in refusal("bias")
    assert "scale is too small" in refusal("scale")


def test_old_additions_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    b = GraphBuilder(7)
    b.output(b.binary(OpKind.ADD, b.input(1, 4, dtype="int16"), b.input(1, 4, dtype="int16")))
    model = tflite_bytes(b.graph)
    assert parse_tflite(model).operators[0].kind is OpKind.ADD
    monkeypatch.setattr("tinyengine.frontend.tflite_writer.POT_SCALE", True)
    with pytest.raises(UnsupportedOperatorError, match="shifts int16 values"):
        parse_tflite(tflite_bytes(b.graph))


def test_int16_is_not_trained() -> None:
    with pytest.raises(ModelError, match="computes in int16: only int8 networks are trained"):
        trainable_layers(network())


def converted(outside: str) -> bytes:
    """A small Keras network through TFLite's converter, 16x8."""
    require_tensorflow()
    import tensorflow as tf

    tf.keras.utils.set_random_seed(3)
    layers = tf.keras.layers
    x = given_x = layers.Input((8, 8, 2), batch_size=1)
    x = layers.Conv2D(6, 3, strides=2, padding="same", activation="relu")(x)
    y = layers.DepthwiseConv2D(3, padding="same")(x)
    x = layers.Add()([x, layers.ReLU(6.0)(layers.Conv2D(6, 1)(y))])
    x = layers.Multiply()([x, layers.Activation("sigmoid")(x)])
    x = layers.LeakyReLU(0.1)(layers.Conv2DTranspose(3, 2, strides=2)(x))
    x = layers.AveragePooling2D(2)(layers.ZeroPadding2D(1)(x))
    x = layers.Subtract()([x, layers.Activation("tanh")(x)])
    x = layers.Softmax()(layers.Dense(4)(layers.Dense(7, activation="relu")(layers.Flatten()(x))))
    converter = tf.lite.TFLiteConverter.from_keras_model(tf.keras.Model(given_x, x))
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_ops = [tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8]
    rng = np.random.default_rng(0)
    shape = (1, 8, 8, 2)
    converter.representative_dataset = lambda: ([rng.normal(size=shape).astype(np.float32)] for _ in range(8))
    converter.inference_input_type = converter.inference_output_type = getattr(tf, outside)
    return converter.convert()


@pytest.mark.parametrize("outside", ["int16", "float32"])
def test_a_converted_network_is_tflites_to_the_bit(outside: str) -> None:
    model = converted(outside)
    compiled = compile_graph(parse_tflite(model))
    native, [port], [out] = build(compiled), compiled.graph.inputs, compiled.graph.outputs
    rng = np.random.default_rng(2)
    for _ in range(3):
        x = rng.normal(size=(1, 8, 8, 2)).astype(np.float32)
        x = x if outside == "float32" else rng.integers(-32768, 32768, x.shape).astype(np.int16)
        [wanted] = run_builtin_ref(model, [x])
        [got] = native.run([to_inside(compiled.graph, port, x)])
        np.testing.assert_array_equal(to_outside(compiled.graph, out, got), wanted, strict=True)
