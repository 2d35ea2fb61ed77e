"""The TFLite importer: what it reads is what was written, and every refusal says what and what to do."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from tinyengine.errors import ModelError, UnsupportedOperatorError
from tinyengine.frontend import load_tflite, parse_tflite
from tinyengine.frontend.tflite_writer import tflite_bytes, write_tflite
from tinyengine.ir import OpKind, Quantization, Tensor
from tinyengine.ir.ops import Activation, Conv2DAttrs, DepthwiseConv2DAttrs, ElementwiseAttrs, StridedSliceAttrs, Window
from tinyengine.ir.printer import format_graph
from tinyengine.paths import shared_dir
from tinyengine.reference import run

from tests.helpers.edited import edited, schema
from tests.helpers.graphs import GraphBuilder, random_inputs
from tests.helpers.tflite_reference import run_builtin_ref


def small_conv() -> GraphBuilder:
    b = GraphBuilder(3, "small")
    b.output(b.conv(b.input(1, 6, 6, 3), 4, Window((3, 3), (2, 2), pad=(0, 1, 0, 1)), Activation.RELU))
    return b


def refusal(data: bytes) -> str:
    """The sentence with which ``data`` is refused."""
    with pytest.raises(ModelError) as caught:
        parse_tflite(data, "net.tflite")
    sentence = str(caught.value)
    assert sentence.startswith("net.tflite: ") and "\n" not in sentence
    return sentence


# --- reading what was written ---


def test_round_trip_keeps_the_graph() -> None:
    b = small_conv()
    graph = parse_tflite(tflite_bytes(b.graph), "small.tflite")
    op, original = graph.operators[0], b.graph.operators[0]
    assert (graph.name, op.kind, op.attrs) == ("small", OpKind.CONV_2D, original.attrs)
    assert op.inputs == original.inputs and op.outputs == original.outputs
    for name, tensor in b.graph.tensors.items():
        loaded = graph.tensor(name)
        assert (loaded.shape, loaded.dtype, loaded.quant) == (tensor.shape, tensor.dtype, tensor.quant)
        if tensor.data is not None:
            np.testing.assert_array_equal(loaded.data, tensor.data)


def test_same_padding_becomes_numbers() -> None:
    graph = parse_tflite(tflite_bytes(small_conv().graph))
    attrs = graph.operators[0].attrs
    assert isinstance(attrs, Conv2DAttrs)
    assert attrs.window.pad == (0, 1, 0, 1)  # SAME with stride 2 on 6 rows: the odd pixel comes last


def test_paddings_that_tflite_lacks_are_written_as_pad() -> None:
    b = GraphBuilder(4)
    b.output(b.conv(b.input(1, 5, 5, 2), 3, Window((3, 3), pad=(2, 0, 1, 3))))
    graph = parse_tflite(tflite_bytes(b.graph))
    assert [op.kind for op in graph.operators] == [OpKind.PAD, OpKind.CONV_2D]
    inputs = random_inputs(b.graph, 4)
    np.testing.assert_array_equal(run(graph, inputs)[0], run(b.graph, inputs)[0])


def test_a_missing_bias_is_zeros() -> None:
    def drop_bias(model: Any) -> None:
        model.subgraphs[0].operators[0].inputs = model.subgraphs[0].operators[0].inputs[:2]

    graph = parse_tflite(edited(tflite_bytes(small_conv().graph), drop_bias))
    bias = graph.tensor(graph.operators[0].inputs[2])
    assert bias.dtype == "int32" and bias.data is not None and not bias.data.any()


def test_a_free_batch_size_is_one() -> None:
    def free_batch(model: Any) -> None:
        for index in (model.subgraphs[0].inputs[0], model.subgraphs[0].outputs[0]):
            tensor = model.subgraphs[0].tensors[index]
            tensor.shapeSignature = [-1, *list(tensor.shape)[1:]]

    graph = parse_tflite(edited(tflite_bytes(small_conv().graph), free_batch))
    assert graph.tensor(graph.inputs[0].tensor).shape == (1, 6, 6, 3)


def test_shape_arithmetic_is_folded() -> None:
    """SHAPE, STRIDED_SLICE, PACK: how converters compute the shape of a RESHAPE for a free batch size."""
    b = GraphBuilder(6)
    b.output(b.reshape(b.input(1, 4, 6), 1, 24))

    def compute_the_shape(model: Any) -> None:
        objects, graph = schema(), model.subgraphs[0]

        def tensor(name: str, shape: list[int], values: list[int] | None = None) -> int:
            item = objects.TensorT()
            item.name, item.shape, item.type, item.buffer = name.encode(), shape, objects.TensorType.INT32, 0
            if values is not None:
                buffer = objects.BufferT()
                buffer.data = np.frombuffer(np.array(values, "<i4").tobytes(), np.uint8)
                model.buffers.append(buffer)
                item.buffer = len(model.buffers) - 1
            graph.tensors.append(item)
            return len(graph.tensors) - 1

        def operator(kind: str, inputs: list[int], output: int, options: Any = None, table: int = 0) -> Any:
            code = objects.OperatorCodeT()
            code.builtinCode = code.deprecatedBuiltinCode = getattr(objects.BuiltinOperator, kind)
            model.operatorCodes.append(code)
            item = objects.OperatorT()
            item.opcodeIndex, item.inputs, item.outputs = len(model.operatorCodes) - 1, inputs, [output]
            item.builtinOptions, item.builtinOptionsType = options, table
            return item

        zero, one = tensor("zero", [1], [0]), tensor("one", [1], [1])
        shape, batch = tensor("shape", [3]), tensor("batch", [])
        rest, packed = tensor("rest", [], [-1]), tensor("packed", [2])
        slicing, packing = objects.StridedSliceOptionsT(), objects.PackOptionsT()
        slicing.shrinkAxisMask, packing.valuesCount, packing.axis = 1, 2, 0
        reshape = graph.operators[0]
        graph.operators = [
            operator("SHAPE", [graph.inputs[0]], shape),
            operator(
                "STRIDED_SLICE", [shape, zero, one, one], batch, slicing, objects.BuiltinOptions.StridedSliceOptions
            ),
            operator("PACK", [batch, rest], packed, packing, objects.BuiltinOptions.PackOptions),
            reshape,
        ]
        reshape.inputs = [graph.inputs[0], packed]
        graph.tensors[graph.outputs[0]].shapeSignature = [-1, -1]

    graph = parse_tflite(edited(tflite_bytes(b.graph), compute_the_shape))
    assert [op.kind for op in graph.operators] == [OpKind.RESHAPE]
    assert graph.tensor(graph.outputs[0].tensor).shape == (1, 24)


@pytest.mark.parametrize(
    ("begin", "end", "stride", "masks", "expected"),
    [
        ([0, 1, 2], [1, 5, 6], [1, 2, 1], {}, ((0, 1, 2), (1, 2, 1), (1, 2, 4))),
        ([0, -1, 0], [1, 0, 6], [1, -2, 1], {}, ((0, 4, 0), (1, -2, 1), (1, 2, 6))),
        ([0, -1, 0], [1, 0, 6], [1, -1, 1], {"endMask": 2}, ((0, 4, 0), (1, -1, 1), (1, 5, 6))),
        ([0, 9, 0], [1, -9, 99], [1, -1, 1], {"endMask": 2}, ((0, 4, 0), (1, -1, 1), (1, 5, 6))),
        ([0, 3, 0], [1, 4, 6], [1, 1, 1], {"shrinkAxisMask": 2}, ((0, 3, 0), (1, 1, 1), (1, 1, 6))),
        ([0, 2, 1], [0, 0, 0], [1, 1, 1], {"beginMask": 2, "endMask": 7}, ((0, 0, 1), (1, 1, 1), (1, 5, 5))),
    ],
)
def test_slices_are_resolved_as_numpy_does(
    begin: list[int], end: list[int], stride: list[int], masks: dict[str, int], expected: tuple[Any, Any, Any]
) -> None:
    counts = expected[2]
    shape = tuple(n for i, n in enumerate(counts) if not masks.get("shrinkAxisMask", 0) & (1 << i))
    b = GraphBuilder(7)
    b.output(b.slice(b.input(1, 5, 6), (0,) * 3, (1,) * 3, counts, shape))

    def change(model: Any) -> None:
        graph = model.subgraphs[0]
        op = graph.operators[0]
        for index, values in zip(op.inputs[1:], (begin, end, stride), strict=True):
            buffer = model.buffers[graph.tensors[index].buffer]
            buffer.data = np.frombuffer(np.array(values, "<i4").tobytes(), np.uint8)
        options = op.builtinOptions
        options.endMask = options.shrinkAxisMask = 0
        for name, value in masks.items():
            setattr(options, name, value)

    attrs = parse_tflite(edited(tflite_bytes(b.graph), change)).operators[0].attrs
    assert attrs == StridedSliceAttrs(*expected)


def test_names_are_fit_for_messages_and_comments() -> None:
    b = small_conv()

    def rename(model: Any) -> None:
        for index, tensor in enumerate(model.subgraphs[0].tensors):
            tensor.name = b"evil */ name\n\x1b[31m\xff" if index % 2 else b""

    graph = parse_tflite(edited(tflite_bytes(b.graph), rename))
    assert len(graph.tensors) == len(b.graph.tensors)  # unique though named alike
    text = format_graph(graph)
    assert "*/" not in text and "\x1b" not in text and text.count("\n") == 4


def test_writing_to_a_file(tmp_path: Any) -> None:
    path = tmp_path / "some_net.tflite"
    write_tflite(small_conv().graph, path)
    assert load_tflite(path).name == "some_net"


@pytest.mark.parametrize("name", ["mcunet_vww1", "mlperf_vww_96_int8", "mlperf_kws_int8"])
def test_third_party_networks_survive_a_round_trip(name: str) -> None:
    folder = shared_dir()
    if folder is None:
        pytest.skip("TINYENGINE_SHARED is absent: no third-party networks")
    graph = load_tflite(folder / "models" / "networks" / f"{name}.tflite")
    again = parse_tflite(tflite_bytes(graph), f"{name}.tflite")
    assert [(op.kind, op.attrs) for op in again.operators] == [(op.kind, op.attrs) for op in graph.operators]
    for one, other in zip(again.operators, graph.operators, strict=True):
        for mine, theirs in zip([*one.inputs, *one.outputs], [*other.inputs, *other.outputs], strict=True):
            a, b = again.tensor(mine), graph.tensor(theirs)
            assert (a.shape, a.dtype, a.quant) == (b.shape, b.dtype, b.quant)
            assert a.data is None or np.array_equal(a.data, b.data)


# --- refusals ---


def test_hybrid_networks_are_refused() -> None:
    b = small_conv()
    for name in ("t0", b.graph.outputs[0].tensor):
        b.graph.tensor(name).dtype, b.graph.tensor(name).quant = "float32", None
    b.graph.inputs = [p.__class__(p.tensor, p.name, "float32") for p in b.graph.inputs]
    b.graph.outputs = [p.__class__(p.tensor, p.name, "float32") for p in b.graph.outputs]
    assert "has int8 weights but computes in float32" in refusal(tflite_bytes(b.graph))


def edit_tensor(index_of: Callable[[Any], int], **fields: Any) -> Callable[[Any], None]:
    def change(model: Any) -> None:
        tensor = model.subgraphs[0].tensors[index_of(model.subgraphs[0])]
        for name, value in fields.items():
            setattr(tensor, name, value)

    return change


def first_input(graph: Any) -> int:
    return graph.inputs[0]


def first_output(graph: Any) -> int:
    return graph.outputs[0]


def weights_of(graph: Any) -> int:
    return graph.operators[0].inputs[1]


INT16, FLOAT16 = 7, 1
REFUSALS: dict[str, tuple[Callable[[Any], None], str]] = {
    "int16 inside": (edit_tensor(first_output, type=INT16), r"CONV_2D.*mixes int8, int8, int32, int16, not"),
    "half weights": (edit_tensor(weights_of, type=FLOAT16), r"operator 0 \(CONV_2D\) with tensor 1 .*float16"),
    "no quantization": (edit_tensor(first_input, quantization=None), r"no quantization parameters: .*full integer"),
    "no weight scales": (edit_tensor(weights_of, quantization=None), r"tensor 1 .*no quantization parameters"),
    "dynamic": (
        edit_tensor(first_input, shapeSignature=[1, -1, -1, 3]),
        r"input tensor 0 \(t0\) has the dynamic shape \[1, -1, -1, 3\]: .*fixed input size",
    ),
    "batch": (edit_tensor(first_input, shape=[2, 6, 6, 3]), r"batch size 2: export the model with batch 1"),
    "wrong output shape": (edit_tensor(first_output, shape=[1, 3, 4, 4]), r"declared with shape \[1, 3, 4, 4\]"),
    "short weights": (edit_tensor(weights_of, shape=[4, 3, 3, 2]), r"has 108 bytes for shape \[4, 3, 3, 2\]"),
    "subgraphs": (lambda m: m.subgraphs.append(m.subgraphs[0]), r"has 2 subgraphs, only one is supported"),
    "version": (lambda m: setattr(m, "version", 2), r"schema version 2"),
    "tanh": (
        lambda m: setattr(m.subgraphs[0].operators[0].builtinOptions, "fusedActivationFunction", 4),
        r"has a fused TANH or SIGN_BIT: use RELU",
    ),
    "stride zero": (lambda m: setattr(m.subgraphs[0].operators[0].builtinOptions, "strideH", 0), r"stride \(0, 2\)"),
    "no such tensor": (lambda m: setattr(m.subgraphs[0].operators[0], "inputs", [0, 99, 2]), r"tensor 99 .*not exist"),
    "no such code": (lambda m: setattr(m.subgraphs[0].operators[0], "opcodeIndex", 9), r"code 9, which does not"),
    "no operators": (lambda m: setattr(m.subgraphs[0], "operators", []), r"output tensor 3 .*not computed"),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_refusals(name: str) -> None:
    change, pattern = REFUSALS[name]
    sentence = refusal(edited(tflite_bytes(small_conv().graph), change))
    assert re.search(pattern, sentence), sentence


@pytest.mark.parametrize(
    ("kind", "instead"),
    [("IF", "the branch that is to run"), ("WHILE", "unroll the loop"), ("LSTM", "docs/operators.md")],
)
def test_unknown_operators_name_a_way_out(kind: str, instead: str) -> None:
    number = getattr(schema().BuiltinOperator, kind)

    def change(model: Any) -> None:
        model.operatorCodes[0].builtinCode = model.operatorCodes[0].deprecatedBuiltinCode = number

    with pytest.raises(
        UnsupportedOperatorError, match=rf"operator 0 \({kind}\) with tensor 3 \(t3\) is not supported"
    ) as e:
        parse_tflite(edited(tflite_bytes(small_conv().graph), change))
    assert instead in str(e.value)


def test_custom_operators_are_named() -> None:
    def change(model: Any) -> None:
        code = model.operatorCodes[0]
        code.builtinCode = code.deprecatedBuiltinCode = 32
        code.customCode = b"CIRCULAR_BUFFER"

    assert "custom operator CIRCULAR_BUFFER" in refusal(edited(tflite_bytes(small_conv().graph), change))


def test_dense_layers_on_many_positions() -> None:
    b = GraphBuilder(9)
    b.output(b.dense(b.input(1, 32), 5))

    def change(model: Any) -> None:
        graph = model.subgraphs[0]
        graph.tensors[graph.inputs[0]].shape = [1, 7, 32]
        graph.tensors[graph.outputs[0]].shape = [7, 5]

    model = edited(tflite_bytes(b.graph), change)
    inputs = [np.random.default_rng(1).integers(-128, 128, (1, 7, 32)).astype(np.int8)]
    mine = run(parse_tflite(model), inputs)[0]
    np.testing.assert_array_equal(mine, run_builtin_ref(model, inputs)[0])
    assert mine.shape == (7, 5) and len(np.unique(mine)) > 5


def test_groups_that_do_not_divide_the_filters_are_refused() -> None:
    b = GraphBuilder(9)
    b.output(b.conv(b.input(1, 4, 4, 2), 4, Window((1, 1))))

    def change(model: Any) -> None:
        graph = model.subgraphs[0]
        graph.tensors[graph.inputs[0]].shape = [1, 4, 4, 6]

    assert "has weights of shape [4, 1, 1, 2] for 6 channels" in refusal(edited(tflite_bytes(b.graph), change))


def test_groups_of_single_channels_are_depthwise() -> None:
    b = GraphBuilder(9)
    b.output(b.conv(b.input(1, 4, 5, 1), 6, Window((3, 2))))

    def change(model: Any) -> None:
        graph = model.subgraphs[0]
        graph.tensors[graph.inputs[0]].shape = [1, 4, 5, 3]

    model = edited(tflite_bytes(b.graph), change)
    loaded = parse_tflite(model)
    [op] = loaded.operators
    assert op.kind is OpKind.DEPTHWISE_CONV_2D and op.attrs == DepthwiseConv2DAttrs(Window((3, 2)), 2)
    inputs = [np.random.default_rng(0).integers(-128, 128, (1, 4, 5, 3)).astype(np.int8)]
    np.testing.assert_array_equal(run(loaded, inputs)[0], run_builtin_ref(model, inputs)[0])


def test_operators_out_of_order_are_refused() -> None:
    b = GraphBuilder(2)
    x = b.input(1, 4)
    b.output(b.relu(b.logistic(x)))

    def change(model: Any) -> None:
        model.subgraphs[0].operators.reverse()

    assert "read before any operator has written it" in refusal(edited(tflite_bytes(b.graph), change))


def test_per_channel_activations_are_refused() -> None:
    b = GraphBuilder(2)
    x = b.input(1, 1, 1, 3)
    y = b.op(OpKind.ADD, [x, x], ElementwiseAttrs())
    b.graph.tensors[y] = Tensor(y, (1, 1, 1, 3), "int8", Quantization((0.1, 0.2, 0.3), (0, 0, 0), 3))
    b.output(y)
    assert "quantized per channel, which only weights may be" in refusal(tflite_bytes(b.graph))
