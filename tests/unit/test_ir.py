"""The IR's own rules: verifier, printer, MACs, arithmetic helpers, ports."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tinyengine.errors import ModelError
from tinyengine.ir import Graph, OpKind, Port, Quantization
from tinyengine.ir.operators import macs, total_macs
from tinyengine.ir.operators.movement import nearest_sources
from tinyengine.ir.operators.unary import unary_lut
from tinyengine.ir.ops import Activation, ResizeAttrs, Window
from tinyengine.ir.ports import dequantize_array, quantize_array, to_inside
from tinyengine.ir.printer import format_graph
from tinyengine.ir.quantize import activation_range, multiply_by_quantized_multiplier, quantize_multiplier
from tinyengine.ir.requant import exact_multiplier, exp_on_negative_values, multiply_rounding_once
from tinyengine.ir.verify import verify
from tinyengine.reference import run

from tests.helpers.graphs import GraphBuilder, to_outside


def sample() -> Graph:
    """conv -> add with itself -> mean -> fully connected -> softmax."""
    b = GraphBuilder(1, "sample")
    x = b.conv(b.input(1, 8, 6, 3), 4, Window((3, 3), (2, 1), pad=(1, 0, 1, 1)), Activation.RELU6)
    x = b.mean(b.binary(OpKind.ADD, x, x), (1, 2))
    b.output(b.softmax(b.dense(x, 5)))
    return b.graph


def op_of(graph: Graph, kind: OpKind):
    return next(op for op in graph.operators if op.kind is kind)


def requantize(graph: Graph, name: str, **fields) -> None:
    tensor = graph.tensor(name)
    assert tensor.quant is not None
    tensor.quant = replace(tensor.quant, **fields)


# --- verifier ---


def test_a_good_graph_passes() -> None:
    verify(sample())


def conv_input(graph: Graph) -> str:
    return graph.inputs[0].tensor


def weights(graph: Graph) -> str:
    return op_of(graph, OpKind.CONV_2D).inputs[1]


def bias(graph: Graph) -> str:
    return op_of(graph, OpKind.CONV_2D).inputs[2]


def output(graph: Graph) -> str:
    return graph.outputs[0].tensor


def resize(graph: Graph, name: str, shape: tuple[int, ...]) -> None:
    graph.tensor(name).shape = shape


def set_data(graph: Graph, name: str, data: np.ndarray) -> None:
    graph.tensor(name).data = data


BROKEN: dict[str, tuple[Callable[[Graph], object], str]] = {
    "empty": (lambda g: g.operators.clear(), "no operators"),
    "no outputs": (lambda g: g.outputs.clear(), "no outputs"),
    "cycle": (lambda g: g.operators[0].inputs.__setitem__(0, output(g)), "before any operator has written it"),
    "order": (lambda g: g.operators.reverse(), "before any operator has written it"),
    "unknown tensor": (lambda g: g.operators[0].inputs.__setitem__(0, "nowhere"), "'nowhere'"),
    "written twice": (lambda g: g.operators[1].outputs.__setitem__(0, g.operators[0].outputs[0]), "a value already"),
    "output missing": (lambda g: g.outputs.__setitem__(0, Port("gone", "out", "int8")), "output 'out' is not computed"),
    "input constant": (lambda g: g.inputs.__setitem__(0, Port(weights(g), "in", "int8")), "input 'in' is missing"),
    "zero size": (lambda g: resize(g, output(g), (1, 0)), "impossible shape"),
    "huge": (lambda g: resize(g, conv_input(g), (1, 60000, 60000, 60000)), "impossible shape"),
    "long axis": (lambda g: resize(g, conv_input(g), (1, 1, 70000, 3)), "longer than 65535"),
    "output shape": (lambda g: resize(g, output(g), (1, 6)), "does not follow from its inputs"),
    "weights shape": (lambda g: set_data(g, weights(g), np.zeros((4, 3, 3, 2), np.int8)), "not what it says"),
    "no quantization": (lambda g: setattr(g.tensor(conv_input(g)), "quant", None), "has no quantization"),
    "zero scale": (lambda g: requantize(g, conv_input(g), scale=(0.0,)), "impossible scale 0"),
    "negative scale": (lambda g: requantize(g, conv_input(g), scale=(-0.1,)), "impossible scale -0.1"),
    "nan scale": (lambda g: requantize(g, conv_input(g), scale=(math.nan,)), "impossible scale nan"),
    "infinite scale": (lambda g: requantize(g, conv_input(g), scale=(math.inf,)), "impossible scale inf"),
    "tiny scale": (lambda g: requantize(g, conv_input(g), scale=(1e-30,)), "impossible scale 1e-30"),
    "zero point": (lambda g: requantize(g, conv_input(g), zero_point=(128,)), "zero point outside int8"),
    "asymmetric weights": (lambda g: requantize(g, weights(g), zero_point=(0, 0, 1, 0)), "weights are symmetric"),
    "scales of weights": (
        lambda g: requantize(g, weights(g), scale=(0.1,) * 3, zero_point=(0,) * 3),
        "has 3 scales",
    ),
    "bias scale": (lambda g: requantize(g, bias(g), scale=(1.0,) * 4), "not input scale times weight scale"),
    "bias length": (
        lambda g: (
            (resize(g, bias(g), (5,)), set_data(g, bias(g), np.zeros(5, np.int32)))
            and setattr(g.tensor(bias(g)), "quant", None)
        ),
        "5 biases",
    ),
    "softmax scale": (lambda g: requantize(g, output(g), scale=(0.1,)), "scale 1/256 and zero point -128"),
    "add scale": (
        lambda g: requantize(g, op_of(g, OpKind.ADD).outputs[0], scale=(1e-9,)),
        "is too small beside its inputs'",
    ),
    "attributes": (
        lambda g: setattr(op_of(g, OpKind.CONV_2D), "attrs", op_of(g, OpKind.ADD).attrs),
        "attributes of type ElementwiseAttrs",
    ),
    "mean axes": (
        lambda g: setattr(op_of(g, OpKind.MEAN), "attrs", replace(op_of(g, OpKind.MEAN).attrs, axes=(1, 4))),
        "attributes that do not fit",
    ),
    "stride zero": (
        lambda g: setattr(
            op_of(g, OpKind.CONV_2D),
            "attrs",
            replace(op_of(g, OpKind.CONV_2D).attrs, window=Window((3, 3), (0, 1))),
        ),
        "attributes that do not fit",
    ),
    "float inside": (lambda g: setattr(g.tensor(op_of(g, OpKind.ADD).outputs[0]), "dtype", "float32"), "float32"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_graphs_are_refused(name: str) -> None:
    change, words = BROKEN[name]
    graph = sample()
    change(graph)
    with pytest.raises(ModelError) as caught:
        verify(graph)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_products_that_overflow_are_refused() -> None:
    b = GraphBuilder(2)
    x = b.reshape(b.input(1, 300, 300), 1, 90000)
    y = b.dense(x, 1)
    b.output(y)
    dense = op_of(b.graph, OpKind.FULLY_CONNECTED)
    data = b.graph.tensor(dense.inputs[1]).data
    assert data is not None
    data[:] = 127
    resize(b.graph, x, (300, 300))
    with pytest.raises(ModelError, match="32 bits overflow"):
        verify(b.graph)


@pytest.mark.parametrize("kind", [OpKind.MAX_POOL_2D, OpKind.AVERAGE_POOL_2D])
def test_copies_must_keep_their_quantization(kind: OpKind) -> None:
    b = GraphBuilder(3)
    b.output(b.pool(kind, b.input(1, 4, 4, 2), Window((2, 2))))
    requantize(b.graph, output(b.graph), scale=(3.0,))
    with pytest.raises(ModelError, match=r"needs the same quantization on .*: put a QUANTIZE between them, or"):
        verify(b.graph)


# --- printer and MACs ---


def test_the_printer_writes_one_line_per_operator() -> None:
    lines = format_graph(sample()).splitlines()
    assert lines[0] == "network sample: 5 operators, 2,612 MACs"
    assert len(lines) == 1 + 1 + 5 + 1
    conv = lines[2]
    for part in (
        "conv_2d_0",
        "int8[1x8x6x3]",
        "const int8[4x3x3x3]",
        "3x3 stride 2x1 pad 1,0,1,1",
        "relu6",
        "2,592 MACs",
    ):
        assert part in conv, conv
    assert "(0.003906, -128)" in lines[-1]


def test_macs_count_padding_and_multipliers() -> None:
    b = GraphBuilder(4)
    x = b.conv(b.input(1, 5, 5, 3), 8, Window((3, 3), pad=(1, 1, 1, 1)))
    y = b.depthwise(x, Window((3, 3), (2, 2), pad=(1, 1, 1, 1)), 2)
    b.output(b.dense(y, 10))
    conv, depthwise, dense = b.graph.operators
    assert macs(conv, b.graph) == 5 * 5 * 8 * 27
    assert macs(depthwise, b.graph) == 3 * 3 * 16 * 9
    assert macs(dense, b.graph) == 3 * 3 * 16 * 10
    assert total_macs(b.graph) == 5400 + 1296 + 1440


# --- arithmetic ---


@given(real=st.floats(1e-6, 1e3))
def test_multipliers_represent_their_real_value(real: float) -> None:
    multiplier, shift = quantize_multiplier(real)
    assert 1 << 30 <= multiplier < 1 << 31
    assert multiplier / 2**31 * 2.0**shift == pytest.approx(real, rel=2**-30)


@given(real=st.floats(1e-5, 0.9), x=st.lists(st.integers(-(1 << 30), (1 << 30) - 1), min_size=1, max_size=20))
def test_rounding_twice_is_off_by_little(real: float, x: list[int]) -> None:
    values = np.array(x)
    twice = multiply_by_quantized_multiplier(values, *quantize_multiplier(real))
    assert np.abs(twice - values * real).max() <= 1.0 + np.abs(values).max() * real * 2**-30


@given(real=st.floats(1e-5, 0.9), x=st.integers(-(1 << 24), 1 << 24))
def test_rounding_once_is_round(real: float, x: int) -> None:
    """Within int8's 255 steps of zero: round(x * real), halves away from zero, as the reference computes it."""
    expected = math.copysign(math.floor(abs(x * real) + 0.5), x)
    if abs(expected) < 255:
        assert int(multiply_rounding_once(np.array(x), *exact_multiplier(real))) == expected


