"""ONNX: float networks through ``convert``, quantized ones (QDQ) imported with their scales, refusals."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tinyengine.compiler import compile_graph, compile_model
from tinyengine.compiler.survey import survey
from tinyengine.convert import ConvertOptions, convert
from tinyengine.errors import ModelError, UnsupportedOperatorError
from tinyengine.frontend import load_tflite
from tinyengine.frontend.files import network_bytes
from tinyengine.frontend.onnx.builder import LAST
from tinyengine.ir import OpKind
from tinyengine.ir.ops import NoAttrs, PoolAttrs
from tinyengine.ir.ports import dequantize_array, quantize_array
from tinyengine.measure.bench import compare, expected_outputs, inside_values, random_inputs
from tinyengine.measure.target_runner import RunResult
from tinyengine.native.build import build
from tinyengine.passes.border import move_conversions_to_border
from tinyengine.reference import run

from tests.helpers.graphs import GraphBuilder

onnx = pytest.importorskip("onnx", reason="pip install 'tinyengine[onnx]'")
ort = pytest.importorskip("onnxruntime", reason="pip install onnxruntime")
Node = tuple[str, list[str], str, dict[str, Any]]


def network(
    path: Path, nodes: list[Node], constants: dict[str, np.ndarray], shape: tuple[int | str, ...], opset: int = 17
) -> Path:
    """Write nodes (kind, inputs, output, attributes) from ``x`` of ``shape`` to ``y``."""
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    graph = helper.make_graph(
        [helper.make_node(k, i, o.split(), name=f"n_{o.split()[0]}", **a) for k, i, o, a in nodes],
        "net",
        [helper.make_tensor_value_info("x", kind, shape)],
        [helper.make_tensor_value_info("y", kind, None)],
        [onnx.numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    onnx.save(model, path)
    return path


def weights(*shape: int) -> np.ndarray:
    rng = np.random.default_rng(shape)
    return (rng.normal(size=shape) / np.sqrt(np.prod(shape[1:]) or 1)).astype(np.float32)


def answers(path: Path, x: np.ndarray) -> np.ndarray:
    return np.asarray(ort.InferenceSession(path, providers=["CPUExecutionProvider"]).run(None, {"x": x})[0])


def small_mobilenet(path: Path, softmax: bool = True) -> Path:
    """Convolution, depthwise, residual, a pool with paddings on every side, average, dense, softmax."""
    return network(
        path,
        [
            ("Conv", ["x", "w1", "b1"], "c1", {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]}),
            ("Relu", ["c1"], "r1", {}),
            ("Conv", ["r1", "w2", "b2"], "c2", {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "group": 8}),
            ("Clip", ["c2", "zero", "six"], "r2", {}),
            ("Conv", ["r2", "w3"], "c3", {"kernel_shape": [1, 1]}),
            ("Add", ["c3", "r1"], "a", {}),
            ("MaxPool", ["a"], "m", {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]}),
            ("GlobalAveragePool", ["m"], "g", {}),
            ("Flatten", ["g"], "f", {}),
            ("Gemm", ["f", "w4", "b4"], "d" if softmax else "y", {"transB": 1}),
            *([("Softmax", ["d"], "y", {"axis": 1})] if softmax else []),
        ],
        {
            "w1": weights(8, 3, 3, 3),
            "b1": weights(8),
            "w2": weights(8, 1, 3, 3),
            "b2": weights(8),
            "w3": weights(8, 8, 1, 1),
            "w4": 3 * weights(5, 8),
            "b4": weights(5),
            "zero": np.float32(0),
            "six": np.float32(6),
        },
        (1, 3, 17, 16),
    )


def interpreted(path: Path, x: np.ndarray) -> np.ndarray:
    """The float .tflite that stands for the file, run by TFLite."""
    from tinyengine.optional import silence, tensorflow

    with silence():
        interpreter = tensorflow("test").lite.Interpreter(model_content=network_bytes(path))
    interpreter.allocate_tensors()
    [given], [got] = interpreter.get_input_details(), interpreter.get_output_details()
    interpreter.set_tensor(given["index"], x.transpose(LAST) if x.ndim == 4 else x)
    interpreter.invoke()
    return np.asarray(interpreter.get_tensor(got["index"]))


CONV = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}
FLOAT: dict[str, tuple[list[Node], dict[str, np.ndarray], tuple[int, ...]]] = {
    "a network": ([], {}, (1, 3, 17, 16)),
    "one axis": (
        [
            ("Conv", ["x", "w"], "c", {"kernel_shape": [3], "strides": [2], "pads": [1, 1]}),
            ("LeakyRelu", ["c"], "l", {"alpha": 0.1}),
            ("MaxPool", ["l"], "m", {"kernel_shape": [2], "strides": [2]}),
            ("ReduceMean", ["m"], "y", {"axes": [2], "keepdims": 0}),
        ],
        {"w": weights(4, 3, 3)},
        (1, 3, 20),
    ),
    "shuffled channels": (
        [
            ("Reshape", ["x", "apart"], "a", {}),
            ("Transpose", ["a"], "t", {"perm": [0, 2, 1, 3, 4]}),
            ("Reshape", ["t", "whole"], "s", {}),
            ("Conv", ["s", "w"], "y", CONV),
        ],
        {
            "apart": np.array([0, 2, 3, 5, 4], np.int64),
            "whole": np.array([1, -1, 5, 4], np.int64),
            "w": weights(3, 6, 3, 3),
        },
        (1, 6, 5, 4),
    ),
    "squeeze and excitation, by functions of several nodes": (
        [
            ("Conv", ["x", "w"], "c", CONV),
            ("BatchNormalization", ["c", "s", "o", "m", "v"], "n", {}),
            ("HardSigmoid", ["n"], "h", {"alpha": 1 / 6}),
            ("Mul", ["n", "h"], "hs", {}),
            ("GlobalAveragePool", ["hs"], "g", {}),
            ("Sigmoid", ["g"], "gs", {}),
            ("Mul", ["hs", "gs"], "q", {}),
            ("Sub", ["q", "k"], "k1", {}),
            ("Div", ["k1", "two"], "y", {}),
        ],
        {
            "w": weights(4, 3, 3, 3),
            "s": np.abs(weights(4)),
            "o": weights(4),
            "m": weights(4),
            "v": np.abs(weights(4)) + 1,
            "k": weights(4, 1, 1),
            "two": np.float32(2),
        },
        (1, 3, 6, 5),
    ),
    "groups, and a convolution back": (
        [
            ("Conv", ["x", "w"], "c", {**CONV, "group": 2, "strides": [2, 2]}),
            ("Relu", ["c"], "r", {}),
            ("ConvTranspose", ["r", "v"], "y", {**CONV, "strides": [2, 2], "output_padding": [1, 1]}),
        ],
        {"w": weights(6, 2, 3, 3), "v": weights(6, 3, 3, 3)},
        (1, 4, 6, 8),
    ),
    "a GELU of several nodes": (
        [
            ("Div", ["x", "root"], "d", {}),
            ("Erf", ["d"], "e", {}),
            ("Add", ["e", "one"], "a", {}),
            ("Mul", ["x", "a"], "m", {}),
            ("Mul", ["m", "half"], "g", {}),
            ("MatMul", ["g", "w"], "y", {}),
        ],
        {"root": np.float32(2**0.5), "one": np.float32(1), "half": np.float32(0.5), "w": weights(5, 3)},
        (1, 5),
    ),
    "attention": (
        [
            ("LayerNormalization", ["x", "s", "o"], "n", {"axis": -1}),
            ("MatMul", ["n", "q"], "mq", {}),
            ("Transpose", ["n"], "t", {"perm": [0, 2, 1]}),
            ("MatMul", ["mq", "t"], "a", {}),
            ("Softmax", ["a"], "p", {"axis": -1}),
            ("MatMul", ["p", "n"], "m", {}),
            ("Abs", ["m"], "b", {}),
            ("Add", ["b", "one"], "c", {}),
            ("Div", ["m", "c"], "d", {}),
            ("Sin", ["d"], "e", {}),
            ("LogSoftmax", ["e"], "y", {"axis": 1}),
        ],
        {"s": weights(8), "o": weights(8), "q": weights(8, 8), "one": np.float32(1)},
        (1, 6, 8),
    ),
    "what refusals advise": (
        [
            ("Pad", ["x", "pads"], "p", {}),
            ("Elu", ["p"], "e", {}),
            ("Resize", ["e", "", "", "sizes"], "r", {"mode": "linear"}),
            ("Resize", ["e", "", "", "sizes"], "n", {"coordinate_transformation_mode": "half_pixel"}),
            ("Max", ["r", "n"], "m", {}),
            ("MaxPool", ["m"], "q", {"kernel_shape": [2, 2], "strides": [2, 2], "ceil_mode": 1}),
            ("AveragePool", ["q"], "y", {"kernel_shape": [2, 2]}),
        ],
        {"pads": np.array([0, 0, 1, 0, 0, 0, 0, 1], np.int64), "sizes": np.array([1, 3, 10, 12], np.int64)},
        (1, 3, 4, 5),
    ),
    "slices, paddings and sizes that are computed": (
        [
            ("Split", ["x"], "p q", {"axis": 1}),
            ("Slice", ["q", "from", "to", "axes", "steps"], "s", {}),
            ("Pad", ["s", "pads"], "sp", {"mode": "reflect"}),
            ("Resize", ["p", "", "factors"], "r", {"mode": "nearest", "coordinate_transformation_mode": "asymmetric"}),
            ("AveragePool", ["r"], "a", {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "count_include_pad": 1}),
            ("Slice", ["a", "zeros", "eight", "axes"], "as", {}),
            ("Concat", ["as", "sp"], "j", {"axis": 1}),
            ("Shape", ["j"], "sh", {}),
            ("Gather", ["sh", "one"], "ch", {}),
            ("Concat", ["ones", "ch", "minus"], "to3", {"axis": 0}),
            ("Reshape", ["j", "to3"], "t3", {}),
            ("MatMul", ["t3", "w"], "mm", {}),
            ("Add", ["mm", "bias"], "mb", {}),
            ("Tanh", ["mb"], "y", {}),
        ],
        {
            "from": np.array([0, 5], np.int64),
            "to": np.array([6, -99], np.int64),
            "axes": np.array([2, 3], np.int64),
            "steps": np.array([1, -1], np.int64),
            "pads": np.array([0, 0, 1, 1, 0, 0, 1, 1], np.int64),
            "factors": np.array([1, 1, 2, 2], np.float32),
            "zeros": np.array([0, 0], np.int64),
            "eight": np.array([8, 8], np.int64),
            "one": np.array([1], np.int64),
            "ones": np.array([1], np.int64),
            "minus": np.array([-1], np.int64),
            "w": weights(64, 7),
            "bias": weights(7),
        },
        (1, 4, 6, 6),
    ),
}


@pytest.mark.parametrize("name", FLOAT)
def test_float_networks_compute_what_onnxruntime_does(tmp_path: Path, name: str) -> None:
    nodes, constants, shape = FLOAT[name]
    path = tmp_path / "net.onnx"
    if nodes:
        network(path, nodes, constants, shape)
    else:
        small_mobilenet(path)
    x = np.random.default_rng(5).normal(size=shape).astype(np.float32)
    wanted = answers(path, x)
    np.testing.assert_allclose(
        interpreted(path, x), wanted.transpose(LAST) if wanted.ndim == 4 else wanted, rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize("opset", [11, 13])
@pytest.mark.parametrize("axis", [None, 1, 2, -1])
def test_softmax_goes_over_the_axes_that_its_version_says(tmp_path: Path, opset: int, axis: int | None) -> None:
    attributes = {} if axis is None else {"axis": axis}
    path = network(tmp_path / "net.onnx", [("Softmax", ["x"], "y", attributes)], {}, (1, 3, 4, 5), opset)
    x = np.random.default_rng(5).normal(size=(1, 3, 4, 5)).astype(np.float32)
    np.testing.assert_allclose(interpreted(path, x), answers(path, x).transpose(LAST), rtol=1e-5, atol=1e-7)


RESIZED = [
    *(("nearest", how, rounding) for how in ("asymmetric", "half_pixel", "align_corners", "pytorch_half_pixel")
      for rounding in ("floor", "ceil", "round_prefer_floor", "round_prefer_ceil")),
    *(("linear", how, "floor") for how in ("asymmetric", "half_pixel", "align_corners", "pytorch_half_pixel")),
]  # fmt: skip


@pytest.mark.parametrize(("mode", "how", "rounding"), RESIZED)
@pytest.mark.parametrize("factor", [1.5, 2.0, 3.0, 0.5])
def test_pixels_are_those_that_onnxruntime_takes(
    tmp_path: Path, mode: str, how: str, rounding: str, factor: float
) -> None:
    attributes = {"mode": mode, "coordinate_transformation_mode": how, "nearest_mode": rounding}
    factors = {"f": np.array([1, 1, factor, factor], np.float32)}
    path = network(tmp_path / "net.onnx", [("Resize", ["x", "", "f"], "y", attributes)], factors, (1, 3, 4, 6))
    x = np.random.default_rng(5).normal(size=(1, 3, 4, 6)).astype(np.float32)
    np.testing.assert_allclose(interpreted(path, x), answers(path, x).transpose(LAST), rtol=1e-5, atol=1e-6)


def test_resizing_to_parts_of_pixels_is_refused(tmp_path: Path) -> None:
    """ONNX goes on with the factor, TFLite with the sizes."""
    factors = {"f": np.array([1, 1, 1.5, 1.5], np.float32)}
    path = network(tmp_path / "net.onnx", [("Resize", ["x", "", "f"], "y", {"mode": "linear"})], factors, (1, 3, 5, 5))
    with pytest.raises(UnsupportedOperatorError, match="to parts of pixels, or to one: give it whole sizes"):
        network_bytes(path)


def test_an_upsampling_of_opset_10_repeats_pixels(tmp_path: Path) -> None:
    factors = {"f": np.array([1, 1, 3, 3], np.float32)}
    path = network(tmp_path / "net.onnx", [("Resize", ["x", "f"], "y", {})], factors, (1, 2, 4, 5), opset=10)
    x = np.random.default_rng(5).normal(size=(1, 2, 4, 5)).astype(np.float32)
    np.testing.assert_array_equal(interpreted(path, x), answers(path, x).transpose(LAST))


def test_a_sum_per_row_is_no_bias(tmp_path: Path) -> None:
    """As many rows as outputs."""
    nodes: list[Node] = [("MatMul", ["x", "w"], "m", {}), ("Add", ["m", "k"], "y", {})]
    path = network(tmp_path / "net.onnx", nodes, {"w": weights(6, 4), "k": weights(1, 4, 1)}, (1, 4, 6))
    x = np.random.default_rng(5).normal(size=(1, 4, 6)).astype(np.float32)
    np.testing.assert_allclose(interpreted(path, x), answers(path, x), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize("dtype", [np.int8, np.uint8])
def test_zero_points_may_be_left_out(tmp_path: Path, dtype: type, named: bool) -> None:
    """They are 0 then, of the type that is read; of what is written uint8."""
    helper, rng = onnx.helper, np.random.default_rng(3)
    zero = ["zero"] if named or dtype is np.int8 else []
    of_weights, of_bias = (["zero8"], ["zero32"]) if named else ([], [])
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", *zero], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "s", *zero], ["d"]),
        helper.make_node("DequantizeLinear", ["w", "sw", *of_weights], ["dw"]),
        helper.make_node("DequantizeLinear", ["b", "sb", *of_bias], ["db"]),
        helper.make_node("Conv", ["d", "dw", "db"], ["c"], kernel_shape=[3, 3]),
        helper.make_node("QuantizeLinear", ["c", "sy", *zero], ["qy"]),
        helper.make_node("DequantizeLinear", ["qy", "sy", *zero], ["y"]),
    ]
    scales = {"s": 0.02, "sw": 0.01, "sb": 0.0002, "sy": 0.05}
    constants = {name: np.array(value, np.float32) for name, value in scales.items()}
    constants |= {"w": rng.integers(-127, 128, (4, 3, 3, 3)).astype(np.int8), "zero": np.zeros((), dtype)}
    constants |= {"b": rng.integers(-500, 500, 4).astype(np.int32), "zero8": np.zeros((), np.int8)}
    constants |= {"zero32": np.zeros((), np.int32)}
    kind = onnx.TensorProto.FLOAT
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("x", kind, (1, 3, 6, 6))],
        [helper.make_tensor_value_info("y", kind, None)],
        [onnx.numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    path = tmp_path / "net.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
    compiled = compile_model(path).graph
    x, y = (compiled.tensor(port.tensor) for port in (*compiled.inputs, *compiled.outputs))
    assert x.quant is not None and y.quant is not None
    sample = rng.uniform(0, 2.5, (1, 3, 6, 6)).astype(np.float32)
    [got] = run(compiled, [quantize_array(sample.transpose(LAST), x.quant)])
    assert np.abs(dequantize_array(got, y.quant) - answers(path, sample).transpose(LAST)).max() <= 1.01 * y.scale


def test_other_scales_behind_a_quantization_are_refused(tmp_path: Path) -> None:
    samples = list(np.random.default_rng(5).normal(size=(4, 1, 3, 17, 16)).astype(np.float32))
    path = quantized(small_mobilenet(tmp_path / "net.onnx"), samples, True, "QInt8")
    model = onnx.load(path)
    reader = next(node for node in model.graph.node if node.op_type == "DequantizeLinear" and "x_" in node.input[0])
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.float32(0.7), "another"))
    reader.input[1] = "another"
    onnx.save(model, path)
    with pytest.raises(UnsupportedOperatorError, match="has other scales than its value was quantized with"):
        network_bytes(path)


def test_a_float_network_is_converted_and_compiles(tmp_path: Path) -> None:
    path, out = small_mobilenet(tmp_path / "net.onnx"), tmp_path / "net.tflite"
    samples = np.random.default_rng(5).normal(size=(24, 17, 16, 3)).astype(np.float32)
    np.save(tmp_path / "x.npy", samples)
    result = convert(ConvertOptions(path, tmp_path / "x.npy", out, correct_bias=True))
    assert result.measurement.outputs[0].db > 25 and result.corrected >= 3
    assert compile_model(out).graph.outputs
    graph = load_tflite(out)
    x = graph.tensor(graph.inputs[0].tensor)
    assert x.quant is not None
    [y] = run(graph, [quantize_array(samples[:1], x.quant)])
    quant = graph.tensor(graph.outputs[0].tensor).quant
    assert quant is not None
    np.testing.assert_allclose(dequantize_array(y, quant), answers(path, samples[:1].transpose(0, 3, 1, 2)), atol=0.06)


def quantized(
    path: Path, samples: list[np.ndarray], per_channel: bool, activations: str, operators: bool = False
) -> Path:
    """``path`` quantized by onnxruntime; ``operators``: to quantized ones (QLinearConv) instead of QDQ."""
    quantization = pytest.importorskip("onnxruntime.quantization")

    class Reader(quantization.CalibrationDataReader):  # type: ignore[misc,name-defined]
        def __init__(self) -> None:
            self.left = iter(samples)

        def get_next(self) -> dict[str, np.ndarray] | None:
            x = next(self.left, None)
            return None if x is None else {"x": x}

    out = path.with_name("qdq.onnx")
    quantization.quantize_static(
        path,
        out,
        Reader(),
        quant_format=quantization.QuantFormat.QOperator if operators else quantization.QuantFormat.QDQ,
        per_channel=per_channel,
        activation_type=getattr(quantization.QuantType, activations),
        weight_type=quantization.QuantType.QInt8,
    )
    return out


@pytest.mark.parametrize("softmax", [True, False])
@pytest.mark.parametrize("per_channel", [True, False])
@pytest.mark.parametrize("activations", ["QInt8", "QUInt8"])
def test_a_quantized_network_keeps_its_scales(
    tmp_path: Path, per_channel: bool, activations: str, softmax: bool
) -> None:
    """Sums are rounded in fixed point, not in float: a step now and then, which may add up, and softmax makes more."""
    samples = list(np.random.default_rng(5).normal(size=(20, 1, 3, 17, 16)).astype(np.float32))
    path = quantized(small_mobilenet(tmp_path / "net.onnx", softmax), samples, per_channel, activations)
    graph = compile_model(path).graph
    assert {graph.tensor(op.outputs[0]).dtype for op in graph.operators} == {"int8"}
    assert [(port.dtype, graph.tensor(port.tensor).dtype) for port in (*graph.inputs, *graph.outputs)] == [
        ("float32", "int8")
    ] * 2
    x, y = (graph.tensor(port.tensor) for port in (*graph.inputs, *graph.outputs))
    assert x.quant is not None and y.quant is not None
    for sample in samples:
        wanted = answers(path, sample)
        [got] = run(graph, [quantize_array(sample.transpose(LAST), x.quant)])
        difference = np.abs(dequantize_array(got, y.quant) - wanted).max() / y.scale
        order = np.sort(wanted[0])
        assert difference <= (8 if softmax else 2.01)
        if order[-1] - order[-2] > 2 * difference * y.scale:
            assert got[0].argmax() == wanted[0].argmax()


def test_paddings_of_a_max_pool_lie_in_its_window(tmp_path: Path) -> None:
    """On every side, which TFLite cannot say: the file repeats the edges, the compiler takes them into the window."""
    samples = list(np.random.default_rng(5).normal(size=(4, 1, 3, 17, 16)).astype(np.float32))
    for path in (small_mobilenet(tmp_path / "net.onnx"), quantized(tmp_path / "net.onnx", samples, True, "QInt8")):
        before = load_tflite(path)
        graph = compile_model(path).graph
        kinds = [op.kind for op in graph.operators]
        assert OpKind.GATHER in [op.kind for op in before.operators] and OpKind.GATHER not in kinds
        pool = graph.operators[kinds.index(OpKind.MAX_POOL_2D)].attrs
        assert isinstance(pool, PoolAttrs) and pool.window.pad == (1, 1, 1, 1)
        x = graph.tensor(graph.inputs[0].tensor)
        inputs = [np.random.default_rng(1).integers(-128, 128, x.shape).astype(x.dtype)]
        np.testing.assert_array_equal(run(graph, inputs)[0], run(move_conversions_to_border(before), inputs)[0])


@pytest.mark.parametrize("activations", ["QInt8", "QUInt8"])
def test_check_against_onnxruntime(tmp_path: Path, activations: str) -> None:
    """What bench --check does, on the oracle's answers."""
    samples = list(np.random.default_rng(5).normal(size=(20, 1, 3, 17, 16)).astype(np.float32))
    path = quantized(small_mobilenet(tmp_path / "net.onnx"), samples, True, activations)
    graph = compile_model(path).graph
    outside = random_inputs(graph, 4)
    expected = expected_outputs(graph, path, outside)
    assert "ONNX Runtime" in expected.reference and expected.binding and 5 < expected.steps < 15
    answers = [run(graph, inside_values(graph, values)) for values in outside]
    check = compare(expected, [RunResult(outputs, 1, 1, True, 0) for outputs in answers])
    assert check.mismatched == 0 and check.outputs == 20 and "the largest value is the same in " in check.note
    wrong = [[output ^ 64 for output in outputs] for outputs in answers]
    assert compare(expected, [RunResult(outputs, 1, 1, True, 0) for outputs in wrong]).mismatched == 20


