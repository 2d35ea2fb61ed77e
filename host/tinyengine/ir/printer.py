"""Graphs as text, one line per operator."""

from __future__ import annotations

from dataclasses import fields

from tinyengine.ir.graph import Graph, Operator, Port, Quantization, State, Tensor
from tinyengine.ir.operators import macs, total_macs
from tinyengine.ir.ops import Activation, Attrs, Window


def format_graph(graph: Graph) -> str:
    """The whole graph: ports, operators with shapes, quantization, attributes and MACs."""
    lines = [f"network {graph.name}: {len(graph.operators)} operators, {total_macs(graph):,} MACs"]
    lines += [f"  input  {_port(graph, port)}" for port in graph.inputs]
    lines += [f"  state  {_state(graph, state)}" for state in graph.states]
    width = max((len(op.name) for op in graph.operators), default=0)
    lines += [f"  {op.name:<{width}}  {format_operator(op, graph)}" for op in graph.operators]
    lines += [f"  output {_port(graph, port)}" for port in graph.outputs]
    return "\n".join(lines) + "\n"


def format_operator(op: Operator, graph: Graph) -> str:
    """Inputs -> outputs, attributes, MACs of one operator, without its name."""
    inputs = ", ".join(_tensor(graph.tensor(name)) for name in op.inputs)
    output = ", ".join(_tensor(graph.tensor(name)) for name in op.outputs)
    work = macs(op, graph)
    parts = [f"{op.kind} {inputs} -> {output}", _attrs(op.attrs), f"{work:,} MACs" if work else ""]
    return "  ".join(part for part in parts if part)


def _port(graph: Graph, port: Port) -> str:
    outside = f"{port.dtype}{_quantization(port.quant)}"
    return f"{port.name}: {outside} outside, inside {_tensor(graph.tensor(port.tensor))}"


def _state(graph: Graph, state: State) -> str:
    low, high = state.initial.min(), state.initial.max()
    values = f"{low:g}" if low == high else f"{low:g}..{high:g}"
    return f"{_tensor(graph.tensor(state.tensor))}, at first {values}, then {state.update}"


def _tensor(tensor: Tensor) -> str:
    name = "const" if tensor.is_constant else tensor.name
    text = f"{name} {tensor.dtype}[{'x'.join(map(str, tensor.shape)) or 'scalar'}]"
    return text if tensor.dtype == "int32" else text + _quantization(tensor.quant)


def _quantization(quant: Quantization | None) -> str:
    if quant is None:
        return ""
    if quant.per_channel:
        return f"(per channel, {min(quant.scale):.4g}..{max(quant.scale):.4g})"
    scale, zero = quant.scalar()
    return f"({scale:.4g}, {zero})"


def _attrs(attrs: Attrs) -> str:
    texts = []
    for field in fields(attrs):
        if not field.repr:
            continue
        value = getattr(attrs, field.name)
        if isinstance(value, Window):
            texts.append(_window(value))
        elif isinstance(value, Activation):
            texts += [] if value is Activation.NONE else [value.value]
        else:
            texts.append(f"{field.name}={value}")
    return " ".join(texts)


def _window(window: Window) -> str:
    text = f"{window.kernel[0]}x{window.kernel[1]}"
    if window.stride != (1, 1):
        text += f" stride {window.stride[0]}x{window.stride[1]}"
    if window.dilation != (1, 1):
        text += f" dilation {window.dilation[0]}x{window.dilation[1]}"
    if any(window.pad):
        text += " pad " + ",".join(map(str, window.pad))
    return text
