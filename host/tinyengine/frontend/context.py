"""What translating one operator may ask for and add: the graph so far, the raw tensors, and clear refusals."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from math import prod
from typing import Any, NoReturn

import numpy as np

from tinyengine.errors import ModelError, UnsupportedOperatorError
from tinyengine.frontend.legacy import OFFSET
from tinyengine.frontend.raw import RawModel, RawOperator, RawTensor
from tinyengine.ir.graph import Graph, Operator, Port, Quantization, Tensor
from tinyengine.ir.operators import DEFINITIONS
from tinyengine.ir.operators.base import Contradiction, Definition, Shape
from tinyengine.ir.ops import Attrs, NoAttrs, OpKind

DTYPE_NAMES = {
    "INT8": "int8",
    "UINT8": "uint8",
    "INT16": "int16",
    "INT32": "int32",
    "INT64": "int64",
    "UINT32": "uint32",
    "UINT64": "uint64",
    "FLOAT32": "float32",
    "BOOL": "bool",
}
CUSTOM = "custom operator "
"""What the kinds of custom operators begin with (``RawOperator.kind``)."""
SIGNALS = {f"{CUSTOM}{kind}": kind for kind in OpKind if kind.startswith("Signal")}
DETECTION = f"{CUSTOM}{OpKind.DETECTION_POST_PROCESS}"
ATTENTION = f"{CUSTOM}{OpKind.LINEAR_ATTENTION}"
KINDS = {
    **dict.fromkeys(("SQUEEZE", "EXPAND_DIMS"), OpKind.RESHAPE),
    **dict.fromkeys(("RELU6", "RELU_N1_TO_1"), OpKind.RELU),
    **dict.fromkeys(("SLICE", "SPLIT", "SPLIT_V", "UNPACK", "REVERSE_V2"), OpKind.STRIDED_SLICE),
    "SELECT": OpKind.SELECT_V2,
    **dict.fromkeys(("TILE", "MIRROR_PAD", "BROADCAST_TO"), OpKind.GATHER),
    **dict.fromkeys(("SPACE_TO_DEPTH", "DEPTH_TO_SPACE"), OpKind.TRANSPOSE),
    **dict.fromkeys(("SPACE_TO_BATCH_ND", "BATCH_TO_SPACE_ND"), OpKind.TRANSPOSE),
    "PACK": OpKind.CONCATENATION,
    **SIGNALS,
    DETECTION: OpKind.DETECTION_POST_PROCESS,
    ATTENTION: OpKind.LINEAR_ATTENTION,
    "PADV2": OpKind.PAD,
    "FILL": OpKind.GATHER,
    "GATHER_ND": OpKind.GATHER,
    "L2_POOL_2D": OpKind.AVERAGE_POOL_2D,
    "POW": OpKind.MUL,
}
"""TFLite's operators that are another one in the IR, or several around that one."""
_NUMPY = {
    "INT8": "i1",
    "UINT8": "u1",
    "INT16": "<i2",
    "INT32": "<i4",
    "INT64": "<i8",
    "UINT32": "<u4",
    "FLOAT16": "<f2",
    "FLOAT32": "<f4",
    "BOOL": "?",
}

QUANTIZE_HINT = (
    "convert the model with full integer quantization (a representative data set and "
    "TFLITE_BUILTINS_INT8 as the only supported operators)"
)
INT16_HINT = "quantize the activations to int8 instead of 16x8"


UINT8_HINT = "convert the model with int8 inside (uint8 only at the border)"

BORDER = -1
"""Stands for the network's inputs and outputs where operators are numbered."""
_FOLLOWING = (LookupError, ArithmeticError, ValueError, TypeError)
"""What may be raised beside ModelError by an operator on a tensor that had to be assumed."""


@dataclass(frozen=True)
class Refusal:
    """Why an operator (or ``BORDER``) cannot be translated; ``after``: it cannot be judged before that operator is."""

    operator: int
    sentence: str
    after: int | None = None


