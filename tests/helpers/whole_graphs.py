"""Random whole networks: the random operators of ``cases``, joined by conversions, with states and recurrent layers.

A family that is added to ``cases`` occurs here without further work. Every input of an operator is an earlier tensor,
brought to the shape, type and quantization that the operator wants, or a new input of the network.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from math import prod

import numpy as np
from tinyengine.errors import UnsupportedOperatorError
from tinyengine.frontend.legacy import SAME_AS_INT8
from tinyengine.frontend.tflite_writer import tflite_bytes
from tinyengine.ir import Graph, Operator, OpKind, Port, Quantization, State, Tensor
from tinyengine.ir.floating import APPROXIMATE
from tinyengine.ir.ops import (
    Attrs,
    ElementwiseAttrs,
    GatherAttrs,
    LeakyReluAttrs,
    MeanAttrs,
    NoAttrs,
    PadAttrs,
    StridedSliceAttrs,
)
from tinyengine.ir.verify import verify
from tinyengine.reference.executor import execute

from tests.helpers.cases import FAMILIES, Draw, OpCase
from tests.helpers.graphs import GraphBuilder, Shape
from tests.helpers.recurrent import lstm, lstm_float, svdf
from tests.helpers.reference_gaps import (
    NOT_IN_TFLITE,
    NOT_LIKE_TFLITE,
    NOT_LIKE_TFLITE_IN_INT8,
    beyond_int32,
)
from tests.helpers.streaming import joined, shortened

COMPARISONS = (OpKind.EQUAL, OpKind.NOT_EQUAL, OpKind.LESS, OpKind.LESS_EQUAL, OpKind.GREATER, OpKind.GREATER_EQUAL)
POSITIVE = (OpKind.LOG, OpKind.SQRT, OpKind.RSQRT)
"""Functions that have no value below zero: of float32 they read what their case has drawn."""
OURS = ("shift", *NOT_IN_TFLITE)
"""Families of operators that TFLite's files do not have, or its interpreter."""


@dataclass(frozen=True)
class Theme:
    """What a network is made of. ``exact``: TFLite can run it, and answers with the same bits; ``old``: in uint8 too,
    and with the same numbers on both sides of the shift."""

    families: tuple[str, ...]
    dtypes: tuple[str, ...] = ("int8", "float32")  # of what operators compute with
    exact: bool = False
    old: bool = False

    def takes(self, case: OpCase) -> bool:
        """Whether a case may occur."""
        tensors = case.graph.tensors.values()
        if any(t.dtype in ("int8", "float32") and t.dtype not in self.dtypes for t in tensors):
            return False
        if self.old and not _of_uint8(case):
            return False
        return not self.exact or _has_reference(case)


def _has_reference(case: OpCase) -> bool:
    """Whether TFLite has exactly these bits."""
    [op] = case.graph.operators
    of_float = case.graph.tensor(op.inputs[0]).dtype == "float32"
    if op.kind in NOT_LIKE_TFLITE or op.kind in (APPROXIMATE if of_float else NOT_LIKE_TFLITE_IN_INT8):
        return False
    if not of_float and beyond_int32(case.graph).any():
        return False
    try:
        tflite_bytes(case.graph)
    except UnsupportedOperatorError:  # a pool's paddings that are neither SAME nor VALID
        return False
    return True


def _of_uint8(case: OpCase) -> bool:
    """Whether TFLite has it in uint8, padded with zeros."""
    if any(isinstance(op.attrs, PadAttrs) and op.attrs.value is not None for op in case.graph.operators):
        return False
    kinds = {op.kind.value for op in case.graph.operators}
    return kinds <= SAME_AS_INT8 and all(t.dtype in ("int8", "int32") for t in case.graph.tensors.values())


def _families(of_float: bool) -> tuple[str, ...]:
    return tuple(name for name in FAMILIES if name.startswith("float") is of_float)


ANY = Theme(tuple(name for name in FAMILIES if name != "linear_attention"))  # which takes no tensor of others
WRITABLE = Theme(tuple(name for name in FAMILIES if name not in OURS), exact=True)
INT8 = Theme(tuple(name for name in _families(False) if name not in (*OURS, "numbers")), ("int8",), exact=True)
FLOAT = Theme(_families(True), ("float32",))
OLD = replace(INT8, old=True)


