"""Networks of every kind that files may hold, and random damage to them: of bytes, and of an ONNX file's fields."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from tinyengine.compiler import compile_graph
from tinyengine.errors import TinyEngineError
from tinyengine.frontend import parse_tflite
from tinyengine.frontend.tflite_writer import tflite_bytes
from tinyengine.ir import OpKind
from tinyengine.ir.ops import Conv2DAttrs, MatmulAttrs, NoAttrs, PoolAttrs, TransposeConvAttrs, Window

from tests.helpers.graphs import GraphBuilder
from tests.helpers.legacy import as_uint8
from tests.helpers.recurrent import lstm_float

EXTREMES = [0, 1, 0x7F, 0x80, 0xFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0xFFFFFFF0, 0x10000, 0x7FFF, 0x3F800000]


def mutate(data: bytes, rng: np.random.Generator) -> bytes:
    """One random damage: a cut, flipped bits, an overwritten word or block, a moved piece, noise."""
    out = bytearray(data)
    # the tables lie at the end of these files: aim there half of the time
    low = 0 if rng.random() < 0.5 else len(out) // 2
    at = int(rng.integers(low, len(out)))
    match int(rng.integers(7)):
        case 0:
            return bytes(out[:at])
        case 1:
            for _ in range(int(rng.integers(1, 9))):
                out[int(rng.integers(low, len(out)))] ^= 1 << int(rng.integers(8))
        case 2:
            word = EXTREMES[int(rng.integers(len(EXTREMES)))]
            at &= ~3
            out[at : at + 4] = word.to_bytes(4, "little")
        case 3:
            out[at] = int(rng.integers(256))
        case 4:
            size = int(rng.integers(1, 64))
            out[at : at + size] = rng.bytes(size)
        case 5:
            other, size = int(rng.integers(len(out))), int(rng.integers(4, 64))
            out[at : at + size] = out[other : other + size]
        case 6:
            size = int(rng.integers(8, 4096))
            return bytes(out[:8]) + rng.bytes(size) if rng.random() < 0.7 else rng.bytes(size)
    return bytes(out)


def is_one_sentence(text: str) -> bool:
    return "\n" not in text and len(text) < 700 and text.isprintable()


# --- networks ---


def real() -> bytes:
    """float32: layers, functions, states."""
    b = GraphBuilder(1, "real")

    def constant(*shape: int) -> str:
        return b.constant(b.rng.normal(size=shape).astype(np.float32))

    x = b.input(1, 1, 6, 6, dtype="float32")
    x = b.op(OpKind.RESHAPE, [x], NoAttrs(), (1, 6, 6, 1), dtype="float32")
    layer = [x, constant(4, 3, 3, 1), constant(4)]
    x = b.op(OpKind.CONV_2D, layer, Conv2DAttrs(Window((3, 3), pad=(1, 1, 1, 1))), dtype="float32")
    x = b.op(OpKind.MAX_POOL_2D, [x], PoolAttrs(Window((2, 2), (2, 2))), dtype="float32")
    x = b.op(OpKind.TANH, [x], NoAttrs(), dtype="float32")
    x = b.op(OpKind.RESHAPE, [x], NoAttrs(), (1, 9, 4), dtype="float32")
    b.output(lstm_float(b, x, 3))
    return tflite_bytes(b.graph)


def old() -> bytes:
    """uint8, with weights that need nine bits."""
    b = GraphBuilder(1, "old")
    x = b.conv(b.input(1, 7, 6, 3), 4, Window((3, 3), (2, 2), pad=(1, 1, 1, 0)), per_channel=False)
    x = b.depthwise(x, Window((3, 3), pad=(1, 1, 1, 1)), per_channel=False)
    x = b.pool(OpKind.AVERAGE_POOL_2D, x, Window((2, 2), (2, 2)))
    b.output(b.dense(x, 3))
    return tflite_bytes(as_uint8(b.graph, 61))


def upwards() -> bytes:
    """TRANSPOSE_CONV and a convolution of groups."""
    b = GraphBuilder(1, "upwards")
    x = b.conv(b.input(1, 5, 4, 4), 6, Window((3, 3), pad=(1, 1, 1, 1)), groups=2)
    constants, quant = b._weights(x, (3, 3, 3, 6), 0, True, 54)
    window = Window((3, 3), (2, 2), pad=(0, 1, 0, 1))
    b.output(b.op(OpKind.TRANSPOSE_CONV, [x, *constants], TransposeConvAttrs(window), quant=quant))
    return tflite_bytes(b.graph)


def matrices() -> bytes:
    """BATCH_MATMUL of two inputs, and of a constant."""
    b = GraphBuilder(1, "matrices")
    quant = b.quant()
    y = b.op(OpKind.BATCH_MATMUL, [b.input(1, 2, 3, 5), b.input(1, 1, 4, 5)], MatmulAttrs(adj_y=True), quant=quant)
    b.output(b.op(OpKind.BATCH_MATMUL, [y, b.random_constant(1, 2, 4, 3)], MatmulAttrs(), quant=b.quant()))
    return tflite_bytes(b.graph)


def _onnx_graph(nodes: list[Any], constants: dict[str, np.ndarray], shape: tuple[int, ...]) -> bytes:
    import onnx

    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("x", kind, shape)],
        [helper.make_tensor_value_info("y", kind, None)],
        [onnx.numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8).SerializeToString()


def onnx_float() -> bytes:
    """Nodes of all files of the importer."""
    from onnx.helper import make_node as node

    rng = np.random.default_rng(1)
    steps = [
        node("Conv", ["x", "w", "b"], ["c"], kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[2, 2]),
        node("Clip", ["c", "zero", "six"], ["r"]),
        node("MaxPool", ["r"], ["m"], kernel_shape=[2, 2], strides=[2, 2]),
        node("Resize", ["m", "", "factors"], ["u"], mode="nearest", coordinate_transformation_mode="asymmetric"),
        node("Split", ["u"], ["s", "t"], axis=1),
        node("Pad", ["s", "pads"], ["p"], mode="reflect"),
        node("Slice", ["p", "from", "to", "axes"], ["l"]),
        node("Add", ["l", "t"], ["a"]),
        node("Concat", ["a", "t"], ["j"], axis=1),
        node("Transpose", ["j"], ["o"], perm=[0, 2, 3, 1]),
        node("ReduceMean", ["o"], ["e"], axes=[1], keepdims=0),
        node("Shape", ["e"], ["shape"]),
        node("Reshape", ["e", "to2"], ["f"]),
        node("Gemm", ["f", "v", "k"], ["g"], transB=1),
        node("Softmax", ["g"], ["y"], axis=1),
    ]
    constants: dict[str, np.ndarray] = {
        "w": rng.normal(size=(4, 3, 3, 3)).astype(np.float32),
        "b": rng.normal(size=4).astype(np.float32),
        "zero": np.float32(0),
        "six": np.float32(6),
        "factors": np.array([1, 1, 2, 2], np.float32),
        "pads": np.array([0, 0, 1, 1, 0, 0, 1, 1], np.int64),
        "from": np.array([1, 1], np.int64),
        "to": np.array([5, 5], np.int64),
        "axes": np.array([2, 3], np.int64),
        "to2": np.array([1, -1], np.int64),
        "v": rng.normal(size=(3, 16)).astype(np.float32),
        "k": rng.normal(size=3).astype(np.float32),
    }
    return _onnx_graph(steps, constants, (1, 3, 8, 8))


def onnx_quantized() -> bytes:
    """QDQ: two layers with their scales."""
    from onnx.helper import make_node as node

    rng, steps, x = np.random.default_rng(1), [], "x"
    constants: dict[str, np.ndarray] = {"s": np.float32(0.05), "z": np.uint8(120)}
    constants |= {"sw": rng.uniform(0.01, 0.02, 4).astype(np.float32), "zw": np.zeros(4, np.int8)}
    for i, depth in enumerate((3, 4)):
        constants[f"w{i}"] = rng.integers(-127, 128, (4, depth, 3, 3)).astype(np.int8)
        steps += [
            node("QuantizeLinear", [x, "s", "z"], [f"q{i}"]),
            node("DequantizeLinear", [f"q{i}", "s", "z"], [f"d{i}"]),
            node("DequantizeLinear", [f"w{i}", "sw", "zw"], [f"dw{i}"], axis=0),
            node("Conv", [f"d{i}", f"dw{i}"], [f"c{i}"], kernel_shape=[3, 3]),
            node("Relu", [f"c{i}"], [f"r{i}"]),
        ]
        x = f"r{i}"
    steps += [node("QuantizeLinear", [x, "s", "z"], ["q"]), node("DequantizeLinear", ["q", "s", "z"], ["y"])]
    return _onnx_graph(steps, constants, (1, 3, 7, 7))


def change_fields(data: bytes, rng: np.random.Generator) -> bytes:
    """An ONNX file with one to three fields that say something else, or are gone."""
    import onnx

    model = onnx.load_model_from_string(data)
    nodes, weights = model.graph.node, model.graph.initializer
    names = [name for node in nodes for name in (*node.input, *node.output)]
    kinds = [node.op_type for node in nodes] + ["Gather", "ConstantOfShape", "If", "Expand", "Range"]
    numbers = [0, -1, 1, 2, 7, 1 << 31, -(1 << 63), (1 << 63) - 1, 65536]

    def pick(values: Any) -> Any:
        return values[int(rng.integers(len(values)))]

    for _ in range(int(rng.integers(1, 4))):
        node, tensor = pick(nodes), pick(weights)
        match int(rng.integers(11)):
            case 0 if node.attribute:
                attribute = pick(node.attribute)
                if attribute.ints:
                    attribute.ints[int(rng.integers(len(attribute.ints)))] = pick(numbers)
                attribute.i = pick(numbers)
            case 1 if node.attribute:
                del node.attribute[int(rng.integers(len(node.attribute)))]
            case 2 if node.attribute:
                attribute = pick(node.attribute)
                attribute.type = int(rng.integers(15))
            case 3:
                node.input[int(rng.integers(len(node.input)))] = pick([*names, "", "nowhere"])
            case 4:
                del node.input[int(rng.integers(len(node.input)))]
                node.input.append(pick(names))
            case 5:
                node.op_type = pick(kinds)
            case 6 if tensor.dims:
                tensor.dims[int(rng.integers(len(tensor.dims)))] = pick(numbers)
            case 7:
                tensor.data_type = int(rng.integers(20))
            case 8:
                tensor.raw_data = mutate(tensor.raw_data or b"12345678", rng)[:4096]
            case 9:
                shape = model.graph.input[0].type.tensor_type
                if rng.integers(2):
                    shape.elem_type = int(rng.integers(25))
                else:
                    pick(shape.shape.dim).dim_value = pick(numbers)
            case 10:
                node.output[0] = pick(names)
    return bytes(model.SerializeToString())


# --- the outcome ---


@dataclass(frozen=True)
class Kind:
    """Files of one kind. ``damage``: the ways in which they are damaged; ``read``: to a .tflite."""

    make: Callable[[], bytes]
    damage: tuple[Callable[[bytes, np.random.Generator], bytes], ...] = (mutate,)
    is_onnx: bool = False


KINDS = {
    "float32": Kind(real),
    "uint8": Kind(old),
    "transpose_conv": Kind(upwards),
    "batch_matmul": Kind(matrices),
    "onnx": Kind(onnx_float, (mutate, change_fields, change_fields), True),
    "onnx_qdq": Kind(onnx_quantized, (mutate, change_fields, change_fields), True),
}


def outcome(kind: Kind, data: bytes, compiled: bool) -> str:
    """``accepted``, ``refused`` in one sentence, or what went wrong; ``compiled``: whether to compile it too."""
    from tinyengine.frontend.onnx.file import onnx_network

    start = time.process_time()
    try:
        graph = parse_tflite(onnx_network(data, "damaged.onnx") if kind.is_onnx else data, "damaged.tflite")
        if compiled:
            compile_graph(graph)
        said = "accepted"
    except TinyEngineError as error:
        said = "refused" if is_one_sentence(str(error)) else f"no sentence: {str(error)[:300]}"
    seconds = time.process_time() - start
    return said if seconds < 5 else f"{said} after {seconds:.0f} s"


def damaged(kind: Kind, seed: int) -> bytes:
    """The ``seed``-th damaged file."""
    rng = np.random.default_rng([seed, 31])
    return kind.damage[seed % len(kind.damage)](kind.make(), rng)
