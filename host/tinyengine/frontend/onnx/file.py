"""An ONNX file as nodes, constants and inputs of known shape, and as the .tflite that stands for it."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from tinyengine.errors import ModelError, UnsupportedOperatorError
from tinyengine.frontend.onnx import nodes  # noqa: F401 - importing it registers the translators
from tinyengine.frontend.onnx.builder import LAST, Builder, Node, Value, identity
from tinyengine.frontend.onnx.qoperators import spread
from tinyengine.frontend.onnx.registry import TRANSLATORS
from tinyengine.frontend.tflite_writer import tflite_bytes
from tinyengine.ir.graph import Graph
from tinyengine.ir.operators.base import MAX_SIZE
from tinyengine.ir.verify import MAX_ELEMENTS
from tinyengine.optional import onnx

Shape = tuple[int, ...]
_PURPOSE = "read an ONNX network"
_INT8 = 3
"""Of ONNX's numbers of types."""


def onnx_network(data: bytes, file_name: str, input_shape: Shape | None = None) -> bytes:
    """The network of an ONNX file as a .tflite; ModelError, which names the file, if it cannot be one.

    Float networks stay float32. Pictures lie as rows x columns x channels, as TFLite has them.
    ``input_shape``: of the only input, as the ONNX file orders it, where the file leaves sizes open.
    """
    try:
        return tflite_bytes(import_onnx(data, Path(file_name).stem, input_shape))
    except _CONTRADICTIONS as error:  # at the border, or numbers beyond what a file holds
        said = _printable(str(error)[:200])
        raise ModelError(f"{file_name} contradicts itself ({said}): convert the model again") from error
    except ModelError as error:
        raise type(error)(f"{file_name}: {_printable(str(error))}") from error


def _printable(text: str) -> str:
    """With names of the file, whatever they hold."""
    return "".join(c if c.isprintable() else "?" for c in text)


@dataclass
class JudgedNode:
    """A node of a file. ``why``: the sentence of its refusal; ``after``: the refused node without which it cannot be
    judged (it has no ``why`` then)."""

    index: int
    kind: str
    output: str
    why: str | None = None
    after: int | None = None


def judge_onnx(data: bytes, name: str) -> list[JudgedNode]:
    """All nodes of an ONNX file, with all refusals instead of the first one. ModelError where it is no ONNX at all."""
    judged: list[JudgedNode] = []
    _build(data, name, None, judged)
    for node in judged:
        node.kind, node.output = _printable(node.kind), _printable(node.output)
        node.why = None if node.why is None else _printable(node.why)
    return sorted(judged, key=lambda node: node.index)


def axes_of_ports(data: bytes, name: str) -> tuple[list[tuple[int, ...]], list[tuple[int, ...]]]:
    """Of all inputs and outputs: which axis of the file each axis of the network's own is."""
    builder, inputs, outputs = _build(data, name, None, None)
    values = [[builder.values[each] for each in names] for names in (inputs, outputs)]
    given = [value.order for value in values[0]]
    # an output lies as the graph leaves it, or as a picture (``Builder.add_output``)
    ranks = [len(value.order) for value in values[1]]
    kept = [value.order in (LAST, identity(4)) and rank == 4 for value, rank in zip(values[1], ranks, strict=True)]
    made = [
        value.order if keep else LAST if rank == 4 else identity(rank)
        for value, rank, keep in zip(values[1], ranks, kept, strict=True)
    ]
    return given, made


def import_onnx(data: bytes, name: str, input_shape: Shape | None = None) -> Graph:
    """As ``onnx_network``, before it is written."""
    return _build(data, name, input_shape, None)[0].graph


