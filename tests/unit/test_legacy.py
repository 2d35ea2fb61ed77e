"""Files that compute in uint8: the bytes of TFLite's uint8 reference kernels, by int8 kernels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tinyengine.compiler import CompileOptions, compile_graph
from tinyengine.errors import ModelError, UnsupportedOperatorError
from tinyengine.frontend import parse_tflite
from tinyengine.frontend.legacy import SAME_AS_INT8
from tinyengine.frontend.tflite_writer import tflite_bytes
from tinyengine.ir import Activation, Graph, OpKind, Quantization
from tinyengine.ir.ops import PadAttrs, PoolAttrs, ResizeAttrs, Window
from tinyengine.ir.ports import to_inside
from tinyengine.native.build import build
from tinyengine.reference import run

from tests.helpers.cases import FAMILIES, OpCase, random_cases
from tests.helpers.graphs import GraphBuilder, random_inputs
from tests.helpers.legacy import as_uint8, uint8
from tests.helpers.tflite_reference import run_builtin_ref

ZEROS = st.sampled_from([0, 1, 61, 120, 127, 128, 129, 157, 204, 255])
NOT_OF_UINT8 = (
    "numbers",
    "legacy",
    "transpose_conv",
    "batch_matmul",
    "shift",
    "signal",
    "division",
    "linear_attention",
)
CASES = [name for name in FAMILIES if not name.startswith(("float", "int16")) and name not in NOT_OF_UINT8]


def of_uint8(case: OpCase) -> bool:
    """Whether TFLite has it in uint8, with the same numbers on both sides of the shift."""
    kinds = {op.kind.value for op in case.graph.operators}
    if any(isinstance(op.attrs, PadAttrs) and op.attrs.value is not None for op in case.graph.operators):
        return False  # PADV2 has no uint8
    return kinds <= SAME_AS_INT8 and all(t.dtype in ("int8", "int32") for t in case.graph.tensors.values())


def answers(model: bytes, inputs: list[np.ndarray]) -> list[np.ndarray]:
    """What the file's uint8 inputs give here, as the user sees it."""
    graph = parse_tflite(model)
    inside = [to_inside(graph, port, value) for port, value in zip(graph.inputs, inputs, strict=True)]
    return [uint8(y) for y in run(graph, inside)]


@pytest.mark.parametrize("family", CASES)
@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 1 << 30), zero=ZEROS)
def test_operators_are_bit_identical_to_tflite(family: str, seed: int, zero: int) -> None:
    compared = 0
    for case in random_cases(seed, family, 6):
        if not of_uint8(case):
            continue
        try:
            model = tflite_bytes(as_uint8(case.graph, zero))
        except UnsupportedOperatorError:  # a pool's paddings that are neither SAME nor VALID
            continue
        inputs = [uint8(value) for value in case.inputs]
        bias = case.graph.tensors.get("b")
        if bias is not None and bias.data is not None and np.abs(bias.data.astype(np.int64)).max() >= (1 << 31) - 1:
            continue  # sums that leave 32 bits: undefined in TFLite
        mine, theirs = answers(model, inputs), run_builtin_ref(model, inputs)
        np.testing.assert_array_equal(mine[0].ravel(), theirs[0].ravel(), str(case))
        compared += 1
    assume(compared)


def network(seed: int) -> Graph:
    """Convolutions, a join, a residual, a pool, two dense layers."""
    b = GraphBuilder(seed, "old")
    x = b.input(1, 9, 8, 3)
    x = b.conv(x, 8, Window((3, 3), (2, 2), pad=(1, 1, 1, 0)), Activation.RELU6, per_channel=False)
    y = b.depthwise(x, Window((3, 3), pad=(1, 1, 1, 1)), per_channel=False)
    y = b.conv(y, 8, Window((1, 1)), per_channel=False)
    x = b.binary(OpKind.ADD, x, y)
    x = b.op(OpKind.AVERAGE_POOL_2D, [x], PoolAttrs(Window((2, 2), (2, 2))), quant=b.graph.tensor(x).quant)
    b.output(b.dense(x, 11))
    return b.graph


@pytest.mark.parametrize("zero", [61, 128, 157])
def test_a_network_from_the_file_to_c(zero: int) -> None:
    model = tflite_bytes(as_uint8(network(zero), zero))
    graph = parse_tflite(model)
    assert [port.dtype for port in (*graph.inputs, *graph.outputs)] == ["uint8", "uint8"]
    assert any(op.kind is OpKind.CONV_CHANNELS for op in graph.operators) == (zero != 128)
    native = build(compile_graph(graph, CompileOptions()))
    for seed in range(3):
        inputs = [uint8(value) for value in random_inputs(network(zero), seed)]
        inside = [to_inside(graph, graph.inputs[0], inputs[0])]
        [got], [wanted] = native.run(inside), run(graph, inside)
        np.testing.assert_array_equal(got, wanted)
        np.testing.assert_array_equal(uint8(got), run_builtin_ref(model, inputs)[0])


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 1 << 30))
def test_concatenation_changes_scales(seed: int) -> None:
    b, rng = GraphBuilder(seed), np.random.default_rng(seed)
    parts = [b.input(1, 2, 128, dtype="uint8", quant=_quant(rng)) for _ in range(3)]
    whole = b.concat([*parts], 1)
    tensor = b.graph.tensor(whole)
    tensor.dtype, tensor.quant = "uint8", _quant(rng)
    b.output(whole)
    model = tflite_bytes(b.graph)
    inputs = [rng.integers(0, 256, (1, 2, 128)).astype(np.uint8) for _ in parts]
    np.testing.assert_array_equal(answers(model, inputs)[0], run_builtin_ref(model, inputs)[0])


def _quant(rng: np.random.Generator) -> Quantization:
    return Quantization((float(np.float32(rng.uniform(0.01, 0.1))),), (int(rng.integers(0, 256)),))


def test_what_differs_from_int8_is_refused() -> None:
    b = GraphBuilder(1)
    x = b.input(1, 4, 4, 2)
    quant = b.graph.tensor(x).quant
    b.output(b.op(OpKind.RESIZE_BILINEAR, [x], ResizeAttrs(), (1, 8, 8, 2), quant))
    with pytest.raises(UnsupportedOperatorError, match=r"RESIZE_BILINEAR.* computes in uint8: convert the model with"):
        parse_tflite(tflite_bytes(as_uint8(b.graph)))


def test_damaged_weights_are_refused() -> None:
    graph = as_uint8(network(1))
    weights = graph.tensor(graph.operators[0].inputs[1])
    weights.quant = Quantization(weights.quant.scale, (1 << 30,)) if weights.quant else None
    with pytest.raises(ModelError, match="zero point"):
        parse_tflite(tflite_bytes(graph))


def test_a_border_of_uint8_alone_stays_one() -> None:
    b = GraphBuilder(2)
    x = b.quantize(b.input(1, 4, 4, 2, dtype="uint8", quant=Quantization((0.02,), (3,))))
    b.output(b.conv(x, 3, Window((1, 1))))
    graph = parse_tflite(tflite_bytes(b.graph))
    assert graph.operators[0].kind is OpKind.QUANTIZE and graph.tensor(graph.inputs[0].tensor).dtype == "uint8"