def test_halves_round_away_from_zero() -> None:
    half, quarter = quantize_multiplier(0.5), quantize_multiplier(0.25)
    assert multiply_rounding_once(np.array([1, -1, 3, -3, 2]), *half).tolist() == [1, -1, 2, -2, 1]
    assert multiply_by_quantized_multiplier(np.array([2, -2, 6, -6, 4]), *quarter).tolist() == [1, -1, 2, -2, 1]
    # gemmlowp's high multiplication rounds halves upwards, the shift behind it away from zero
    assert multiply_by_quantized_multiplier(np.array([1, -1, 3, -3, 2]), *half).tolist() == [1, 0, 2, -1, 1]


def test_activation_ranges() -> None:
    quant = Quantization((0.05,), (-10,))
    assert activation_range(Activation.NONE, quant) == (-128, 127)
    assert activation_range(Activation.RELU, quant) == (-10, 127)
    assert activation_range(Activation.RELU6, quant) == (-10, 110)
    assert activation_range(Activation.RELU_N1_TO_1, quant) == (-30, 10)


def test_the_fixed_point_exponential_is_one() -> None:
    x = -np.arange(0, 31 << 26, 9_999_991, dtype=np.int64)
    np.testing.assert_allclose(exp_on_negative_values(x) / 2**31, np.exp(x / 2**26), atol=1e-6)