def _build(
    data: bytes, name: str, input_shape: Shape | None, judged: list[JudgedNode] | None
) -> tuple[Builder, list[str], list[str]]:
    """The network and the names of its inputs and outputs. With ``judged``, refusals are collected there instead of
    raised, and the network goes on behind a refused node as far as ONNX says what the node gives."""
    package = onnx(_PURPOSE)
    try:
        model = package.load_model_from_string(data)
        nodes = [_node(package, index, node) for index, node in enumerate(model.graph.node)]
        if any(
            isinstance(each, bytes) for node in nodes for each in (node.kind, node.name, *node.inputs, *node.outputs)
        ):
            raise ValueError("names that are no text")
        if any(tensor.data_location == package.TensorProto.EXTERNAL for tensor in model.graph.initializer):
            raise ModelError("the weights lie in another file: join both with onnx.save(onnx.load(path), path)")
        constants = {tensor.name: package.numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
        parts = spread(package, model.graph.node, constants)
        nodes = [_node(package, index, node) for index, node in enumerate(parts)]
    except ModelError:
        raise
    except Exception as error:  # protobuf meets damaged bytes with whatever its C++ side raises
        raise ModelError("this is no ONNX file, or a damaged one: convert the model again") from error
    unknown = sorted({node.kind for node in nodes if node.kind not in TRANSLATORS and not _constant(node, constants)})
    inputs = [value for value in model.graph.input if value.name not in constants]
    opset = max((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), default=13)
    levels = {key: np.asarray(array).dtype for key, array in constants.items()}
    levels |= {value.name: np.dtype(np.int8) for value in inputs if value.type.tensor_type.elem_type == _INT8}
    builder = Builder(name, nodes, {output.name for output in model.graph.output}, unknown, opset, levels)
    builder.values |= {key: Value(np.asarray(array)) for key, array in constants.items()}
    for value in inputs:
        shape = _shape(package, value, input_shape if len(inputs) == 1 else None)
        try:
            builder.add_input(value.name, shape)
        except _CONTRADICTIONS as error:
            raise ModelError(f"input '{value.name}' contradicts itself ({error}): convert the model again") from error
    shapes: dict[str, Shape] | None = None
    doubtful: dict[str, int] = {}  # values that only a refused node computes, and that node
    # constants first: an operator may take those that later nodes read along
    for node in sorted(nodes, key=lambda node: node.kind != "Constant"):
        if node.index in builder.done:
            if judged is not None:
                judged.append(JudgedNode(node.index, node.kind, ", ".join(node.outputs)))
            continue
        try:
            _translate(package, builder, node, opset)
            if judged is not None:
                judged.append(JudgedNode(node.index, node.kind, ", ".join(node.outputs)))
        except ModelError as error:
            if judged is None:
                raise
            verdict = JudgedNode(node.index, node.kind, ", ".join(node.outputs), str(error))
            causes = [doubtful[each] for each in node.inputs if each in doubtful]
            # what contradicts an assumption says nothing about the file; what is not supported says all
            if causes and not isinstance(error, UnsupportedOperatorError):
                verdict.why, verdict.after = None, causes[0]
            judged.append(verdict)
            shapes = _inferred(package, model) if shapes is None else shapes
            for output in node.outputs:
                doubtful[output] = node.index
                if output in shapes and output not in builder.values:
                    builder.assume(output, shapes[output])
    outputs = [output.name for output in model.graph.output]
    if judged is None:
        for output in outputs:
            builder.add_output(output)
    return builder, [value.name for value in inputs], outputs


def _translate(package: Any, builder: Builder, node: Node, opset: int) -> None:
    """One node; ModelError says why not."""
    read = [builder.values[each] if each else None for each in node.inputs if each in builder.values or not each]
    if len(read) != len(node.inputs):
        raise ModelError(f"{node} reads a value before any node has written it: convert the model again")
    try:
        if node.kind not in _QUANTIZING and all(value is None or value.array is not None for value in read):
            _fold(package, builder, node, opset)
        elif node.kind in TRANSLATORS:
            TRANSLATORS[node.kind](builder, node)
        else:
            builder.unknown(node)
    except _CONTRADICTIONS as error:
        raise ModelError(f"{node} contradicts itself ({error}): convert the model again") from error


def _inferred(package: Any, model: Any) -> dict[str, Shape]:
    """Shapes of values, a free batch taken for 1, as far as ONNX can tell."""
    script = (
        "import sys, onnx; model = onnx.load_model_from_string(sys.stdin.buffer.read()); "
        "sys.stdout.buffer.write(onnx.shape_inference.infer_shapes(model).SerializeToString())"
    )
    # in a process of its own: damaged files make its C++ abort; whoever translates says what is wrong
    done = subprocess.run(
        [sys.executable, "-c", script], input=model.SerializeToString(), capture_output=True, check=False
    )
    if done.returncode:
        return {}
    graph = package.load_model_from_string(done.stdout).graph
    found: dict[str, Shape] = {}
    for value in (*graph.value_info, *graph.output):
        sizes = [dim.dim_value for dim in value.type.tensor_type.shape.dim]
        sizes = [size or 1 if axis == 0 else size for axis, size in enumerate(sizes)]
        if sizes and all(size > 0 for size in sizes):
            found[value.name] = tuple(sizes)
    return found


_CONTRADICTIONS = (LookupError, ArithmeticError, ValueError, TypeError, AttributeError, AssertionError, StopIteration)
"""What a translator meets where attributes are missing, or shapes and axes do not fit."""
_QUANTIZING = ("QuantizeLinear", "DequantizeLinear")


def _constant(node: Node, constants: dict[str, np.ndarray]) -> bool:
    """Whether the node may turn out to compute nothing but constants: it has a chance to be folded."""
    return all(not name or name in constants for name in node.inputs) or node.kind in _FOLDED


_FOLDED = ("Gather", "ConstantOfShape", "Range", "Expand", "Where", "Equal", "Cast", "ScatterND", "Not", "Neg")
"""What exporters write to compute shapes."""


_GROWING = ("ConstantOfShape", "Expand", "Tile", "Range", "Pad", "Resize", "Upsample")
"""Nodes that make many elements of few."""


def _grown(kind: str, arrays: list[np.ndarray]) -> bool:
    """Whether the node would make more elements than a tensor may have, at the most that its numbers allow."""
    if kind == "Range" and len(arrays) == 3:
        start, end, step = (float(array.item()) for array in arrays)
        return not abs(end - start) <= MAX_ELEMENTS * abs(step)
    before = 1 if kind == "ConstantOfShape" else arrays[0].size
    return before * prod(max(abs(int(v)), 1) for v in arrays[-1].ravel()) > MAX_ELEMENTS


def _node(package: Any, index: int, node: Any) -> Node:
    attributes = {each.name: package.helper.get_attribute_value(each) for each in node.attribute}
    attributes = {key: value.decode() if isinstance(value, bytes) else value for key, value in attributes.items()}
    kind = node.op_type if node.domain in ("", "ai.onnx") else f"{node.domain}.{node.op_type}"
    return Node(index, kind, node.name, list(node.input), list(node.output), attributes, node)


def _shape(package: Any, value: Any, given: Shape | None) -> Shape:
    kind = value.type.tensor_type
    if kind.elem_type not in (package.TensorProto.FLOAT, package.TensorProto.INT8, package.TensorProto.UINT8):
        dtype = package.TensorProto.DataType.Name(kind.elem_type).lower()
        raise ModelError(f"input '{value.name}' is {dtype}: export the network with a float32 input")
    sizes = [dim.dim_value if dim.HasField("dim_value") else 0 for dim in kind.shape.dim]
    if given is not None:
        if len(given) != len(sizes) or any(size not in (0, want) for size, want in zip(sizes, given, strict=True)):
            raise ModelError(
                f"input '{value.name}' has the shape {_text(sizes)}: give --input-shape as many and the same"
            )
        sizes = list(given)
    if sizes and sizes[0] == 0:
        sizes[0] = 1
    if any(size < 1 for size in sizes):
        raise ModelError(
            f"input '{value.name}' has the dynamic shape {_text(sizes)}: give its sizes, for example "
            f"tinyengine convert --input-shape {','.join(str(size or 96) for size in sizes)}"
        )
    if max(sizes, default=1) > MAX_SIZE:
        raise ModelError(f"input '{value.name}' has the impossible shape {_text(sizes)}: convert the model again")
    if len(sizes) > 1 and sizes[0] != 1:
        raise ModelError(f"input '{value.name}' has batch size {sizes[0]}: export the network with batch 1")
    return tuple(sizes)


def _text(sizes: list[int]) -> str:
    return "x".join(str(size or "?") for size in sizes)


def _fold(package: Any, builder: Builder, node: Node, opset: int) -> None:
    """Compute a node that reads constants only, with ONNX's own reference."""
    from onnx.reference import ReferenceEvaluator

    make = package.helper
    graph = make.make_graph(
        [node.proto],
        "constant",
        [
            make.make_value_info(name, make.make_tensor_type_proto(0, None))
            for name in dict.fromkeys(node.inputs)
            if name
        ],
        [make.make_value_info(name, make.make_tensor_type_proto(0, None)) for name in node.outputs if name],
    )
    model = make.make_model(graph, opset_imports=[make.make_opsetid("", opset)])
    known = {name: builder.values[name].array for name in node.inputs if name}
    if node.kind in _GROWING and _grown(node.kind, [array for array in known.values() if array is not None]):
        raise ModelError(f"{node} computes a constant of too many elements: convert the model again")
    try:
        results = ReferenceEvaluator(model).run(None, known)
    except Exception as error:
        raise ModelError(f"{node} computes a constant that ONNX's reference cannot: convert the model again") from error
    for name, result in zip([each for each in node.outputs if each], results, strict=True):
        builder.values[name] = Value(np.asarray(result))
