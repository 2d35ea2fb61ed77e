"""The IR that is made of an ONNX file: values, the order of their axes, their quantization.

A transposition moves nothing until somebody needs it: a value is a tensor and the order in which its axes lie there.
So a network of pictures (N, C, H, W) runs on tensors (N, H, W, C) from one convolution to the next.

Quantized networks (QDQ) surround every operator by DequantizeLinear and QuantizeLinear. An operator whose inputs are
int8 tensors and whose result is quantized next is one of int8; both conversions then are other names of a value. uint8
becomes int8 with a zero point 128 less.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

import numpy as np

from tinyengine.errors import ModelError, UnsupportedOperatorError
from tinyengine.ir.graph import Graph, Operator, Port, Quantization, Tensor
from tinyengine.ir.operators import DEFINITIONS
from tinyengine.ir.operators.base import Contradiction
from tinyengine.ir.ops import Activation, Attrs, NoAttrs, OpKind, TransposeAttrs

Shape = tuple[int, ...]
REPLACE_HINT = "replace it, or convert the model where it was trained (Keras: .keras, PyTorch: .pt2)"
LAST = (0, 2, 3, 1)
"""The axes of a picture (N, C, H, W) in the order (N, H, W, C)."""


@dataclass(frozen=True, eq=False)
class Value:
    """A constant (``array``, real values; ``stored``: as the file has them quantized), or a tensor of the graph of
    which axis i is axis ``order[i]`` of the file."""

    array: np.ndarray | None = None
    stored: tuple[np.ndarray, Quantization] | None = None
    tensor: str = ""
    order: tuple[int, ...] = ()


@dataclass(eq=False)
class Node:
    index: int
    kind: str
    name: str
    inputs: list[str]
    outputs: list[str]
    attributes: dict[str, Any]
    proto: Any = field(repr=False)

    def __str__(self) -> str:
        return f"node {self.index} ({self.kind}{f' {self.name}' if self.name else ''})"


def identity(rank: int) -> tuple[int, ...]:
    """The order of a tensor that lies as the file says."""
    return tuple(range(rank))


class Builder:
    """A graph in the making; ``done`` are the nodes that another one has taken along. ``opset``: the version of ONNX's
    operators; ``levels``: types of the file's inputs and constants."""

    def __init__(
        self,
        name: str,
        nodes: list[Node],
        outputs: set[str],
        unknown: list[str],
        opset: int,
        levels: dict[str, np.dtype],
    ) -> None:
        self.graph = Graph(name)
        self.values: dict[str, Value] = {}
        self.done: set[int] = set()
        self.opset = opset
        self._levels = levels
        self._outputs = outputs
        self._unknown = unknown
        self._readers: dict[str, list[Node]] = {}
        for node in nodes:
            for each in node.inputs:
                self._readers.setdefault(each, []).append(node)

    # --- refusals ---

    def unsupported(self, node: Node, what: str, instead: str) -> NoReturn:
        raise UnsupportedOperatorError(f"{node} {what}: {instead}")

    def unknown(self, node: Node) -> NoReturn:
        others = f" (the network has {', '.join(self._unknown)} that are not)" if len(self._unknown) > 1 else ""
        self.unsupported(
            node,
            f"is not imported from ONNX{others}",
            REPLACE_HINT,
        )

    # --- reading ---

    def value(self, node: Node, position: int) -> Value | None:
        """An input; None if it is left out."""
        if position >= len(node.inputs) or not node.inputs[position]:
            return None
        return self.values[node.inputs[position]]

    def required(self, node: Node, position: int) -> Value:
        value = self.value(node, position)
        if value is None:
            raise ModelError(f"{node} lacks its input {position}: convert the model again")
        return value

    def constant(self, node: Node, position: int, what: str) -> np.ndarray | None:
        """A constant input in real values; None if it is left out."""
        value = self.value(node, position)
        if value is not None and value.array is None:
            self.unsupported(node, f"takes its {what} from the running network", f"make the {what} constant")
        return None if value is None else value.array

    def integers(self, node: Node, attribute: str, position: int) -> list[int] | None:
        """A list that older files have as an attribute and newer ones as an input."""
        if attribute in node.attributes:
            found = node.attributes[attribute]
            return [int(v) for v in (found if isinstance(found, list) else [found])]
        array = self.constant(node, position, attribute)
        return None if array is None else [int(v) for v in np.asarray(array).reshape(-1)]

    def shape(self, value: Value) -> Shape:
        """As the file has it."""
        if value.array is not None:
            return value.array.shape
        tensor = self.graph.tensor(value.tensor)
        return tuple(tensor.shape[value.order.index(axis)] for axis in range(len(value.order)))

    def tensor(self, value: Value) -> Tensor:
        return self.graph.tensor(value.tensor)

    # --- operands ---

    def ordered(self, value: Value, order: Sequence[int] | None = None) -> Value:
        """A value with its axes in ``order`` (as the file has them, if not given)."""
        order = identity(len(value.order)) if order is None else tuple(order)
        if value.order == order:
            return value
        x = self.tensor(value)
        perm = tuple(value.order.index(axis) for axis in order)
        shape = tuple(x.shape[axis] for axis in perm)
        moved = [n for n in perm if x.shape[n] != 1] != sorted(n for n in perm if x.shape[n] != 1)
        kind, attrs = (OpKind.TRANSPOSE, TransposeAttrs(perm)) if moved else (OpKind.RESHAPE, NoAttrs())
        return Value(tensor=self.append(kind, [x.name], attrs, shape, x.quant), order=order)

    def reshaped(self, value: Value, shape: Sequence[int]) -> Value:
        """``value``, ordered as the file has it, with another shape."""
        x = self.tensor(self.ordered(value))
        if x.shape == tuple(shape):
            return self.ordered(value)
        name = self.append(OpKind.RESHAPE, [x.name], NoAttrs(), tuple(shape), x.quant)
        return Value(tensor=name, order=identity(len(shape)))

    def viewed(self, value: Value, shape: Sequence[int]) -> str:
        """The tensor of ``value`` in a shape of as many elements, as it lies."""
        x = self.tensor(value)
        if x.shape == tuple(shape):
            return x.name
        return self.append(OpKind.RESHAPE, [x.name], NoAttrs(), tuple(shape), x.quant)

    def is_int8(self, value: Value) -> bool:
        return value.array is None and self.tensor(value).dtype == "int8"

    def real(self, value: Value) -> Value:
        """A tensor as float32."""
        if not self.is_int8(value):
            return value
        x = self.tensor(value)
        return Value(tensor=self.append(OpKind.DEQUANTIZE, [x.name], NoAttrs(), x.shape, None), order=value.order)

    def add_constant(self, hint: str, data: np.ndarray, quant: Quantization | None = None) -> str:
        name = self._free(hint)
        data = np.ascontiguousarray(data)
        self.graph.tensors[name] = Tensor(name, data.shape, str(data.dtype), quant, data)
        return name

    # --- quantization ---

    def target(self, output: str) -> Quantization | None:
        """The quantization in which all readers of a value want it."""
        wanted = [self.quantization(node) for node in self._readers.get(output, []) if node.kind == "QuantizeLinear"]
        readers = len(self._readers.get(output, [])) + (output in self._outputs)
        return wanted[0] if wanted and len(wanted) == readers and len(set(wanted)) == 1 else None

    def quantization(self, node: Node) -> Quantization:
        """Of a QuantizeLinear or DequantizeLinear, as int8."""
        scale, zero = self.constant(node, 1, "scale"), self.constant(node, 2, "zero point")
        if scale is None or node.attributes.get("block_size", 0):
            self.unsupported(node, "has no constant scale per tensor or channel", "quantize the model again")
        zero = np.zeros(scale.shape, self._type_of_levels(node)) if zero is None else zero
        if zero.dtype not in (np.int8, np.uint8, np.int32):
            self.unsupported(
                node, f"quantizes to {zero.dtype}", "quantize the network with QuantType.QInt8 or QuantType.QUInt8"
            )
        shift = 128 if zero.dtype == np.uint8 else 0
        scales = tuple(float(s) for s in np.float32(scale).reshape(-1))
        zeros = tuple(int(z) - shift for z in zero.reshape(-1))
        axis = int(node.attributes.get("axis", 1)) if len(scales) > 1 else None
        return Quantization(scales, zeros, axis)

    def _type_of_levels(self, node: Node) -> np.dtype:
        """Where the file leaves out the zero point, which has that type: as ONNX says, that of what is read, or uint8
        of what is written."""
        if node.kind == "DequantizeLinear":
            value = self.values.get(node.inputs[0])
            if value is not None and value.array is not None:
                return value.array.dtype
            return self._levels.get(node.inputs[0], np.dtype(np.uint8))
        return np.dtype({3: np.int8, 2: np.uint8, 0: np.uint8}.get(node.attributes.get("output_dtype", 0), np.float32))

    # --- building ---

    def _free(self, hint: str) -> str:
        clean = "".join(c if c.isascii() and (c.isalnum() or c in "_./:-+") else "_" for c in hint)[:120] or "value"
        name, number = clean, 1
        while name in self.graph.tensors:
            number += 1
            name = f"{clean}_{number}"
        return name

    def append(
        self,
        kind: OpKind,
        inputs: list[str],
        attrs: Attrs,
        shape: Shape,
        quant: Quantization | None,
        name: str = "",
        dtype: str = "",
    ) -> str:
        """An operator with one output, by the name of which it is returned: int8 with ``quant``, float32 without."""
        name = self._free(name or f"{inputs[0]}_{kind.lower()}")
        self.graph.tensors[name] = Tensor(name, shape, dtype or ("int8" if quant else "float32"), quant)
        operator = f"{kind.lower()}_{len(self.graph.operators)}"
        self.graph.operators.append(Operator(kind, operator, inputs, [name], attrs))
        return name

    def emit(
        self,
        node: Node,
        kind: OpKind,
        inputs: list[str],
        attrs: Attrs,
        quant: Quantization | None,
        order: Sequence[int],
        output: str = "",
        declared: Shape = (),
    ) -> None:
        """The operator that ``node`` is; ``output`` is the value of the file, if not the node's first."""
        output = output or node.outputs[0]
        tensors = [self.graph.tensor(name) for name in inputs]
        try:
            [shape] = DEFINITIONS[kind].infer(attrs, tensors, [declared or tensors[0].shape])
        except Contradiction as error:
            self.unsupported(node, str(error), REPLACE_HINT)
        name = self.append(kind, inputs, attrs, shape, quant, output)
        self.values[output] = Value(tensor=name, order=tuple(order))

    def activation(self, node: Node) -> tuple[Activation, str]:
        """The activation that follows ``node`` and nobody else reads before, and the value behind it."""
        output = node.outputs[0]
        readers = self._readers.get(output, [])
        if len(readers) == 1 and output not in self._outputs:
            [reader] = readers
            limits = self.limits(reader) if reader.kind in ("Relu", "Clip") else None
            fused = {(0.0, None): Activation.RELU, (0.0, 6.0): Activation.RELU6, (-1.0, 1.0): Activation.RELU_N1_TO_1}
            if limits in fused:
                self.done.add(reader.index)
                return fused[limits], reader.outputs[0]
        return Activation.NONE, output

    def limits(self, node: Node) -> tuple[float | None, float | None] | None:
        """Of a Relu or Clip; None where the running network decides them."""
        if node.kind == "Relu":
            return 0.0, None
        ends: list[float | None] = []
        for position, key in enumerate(("min", "max"), 1):
            value = self.values.get(node.inputs[position]) if len(node.inputs) > position else None
            if len(node.inputs) > position and node.inputs[position] and (value is None or value.array is None):
                return None
            end = value.array.item() if value is not None and value.array is not None else node.attributes.get(key)
            ends.append(None if end is None or abs(end) > 1e30 else float(end))
        return ends[0], ends[1]

    def only_reader(self, output: str, kind: str) -> Node | None:
        """The node of this kind that alone reads a value."""
        readers = self._readers.get(output, [])
        return readers[0] if len(readers) == 1 and readers[0].kind == kind and output not in self._outputs else None

    def gelu(self, node: Node) -> tuple[Value, str] | None:
        """What a GELU around an Erf reads, and the value that it writes; its nodes behind the Erf are done then."""
        scaled = next((n for ns in self._readers.values() for n in ns if node.inputs[0] in n.outputs), None)
        if scaled is None or scaled.kind not in ("Div", "Mul"):
            return None
        source = next((name for name in scaled.inputs if self.values[name].array is None), None)
        factor = next((self.values[name].array for name in scaled.inputs if self.values[name].array is not None), None)
        wanted = 2**0.5 if scaled.kind == "Div" else 0.5**0.5
        if source is None or factor is None or factor.size != 1 or abs(factor.item() - wanted) > 1e-3:
            return None
        chain, left = [node], ["one", "half", "x"]
        while left:
            output = chain[-1].outputs[0]
            reader = self.only_reader(output, "Add" if left[0] == "one" else "Mul")
            if reader is None:
                return None
            other = next((name for name in reader.inputs if name != output), "")
            array = self.values[other].array if other in self.values else None
            what = (
                "x"
                if other == source
                else {1.0: "one", 0.5: "half"}.get(array.item() if array is not None and array.size == 1 else 0.0)
            )
            if what not in left or (what != "one" and left[0] == "one"):
                return None
            left.remove(what)
            chain.append(reader)
        self.done |= {each.index for each in chain[1:]}
        return self.values[source], chain[-1].outputs[0]

    def assume(self, output: str, shape: Shape) -> None:
        """A value of float32 that nobody computes, so that those who read it can be judged."""
        name = self._free(output)
        self.graph.tensors[name] = Tensor(name, shape, "float32")
        self.values[output] = Value(tensor=name, order=identity(len(shape)))

    # --- border ---

    def add_input(self, name: str, shape: Shape) -> None:
        readers = self._readers.get(name, [])
        seen = [n for n in readers if n.kind == "QuantizeLinear"]
        later = [m for n in seen for o in n.outputs for m in self._readers.get(o, [])]
        later += [m for n in later if n.kind == "DequantizeLinear" for m in self._readers.get(n.outputs[0], [])]
        last = any(n.kind == "Transpose" and n.attributes.get("perm") == [0, 3, 1, 2] for n in (*readers, *later))
        order = LAST if len(shape) == 4 and not last else identity(len(shape))
        tensor = Tensor(self._free(name), tuple(shape[axis] for axis in order), "float32")
        quants = {self.quantization(n) for n in readers if n.kind == "DequantizeLinear"}
        if quants:  # the file's input is quantized already
            tensor.dtype, tensor.quant = "int8", quants.pop()
        self.graph.tensors[tensor.name] = tensor
        self.graph.inputs.append(Port(tensor.name, tensor.name, tensor.dtype, tensor.quant))
        self.values[name] = Value(tensor=tensor.name, order=order)

    def add_output(self, name: str) -> None:
        value = self.values.get(name)
        if value is None or value.array is not None:
            raise ModelError(f"output '{name}' is not computed from any input: convert the model again")
        last = len(value.order) == 4 and value.order in (LAST, identity(4))
        value = self.real(value if last else self.ordered(value, LAST if len(value.order) == 4 else None))
        tensor = self.tensor(value)
        if tensor.name in self.graph.input_tensors():
            raise ModelError(f"output '{name}' is an input: convert the model again")
        self.graph.outputs.append(Port(tensor.name, name, tensor.dtype, tensor.quant))
