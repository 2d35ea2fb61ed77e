"""TFLite's variables (VAR_HANDLE, READ_VARIABLE, ASSIGN_VARIABLE, CALL_ONCE) to the states of the IR.

A tensor that a variable is read into becomes another name of the tensor whose value the variable has at that moment:
the state, before the first assignment of a run, and what has been assigned last, after it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from tinyengine.errors import ModelError
from tinyengine.frontend.context import DTYPE_NAMES, Context
from tinyengine.frontend.raw import RawModel, RawOperator, RawTensor
from tinyengine.ir.graph import State

_Key = tuple[bytes, bytes]
"""What identifies a variable: container and shared name."""


@dataclass
class _Variable:
    """``first``: its value before the first run, ``initial`` the elements of that; ``state``: the tensor that has its
    value when a run begins; ``value``: the one that has it now. ``assigned``: whether the network ever changes it."""

    first: RawTensor | None = None
    initial: np.ndarray | None = None
    state: str | None = None
    value: str | None = None
    assigned: bool = False


class Variables:
    """The variables of the network that ``context`` translates, while its operators are gone through in order."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._variables: dict[_Key, _Variable] = {}
        self._handles: dict[int, _Key] = {}
        self._called: set[int] = set()
        handles = {op.outputs[0]: _key(op) for op in _operators(context.raw, "VAR_HANDLE") if op.outputs}
        for op in _operators(context.raw, "ASSIGN_VARIABLE"):
            if op.inputs and op.inputs[0] in handles:
                self._variable(handles[op.inputs[0]]).assigned = True

    def translate(self, op: RawOperator) -> bool:
        """Follow ``op``; False if it has nothing to do with variables."""
        match op.kind:
            case "CALL_ONCE":
                self._initialize(op)
            case "VAR_HANDLE":
                self._handles[self._context.output(op).index] = _key(op)
            case "READ_VARIABLE":
                self._read(op)
            case "ASSIGN_VARIABLE":
                self._assign(op)
            case _:
                return False
        return True

    def finish(self) -> None:
        """Add the states; ModelError if the file has subgraphs that nobody called."""
        subgraphs = 1 + len(self._context.raw.others)
        if len(self._called) + 1 != subgraphs:
            raise ModelError(
                f"the model has {subgraphs} subgraphs, only one is supported, and one that initializes variables "
                "(CALL_ONCE): export the inference function alone, without control flow"
            )
        for variable in self._variables.values():
            if variable.state is not None:
                assert variable.value is not None and variable.initial is not None
                self._context.graph.states.append(State(variable.state, variable.value, variable.initial))

    # --- one operator each ---

    def _initialize(self, op: RawOperator) -> None:
        """The initial values, from a subgraph that assigns a constant to each variable."""
        context, number = self._context, op.options["InitSubgraphIndex"]
        if not 1 <= number <= len(context.raw.others):
            context.damaged(op, f"calls subgraph {number}, which does not exist")
        if any(variable.value is not None for variable in self._variables.values()):
            context.unsupported(
                op, "initializes variables that are in use already", "put it before all other operators"
            )
        self._called.add(number)
        subgraph = context.raw.others[number - 1]
        handles: dict[int, _Key] = {}
        for inner in subgraph.operators:
            if inner.kind == "VAR_HANDLE" and len(inner.outputs) == 1:
                handles[inner.outputs[0]] = _key(inner)
            elif inner.kind == "ASSIGN_VARIABLE" and len(inner.inputs) == 2 and inner.inputs[0] in handles:
                if not 0 <= inner.inputs[1] < len(subgraph.tensors):
                    context.damaged(op, f"assigns tensor {inner.inputs[1]} of subgraph {number}, which does not exist")
                value = subgraph.tensors[inner.inputs[1]]
                if not value.data.size:
                    context.unsupported(
                        op, f"computes the initial value of {_name(handles[inner.inputs[0]])}", "make it constant"
                    )
                self._variable(handles[inner.inputs[0]]).first = value
            else:
                context.unsupported(
                    op, f"initializes variables by {inner.kind}", "create them with constant initial values"
                )

    def _read(self, op: RawOperator) -> None:
        context, output = self._context, self._context.output(op)
        variable, name = self._of(op)
        if variable.value is None:
            if variable.first is None:
                context.unsupported(
                    op,
                    f"reads {name} before anything is assigned to it",
                    "give the variable an initial value (CALL_ONCE), as TensorFlow's converter does",
                )
            first = variable.first
            if (first.dtype, first.shape) != (output.dtype, output.shape):
                context.damaged(op, f"reads {name}, which begins as {first.dtype.lower()}{list(first.shape)}")
            if not variable.assigned:  # a constant, which may also be weights
                context.raw.tensors[output.index] = replace(output, data=first.data)
                return
            variable.initial = context.values(op, first)
            variable.state = variable.value = context.source(op, output).name
            return
        value = context.graph.tensor(variable.value)
        wanted = output.shape, DTYPE_NAMES.get(output.dtype), context.quantization(op, output)
        if (value.shape, value.dtype, value.quant) != wanted:
            context.unsupported(
                op,
                f"reads {name} with another type, shape or quantization than it has",
                "read what was assigned",
            )
        context.rename(op, output, value)

    def _assign(self, op: RawOperator) -> None:
        context = self._context
        variable, name = self._of(op)
        source = context.required(op, 1)
        if source.data.size or source.index in context.folded:
            context.unsupported(op, f"assigns a constant to {name}", "let the network read the constant itself")
        value = context.computed(op, source)
        if variable.state is not None:
            state = context.graph.tensor(variable.state)
            if (value.shape, value.dtype, value.quant) != (state.shape, state.dtype, state.quant):
                context.unsupported(
                    op,
                    f"assigns {value.dtype}{list(value.shape)} to {name}, which is {state.dtype}{list(state.shape)}",
                    "keep type, shape and quantization of the variable",
                )
        variable.value = value.name

    # --- which variable ---

    def _variable(self, key: _Key) -> _Variable:
        return self._variables.setdefault(key, _Variable())

    def _of(self, op: RawOperator) -> tuple[_Variable, str]:
        """The variable that input 0 of ``op`` stands for, and its name for messages."""
        tensor = self._context.required(op, 0)
        if tensor.index not in self._handles:
            self._context.damaged(op, "uses a variable that no VAR_HANDLE names", tensor.index)
        key = self._handles[tensor.index]
        return self._variable(key), _name(key)


def _operators(raw: RawModel, kind: str) -> Iterator[RawOperator]:
    return (op for op in raw.operators if op.kind == kind)


def _key(op: RawOperator) -> _Key:
    return op.options["Container"] or b"", op.options["SharedName"] or b""


def _name(key: _Key) -> str:
    """Of a variable, safe in messages."""
    text = key[1][:80].decode("utf-8", errors="replace")
    return f"variable '{''.join(c if c.isprintable() else '_' for c in text)}'"