@pytest.mark.parametrize("per_channel", [True, False])
def test_quantized_operators_are_those_of_qdq(tmp_path: Path, per_channel: bool) -> None:
    """The same layers, all of int8; QLinearConv's own rounding is ONNX Runtime's of QDQ."""
    samples = list(np.random.default_rng(5).normal(size=(20, 1, 3, 17, 16)).astype(np.float32))
    net = small_mobilenet(tmp_path / "net.onnx")
    path = quantized(net, samples, per_channel, "QUInt8", operators=True)
    kinds = {node.op_type for node in onnx.load(path).graph.node}
    assert {"QLinearConv", "QLinearAdd", "QLinearGlobalAveragePool", "QGemm"} <= kinds
    graph = compile_model(path).graph
    assert {graph.tensor(op.outputs[0]).dtype for op in graph.operators} == {"int8"}
    outside = random_inputs(graph, 4)
    answers = [RunResult(run(graph, inside_values(graph, values)), 1, 1, True, 0) for values in outside]
    check = compare(expected_outputs(graph, path, outside), answers)
    assert check.mismatched == 0 and check.max_abs_diff <= 8


def test_an_input_may_be_real_and_int8() -> None:
    """QUANTIZE stands beside an operator of reals: the device converts itself, to the bytes of the host."""
    b = GraphBuilder(3)
    x = b.input(1, 7, 5, dtype="float32")
    b.output(b.quantize(x))
    b.output(b.op(OpKind.ABS, [x], NoAttrs(), dtype="float32"))
    model = compile_graph(b.graph)
    assert [op.kind for op in model.graph.operators] == [OpKind.QUANTIZE, OpKind.ABS]
    values = [np.random.default_rng(1).normal(size=(1, 7, 5)).astype(np.float32) * 9]
    wanted = run(b.graph, values)
    for got, array in zip(build(model).run(values), wanted, strict=True):
        np.testing.assert_array_equal(got.ravel(), array.ravel())


