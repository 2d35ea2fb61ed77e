"""Passes: what they remove is gone, what they must leave stays, and no output bit changes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tinyengine.compiler import compile_graph
from tinyengine.errors import UnsupportedOperatorError
from tinyengine.frontend import load_tflite
from tinyengine.frontend.tflite_writer import tflite_bytes
from tinyengine.ir import Graph, OpKind, Port, Quantization
from tinyengine.ir.ops import Activation, Conv2DAttrs, MeanAttrs, NoAttrs, PoolAttrs, StridedSliceAttrs, Window
from tinyengine.ir.ports import to_inside
from tinyengine.ir.printer import format_graph
from tinyengine.ir.verify import verify
from tinyengine.passes import PASSES, fuse_activation, optimize
from tinyengine.paths import shared_dir
from tinyengine.reference import Session, run

from tests.helpers.graphs import GraphBuilder, random_inputs, to_outside
from tests.helpers.tflite_reference import run_builtin_ref


def kinds(graph: Graph) -> list[str]:
    return [op.kind.value for op in graph.operators]


def outside(graph: Graph, inputs: list[np.ndarray]) -> list[np.ndarray]:
    """Outputs as the user sees them, for inputs as the user has them."""
    inner = [to_inside(graph, port, x) for port, x in zip(graph.inputs, inputs, strict=True)]
    return [to_outside(graph, port, y) for port, y in zip(graph.outputs, run(graph, inner), strict=True)]


def optimized(b: GraphBuilder, samples: int = 3) -> Graph:
    """The optimized graph, after checking that it answers as the original does and left that untouched."""
    verify(b.graph)
    before = format_graph(b.graph)
    graph = optimize(b.graph)
    assert format_graph(b.graph) == before
    for seed in range(samples):
        inputs = random_inputs(b.graph, seed)
        for mine, original in zip(outside(graph, inputs), run(b.graph, inputs), strict=True):
            np.testing.assert_array_equal(mine.reshape(original.shape), original, strict=True)
    return graph


# --- borders ---


def test_float_borders_become_ports() -> None:
    b = GraphBuilder(1)
    x = b.quantize(b.input(1, 5, 5, 2, dtype="float32"))
    y = b.conv(x, 3, Window((3, 3)))
    b.output(b.dequantize(y))
    b.output(b.dequantize(b.relu(y)))
    graph = optimized(b)
    assert kinds(graph) == ["CONV_2D", "RELU"]
    assert [(p.name, p.dtype, p.tensor) for p in graph.inputs] == [("t0", "float32", x)]
    assert [p.dtype for p in graph.outputs] == ["float32", "float32"]
    assert {t.dtype for t in graph.tensors.values()} == {"int8", "int32"}


def test_uint8_borders_become_ports() -> None:
    b = GraphBuilder(2)
    x = b.quantize(b.input(1, 4, 4, 2, dtype="uint8", quant=Quantization((0.5,), (7,))))
    y = b.pool(OpKind.MAX_POOL_2D, x, Window((2, 2)))
    b.output(b.quantize(y, "uint8", Quantization((0.25,), (200,))))
    graph = optimized(b)
    assert kinds(graph) == ["MAX_POOL_2D"]
    assert (graph.inputs[0].dtype, graph.inputs[0].quant) == ("uint8", Quantization((0.5,), (7,)))
    assert (graph.outputs[0].dtype, graph.outputs[0].quant) == ("uint8", Quantization((0.25,), (200,)))


def test_requantizing_inside_stays() -> None:
    b = GraphBuilder(3)
    b.output(b.relu(b.quantize(b.input(1, 9))))
    assert kinds(optimized(b)) == ["QUANTIZE", "RELU"]


def test_one_input_quantized_alike_twice() -> None:
    b = GraphBuilder(4)
    x, quant = b.input(1, 6, dtype="float32"), b.quant()
    b.output(b.binary(OpKind.ADD, b.quantize(x, quant=quant), b.logistic(b.quantize(x, quant=quant))))
    assert kinds(optimized(b)) == ["LOGISTIC", "ADD"]


def test_a_state_that_keeps_a_quantized_input_follows_it_to_the_border() -> None:
    b = GraphBuilder(4)
    x, old, quant = b.input(1, 6, dtype="float32"), b.state(1, 6), b.quant()
    b.graph.tensor(old).quant = quant
    b.output(b.binary(OpKind.ADD, b.quantize(x, quant=quant), old))
    b.keep(old, b.quantize(x, quant=quant))
    graph = optimized(b, samples=0)
    verify(graph)
    assert kinds(graph) == ["ADD"]
    assert graph.states[0].update == graph.inputs[0].tensor != b.graph.states[0].update
    mine, original = Session(graph), Session(b.graph)
    for seed in range(3):
        inputs = random_inputs(b.graph, seed)
        quantized = [to_inside(graph, graph.inputs[0], inputs[0])]
        np.testing.assert_array_equal(mine.run(quantized), original.run(inputs))


def test_an_input_that_is_also_wanted_as_it_is_stays() -> None:
    b = GraphBuilder(4)
    x = b.input(1, 6, dtype="float32")
    b.output(b.logistic(b.quantize(x)))
    b.output(x)
    graph = optimized(b)
    verify(graph)
    assert kinds(graph) == ["QUANTIZE", "LOGISTIC"] and graph.inputs == b.graph.inputs


def test_one_input_quantized_in_two_ways_is_refused() -> None:
    b = GraphBuilder(5)
    x = b.input(1, 6, dtype="float32")
    b.output(b.binary(OpKind.ADD, b.quantize(x), b.quantize(x)))
    with pytest.raises(UnsupportedOperatorError, match="converted to int8 in two different ways"):
        optimize(b.graph)


# --- pads ---


def test_pad_goes_into_convolutions() -> None:
    b = GraphBuilder(6)
    x = b.pad(b.input(1, 6, 6, 2), ((0, 0), (1, 2), (0, 3), (0, 0)))
    b.output(b.conv(x, 3, Window((3, 3), (2, 2))))
    b.output(b.depthwise(x, Window((2, 3), pad=(1, 0, 1, 1))))
    graph = optimized(b)
    assert kinds(graph) == ["CONV_2D", "DEPTHWISE_CONV_2D"]
    assert [op.attrs.window.pad for op in graph.operators] == [(1, 2, 0, 3), (2, 2, 1, 4)]


def test_pad_of_channels_or_with_other_readers_stays() -> None:
    b = GraphBuilder(7)
    b.output(b.conv(b.pad(b.input(1, 6, 6, 2), ((0, 0), (1, 1), (1, 1), (0, 2))), 3, Window((3, 3))))
    assert kinds(optimized(b)) == ["PAD", "CONV_2D"]
    b = GraphBuilder(8)
    x = b.pad(b.input(1, 6, 6, 2), ((0, 0), (1, 1), (1, 1), (0, 0)))
    b.output(b.conv(x, 3, Window((3, 3))))
    b.output(b.logistic(x))
    assert kinds(optimized(b)) == ["PAD", "CONV_2D", "LOGISTIC"]


@pytest.mark.parametrize(("zero", "folded"), [(-128, True), (-127, False), (5, False)])
def test_pad_goes_into_max_pools_where_zero_is_the_minimum(zero: int, folded: bool) -> None:
    b = GraphBuilder(9)
    x = b.input(1, 7, 7, 3, quant=Quantization((0.1,), (zero,)))
    b.output(b.pool(OpKind.MAX_POOL_2D, b.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0))), Window((3, 3), (2, 2))))
    graph = optimized(b)
    assert kinds(graph) == (["MAX_POOL_2D"] if folded else ["PAD", "MAX_POOL_2D"])
    if folded:
        assert isinstance(graph.operators[0].attrs, PoolAttrs)
        assert graph.operators[0].attrs.window.pad == (1, 1, 1, 1)


def test_pad_stays_where_a_max_pool_would_see_nothing_else() -> None:
    b = GraphBuilder(9)
    x = b.input(1, 4, 4, 1, quant=Quantization((0.1,), (-128,)))
    b.output(b.pool(OpKind.MAX_POOL_2D, b.pad(x, ((0, 0), (2, 0), (0, 0), (0, 0))), Window((2, 2))))
    assert kinds(optimized(b)) == ["PAD", "MAX_POOL_2D"]


def test_pad_never_goes_into_average_pools() -> None:
    b = GraphBuilder(10)
    x = b.pad(b.input(1, 4, 4, 2), ((0, 0), (1, 1), (1, 1), (0, 0)))
    b.output(b.pool(OpKind.AVERAGE_POOL_2D, x, Window((2, 2), (2, 2))))
    assert kinds(optimized(b)) == ["PAD", "AVERAGE_POOL_2D"]


# --- activations ---


@pytest.mark.parametrize("activation", [Activation.RELU, Activation.RELU6, Activation.RELU_N1_TO_1])
def test_activation_goes_into_the_producer(activation: Activation) -> None:
    b = GraphBuilder(11)
    quant = Quantization((0.0625,), (3,))
    y = b.relu(b.conv(b.input(1, 4, 4, 3), 5, Window((3, 3)), quant=quant), activation, same=True)
    b.output(y)
    graph = optimized(b)
    assert kinds(graph) == ["CONV_2D"]
    assert isinstance(graph.operators[0].attrs, Conv2DAttrs)
    assert graph.operators[0].attrs.activation is activation
    assert graph.operators[0].outputs == [y]


def test_activation_that_requantizes_or_is_not_alone_stays() -> None:
    b = GraphBuilder(12)
    b.output(b.relu(b.conv(b.input(1, 4, 4, 3), 5, Window((3, 3)))))
    assert kinds(optimized(b)) == ["CONV_2D", "RELU"]
    b = GraphBuilder(13)
    y = b.conv(b.input(1, 4, 4, 3), 5, Window((3, 3)))
    b.output(y)
    b.output(b.relu(y, same=True))
    assert kinds(optimized(b)) == ["CONV_2D", "RELU"]


def test_passes_leave_their_input_alone() -> None:
    b = GraphBuilder(14)
    b.output(b.relu(b.conv(b.input(1, 4, 4, 3), 5, Window((3, 3)), quant=b.quant()), same=True))
    before = format_graph(b.graph)
    assert kinds(fuse_activation(b.graph)) == ["CONV_2D"]
    assert format_graph(b.graph) == before


# --- transposes and views ---


def test_the_pair_of_means_of_pytorch_exports() -> None:
    b = GraphBuilder(15)
    x = b.transpose(b.input(1, 5, 4, 6), 0, 3, 1, 2)
    b.output(b.dense(b.mean(b.mean(x, (3,)), (2,), same=True), 3))
    graph = optimized(b)
    assert kinds(graph) == ["MEAN", "MEAN", "FULLY_CONNECTED"]
    means = [op.attrs for op in graph.operators[:2]]
    assert means == [MeanAttrs((2,)), MeanAttrs((1,))]


def test_transposes_cancel_across_elementwise_operators() -> None:
    b = GraphBuilder(16)
    x = b.transpose(b.conv(b.input(1, 4, 5, 3), 6, Window((1, 1))), 0, 3, 1, 2)
    gate = b.logistic(b.mean(x, (2, 3), keep=True))
    x = b.binary(OpKind.MUL, b.hard_swish(x), gate)
    x = b.binary(OpKind.ADD, x, b.random_constant(6, 1, 1))
    x = b.pad(b.concat([x, x], 1), ((0, 0), (0, 0), (1, 0), (0, 1)))
    b.output(b.conv(b.transpose(x, 0, 2, 3, 1), 2, Window((3, 3))))
    graph = optimized(b)
    assert "TRANSPOSE" not in kinds(graph) and "PAD" not in kinds(graph)


def test_transpose_before_flattening_goes_into_the_weights() -> None:
    b = GraphBuilder(17)
    x = b.reshape(b.transpose(b.input(1, 3, 4, 5), 0, 3, 1, 2), 1, 60)
    b.output(b.dense(x, 7, per_channel=True))
    assert kinds(optimized(b)) == ["FULLY_CONNECTED"]


def test_shared_weights_are_permuted_for_one_reader_only() -> None:
    b = GraphBuilder(18)
    x = b.input(1, 2, 3, 4)
    one = b.dense(b.reshape(b.transpose(x, 0, 3, 1, 2), 1, 24), 5)
    other = b.dense(b.reshape(x, 1, 24), 5)
    first, second = b.graph.operators[2], b.graph.operators[4]
    second.inputs[1:] = first.inputs[1:]
    b.output(one)
    b.output(other)
    assert kinds(optimized(b)) == ["FULLY_CONNECTED", "RESHAPE", "FULLY_CONNECTED"]


def test_transpose_of_single_rows_is_a_view() -> None:
    b = GraphBuilder(19)
    b.output(b.logistic(b.transpose(b.input(1, 1, 1, 8), 0, 3, 1, 2)))
    assert kinds(optimized(b)) == ["LOGISTIC", "RESHAPE"]


def test_a_real_transpose_stays() -> None:
    b = GraphBuilder(20)
    b.output(b.transpose(b.input(1, 2, 3, 4), 0, 2, 1, 3))
    assert kinds(optimized(b)) == ["TRANSPOSE"]


def test_reshapes_merge() -> None:
    b = GraphBuilder(21)
    x = b.reshape(b.reshape(b.reshape(b.input(1, 2, 3, 4), 1, 24), 4, 6), 1, 2, 3, 4)
    b.output(b.conv(x, 2, Window((1, 1))))
    assert kinds(optimized(b)) == ["CONV_2D"]


# --- constants and dead code ---


def test_constants_fold_and_dead_code_disappears() -> None:
    b = GraphBuilder(22)
    x = b.input(1, 2, 2, 3)
    constant = b.transpose(
        b.binary(OpKind.MUL, b.random_constant(1, 1, 3, 1), b.random_constant(1, 1, 3, 1)), 0, 1, 3, 2
    )
    b.output(b.binary(OpKind.ADD, x, constant))
    b.logistic(b.conv(x, 4, Window((1, 1))))
    graph = optimized(b)
    assert kinds(graph) == ["ADD"]
    assert len(graph.tensors) == 3


# --- everything ---


def test_the_observer_sees_every_pass() -> None:
    b = GraphBuilder(23)
    b.output(b.dequantize(b.logistic(b.quantize(b.input(1, 4, dtype="float32")))))
    seen: list[tuple[str, int]] = []
    optimize(b.graph, lambda name, graph: seen.append((name, len(graph.operators))))
    assert [name for name, _ in seen] == [step.__name__ for step in PASSES]
    assert dict(seen)["move_conversions_to_border"] == 1


def random_network(seed: int) -> GraphBuilder:
    """A chain of random operators in both layouts, with branches, pads, activations, and views."""
    b, r = GraphBuilder(seed), np.random.default_rng(seed)
    x = b.input(1, *(int(n) for n in r.integers(3, 8, 3)), dtype="float32" if r.random() < 0.5 else "int8")
    if b.graph.tensor(x).dtype == "float32":
        x = b.quantize(x)
    older = x
    for _ in range(int(r.integers(2, 9))):
        shape = b.shape(x)
        match int(r.integers(11)):
            case 0:
                x = b.conv(x, int(r.integers(1, 6)), Window((min(3, shape[1]), 1)))
            case 1:
                x = b.pad(x, ((0, 0), (1, int(r.integers(3))), (int(r.integers(2)), 0), (0, 0)))
            case 2:
                x = b.relu(x, Activation.RELU6 if r.random() < 0.5 else Activation.RELU, same=r.random() < 0.7)
            case 3:
                x = b.transpose(x, 0, 3, 1, 2)
            case 4:
                x = b.transpose(x, 0, 2, 3, 1)
            case 5 if b.shape(older) == shape:
                x = b.binary(OpKind.ADD, x, older)
            case 6:
                x = b.mean(x, ((1,), (2,), (3,), (1, 2), (2, 3))[int(r.integers(5))], keep=True)
            case 7:
                x = b.binary(OpKind.MUL, x, b.random_constant(1, 1, 1, shape[3]))
            case 8:
                kind = OpKind.MAX_POOL_2D if r.random() < 0.7 else OpKind.AVERAGE_POOL_2D
                x = b.pool(kind, x, Window((min(2, shape[1]), min(2, shape[2]))))
            case 9:
                x = b.concat([x, x], int(r.integers(1, 4)))
            case 10:
                older = x
                x = b.depthwise(x, Window((1, min(3, shape[2]))))
    if r.random() < 0.5:
        x = b.dense(b.reshape(x, 1, b.graph.tensor(x).elements), 4)
    b.output(b.dequantize(x) if r.random() < 0.5 else x)
    return b


@settings(max_examples=150, deadline=None)
@given(seed=st.integers(0, 1 << 30))
def test_random_networks_keep_every_bit(seed: int) -> None:
    optimized(random_network(seed), samples=1)


def test_random_networks_answer_as_tflite_does() -> None:
    for seed in range(25):
        b = random_network(seed)
        inputs = random_inputs(b.graph, seed)
        expected = run_builtin_ref(tflite_bytes(b.graph), inputs)
        for mine, theirs in zip(outside(optimize(b.graph), inputs), expected, strict=True):
            np.testing.assert_array_equal(mine.reshape(theirs.shape), theirs, strict=True)


@pytest.mark.parametrize("name", ["mcunet_vww1", "mlperf_vww_96_int8", "mlperf_kws_int8"])
def test_third_party_networks_answer_as_tflite_does(name: str) -> None:
    folder = shared_dir()
    if folder is None:
        pytest.skip("TINYENGINE_SHARED is absent: no third-party networks")
    path = folder / "models" / "networks" / f"{name}.tflite"
    original = load_tflite(path)
    graph = optimize(original)
    assert not {"PAD", "TRANSPOSE", "QUANTIZE", "DEQUANTIZE"} & set(kinds(graph))
    for seed in range(5):
        inputs = random_inputs(original, seed)
        for mine, theirs in zip(outside(graph, inputs), run_builtin_ref(path, inputs), strict=True):
            np.testing.assert_array_equal(mine.reshape(theirs.shape), theirs, strict=True)


# --- islands of float32 ---


def island(*kinds: OpKind) -> Graph:
    """int8 -> DEQUANTIZE -> functions and a slice, in float32 -> QUANTIZE, all 256 values."""
    b = GraphBuilder(11)
    x = b.dequantize(b.input(1, 16, 16, quant=Quantization((0.03,), (-7,))))
    for kind in kinds:
        if kind is OpKind.STRIDED_SLICE:
            attrs = StridedSliceAttrs((0, 15, 0), (1, -1, 1), (1, 16, 8))
            x = b.op(kind, [x], attrs, (1, 16, 8), dtype="float32")
        else:
            x = b.op(kind, [x], NoAttrs(), dtype="float32")
    b.output(b.quantize(x, quant=Quantization((0.04,), (-20,))))
    for tensor in b.graph.tensors.values():
        tensor.quant = tensor.quant if tensor.dtype == "int8" else None
    return b.graph


@pytest.mark.parametrize(
    "kinds", [(), (OpKind.ELU,), (OpKind.SQUARE, OpKind.TANH), (OpKind.SQUARE, OpKind.STRIDED_SLICE)]
)
def test_an_island_of_float_becomes_a_table(kinds: tuple[OpKind, ...]) -> None:
    graph = island(*kinds)
    optimized = optimize(graph)
    moves = [kind for kind in kinds if kind is OpKind.STRIDED_SLICE]
    assert [op.kind for op in optimized.operators] == [*moves, OpKind.TABLE]
    values = [np.arange(-128, 128, dtype=np.int8).reshape(1, 16, 16)]
    np.testing.assert_array_equal(run(optimized, values)[0], run(graph, values)[0])
    compile_graph(graph)


def test_an_island_that_others_see_stays() -> None:
    graph = island(OpKind.ELU)
    inside = graph.operators[1].outputs[0]
    graph.outputs.append(Port(inside, inside, "float32"))
    assert OpKind.ELU in [op.kind for op in optimize(graph).operators]


# --- depthwise convolutions of one channel ---


@pytest.mark.parametrize("per_channel", [True, False])
def test_depthwise_of_one_channel_is_a_convolution(per_channel: bool) -> None:
    b = GraphBuilder(21)
    window = Window((5, 3), (2, 1), (1, 2), (2, 1, 0, 3))
    b.output(b.depthwise(b.input(1, 12, 9, 1), window, 6, Activation.RELU, per_channel))
    graph = optimized(b)
    assert kinds(graph) == ["CONV_2D"]
    [op] = graph.operators
    assert op.attrs == Conv2DAttrs(window, Activation.RELU)
    assert graph.tensor(op.inputs[1]).shape == (6, 5, 3, 1)


@pytest.mark.parametrize(("channels", "multiplier"), [(1, 1), (2, 3)])
def test_other_depthwise_convolutions_stay(channels: int, multiplier: int) -> None:
    b = GraphBuilder(22)
    b.output(b.depthwise(b.input(1, 6, 6, channels), Window((3, 3)), multiplier))
    assert kinds(optimized(b)) == ["DEPTHWISE_CONV_2D"]