class Context:
    """A translation in progress."""

    def __init__(self, raw: RawModel, name: str, collect: bool = False) -> None:
        """``collect``: refusals are kept instead of raised, and the translation goes on with what the file says of
        the tensors that are missing then."""
        self.raw = raw
        self.refusals: list[Refusal] = []
        self._collect = collect
        self._assumed: dict[int, int] = {}  # tensors that only a refused operator computes, and that operator
        self.graph = Graph(name)
        self.folded: dict[int, np.ndarray] = {}  # int32 tensors known at compile time though operators compute them
        self._names = unique_names(raw.tensors)
        self._known = set(self._names)

    # --- refusals ---

    def where(self, op: RawOperator, tensor: int | None = None) -> str:
        """'operator 3 (CONV_2D) with tensor 12 (conv1)': what every refusal starts with."""
        if tensor is None:
            tensor = op.outputs[0] if op.outputs else -1
        known = 0 <= tensor < len(self._names)
        return f"operator {op.index} ({op.kind}) with tensor {tensor} ({self._names[tensor] if known else 'unknown'})"

    def damaged(self, op: RawOperator, what: str, tensor: int | None = None) -> NoReturn:
        """The file contradicts itself."""
        raise ModelError(f"{self.where(op, tensor)} {what}: the file is damaged, convert the model again")

    def unsupported(self, op: RawOperator, what: str, instead: str, tensor: int | None = None) -> NoReturn:
        """A variant that the compiler does not translate, and what could be done instead."""
        raise UnsupportedOperatorError(f"{self.where(op, tensor)} {what}: {instead}")

    @contextmanager
    def judging(self, op: RawOperator | None = None, tensors: tuple[int, ...] = ()) -> Iterator[None]:
        """Keeps the refusal of ``op``, or of tensors at the border, if refusals are collected; else it is raised."""
        try:
            yield
        except (ModelError, *_FOLLOWING) as error:
            doubtful = [self._assumed[index] for index in (op.inputs if op else tensors) if index in self._assumed]
            if not self._collect or not (doubtful or isinstance(error, ModelError)):
                raise
            # What contradicts an assumption says nothing about the file; what is not supported says all.
            follows = bool(doubtful) and not isinstance(error, UnsupportedOperatorError)
            number = op.index if op else BORDER
            self.refusals.append(Refusal(number, str(error), doubtful[0] if follows else None))
            for index in op.outputs if op else tensors:
                self._assume(index, number)

    @property
    def assumed(self) -> frozenset[str]:
        """Names of the tensors that only refused operators compute."""
        return frozenset(self._names[index] for index in self._assumed)

    def _assume(self, index: int, operator: int) -> None:
        """A tensor that was refused, as the file describes it, so that those who read it can be judged."""
        if not 0 <= index < len(self.raw.tensors):
            return
        tensor, name = self.raw.tensors[index], self._names[index]
        self._assumed[index] = operator
        if name in self.graph.tensors or tensor.dtype not in DTYPE_NAMES:
            return
        plain = len(tensor.scale) == len(tensor.zero_point) == 1
        quant = Quantization(tensor.scale, tensor.zero_point) if plain else None
        shape = tuple(max(n, 1) for n in tensor.shape)
        self.graph.tensors[name] = Tensor(name, shape, DTYPE_NAMES[tensor.dtype], quant)

    # --- reading ---

    def definition(self, op: RawOperator) -> Definition[Any] | None:
        """What the IR makes of the file's operator; None if it does not know it."""
        return DEFINITIONS.get(KINDS.get(op.kind, op.kind))

    def raw_tensor(self, op: RawOperator, index: int) -> RawTensor:
        """A tensor of the file by its index."""
        if not 0 <= index < len(self.raw.tensors):
            self.damaged(op, "does not exist", index)
        return self.raw.tensors[index]

    def input_index(self, op: RawOperator, position: int) -> int | None:
        """Index of the ``position``-th input; None if it is left out."""
        if position >= len(op.inputs) or op.inputs[position] < 0:
            return None
        return op.inputs[position]

    def required(self, op: RawOperator, position: int) -> RawTensor:
        """The ``position``-th input."""
        index = self.input_index(op, position)
        if index is None:
            self.damaged(op, f"lacks its input {position}")
        return self.raw_tensor(op, index)

    def output(self, op: RawOperator) -> RawTensor:
        """The only output."""
        if len(op.outputs) != 1:
            self.damaged(op, f"has {len(op.outputs)} outputs instead of one")
        return self.raw_tensor(op, op.outputs[0])

    def values(self, op: RawOperator, tensor: RawTensor) -> np.ndarray:
        """Elements of a constant, in its shape (a view of the file)."""
        if tensor.dtype not in _NUMPY:
            self.unsupported(op, f"holds {tensor.dtype.lower()} values", QUANTIZE_HINT, tensor.index)
        dtype = np.dtype(_NUMPY[tensor.dtype])
        if any(n < 0 for n in tensor.shape) or prod(tensor.shape) * dtype.itemsize != tensor.data.size:
            self.damaged(op, f"has {tensor.data.size} bytes for shape {list(tensor.shape)}", tensor.index)
        return tensor.data.view(dtype).reshape(tensor.shape)

    def integers(self, op: RawOperator, position: int, what: str, most: int = 64) -> list[int]:
        """A constant list of integers, such as the axes of a MEAN; of a longer one the first ``most``."""
        tensor = self.required(op, position)
        if tensor.index in self.folded:
            return [int(v) for v in self.folded[tensor.index].reshape(-1)]
        if tensor.dtype not in ("INT32", "INT64") or not tensor.data.size:
            self.unsupported(
                op, f"takes its {what} from the running network", f"make the {what} constant", tensor.index
            )
        return [int(v) for v in self.values(op, tensor).reshape(-1)[:most]]

    # --- tensors of the graph ---

    def is_computed(self, op: RawOperator, position: int) -> bool:
        """Whether the running network decides the ``position``-th input."""
        tensor = self.required(op, position)
        return not tensor.data.size and tensor.index not in self.folded

    def activation(self, op: RawOperator, position: int, dtypes: tuple[str, ...] = ()) -> Tensor:
        """The ``position``-th input as a tensor of the graph: computed before, or a constant.

        It has one of ``dtypes``, else one that the operator takes there.
        """
        tensor = self.required(op, position)
        definition = self.definition(op)
        if definition is not None:
            self.require_dtype(op, tensor, dtypes or definition.input_dtypes(position))
        name = self._names[tensor.index]
        if name not in self.graph.tensors:
            if tensor.index in self.folded and tensor.dtype == "INT32":
                folded = self.folded[tensor.index]
                self.graph.tensors[name] = Tensor(name, folded.shape, "int32", None, folded)
            elif not tensor.data.size:
                self.damaged(op, "is read before any operator has written it", tensor.index)
            self.constant(op, tensor)
        x = self.graph.tensors[name]
        if position == 0 and definition is not None and definition.picture and (len(x.shape) != 4 or x.shape[0] != 1):
            self.unsupported(
                op,
                f"has an input of shape {list(x.shape)}",
                "give it a four-dimensional input (1, rows, columns, channels)",
            )
        return x

    def computed(self, op: RawOperator, tensor: RawTensor) -> Tensor:
        """A tensor that has a value in every run by now."""
        if self._names[tensor.index] not in self.graph.tensors:
            self.damaged(op, "is read before any operator has written it", tensor.index)
        return self.graph.tensors[self._names[tensor.index]]

    def source(self, op: RawOperator, tensor: RawTensor) -> Tensor:
        """Add a tensor that has a value before the run begins."""
        name = self._names[tensor.index]
        if name in self.graph.tensors or tensor.data.size:
            self.damaged(op, "is written a second time", tensor.index)
        dtype = DTYPE_NAMES.get(tensor.dtype)
        if dtype is None:
            self.unsupported(op, f"holds {tensor.dtype.lower()} values", QUANTIZE_HINT, tensor.index)
        self.graph.tensors[name] = Tensor(name, tensor.shape, dtype, self.quantization(op, tensor))
        return self.graph.tensors[name]

    def rename(self, op: RawOperator, tensor: RawTensor, value: Tensor) -> None:
        """From now on ``tensor`` of the file is another name of ``value``."""
        if self._names[tensor.index] in self.graph.tensors or tensor.data.size:
            self.damaged(op, "is written a second time", tensor.index)
        self._names[tensor.index] = value.name

    def constant(self, op: RawOperator, tensor: RawTensor, axis: int | None = None) -> Tensor:
        """Add a constant of the file to the graph (once)."""
        name = self._names[tensor.index]
        if name not in self.graph.tensors:
            dtype = DTYPE_NAMES.get(tensor.dtype)
            if dtype is None:
                self.unsupported(op, f"holds {tensor.dtype.lower()} values", QUANTIZE_HINT, tensor.index)
            quant = self.quantization(op, tensor, axis)
            self.graph.tensors[name] = Tensor(name, tensor.shape, dtype, quant, self.values(op, tensor))
        return self.graph.tensors[name]

    def invent(self, tensor: Tensor) -> Tensor:
        """Add a tensor that the file leaves out: a bias of zeros, or what lies between parts of an operator."""
        while tensor.name in self.graph.tensors or tensor.name in self._known:
            tensor.name += "_"
        self.graph.tensors[tensor.name] = tensor
        return tensor

    def known(self, op: RawOperator, values: np.ndarray) -> None:
        """The output of ``op`` is a constant, of the type that the file says: as if it had been stored so."""
        output = self.output(op)
        if output.data.size or self._names[output.index] in self.graph.tensors:
            self.damaged(op, "is written a second time", output.index)
        if output.dtype not in _NUMPY:
            self.unsupported(op, f"holds {output.dtype.lower()} values", QUANTIZE_HINT, output.index)
        self.check_shape(op, output, values.shape)
        stored = np.ascontiguousarray(values, _NUMPY[output.dtype])
        data = stored.reshape(-1).view(np.uint8)
        self.raw.tensors[output.index] = replace(output, shape=values.shape, signature=values.shape, data=data)

    def quantization(self, op: RawOperator, tensor: RawTensor, axis: int | None = None) -> Quantization | None:
        """Quantization of a tensor of 8 or 16 bits, None for plain numbers; ``axis``: where a per-channel one must run
        along."""
        if tensor.dtype not in ("INT8", "UINT8", "INT16"):
            return None
        definition = self.definition(op)
        if not tensor.scale and tensor.dtype == "INT16" and definition is not None and definition.scaleless:
            return None
        if not tensor.scale and op.kind == "CAST":  # whole numbers, which stand for themselves
            return Quantization((1.0,), (0,))
        if not tensor.scale:
            self.unsupported(op, "has no quantization parameters", QUANTIZE_HINT, tensor.index)
        zero_point = tensor.zero_point or (0,) * len(tensor.scale)
        if len(zero_point) != len(tensor.scale):
            self.damaged(op, "has as many scales as zero points only in part", tensor.index)
        if len(tensor.scale) == 1:
            return Quantization(tensor.scale, zero_point)
        if axis is None:
            self.unsupported(op, "is quantized per channel, which only weights may be", QUANTIZE_HINT, tensor.index)
        channels = tensor.shape[axis] if axis < len(tensor.shape) else 0
        if tensor.axis != axis or len(tensor.scale) != channels:
            self.damaged(op, f"has {len(tensor.scale)} scales for {channels} channels", tensor.index)
        return Quantization(tensor.scale, zero_point, axis)

    def require_dtype(self, op: RawOperator, tensor: RawTensor, dtypes: tuple[str, ...]) -> None:
        """Refuse a tensor of another type with what to do about it."""
        if DTYPE_NAMES.get(tensor.dtype) in dtypes:
            return
        match tensor.dtype:
            case "FLOAT32" | "FLOAT16" | "BFLOAT16" | "FLOAT64":
                weights = [self.raw.tensors[i] for i in op.inputs[1:2] if 0 <= i < len(self.raw.tensors)]
                hybrid = any(w.dtype in ("INT8", "UINT8") for w in weights)
                what = "has int8 weights but computes in" if hybrid else "computes in"
                self.unsupported(op, f"{what} {tensor.dtype.lower()}", QUANTIZE_HINT, tensor.index)
            case "INT16":
                self.unsupported(op, "has int16 activations", INT16_HINT, tensor.index)
            case "UINT8":
                self.unsupported(op, "computes in uint8", UINT8_HINT, tensor.index)
            case other:
                self.unsupported(op, f"computes in {other.lower()}", QUANTIZE_HINT, tensor.index)

    # --- building ---

    def add(
        self,
        op: RawOperator,
        inputs: list[Tensor],
        attrs: Attrs | None = None,
        declared: Shape | None = None,
        kind: OpKind | None = None,
        result: int | None = None,
        kept: tuple[Tensor, ...] = (),
        shapes_left_out: bool = False,
    ) -> None:
        """Append the operator; the shapes of its outputs follow from ``inputs`` and ``attrs``, and the file must agree.

        ``declared`` decides what they leave open (RESHAPE), else the file's shape does. ``kind``: what it is in the IR,
        if not what the file calls it; ``result``: which output of the file's operator that computes, instead of all.
        ``kept``: outputs behind those that the file leaves out, the next values of its states. ``shapes_left_out``: the
        file may say of outputs that they have no axes.
        """
        definition = self.definition(op) if kind is None else DEFINITIONS[kind]
        outputs = [self.raw_tensor(op, index) for index in op.outputs]
        outputs = outputs if result is None else outputs[result : result + 1]
        assert definition is not None
        attrs = NoAttrs() if attrs is None else attrs
        try:
            allowed = definition.combinations(len(inputs), len(outputs) + len(kept))
            shapes = definition.infer(attrs, inputs, [t.shape if declared is None else declared for t in outputs])
            shapes = shapes[: len(outputs)]
        except Contradiction as error:
            self.damaged(op, str(error))
        for position, (output, shape) in enumerate(zip(outputs, shapes, strict=True), len(inputs)):
            self.require_dtype(op, output, tuple(combination[position] for combination in allowed))
            name = self._names[output.index]
            if name in self.graph.tensors or output.data.size:
                self.damaged(op, "is written a second time", output.index)
            if output.signature or not shapes_left_out:
                self.check_shape(op, output, shape)
            quant = self.quantization(op, output)
            if output.dtype == "INT32" and definition.kind is OpKind.QUANTIZE and len(output.scale) == 1:
                quant = Quantization(output.scale, output.zero_point or (0,))
            elif output.dtype == "INT32" and definition.same_quantization:
                quant = inputs[0].quant
            self.graph.tensors[name] = Tensor(name, shape, DTYPE_NAMES[output.dtype], quant)
        results = [self._names[output.index] for output in outputs] + [tensor.name for tensor in kept]
        self._append(op, definition.kind, inputs, results, attrs)

    def step(
        self, op: RawOperator, kind: OpKind, x: Tensor, attrs: Attrs | None = None, declared: Shape | None = None
    ) -> Tensor:
        """Append a part of an operator that is several in the IR: one that moves the values of ``x``."""
        attrs = NoAttrs() if attrs is None else attrs
        try:
            [shape] = DEFINITIONS[kind].infer(attrs, [x], [x.shape if declared is None else declared])
        except Contradiction as error:
            self.damaged(op, str(error))
        y = self.invent(Tensor(f"{x.name}_{op.kind.lower()}_{op.index}", shape, x.dtype, x.quant))
        self._append(op, kind, [x], [y.name], attrs)
        return y

    def part(
        self,
        op: RawOperator,
        kind: OpKind,
        inputs: list[Tensor],
        attrs: Attrs,
        quant: Quantization | None = None,
        dtype: str = "int8",
    ) -> Tensor:
        """Append a part of an operator that computes its values anew."""
        try:
            [shape] = DEFINITIONS[kind].infer(attrs, inputs, [inputs[0].shape])
        except Contradiction as error:
            self.damaged(op, str(error))
        y = self.invent(Tensor(f"{inputs[0].name}_{op.kind.lower()}_{op.index}", shape, dtype, quant))
        self._append(op, kind, inputs, [y.name], attrs)
        return y

    def is_legacy(self, op: RawOperator) -> bool:
        """Whether it computes in uint8 in the file."""
        indices = (i for i in (*op.inputs, *op.outputs) if 0 <= i < len(self.raw.tensors))
        return any(self.raw.tensors[i].legacy for i in indices)

    def _append(self, op: RawOperator, kind: OpKind, inputs: list[Tensor], outputs: list[str], attrs: Attrs) -> None:
        kind_name = op.kind.removeprefix(CUSTOM).lower()
        name, last = f"{kind_name}_{op.index}", self.graph.operators[-1].name if self.graph.operators else ""
        if last == name or last.startswith(f"{name}_"):  # the file's operator is several here
            name = f"{name}_{int(last.removeprefix(name).lstrip('_') or 1) + 1}"
        self.graph.operators.append(Operator(kind, name, [t.name for t in inputs], outputs, attrs))

    def check_shape(self, op: RawOperator, tensor: RawTensor, shape: tuple[int, ...]) -> None:
        """The file's shape, where it is not left to run time, must be what the operator computes."""
        declared = tensor.signature
        if len(declared) != len(shape) or any(n not in (-1, m) for n, m in zip(declared, shape, strict=True)):
            self.damaged(op, f"is declared with shape {list(declared)} but has {list(shape)}", tensor.index)

    def add_input(self, index: int) -> None:
        """A graph input: batch 1, every other size fixed."""
        tensor = self._border_tensor(index, "input")
        if tensor.data.size or self._names[index] in self.graph.tensors:
            raise ModelError(f"the network's input tensor {index} ({tensor.name}) is a constant or named twice")
        if any(n == -1 for n in tensor.signature[1:]) or any(n < 1 for n in tensor.shape):
            raise ModelError(
                f"input tensor {index} ({tensor.name}) has the dynamic shape {list(tensor.signature)}: "
                "export the model with a fixed input size"
            )
        if len(tensor.shape) > 1 and tensor.shape[0] != 1:
            raise ModelError(
                f"input tensor {index} ({tensor.name}) has batch size {tensor.shape[0]}: export the model with batch 1"
            )
        quant = self._border_quantization(tensor)
        name = self._names[index]
        self.graph.tensors[name] = Tensor(name, tensor.shape, DTYPE_NAMES[tensor.dtype], quant)
        self.graph.inputs.append(self._port(tensor, name))

    def add_output(self, index: int) -> None:
        """A graph output."""
        tensor = self._border_tensor(index, "output")
        name = self._names[index]
        constant = tensor.data.size or index in self.folded
        if constant or name not in self.graph.tensors:
            raise ModelError(
                f"output tensor {index} ({tensor.name}) "
                + (
                    "is a constant: export the model without it"
                    if constant
                    else "is not computed by any operator: convert the model again"
                )
            )
        self.graph.outputs.append(self._port(tensor, name))

    def _port(self, tensor: RawTensor, name: str) -> Port:
        quant = self._border_quantization(tensor) if tensor.scale else self.graph.tensors[name].quant
        if tensor.legacy and quant is not None:  # the host shifts
            return Port(name, name, "uint8", Quantization(quant.scale, (quant.zero_point[0] + OFFSET,)))
        return Port(name, name, DTYPE_NAMES[tensor.dtype], quant)

    def _border_tensor(self, index: int, what: str) -> RawTensor:
        if not 0 <= index < len(self.raw.tensors):
            raise ModelError(f"the network's {what} is tensor {index}, which does not exist: convert the model again")
        tensor = self.raw.tensors[index]
        if tensor.dtype not in ("INT8", "UINT8", "INT16", "INT32", "UINT32", "UINT64", "FLOAT32"):
            raise ModelError(
                f"{what} tensor {index} ({tensor.name}) is {tensor.dtype.lower()}, "
                "but only int8, uint8, int16, int32, uint32, uint64 and float32 are supported at the border: "
                "convert the model with one of them"
            )
        return tensor

    def _border_quantization(self, tensor: RawTensor) -> Quantization | None:
        plain = len(tensor.scale) == len(tensor.zero_point) == 1
        if tensor.dtype in ("FLOAT32", "UINT32", "UINT64"):
            return None
        if tensor.dtype == "INT32" and not (plain and tensor.scale[0] > 0):
            return None
        if tensor.dtype == "INT16" and not tensor.scale:
            return None
        if not plain:
            raise ModelError(
                f"tensor {tensor.index} ({tensor.name}) at the network's border has no quantization parameters: "
                + QUANTIZE_HINT
            )
        return Quantization(tensor.scale, tensor.zero_point)


def unique_names(tensors: list[RawTensor]) -> list[str]:
    """Names by index; a repeated one gets its index behind it."""
    seen: set[str] = set()
    names = []
    for tensor in tensors:
        name = tensor.name
        while name in seen:
            name = f"{name}_{tensor.index}"
        seen.add(name)
        names.append(name)
    return names