def test_all_refusals_of_a_file_are_named(tmp_path: Path) -> None:
    nodes: list[Node] = [
        ("Det", ["x"], "d", {}),
        ("Relu", ["x"], "r", {}),
        ("GridSample", ["r", "g"], "s", {}),
        ("Conv", ["s", "w"], "c", CONV),
        ("Unsqueeze", ["d", "one"], "u", {}),
        ("LpNormalization", ["c"], "y", {"axis": 1}),
    ]
    constants = {"g": np.zeros((1, 4, 4, 2), np.float32), "w": weights(2, 3, 3, 3), "one": np.array([1], np.int64)}
    path = network(tmp_path / "net.onnx", nodes, constants, (1, 3, 4, 4))
    found = survey(path, "cortex-m4")
    verdicts = [(o.operator, o.supported) for o in found.operators]
    refused = {"Det", "GridSample", "LpNormalization"}
    assert verdicts == [(kind, kind not in refused) for kind, *_ in nodes] and not found.supported
    assert all(o.why and "is not imported from ONNX" in o.why for o in found.operators if o.operator in refused)
    assert survey(small_mobilenet(path), "cortex-m4").supported


def test_the_file_may_leave_sizes_open(tmp_path: Path) -> None:
    from click.testing import CliRunner
    from tinyengine.cli.convert import command

    samples = list(np.random.default_rng(5).normal(size=(4, 1, 3, 17, 16)).astype(np.float32))
    path = quantized(small_mobilenet(tmp_path / "net.onnx"), samples, True, "QInt8")
    model = onnx.load(path)
    model.graph.input[0].type.tensor_type.shape.dim[2].dim_param = "rows"
    onnx.save(model, path)
    with pytest.raises(ModelError, match=r"dynamic shape 1x3x\?x16.*--input-shape 1,3,96,16"):
        network_bytes(path)
    out = tmp_path / "net.tflite"
    result = CliRunner().invoke(command, [str(path), "--input-shape", "1,3,17,16", "-o", str(out)])
    assert result.exit_code == 0, result.output
    graph = load_tflite(out)
    assert graph.tensor(graph.inputs[0].tensor).shape == (1, 17, 16, 3)