def test_tables_are_the_functions_they_stand_for() -> None:
    b = GraphBuilder(5)
    x = b.input(1, 256, quant=Quantization((0.0625,), (0,)))
    b.output(b.logistic(x))
    b.output(b.op(OpKind.HARD_SWISH, [x], b.graph.operators[0].attrs, quant=Quantization((0.0625,), (0,))))
    real = np.arange(-128, 128) * 0.0625
    logistic, swish = (unary_lut(b.graph, op).astype(float) for op in b.graph.operators)
    sigmoid = np.minimum(1 / (1 + np.exp(-real)), 255 / 256)
    assert np.abs((logistic + 128) / 256 - sigmoid).max() <= 0.5 / 256 + 1e-6
    expected = real * np.clip(real + 3, 0, 6) / 6
    assert np.abs(np.minimum(expected, 127 * 0.0625) - swish * 0.0625).max() <= 0.0625


def test_nearest_neighbour_indices() -> None:
    assert nearest_sources(ResizeAttrs(), 3, 6).tolist() == [0, 0, 1, 1, 2, 2]
    assert nearest_sources(ResizeAttrs(), 5, 2).tolist() == [0, 2]
    assert nearest_sources(ResizeAttrs(align_corners=True), 3, 5).tolist() == [0, 1, 1, 2, 2]
    assert nearest_sources(ResizeAttrs(half_pixel_centers=True), 4, 2).tolist() == [1, 3]


