"""Adds operators on sound to a graph."""

from __future__ import annotations

import numpy as np

from tinyengine.ir import Graph, Operator, OpKind, Quantization
from tinyengine.ir.graph import State, Tensor
from tinyengine.ir.ops import Attrs, ElementwiseAttrs, NoAttrs

Shape = tuple[int, ...]


class Builder:
    """Tensors are numbers without a scale, but for those that a network takes. Their names begin with ``audio``."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self._constants: dict[bytes, str] = {}

    def shape(self, name: str) -> Shape:
        return self.graph.tensor(name).shape

    def tensor(self, shape: Shape, dtype: str, quant: Quantization | None = None) -> str:
        name = f"audio_{len(self.graph.tensors)}"
        self.graph.tensors[name] = Tensor(name, shape, dtype, quant)
        return name

    def constant(self, values: np.ndarray, quant: Quantization | None = None) -> str:
        """The same tensor for the same values."""
        key = f"{values.dtype} {values.shape} {quant}".encode() + values.tobytes()
        if key not in self._constants:
            self._constants[key] = self.tensor(values.shape, values.dtype.name, quant)
            self.graph.tensor(self._constants[key]).data = values
        return self._constants[key]

    def keep(self, state: str, update: str, initial: int) -> None:
        """What ``update`` holds at the end of a run, ``state`` holds in the next one; ``initial`` in the first."""
        tensor = self.graph.tensor(state)
        self.graph.states.append(State(state, update, np.full(tensor.shape, initial, tensor.dtype)))

    def op(
        self,
        kind: OpKind,
        inputs: list[str],
        dtype: str,
        attrs: Attrs | None = None,
        shape: Shape | None = None,
        quant: Quantization | None = None,
    ) -> str:
        """An operator with one output, by default of the shape of its first input."""
        y = self.tensor(self.shape(inputs[0]) if shape is None else shape, dtype, quant)
        self.ops(kind, inputs, [y], attrs)
        return y

    def ops(self, kind: OpKind, inputs: list[str], outputs: list[str], attrs: Attrs | None = None) -> None:
        name = f"{kind.lower()}_{outputs[0]}"
        self.graph.operators.append(Operator(kind, name, inputs, outputs, attrs or NoAttrs()))

    def with_number(self, kind: OpKind, x: str, number: int) -> str:
        """``x``, int32, with a number behind an operator between them."""
        attrs = None if kind in (OpKind.MINIMUM, OpKind.MAXIMUM) else ElementwiseAttrs()
        return self.op(kind, [x, self.constant(np.array(number, np.int32))], "int32", attrs)