def test_weights_in_another_file(tmp_path: Path) -> None:
    path = small_mobilenet(tmp_path / "net.onnx")
    whole = network_bytes(path)
    onnx.save(onnx.load(path), path, save_as_external_data=True, location="net.data", size_threshold=0)
    with pytest.raises(ModelError, match="the weights lie in another file: join both"):
        network_bytes(path)
    onnx.save(onnx.load(path), path)
    assert network_bytes(path) == whole


HUGE = 1 << 40


@pytest.mark.parametrize(
    ("nodes", "constants", "message"),
    [
        ([("Pad", ["x", "n"], "y", {"mode": "edge"})], {"n": np.array([0] * 7 + [HUGE])}, "pads by"),
        ([("Resize", ["x", "", "", "n"], "y", {})], {"n": np.array([1, 3, HUGE, 4])}, "makes a picture of"),
        ([("MaxPool", ["x"], "y", {"kernel_shape": [3, 3], "pads": [HUGE, 0, 0, 0]})], {}, "has paddings of"),
        ([("ConstantOfShape", ["n"], "c", {}), ("Add", ["x", "c"], "y", {})], {"n": np.array([HUGE])}, "too many"),
        (
            [("Range", ["a", "n", "a"], "c", {}), ("Add", ["x", "c"], "y", {})],
            {"a": np.array(1), "n": np.array(HUGE)},
            "too many",
        ),
    ],
)  # fmt: skip
def test_sizes_that_no_memory_has_are_refused(
    tmp_path: Path, nodes: list[Node], constants: dict[str, np.ndarray], message: str
) -> None:
    with pytest.raises(ModelError, match=f"{message}.*: convert the model again"):
        network_bytes(network(tmp_path / "net.onnx", nodes, constants, (1, 3, 4, 4)))


