"""What is true of an operator whatever kernel computes it: the base class of all operators' classes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, Generic, TypeVar, get_args, get_origin

from tinyengine.errors import ModelError
from tinyengine.ir.graph import Graph, Operator, Tensor
from tinyengine.ir.ops import Attrs, NoAttrs, OpKind

Shape = tuple[int, ...]
A = TypeVar("A", bound=Attrs)

MAX_SIZE = 65535
"""Largest size of one axis: kernels hold sizes in 16 bits."""

DEFINITIONS: dict[str, Definition[Any]] = {}
"""The one instance of every operator's class, by OpKind."""


class Contradiction(ValueError):
    """What an operator's tensors and attributes say against each other; the text goes on after the operator's name."""

    def __init__(self, text: str, remedy: str = "convert the model again") -> None:
        super().__init__(text)
        self.remedy = remedy


class Definition(Generic[A]):
    """One operator: ``class Pad(Definition[PadAttrs], kind=OpKind.PAD)``. In the brackets: the attributes' class.

    The class variables and methods below are the defaults. Rules raise ``Contradiction``.
    """

    kind: ClassVar[OpKind]
    attributes: ClassVar[type] = NoAttrs
    signatures: ClassVar[tuple[str, ...]] = ("int8 -> int8",)
    """Numbers of inputs and outputs and the dtypes that they may have together, such as ``int8 x int16 -> int16``.

    ``...`` behind the last input or output: any number of it, at least one.
    """
    constants: ClassVar[tuple[int, ...]] = ()
    """Inputs that must be constants; only they may be quantized per channel."""
    picture: ClassVar[bool] = False
    """Input 0 is one picture: (1, rows, columns, channels)."""
    same_quantization: ClassVar[bool] = False
    """Bytes are copied or compared, which only has a meaning if all inputs and outputs have one quantization."""
    scaleless: ClassVar[bool] = False
    """int16 may be plain numbers, without a scale, such as samples of sound."""
    elementwise: ClassVar[bool] = False
    """Every output element depends on one element of each (broadcast) input, in whatever order the axes lie."""

    def __init_subclass__(cls, kind: OpKind | None = None) -> None:
        for base in cls.__dict__.get("__orig_bases__", ()):
            attributes = get_args(base)[:1] if issubclass(get_origin(base) or object, Definition) else ()
            if attributes and isinstance(attributes[0], type):
                cls.attributes = attributes[0]
        if kind is not None:
            assert kind not in DEFINITIONS, f"{kind} has a second class {cls.__name__}"
            cls.kind = kind
            DEFINITIONS[kind] = cls()

    # --- rules of one operator ---

    def shape(self, attrs: A, inputs: Sequence[Tensor], declared: Shape) -> Shape:
        """Shape of the only output. Where inputs and attributes leave it open: ``declared``, if that fits them."""
        return inputs[0].shape

    def shapes(self, attrs: A, inputs: Sequence[Tensor], declared: Sequence[Shape]) -> list[Shape]:
        """Shapes of all outputs; to be overridden where there is more than one."""
        return [self.shape(attrs, inputs, declared[0])]

    def fits(self, attrs: A, x: Tensor) -> bool:
        """Whether the attributes make sense for input 0."""
        return True

    def check(self, op: Operator, graph: Graph) -> None:
        """Whatever else must hold."""

    def macs(self, attrs: A, inputs: Sequence[Tensor], output: Tensor) -> int:
        """Nominal multiply-accumulates, as papers count them: every tap of every output, also on padding."""
        return 0

    # --- what follows from them ---

    def input_dtypes(self, position: int) -> tuple[str, ...]:
        """All dtypes that an input may have."""
        sides = [text.split(" -> ")[0].removesuffix("...").split(" x ") for text in self.signatures]
        return _unique(side[min(position, len(side) - 1)] for side in sides)

    def infer(self, attrs: A, inputs: Sequence[Tensor], declared: Sequence[Shape]) -> list[Shape]:
        """Shapes of the outputs of a new operator, one for each of ``declared``."""
        if self.picture and (len(inputs[0].shape) != 4 or inputs[0].shape[0] != 1):
            raise Contradiction(f"has an input of shape {list(inputs[0].shape)}, not (1, rows, columns, channels)")
        if not self.fits(attrs, inputs[0]):
            text = f"has attributes that do not fit its input of shape {list(inputs[0].shape)} ({attrs})"
            raise Contradiction(text)
        return self.shapes(attrs, inputs, declared)

    def combinations(self, inputs: int, outputs: int) -> list[list[str]]:
        """Allowed dtypes of so many inputs and then outputs."""
        sides = [text.split(" -> ") for text in self.signatures]
        allowed = [_dtypes(left, inputs) + _dtypes(right, outputs) for left, right in sides]
        allowed = [dtypes for dtypes in allowed if len(dtypes) == inputs + outputs]
        if not allowed:
            raise Contradiction(f"has {inputs} inputs and {outputs} outputs instead of {' or '.join(self.signatures)}")
        return allowed

    def verify(self, op: Operator, graph: Graph) -> None:
        """ModelError unless ``op`` is one of these; its tensors exist and have been checked one by one."""
        inputs, outputs = ([graph.tensor(name) for name in names] for names in (op.inputs, op.outputs))
        try:
            if not isinstance(op.attrs, self.attributes):
                raise Contradiction(f"has attributes of type {type(op.attrs).__name__}")
            self._verify_types(inputs, outputs)
            attrs: Any = op.attrs
            shapes = self.infer(attrs, inputs, [tensor.shape for tensor in outputs])
            for output, shape in zip(outputs, shapes, strict=True):
                if output.shape != shape:
                    text = f"{output.name}' of shape {list(output.shape)}"
                    raise Contradiction(f"writes '{text}, which does not follow from its inputs")
            self.check(op, graph)
            if self.same_quantization:
                for a, b in ((tensor, outputs[0]) for tensor in (*inputs, *outputs[1:]) if tensor.quant):
                    if a.zero_point != b.zero_point or abs(a.scale - b.scale) > 1e-5 * b.scale:
                        text = f"needs the same quantization on '{a.name}' and '{b.name}'"
                        raise Contradiction(text, "put a QUANTIZE between them, or leave it out of the network")
        except Contradiction as error:
            raise ModelError(f"{op.kind} '{op.name}' {error}: {error.remedy}") from error

    def _verify_types(self, inputs: list[Tensor], outputs: list[Tensor]) -> None:
        allowed = self.combinations(len(inputs), len(outputs))
        for i, tensor in enumerate((*inputs, *outputs)):
            dtypes = _unique(combination[i] for combination in allowed)
            if tensor.dtype not in dtypes:
                raise Contradiction(f"has tensor '{tensor.name}' in {tensor.dtype}, not {' or '.join(dtypes)}")
            if i in self.constants and i < len(inputs):
                if tensor.data is None:
                    raise Contradiction(f"needs '{tensor.name}' to be constant")
            elif tensor.quant is not None and tensor.quant.per_channel:
                raise Contradiction(f"has activations '{tensor.name}' quantized per channel")
            if tensor.dtype == "int16" and tensor.quant is None and not self.scaleless:
                text = f"needs the scale of '{tensor.name}'"
                raise Contradiction(text, "convert the model with full integer quantization")
        found = [tensor.dtype for tensor in (*inputs, *outputs)]
        if found not in allowed:
            raise Contradiction(f"mixes {', '.join(found)}, not {' or '.join(self.signatures)}")


def require_symmetric(op: Operator, graph: Graph) -> None:
    """Activations of int16 have a scale, and zero means zero."""
    for tensor in (graph.tensor(name) for name in (*op.inputs, *op.outputs)):
        if tensor.dtype == "int16" and (tensor.quant is None or tensor.zero_point):
            remedy = "quantize the model again with a current TensorFlow"
            raise Contradiction(f"has '{tensor.name}' of int16 without a scale or with a zero point", remedy)


def _dtypes(side: str, count: int) -> list[str]:
    """Dtypes on one side of a signature, ``count`` of them if it can have that many."""
    dtypes = side.removesuffix("...").split(" x ")
    if side.endswith("..."):
        dtypes += dtypes[-1:] * (count - len(dtypes))
    return dtypes


def up_to_ones(shape: Shape, declared: Shape) -> Shape:
    """``declared`` if it is ``shape`` with axes of size 1 more or fewer, else ``shape``."""
    return declared if [n for n in declared if n != 1] == [n for n in shape if n != 1] else shape


def _unique(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(values))
