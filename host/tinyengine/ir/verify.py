"""Checks that a graph is well formed before anybody relies on it.

Behind ``verify`` every later part of the compiler may assume: names resolve, operators are in execution order, shapes
follow from inputs and attributes, constants have the right size, quantization is present and sane, sums fit int32.
"""

from __future__ import annotations

import math
from typing import NoReturn

import numpy as np

from tinyengine.errors import ModelError
from tinyengine.ir.graph import DTYPES, Graph, Operator, Port, Quantization, State, Tensor
from tinyengine.ir.operators import DEFINITIONS
from tinyengine.ir.operators.base import MAX_SIZE

MAX_ELEMENTS = 1 << 26
"""Most elements of one tensor: far beyond any microcontroller, small enough for the host."""

SCALE_RANGE = (1e-12, 1e12)
"""Scales outside are nonsense, and their products and quotients would leave float32."""


def verify(graph: Graph) -> None:
    """Raise ModelError, naming operator and tensor, if ``graph`` is not one that the compiler may trust."""
    if not graph.operators or not graph.inputs or not graph.outputs:
        raise ModelError("the network has no operators, no inputs or no outputs: convert the model again")
    for name, tensor in graph.tensors.items():
        _verify_tensor(name, tensor)
    _verify_order(graph)
    for op in graph.operators:
        DEFINITIONS[op.kind].verify(op, graph)
    for state in graph.states:
        _verify_state(state, graph)
    for port in (*graph.inputs, *graph.outputs):
        _verify_port(port, graph.tensor(port.tensor))


def fail(op: Operator, what: str) -> NoReturn:
    raise ModelError(f"{op.kind} '{op.name}' {what}: convert the model again")


# --- tensors ---


def _verify_tensor(name: str, tensor: Tensor) -> None:
    if name != tensor.name or tensor.dtype not in DTYPES:
        raise ModelError(f"tensor '{name}' is filed under another name or has the unknown type {tensor.dtype}")
    if any(n < 1 for n in tensor.shape) or tensor.elements > MAX_ELEMENTS:
        raise ModelError(f"tensor '{name}' has the impossible shape {list(tensor.shape)}")
    if tensor.data is not None:
        if tensor.data.shape != tensor.shape or tensor.data.dtype != DTYPES[tensor.dtype]:
            raise ModelError(f"constant '{name}' holds {tensor.data.dtype}{list(tensor.data.shape)}, not what it says")
    elif any(n > MAX_SIZE for n in tensor.shape):
        raise ModelError(f"tensor '{name}' of shape {list(tensor.shape)} is longer than {MAX_SIZE} along an axis")
    if tensor.quant is not None:
        _verify_quantization(name, tensor, tensor.quant)
    elif tensor.dtype in ("int8", "uint8"):
        raise ModelError(f"tensor '{name}' has no quantization: convert the model with full integer quantization")


def _verify_quantization(name: str, tensor: Tensor, quant: Quantization) -> None:
    if len(quant.scale) != len(quant.zero_point) or not quant.scale:
        raise ModelError(f"tensor '{name}' has {len(quant.scale)} scales and {len(quant.zero_point)} zero points")
    # a bias has the product of two scales, but nothing is computed with it
    low, high = SCALE_RANGE if tensor.dtype in ("int8", "uint8") else (0.0, math.inf)
    for scale in quant.scale:
        if not (math.isfinite(scale) and scale > 0.0 and low <= scale <= high):
            raise ModelError(f"tensor '{name}' has the impossible scale {scale:g}: quantize the model again")
    limits = np.iinfo(DTYPES[tensor.dtype]) if tensor.dtype not in ("float32", "bool") else np.iinfo(np.int8)
    if min(quant.zero_point) < limits.min or max(quant.zero_point) > limits.max:
        raise ModelError(f"tensor '{name}' has a zero point outside {tensor.dtype}: quantize the model again")
    if quant.per_channel:
        axis = quant.axis
        if axis is None or not 0 <= axis < len(tensor.shape) or tensor.shape[axis] != len(quant.scale):
            raise ModelError(f"tensor '{name}' of shape {list(tensor.shape)} has {len(quant.scale)} scales")


# --- structure ---


def _verify_order(graph: Graph) -> None:
    known = {t.name for t in graph.constants()}
    for port in graph.inputs:
        if port.tensor not in graph.tensors or port.tensor in known:
            raise ModelError(f"the network's input '{port.name}' is missing, constant or named twice")
        known.add(port.tensor)
    for state in graph.states:
        if state.tensor not in graph.tensors or state.tensor in known:
            raise ModelError(f"the network's state '{state.tensor}' is missing, constant, an input or named twice")
        known.add(state.tensor)
    for op in graph.operators:
        for name in op.inputs:
            if name not in known:
                raise ModelError(f"{op.kind} '{op.name}' reads tensor '{name}' before any operator has written it")
        if not op.outputs:
            fail(op, "writes no tensor")
        for name in op.outputs:
            if name not in graph.tensors:
                fail(op, f"writes '{name}', which is no tensor of the network")
            if name in known:
                fail(op, f"writes tensor '{name}', which has a value already")
            known.add(name)
    constants = {t.name for t in graph.constants()}
    for port in graph.outputs:
        if port.tensor not in known or port.tensor in constants:
            raise ModelError(f"the network's output '{port.name}' is not computed by any operator")
    for state in graph.states:
        if state.update not in known or state.update in constants:
            raise ModelError(f"the next value of the network's state '{state.tensor}' is not computed by any operator")


def _verify_state(state: State, graph: Graph) -> None:
    """A state, its next value and its first one are of one kind, so that a run may begin with any of them."""
    tensor, update = graph.tensor(state.tensor), graph.tensor(state.update)
    kinds = [(t.dtype, t.shape, t.quant) for t in (tensor, update)]
    if kinds[0] != kinds[1] or (str(state.initial.dtype), state.initial.shape) != kinds[0][:2]:
        raise ModelError(
            f"the state '{tensor.name}' ({tensor.dtype}{list(tensor.shape)}) begins with "
            f"{state.initial.dtype}{list(state.initial.shape)} and becomes '{update.name}' ({update.dtype}"
            f"{list(update.shape)}), but types, shapes and quantizations must be the same: convert the model again"
        )


def _verify_port(port: Port, tensor: Tensor) -> None:
    converted = (port.dtype, tensor.dtype) in (("float32", "int8"), ("uint8", "int8"), ("float32", "int16"))
    if port.dtype != tensor.dtype and not converted:
        raise ModelError(
            f"port '{port.name}' is {port.dtype} outside and {tensor.dtype} inside: convert the model again"
        )
    if port.dtype == "uint8" and (port.quant is None or port.quant.per_channel):
        raise ModelError(f"port '{port.name}' is uint8 without a quantization: convert the model again")