def test_refusals_name_the_node_and_a_way_out(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    network(path, [("Det", ["x"], "y", {})], {}, (1, 3, 4, 4))
    with pytest.raises(UnsupportedOperatorError, match=r"net.onnx: node 0 \(Det n_y\) is not imported from ONNX"):
        network_bytes(path)
    network(path, [("Det", ["x"], "y", {})], {}, (1, 3, 4, 4))
    model = onnx.load(path)
    model.graph.node[0].name = "one\ntwo"
    onnx.save(model, path)
    with pytest.raises(UnsupportedOperatorError, match=r"node 0 \(Det one\?two\) is not imported"):
        network_bytes(path)
    network(path, [("MaxPool", ["x"], "y", {})], {}, (1, 3, 4, 4))
    with pytest.raises(ModelError, match=r"node 0 \(MaxPool n_y\) contradicts itself"):
        network_bytes(path)
    network(path, [("Relu", ["x"], "y", {})], {}, (1, 3, "rows", 4))
    with pytest.raises(ModelError, match=r"dynamic shape 1x3x\?x4.*--input-shape 1,3,96,4"):
        network_bytes(path)
    network(path, [("Relu", ["x"], "y", {})], {}, ("batch", 3, 4, 4))
    assert network_bytes(path)[4:8] == b"TFL3"
    network(
        path, [("QuantizeLinear", ["x", "x"], "q", {}), ("DequantizeLinear", ["x", "x"], "y", {})], {}, (1, 3, 4, 4)
    )
    with pytest.raises(ModelError, match=r"^net.onnx: input 'x' contradicts itself \('x'\): convert the model again"):
        network_bytes(path)
    network(path, [("Relu", ["x"], "y", {})], {}, ("batch", 3, 4, 4))
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(ModelError, match="no ONNX file"):
        network_bytes(path)