# --- ports and executor ---


def test_quantizing_saturates_and_rounds_halves_away() -> None:
    quant = Quantization((0.5,), (10,))
    values = np.array([0.0, 0.25, -0.25, 0.24, 1e9, -1e9], np.float32)
    assert quantize_array(values, quant).tolist() == [10, 11, 9, 10, 127, -128]
    assert dequantize_array(np.array([10, 12, -128], np.int8), quant).tolist() == [0.0, 1.0, -69.0]


def test_ports_convert_between_the_user_and_the_network() -> None:
    b = GraphBuilder(6)
    x = b.input(1, 4, quant=Quantization((0.5,), (0,)))
    b.output(b.pool(OpKind.MAX_POOL_2D, b.reshape(x, 1, 2, 2, 1), Window((1, 1))))
    real = Port(x, "x", "float32")
    assert to_inside(b.graph, real, np.array([0.5, -1, 2, 100])).tolist() == [[1, -2, 4, 127]]
    pixels = Port(x, "x", "uint8", Quantization((0.5,), (128,)))
    assert to_inside(b.graph, pixels, np.array([0, 127, 128, 255], np.uint8)).tolist() == [[-128, -1, 0, 127]]
    assert to_outside(b.graph, pixels, np.array([[-128, 5]], np.int8)).tolist() == [[0, 133]]
    assert to_outside(b.graph, real, np.array([[-128, 5]], np.int8)).tolist() == [[-64.0, 2.5]]


def test_the_executor_takes_scalars() -> None:
    b = GraphBuilder(3)
    b.output(b.logistic(b.input()))
    b.output(b.quantize(b.graph.inputs[0].tensor))
    outputs = run(b.graph, [np.array(7, np.int8)])
    assert [(y.shape, y.dtype) for y in outputs] == [((), np.int8)] * 2


def test_the_executor_checks_its_inputs_and_shows_every_tensor() -> None:
    graph = sample()
    value = np.zeros((1, 8, 6, 3), np.int8)
    with pytest.raises(ValueError, match="has 1 inputs, not 2"):
        run(graph, [value, value])
    with pytest.raises(ValueError, match="wants int8 of shape"):
        run(graph, [value.astype(np.float32)])
    everything = run(graph, [value], keep_all=True)
    assert set(everything) == set(graph.tensors)
    np.testing.assert_array_equal(everything[output(graph)], run(graph, [value])[0])