class WholeBuilder(GraphBuilder):
    """A network that grows, with the values of all its tensors in the first run."""

    def __init__(self, seed: int, theme: Theme) -> None:
        super().__init__(seed, f"whole_{seed}")
        self.theme = theme
        self.draw = Draw(self.rng)
        self.values: dict[str, np.ndarray] = {}
        self.sources: list[str] = []  # what later operators may read
        self.done = 0

    # --- tensors ---

    def given(self, like: Tensor, value: np.ndarray) -> str:
        """A new input of the network."""
        name = f"x{len(self.graph.inputs)}"
        self.graph.tensors[name] = Tensor(name, like.shape, like.dtype, like.quant)
        self.graph.inputs.append(Port(name, name, like.dtype, like.quant))
        self.values[name] = value
        self.offer([name])
        return name

    def put(
        self,
        kind: OpKind,
        inputs: list[str],
        attrs: Attrs | None = None,
        shape: Shape | None = None,
        quant: Quantization | None = None,
        dtype: str | None = None,
    ) -> str:
        """An operator; the output has type and quantization of its first input, where no type is given."""
        first = self.graph.tensor(inputs[0])
        quant = first.quant if dtype is None else quant
        name = self.op(kind, inputs, NoAttrs() if attrs is None else attrs, shape, quant, dtype or first.dtype)
        self.graph.tensor(name).quant = quant
        return name

    def evaluate(self) -> None:
        """The values of what has been added."""
        constants = {tensor.name: tensor.data for tensor in self.graph.constants()}
        self.values |= {state.tensor: state.initial for state in self.graph.states}
        for op in self.graph.operators[self.done :]:
            inputs = [constants[name] if name in constants else self.values[name] for name in op.inputs]
            with np.errstate(all="ignore"):
                self.values.update(zip(op.outputs, execute(op, self.graph, inputs), strict=True))
        self.done = len(self.graph.operators)

    def offer(self, names: Iterable[str]) -> None:
        """Later operators may read these, unless there is nothing in them that numbers of other types could say."""
        self.evaluate()
        for name in names:
            value = self.values[name]
            if value.dtype != np.float32 or (np.isfinite(value).all() and np.abs(value).max(initial=0) < 1e9):
                self.sources.append(name)

    def source(self, dtypes: tuple[str, ...]) -> str | None:
        """An earlier tensor of one of these types, the latest ones more often than others."""
        tensors = (self.graph.tensor(name) for name in self.sources)
        names = [t.name for t in tensors if t.dtype in dtypes and (t.quant or t.dtype not in ("int8", "int16"))]
        if not names:
            return None
        return names[-1] if self.draw.integer(0, 2) else self.draw.one_of(*names)

    # --- conversions ---

    def resized(self, x: str, shape: Shape) -> str:
        """``x`` with some of its values left out or repeated, in another shape."""
        have, want = self.graph.tensor(x).elements, prod(shape)
        if self.shape(x) == shape:
            return x
        if have != want:
            flat = self.put(OpKind.RESHAPE, [x], shape=(1, have))
            if have > want:
                step = self.draw.integer(1, have // want)
                begin = self.draw.integer(0, have - 1 - (want - 1) * step)
                begin, step = self.draw.one_of((begin, step), (begin + (want - 1) * step, -step))
                x = self.put(OpKind.STRIDED_SLICE, [flat], StridedSliceAttrs((0, begin), (1, step), (1, want)))
            else:
                x = self.put(OpKind.GATHER, [flat], GatherAttrs((None, tuple((np.arange(want) % have).tolist()))))
        return x if self.shape(x) == shape else self.put(OpKind.RESHAPE, [x], shape=shape)

    def number(self, value: float) -> str:
        """A constant of float32."""
        return self.constant(np.array([value], np.float32), name=f"f{len(self.graph.tensors)}")

    def requantized(self, x: str, quant: Quantization) -> str:
        """``x`` of any type as int8 of ``quant``; what is far too large or small for it is scaled before."""
        tensor = self.graph.tensor(x)
        if tensor.dtype == "int8" and tensor.quant == quant:
            return x
        if tensor.dtype == "int32" and tensor.quant is None:
            x = self.put(OpKind.CAST, [x], dtype="float32")
        if self.graph.tensor(x).dtype == "float32":
            self.evaluate()
            largest = float(np.abs(self.values[x]).max(initial=0)) or 1.0
            factor = 2.0 ** np.round(np.log2(100 * quant.scale[0] / largest))
            x = self.put(OpKind.MUL, [x, self.number(factor)], ElementwiseAttrs(), dtype="float32")
            if self.graph.states:  # other values in later runs, which TFLite would cast to int32 whatever they are
                for kind, limit in ((OpKind.MINIMUM, 999), (OpKind.MAXIMUM, -999)):
                    x = self.put(kind, [x, self.number(limit * quant.scale[0])], dtype="float32")
        return self.put(OpKind.QUANTIZE, [x], quant=quant, dtype="int8")

    def fitted(self, x: str, like: Tensor) -> str:
        """``x`` in shape, type and quantization of ``like``."""
        x = self.resized(x, like.shape)
        tensor = self.graph.tensor(x)
        if (tensor.dtype, tensor.quant) == (like.dtype, like.quant):
            return x
        if like.dtype == "float32":
            if tensor.dtype == "int32" and tensor.quant is None:
                return self.put(OpKind.CAST, [x], dtype="float32")
            x = x if tensor.dtype == "int8" else self.requantized(x, self.quant())
            return self.put(OpKind.DEQUANTIZE, [x], dtype="float32")
        assert like.quant is not None
        if tensor.dtype == like.dtype == "int16":
            return self.put(OpKind.QUANTIZE, [x], quant=like.quant, dtype="int16")
        x = self.requantized(x, like.quant if like.dtype == "int8" else self.quant())
        return x if like.dtype == "int8" else self.put(OpKind.QUANTIZE, [x], quant=like.quant, dtype=like.dtype)

    def read(self, like: Tensor, value: np.ndarray, fresh: bool = False) -> str:
        """Something like ``like``: an input with ``value``, or what is there."""
        types = (*self.theme.dtypes, *(("int16", "int32") if len(self.theme.dtypes) > 1 else ()))
        if like.dtype == "int16" and self.theme.exact:  # which TFLite does not make of int8
            types = ("int16",)
        known = like.dtype != "int32" and (like.quant is not None or like.dtype == "float32")
        x = None if fresh or not known or self.draw.integer(0, 4) == 0 else self.source(types)
        if x is not None:
            return self.fitted(x, like)
        if like.dtype == "int8" and len(types) > 2 and self.draw.integer(0, 4) == 0:  # another type at the border
            dtype = self.draw.one_of("int16", "int32")
            quant = Quantization((self.draw.scale(1e-3, 0.1),), (0,))
            wide = (value.astype(np.int64) * 50).astype(dtype)
            assert like.quant is not None
            return self.requantized(self.given(Tensor("", like.shape, dtype, quant), wide), like.quant)
        return self.given(like, value)

    def read_new(self, shape: Shape, dtype: str) -> str:
        """The same, of any quantization."""
        if dtype == "int8":
            return self.read(Tensor("", shape, dtype, self.quant()), self.draw.int8(shape))
        return self.read(Tensor("", shape, dtype), self.rng.normal(size=shape).astype(np.float32))


Step = Callable[[WholeBuilder], None]


def operator(b: WholeBuilder) -> None:
    """A random case, whose inputs are what is there."""
    case = b.draw.one_of(*(FAMILIES[name] for name in b.theme.families))(b.draw)
    while not b.theme.takes(case):
        case = b.draw.one_of(*(FAMILIES[name] for name in b.theme.families))(b.draw)
    [op] = case.graph.operators
    fresh = op.kind in POSITIVE and "float32" in {t.dtype for t in case.graph.tensors.values()}
    fresh = fresh or op.kind is OpKind.EMBEDDING_LOOKUP
    names = {}
    for port, value in zip(case.graph.inputs, case.inputs, strict=True):
        like = case.graph.tensor(port.tensor)
        # what two operands have in common is a shape, so bytes of one quantization may meet
        names[like.name] = b.read(like, value, fresh)
    number = len(b.graph.operators)
    for tensor in case.graph.tensors.values():
        if tensor.name not in names:
            names[tensor.name] = name = f"s{number}_{tensor.name}"
            b.graph.tensors[name] = Tensor(name, tensor.shape, tensor.dtype, tensor.quant, tensor.data)
    inputs, outputs = ([names[name] for name in side] for side in (op.inputs, op.outputs))
    b.graph.operators.append(Operator(op.kind, f"s{number}_{op.kind.lower()}", inputs, outputs, op.attrs))
    b.offer(outputs)


def delay(b: WholeBuilder) -> None:
    """A tensor's value of the run before."""
    x = b.source((*b.theme.dtypes, "int16", "int32"))
    if x is None:
        return
    tensor = b.graph.tensor(x)
    if tensor.dtype == "int32" and tensor.quant:  # variables of files have none
        return
    value = b.values[x]
    first = value if b.draw.integer(0, 1) else np.full_like(value, tensor.zero_point if tensor.quant else 0)
    state = f"state{len(b.graph.states)}"
    b.graph.tensors[state] = Tensor(state, tensor.shape, tensor.dtype, tensor.quant)
    b.graph.states.append(State(state, x, first))
    b.offer([state])


def total(b: WholeBuilder) -> None:
    """A state that something is added to."""
    x = b.read_new((1, b.draw.integer(1, 30)), b.draw.one_of(*b.theme.dtypes))
    tensor = b.graph.tensor(x)
    state, quant = f"state{len(b.graph.states)}", tensor.quant and b.quant()
    b.graph.tensors[state] = Tensor(state, tensor.shape, tensor.dtype, quant)
    y = b.put(OpKind.ADD, [x, state], ElementwiseAttrs(), quant=quant, dtype=tensor.dtype)
    b.graph.states.append(State(state, y, np.zeros(tensor.shape, tensor.dtype)))
    b.offer([state, y])


def window(b: WholeBuilder) -> None:
    """A window over time."""
    if "int8" not in b.theme.dtypes:
        return
    new = b.draw.integer(1, 3)
    x = b.read_new((1, new, b.draw.integer(1, 3), b.draw.integer(1, 9)), "int8")
    b.offer([b.draw.one_of(joined, shortened)(b, x, new + b.draw.integer(1, 5))])


def recurrent(b: WholeBuilder) -> None:
    """LSTM or SVDF."""
    size, units = b.draw.integer(1, 20), b.draw.integer(1, 12)
    dtype, kind = b.draw.one_of(*b.theme.dtypes), b.draw.integer(0, 1)
    if dtype == "float32":
        if b.theme.exact:
            return
        x = b.read_new((1, b.draw.integer(1, 6), size), dtype)
        b.offer([lstm_float(b, x, units, b.draw.one_of(0.0, 0.5))])
        return
    low = b.draw.one_of(-127, -128)
    if kind:
        steps = b.draw.integer(1, 4)
        x = b.read_new(b.draw.one_of((1, steps, size), (1, 1, size)), dtype)
        if steps > 1 and b.shape(x)[1] == steps and b.draw.integer(0, 2) == 0:
            x = b.put(OpKind.RESHAPE, [x], shape=(steps, 1, size))
        b.offer([lstm(b, x, units, b.draw.integer(-15, -9), b.draw.one_of(0.0, 0.5), low)])
        return
    of_state = "int16" if b.theme.exact else b.draw.one_of("int16", "int8")
    x = b.read_new((1, size), dtype)
    b.offer([svdf(b, x, units, b.draw.integer(1, 3), b.draw.integer(1, 8), of_state, low)])


def choice(b: WholeBuilder) -> None:
    """A comparison, and what it chooses between."""
    shape, dtype = (1, b.draw.integer(1, 5), b.draw.integer(1, 9)), b.draw.one_of(*b.theme.dtypes)
    left = b.read_new(shape, dtype)
    tensor = b.graph.tensor(left)
    right = b.read(tensor, b.values.get(left, np.zeros(shape, dtype)))
    which = b.put(b.draw.one_of(*COMPARISONS), [left, right], dtype="bool")
    if b.draw.integer(0, 1):
        other = b.put(b.draw.one_of(*COMPARISONS), [right, left], dtype="bool")
        which = b.put(b.draw.one_of(OpKind.LOGICAL_AND, OpKind.LOGICAL_OR), [which, other], dtype="bool")
    if b.draw.integer(0, 2) == 0:
        which = b.put(OpKind.LOGICAL_NOT, [which], dtype="bool")
    if b.draw.integer(0, 2) == 0:
        attrs = MeanAttrs(b.draw.one_of((1,), (2,), (1, 2)), keep_dims=True)
        which = b.put(b.draw.one_of(OpKind.REDUCE_ANY, OpKind.REDUCE_ALL), [which], attrs, dtype="bool")
    made = [b.put(OpKind.SELECT_V2, [which, left, right], quant=tensor.quant, dtype=dtype)]
    if b.draw.integer(0, 1) and "float32" in b.theme.dtypes:
        made.append(b.put(OpKind.CAST, [which], dtype=b.draw.one_of("float32", "int32")))
    b.offer(made)


def wide(b: WholeBuilder) -> None:
    """LEAKY_RELU of int16; integers of other sizes, which TFLite makes of int16 alone."""
    if len(b.theme.dtypes) < 2:
        return
    shape, scales = (1, b.draw.integer(1, 40)), (b.draw.scale(1e-4, 0.1) for _ in range(3))
    first, second, third = (Quantization((scale,), (0,)) for scale in scales)
    if b.theme.exact or b.draw.integer(0, 1):
        value = b.rng.integers(-(1 << 15), 1 << 15, shape).astype(np.int16)
        y = b.read(Tensor("", shape, "int16", first), value, fresh=True)
    else:
        y = b.put(OpKind.QUANTIZE, [b.read_new(shape, "int8")], quant=first, dtype="int16")
    if b.draw.integer(0, 1):
        y = b.put(OpKind.LEAKY_RELU, [y], LeakyReluAttrs(b.draw.scale(0.01, 1.0)), quant=second, dtype="int16")
    if b.draw.integer(0, 1):
        y = b.put(OpKind.QUANTIZE, [y], quant=third, dtype=b.draw.one_of("int16", "int32"))
    b.offer([y])


OPERATORS: tuple[Step, ...] = (operator,) * 14
OTHERS: tuple[Step, ...] = (choice, wide, delay, total, window, recurrent)


def random_graph(seed: int, steps: int, theme: Theme) -> tuple[Graph, list[list[np.ndarray]]]:
    """A verified network of so many steps, and what its inputs get in each of several runs."""
    b = WholeBuilder(seed, theme)
    while not b.graph.operators:
        operator(b)
    for _ in range(steps - 1):
        b.draw.one_of(*OPERATORS, *(() if theme.old else OTHERS))(b)
    read = {name for op in b.graph.operators for name in op.inputs}
    for _ in b.graph.states:  # one that is not read may be all that reads another
        b.graph.states = [s for s in b.graph.states if s.tensor in read | {other.update for other in b.graph.states}]
    kept = {state.update for state in b.graph.states}
    results = [name for op in b.graph.operators for name in op.outputs if b.graph.tensor(name).dtype != "bool"]
    for name in results:
        if name not in kept and (name not in read or b.draw.integer(0, 9) == 0):
            b.output(name)
    if not b.graph.outputs:  # all that nobody reads becomes a state
        b.output(b.put(OpKind.RESHAPE, [results[0]], shape=(1, b.graph.tensor(results[0]).elements)))
    verify(b.graph)
    inputs = [b.values[name] for name in b.graph.input_tensors()]
    runs = [inputs] + [[b.rng.permuted(x.ravel()).reshape(x.shape) for x in inputs] for _ in range(2)]
    return b.graph, runs if b.graph.states else runs[:1]
